"""The copy of a journal that a store holds: its checkpoints, entries, tiles and public keys.

It lies under `journal/<journal id>/` as C2SP tlog-tiles says. All of it comes from outside: it is
bounded before it is read, and means nothing before a signed checkpoint's root has been computed
from it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.errors import JunmaiError, NotFoundError
from junmai_svc.storage.journal import note
from junmai_svc.storage.journal.bundles import decode_bundle
from junmai_svc.storage.journal.checkpoint import LATEST_PATH, numbered_path, origin_of
from junmai_svc.storage.journal.entry import MAX_BYTES
from junmai_svc.storage.journal.keys import VerifierKey
from junmai_svc.storage.journal.layout import WIDTH, Bundle, Tile, new_bundles
from junmai_svc.storage.journal.merkle import HASH_BYTES
from junmai_svc.storage.journal.rotations import Rotation, decode_rotation

FOLDER = "journal"
ROTATION_SUFFIX = ".rotation"

_LARGEST_BUNDLE = WIDTH * (MAX_BYTES + 2) + (1 << 16)
_AGAIN = 3
_NUMBERED = re.compile(r"[0-9]{20}")
_KEY = re.compile(rf"{FOLDER}/([0-9a-f-]{{36}})/keys/[0-9a-f]{{8}}\.vkey")


@dataclass(frozen=True)
class Mirror:
    """One journal in one store; nothing is read before it is asked for."""

    backend: Backend
    journal_id: str

    @property
    def url(self) -> str:
        """The place, for messages."""
        return f"{self.backend.url}/{FOLDER}/{self.journal_id}"

    def name(self, path: str) -> str:
        """Return the object's name of a path in the journal's folder."""
        return f"{FOLDER}/{self.journal_id}/{path}"

    def latest(self) -> bytes | None:
        """Return the newest checkpoint as it is stored, None if there is none.

        Raises:
            JunmaiError: the store can't be read.
        """
        return self._found(LATEST_PATH)

    def numbered(self, size: int) -> bytes | None:
        """Return the checkpoint of a size as it was stored once, None if there is none.

        Raises:
            JunmaiError: the store can't be read.
        """
        return self._found(numbered_path(size))

    def sizes(self) -> list[int]:
        """Return the sizes of the numbered checkpoints, the smallest first.

        Raises:
            JunmaiError: the store can't be read.
        """
        prefix = self.name("checkpoints/")
        names = (found.name.removeprefix(prefix) for found in self.backend.list(prefix))
        return sorted(int(name) for name in names if _NUMBERED.fullmatch(name))

    def bundle(self, bundle: Bundle) -> list[bytes]:
        """Return the entries of a bundle; for a partial one, a wider one does as well.

        Raises:
            NotFoundError: it is not there.
            IntegrityError: it is damaged.
        """
        try:
            stored = self.backend.get(self.name(bundle.path), _LARGEST_BUNDLE)
        except NotFoundError:
            wider = self._wider(bundle)
            if wider is None:
                raise
            stored = self.backend.get(self.name(wider.path), _LARGEST_BUNDLE)
            return decode_bundle(stored, wider)[: bundle.width]
        return decode_bundle(stored, bundle)

    def entries(self, begin: int, end: int) -> Iterator[list[bytes]]:
        """Give the entries of the positions from `begin` up to `end`, bundle by bundle.

        Raises:
            NotFoundError, IntegrityError: as `bundle`.
        """
        for bundle in new_bundles(begin // WIDTH * WIDTH, end):
            entries = self.bundle(bundle)
            yield entries[max(0, begin - bundle.index * WIDTH) :]

    def tile(self, tile: Tile) -> bytes:
        """Return the stored bytes of a tile.

        Raises:
            NotFoundError: it is not there.
            IntegrityError: it is longer than a tile.
        """
        return self.backend.get(self.name(tile.path), WIDTH * HASH_BYTES)

    def rotations(self) -> list[Rotation]:
        """Return the rotations of the journal's key that the store tells of; they prove themselves.

        Raises:
            JunmaiError: the store can't be read.
        """
        prefix = self.name("keys/")
        names = [stat.name for stat in self.backend.list(prefix)]
        found = (
            decode_rotation(self.journal_id, self.backend.get(name, note.MAX_BYTES))
            for name in names
            if name.endswith(ROTATION_SUFFIX)
        )
        return [rotation for rotation in found if rotation is not None]

    def _found(self, path: str) -> bytes | None:
        try:
            return self.backend.get(self.name(path), note.MAX_BYTES)
        except NotFoundError:
            return None

    def holds_wider(self, part: Bundle | Tile) -> bool:
        """Tell whether a wider bundle or tile has taken the place of a partial one.

        Raises:
            JunmaiError: the store can't be listed.
        """
        # Who publishes puts the wider one first: a listing may miss both once, not several times.
        return part.width < WIDTH and any(self._wider_than(part) for _attempt in range(_AGAIN))

    def _wider(self, bundle: Bundle) -> Bundle | None:
        width = self._wider_than(bundle)
        return None if width is None else Bundle(bundle.index, width)

    def _wider_than(self, part: Bundle | Tile) -> int | None:
        full = self.name(replace(part, width=WIDTH).path)
        names = [found.name.removeprefix(f"{full}.p/") for found in self.backend.list(f"{full}.p/")]
        widths = [int(name) for name in names if re.fullmatch(r"[1-9][0-9]{0,2}", name)]
        wider = min((width for width in widths if part.width < width < WIDTH), default=None)
        if wider is not None:
            return wider
        stored = list(self.backend.list(full))
        return WIDTH if any(found.name == full for found in stored) else None


def keys_in(backend: Backend) -> Iterator[tuple[str, VerifierKey]]:
    """Yield the journals of a store with the public keys that lie there; nothing vouches for them.

    Raises:
        JunmaiError: the store can't be listed.
    """
    for found in backend.list(f"{FOLDER}/"):
        named = _KEY.fullmatch(found.name)
        if named is None:
            continue
        try:
            text = backend.get(found.name, note.MAX_BYTES).decode("ascii", "replace")
            key = VerifierKey.parse(text, found.name)
        except JunmaiError:
            continue
        if key.name == origin_of(named[1]):
            yield named[1], key
