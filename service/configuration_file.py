"""Reading `junmai.toml` and `JUNMAI_*` variables: everything is checked before anything is used.

An unknown key or variable is an error that names its place and the nearest one that exists.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import msgspec

from junmai_svc.service.configuration import Configuration, StoreSection
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import NotFoundError, UsageError

USUAL_PLACE = Path("config", "junmai.toml")
PREFIX = "JUNMAI_"
HINT = "`config/junmai.toml` of this program shows every key with its default."


@dataclass(frozen=True)
class Loaded:
    """A configuration and the folder from which its relative paths count."""

    configuration: Configuration
    folder: Path


def load(named: Path | None, environment: Mapping[str, str]) -> Loaded | None:
    """Return the configuration; None where nothing is configured.

    The file is `named`, else `config/junmai.toml` of the current folder if it is there. Variables
    such as `JUNMAI_RETENTION_KEEP_LAST` come over the file.

    Raises:
        NotFoundError: the named file is not there.
        UsageError: it is no TOML, or holds what can't be configured.
    """
    path = named or (USUAL_PLACE if USUAL_PLACE.is_file() else None)
    if path is None and not any(name.startswith(PREFIX) for name in environment):
        return None
    text = "" if path is None else _text(path)
    where = str(path) if path else "the environment"
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where} is not valid TOML: {error}", HINT) from error
    for keys, near in _unknown(content):
        line = _line_of(text, keys)
        raise UsageError(
            f"{where}, line {line}: there is no {'.'.join(keys)}",
            f"Did you mean {near}? {HINT}" if near else HINT,
        )
    for (section, key), value in _variables(environment):
        content.setdefault(section, {})[key] = value
    try:
        configuration = msgspec.convert(content, Configuration, strict=False)
    except msgspec.ValidationError as error:
        place = tuple(re.findall(r"[\w-]+", str(error).rpartition("`$")[2]))
        raise UsageError(f"{where}, line {_line_of(text, place)}: {error}", HINT) from error
    return Loaded(configuration, path.parent if path else Path())


def _text(path: Path) -> str:
    if not path.is_file():
        raise NotFoundError(f"Configuration not found: {path}", "Check --config.")
    with translated("read", path):
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(f"{path} is not UTF-8 text", HINT) from error


def _unknown(content: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The keys that nothing knows, each with the nearest one that exists."""
    sections = get_type_hints(Configuration)
    for section, value in content.items():
        if section not in sections:
            yield (section,), _nearest(section, sections)
        elif isinstance(value, dict) and get_origin(sections[section]) is dict:
            for name, store in value.items():
                if isinstance(store, dict):
                    yield from _unknown_keys((section, name), store, StoreSection)
        elif isinstance(value, dict):
            yield from _unknown_keys((section,), value, sections[section])


def _unknown_keys(
    path: tuple[str, ...], value: Mapping[str, Any], kind: type
) -> Iterator[tuple[tuple[str, ...], str]]:
    known = get_type_hints(kind)
    for key in value:
        if key not in known:
            yield (*path, key), _nearest(key, known)


def _nearest(word: str, known: Mapping[str, Any]) -> str:
    return next(iter(difflib.get_close_matches(word, known, n=1)), "")


def _line_of(text: str, keys: tuple[str, ...]) -> int:
    """The line on which a key stands, as near as its section; 1 where it can't be told."""
    found, section = 1, ""
    for number, line in enumerate(text.splitlines(), 1):
        head = re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line)
        if head:
            section = head[1].replace('"', "")
            if section == ".".join(keys)[: len(section)]:
                found = number
        key = re.match(r"\s*\"?([\w-]+)\"?\s*=", line)
        if key and [*section.split("."), key[1]] == [*keys]:
            return number
    return found


def _variables(environment: Mapping[str, str]) -> Iterator[tuple[tuple[str, str], str]]:
    """The variables as (section, key) with their text.

    Raises:
        UsageError: one of them names nothing that can be configured.
    """
    sections = {
        name: kind for name, kind in get_type_hints(Configuration).items() if name != "stores"
    }
    known = {
        f"{PREFIX}{section}_{key}".upper(): (section, key)
        for section, kind in sections.items()
        for key in get_type_hints(kind)
    }
    for name, value in environment.items():
        if not name.startswith(PREFIX):
            continue
        if name not in known:
            near = _nearest(name, dict.fromkeys(known))
            hint = f"Did you mean {near}?" if near else HINT
            raise UsageError(f"There is no variable {name}", hint)
        yield known[name], value
