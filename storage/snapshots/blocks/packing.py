"""New blocks on their way into frames and packs."""

from collections.abc import Callable
from os import urandom

from junmai_svc.storage.snapshots.blocks.compression import Compressor
from junmai_svc.storage.snapshots.blocks.frames import FIRST_LEVEL, FRAME_BLOCKS, INCREMENT_LEVEL
from junmai_svc.storage.snapshots.blocks.packs import PACK_ID_BYTES, Pack, PackBuilder
from junmai_svc.storage.snapshots.blocks.runs import PackList, Run
from junmai_svc.storage.snapshots.blocks.sealing import Seal

# An increment of more frames than this (64 MiB) is no longer little: the rest goes at level 3.
THOROUGH_FRAMES = 64


class Packing:
    """Takes blocks one by one and hands finished packs to `put`, each before the next is begun.

    Holds one frame and one pack. Packs get their numbers from `packs`. `increment` chooses the
    careful compression, for as long as there is little.
    """

    def __init__(
        self, packs: PackList, put: Callable[[Pack], None], seal: Seal, *, increment: bool
    ) -> None:
        self._packs = packs
        self._put = put
        self._seal = seal
        self._careful = THOROUGH_FRAMES if increment else 0
        self._compressor = Compressor(INCREMENT_LEVEL if increment else FIRST_LEVEL)
        self._frame = bytearray()
        self._digests: list[bytes] = []
        self._builder: PackBuilder | None = None
        self._number = 0
        self._recent: dict[bytes, Run] = {}
        self._before: dict[bytes, Run] = {}

    def find(self, digest: bytes) -> Run | None:
        """Return where a block lies that was added to this pack or to the one before."""
        return self._recent.get(digest) or self._before.get(digest)

    def add(self, digest: bytes, block: bytes | memoryview) -> Run:
        """Take a block of 4,096 bytes and return where it will lie.

        Raises:
            JunmaiError: whatever `put` raises.
        """
        if self._builder is None:
            self._builder = PackBuilder(self._seal, urandom(PACK_ID_BYTES))
            self._number = self._packs.reserve()
        lies = Run(self._number, self._builder.blocks + len(self._digests), 1)
        self._frame += block
        self._digests.append(digest)
        self._recent[digest] = lies
        if len(self._digests) == FRAME_BLOCKS:
            self._end_frame(self._builder)
            if not self._builder.has_room:
                self._end_pack(self._builder)
        return lies

    def finish(self) -> None:
        """Hand over the last pack, if there is one.

        Raises:
            JunmaiError: whatever `put` raises.
        """
        if self._builder is not None:
            if self._digests:
                self._end_frame(self._builder)
            self._end_pack(self._builder)

    def _end_frame(self, builder: PackBuilder) -> None:
        builder.add(self._compressor.compress(self._frame), b"".join(self._digests))
        self._frame.clear()
        self._digests.clear()
        if self._careful:
            self._careful -= 1
            if not self._careful:
                self._compressor = Compressor(FIRST_LEVEL)

    def _end_pack(self, builder: PackBuilder) -> None:
        pack = builder.finish()
        self._builder = None
        self._before, self._recent = self._recent, {}
        self._packs.settle(self._number, pack.ref)
        self._put(pack)
