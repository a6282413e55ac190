"""Claims about the plan: every object of the source is accounted for, or nothing is done."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junmai_svc.service.plan import (
    FIRST_TABLES,
    MOST_COLUMNS,
    Defaults,
    MigrationPlan,
    in_order,
    plan_migration,
)
from junmai_svc.storage.databases.mapping import ColumnPair, Rule
from junmai_svc.storage.databases.names import fold
from junmai_svc.storage.databases.schema import Index, Schema, Table, read_schema
from junmai_svc.storage.errors import PlanError
from junmai_svc.storage.models.junmai import definitions, target_schema

TARGET = (
    "CREATE TABLE sessions (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
    """CREATE TABLE photos (id INTEGER NOT NULL PRIMARY KEY, path TEXT NOT NULL UNIQUE,
 session_id INTEGER REFERENCES sessions (id), best BOOLEAN, score REAL DEFAULT 2.5)""",
    "CREATE INDEX idx_photos_session ON photos (session_id)",
    "CREATE TABLE jobs (id TEXT PRIMARY KEY, priority INTEGER NOT NULL DEFAULT 3)",
    "CREATE INDEX idx_jobs ON jobs (priority)",
)
OLD_PHOTOS = "CREATE TABLE photos (id INTEGER NOT NULL PRIMARY KEY, path TEXT NOT NULL UNIQUE)"
DEFAULTS: Defaults = {"photos": {"best": "0"}}


def schema(*statements: str) -> Schema:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)
        return read_schema(database)


def plan(*source: str, target: Sequence[str] = TARGET) -> MigrationPlan:
    return plan_migration(schema(*source), schema(*target), DEFAULTS)


def notes(planned: MigrationPlan) -> list[str]:
    return [f"{note.subject} {note.text}" for note in planned.notes]


def column(planned: MigrationPlan, table: str, name: str) -> ColumnPair:
    (found,) = (
        pair
        for each in planned.tables
        if each.name == table
        for pair in each.columns
        if pair.target.name == name
    )
    return found


# Order


def test_the_replaced_tools_six_tables_come_first_in_its_order() -> None:
    planned = [table.name for table in in_order(target_schema())]
    assert tuple(planned[:6]) == FIRST_TABLES
    assert set(planned[6:]) == {
        "desktop_notifications",
        "push_subscriptions",
        "photo_groups",
        "ab_tests",
        "ab_test_assignments",
    }
    assert planned.index("ab_tests") < planned.index("ab_test_assignments")


def test_carried_tables_come_last_in_the_order_of_their_creation() -> None:
    planned = plan("CREATE TABLE z (a)", "CREATE TABLE a (a REFERENCES z)", *TARGET)
    assert [table.name for table in planned.tables][-2:] == ["z", "a"]


@st.composite
def graphs(draw: st.DrawFn) -> list[str]:
    """Tables that refer only to earlier ones, created in any order."""
    count = draw(st.integers(1, 7))
    tables = []
    for number in range(count):
        parents = draw(st.sets(st.integers(0, number)))
        keys = "".join(f", p{parent} REFERENCES T{parent} (id)" for parent in sorted(parents))
        tables.append(f"CREATE TABLE t{number} (id INTEGER PRIMARY KEY{keys})")
    return draw(st.permutations(tables))


@settings(deadline=None)
@given(graphs())
def test_parents_come_before_children_whatever_the_order_of_creation(tables: list[str]) -> None:
    ordered = in_order(schema(*tables))
    assert len(ordered) == len(tables)
    seen: set[str] = set()
    for table in ordered:
        seen.add(fold(table.name))
        assert {fold(key.parent) for key in table.foreign_keys} <= seen


def test_parents_of_one_child_come_in_the_order_in_which_it_names_them() -> None:
    """Not in one that changes from process to process, as that of a set does."""
    parents = [f"p{number}" for number in (3, 1, 7, 5, 0, 6, 2, 4)]
    keys = ", ".join(f"{parent} REFERENCES {parent}" for parent in parents)
    tables = [f"CREATE TABLE {parent} (id)" for parent in sorted(parents)]
    ordered = in_order(schema(f"CREATE TABLE child ({keys})", *tables))
    assert [table.name for table in ordered] == [*parents, "child"]


def test_a_circle_of_tables_is_taken_in_the_order_of_creation() -> None:
    circle = schema(
        "CREATE TABLE b (x REFERENCES a)", "CREATE TABLE a (x REFERENCES b)", "CREATE TABLE c (x)"
    )
    assert [table.name for table in in_order(circle)] == ["b", "a", "c"]


# Tables and columns that the target knows


def test_a_column_of_both_is_copied() -> None:
    planned = plan(*TARGET)
    assert planned.notes == ()
    assert planned.carried == ()
    for table in planned.tables:
        assert not table.carried
        assert not table.keeps_rowid
        assert all(pair.source == pair.target and pair.rule is None for pair in table.columns)


def test_names_are_matched_as_sqlite_compares_them() -> None:
    planned = plan(OLD_PHOTOS.replace("photos", "PHOTOS").replace("path", "Path"))
    pair = column(planned, "photos", "path")
    assert pair.source is not None
    assert pair.source.name == "Path"
    assert planned.carried == ()


def test_a_new_column_is_filled_by_its_declared_default_else_sqlites_else_null() -> None:
    planned = plan(OLD_PHOTOS)
    assert column(planned, "photos", "best").rule == Rule("0", "new column")
    assert column(planned, "photos", "score").rule == Rule("2.5", "new column")
    assert column(planned, "photos", "session_id").rule == Rule("NULL", "new column")
    assert column(planned, "photos", "path").rule is None


def test_a_table_that_is_new_has_no_rules_as_it_has_no_rows() -> None:
    planned = plan(OLD_PHOTOS)
    (jobs,) = (table for table in planned.tables if table.name == "jobs")
    assert jobs.source is None
    assert jobs.columns == tuple(ColumnPair(each) for each in jobs.target.columns)


def test_a_required_column_with_a_default_is_filled_with_it() -> None:
    planned = plan("CREATE TABLE jobs (id TEXT PRIMARY KEY)")
    assert column(planned, "jobs", "priority").rule == Rule("3", "new column")


@pytest.mark.parametrize("default", ["", " DEFAULT NULL", " DEFAULT null"])
def test_a_required_column_without_a_value_stops_the_plan(default: str) -> None:
    target = [f"CREATE TABLE sessions (id INTEGER PRIMARY KEY, name TEXT NOT NULL{default})"]
    with pytest.raises(PlanError, match=r"sessions\.name must have a value") as caught:
        plan("CREATE TABLE Sessions (id INTEGER PRIMARY KEY)", target=target)
    assert "Add the column to the source's table Sessions" in caught.value.hint


def test_the_order_of_columns_is_the_targets() -> None:
    source = "CREATE TABLE sessions (name TEXT NOT NULL, id INTEGER PRIMARY KEY)"
    (sessions, *_) = plan(source).tables
    assert [pair.target.name for pair in sessions.columns] == ["id", "name"]


# Columns that the target lacks


def test_columns_without_a_place_stop_the_plan_and_all_are_named() -> None:
    with pytest.raises(PlanError) as caught:
        plan(
            OLD_PHOTOS.replace("UNIQUE)", "UNIQUE, rating INTEGER, [my notes] TEXT)"),
            "CREATE TABLE jobs (id TEXT PRIMARY KEY, priority INTEGER NOT NULL, owner)",
        )
    assert "photos.rating, photos.my notes, jobs.owner" in caught.value.message
    assert "nothing was migrated" in caught.value.message


@pytest.mark.parametrize(
    "extra",
    [
        ["ALTER TABLE photos ADD COLUMN rating"],
        ["ALTER TABLE photos ADD COLUMN [select ;--]"],
        ['ALTER TABLE photos ADD COLUMN "写""真"'],
        ["ALTER TABLE photos ADD COLUMN rating", "CREATE INDEX i ON photos (path, rating)"],
        ["ALTER TABLE photos ADD COLUMN rating", 'CREATE INDEX "i""i" ON photos (Rating)'],
        ["ALTER TABLE photos ADD COLUMN rating AS (path || 'x')"],
        ["ALTER TABLE photos ADD COLUMN a", "ALTER TABLE photos ADD COLUMN b"],
    ],
)
def test_the_remedy_that_is_told_works_and_loses_no_value(extra: list[str]) -> None:
    """As often as it is told, and then the plan is accepted."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        for statement in (OLD_PHOTOS, *extra, "INSERT INTO photos (id, path) VALUES (7, 'p')"):
            database.execute(statement)
        lost = read_schema(database).tables[0].columns[2:]
        while True:
            try:
                planned = plan_migration(read_schema(database), schema(*TARGET), DEFAULTS)
            except PlanError as refused:
                database.executescript(refused.hint[refused.hint.index("CREATE TABLE") :])
            else:
                break
        tables = [name.removeprefix("table ") for name in planned.carried]
        assert tables == [f"photos_{each.name}" for each in lost]
        for name in tables:
            quoted = name.replace('"', '""')
            assert database.execute(f'SELECT id FROM "{quoted}"').fetchall() == [(7,)]


