"""What every store of snapshots promises, whatever it is made of: the one Protocol of the stores.

A snapshot exists exactly as long as its manifest is listed. What is listed is whole and durable, or
is named as damaged when it is read: every byte that comes out has been hashed.
"""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath
from typing import Protocol

import msgspec

from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.errors import ChecksumError, JunmaiError, UsageError
from junmai_svc.storage.snapshots.garbage import Collected, Garbage, Repacked
from junmai_svc.storage.snapshots.manifest import UNKNOWN, Manifest

LATEST = "latest"
HOLDS = "holds"
DETAILS = "details"
CORRUPTED_HINT = (
    "Backup file may be corrupted, create a new backup; to restore, name another snapshot, or mend"
    " this one: `junmai-svc check STORE --repair --from OTHER`."
)

Tick = Callable[[int], None]


class TakenError(UsageError):
    """A snapshot can't have the very name that it should: there is, or may soon be, another."""


def taken(name: str, url: str) -> TakenError:
    """The error for a name that a snapshot, or a writer that is at work or died, has in a store."""
    return TakenError(f"{name} is taken in {url}", "Look there with `junmai-svc snapshots`.")


@dataclass(frozen=True)
class Staged:
    """A name for a snapshot and the path where its image is to be written.

    `final` is where the image will lie in a folder of images, None where it goes elsewhere. An
    `exact` one gets this name or none. `run` stages it, where that is not the manifest's run.
    """

    name: str
    image: Path
    final: Path | None = None
    exact: bool = False
    run: str = ""


@dataclass(frozen=True)
class Snapshot:
    """A stored snapshot: its manifest, its store's address and, in a local folder, its image."""

    manifest: Manifest
    image: Path | None = None
    store: str = ""

    @property
    def name(self) -> str:
        """The snapshot's name, the same in every store."""
        return self.manifest.name

    @property
    def place(self) -> str:
        """Where it is, for messages: the image's path, or the store and the name."""
        return str(self.image) if self.image else f"{self.store}/{self.name}"


@dataclass(frozen=True)
class Unreadable:
    """A manifest that can't be used, and why."""

    manifest: str
    problem: JunmaiError

    @property
    def snapshot(self) -> str:
        """The name of the snapshot that it would be: that of its object or file."""
        return Path(self.manifest.rpartition("/")[2]).stem


@dataclass(frozen=True)
class Released:
    """A snapshot that nothing holds any more; `is_gone` where it is no more itself."""

    snapshot: str
    is_gone: bool = False


Announce = Callable[[Staged], None]


