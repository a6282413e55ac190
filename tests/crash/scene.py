"""A folder with a database to work on, and what must be true in it whatever happened."""

import hashlib
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Container, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.crash import program
from tests.crash.program import Call, Ended

from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.events import Role, kind_of
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.snapshots.base import Snapshot
from junmai_svc.storage.snapshots.manifest import Reason
from junmai_svc.storage.snapshots.store import FileStore

SAMPLE = Path(__file__).parents[2] / "data" / "junmai.db"
SIDECARS = ("-wal", "-shm", "-journal")


@dataclass(frozen=True)
class Left:
    """An open stream of a dead run, and what must be found of the thing that it was making."""

    stream: str
    found: str


class Scene:
    """A folder with a source database, and the places where the program puts things by default.

    `like` is another scene's folder, of which this one is to be a copy.
    """

    def __init__(self, folder: Path, source: Path = SAMPLE, *, like: Path | None = None) -> None:
        if like is None:
            folder.mkdir()
        else:
            shutil.copytree(like, folder)
        self.folder = folder
        self.source = folder / "junmai.db"
        self.target = folder / "new.db"
        self.store = folder / "backups"
        self.journal = folder / "journal.db"
        if like is None:
            copy_database(source, self.source)
        self._source_bytes = self._bytes_of_source()

    @property
    def migrate(self) -> tuple[str, ...]:
        """The arguments of a migration from source to target."""
        return ("migrate", "--source", str(self.source), "--target", str(self.target))

    @property
    def backup(self) -> tuple[str, ...]:
        """The arguments of a backup of the source."""
        return ("backup", "--source", str(self.source))

    @property
    def restore(self) -> tuple[str, ...]:
        """The arguments of a restore of the newest backup over the source."""
        return ("restore", "latest", "--to", str(self.source))

    def run(self, *arguments: str) -> Ended:
        """Run the program here; it must end by itself and as it promises, never in a traceback."""
        ended = program.run(self.folder, *arguments)
        assert "Traceback" not in ended.err
        return ended

    def run_well(self, *arguments: str) -> Ended:
        """Run the program here, which must succeed."""
        ended = self.run(*arguments)
        assert ended.code == 0, ended.err
        return ended

    def run_faulty(self, fault: str, codes: Container[int], *arguments: str) -> bool:
        """Run the program with a fault and return whether it did what it was to do all the same.

        It must end with one of the codes and, where it failed, say what happened and what to do.
        """
        ended = program.run_with(fault, self.folder, *arguments)
        assert "Traceback" not in ended.err
        assert ended.code in codes, f"exit code {ended.code}: {ended.message}"
        if ended.code:
            assert re.fullmatch(r"Error: .+\nHint: .+", ended.message, re.DOTALL), ended.message
        return ended.code == 0

    def kill_at(self, call: Call, *arguments: str) -> None:
        """Run the program and kill it where it is about to make a call."""
        ended = program.kill_at(call, self.folder, *arguments)
        assert ended.code == -9, f"not killed at {call}"

    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots that are listed; each must be what its manifest says."""
        good, bad = FileStore(self.store).snapshots()
        assert not bad
        for snapshot in good:
            image = Path(snapshot.place).read_bytes()
            assert hashlib.sha256(image).hexdigest() == snapshot.manifest.checksum
            assert len(image) == snapshot.manifest.file_size
        return good

    def ways_back(self) -> list[str]:
        """Return the contents of all snapshots that were taken before a restore."""
        return [
            content(Path(snapshot.place))
            for snapshot in self.snapshots()
            if snapshot.manifest.reason is Reason.PRE_RESTORE
        ]

    def require_source_untouched(self) -> None:
        """The source's main file and the content of its -wal are what they were, byte for byte."""
        assert self._bytes_of_source() == self._source_bytes

    def require_tidy(self) -> None:
        """Nothing half-made is left: no staged file, no lock, no image without its manifest.

        Except what a backend was putting: a prune sweeps that after a day.
        """
        found = [path for path in self.folder.rglob("*.partial*") if path.name[:5] != ".put."]
        staged = [str(path) for path in found]
        locks = [str(path) for path in self.folder.glob("journal.db.runs/*-*.lock")]
        images = {path.stem for path in self.store.glob("*_backup_*.db")}
        odd = images ^ {path.stem for path in self.store.glob("*_backup_*.json")}
        assert not [*staged, *locks, *odd], f"left behind: {staged} {locks} {odd}"

    def left(self, *, done: bool) -> list[Left]:
        """Return what a dead run has left open in the journal, with what is there of its work.

        `done` says whether the target has become what the run was to make of it.
        """
        found = []
        listed = {snapshot.name for snapshot in self.snapshots()}
        for stream, events in self.streams().items():
            if _is_ended(events):
                continue
            said = {key: value for event in events for key, value in event.data.items()}
            if stream.startswith("backup/"):
                image = Path(said.get("image", "none.db"))
                complete, debris = image.stem in listed, image.exists()
                staged = image.with_name(f".{image.name}.partial")
            else:
                complete, debris = done, False
                staged = Path(said.get("staged", "none"))
            partial = debris or staged.exists()
            found.append(
                Left(stream, "complete" if complete else "partial" if partial else "absent")
            )
        return found

    def require_abandoned(self, left: list[Left]) -> None:
        """Every stream is ended; those that were left are so as abandoned, rightly described."""
        streams = self.streams()
        assert [stream for stream, events in streams.items() if not _is_ended(events)] == []
        for one in left:
            last = streams[one.stream][-1]
            assert last.type.endswith(".abandoned.v1"), one
            assert last.data["found"] == one.found, one

    def streams(self) -> Mapping[str, list[Event]]:
        """Return the operations in the journal, verified as they are read; none without it."""
        streams: dict[str, list[Event]] = {}
        if not self.journal.exists():
            return streams
        with tempfile.TemporaryDirectory() as scratch:
            # A copy, as a dead run's -wal is to be met by the program, not by this look at it.
            copy = Path(scratch) / "journal.db"
            copy_database(self.journal, copy)
            if not tables_of(copy):  # the crash came before the journal was one
                return streams
            with Journal.open(
                copy, create=False, actor="a@b", clock=lambda: datetime.now(UTC), tool_version="0"
            ) as journal:
                for event in journal.read():
                    if not event.stream.startswith(("journal/", "database/")):
                        streams.setdefault(event.stream, []).append(event)
        return streams

    def _bytes_of_source(self) -> tuple[bytes, bytes]:
        wal = self.source.with_name(f"{self.source.name}-wal")
        return self.source.read_bytes(), wal.read_bytes() if wal.exists() else b""


def copy_database(source: Path, copy: Path) -> None:
    """Copy a database that nobody has open, with what lies beside it."""
    for suffix in ("", *SIDECARS):
        beside = source.with_name(source.name + suffix)
        if beside.exists():
            shutil.copyfile(beside, copy.with_name(copy.name + suffix))


def content(path: Path) -> str:
    """Return all of a database as SQL; it must be sound and have nothing to be rolled back."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy.db"
        copy_database(path, copy)
        with closing(sqlite3.connect(copy)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            return "\n".join(database.iterdump())


def tables_of(path: Path) -> list[str]:
    """Return the names of a database's tables."""
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        return [name for (name,) in rows]


def _is_ended(events: list[Event]) -> bool:
    kind = kind_of(events[-1].type)
    assert kind is not None
    return kind.role is Role.TERMINAL
