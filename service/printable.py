"""Text from databases made fit for a terminal and for a page. Pure."""

from typing import Any

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
# What changes the direction of the text around it, or begins a new line.
_TURNING = (0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
_SPELLED = _CONTROLS | {code: f"\\u{code:04x}" for code in _TURNING}


def printable(value: Any) -> Any:
    """Return text, or whatever holds texts, with control characters spelled out.

    Names come from databases. One that holds an escape sequence must not reach the terminal, and
    one that turns the direction of writing must not pass for another.
    """
    if isinstance(value, str):
        return value.translate(_SPELLED)
    if isinstance(value, dict):
        return {printable(key): printable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [printable(each) for each in value]
    if isinstance(value, tuple):
        return tuple(printable(each) for each in value)
    return value
