"""A store of snapshots in layout "file": a folder with an image and a manifest for each.

Write order: image durable under a staged name, renamed, then its manifest. A snapshot exists when
its manifest does.
"""

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePath

import msgspec

from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.errors import ChecksumError, IntegrityError, JunmaiError, NotFoundError
from junmai_svc.storage.files import (
    copy_hashing,
    make_folder,
    remove,
    sha256_of,
    switch_in,
    sync_folder,
    token_of,
    write_durably,
)
from junmai_svc.storage.snapshots.base import (
    DETAILS,
    HOLDS,
    LATEST,
    Announce,
    Released,
    Snapshot,
    Staged,
    Tick,
    Unreadable,
    checked,
    require_checksum,
)
from junmai_svc.storage.snapshots.choosing import missing, name_of, newest
from junmai_svc.storage.snapshots.claiming import claimed
from junmai_svc.storage.snapshots.dropping import (
    dropping,
    forget_dropping,
    refuse_dropping,
    to_release,
)
from junmai_svc.storage.snapshots.exactly import commit_exactly, stage_exactly
from junmai_svc.storage.snapshots.garbage import Collected, Garbage, Repacked
from junmai_svc.storage.snapshots.manifest import (
    NAME,
    STAMP,
    UNKNOWN,
    Manifest,
    encode,
    is_of_finder,
    read_manifest,
)


