"""The one value that `/healthz`, `/metrics`, `/status.json` and the page tell of.

`fold_status` is pure: the same `Observation` gives the same `Status`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from junmai_svc.service.status.attention import Attention, Level, attention
from junmai_svc.service.status.coverage import Coverage, State, cover, last_proofs, worst
from junmai_svc.service.status.observation import Job, JournalFacts, Listing, Observation, Watched
from junmai_svc.storage.journal.projection import Run

RECENT = 12


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """A database, as well off as its worst store says. `migrations` and `runs` are newest first."""

    name: str
    path: str
    state: State
    stores: tuple[Coverage, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """How everything stands at one moment, `now`. Attention is worst first."""

    now: datetime
    started: datetime
    version: str
    state: State
    attention: tuple[Attention, ...]
    databases: tuple[DatabaseStatus, ...]
    listings: tuple[Listing, ...]
    jobs: tuple[Job, ...]
    journal: JournalFacts
    migrations: tuple[Run, ...]
    runs: tuple[Run, ...]

    @property
    def wrong(self) -> tuple[Attention, ...]:
        """What makes `/healthz` answer 503."""
        return tuple(each for each in self.attention if each.level is Level.WRONG)

    @property
    def healthy(self) -> bool:
        """True where nothing is wrong."""
        return not self.wrong

    def about(self, database: str, store: str) -> tuple[Attention, ...]:
        """Return what needs attention about a database in a store, the store itself included."""
        return tuple(
            each
            for each in self.attention
            if (each.database == database and each.store in {store, None})
            or (each.database is None and each.store == store)
        )


def fold_status(observation: Observation) -> Status:
    """Judge all databases in all their stores, and say what needs attention first."""
    observation = replace(observation, listings=_all_listings(observation))
    proofs = last_proofs(observation)
    databases = tuple(
        _database(
            watched, tuple(cover(observation, watched, store, proofs) for store in watched.stores)
        )
        for watched in observation.databases
    )
    names = {
        alias: watched.name
        for watched in observation.databases
        for alias in (watched.path, *watched.aliases)
    }
    runs = tuple(_named(run, names) for run in observation.runs)
    migrations = tuple(run for run in runs if run.kind == "migration")
    return Status(
        observation.now,
        observation.started,
        observation.version,
        worst(database.state for database in databases),
        attention(observation, [c for each in databases for c in each.stores], migrations),
        databases,
        observation.listings,
        observation.jobs,
        observation.journal,
        migrations[:RECENT],
        runs[:RECENT],
    )


def _all_listings(observation: Observation) -> tuple[Listing, ...]:
    """The listings, and an unseen one for each store that has none."""
    seen = {listing.store for listing in observation.listings}
    wanted = dict.fromkeys(store for each in observation.databases for store in each.stores)
    return (*observation.listings, *(Listing(store) for store in wanted if store not in seen))


def _database(watched: Watched, stores: tuple[Coverage, ...]) -> DatabaseStatus:
    return DatabaseStatus(watched.name, watched.path, worst(each.state for each in stores), stores)


def _named(run: Run, names: Mapping[str, str]) -> Run:
    """The run with its database named as the configuration names it."""
    return replace(run, database=names.get(run.database or "", run.database))
