"""Entry bundles: up to 256 entries in one object, each after its length in 2 bytes, big-endian.

Source: C2SP tlog-tiles. Bundles are stored compressed with gzip (RFC 1952). They come from outside:
what a bundle may unpack to is bounded before it is unpacked.
"""

import gzip
import zlib
from collections.abc import Iterable

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.journal.entry import MAX_BYTES
from junmai_svc.storage.journal.layout import Bundle

_PREFIX_BYTES = 2
_LEVEL = 6
_GZIP = 16 + zlib.MAX_WBITS


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Return the bytes of a bundle of these entries, compressed.

    The same entries may be compressed to other bytes by another version of zlib: compare bundles by
    what is in them.

    Raises:
        ValueError: an entry is longer than 65,535 bytes.
    """
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_BYTES:
            raise ValueError(f"an entry of {len(entry):,} bytes does not fit into a bundle")
        parts += (len(entry).to_bytes(_PREFIX_BYTES), entry)
    return gzip.compress(b"".join(parts), _LEVEL, mtime=0)


def decode_bundle(stored: bytes, bundle: Bundle) -> list[bytes]:
    """Return the entries of a stored bundle, exactly as many as its width says.

    Raises:
        IntegrityError: the bytes are not a bundle of that width; the message names its path.
    """
    unpacked = _unpacked(stored, bundle)
    entries: list[bytes] = []
    at = 0
    while at < len(unpacked) and len(entries) < bundle.width:
        begin = at + _PREFIX_BYTES
        at = begin + int.from_bytes(unpacked[at:begin])
        entries.append(unpacked[begin:at])
    if at != len(unpacked) or len(entries) != bundle.width:
        raise _damaged(bundle, f"it does not hold {bundle.width} whole entries")
    return entries


def _unpacked(stored: bytes, bundle: Bundle) -> bytes:
    limit = bundle.width * (_PREFIX_BYTES + MAX_BYTES)
    stream = zlib.decompressobj(_GZIP)
    try:
        # One byte more, without which a bundle of exactly this length would not reach its end.
        unpacked = stream.decompress(stored, limit + 1)
    except zlib.error as error:
        raise _damaged(bundle, str(error)) from error
    if not stream.eof or stream.unused_data:
        raise _damaged(bundle, "it is cut off, too long, or something follows it")
    return unpacked


def _damaged(bundle: Bundle, why: str) -> IntegrityError:
    return IntegrityError(
        f"The entries in {bundle.path} are damaged: {why}",
        "Publish to the store again from an undamaged journal, or read another copy of the store.",
    )
