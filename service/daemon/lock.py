"""One daemon for each installation: it holds a lock of the operating system beside the journal.

The kernel lets go of it when the process ends, however that happens. A note beside it says who has
it, for people; the note alone means nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import msgspec
from filelock import FileLock, Timeout

from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import LockedError
from junmai_svc.storage.files import remove, rename_over, staged_path, without_links

LARGEST_NOTE = 1 << 24


class CourseNote(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How it goes with one part of a job."""

    job: str
    outcome: str | None = None
    finished: str | None = None
    failures: int = 0
    message: str = ""


class StandingNote(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a subject stands with those who are told; see `service.notify.notices`."""

    trouble: str | None = None
    told: list[str] = []
    told_at: str | None = None
    within: bool = False


class NoticeNote(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is still to be told; see `service.notify.holding`."""

    subject: str
    state: str
    text: str
    store: str | None = None
    urgent: bool = False
    ends: list[str] = []


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds the lock, since when, and how its jobs are; times are ISO 8601 in UTC.

    `succeeded`, `waiting` and `standings` are by subject and outlive the daemon, as does when
    anything was told of each store, `spoken`, what is `held` back, and the messages that were not
    delivered, `unsent`, each with title and text; `next` is by job.
    """

    pid: int = 0
    host: str = ""
    since: str = ""
    run: str = ""
    configuration: str = ""
    succeeded: dict[str, str] = {}
    waiting: dict[str, str] = {}
    next: dict[str, str | None] = {}
    courses: dict[str, CourseNote] = {}
    standings: dict[str, StandingNote] = {}
    spoken: dict[str, str] = {}
    held: list[NoticeNote] = []
    unsent: list[tuple[str, str]] = []


def lock_path(journal: Path) -> Path:
    """Return the path of the lock: one for each journal, whichever way it is named."""
    resolved = without_links(journal)
    return resolved.with_name(f"{resolved.name}.daemon.lock")


def note_path(journal: Path) -> Path:
    """Return the path of the note of who holds the lock."""
    return lock_path(journal).with_suffix(".json")


@contextmanager
def only_one(journal: Path) -> Iterator[None]:
    """Hold the installation's lock for the length of the block.

    Raises:
        LockedError: another daemon has it; the message says which.
        AccessDeniedError, NotFoundError, StorageUnavailableError: it can't be had.
    """
    path = lock_path(journal)
    lock = FileLock(path, thread_local=False, fallback_to_soft=False)
    with translated("lock", path):
        try:
            lock.acquire(blocking=False)
        except Timeout as error:
            raise LockedError(
                f"The daemon of {journal} is running already: {_who(read_note(journal))}",
                "One is enough: `junmai-svc daemon status` shows how it is doing.",
            ) from error
    try:
        yield
    finally:
        lock.release()


def is_running(journal: Path) -> bool:
    """Tell whether a daemon holds the lock of this journal.

    Raises:
        AccessDeniedError, StorageUnavailableError: it can't be looked at.
    """
    path = lock_path(journal)
    if not path.exists():
        return False
    lock = FileLock(path, thread_local=False, fallback_to_soft=False)
    with translated("look at", path):
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return True
        lock.release()
        return False


def read_note(journal: Path) -> Note:
    """Return the note; an empty one where there is none or it can't be read."""
    path = note_path(journal)
    with suppress(OSError, msgspec.MsgspecError):
        if path.stat().st_size <= LARGEST_NOTE:
            return msgspec.json.decode(path.read_bytes(), type=Note)
    return Note()


def write_note(journal: Path, note: Note) -> None:
    """Replace the note. It need not survive a power cut: what it says is also in the journal.

    Raises:
        OSError: it can't be written.
    """
    path = note_path(journal)
    staged = staged_path(path, uuid4().hex[:12])
    try:
        staged.write_bytes(msgspec.json.encode(note))
        rename_over(staged, path)
    except BaseException:
        remove(staged)
        raise


def _who(note: Note) -> str:
    if not note.pid:
        return "somebody holds its lock"
    return f"process {note.pid} on {note.host}, since {note.since[:19].replace('T', ' ')} UTC"
