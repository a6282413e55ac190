"""The claim that anybody can compute a table's digest: by the script of the documentation alone."""

import subprocess
import sys
from pathlib import Path

from tests.harness.databases import change, make_mixed, opened
from tests.harness.program import Program

SCRIPT = Path(__file__).parents[2] / "docs" / "table_digest.py"
ODD = """
CREATE TABLE "odd ""names"" ;--" (a, b INTEGER AS (a + 1), c REAL, PRIMARY KEY (a)) WITHOUT ROWID;
INSERT INTO "odd ""names"" ;--" (a, c) VALUES (1, -0.0), (2147483647, 1e300), (2147483648, 9e999),
    (-2147483648, NULL), (-2147483649, 0.1), (9223372036854775806, 5), (-9223372036854775808, 5);
CREATE TABLE plain (x);
INSERT INTO plain VALUES (1), (1), (1.0), ('1'), (x'31'), (NULL), (''), (x''), ('a' || char(0)),
    ('写真'), (CAST(x'ff41' AS TEXT)), (-0.0), (0);
CREATE TABLE none (x);
"""


def test_the_script_of_the_documentation_gives_the_recorded_digest_of_every_table(
    program: Program, tmp_path: Path
) -> None:
    source = change(make_mixed(tmp_path / "junmai.db"), ODD)
    said = program("migrate", "--source", source, "--json").json
    tables = {table["table"]: table["digest"] for table in said["tables"]}
    assert {'odd "names" ;--', "plain", "none", "photos"} <= set(tables)
    with opened(Path(said["target"])) as database:
        assert database.execute("SELECT count(*) FROM plain").fetchone() == (13,)
    for table, digest in tables.items():
        told = subprocess.run(
            [sys.executable, SCRIPT, said["target"], table],
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout.strip() == digest, table


def test_the_script_is_short_and_needs_nothing_but_python() -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("import")]
    assert len(lines) <= 40
    assert "junmai" not in text
