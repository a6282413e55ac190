"""What comes out of a database can't steer a terminal."""

import sqlite3
from pathlib import Path

import pytest

from junmai_svc.service import preflight, report, views
from junmai_svc.service.printable import printable


def test_control_characters_are_spelled_out_wherever_they_are() -> None:
    found = printable({"a\x1b": ["\x1b[31m", {"k": "\x9b"}], "n": 5, "t": "撮影 😀"})
    assert found == {"a\\x1b": ["\\x1b[31m", {"k": "\\x9b"}], "n": 5, "t": "撮影 😀"}


def test_what_turns_the_direction_of_writing_is_spelled_out() -> None:
    assert printable("photo\u202egpj.db") == "photo\\u202egpj.db"
    for code in (0x061C, 0x200E, 0x200F, 0x2028, 0x2029, 0x202A, 0x202D, 0x2066, 0x2069):
        assert printable(f"a{chr(code)}b") == f"a\\u{code:04x}b"
    assert printable("👩\u200d💻 שלום") == "👩\u200d💻 שלום"


def test_an_escape_sequence_in_a_tables_name_is_shown_not_obeyed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "odd.db"
    connection = sqlite3.connect(database)
    connection.execute('CREATE TABLE "\x1b[2Jgone" (id)')
    connection.close()
    report.show_plan(views.plan_view(preflight.plan_for(database)))
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\\x1b[2Jgone" in shown
