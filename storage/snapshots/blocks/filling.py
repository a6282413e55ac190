"""An index that is brought in line with the packs of a store, from their footers."""

from concurrent.futures import ThreadPoolExecutor

from junmai_svc.storage.backends.base import Backend
from junmai_svc.storage.errors import IntegrityError, NotFoundError
from junmai_svc.storage.snapshots.blocks.index import BlockIndex
from junmai_svc.storage.snapshots.blocks.packs import Footer, ReadRange, read_footer
from junmai_svc.storage.snapshots.blocks.places import marked_in, pack_object, packs_in
from junmai_svc.storage.snapshots.blocks.sealing import Seal

FETCHES = 8


def fill(index: BlockIndex, backend: Backend, read_range: ReadRange, seal: Seal) -> None:
    """Let an index know exactly the packs that may be used now.

    A pack that can't be read, or is known to be damaged, has no blocks to offer: what it held is
    stored anew.

    Raises:
        JunmaiError: the store can't be listed or read, or the index not be written.
    """
    # Marks first: what is marked later, the look before the commit finds.
    marked = marked_in(backend)
    usable = {n: s.size for n, s in packs_in(backend) if pack_object(n) not in marked}
    index.keep_only(usable)

    def footer(name: str) -> Footer | None:
        try:
            return read_footer(name, usable[name], read_range, seal)
        except (IntegrityError, NotFoundError):
            return None

    unknown = index.unknown(usable)
    if not unknown:
        return
    with ThreadPoolExecutor(min(FETCHES, len(unknown))) as pool:
        for found in pool.map(footer, unknown):
            if found is not None:
                index.add(found.pack, found.digests)
