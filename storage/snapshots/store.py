"""A store of snapshots in layout "file": a folder with an image and a manifest for each.

Write order: image durable under a staged name, renamed, then its manifest. A snapshot exists when
its manifest does. A name is claimed by creating its staged file exclusively and looking for the
final one afterwards; as only the claimant can create the final one, two backups in one second can't
take the same name, without any lock.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from junmai_svc.storage.errors import ChecksumError, IntegrityError, JunmaiError, NotFoundError
from junmai_svc.storage.files import (
    STAGED_SUFFIX,
    make_folder,
    switch_in,
    sync_folder,
    token_of,
    write_durably,
)
from junmai_svc.storage.snapshots.manifest import NAME, STAMP, Manifest, encode, read_manifest

LATEST = "latest"
HOLDS = "holds"
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Staged:
    """A name that is ours and the path where its image is to be written."""

    name: str
    image: Path

    @property
    def final(self) -> Path:
        """Where the image will lie once it is a snapshot's."""
        return self.image.with_name(f"{self.name}.db")


@dataclass(frozen=True)
class Snapshot:
    """A stored snapshot: its manifest and the path of its image."""

    manifest: Manifest
    image: Path

    @property
    def name(self) -> str:
        """The snapshot's name, which is the image's file name without its suffix."""
        return self.manifest.name


@dataclass(frozen=True)
class Unreadable:
    """A manifest that can't be used, and why."""

    path: Path
    problem: JunmaiError


