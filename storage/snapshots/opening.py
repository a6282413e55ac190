"""A manifest as it lies in a store, sealed or not."""

from junmai_svc.storage.errors import IntegrityError, JunmaiError
from junmai_svc.storage.snapshots.blocks.sealing import Kind, Place, Seal
from junmai_svc.storage.snapshots.manifest import Manifest, parse_manifest


def open_manifest(content: bytes, name: str, where: str, seal: Seal, layout: str) -> Manifest:
    """Return the manifest of the snapshot `name`, opened and checked; `where` is for messages.

    Raises:
        IntegrityError: it does not open, or `parse_manifest` refuses it.
    """
    try:
        opened = bytes(seal.open(content, Place(Kind.MANIFEST, name.encode())))
    except JunmaiError as error:
        raise IntegrityError(f"Manifest {where} is damaged: {error.message}", error.hint) from error
    return parse_manifest(opened, name, where, layout)