# Objects that the target does not know


def test_what_the_target_does_not_know_is_carried_over_and_named() -> None:
    source = (
        *TARGET,
        "CREATE TABLE extra (a TEXT, b)",
        "CREATE INDEX extra_a ON extra (a)",
        "CREATE INDEX photos_by_path ON photos (path DESC)",
        "CREATE VIEW best AS SELECT * FROM photos WHERE best",
        "CREATE TRIGGER tidy AFTER DELETE ON photos BEGIN DELETE FROM jobs; END",
        "CREATE VIRTUAL TABLE search USING fts5(title)",
    )
    planned = plan(*source)
    shadows = [f"table search_{part}" for part in ("data", "idx", "content", "docsize", "config")]
    assert list(planned.carried) == [
        "table extra",
        *shadows,
        "index photos_by_path",
        "virtual table search",
        "view best",
        "trigger tidy",
    ]
    whole = schema(*source)
    assert planned.views == whole.views
    assert planned.triggers == whole.triggers
    assert planned.virtual_tables == whole.virtual_tables
    assert {index.name for index in planned.indexes} == {
        "extra_a",
        "photos_by_path",
        "idx_photos_session",
        "idx_jobs",
    }
    (extra,) = (table for table in planned.tables if table.name == "extra")
    assert extra.carried
    assert extra.source == extra.target == whole.table("extra")
    assert all(pair.source == pair.target for pair in extra.columns)


