"""Which snapshots are kept, each with its reasons: (snapshots, policy, now) -> decisions. Pure.

Whatever the policy says, some are never dropped: the newest good snapshot of each database, the
newest one that was proven, the newest one from before a migration, and what is held. What was last
found damaged is not good. Nothing at all is dropped where the clock can't be trusted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import PurePath

from junmai_svc.storage.snapshots.manifest import Reason, is_same_database

# Why everything of a database is kept, whatever else is said of it.
OF_THE_FUTURE = "the clock went back"
NONE_RECENT = "no recent snapshot"
CLOCK_MAY_HAVE_JUMPED = "the clock may have jumped"


@dataclass(frozen=True)
class Policy:
    """What to keep: all within a time, the last few, and the newest of each of the last periods."""

    keep_within: timedelta | None = timedelta(days=30)
    keep_last: int = 3
    keep_hourly: int = 0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    keep_yearly: int = 0


@dataclass(frozen=True)
class Policies:
    """One policy for most databases, and `own` ones for some, by their absolute path."""

    usual: Policy
    own: Mapping[PurePath, Policy] = field(default_factory=dict)

    def of(self, database: str) -> Policy:
        """Return the policy for a database by the path in its manifests."""
        own = (policy for path, policy in self.own.items() if is_same_database(database, path))
        return next(own, self.usual)


@dataclass(frozen=True)
class Candidate:
    """One snapshot as the policy sees it. `proven` is when it was last proven, if ever.

    `damaged` are those that were found damaged since.
    """

    name: str
    database: str
    taken: datetime
    reason: Reason
    held: bool = False
    proven: datetime | None = None
    damaged: bool = False


@dataclass(frozen=True)
class Decision:
    """Whether a snapshot is kept and why; without a reason it is dropped."""

    candidate: Candidate
    reasons: tuple[str, ...]

    @property
    def keep(self) -> bool:
        """True where any reason keeps it."""
        return bool(self.reasons)


# How a time is named in each kind of period: two times of one period have one name.
_PERIODS: Mapping[str, Callable[[datetime], str]] = {
    "hourly": lambda when: when.strftime("%Y-%m-%d %H"),
    "daily": lambda when: when.strftime("%Y-%m-%d"),
    "weekly": lambda when: when.strftime("%G-W%V"),
    "monthly": lambda when: when.strftime("%Y-%m"),
    "yearly": lambda when: when.strftime("%Y"),
}


# How far the store's clock may be from ours.
ASTRAY = timedelta(days=1)
# How many times longer than all others a gap between two snapshots is that a clock may have made.
ODD = 3


def decide(
    candidates: Iterable[Candidate],
    policy: Policy | Policies,
    now: datetime,
    there: datetime | None = None,
) -> list[Decision]:
    """Return a decision for each snapshot, newest first; `now` and all times are in UTC.

    `there` is the time by the store's own clock, where it is known. Each database is looked at
    alone. Snapshots that were only taken to undo something, and damaged ones, are kept by time,
    never in the place of others.
    """
    policies = Policies(policy) if isinstance(policy, Policy) else policy
    found = sorted(candidates, key=lambda each: (each.taken, each.name), reverse=True)
    reasons: dict[str, list[str]] = {each.name: [] for each in found}
    for database in dict.fromkeys(each.database for each in found):
        own = [each for each in found if each.database == database]
        for name, reason in _reasons(own, policies.of(database), now):
            reasons[name].append(reason)
    if there is not None and abs(there - now) > ASTRAY:
        for each in found:
            reasons[each.name].append("the store's clock tells another time")
    return [Decision(each, tuple(reasons[each.name])) for each in found]


def _reasons(own: Sequence[Candidate], policy: Policy, now: datetime) -> Iterable[tuple[str, str]]:
    """The reasons for the snapshots of one database, newest first."""
    lasting = [each for each in own if not each.reason.is_undo]
    # What is left of damaged ones is better than nothing.
    lasting = [each for each in lasting if not each.damaged] or lasting
    for each in own:
        if each.held:
            yield each.name, "held"
        if policy.keep_within is not None and now - each.taken <= policy.keep_within:
            yield each.name, "recent"
    if lasting:
        yield lasting[0].name, "newest"
    proven = [each for each in lasting if each.proven is not None and not each.damaged]
    if proven:
        yield proven[0].name, "newest proven"
    migrations = [each for each in lasting if each.reason is Reason.MIGRATION]
    if migrations:
        yield migrations[0].name, "before the last migration"
    yield from ((each.name, "one of the last") for each in lasting[: policy.keep_last])
    for period, number in (
        ("hourly", policy.keep_hourly),
        ("daily", policy.keep_daily),
        ("weekly", policy.keep_weekly),
        ("monthly", policy.keep_monthly),
        ("yearly", policy.keep_yearly),
    ):
        yield from ((name, period) for name in _newest_of(lasting, _PERIODS[period], number))
    yield from _distrust(own, lasting, policy, now)


def _newest_of(
    lasting: Sequence[Candidate], period_of: Callable[[datetime], str], number: int
) -> Iterable[str]:
    newest: dict[str, str] = {}
    for each in lasting:
        newest.setdefault(period_of(each.taken), each.name)
    return list(newest.values())[:number]


def _distrust(
    own: Sequence[Candidate], lasting: Sequence[Candidate], policy: Policy, now: datetime
) -> Iterable[tuple[str, str]]:
    """Keep everything where the clock went back, or where it jumped or backups stopped."""
    if any(each.taken > now for each in own):
        yield from ((each.name, OF_THE_FUTURE) for each in own)
    elif policy.keep_within is not None and (
        not lasting or now - lasting[0].taken > policy.keep_within
    ):
        yield from ((each.name, NONE_RECENT) for each in own)
    elif policy.keep_within is not None and _has_jumped(lasting, policy.keep_within):
        yield from ((each.name, CLOCK_MAY_HAVE_JUMPED) for each in own)


def _has_jumped(lasting: Sequence[Candidate], keep_within: timedelta) -> bool:
    """Whether all but the last few snapshots may be old by a wrong clock only.

    It may be so where a gap is longer than `keep_within` and than all others, of which there has to
    be one to tell what is usual. A real pause looks the same at first: it is believed once there
    are snapshots of as long a time since.
    """
    gaps = [new.taken - old.taken for new, old in pairwise(lasting)]
    for number, gap in enumerate(gaps):
        if lasting[0].taken - lasting[number].taken >= keep_within:
            return False
        others = (*gaps[:number], *gaps[number + 1 :])
        if others and gap > max(keep_within, ODD * max(others)):
            return True
    return False
