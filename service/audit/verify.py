"""Is the journal what it was? Asked of the journal here, with the stores that know of it.

Order: what each store signed and lists is read first and the journal after it, so that whoever goes
on working meanwhile raises no alarm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from junmai_svc.checks import stored_objects
from junmai_svc.checks.mirrored import LOST_HINT, Signed, gather, judge_history, judge_latest
from junmai_svc.checks.proof import Answer, Question, Verdict, Verdicts
from junmai_svc.service.context import StoreProblem
from junmai_svc.storage.errors import IntegrityError, JunmaiError, StorageUnavailableError
from junmai_svc.storage.journal.checkpoint import Checkpoint, open_checkpoint
from junmai_svc.storage.journal.comparing import first_difference
from junmai_svc.storage.journal.events import split_stream
from junmai_svc.storage.journal.examining import Examination
from junmai_svc.storage.journal.journal_file import JournalFile, looking_at
from junmai_svc.storage.journal.keyring import KeyHistory, key_path, load_key
from junmai_svc.storage.journal.keys import VerifierKey
from junmai_svc.storage.journal.liveness import is_alive
from junmai_svc.storage.journal.mirror import Mirror
from junmai_svc.storage.journal.pinning import pinned, read_keys
from junmai_svc.storage.journal.rotations import trusted_through
from junmai_svc.storage.snapshots.base import SnapshotStore

DAMAGE_HINT = (
    "Keep the file as it is for inspection; `junmai-svc audit recover` explains what to do."
)


@dataclass(frozen=True)
class Audit:
    """The verdicts on a journal of `size` events, and the stores that could not be asked."""

    journal_id: str
    size: int
    root: bytes
    verdicts: tuple[Verdict, ...]
    down: tuple[StoreProblem, ...] = ()

    @property
    def passed(self) -> bool:
        """True where no question failed."""
        return all(verdict.answer is not Answer.FAILED for verdict in self.verdicts)


def verify_journal(
    path: Path,
    stores: Sequence[SnapshotStore],
    *,
    key: Path | None = None,
    pin: Path | None = None,
    read_data: bool = False,
    down: Sequence[StoreProblem] = (),
) -> Audit:
    """Look at a journal as it is, and at what the stores know of it; nothing is changed.

    `key` holds public keys that are trusted instead of those that the journal names itself, `pin` a
    checkpoint that was seen earlier.

    Raises:
        NotFoundError, UsageError: there is no journal, key or pin.
        IntegrityError: the file is no journal, or SQLite can't read it.
        JunmaiError: it can't be read.
    """
    verdicts = Verdicts()
    unreachable = [*down]
    with looking_at(path) as file:
        keys = file.keys()
        trusted = _trusted(file, keys, key, verdicts)
        remembered = file.published()
        seen: list[tuple[Signed, stored_objects.Listing]] = []
        for store in stores:
            try:
                listing = stored_objects.list_store(store)
                signed = gather(Mirror(store.backend, file.journal_id), trusted, verdicts)
            except StorageUnavailableError as problem:
                unreachable.append(StoreProblem(store.url, problem))
            else:
                _require_remembered(signed, remembered.get(store.backend.url, 0), verdicts)
                seen.append((signed, listing))
        remembered_one = pinned(pin, trusted, file.journal_id)
        wanted = [c.size for signed, _ in seen for c in signed.checkpoints.values()]
        embedded = _embedded(seen, trusted, file.journal_id)
        wanted += [c.size for c in embedded.values()]
        wanted += [remembered_one.size] if remembered_one else []
        examined = file.examine(wanted, fold=bool(stores))
        _judge_file(file, examined, verdicts)
        for signed, _ in seen:

            def differing(size: int, signed: Signed = signed) -> tuple[str, int] | None:
                return _differing(file, signed, size)

            judge_history(signed, examined.size, examined.tree.roots, verdicts, differing)
            judge_latest(signed, examined.size, verdicts)
            _note_behind(signed, examined.size, verdicts)
        others = embedded | ({str(pin): remembered_one} if remembered_one else {})
        _judge_remembered(others, examined, verdicts)
        _judge_streams(path, examined, verdicts)
        for _, listing in seen:
            stored_objects.check(
                listing, examined.rows, file.journal_id, verdicts, read_data=read_data
            )
        stored_objects.not_looked_at(
            examined.rows, [name for _, each in seen for name in each.addresses], verdicts
        )
        return Audit(
            file.journal_id,
            examined.size,
            examined.tree.root,
            verdicts.given(),
            tuple(unreachable),
        )


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
    trusted = trusted_through(read_keys(key), keys.rotations)
    if keys.current is not None and keys.current not in trusted:
        message = f"the journal's key {keys.current} is not one that {key} trusts"
        verdicts.doubt(Question.AUTHENTIC, message, 0, str(file.path))
    return trusted


def _require_remembered(signed: Signed, published: int, verdicts: Verdicts) -> None:
    """A store that held more than it does now was emptied or put back."""
    largest = signed.largest
    held = largest.size if largest else 0
    if held < published:
        what = "EMPTIED" if largest is None else "ROLLED BACK"
        message = f"{what}: {published:,} events were published there, {held:,} are signed"
        verdicts.doubt(Question.CURRENT, message, held, signed.mirror.url, LOST_HINT)


def _judge_file(file: JournalFile, examined: Examination, verdicts: Verdicts) -> None:
    where = str(file.path)
    verdicts.asked(Question.INTACT)
    verdicts.troubles(Question.INTACT, examined.damage, where, DAMAGE_HINT)
    for name in file.triggers():
        message = f"the journal is no longer append-only: {name} is missing or changed"
        verdicts.doubt(Question.INTACT, message, None, where, DAMAGE_HINT)
    size, root = file.head()
    if size != examined.size:
        message = f"the head counts {size:,} events; there are {examined.size:,}"
        at = min(size, examined.size)
        verdicts.doubt(Question.INTACT, message, at, where, DAMAGE_HINT)
    elif root != examined.tree.root and not examined.damage.total:
        message = "the head's tree is not that of the entries"
        verdicts.doubt(Question.INTACT, message, None, where, DAMAGE_HINT)


def _differing(file: JournalFile, signed: Signed, size: int) -> tuple[str, int] | None:
    try:
        return first_difference(file.pairs(0, size), signed.mirror, size)
    except JunmaiError:
        return None  # the store lacks the entries; that it differs is known all the same


def _note_behind(signed: Signed, size: int, verdicts: Verdicts) -> None:
    largest = signed.largest
    held = largest.size if largest else 0
    if held < size:
        text = f"{size - held:,} events are not yet published in {signed.mirror.backend.url}"
        verdicts.note(Question.CURRENT, text)


def _embedded(
    seen: Sequence[tuple[Signed, stored_objects.Listing]],
    trusted: Sequence[VerifierKey],
    journal_id: str,
) -> dict[str, Checkpoint]:
    """The checkpoints in manifests that a trusted key signed; one by another says nothing here."""
    found: dict[str, Checkpoint] = {}
    for _, listing in seen:
        for snapshot in listing.good:
            text = snapshot.manifest.checkpoint
            if text is None:
                continue
            where = f"the manifest of {snapshot.name} in {listing.store.url}"
            try:
                found[where] = open_checkpoint(
                    text.encode(), trusted, journal_id=journal_id, where=where
                )
            except IntegrityError:
                continue
    return found


def _judge_remembered(
    others: Mapping[str, Checkpoint], examined: Examination, verdicts: Verdicts
) -> None:
    for where, checkpoint in others.items():
        verdicts.asked(Question.APPEND_ONLY)
        if checkpoint.size > examined.size:
            message = f"TRUNCATED: {examined.size:,} events; {where} signed {checkpoint.size:,}"
            verdicts.doubt(Question.CURRENT, message, examined.size, where)
        elif examined.tree.roots[checkpoint.size] != checkpoint.root:
            message = f"REWRITTEN below position {checkpoint.size:,}: {where} tells otherwise"
            verdicts.doubt(Question.APPEND_ONLY, message, None, where)


def _judge_streams(path: Path, examined: Examination, verdicts: Verdicts) -> None:
    verdicts.asked(Question.COMPLETE)
    verdicts.troubles(Question.COMPLETE, examined.gaps, str(path), DAMAGE_HINT)
    for stream in examined.open_streams():
        category, run = split_stream(stream)
        if is_alive(path, run):
            verdicts.note(Question.COMPLETE, f"the {category} {run} is going on")
        else:
            message = f"the {category} {run} has not ended, and its process is gone"
            hint = "The next command that records something closes it as abandoned."
            verdicts.doubt(Question.COMPLETE, message, None, str(path), hint)
