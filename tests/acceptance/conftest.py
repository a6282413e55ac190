"""What the acceptance tests share: the program, started in the test's own folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.harness.databases import make_oldest
from tests.harness.program import Program


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """The real program; what is still running at the end is killed."""
    started = Program(tmp_path)
    yield started
    started.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A database of the oldest schema, named as Junmai names it, in a folder of its own."""
    folder = tmp_path / "data"
    folder.mkdir()
    return make_oldest(folder / "junmai.db")


@pytest.fixture
def journal(program: Program, source: Path) -> Path:
    """The journal of two backups, published beside them."""
    program("backup", "--source", source)
    program("backup", "--source", source)
    return source.with_name("journal.db")


@pytest.fixture
def key(program: Program, journal: Path) -> Path:
    """The file of the journal's public key."""
    said = program("--journal", journal, "audit", "checkpoint", "--json").json
    path = journal.with_name("key.pub")
    path.write_text(said["key"] + "\n", encoding="ascii")
    return path
