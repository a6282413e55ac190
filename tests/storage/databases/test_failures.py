"""Claims about foreign errors: each becomes the one of the tree that says what to do."""

import errno
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from types import SimpleNamespace

import peewee
import pytest
from tests.harness.windows import in_use

from junmai_svc.service.signals import interruptible
from junmai_svc.storage import interruption
from junmai_svc.storage.databases import failures
from junmai_svc.storage.databases.failures import (
    ACCESS_HINT,
    READ_ONLY_HINT,
    from_os,
    from_sqlite,
    translated,
    without_values,
)
from junmai_svc.storage.errors import (
    AccessDeniedError,
    IntegrityError,
    InterruptedRunError,
    JunmaiError,
    LockedError,
    MigrationFailedError,
    NoSpaceError,
    NotFoundError,
    StorageUnavailableError,
    UsageError,
)
from junmai_svc.storage.journal.failures import translated as translated_journal

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "photos #1.db"


@pytest.fixture
def no_signal() -> Iterator[None]:
    yield
    interruption.remember(None)


def opened(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(path, isolation_level=None, timeout=0))


def a_lock(path: Path) -> None:
    with opened(path) as one, opened(path) as other:
        one.execute("BEGIN EXCLUSIVE")
        other.execute("CREATE TABLE t (a)")


def a_full_disk(path: Path) -> None:
    with opened(path) as database:
        database.execute("CREATE TABLE t (a)")
        database.execute("PRAGMA max_page_count = 3")
        database.execute("INSERT INTO t VALUES (zeroblob(100000))")


def a_missing_file(path: Path) -> None:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        database.execute("SELECT 1")


def a_write_where_only_reading_is_allowed(path: Path) -> None:
    with opened(path) as database:
        database.execute("PRAGMA query_only = 1")
        database.execute("CREATE TABLE t (a)")


def no_database(path: Path) -> None:
    path.write_bytes(b"dear diary, " * 100)
    with opened(path) as database:
        database.execute("SELECT * FROM sqlite_schema")


def a_destroyed_page(path: Path) -> None:
    with opened(path) as database:
        database.execute("CREATE TABLE t (a)")
        database.execute("INSERT INTO t VALUES ('x')")
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 4096)
    with opened(path) as database:
        database.execute("SELECT * FROM t").fetchall()


def a_destroyed_schema(path: Path) -> None:
    with opened(path) as database:
        database.execute("CREATE TABLE t (a)")
        database.execute("PRAGMA writable_schema = 1")
        database.execute("UPDATE sqlite_schema SET sql = 'CREATE TABLE t (a'")
    with opened(path) as database:
        database.execute("SELECT * FROM t")


def a_missing_module(path: Path) -> None:
    with opened(path) as database:
        database.execute("CREATE VIRTUAL TABLE v USING no_such_thing(a)")


def a_missing_collation(path: Path) -> None:
    with opened(path) as database:
        database.execute("CREATE TABLE t (a COLLATE no_such_thing)")
        database.execute("SELECT * FROM t ORDER BY a")


def a_missing_function(path: Path) -> None:
    with opened(path) as database:
        database.execute("SELECT no_such_thing(1)")


def a_value_that_is_no_text(path: Path) -> None:
    with opened(path) as database:
        database.execute("SELECT CAST(x'ff' AS TEXT)").fetchone()


def a_name_that_is_no_text(path: Path) -> None:
    with opened(path) as database:
        database.execute("CREATE TABLE t (aaaa)")
    path.write_bytes(path.read_bytes().replace(b"aaaa", b"a\xff\xfea"))
    with opened(path) as database:
        database.execute("SELECT * FROM t")


def an_endless_statement(path: Path) -> None:
    with opened(path) as database:
        interruption.watch(database, seconds=0)
        database.execute(ENDLESS).fetchone()


def a_broken_constraint(path: Path) -> None:
    with opened(path) as database:
        database.execute("CREATE TABLE t (a NOT NULL)")
        database.execute("INSERT INTO t VALUES (NULL)")


def run_through(database: peewee.SqliteDatabase, sql: str) -> None:
    database.execute_sql(sql)  # type: ignore[no-untyped-call]


def a_broken_constraint_through_peewee(path: Path) -> None:
    database = peewee.SqliteDatabase(str(path))
    with database.connection_context():
        run_through(database, "CREATE TABLE t (a NOT NULL)")
        run_through(database, "INSERT INTO t VALUES (NULL)")


def a_lock_through_peewee(path: Path) -> None:
    database = peewee.SqliteDatabase(str(path), timeout=0)
    with opened(path) as one, database.connection_context():
        one.execute("BEGIN EXCLUSIVE")
        run_through(database, "CREATE TABLE t (a)")


