"""The configuration that counts, key by key, and where each value comes from. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from junmai_svc.service.configuration.file import Loaded
from junmai_svc.service.configuration.form import Configuration
from junmai_svc.service.configuration.keys import dotted, fields_of
from junmai_svc.service.configuration.lines import Keys

# There should be none; what looks like one all the same is not shown.
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]+@")


@dataclass(frozen=True)
class Setting:
    """One key; `origin` is `default`, a variable's name, or `line N` of the file."""

    key: str
    value: Any
    origin: str


def settings_of(loaded: Loaded | None) -> list[Setting]:
    """Return every key that counts, in the order of the file's sections."""
    found = loaded or Loaded(Configuration(), Path())
    return [
        Setting(dotted(keys), _redacted(value), _origin(found, keys))
        for keys, value in _leaves((), found.configuration)
    ]


def _leaves(keys: Keys, value: Any) -> Iterator[tuple[Keys, Any]]:
    if isinstance(value, msgspec.Struct):
        for name in fields_of(type(value)):
            yield from _leaves((*keys, name), getattr(value, name))
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves((*keys, name), each)
    elif isinstance(value, list) and any(isinstance(each, msgspec.Struct) for each in value):
        for number, each in enumerate(value):
            yield from _leaves((*keys, number), each)
    else:
        yield keys, value


def _origin(loaded: Loaded, keys: Keys) -> str:
    if keys in loaded.variables:
        return loaded.variables[keys]
    return f"line {loaded.lines[keys]}" if keys in loaded.lines else "default"


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return _CREDENTIALS.sub("***@", value)
    return [_redacted(each) for each in value] if isinstance(value, list) else value