class FileStore:
    """Snapshots in one local folder, which is made when the first one is stored."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def stage(
        self, stem: str, when: datetime, announce: Callable[[Staged], None] | None = None
    ) -> Iterator[Staged]:
        """Claim a name for a snapshot of `stem` taken at `when` (UTC); released at the end.

        Whatever is still staged when the block ends is removed. `announce` hears of a name before
        anything is made under it, so that it can be found after a crash; of several, the last one
        is the claim.

        Raises:
            OSError: the folder can't be made or written.
        """
        make_folder(self.folder)
        staged = self._claim(f"{stem}_backup_{when.strftime(STAMP)}", announce or _unheard)
        try:
            yield staged
        finally:
            # Once committed, the staged name may be claimed anew, and is the claimant's to remove.
            if not staged.final.exists():
                staged.image.unlink(missing_ok=True)
            for suffix in ("-wal", "-shm", "-journal"):
                Path(f"{staged.image}{suffix}").unlink(missing_ok=True)

    def commit(self, staged: Staged, manifest: Manifest) -> Snapshot:
        """Make a staged image whose content is durable a snapshot: image first, then manifest.

        Raises:
            OSError: it can't be written; the snapshot then does not exist.
        """
        listed = staged.final.with_suffix(".json")
        try:
            switch_in(staged.image, staged.final)
            write_durably(listed, encode(manifest), token_of(manifest.run))
        except BaseException:
            # Without the other neither is a snapshot, and nobody would ever remove it.
            listed.unlink(missing_ok=True)
            staged.final.unlink(missing_ok=True)
            raise
        return Snapshot(manifest, staged.final)

    def put_details(self, content: bytes) -> str:
        """Store what is too large for an event of the journal and return its SHA-256 in hex.

        It is `details/<sha256>.json`, durable on return; the same content is stored once.

        Raises:
            OSError: it can't be written.
        """
        digest = hashlib.sha256(content).hexdigest()
        path = self.folder / "details" / f"{digest}.json"
        if not path.exists():
            make_folder(path.parent)
            write_durably(path, content, uuid4().hex)  # nobody else can have staged it
        return digest

    def get_details(self, digest: str) -> bytes:
        """Return what was stored under a digest by `put_details`.

        Raises:
            NotFoundError: it is not there.
            ChecksumError: it is not what was stored.
            OSError: it can't be read.
        """
        path = self.folder / "details" / f"{digest}.json"
        if not DIGEST.fullmatch(digest) or not path.is_file():
            raise NotFoundError(
                f"There are no details {digest} in {self.folder}", "Look in another store."
            )
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise ChecksumError(
                f"{path} is not what was stored: its SHA-256 is not its name",
                "Somebody changed it; look for a copy in another store.",
            )
        return content

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
            if not NAME.fullmatch(path.stem):
                continue
            try:
                good.append(self.load(path))
            except JunmaiError as problem:
                bad.append(Unreadable(path, problem))
        good.sort(key=lambda snapshot: (snapshot.manifest.taken, snapshot.name), reverse=True)
        return good, bad

    def hold(self, name: str) -> None:
        """Keep a snapshot whatever a retention policy says, until it is released; durable.

        Raises:
            NotFoundError: there is no such snapshot.
            OSError: it can't be written.
        """
        snapshot = self.find(name)
        make_folder(self.folder / HOLDS)
        write_durably(self.folder / HOLDS / snapshot.name, b"", "hold")

    def release(self, name: str) -> None:
        """Let a retention policy decide about a snapshot again; does nothing if it is not held.

        Raises:
            NotFoundError: there is no such snapshot.
            OSError: it can't be written.
        """
        snapshot = self.find(name)
        if snapshot.name in self.held():
            (self.folder / HOLDS / snapshot.name).unlink(missing_ok=True)
            sync_folder(self.folder / HOLDS)

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
        if name in self.held():
            return False
        for path in (self.folder / f"{name}.json", self.folder / f"{name}.db"):
            path.unlink(missing_ok=True)
            sync_folder(self.folder)
        return True

    def find(self, reference: str, database_name: str | None = None) -> Snapshot:
        """Return the snapshot of that name, or the newest one for `latest`.

        `latest` looks at snapshots of `database_name` first, and passes over those that were only
        taken to undo a restore or an overwrite.

        Raises:
            NotFoundError: there is none, or `latest` could mean several databases.
            IntegrityError: it has no manifest, or one that can't be used.
            OSError: the store can't be read.
        """
        if reference == LATEST:
            return self._latest(database_name)
        name = reference.removesuffix(".db").removesuffix(".json")
        manifest = self.folder / f"{name}.json"
        image = self.folder / f"{name}.db"
        if Path(name).name != name or not (manifest.exists() or image.exists()):
            raise NotFoundError(
                f"Backup not found: {reference} is not in {self.folder}",
                "List the snapshots with `junmai-svc snapshots --backup-dir DIR`.",
            )
        return self.load(manifest)

    def _latest(self, database_name: str | None) -> Snapshot:
        candidates = [s for s in self.snapshots()[0] if not s.manifest.reason.is_undo]
        own = [s for s in candidates if s.manifest.database_name == database_name]
        databases = {s.manifest.database_name for s in candidates}
        if not own and len(databases) > 1:
            raise NotFoundError(
                f"Backup not found: {self.folder} holds none of {database_name}, but of"
                f" {', '.join(sorted(databases))}",
                "Name the snapshot instead of `latest`.",
            )
        if not candidates:
            raise NotFoundError(
                f"Backup not found: no snapshot in {self.folder}",
                "Check --backup-dir, or take one with `junmai-svc backup --source PATH`.",
            )
        return (own or candidates)[0]

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
                "Restore another snapshot. If you trust this file, copy it yourself.",
            )
        manifest = read_manifest(path)
        if image.is_symlink() or not image.is_file():
            raise IntegrityError(
                f"Backup {image} is gone; only its manifest is left", "Restore another snapshot."
            )
        return Snapshot(manifest, image)

    def _claim(self, base: str, announce: Callable[[Staged], None]) -> Staged:
        again = 1
        while True:
            name = base if again == 1 else f"{base}_{again}"
            image = self.folder / f".{name}.db{STAGED_SUFFIX}"
            again += 1
            if image.exists() or not self._is_free(name):
                continue
            announce(Staged(name, image))
            try:
                image.open("xb").close()
            except FileExistsError:
                continue
            try:
                if self._is_free(name):
                    sync_folder(self.folder)
                    return Staged(name, image)
            except BaseException:
                image.unlink()
                raise
            image.unlink()

    def _is_free(self, name: str) -> bool:
        return not any((self.folder / f"{name}{end}").exists() for end in (".db", ".json"))


def _unheard(_staged: Staged) -> None:
    """Tell nobody of a claim."""


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
            f"Backup {path} has no manifest: the one beside it is of {snapshot.image.name}",
            "Restore another snapshot. If you trust this file, copy it yourself.",
        )
    return snapshot