REAL = [
    (a_lock, LockedError, "the database is locked"),
    (a_lock_through_peewee, LockedError, "the database is locked"),
    (a_full_disk, NoSpaceError, "the disk is full"),
    (a_missing_file, AccessDeniedError, "unable to open"),
    (a_write_where_only_reading_is_allowed, AccessDeniedError, "readonly"),
    (no_database, IntegrityError, "not a SQLite database, or it is encrypted"),
    (a_destroyed_page, IntegrityError, "damaged"),
    (a_destroyed_schema, IntegrityError, "damaged"),
    (a_missing_module, IntegrityError, "no such module: no_such_thing"),
    (a_missing_collation, IntegrityError, "no such collation sequence: no_such_thing"),
    (a_missing_function, IntegrityError, "no such function: no_such_thing"),
    (a_value_that_is_no_text, IntegrityError, "not valid UTF-8"),
    (a_name_that_is_no_text, IntegrityError, "not valid UTF-8"),
    (an_endless_statement, MigrationFailedError, "longer than allowed"),
    (a_broken_constraint, MigrationFailedError, "NOT NULL constraint failed: t.a"),
    (a_broken_constraint_through_peewee, MigrationFailedError, "NOT NULL constraint failed: t.a"),
]


@pytest.mark.parametrize(("fault", "kind", "words"), REAL, ids=lambda p: getattr(p, "__name__", ""))
def test_what_sqlite_really_raises_becomes_the_error_that_fits(
    fault: Callable[[Path], None], kind: type[JunmaiError], words: str, path: Path
) -> None:
    with pytest.raises(JunmaiError) as caught, translated("look into", path):
        fault(path)
    assert type(caught.value) is kind
    assert caught.value.message.startswith(f"Can't look into {path}: ")
    assert words in caught.value.message
    assert caught.value.hint
    assert caught.value.__cause__ is not None


def sqlite_error(name: str, message: str = "message") -> sqlite3.Error:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SQLITE_IOERR_FSYNC", StorageUnavailableError),
        ("SQLITE_IOERR_READ", StorageUnavailableError),
        ("SQLITE_PERM", AccessDeniedError),
        ("SQLITE_READONLY_DIRECTORY", AccessDeniedError),
        ("SQLITE_BUSY_SNAPSHOT", LockedError),
        ("SQLITE_LOCKED_SHAREDCACHE", LockedError),
        ("SQLITE_CORRUPT_INDEX", IntegrityError),
        ("SQLITE_FORMAT", IntegrityError),
        ("SQLITE_FULL", NoSpaceError),
        ("SQLITE_NOT_HEARD_OF_YET", MigrationFailedError),
        ("", MigrationFailedError),
    ],
)
def test_extended_result_codes_count_as_what_they_extend(
    name: str, kind: type[JunmaiError], path: Path
) -> None:
    assert type(from_sqlite(sqlite_error(name), "read", path)) is kind


@pytest.mark.parametrize("name", ["SQLITE_READONLY_ROLLBACK", "SQLITE_CANTOPEN"])
def test_a_hot_journal_is_told_from_missing_permissions(name: str, path: Path) -> None:
    error = sqlite_error(name)
    assert type(from_sqlite(error, "read", path)) is AccessDeniedError
    path.with_name(path.name + "-journal").write_bytes(b"journal")
    found = from_sqlite(error, "read", path)
    assert type(found) is IntegrityError
    assert "hot journal" in found.message
    assert "Open it once in its application" in found.hint


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, NoSpaceError),
        (errno.EDQUOT, NoSpaceError),
        (errno.EACCES, AccessDeniedError),
        (errno.EPERM, AccessDeniedError),
        (errno.EROFS, AccessDeniedError),
        (errno.ENOENT, NotFoundError),
        (errno.EIO, StorageUnavailableError),
        (errno.EMFILE, StorageUnavailableError),
        (errno.EXDEV, StorageUnavailableError),
    ],
)
def test_what_the_system_refuses_says_where_and_what_to_do(
    number: int, kind: type[JunmaiError], path: Path
) -> None:
    found = from_os(OSError(number, "its words"), "write", path)
    assert type(found) is kind
    assert found.message == f"Can't write {path}: its words"
    assert found.hint


def test_a_name_that_is_taken_is_for_the_caller_to_change(path: Path) -> None:
    path.touch()
    with (
        pytest.raises(UsageError, match=r"Can't make .*: it exists already"),
        translated("make", path),
    ):
        path.touch(exist_ok=False)


def test_the_file_that_the_system_names_is_the_one_reported(path: Path) -> None:
    found = from_os(OSError(errno.EIO, "its words", "/elsewhere"), "write", path)
    assert found.message == "Can't write /elsewhere: its words"


def test_a_real_error_of_the_system_is_translated_and_chained(path: Path) -> None:
    with pytest.raises(NotFoundError) as caught, translated("read", path):
        path.read_bytes()
    assert isinstance(caught.value.__cause__, FileNotFoundError)


@pytest.mark.usefixtures("no_signal")
def test_a_statement_that_a_signal_ended_is_the_interruption(path: Path) -> None:
    interruption.remember(15)
    with pytest.raises(InterruptedRunError) as caught, translated("copy", path):
        an_endless_statement(path)
    assert caught.value.signum == 15