class SnapshotStore(Protocol):
    """A store of snapshots. Its methods raise JunmaiError or, in a local folder, OSError."""

    @property
    def url(self) -> str:
        """The store's address, as messages name it; holds no secret."""
        ...

    @property
    def layout(self) -> str:
        """`file` or `blocks`."""
        ...

    @property
    def backend(self) -> Backend:
        """The place that it is in, for what else is kept there."""
        ...

    def stage(
        self, stem: str, when: datetime, announce: Announce | None = None
    ) -> AbstractContextManager[Staged]:
        """Yield a name for a snapshot of `stem` taken at `when` (UTC), and a path for its image.

        Whatever is still staged when the block ends is removed. `announce` hears of a name before
        anything is made under it, so that it can be found after a crash; of several, the last one
        counts.
        """
        ...

    def stage_as(
        self, name: str, announce: Announce | None = None
    ) -> AbstractContextManager[Staged]:
        """Yield a path for the image of a snapshot that gets this very name; nothing is there yet.

        Whatever is still staged when the block ends is removed.

        Raises:
            TakenError: a snapshot has the name, or somebody is about to give it to one.
        """
        ...

    def commit(self, staged: Staged, manifest: Manifest, tick: Tick | None = None) -> Snapshot:
        """Make a staged image whose content is durable a snapshot: bytes first, then manifest.

        A manifest whose checksum is `manifest.UNKNOWN` gets the one that the image has. What was
        staged by `stage_as` may have been committed by somebody who died over it: then that is
        made the snapshot.

        Raises:
            ChecksumError: the image is not what the manifest says; nothing is stored.
            TakenError: another has the name that it was staged as; nothing is stored.
        """
        ...

    def put(
        self,
        image: Path,
        manifest: Manifest,
        tick: Tick | None = None,
        announce: Announce | None = None,
    ) -> Snapshot:
        """Store an image that lies elsewhere and stays there, under the manifest's name.

        Where another snapshot has the name, it gets the next one that is free. `announce` hears of
        what is staged on this machine before it is made.

        Raises:
            ChecksumError: the image is not what the manifest says; nothing is stored.
        """
        ...

    def again(self, snapshot: Snapshot, manifest: Manifest) -> Snapshot | None:
        """Store one more snapshot of the very same image; None where images are kept whole.

        Raises:
            NotFoundError: what the image needs is not all there any more.
        """
        ...

    def fetch(self, snapshot: Snapshot, path: Path, tick: Tick | None = None) -> None:
        """Write a snapshot's image into a new local file, durable and proven.

        Raises:
            ChecksumError: it is not what its manifest says.
            NotFoundError: it is not there any more.
        """
        ...

    def snapshots(self) -> tuple[list[Snapshot], list[Unreadable]]:
        """Return all snapshots, newest first, and the manifests that can't be used."""
        ...

    def find(
        self, reference: str, database: PurePath | None = None, at: datetime | None = None
    ) -> Snapshot:
        """Return the snapshot of that name; for `latest` the newest one, or that up to `at` (UTC).

        `database` is the path of the one that is meant; see `choosing`.

        Raises:
            NotFoundError: there is none, or `latest` could mean several databases.
            IntegrityError: it has no manifest, or one that can't be used.
        """
        ...

    def hold(self, name: str) -> None:
        """Keep a snapshot whatever a retention policy says, until it is released; durable.

        On return nobody who looks at the holds from now on deletes it, and nobody is about to.

        Raises:
            NotFoundError: there is no such snapshot, or not any more.
            StorageUnavailableError: it is just being deleted.
        """
        ...

    def release(self, reference: str) -> Released:
        """Let a retention policy decide about a snapshot again; does nothing if it is not held.

        The hold of one that is gone or damaged is lifted too.

        Raises:
            NotFoundError: there is neither such a snapshot nor a hold of its name.
            IntegrityError: it has no manifest that can be used, and no hold.
        """
        ...

    def held(self) -> frozenset[str]:
        """Return the names of the snapshots that are held."""
        ...

    def delete_unless_held(self, name: str) -> bool:
        """Delete a snapshot, manifest first, and tell whether it is gone; False for a held one.

        Raises:
            RetainedError: an object lock keeps it; nothing was deleted.
        """
        ...

    def garbage(self, dropped: Collection[str], when: datetime) -> Garbage:
        """Return what nothing would lead to if some snapshots were deleted; only looks.

        `when` (UTC) is about now. What is young counts as led to.
        """
        ...

    def tidy(self) -> datetime | None:
        """Remove what was only for passing use and has had its time; deletes nothing else.

        Returns the time in UTC by the place's own clock, where that was asked.
        """
        ...

    def collect(self, *, emptied: bool = False) -> Collected:
        """Delete what nothing leads to, while others write and read; return what became of it.

        Where no snapshot is left at all nothing is deleted, as something may hide them, unless
        the caller `emptied` the store by deleting snapshots that it saw there.
        """
        ...

    def repack(self) -> Repacked:
        """Rewrite what is mostly dead, so that the next collection frees it; may be interrupted."""
        ...

    def put_details(self, content: bytes) -> str:
        """Store what is too large for an event of the journal, durably; return its SHA-256 in hex.

        It is `details/<sha256>.json`; the same content is stored once.
        """
        ...

    def get_details(self, digest: str) -> bytes:
        """Return what `put_details` stored.

        Raises:
            NotFoundError: it is not here.
            ChecksumError: it is not what it was.
        """
        ...


def checked(manifest: Manifest, actual: str, image: Path) -> Manifest:
    """Return the manifest of an image with this SHA-256.

    Raises:
        ChecksumError: the manifest says otherwise.
    """
    if manifest.checksum not in (UNKNOWN, actual):
        raise ChecksumError(
            f"Backup checksum mismatch: {image} is not what its manifest recorded",
            CORRUPTED_HINT,
        )
    return msgspec.structs.replace(manifest, checksum=actual)


def require_checksum(actual: str, snapshot: Snapshot) -> None:
    """Make sure that what was read is what the manifest recorded.

    Raises:
        ChecksumError: it is not.
    """
    if actual != snapshot.manifest.checksum:
        raise ChecksumError(
            f"Backup checksum mismatch: {snapshot.place} is not what its manifest recorded",
            CORRUPTED_HINT,
        )
