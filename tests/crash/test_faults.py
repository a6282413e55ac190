"""A disk that is full or broken, names that can't be changed: said clearly, and nothing is lost."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.crash import program
from tests.crash.program import SYNCS, Call, spread
from tests.crash.scene import Scene, content

pytestmark = pytest.mark.usefixtures("strace")

MOMENTS = 5
DONE, DENIED, UNAVAILABLE, NO_SPACE = 0, 12, 30, 31


@dataclass(frozen=True)
class Fault:
    """What goes wrong, at which of the program's calls, and how the program may end then."""

    names: tuple[str, ...]
    how: str
    codes: frozenset[int]

    def at(self, call: Call) -> str:
        """Return the fault in strace's words."""
        return f"{call.name}:{self.how.format(call.number)}"


FAULTS = {
    # From some moment on nothing more fits; at the last moments there is no need to.
    "full disk": Fault(("pwrite64",), "error=ENOSPC:when={}+", frozenset({DONE, NO_SPACE})),
    "no room for a small file": Fault(("write",), "error=ENOSPC:when={}", frozenset({NO_SPACE})),
    # SQLite passes over a folder that can't be synced; everything else is told.
    "broken disk": Fault(SYNCS, "error=EIO:when={}", frozenset({DONE, UNAVAILABLE})),
    "names that can't be changed": Fault(
        ("rename", "renameat", "renameat2"), "error=EXDEV:when={}", frozenset({UNAVAILABLE})
    ),
    "no hard links": Fault(("link", "linkat"), "error=EPERM:when={}", frozenset({DONE})),
    "too many open files": Fault(
        ("openat",), "error=EMFILE:when={}", frozenset({DONE, DENIED, UNAVAILABLE})
    ),
}


def moments(scene: Scene, fault: Fault, *arguments: str) -> list[Call]:
    """Return some of the calls of a command that a fault can meet."""
    seen = program.calls(scene.folder, fault.names, *arguments)
    return spread([call for call in seen if call.worked], MOMENTS)


@pytest.mark.parametrize("name", FAULTS)
def test_a_migration_that_fails_leaves_no_target_and_works_again(
    name: str, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    fault = FAULTS[name]
    undisturbed = Scene(tmp_path / "undisturbed")
    for number, call in enumerate(moments(undisturbed, fault, *undisturbed.migrate)):
        with subtests.test(str(call)):
            scene = Scene(tmp_path / str(number))
            done = scene.run_faulty(fault.at(call), fault.codes, *scene.migrate)
            assert scene.target.exists() == done
            scene.require_source_untouched()
            scene.snapshots()

            scene.run_well(*scene.migrate, *(["--overwrite"] if done else []))
            assert content(scene.target) == content(undisturbed.target)
            scene.require_source_untouched()
            scene.require_abandoned([])
            scene.require_tidy()


@pytest.mark.parametrize("name", FAULTS)
def test_a_backup_that_fails_lists_nothing_wrong_and_works_again(
    name: str, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    fault = FAULTS[name]
    undisturbed = Scene(tmp_path / "undisturbed")
    for number, call in enumerate(moments(undisturbed, fault, *undisturbed.backup)):
        with subtests.test(str(call)):
            scene = Scene(tmp_path / str(number))
            done = scene.run_faulty(fault.at(call), fault.codes, *scene.backup)
            listed = scene.snapshots()
            assert listed or not done
            scene.require_source_untouched()

            scene.run_well(*scene.backup)
            now = scene.snapshots()
            assert len(now) == len(listed) + 1
            assert {content(Path(snapshot.place)) for snapshot in now} == {content(scene.source)}
            scene.require_abandoned([])
            scene.require_tidy()


@pytest.mark.parametrize("name", FAULTS)
def test_a_restore_that_fails_leaves_the_old_database_or_the_snapshot_and_works_again(
    name: str, changed_since: Path, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    fault = FAULTS[name]
    old = content(changed_since / "junmai.db")
    undisturbed = Scene(tmp_path / "undisturbed", like=changed_since)
    for number, call in enumerate(moments(undisturbed, fault, *undisturbed.restore)):
        with subtests.test(str(call)):
            scene = Scene(tmp_path / str(number), like=changed_since)
            (wanted,) = scene.snapshots()
            new = Path(wanted.place).read_bytes()
            done = scene.run_faulty(fault.at(call), fault.codes, *scene.restore)
            switched = scene.source.read_bytes() == new
            assert switched or not done
            assert content(scene.source) == (content(Path(wanted.place)) if switched else old)
            assert not switched or old in scene.ways_back()

            scene.run_well(*scene.restore)
            assert scene.source.read_bytes() == new
            assert old in scene.ways_back()
            scene.require_abandoned([])
            scene.require_tidy()
