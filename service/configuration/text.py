"""The commented file and the JSON Schema: what `configuration.form` says, in two other forms.

`config/junmai.toml` and `config/junmai.schema.json` are what these return; a test keeps that.
"""

import json
import textwrap
from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from junmai_svc.service.configuration.form import Configuration, DatabaseSection, StoreSection
from junmai_svc.service.configuration.keys import fields_of, section_in

SCHEMA_NAME = "junmai.schema.json"
_WIDTH = 100
_HEAD = """\
The configuration of junmai-svc. Every key is here with its default; where a key has none, an \
example stands behind a #. Relative paths count from the folder of this file. Each key that is \
neither a store's nor a database's can be given by a variable as well, such as \
JUNMAI_RETENTION_KEEP_LAST, which comes over this file. Times are UTC.
`junmai-svc config check` tries everything that is configured here, `config show` says what counts.
"""
# The store and the database that a new file has.
_STORE = {"url": "../data/backups", "layout": "file"}
_DATABASE = {
    "name": "junmai",
    "path": "../data/junmai.db",
    "schedule": "0 * * * *",
    "stores": ["local"],
}


def commented() -> str:
    """Return the text of a configuration that shows every key; as it stands it can be used."""
    parts = [*(_wrapped(line) for line in _HEAD.splitlines()), ""]
    for name, kind in fields_of(Configuration).items():
        if name == "stores":
            parts += _section("[stores.local]", StoreSection, _STORE)
        elif name == "databases":
            parts += _section("[[databases]]", DatabaseSection, _DATABASE)
        elif (section := section_in(kind)) is not None:
            parts += _section(f"[{name}]", section, section())
    return "\n".join(parts).rstrip("\n") + "\n"


def schema() -> str:
    """Return the JSON Schema (2020-12) of a configuration, for editors."""
    made: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(made | msgspec.json.schema(Configuration), indent=2) + "\n"


def toml_of(value: Any) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_of(each)}" for key, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _section(head: str, section: type[msgspec.Struct], shown: Any) -> Iterator[str]:
    """The lines of a section; what `shown` does not hold stands behind a #."""
    yield _wrapped(section.__doc__ or "")
    yield head
    values = shown if isinstance(shown, dict) else msgspec.structs.asdict(shown)
    for field in msgspec.structs.fields(section):
        description, example = _notes(fields_of(section)[field.name])
        value = values.get(field.name)
        if value is None:
            default = None if field.default is msgspec.NODEFAULT else field.default
            line = f"# {field.name} = {toml_of(example if default is None else default)}"
        else:
            line = f"{field.name} = {toml_of(value)}"
        together = f"{line}  # {description}"
        yield together if len(together) <= _WIDTH else f"{_wrapped(description)}\n{line}"
    yield ""


def _notes(kind: Any) -> tuple[str, Any]:
    """The description and the example of a key."""
    notes = [note for note in get_args(kind)[1:] if isinstance(note, msgspec.Meta)]
    description = next(note.description for note in notes if note.description)
    example = next((note.examples[0] for note in notes if note.examples), None)
    return description, example


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")
