"""Text from databases made fit for a terminal. Pure."""

from typing import Any

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def printable(value: Any) -> Any:
    """Return text, or whatever holds texts, with control characters spelled out.

    Names come from databases, and one that holds an escape sequence must not reach the terminal.
    """
    if isinstance(value, str):
        return value.translate(_CONTROLS)
    if isinstance(value, dict):
        return {printable(key): printable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [printable(each) for each in value]
    if isinstance(value, tuple):
        return tuple(printable(each) for each in value)
    return value
