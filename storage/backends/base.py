"""What every place for bytes promises, whatever it is made of: the one Protocol of the backends.

An object is bytes under a name (see `names`), put whole. These hold for every operation:

- whole: nobody ever sees a part of an object, not after a crash either; what was there before is
  there until the new one is complete.
- durable: what an operation has returned from survives a power cut.
- visible: what was put is found by `get`, `stat` and `list` from then on.
- repeatable: an operation that was interrupted, or whose answer was lost, may be called again.
- honest about damage: bytes come back as the place holds them. Callers hash what they get, as
  neither disks nor servers are trusted to have kept it.
- bounded: memory does not grow with the size of an object or the length of a listing.
- thread-safe.

Nothing but a JunmaiError leaves an operation; its message says what, which object and where.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, Self

from junmai_svc.storage.errors import AccessDeniedError, IntegrityError, UsageError

Tick = Callable[[int], None]


@dataclass(frozen=True)
class Capabilities:
    """What a place was seen to honour; a False makes no promise. Kept in a store as JSON."""

    # Of several writers that put a name if it is absent, exactly one is told True.
    conditional_put: bool = False
    # `rename` happens at one instant and never replaces; otherwise it looks, copies, deletes.
    atomic_rename: bool = False
    # What is put with `retain_until` can't be deleted or replaced before that time by anyone.
    object_lock: bool = False
    # What is replaced or deleted by others is kept underneath.
    versioning: bool = False


NOTHING_SEEN = Capabilities()


@dataclass(frozen=True)
class Stat:
    """What is known of an object without reading it; a listing knows only the first three."""

    name: str
    size: int  # bytes
    modified: datetime  # UTC, by the clock of the place
    version: str | None = None
    retain_until: datetime | None = None  # UTC
    held: bool = False  # under a legal hold, which has no date


class RetainedError(AccessDeniedError):
    """A lock keeps the object until `retain_until`; None where it has no date or is not told."""

    def __init__(self, message: str, hint: str, retain_until: datetime | None) -> None:
        super().__init__(message, hint)
        self.retain_until = retain_until


class Backend(Protocol):
    """A place for objects. Which one is never asked, only what it can do.

    Beside what each operation lists, all raise UsageError for a name that can't be used,
    AccessDeniedError where the system or the server refuses, and StorageUnavailableError where it
    does not answer; then what was asked for has been done wholly or not at all.
    """

    @property
    def url(self) -> str:
        """The place, as messages name it; holds no secret."""
        ...

    def capabilities(self) -> Capabilities:
        """Return what may be relied on here; never raises."""
        ...

    def trusting(self, seen: Capabilities) -> Self:
        """Return the same place, relying on what a probe saw; its own knowledge goes first."""
        ...

    def put(
        self,
        name: str,
        content: bytes | Path,
        *,
        if_absent: bool = False,
        retain_until: datetime | None = None,
    ) -> bool:
        """Store bytes, or a local file that nobody changes meanwhile, in place of what was there.

        With `if_absent`, what is there stays: False then says that a complete and durable object
        has the name, and that it is not from this call, even if this call's first answer was lost.
        Where `conditional_put` is not among the capabilities, two writers at the same time may
        both be told True.

        `retain_until` (UTC) locks the object where `object_lock` is among the capabilities, and
        means nothing elsewhere.

        Raises:
            NoSpaceError: there is no room; what was there before is intact.
            NotFoundError: the file, or the bucket, does not exist.
            RetainedError: what is there is locked and can't be replaced.
        """
        ...

    def get(self, name: str, limit: int) -> bytes:
        """Return an object of at most `limit` bytes.

        Raises:
            NotFoundError: there is none of that name.
            IntegrityError: it is larger.
        """
        ...

    def get_range(self, name: str, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes (at least 1) of an object from `offset` on.

        Raises:
            NotFoundError: there is none of that name.
            IntegrityError: it ends before.
        """
        ...

    def fetch(self, name: str, path: Path, limit: int, tick: Tick | None = None) -> str:
        """Write an object of at most `limit` bytes to a new local file; return its SHA-256 in hex.

        On return the content of the file is on disk, its name is not yet. `tick` receives the
        bytes of each step. After an error there is no file.

        Raises:
            NotFoundError: there is none of that name.
            IntegrityError: it is larger.
            NoSpaceError: the local disk is full.
            UsageError: the local file exists already.
        """
        ...

    def stat(self, name: str) -> Stat:
        """Return what is known of an object.

        Raises:
            NotFoundError: there is none of that name.
        """
        ...

    def list(self, *prefixes: str) -> Iterator[Stat]:
        """Yield the objects whose names begin with one of these, in the order of code points.

        Without any, that is all. None begins with another one; several cost one look where there is
        little between them. An object that is put or deleted meanwhile may be among them or not;
        every other is, once. A place that does not exist yet is empty, except that a bucket has to
        exist.

        Raises:
            NotFoundError: there is no such bucket.
            IntegrityError: something hides what is under a prefix.
        """
        ...

    def delete(self, name: str, *, despite_retention: bool = False) -> None:
        """Remove an object for good, with all that is kept underneath; nothing if there is none.

        Whether it is locked is looked up first. `despite_retention` asks the place all the same,
        to see it refuse.

        Raises:
            RetainedError: a lock keeps it; nothing has been removed.
        """
        ...

    def rename(self, source: str, target: str, *, retain_until: datetime | None = None) -> bool:
        """Give an object another name; False says that the target is there, and nothing was done.

        On return the target is durable and the source gone. A rename that was interrupted between
        the two may be repeated and then finishes. For small objects (a bucket copies up to 5 GB).

        Raises:
            NotFoundError: there is no source.
        """
        ...

    def replace(
        self,
        source: str,
        target: str,
        *,
        retain_until: datetime | None = None,
        despite_retention: bool = False,
    ) -> None:
        """Give an object the name of another one, which is then gone, or of none.

        At every moment one of the two is there, whole. On return the source is gone. For small
        objects, as `rename`. Where a copy is under way as the source is deleted, it comes to be.

        `despite_retention` covers what is locked, where `versioning` is among the capabilities: it
        is kept underneath.

        Raises:
            NotFoundError: there is no source; after an interrupt it may have been replaced already.
            RetainedError: what is there is locked and can't be replaced; nothing was done.
        """
        ...

    def retain(self, name: str, until: datetime, *, enough: datetime) -> datetime:
        """Keep an object locked until a time, unless it is until `enough` anyway (both UTC).

        Returns until when it is locked, as far as `object_lock` is among the capabilities; it means
        nothing elsewhere. No lock is ever made shorter.

        Raises:
            NotFoundError: there is none of that name.
        """
        ...

    def sweep(self, before: datetime) -> int:
        """Remove what writers left unfinished before a time (UTC); return how many.

        Such remains are never listed. A writer that is still at work on one gets an error.
        """
        ...

    def close(self) -> None:
        """Let go of connections; the next operation opens new ones."""
        ...


def too_large(name: str, url: str, limit: int) -> IntegrityError:
    """The error for an object that is larger than whoever reads it can believe."""
    return IntegrityError(
        f"{name} in {url} is larger than {limit} bytes, more than it can be",
        "It was damaged or replaced: check the store.",
    )


def too_short(name: str, url: str, end: int) -> IntegrityError:
    """The error for an object that ends before its `end` was reached."""
    return IntegrityError(
        f"{name} in {url} ends before byte {end}",
        "It was cut off or replaced: check the store.",
    )


def file_exists(path: Path) -> UsageError:
    """The error for a local file that stands where an object is to be written."""
    return UsageError(f"{path} exists already", "Name a file that does not exist yet.")