@pytest.mark.parametrize(
    ("table", "keeps"),
    [
        ("CREATE TABLE t (a)", True),
        ("CREATE TABLE t (a TEXT PRIMARY KEY)", True),
        ("CREATE TABLE t (a INTEGER PRIMARY KEY DESC)", True),
        ("CREATE TABLE t (a INTEGER PRIMARY KEY)", False),
        ("CREATE TABLE t (a PRIMARY KEY) WITHOUT ROWID", False),
        ("CREATE TABLE t (rowid, _rowid_, oid)", False),
    ],
)
def test_rowids_that_are_no_column_are_carried_over_where_they_have_a_name(
    table: str, keeps: bool
) -> None:
    assert plan(table).tables[-1].keeps_rowid is keeps


def test_rowids_for_which_there_is_no_room_are_noted() -> None:
    columns = [f"c{number}" for number in range(MOST_COLUMNS)]
    widest = plan(f"CREATE TABLE t ({', '.join(columns)})")
    assert not widest.tables[-1].keeps_rowid
    assert "t has too many columns for its rowids to be carried over" in notes(widest)
    fits = plan(f"CREATE TABLE t ({', '.join(columns[1:])})")
    assert fits.tables[-1].keeps_rowid
    assert not any("too many" in note for note in notes(fits))


def test_what_is_expected_is_what_will_be_there() -> None:
    source = [OLD_PHOTOS, "PRAGMA user_version = 7", "CREATE INDEX mine ON photos (path)"]
    source += ["CREATE TABLE extra (a)", "CREATE VIEW v AS SELECT 1"]
    planned = plan(*source)
    target = schema(*TARGET)
    assert planned.expected.settings == schema(*source).settings
    assert planned.expected.views == planned.views
    assert planned.expected.tables == tuple(table.target for table in planned.tables)
    photos = planned.expected.table("photos")
    own = target.table("photos")
    assert photos is not None
    assert own is not None
    assert [index.name for index in photos.indexes if index.sql] == ["idx_photos_session", "mine"]
    assert replace(photos, indexes=own.indexes) == own


