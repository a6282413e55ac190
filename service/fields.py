"""Fields of an event's data, which is input: what is missing or of another kind reads as empty."""

from collections.abc import Mapping
from typing import Any

Data = Mapping[str, Any]


def text_of(data: Data, name: str) -> str:
    """A text, "" where there is none."""
    value = data.get(name)
    return value if isinstance(value, str) else ""


def number_of(data: Data, name: str) -> int:
    """A whole number, 0 where there is none."""
    value = data.get(name)
    return value if isinstance(value, int) else 0


def object_of(data: Data, name: str) -> dict[str, Any]:
    """An object, an empty one where there is none."""
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def list_of(data: Data, name: str) -> list[Any]:
    """A list, an empty one where there is none."""
    value = data.get(name)
    return value if isinstance(value, list) else []


def objects_of(data: Data, name: str) -> list[dict[str, Any]]:
    """The objects in a list."""
    return [each for each in list_of(data, name) if isinstance(each, dict)]
