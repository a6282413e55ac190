"""The error that is told is the one that happened, not one that came of it."""

import sqlite3
from pathlib import Path

import peewee
import pytest

from junmai_svc.storage.causes import cause_of


def cause(error: BaseException) -> sqlite3.Error | None:
    return cause_of(error, sqlite3.Error, peewee.PeeweeException)


def test_a_rollback_that_sqlite_had_done_already_does_not_hide_why(tmp_path: Path) -> None:
    database = peewee.SqliteDatabase(str(tmp_path / "rows.db"))
    script = """
        CREATE TABLE refusing (a);
        CREATE TRIGGER refuse BEFORE INSERT ON refusing
            BEGIN SELECT RAISE(ROLLBACK, 'refused'); END;"""
    connection = database.connection()  # type: ignore[no-untyped-call]
    connection.executescript(script)
    with (
        pytest.raises(peewee.PeeweeException, match="cannot rollback") as caught,
        database.atomic(),
    ):
        peewee.Table("refusing", ["a"]).insert({"a": 1}).execute(database)
    database.close()
    assert str(cause(caught.value)) == "refused"


def test_an_error_of_sqlite_is_its_own_cause_whatever_was_handled_before() -> None:
    error = sqlite3.OperationalError("no such table: t")
    error.__context__ = sqlite3.IntegrityError("refused")
    assert cause(error) is error


def test_a_rollback_that_fails_for_nothing_else_is_told() -> None:
    error = sqlite3.OperationalError("cannot rollback - no transaction is active")
    assert cause(error) is error


def test_a_mistake_in_the_call_has_no_cause_in_sqlite() -> None:
    assert cause(peewee.ImproperlyConfigured("no database")) is None
