"""What is wrong with the form of a configuration: keys that nothing knows, values of a wrong kind.

Values are never repeated in messages, as somebody may have put a secret where none belongs.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from junmai_svc.service.configuration.form import Configuration
from junmai_svc.service.configuration.lines import Keys

PREFIX = "JUNMAI_"
# Whose values are secret: read where they are needed (`service.notify.sending`), and no part of
# what is loaded, shown or checked.
NOTIFY_URLS = "JUNMAI_NOTIFY_URLS"
NOTIFY_PING_URL = "JUNMAI_NOTIFY_PING_URL"
SECRET = frozenset({NOTIFY_URLS, NOTIFY_PING_URL})
_UNIONS = (Union, UnionType)

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
BACKSLASH_HINT = (
    r"In double quotes a backslash begins an escape, as in \b: write a path of Windows in single"
    " quotes, or with slashes."
)


@dataclass(frozen=True)
class Problem:
    """What is wrong with one key, and what to do about it."""

    keys: Keys
    text: str
    hint: str = ""


class Variable(NamedTuple):
    """A variable of the environment, and the key that it comes over."""

    section: str
    key: str
    kind: Any


def dotted(keys: Keys) -> str:
    """A key as people read it: `databases[1].path`, counted from 1."""
    text = "".join(f"[{key + 1}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.removeprefix(".")


def fields_of(section: type) -> dict[str, Any]:
    """The keys of a section, each with its annotation."""
    return get_type_hints(section, include_extras=True)


def section_in(kind: Any) -> type[msgspec.Struct] | None:
    """The section that an annotation stands for; None where it is a plain value."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    options = get_args(bare) if get_origin(bare) in _UNIONS else (bare,)
    for option in options:
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            return option
    return None


def form_problems(content: Mapping[str, Any]) -> Iterator[Problem]:
    """Everything that is wrong with the form of a file's content."""
    yield from _section_problems((), content, Configuration)


def variables() -> dict[str, Variable]:
    """Every variable that means something, by its name."""
    return {
        f"{PREFIX}{section}_{key}".upper(): Variable(section, key, kind)
        for section, annotation in fields_of(Configuration).items()
        if (struct := section_in(annotation)) is not None
        for key, kind in fields_of(struct).items()
    }


def value_of(text: str, kind: Any) -> Any:
    """What the text of a variable means where a value of this kind is wanted.

    Raises:
        ValueError: nothing; the message completes "must be ...".
    """
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(wanted(kind)) from error


def nearest(word: str, known: Iterable[str]) -> str:
    """The hint about a word that is not known: the nearest one, else all there are."""
    words = list(known)
    close = difflib.get_close_matches(word, words, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    return f"There is {', '.join(words)}." if words else ""


def wanted(kind: Any) -> str:
    """Complete "must be ..." for an annotation, out of its titles."""
    if get_origin(kind) is Annotated:
        bare, *notes = get_args(kind)
        titles = [note.title for note in notes if isinstance(note, msgspec.Meta) and note.title]
        return str(titles[0]) if titles else wanted(bare)
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    if get_origin(kind) in _UNIONS:
        return " or ".join(wanted(each) for each in get_args(kind) if each is not NoneType)
    if get_origin(kind) is list:
        return "a list of texts"
    return {str: "a text", bool: "true or false", int: "a whole number"}[kind]


def _section_problems(keys: Keys, value: Any, section: type) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield Problem(keys, f"{dotted(keys)} must be a table")
        return
    fields = fields_of(section)
    unknown = [key for key in value if key not in fields]
    for key in unknown:
        yield Problem((*keys, key), f"there is no {dotted((*keys, key))}", nearest(key, fields))
    for field in msgspec.structs.fields(section):
        path = (*keys, field.name)
        if field.name in value:
            yield from _value_problems(path, value[field.name], fields[field.name])
        elif field.required and not unknown:  # which is likely to be meant for it
            yield Problem(keys, f"{dotted(path)} is missing")


def _value_problems(path: Keys, value: Any, kind: Any) -> Iterator[Problem]:
    section = section_in(kind)
    elements = get_args(kind) if get_origin(kind) in (dict, list) else ()
    if section is not None:
        yield from _section_problems(path, value, section)
    elif elements and (inner := section_in(elements[-1])) is not None:
        if not isinstance(value, get_origin(kind)):
            form = "a table" if get_origin(kind) is dict else "an array of tables"
            yield Problem(path, f"{dotted(path)} must be {form}")
            return
        each = value.items() if isinstance(value, dict) else enumerate(value)
        for name, element in each:
            if isinstance(name, str) and not _fits(name, elements[0]):
                text = f"{dotted((*path, name))!a} must have {wanted(elements[0])}"
                yield Problem((*path, name), text)
            yield from _section_problems((*path, name), element, inner)
    elif not _fits(value, kind):
        yield Problem(path, f"{dotted(path)} must be {wanted(kind)}")
    elif isinstance(value, str) and _CONTROL.search(value):
        yield Problem(path, f"{dotted(path)} must have no control characters", BACKSLASH_HINT)


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True
