"""SQLite's names: how they are quoted in SQL text and how they are compared."""

import string

import peewee

_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def quoted(name: str) -> str:
    """Return a name as an SQL identifier, whatever characters it holds."""
    return '"' + name.replace('"', '""') + '"'


def fold(name: str) -> str:
    """Return a name in the form in which SQLite compares it: ASCII letters only, lower case."""
    return name.translate(_ASCII_LOWER)


def node(*path: str) -> peewee.SQL:
    """Return a path such as (table, column) as a peewee node; keeps empty names."""
    return peewee.SQL(".".join(quoted(part) for part in path))