# Names that clash


@pytest.mark.parametrize(
    ("source", "kind", "other"),
    [
        (["CREATE VIEW Photos AS SELECT 1"], "view Photos", "table photos"),
        (["CREATE VIRTUAL TABLE jobs USING fts5(a)"], "virtual table jobs", "table jobs"),
        (["CREATE TABLE idx_jobs (a)"], "table idx_jobs", "index idx_jobs"),
        (["CREATE VIEW IDX_JOBS AS SELECT 1"], "view IDX_JOBS", "index idx_jobs"),
        (
            ["CREATE TABLE extra (a)", "CREATE INDEX idx_jobs ON extra (a)"],
            "index idx_jobs",
            "index idx_jobs",
        ),
        (
            ["CREATE TABLE extra (a)", "CREATE INDEX jobs ON extra (a)"],
            "index jobs",
            "table jobs",
        ),
        (
            [OLD_PHOTOS, "CREATE INDEX idx_jobs ON photos (path)"],
            "index idx_jobs",
            "index idx_jobs",
        ),
        ([OLD_PHOTOS, "CREATE INDEX jobs ON photos (path)"], "index jobs", "table jobs"),
    ],
)
def test_a_name_that_the_target_needs_itself_stops_the_plan(
    source: list[str], kind: str, other: str
) -> None:
    with pytest.raises(PlanError) as caught:
        plan(*source)
    assert caught.value.message == f"The source's {kind} has the name of the target's {other}"
    assert caught.value.hint.startswith(f"Rename the {kind.rsplit(' ', 1)[0]} in the source")


def test_a_trigger_may_have_the_name_of_a_table() -> None:
    trigger = "CREATE TRIGGER jobs AFTER DELETE ON photos BEGIN SELECT 1; END"
    assert plan(OLD_PHOTOS, trigger).carried == ("trigger jobs",)


# Notes


def test_a_source_without_any_known_table_is_told() -> None:
    planned = plan("CREATE TABLE other (a)")
    assert notes(planned) == [
        "source holds no table of the target schema; all it has is carried over"
    ]
    assert plan(OLD_PHOTOS).notes == ()


@pytest.mark.parametrize(
    ("source", "note"),
    [
        (
            ["CREATE TABLE jobs (id TEXT PRIMARY KEY, priority TEXT NOT NULL)"],
            "jobs.priority is declared INTEGER, was TEXT",
        ),
        (
            ["CREATE TABLE jobs (id TEXT PRIMARY KEY, priority NOT NULL)"],
            "jobs.priority is declared INTEGER, was (no type)",
        ),
        (
            ["CREATE TABLE jobs (id TEXT PRIMARY KEY, priority INTEGER AS (1))"],
            "jobs.priority was computed and becomes a stored value",
        ),
        (
            ["CREATE TABLE sessions (id INTEGER PRIMARY KEY, name TEXT, UNIQUE (name, id))"],
            "sessions UNIQUE (name, id) is not in the target schema",
        ),
        (
            ["CREATE TABLE sessions (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)"],
            "sessions AUTOINCREMENT is not in the target schema; its mark is dropped",
        ),
        (
            ["CREATE TABLE sessions (id INTEGER PRIMARY KEY, name TEXT CHECK (name <> ''))"],
            "sessions CHECK (name <> '') is not in the target schema",
        ),
        (
            ["CREATE TABLE sessions (id INTEGER PRIMARY KEY, name TEXT REFERENCES sessions (id))"],
            "sessions FOREIGN KEY (name) is not in the target schema",
        ),
        (
            ["CREATE TABLE sessions (id INTEGER PRIMARY KEY, name TEXT DEFAULT 'x')"],
            "sessions.name loses its DEFAULT 'x'",
        ),
        (
            [OLD_PHOTOS.replace("UNIQUE)", "UNIQUE, best BOOLEAN NOT NULL)")],
            "photos.best may be NULL from now on",
        ),
        ([TARGET[3], "CREATE INDEX idx_jobs ON jobs (id)"], "index idx_jobs is replaced"),
        (
            [TARGET[3], "CREATE INDEX idx_jobs ON jobs (priority DESC)"],
            "index idx_jobs is replaced",
        ),
        ([TARGET[3], "CREATE UNIQUE INDEX idx_jobs ON jobs (priority)"], "index idx_jobs is"),
        ([TARGET[3], "CREATE INDEX idx_jobs ON jobs (priority) WHERE id"], "index idx_jobs is"),
        ([TARGET[3], "CREATE INDEX Idx_Jobs ON jobs (priority + 1)"], "index Idx_Jobs is replaced"),
    ],
)
def test_what_of_a_known_table_the_target_does_otherwise_is_noted(
    source: list[str], note: str
) -> None:
    (told,) = notes(plan(*source))
    assert told.startswith(note)


