"""Running the checks' queries: built of peewee's nodes, executed on one connection."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import peewee

from junmai_svc.storage.databases.names import node


def rows_of(schema: str, table: str, alias: str) -> peewee.NodeList:
    """Return a FROM clause that reads a table itself, never an index in its place."""
    return peewee.NodeList((node(schema, table), peewee.SQL(f"AS {alias} NOT INDEXED")))


def fetched(connection: sqlite3.Connection, query: peewee.Query) -> Iterator[tuple[Any, ...]]:
    """Run a query and yield its rows.

    Raises:
        sqlite3.Error: SQLite can't run it.
    """
    sql, parameters = query.sql()
    yield from connection.execute(sql, parameters)


def count(
    connection: sqlite3.Connection, rows: peewee.Node, where: peewee.Node | None = None
) -> int:
    """Return the number of rows of a FROM clause for which a condition holds.

    Raises:
        sqlite3.Error: the rows can't be read.
    """
    query = peewee.Select([rows], [peewee.fn.count(peewee.SQL("*"))])
    ((number,),) = fetched(connection, query if where is None else query.where(where))
    return int(number)
