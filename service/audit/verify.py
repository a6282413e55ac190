"""Is the journal what it was? Asked of the journal here, with the stores that know of it.

Order: what each store signed and lists is read first and the journal after it, so that whoever goes
on working meanwhile raises no alarm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from junmai_svc.checks import stored_objects
from junmai_svc.checks.journal_itself import judge_file, judge_streams
from junmai_svc.checks.mirror_parts import judge_parts
from junmai_svc.checks.mirrored import Signed, gather, judge_history, judge_latest
from junmai_svc.checks.proof import Answer, Question, Verdict, Verdicts
from junmai_svc.checks.remembered import (
    embedded,
    judge_remembered,
    note_behind,
    note_not_asked,
    require_remembered,
)
from junmai_svc.service.audit.pins import KeptPin, keep_local
from junmai_svc.service.context import StoreProblem
from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.errors import JunmaiError, StorageUnavailableError
from junmai_svc.storage.journal.checkpoint import Checkpoint
from junmai_svc.storage.journal.comparing import first_difference
from junmai_svc.storage.journal.journal_file import JournalFile, looking_at
from junmai_svc.storage.journal.keyring import KeyHistory, key_path, load_key
from junmai_svc.storage.journal.keys import VerifierKey
from junmai_svc.storage.journal.liveness import is_alive
from junmai_svc.storage.journal.mirror import Mirror
from junmai_svc.storage.journal.pinning import pinned, read_keys
from junmai_svc.storage.journal.rotations import preceding, trusted_through
from junmai_svc.storage.snapshots.base import SnapshotStore


@dataclass(frozen=True)
class Audit:
    """The verdicts on a journal of `size` events, and the stores that could not be asked."""

    journal_id: str
    size: int
    root: bytes
    verdicts: tuple[Verdict, ...]
    down: tuple[StoreProblem, ...] = ()
    pin: KeptPin | None = None

    @property
    def passed(self) -> bool:
        """True where no question failed."""
        return all(verdict.answer is not Answer.FAILED for verdict in self.verdicts)

    @property
    def status(self) -> str:
        """`passed`, `findings`, or `incomplete` where nothing failed and a store was not asked."""
        if not self.passed:
            return "findings"
        return "incomplete" if self.down else "passed"


@dataclass
class _Seen:
    """What the stores showed before the journal was read."""

    signed: list[Signed] = field(default_factory=list)
    listings: list[stored_objects.Listing] = field(default_factory=list)
    down: list[StoreProblem] = field(default_factory=list)


def verify_journal(
    path: Path,
    stores: Sequence[SnapshotStore],
    *,
    key: Path | None = None,
    pin: Path | None = None,
    read_data: bool = False,
    down: Sequence[StoreProblem] = (),
    places: Mapping[str, Backend] | None = None,
) -> Audit:
    """Look at a journal as it is, and at what the stores know of it; nothing is changed.

    `key` holds public keys that are trusted instead of those that the journal names itself, `pin` a
    checkpoint that was seen earlier; where nothing failed it is begun or moved on. Of the stores
    that are `down`, `places` has those whose copy of the journal may still be read.

    Raises:
        NotFoundError, UsageError: there is no journal or key.
        IntegrityError: the file is no journal, or SQLite can't read it; the pin is none.
        JunmaiError: it can't be read.
    """
    verdicts = Verdicts()
    with looking_at(path) as file:
        keys = file.keys()
        trusted = _trusted(file, keys, key, verdicts)
        published = file.published()
        seen = _Seen()
        for store in stores:
            _look(store, file.journal_id, trusted, seen, verdicts)
        for problem in down:
            _look_at_place(
                problem, (places or {}).get(problem.store), file, trusted, seen, verdicts
            )
        for signed in seen.signed:
            require_remembered(signed, published, verdicts)
        before = pinned(pin, trusted, file.journal_id)
        others = embedded(seen.listings, trusted, file.journal_id)
        others |= {str(pin): before} if before else {}
        wanted = [c.size for signed in seen.signed for c in signed.checkpoints.values()]
        wanted += [c.size for c in others.values()]
        examined = file.examine(wanted, fold=True)
        judge_file(file, examined, verdicts)
        for signed in seen.signed:
            differing = partial(_differing, file, signed)
            judge_history(signed, examined.size, examined.tree.roots, verdicts, differing)
            judge_latest(signed, examined.size, verdicts)
            note_behind(signed, examined.size, verdicts)
            judge_parts(signed, file, examined, verdicts, read_data=read_data)
        judge_remembered(others, examined, verdicts)
        asked = [signed.mirror.backend.url for signed in seen.signed]
        note_not_asked(published, [*asked, *(each.store for each in seen.down)], verdicts)
        judge_streams(examined, str(path), partial(is_alive, path), verdicts)
        stored_objects.check(
            seen.listings, examined, file.journal_id, verdicts, read_data=read_data
        )
        audit = Audit(
            file.journal_id,
            examined.size,
            examined.tree.root,
            verdicts.given(),
            tuple(seen.down),
        )
        if pin is None:
            return audit
        here = Checkpoint(file.journal_id, audit.size, audit.root)
        kept = keep_local(pin, before, seen.signed, file, here, passed=audit.passed)
        return replace(audit, pin=kept)


def _look(
    store: SnapshotStore,
    journal_id: str,
    trusted: Sequence[VerifierKey],
    seen: _Seen,
    verdicts: Verdicts,
) -> None:
    try:
        listing = stored_objects.list_store(store)
        signed = gather(Mirror(store.backend, journal_id), trusted, verdicts)
    except StorageUnavailableError as problem:
        _not_asked(StoreProblem(store.url, problem), seen, verdicts)
    else:
        seen.signed.append(signed)
        seen.listings.append(listing)


def _look_at_place(
    problem: StoreProblem,
    place: Backend | None,
    file: JournalFile,
    trusted: Sequence[VerifierKey],
    seen: _Seen,
    verdicts: Verdicts,
) -> None:
    """Look at the journal's copy in a place that can't be opened as a store: it may be sealed."""
    if place is None or isinstance(problem.problem, StorageUnavailableError):
        _not_asked(problem, seen, verdicts)
        return
    try:
        seen.signed.append(gather(Mirror(place, file.journal_id), trusted, verdicts))
    except JunmaiError:
        _not_asked(problem, seen, verdicts)
        return
    text = f"the snapshots in {problem.store} were not looked at: {problem.problem.message}"
    verdicts.unanswered(Question.OBJECTS, text)


def _not_asked(problem: StoreProblem, seen: _Seen, verdicts: Verdicts) -> None:
    seen.down.append(problem)
    for question in (Question.APPEND_ONLY, Question.CURRENT, Question.OBJECTS):
        verdicts.unanswered(question)


def _trusted(
    file: JournalFile, keys: KeyHistory, key: Path | None, verdicts: Verdicts
) -> list[VerifierKey]:
    verdicts.asked(Question.AUTHENTIC)
    for position, text in keys.problems:
        verdicts.doubt(Question.AUTHENTIC, text, position, str(file.path))
    if keys.current is None:
        hint = "It gets one when it is published: `junmai-svc audit checkpoint --publish`."
        verdicts.doubt(Question.AUTHENTIC, "the journal has no signing key", 0, hint=hint)
    else:
        try:
            load_key(file.path, file.journal_id, keys.current)
        except JunmaiError as error:
            where = str(key_path(file.path))
            verdicts.doubt(Question.AUTHENTIC, error.message, None, where, error.hint)
    if key is None:
        return list(keys.keys)
    named = read_keys(key)
    trusted = trusted_through(named, keys.rotations) + preceding(named, keys.rotations)
    if keys.current is not None and keys.current not in trusted:
        message = f"the journal's key {keys.current} is not one that {key} trusts"
        verdicts.doubt(Question.AUTHENTIC, message, 0, str(file.path))
    return trusted


def _differing(file: JournalFile, signed: Signed, size: int) -> tuple[str, int] | None:
    try:
        return first_difference(file.pairs(0, size), signed.mirror, size)
    except JunmaiError:
        return None  # the store lacks the entries; that it differs is known all the same