class FileStore:
    """Snapshots in one local folder, which is made when the first one is stored."""

    layout = "file"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def url(self) -> str:
        """The folder's path, as it was given."""
        return str(self.folder)

    @property
    def backend(self) -> LocalBackend:
        """The folder as a place for other objects."""
        return LocalBackend(self.folder)

    @contextmanager
    def stage(
        self, stem: str, when: datetime, announce: Announce | None = None
    ) -> Iterator[Staged]:
        """Claim a name for a snapshot of `stem` taken at `when` (UTC); released at the end.

        Whatever is still staged when the block ends is removed. `announce` hears of a name before
        anything is made under it, so that it can be found after a crash; of several, the last one
        is the claim.

        Raises:
            OSError: the folder can't be made or written.
        """
        base = f"{stem}_backup_{when.strftime(STAMP)}"
        with claimed(self.folder, base, base, announce) as staged:
            yield staged

    @contextmanager
    def stage_as(self, name: str, announce: Announce | None = None) -> Iterator[Staged]:
        """Yield a path for the image of that name; see `SnapshotStore.stage_as`.

        It is no claim: two may be at it, and one of them gets the name.

        Raises:
            TakenError: a snapshot has the name, or a backup has claimed it.
            OSError: the folder can't be made or written.
        """
        with stage_exactly(self.folder, name, announce) as staged:
            yield staged

    def commit(self, staged: Staged, manifest: Manifest, tick: Tick | None = None) -> Snapshot:
        """Make a staged image whose content is durable a snapshot: image first, then manifest.

        The image is hashed where its manifest does not say its checksum yet, and where it comes
        from elsewhere.

        Raises:
            ChecksumError: it is not what the manifest says; nothing is stored.
            TakenError: another has the exact name.
            OSError: it can't be written; the snapshot then does not exist.
        """
        final, listed = self._final(staged.name), self._listed(staged.name)
        if staged.exact or manifest.checksum == UNKNOWN:
            manifest = checked(manifest, sha256_of(staged.image, tick), staged.image)
        manifest = msgspec.structs.replace(
            manifest, name=staged.name, layout=self.layout, map="", backup_path=str(final)
        )
        if staged.exact:
            commit_exactly(self.folder, staged, manifest)
            return Snapshot(manifest, final, self.url)
        try:
            switch_in(staged.image, final)
            write_durably(listed, encode(manifest), token_of(manifest.run))
        except BaseException:
            # Without the other neither is a snapshot, and nobody would ever remove it.
            remove(listed)
            remove(final)
            raise
        return Snapshot(manifest, final, self.url)

    def put(
        self,
        image: Path,
        manifest: Manifest,
        tick: Tick | None = None,
        announce: Announce | None = None,
    ) -> Snapshot:
        """Store a copy of an image under the manifest's name or the next free one.

        Raises:
            ChecksumError: the image is not what the manifest says; nothing is stored.
            OSError: it can't be written; the snapshot then does not exist.
        """
        base, found = manifest.name, NAME.fullmatch(manifest.name)
        if found and found["again"]:
            base = base.removesuffix(f"_{found['again']}")
        with claimed(self.folder, base, manifest.name, announce) as staged:
            copied = copy_hashing(image, staged.image, tick, new=False)
            return self.commit(staged, checked(manifest, copied, image))

    def again(self, snapshot: Snapshot, manifest: Manifest) -> Snapshot | None:
        """Return None: each snapshot has an image of its own here."""
        del snapshot, manifest
        return None  # as others may return one

    def fetch(self, snapshot: Snapshot, path: Path, tick: Tick | None = None) -> None:
        """Copy a snapshot's image into a new file, durable and proven.

        Raises:
            ChecksumError: it is not what its manifest says.
            OSError: it can't be read, or the file not written.
        """
        image = snapshot.image or self._final(snapshot.name)
        require_checksum(copy_hashing(image, path, tick), snapshot)

    def put_details(self, content: bytes) -> str:
        """Store what is too large for an event of the journal and return its SHA-256 in hex.

        It is `details/<sha256>.json`, durable on return; the same content is stored once.

        Raises:
            OSError: it can't be written.
        """
        digest = hashlib.sha256(content).hexdigest()
        self.backend.put(f"{DETAILS}/{digest}.json", content, if_absent=True)
        return digest

    def get_details(self, digest: str) -> bytes:
        """Return what `put_details` stored.

        Raises:
            NotFoundError: it is not here.
            ChecksumError: it is not what it was.
            OSError: it can't be read.
        """
        path = self.folder / DETAILS / f"{Path(digest).name}.json"
        if not path.is_file():
            raise NotFoundError(f"Details {digest} are not in {self.folder}", "Check the store.")
        if sha256_of(path) != digest:
            raise ChecksumError(f"Details {path} are not what they were", "Look into other stores.")
        return path.read_bytes()

    def snapshots(self) -> tuple[list[Snapshot], list[Unreadable]]:
        """Return all snapshots, newest first, and the manifests that can't be used.

        A store whose folder does not exist yet is empty.

        Raises:
            OSError: the folder can't be read.
        """
        good: list[Snapshot] = []
        bad: list[Unreadable] = []
        paths = sorted(self.folder.glob("*_backup_*.json")) if self.folder.is_dir() else []
        for path in paths:
            if not NAME.fullmatch(path.stem) or is_of_finder(path):
                continue
            try:
                good.append(self.load(path))
            except JunmaiError as problem:
                bad.append(Unreadable(str(path), problem))
        good.sort(key=lambda snapshot: (snapshot.manifest.taken, snapshot.name), reverse=True)
        return good, bad

    def hold(self, name: str) -> None:
        """Keep a snapshot whatever a retention policy says, until it is released; durable.

        Raises:
            NotFoundError: there is no such snapshot.
            StorageUnavailableError: it is just being deleted.
            OSError: it can't be written.
        """
        snapshot = self.find(name)
        make_folder(self.folder / HOLDS)
        hold = self.folder / HOLDS / snapshot.name
        write_durably(hold, b"", "hold")
        refuse_dropping(self.backend, snapshot.name)
        if not (self.folder / f"{snapshot.name}.json").exists():
            remove(hold)
            raise missing(name, self.url)

    def release(self, reference: str) -> Released:
        """Let a retention policy decide about a snapshot again; see `SnapshotStore.release`."""
        released = to_release(self, reference)
        if released.snapshot in self.held():
            remove(self.folder / HOLDS / released.snapshot)
            sync_folder(self.folder / HOLDS)
        return released

    def held(self) -> frozenset[str]:
        """Return the names of the snapshots that are held.

        Raises:
            OSError: they can't be read.
        """
        folder = self.folder / HOLDS
        return frozenset(p.name for p in folder.iterdir()) if folder.is_dir() else frozenset()

    def delete_unless_held(self, name: str) -> bool:
        """Delete a snapshot, manifest first, and tell whether it is gone; False for a held one.

        Raises:
            OSError: it can't be deleted; without its manifest it is no snapshot any more.
        """
        with dropping(self.backend, name) as free:
            if not free:
                return False
            remove(self.folder / f"{name}.json")
            sync_folder(self.folder)
        remove(self.folder / f"{name}.db")
        sync_folder(self.folder)
        return True

    def garbage(self, dropped: Collection[str], when: datetime) -> Garbage:
        """Return the images that some snapshots alone have, with their bytes.

        Raises:
            OSError: the folder can't be read.
        """
        del when
        images = [image for name in dropped if (image := self._final(name)).is_file()]
        return Garbage({image.name: image.stat().st_size for image in images})

    def tidy(self) -> None:
        """Forget deletions that died; what else dead runs left is known from the journal."""
        forget_dropping(self.backend, datetime.now(UTC))

    def collect(self, *, emptied: bool = False) -> Collected:
        """Delete nothing: an image without a manifest may be a person's own in this folder."""
        del emptied
        return Collected()

    def repack(self) -> Repacked:
        """Do nothing: images share nothing."""
        return Repacked()

    def find(
        self, reference: str, database: PurePath | None = None, at: datetime | None = None
    ) -> Snapshot:
        """Return the snapshot of that name, or the newest one for `latest`; see `choosing.newest`.

        Raises:
            NotFoundError: there is none, or `latest` could mean several databases.
            IntegrityError: it has no manifest, or one that can't be used.
            OSError: the store can't be read.
        """
        if reference == LATEST:
            return newest(self.snapshots()[0], database, self.url, at)
        name = name_of(reference)
        manifest = self.folder / f"{name}.json"
        if Path(name).name != name or not (manifest.exists() or self._final(name).exists()):
            raise missing(reference, self.url)
        return self.load(manifest)

    def load(self, path: Path) -> Snapshot:
        """Return the snapshot of one manifest file.

        Raises:
            IntegrityError: the manifest or its image is missing or can't be used.
            OSError: it can't be read.
        """
        image = path.with_suffix(".db")
        if not path.exists():
            raise IntegrityError(
                f"Backup {image} has no manifest: nothing says what its bytes should be",
                "Restore another snapshot. If you trust this file, copy it yourself. A database in"
                " use is no snapshot: `junmai-svc backup` takes one of it, to compare or to keep.",
            )
        manifest = read_manifest(path)
        if image.is_symlink() or not image.is_file():
            raise IntegrityError(
                f"Backup {image} is gone; only its manifest is left", "Restore another snapshot."
            )
        return Snapshot(manifest, image, self.url)

    def _final(self, name: str) -> Path:
        return self.folder / f"{name}.db"

    def _listed(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def snapshot_of_file(path: Path) -> Snapshot:
    """Return the snapshot whose image is the given file, with the manifest beside it.

    Raises:
        NotFoundError: the file is not there.
        IntegrityError: it has no manifest, or one that can't be used.
        OSError: it can't be read.
    """
    if not path.is_file():
        raise NotFoundError(f"Backup not found: {path}", "Check the path to the backup file.")
    snapshot = FileStore(path.parent).load(path.with_suffix(".json"))
    if path not in (snapshot.image, path.with_suffix(".json")):
        raise IntegrityError(
            f"Backup {path} has no manifest: the one beside it is of {snapshot.name}.db",
            "Restore another snapshot. If you trust this file, copy it yourself.",
        )
    return snapshot