@pytest.mark.parametrize(
    "source",
    [
        ["CREATE TABLE jobs (id text PRIMARY KEY, priority integer NOT NULL)"],
        [TARGET[3], 'CREATE INDEX "IDX_JOBS" on Jobs ([priority])'],
        [OLD_PHOTOS],
        [OLD_PHOTOS.replace(" UNIQUE)", ", UNIQUE (Path))")],
    ],
)
def test_what_is_only_written_otherwise_is_not_noted(source: list[str]) -> None:
    assert notes(plan(*source)) == []


def test_statistics_that_can_not_be_carried_over_are_noted() -> None:
    source = replace(schema(OLD_PHOTOS), internal_tables=("sqlite_stat1", "sqlite_stat4"))
    planned = plan_migration(source, schema(*TARGET), DEFAULTS)
    assert notes(planned) == ["sqlite_stat4 is not carried over; ANALYZE makes it anew"]


def test_a_plan_is_a_value_that_is_equal_for_equal_sources() -> None:
    source = (OLD_PHOTOS, "CREATE TABLE extra (a)", "CREATE VIEW v AS SELECT 1")
    assert plan(*source) == plan(*source)
    assert plan(*source) != plan(*source[:2])


# The law: every object ends as copied, carried or noted, or the plan raises


PHOTO_COLUMNS = ("session_id INTEGER", "best BOOLEAN", "score REAL", "score TEXT", "rating INT")
NAMES = st.sampled_from(
    ["extra", "Extra2", "写真", "idx_jobs", "jobs", "photos", "sessions", "v w"]
)


@st.composite
def sources(draw: st.DrawFn) -> list[str]:
    """Statements for a database that shares some of its objects with the target."""
    statements = []
    known = draw(st.booleans())
    if known:
        columns = draw(st.lists(st.sampled_from(PHOTO_COLUMNS), unique_by=lambda c: c.split()[0]))
        unique = draw(st.sampled_from(["", " UNIQUE"]))
        inside = ", ".join(["id INTEGER NOT NULL PRIMARY KEY", f"path TEXT{unique}", *columns])
        statements.append(f"CREATE TABLE {draw(st.sampled_from(['photos', 'PHOTOS']))} ({inside})")
    for number in range(draw(st.integers(0, 2))):
        name = draw(NAMES)
        key = draw(st.sampled_from(["a INTEGER PRIMARY KEY", "a PRIMARY KEY", "a UNIQUE", "a"]))
        end = draw(st.sampled_from(["", " WITHOUT ROWID"] if key == "a PRIMARY KEY" else [""]))
        statements.append(f'CREATE TABLE "{name}" ({key}, b){end}')
        if draw(st.booleans()):
            index = draw(NAMES | st.just(f"i{number}"))
            statements.append(f'CREATE INDEX "{index}" ON "{name}" (b, a)')
    if known and draw(st.booleans()):
        index = draw(NAMES | st.just("idx_photos_session") | st.just("mine"))
        unique = draw(st.sampled_from(["", "UNIQUE "]))
        statements.append(f'CREATE {unique}INDEX "{index}" ON photos (path)')
    if draw(st.booleans()):
        statements.append(f'CREATE VIEW "{draw(NAMES)}" AS SELECT 1')
    if known and draw(st.booleans()):
        trigger = f'CREATE TRIGGER "{draw(NAMES)}" AFTER DELETE ON photos BEGIN SELECT 1; END'
        statements.append(trigger)
    if draw(st.booleans()):
        statements.append("CREATE VIRTUAL TABLE search USING fts5(title)")
    return statements


