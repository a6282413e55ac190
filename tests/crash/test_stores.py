"""Backups into a store of blocks, killed at any moment: every listed snapshot restores whole.

On disk the program is killed where it waits for the disk or names a file, on S3 before and after
each request that changes something.
"""

import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from tests.contracts import s3_server
from tests.contracts.faulty_server import FINE, Mishap, Plan, Request, in_front_of
from tests.crash import program
from tests.crash.program import NAMES, PUBLISHED, SYNCS, Call, moments
from tests.crash.scene import Scene, content

from junmai_svc.service.stores import Named, open_store

CHUNKS = 4
KILLED = -signal.SIGKILL if hasattr(signal, "SIGKILL") else 0
CHANGES = frozenset({"PUT", "POST", "DELETE"})


@pytest.fixture(autouse=True)
def _caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program.set_variable(monkeypatch, "XDG_CACHE_HOME", str(tmp_path / "cache"))


def restored(named: Named, scratch: Path) -> list[str]:
    """The contents of all snapshots of a store, each proven; none may be unreadable."""
    store = open_store(None, named, partial(datetime.now, UTC), create=True)
    with closing(store.backend):
        good, bad = store.snapshots()
        assert not bad
        contents = []
        for snapshot in good:
            image = scratch / f"{snapshot.name}.db"
            store.fetch(snapshot, image)
            contents.append(content(image))
            image.unlink()
        return contents


def change(database: Path, number: int) -> str:
    """Change some rows of a database and return its content."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("UPDATE photos SET rejection_reason = ? WHERE id % 7 = 0", (number,))
    return content(database)


@pytest.fixture(scope="module")
def blocks_moments(tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    scratch = tmp_path_factory.mktemp("blocks")
    scene = Scene(scratch / "scene")
    arguments = (*scene.backup, "--store", str(scene.folder / "store"))
    seen = program.calls(scene.folder, (*SYNCS, *NAMES), *arguments, publishing=True)
    worked = [call for call in seen if call.worked]
    working = [call for call in worked if PUBLISHED not in call.detail]
    publishing = [call for call in worked if PUBLISHED in call.detail]
    return [*moments(working, -(-len(working) // 2)), *moments(publishing, 4)]


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_killed_backup_into_blocks_lists_no_snapshot_or_the_right_one(
    chunk: int, blocks_moments: list[Call], tmp_path: Path, subtests: pytest.Subtests
) -> None:
    for number, call in enumerate(blocks_moments[chunk::CHUNKS]):
        with subtests.test(str(call)):
            scene = Scene(tmp_path / str(number))
            named = Named(str(scene.folder / "store"))
            arguments = (*scene.backup, "--store", named.address)
            rows = content(scene.source)
            scene.kill_at(call, *arguments)
            listed = restored(named, tmp_path)
            assert listed == [rows] * len(listed)
            scene.require_source_untouched()

            scene.run_well(*arguments)
            assert restored(named, tmp_path) == [rows] * (len(listed) + 1)
            scene.require_source_untouched()
            assert not list(tmp_path.glob("cache/junmai-svc/scratch/.*"))
            assert not list(scene.folder.glob(".*.partial"))


class Killer:
    """Kills the program at a request that changes something: before the server has it, or after."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.at, self.after = at, after
        self.seen = 0
        self.victim: subprocess.Popen[bytes] | None = None

    def decide(self, request: Request) -> Mishap:
        """Say what happens to a request."""
        if request.method not in CHANGES:
            return FINE
        self.seen += 1
        if self.seen != self.at:
            return FINE
        if self.after:
            return Mishap(then=self._kill)
        self._kill()
        return Mishap(forward=False, status=503)

    def _kill(self) -> None:
        assert self.victim is not None
        self.victim.kill()


def killed_at(
    at: int, server: str, arguments: Callable[[str], Sequence[str]], folder: Path, *, after: bool
) -> int:
    """Run the program in a folder, killed at a change if there are so many, to its end.

    `arguments` are told the URL by which it is to reach the server.
    """
    killer = Killer(at, after=after)
    with in_front_of(server, Plan(killer.decide)) as url, suppress(OSError):
        killer.victim = subprocess.Popen(
            [*program.PROGRAM, *arguments(url)],
            env=program.ENVIRONMENT,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        ended = killer.victim.wait(timeout=60)
    assert ended in (0, KILLED)
    return ended


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server.running() as url:
        yield url


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals, which Windows lacks")
@pytest.mark.parametrize("after", [False, True], ids=["before the server has it", "after"])
def test_a_backup_killed_at_a_request_leaves_every_listed_snapshot_whole(
    server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    subtests: pytest.Subtests,
    *,
    after: bool,
) -> None:
    for name, value in s3_server.ENVIRONMENT.items():
        program.set_variable(monkeypatch, name, value)
    for name in s3_server.FOREIGN:
        monkeypatch.delenv(name, raising=False)
    address = f"s3://{s3_server.make_bucket(server)}/blocks"
    direct = Named(address, endpoint_url=server)
    scene = Scene(tmp_path / "scene")
    kept = [content(scene.source)]
    scene.run_well(*scene.backup, "--store", address, "--endpoint-url", server)
    at, ended = 1, KILLED

    def arguments(url: str) -> tuple[str, ...]:
        return (*scene.backup, "--store", address, "--endpoint-url", url)

    while ended == KILLED:
        with subtests.test(request=at):
            new = change(scene.source, 100 * at + after)
            ended = killed_at(at, server, arguments, tmp_path, after=after)
            listed = restored(direct, tmp_path)
            assert listed in (kept, [new, *kept])
            kept = listed
        at += 1
    assert kept[0] == new  # the last run was not disturbed
    assert at > 4  # pack, map, pending, rename and its deletion
