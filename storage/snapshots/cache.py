"""What this machine remembers of a store to be quick; it may be deleted at any time.

    <folder>/<store id>/index.db                 which pack has which block (blocks.index)
    <folder>/<store id>/last/<database>.json     the map of the database's last image here
    <folder>/<store id>/last/<database>.digests  the digest list of that image (blocks.digesting)
    <folder>/<store id>/maps/<name>              that map and the one it builds on, as stored
    <folder>/<store id>/manifests/<name>         manifests as stored
    <folder>/<store id>/locks.json               until when objects are locked
    <folder>/scratch/                            images on their way to a store

Nothing is believed that could do harm: packs are looked up in the store, digest lists carry their
own checksum, manifests and maps are taken anew from the store wherever something is restored or
deleted. Several processes may use it at once; each file is replaced whole.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from junmai_svc.storage.backends.failures import translated
from junmai_svc.storage.errors import NotFoundError
from junmai_svc.storage.files import STAGED_SUFFIX
from junmai_svc.storage.snapshots.blocks.maps import ImageMap, read_map
from junmai_svc.storage.snapshots.blocks.sealing import Seal
from junmai_svc.storage.snapshots.blocks.writing import Previous

_LOCKS = "locks.json"
# What is being written for so long is not being written any more.
UNFINISHED = timedelta(days=1)


class StoreCache:
    """The cache of one store, in a folder that is made when it is needed, for its owner only."""

    def __init__(self, folder: Path, store_id: str) -> None:
        self.scratch = folder / "scratch"
        self._folder = folder / store_id
        self._last = self._folder / "last"
        self._maps = self._folder / "maps"
        self._manifests = self._folder / "manifests"

    @property
    def index(self) -> Path:
        """Where the index of blocks is; its folder is there."""
        with translated(f"use the cache {self._folder}"):
            make_private(self._folder)
        return self._folder / "index.db"

    @contextmanager
    def digests(self) -> Iterator[Path]:
        """A place for a new digest list, which is gone at the end unless `remember` took it."""
        with translated(f"use the cache {self._folder}"):
            make_private(self._last)
        for folder in (self._last, self._maps, self._manifests):
            sweep_unfinished(folder)
        path = self._last / f".{uuid4().hex}{STAGED_SUFFIX}"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def previous(self, database: str, seal: Seal) -> Previous | None:
        """Return what is known of the last image of a database; None where nothing is."""
        place = self._last / _key(database)
        try:
            name = json.loads(place.with_suffix(".json").read_bytes())["map"]
            image_map = read_map(name, self._read_map, seal)
        except Exception:  # noqa: BLE001  # a cache that can't be used is none
            return None
        return Previous(place.with_suffix(".digests"), image_map)

    def remember(self, database: str, digests: Path, image_map: ImageMap) -> None:
        """Note the last image of a database; its maps must have been kept. Never fails."""
        place = self._last / _key(database)
        content = json.dumps({"map": image_map.name, "base": image_map.base}).encode()
        with suppress(OSError):
            digests.replace(place.with_suffix(".digests"))
            _replace(place.with_suffix(".json"), content)
            self._forget_maps()

    def forget_last(self) -> None:
        """Forget the last image of every database: the next one is compared with none.

        Raises:
            JunmaiError: the cache can't be changed.
        """
        with translated(f"use the cache {self._folder}"):
            for path in self._last.glob("*.json"):
                path.unlink(missing_ok=True)

    def keep_map(self, name: str, content: bytes) -> None:
        """Keep a map as it is stored. Never fails."""
        with suppress(OSError):
            make_private(self._maps)
            _replace(self._maps / name, content)

    def kept_map(self, name: str) -> bytes | None:
        """Return a map as it was stored once, or None where it is not here."""
        try:
            return self._read_map(name)
        except NotFoundError:
            return None

    def manifest(self, name: str, size: int, read: Callable[[], bytes]) -> bytes:
        """Return a manifest as stored: the one kept here if it has that size, else from `read`."""
        path = self._manifests / name
        with suppress(OSError):
            content = path.read_bytes()
            if len(content) == size:
                return content
        content = read()
        with suppress(OSError):
            make_private(self._manifests)
            _replace(path, content)
        return content

    def kept_manifest(self, name: str) -> bytes | None:
        """Return a manifest as it was stored once, or None where it is not here."""
        try:
            return (self._manifests / Path(name).name).read_bytes()
        except OSError:
            return None

    def forget_manifest(self, name: str) -> None:
        """Forget a manifest. Never fails."""
        with suppress(OSError):
            (self._manifests / name).unlink(missing_ok=True)

    def keep_manifests(self, names: frozenset[str]) -> None:
        """Forget all manifests but these. Never fails."""
        with suppress(OSError):
            for path in self._manifests.iterdir():
                if path.name not in names:
                    path.unlink(missing_ok=True)

    def locks(self) -> dict[str, datetime]:
        """Return until when objects are locked, as far as it was seen here. Never fails."""
        try:
            told = json.loads((self._folder / _LOCKS).read_bytes())
            return {name: datetime.fromtimestamp(end, UTC) for name, end in told.items()}
        except Exception:  # noqa: BLE001  # a cache that can't be used is none
            return {}

    def keep_locks(self, locks: Mapping[str, datetime]) -> None:
        """Note until when objects are locked, and forget all others. Never fails."""
        content = json.dumps({name: int(end.timestamp()) for name, end in locks.items()}).encode()
        with suppress(OSError):
            make_private(self._folder)
            _replace(self._folder / _LOCKS, content)

    def _read_map(self, name: str) -> bytes:
        try:
            return (self._maps / Path(name).name).read_bytes()
        except OSError as error:
            raise NotFoundError(f"Map {name} is not in the cache") from error

    def _forget_maps(self) -> None:
        wanted: set[str] = set()
        for path in self._last.glob("*.json"):
            known = json.loads(path.read_bytes())
            wanted |= {known["map"], known["base"]}
        for path in self._maps.iterdir():
            if path.name not in wanted:
                path.unlink(missing_ok=True)


def make_private(folder: Path) -> None:
    """Make a folder, and its parents, for its owner only.

    Raises:
        OSError: it can't be made.
    """
    missing = [step for step in (folder, *folder.parents) if not step.exists()]
    for step in reversed(missing):
        with suppress(FileExistsError):
            step.mkdir(mode=0o700)
    if not folder.is_dir():
        raise NotADirectoryError(20, os.strerror(20), str(folder))


def _key(database: str) -> str:
    return hashlib.sha256(database.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def sweep_unfinished(folder: Path) -> None:
    """Remove what writers that died left unfinished more than a day ago. Never fails."""
    with suppress(OSError):
        for path in folder.glob(f".*{STAGED_SUFFIX}"):
            if time.time() - path.stat().st_mtime > UNFINISHED.total_seconds():
                path.unlink(missing_ok=True)


def _replace(path: Path, content: bytes) -> None:
    staged = path.with_name(f".{uuid4().hex}{STAGED_SUFFIX}")
    try:
        staged.write_bytes(content)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
