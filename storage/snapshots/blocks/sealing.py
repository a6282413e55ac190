"""What is sealed in a store, and the place that each sealed thing is bound to.

A sealed thing opens only at its own place: what was moved, swapped, cut off or taken from another
store does not open. The place is authenticated and not stored; it is the associated data

    "junmai-svc blocks 1" 00 | kind | store id | identity | index

where kind, store id and identity are preceded by their length in 2 bytes and index has 8, all
little-endian. Identity and index are

    frame     the pack's id          the frame's number in the pack
    footer    the pack's id          how many blocks the pack has
    map       the map's name         0
    manifest  the snapshot's name    0
    details   their SHA-256          0
    data key  nothing                0

A pack is named by the SHA-256 of its sealed bytes, which nobody knows before they are sealed: hence
the pack's id, 16 random bytes that are drawn first and kept in the open at the pack's end. Who
changes the id there makes all of that pack fail to open. A whole pack under another pack's name
still opens; that the name is wrong shows in the SHA-256 of its bytes and of the restored image.
"""

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

_DOMAIN = b"junmai-svc blocks 1\x00"


class Kind(StrEnum):
    """What is sealed."""

    FRAME = "frame"
    FOOTER = "footer"
    MAP = "map"
    MANIFEST = "manifest"
    DETAILS = "details"
    DATA_KEY = "data key"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed thing belongs, apart from its store."""

    kind: Kind
    identity: bytes = b""
    index: int = 0


class Seal(Protocol):
    """How a store keeps its bytes from being read or altered unseen."""

    @property
    def secret(self) -> bool:
        """False for the seal that leaves everything as it is."""

    @property
    def overhead(self) -> int:
        """How many bytes a thing grows by when it is sealed."""

    def close(self, plain: bytes, place: Place) -> bytes:
        """Return `plain` sealed for its place, `overhead` bytes longer."""

    def open(self, stored: bytes | memoryview, place: Place) -> bytes | memoryview:
        """Return what was sealed for exactly this place.

        Raises:
            IntegrityError: it was altered, belongs elsewhere, or another key sealed it.
        """


class Unsealed:
    """The seal of a store without a key."""

    secret = False
    overhead = 0

    def close(self, plain: bytes, _place: Place) -> bytes:
        """Return `plain` as it is."""
        return plain

    def open(self, stored: bytes | memoryview, _place: Place) -> bytes | memoryview:
        """Return `stored` as it is."""
        return stored


def associated_data(store_id: str, place: Place) -> bytes:
    """Return the bytes that bind a sealed thing to its place, no two places' alike."""
    parts = (place.kind.value.encode(), store_id.encode(), place.identity)
    return (
        _DOMAIN
        + b"".join(struct.pack("<H", len(part)) + part for part in parts)
        + struct.pack("<Q", place.index)
    )