def valid(statements: Sequence[str]) -> Schema | None:
    try:
        return schema(*statements)
    except sqlite3.OperationalError:
        return None  # two objects of one name, which SQLite refuses itself


@settings(max_examples=150, deadline=None)
@given(sources().map(valid).filter(lambda found: found is not None))
def test_every_object_of_the_source_is_accounted_for_or_the_plan_raises(source: Schema) -> None:
    target = schema(*TARGET)
    if has_no_place_for(source, target):
        with pytest.raises(PlanError):
            plan_migration(source, target, DEFAULTS)
        return
    planned = plan_migration(source, target, DEFAULTS)
    told = set(planned.carried)
    noted = " ".join(notes(planned))
    for table in source.tables:
        (pair,) = (each for each in planned.tables if each.source is table)
        assert pair.carried is (f"table {table.name}" in told)
        assert pair.carried is (target.table(table.name) is None)
        copied = [each.source for each in pair.copied]
        assert sorted(copied, key=repr) == sorted(table.columns, key=repr)
        for index in table.indexes:
            made = index in planned.indexes
            same = index.origin != "c" and has_unique(pair.target, index.columns)
            assert made or same or f"index {index.name} " in noted or is_noted(index, noted)
            if made and not pair.carried and index not in planned_indexes_of(target):
                assert f"index {index.name}" in told
    for kind, given_, kept in (
        ("view", source.views, planned.views),
        ("trigger", source.triggers, planned.triggers),
        ("virtual table", source.virtual_tables, planned.virtual_tables),
    ):
        assert given_ == kept
        assert {f"{kind} {each.name}" for each in given_} <= told
    assert planned.expected.settings == source.settings
    assert can_be_made(planned)


def has_no_place_for(source: Schema, target: Schema) -> bool:
    """A known table has a column too many, or what is carried over has a name that is needed."""
    needed = {fold(table.name) for table in target.tables}
    needed |= {fold(index.name) for table in target.tables for index in table.indexes}
    carried = [each.name for each in (*source.views, *source.virtual_tables)]
    for table in source.tables:
        kept = target.table(table.name)
        if kept is None:
            carried.append(table.name)
        elif any(kept.column(each.name) is None for each in table.columns):
            return True
        own = {fold(index.name) for index in kept.indexes} if kept else set()
        carried += [i.name for i in table.indexes if i.sql and fold(i.name) not in own]
    return any(fold(name) in needed for name in carried)


def is_noted(index: Index, noted: str) -> bool:
    columns = ", ".join(column.name or "" for column in index.columns)
    return index.origin == "u" and f"UNIQUE ({columns}) is not in the target" in noted


def has_unique(table: Table, columns: object) -> bool:
    return any(index.unique and index.columns == columns for index in table.indexes)


def planned_indexes_of(target: Schema) -> list[object]:
    return [index for table in target.tables for index in table.indexes]


def can_be_made(planned: MigrationPlan) -> bool:
    """SQLite makes all that is planned, in the planned order, and reads it as expected."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        for sql in made_by(planned):
            database.execute(sql)
        made = read_schema(database)
    tables = {table.name: table for table in made.tables}
    return all(tables[table.name] == table for table in planned.expected.tables)


def made_by(planned: MigrationPlan) -> Iterator[str]:
    yield from (table.target.sql for table in planned.tables)
    yield from (index.sql or "" for index in planned.indexes)
    yield from (definition.sql for definition in (*planned.views, *planned.triggers))


@pytest.mark.parametrize("missing", range(12))
def test_the_current_schema_is_planned_with_any_one_table_missing(missing: int) -> None:
    """Nothing changes, and the table that is absent will be an empty one."""
    target = target_schema()
    kept = [table for number, table in enumerate(target.tables) if number != missing]
    defaults = {name: definition.defaults for name, definition in definitions().items()}
    planned = plan_migration(replace(target, tables=tuple(kept)), target, defaults)
    assert planned.expected.tables == tuple(in_order(target))
    assert planned.carried == ()
    assert planned.notes == ()
    assert [table.name for table in planned.tables if table.source is None] == [
        table.name for table in target.tables if table not in kept
    ]
