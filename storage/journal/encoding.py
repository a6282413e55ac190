"""Base64 as the formats of the proof write it: for every value exactly one text.

RFC 4648 section 4, with padding. Python's decoder also takes texts whose last character holds bits
that mean nothing; two texts for one value would let somebody alter what nobody signed.
"""

import base64


def to_base64(value: bytes) -> str:
    """Return bytes as base64 text, padded and on one line."""
    return base64.b64encode(value).decode("ascii")


def from_base64(text: str) -> bytes:
    """Return the bytes that `to_base64` wrote.

    Raises:
        ValueError: the text is not in that one form; it is not quoted.
    """
    try:
        value = base64.b64decode(text, validate=True)
    except ValueError:
        value = b""
    if to_base64(value) != text:
        raise ValueError("it is not base64 in its one form")
    return value