@pytest.mark.usefixtures("no_signal")
def test_what_fails_after_a_signal_for_a_reason_of_its_own_is_told_as_that(path: Path) -> None:
    path.write_bytes(b"no database at all, and long enough to be looked at by SQLite")
    interruption.remember(15)
    with pytest.raises(IntegrityError), translated("read", path), opened(path) as database:
        database.execute("SELECT * FROM sqlite_schema")


Where = Callable[[sqlite3.Connection, Callable[..., int]], None]
CALLED_BY_SQLITE: dict[str, Where] = {
    "progress handler": lambda connection, call: connection.set_progress_handler(call, 1),
    "function": lambda connection, call: connection.create_function("called", 0, call),
    "authorizer": lambda connection, call: connection.set_authorizer(call),
}


@pytest.mark.parametrize("where", CALLED_BY_SQLITE.values(), ids=CALLED_BY_SQLITE)
@pytest.mark.parametrize("edge", [translated, translated_journal], ids=["databases", "journal"])
def test_a_signal_that_python_handles_inside_sqlite_is_not_lost(
    where: Where, edge: Callable[..., AbstractContextManager[None]], path: Path
) -> None:
    """sqlite3 swallows what is raised in what SQLite calls, and says that the statement failed."""

    def call(*_arguments: object) -> int:
        signal.raise_signal(signal.SIGINT)
        return 0

    with opened(path) as database:
        database.create_function("called", 0, lambda: 0)
        where(database, call)
        with pytest.raises(InterruptedRunError), interruptible(), edge("read", path):
            database.execute("SELECT called()").fetchall()


@pytest.mark.parametrize(
    "error",
    [
        KeyError("a bug"),
        KeyboardInterrupt(),
        peewee.DoesNotExist("a bug"),
        IntegrityError("of this project", "hint"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_bugs_and_errors_of_our_own_pass_through_as_they_are(
    error: BaseException, path: Path
) -> None:
    with pytest.raises(type(error)) as caught, translated("read", path):
        raise error
    assert caught.value is error


def test_every_row_of_the_table_has_a_hint() -> None:
    assert all(hint for *_, hint in failures._SQLITE)


def test_what_a_function_quotes_of_a_row_is_shown_and_not_kept() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE doc (body, path)")
        database.execute("INSERT INTO doc VALUES ('{}', 'jane.doe')")
        with pytest.raises(JunmaiError) as caught, translated("read", "a.db"):
            database.execute("SELECT json_extract(body, path) FROM doc").fetchall()
    assert "jane.doe" in caught.value.shown
    assert "jane.doe" not in caught.value.message
    assert caught.value.message == "Can't read a.db: an expression failed on a row (SQLITE_ERROR)"


def test_what_a_trigger_says_of_a_row_is_shown_and_not_kept() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE doc (body)")
        database.execute(
            "CREATE TRIGGER t BEFORE INSERT ON doc BEGIN SELECT RAISE(ABORT, 'jane.doe'); END"
        )
        with pytest.raises(JunmaiError) as caught, translated("write", "a.db"):
            database.execute("INSERT INTO doc VALUES (1)")
    assert "jane.doe" in caught.value.shown
    assert "jane.doe" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "name", "kept"),
    [
        (
            "Tree 2 page 5 cell 3: Rowid 4711 out of order",
            "",
            "Tree 2 page 5 cell 3: Rowid out of order",
        ),
        (
            "Could not decode to UTF-8 column 'name' with text 'Jane\nmalformed'",
            "",
            "Could not decode to UTF-8 column 'name'",
        ),
        (
            "UNIQUE constraint failed: photos.path",
            "SQLITE_CONSTRAINT_UNIQUE",
            "UNIQUE constraint failed: photos.path",
        ),
        ("no such table: photos", "SQLITE_ERROR", "no such table: photos"),
        ("datatype mismatch", "SQLITE_MISMATCH", "datatype mismatch"),
    ],
)
def test_what_sqlite_says_is_kept_without_values_of_rows(text: str, name: str, kept: str) -> None:
    assert without_values(text, name) == kept


@pytest.mark.parametrize("winerror", [32, 33])
def test_a_file_that_windows_says_is_open_is_in_use_and_not_denied(
    winerror: int, path: Path
) -> None:
    for translating in (translated, translated_journal):
        with pytest.raises(LockedError) as caught, translating("replace", path):
            raise in_use(winerror, path)
        assert "Close the program" in caught.value.hint


def test_a_disk_that_can_only_be_read_is_told_from_missing_rights(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = OSError(errno.EROFS, "Read-only file system", str(path))
    assert from_os(refused, "write", path).hint == ACCESS_HINT
    if not hasattr(os, "statvfs"):
        pytest.skip("this system does not say how a disk is mounted")
    mounted = SimpleNamespace(f_flag=os.ST_RDONLY)
    monkeypatch.setattr(os, "statvfs", lambda _path: mounted)
    assert from_os(refused, "write", path).hint == READ_ONLY_HINT
    with pytest.raises(AccessDeniedError) as raised, translated("read", path):
        sqlite3.connect(f"{path.parent.as_uri()}/none.db?mode=ro", uri=True)
    assert raised.value.hint == READ_ONLY_HINT
