"""Reading `junmai.toml` and `JUNMAI_*` variables: everything is checked before anything is used.

An unknown key or variable is an error that names its place and the nearest one that exists. Nothing
is remembered between two calls, so whoever reads anew and fails still has what was read before.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from junmai_svc.service.configuration.checks import value_problems
from junmai_svc.service.configuration.form import Configuration
from junmai_svc.service.configuration.keys import (
    BACKSLASH_HINT,
    PREFIX,
    SECRET,
    Problem,
    form_problems,
    nearest,
    value_of,
    variables,
)
from junmai_svc.service.configuration.lines import Keys, line_of, lines_of
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import NotFoundError, UsageError

USUAL_PLACE = Path("config", "junmai.toml")
HINT = "`junmai-svc config init` writes a file that shows every key with its default."


@dataclass(frozen=True)
class Loaded:
    """A configuration and the folder from which its relative paths count."""

    configuration: Configuration
    folder: Path
    path: Path | None = None
    lines: Mapping[Keys, int] = field(default_factory=dict)  # of the file, where it says something
    variables: Mapping[Keys, str] = field(default_factory=dict)  # that came over the file


def load(named: Path | None, environment: Mapping[str, str]) -> Loaded | None:
    """Return the configuration; None where nothing is configured.

    The file is `named`, else `config/junmai.toml` of the current folder if it is there. Variables
    such as `JUNMAI_RETENTION_KEEP_LAST` come over the file.

    Raises:
        NotFoundError: the named file is not there.
        UsageError: it is no TOML, or holds what can't be configured; the message names the line.
    """
    path = named or (USUAL_PLACE if USUAL_PLACE.is_file() else None)
    if path is None and not any(_is_ours(name) for name in environment):
        return None
    text = "" if path is None else _text(path)
    content = _content(path, text)
    lines = lines_of(text)
    _raise_first(form_problems(content), path, lines, {})
    said = _variables(environment)
    for (section, key), (_, value) in said.items():
        content.setdefault(section, {})[key] = value
    names: dict[Keys, str] = {keys: name for keys, (name, _) in said.items()}
    configuration = msgspec.convert(content, Configuration)
    _raise_first(value_problems(configuration), path, lines, names)
    folder = path.parent if path else Path()
    return Loaded(configuration, folder, path, lines, names)


def _text(path: Path) -> str:
    if not path.is_file():
        raise NotFoundError(f"Configuration not found: {path}", "Check --config.")
    with translated("read", path):
        try:
            return path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise UsageError(f"{path} is not UTF-8 text", HINT) from error


def _content(path: Path | None, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        hint = f"{BACKSLASH_HINT} {HINT}" if "\\" in text else HINT
        raise UsageError(f"{path} is not valid TOML: {error}", hint) from error
    except RecursionError as error:
        raise UsageError(f"{path} is nested too deep", HINT) from error


def _raise_first(
    problems: Iterable[Problem],
    path: Path | None,
    lines: Mapping[Keys, int],
    names: Mapping[Keys, str],
) -> None:
    """Raise about the problem that stands first in the file, saying how many more there are."""
    found = sorted(problems, key=lambda each: line_of(lines, each.keys))
    if not found:
        return
    first = found[0]
    if first.keys in names:
        place = names[first.keys]
    else:
        place = f"{path}, line {line_of(lines, first.keys)}" if path else "The environment"
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    hint = " ".join(part for part in (first.hint, HINT) if part)
    raise UsageError(f"{place}: {first.text}{more}", hint)


def _is_ours(name: str) -> bool:
    return name.startswith(PREFIX) and name not in SECRET


def _variables(environment: Mapping[str, str]) -> dict[tuple[str, str], tuple[str, Any]]:
    """The variables by (section, key), each with its name and value.

    Raises:
        UsageError: one of them names nothing that can be configured, or says what can't be.
    """
    known = variables()
    found: dict[tuple[str, str], tuple[str, Any]] = {}
    for name, text in environment.items():
        if not _is_ours(name):
            continue
        if name not in known:
            raise UsageError(f"There is no variable {name}", nearest(name, known))
        section, key, kind = known[name]
        try:
            found[section, key] = (name, value_of(text, kind))
        except ValueError as error:
            raise UsageError(f"The variable {name} must be {error}", HINT) from error
    return found
