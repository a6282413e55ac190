"""Odd but valid tables, each an SQL script under the name of what is odd about it."""

from pathlib import Path

from tests.harness.databases import change, make_oldest, objects

COLUMNS = 2_000  # the most that SQLite allows

ODD = {
    "WITHOUT ROWID, a key of two columns": """
        CREATE TABLE places (x TEXT, y INTEGER, note, PRIMARY KEY (y DESC, x)) WITHOUT ROWID;
        INSERT INTO places VALUES ('b', 2, NULL), ('a', 2, x''), ('a', -1, '');
    """,
    "STRICT": """
        CREATE TABLE strict_ones (i INT, r REAL, t TEXT, b BLOB, a ANY, n INTEGER) STRICT;
        INSERT INTO strict_ones VALUES (1, 2, '3', x'04', '5', 6), (1, 2.0, '3', x'04', 5, NULL),
            (1, 2.5, '', x'', 5.0, -1), (NULL, NULL, NULL, NULL, NULL, NULL);
    """,
    "no key, equal rows": """
        CREATE TABLE keyless (a, b);
        INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (1.0, 'x'), (NULL, NULL), (NULL, NULL);
    """,
    "NULLs in a key": """
        CREATE TABLE null_keys (a TEXT, b INTEGER, c, PRIMARY KEY (a, b));
        INSERT INTO null_keys VALUES (NULL, 1, 'x'), (NULL, 1, 'y'), (NULL, NULL, 'x'),
            ('a', NULL, 'x'), ('a', NULL, 'x'), ('a', 1, NULL);
    """,
    "generated columns": """
        CREATE TABLE computed (a INTEGER PRIMARY KEY, b AS (a * 2) VIRTUAL NOT NULL, c TEXT,
            d TEXT AS (upper(c)) STORED, e AS (b + 1));
        CREATE UNIQUE INDEX computed_b ON computed (b);
        INSERT INTO computed (a, c) VALUES (1, 'x'), (2, NULL), (-5, 'ß');
    """,
    "references to itself": """
        CREATE TABLE nodes (id INTEGER PRIMARY KEY, up REFERENCES nodes (id) ON DELETE CASCADE);
        INSERT INTO nodes VALUES (1, 2), (2, 3), (3, 3), (4, NULL);
    """,
    "a cycle of references": """
        CREATE TABLE hens (id INTEGER PRIMARY KEY, egg REFERENCES eggs DEFERRABLE);
        CREATE TABLE eggs (id INTEGER PRIMARY KEY, hen REFERENCES hens ON UPDATE SET NULL);
        INSERT INTO hens VALUES (1, 2), (2, 1); INSERT INTO eggs VALUES (1, 2), (2, 1);
    """,
    "the ends of the numbers": """
        CREATE TABLE numbers (v, r REAL, i INTEGER);
        INSERT INTO numbers VALUES (-9223372036854775808, -0.0, 9223372036854775807),
            (9e999, -9e999, 9007199254740993), (5e-324, 1.7976931348623157e308, 9007199254740992.0),
            (-0.0, 0.0, 0), (0.1 + 0.2, 0.3, 1e18), (1e19, 1e15, 'not a number');
    """,
    "values of other classes than declared": """
        CREATE TABLE loose (i INTEGER, t TEXT, b BLOB, d DATETIME, z DECIMAL(10, 2), n NUMERIC);
        INSERT INTO loose VALUES ('05', 5, 5, '2025-01-01T00:00:00+09:00', '1.50', '1e3'),
            ('no', x'00ff', '5', 'yesterday', 1.5, 'x'),
            (1.5, 'ends with space ', 5.0, 0, 2, x'31');
    """,
    "text that is no UTF-8": """
        CREATE TABLE bytes_as_text (id INTEGER PRIMARY KEY, t TEXT, k TEXT UNIQUE);
        INSERT INTO bytes_as_text VALUES (1, CAST(x'ff' AS TEXT), CAST(x'c328' AS TEXT)),
            (2, CAST(x'eda080' AS TEXT), CAST(x'fe' AS TEXT)), (3, x'ff', NULL);
    """,
    "NULs inside text": """
        CREATE TABLE nuls (t TEXT PRIMARY KEY, u TEXT);
        INSERT INTO nuls VALUES ('a' || char(0) || 'b', char(0)), ('a' || char(0) || 'c', 'x'),
            (char(0), 'x' || char(0)), ('', '');
    """,
    "a blob and a text of 3 MB": """
        CREATE TABLE large (id INTEGER PRIMARY KEY, b BLOB, t TEXT);
        INSERT INTO large VALUES (1, zeroblob(3000000), NULL),
            (2, x'01', replace(hex(zeroblob(750000)), '00', 'ごみ'));
    """,
    "collations": """
        CREATE TABLE collated (a TEXT COLLATE NOCASE PRIMARY KEY, b TEXT COLLATE RTRIM, c TEXT);
        INSERT INTO collated VALUES ('A', 'x', 'b'), ('b', 'x  ', 'B'),
            ('É', ' x', 'a'), ('é', '', '');
        CREATE INDEX collated_c ON collated (c COLLATE NOCASE DESC, b);
    """,
    "partial, unique and expression indexes": """
        CREATE TABLE indexed (a, b, c UNIQUE ON CONFLICT REPLACE, UNIQUE (a, b));
        INSERT INTO indexed VALUES (1, 1, NULL), (1, 2, NULL), (2, 2, 'x'), (NULL, 2, 'y');
        CREATE UNIQUE INDEX indexed_some ON indexed (a) WHERE b = 1;
        CREATE INDEX indexed_expression ON indexed (abs(b) DESC, coalesce(c, 'none'));
    """,
    "keys that are no rowid": """
        CREATE TABLE int_key (a INT PRIMARY KEY, b); INSERT INTO int_key VALUES (2, 'x'), (1, 'y');
        CREATE TABLE down (a INTEGER PRIMARY KEY DESC, b); INSERT INTO down VALUES (5, 1), (7, 2);
    """,
    "columns named as the rowid is": """
        CREATE TABLE shadowed (rowid TEXT, _rowid_ TEXT, oid TEXT, "ROW ID" INTEGER);
        INSERT INTO shadowed VALUES ('a', 'b', 'c', 1), ('a', 'b', 'c', 1), (NULL, '', 'x', 2);
        CREATE TABLE half_shadowed (rowid TEXT, x);
        INSERT INTO half_shadowed (oid, x) VALUES (9, 1);
    """,
    "defaults and checks that compute": """
        CREATE TABLE declared (a INTEGER DEFAULT (abs(-3) + 1), b TEXT DEFAULT CURRENT_TIMESTAMP,
            c TEXT DEFAULT 'it''s', d CHECK (d <> 'x' OR length(a) > 2), e DEFAULT -0.5);
        INSERT INTO declared (d) VALUES ('y');
        INSERT INTO declared VALUES (NULL, NULL, '', '', x'');
    """,
    "names of every kind": '''
        CREATE TABLE "say ""hi""" ("a ""b""" INTEGER PRIMARY KEY, "it's" TEXT);
        INSERT INTO "say ""hi""" VALUES (1, 'x');
        CREATE TABLE "with space" (" " TEXT, "%s {0} $1 :x ?" TEXT);
        INSERT INTO "with space" VALUES ('a', 'b');
        CREATE TABLE "📷 写真" ("👩‍🚀" PRIMARY KEY, "é" , "É") WITHOUT ROWID;
        INSERT INTO "📷 写真" VALUES ('🌸', 1, 2);
        CREATE TABLE "select" ("from" TEXT, "where" TEXT, "order" INTEGER PRIMARY KEY,
            "group" REFERENCES "select");
        INSERT INTO "select" VALUES ('a', 'b', 1, NULL);
        CREATE INDEX "index" ON "select" ("order", "from");
        CREATE TABLE "a-b" (x); CREATE TABLE "a.b" (x); CREATE TABLE "a_b" (x);
        INSERT INTO "a-b" VALUES (1); INSERT INTO "a.b" VALUES (2); INSERT INTO "a_b" VALUES (3);
        CREATE TABLE "" ("" TEXT, "x
y" TEXT);
        INSERT INTO "" VALUES ('a', 'b');
        CREATE TABLE [square] (`back` TEXT, 'single' TEXT); INSERT INTO [square] VALUES (1, 2);
        CREATE TABLE "../up; DROP TABLE photos; --" (x);
        INSERT INTO "../up; DROP TABLE photos; --" VALUES (1);
    ''',
    "names that the program uses itself": """
        CREATE TABLE s (s, t, source, main, target, digest, surplus);
        INSERT INTO s VALUES (1, 2, 3, 4, 5, 6, 7);
        CREATE TABLE source (main INTEGER PRIMARY KEY, s); INSERT INTO source VALUES (1, 2);
        CREATE TABLE main (source TEXT PRIMARY KEY, t); INSERT INTO main VALUES ('x', 2);
        CREATE TABLE t (t PRIMARY KEY) WITHOUT ROWID; INSERT INTO t VALUES ('t');
        CREATE TABLE event (position); INSERT INTO event VALUES (1);
    """,
    "statements of other shapes": """
        CREATE TABLE copied AS SELECT 1 AS a, 'x' AS b, 2.5 AS c, x'00' AS d;
        create table/* a comment */untidy(a int not null on conflict ignore,-- and ); another
            b, constraint "c" primary key(a),check(b is not 'NOT NULL'));
        INSERT INTO untidy VALUES (1, 'not null');
        CREATE TABLE no_rows (a PRIMARY KEY, b);
    """,
    "references to what is not there": """
        CREATE TABLE hanging (a REFERENCES nowhere (x), b REFERENCES photos (file_path));
        INSERT INTO hanging VALUES (NULL, NULL), (NULL, 'D:/写真/IMG_00001.CR3');
    """,
    "AUTOINCREMENT": """
        CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, x);
        INSERT INTO counted VALUES (1000, 'gone'), (7, 'stays');
        DELETE FROM counted WHERE id = 1000;
        CREATE TABLE emptied (id INTEGER PRIMARY KEY AUTOINCREMENT, x);
        INSERT INTO emptied VALUES (-3, 'gone'), (41, 'gone'); DELETE FROM emptied;
    """,
    "as many columns as there may be": (
        f"CREATE TABLE wide ({', '.join(f'c{n}' for n in range(COLUMNS))});"
        f"INSERT INTO wide VALUES ({', '.join(str(n) for n in range(COLUMNS))});"
        f"INSERT INTO wide VALUES ({', '.join(repr(str(n)) for n in range(COLUMNS))});"
    ),
    "rowids that mean something": """
        CREATE TABLE notes (text TEXT); INSERT INTO notes (rowid, text) VALUES (7, 'seven'),
            (-3, 'before'), (9223372036854775807, 'last'), (100, 'seven');
    """,
}


def make_odd(path: Path) -> dict[str, list[str]]:
    """Make a Junmai database that holds all of them; return each one's tables."""
    make_oldest(path)
    tables: dict[str, list[str]] = {}
    seen = set(objects(path))
    for name, script in ODD.items():
        change(path, script)
        made = [key for key in objects(path) if key not in seen]
        tables[name] = [key.removeprefix("table ") for key in made if key.startswith("table ")]
        seen.update(made)
    return tables
