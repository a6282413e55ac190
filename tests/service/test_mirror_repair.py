"""What a store lost or holds wrongly of a journal is noticed by its owner, and put right."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.harness.published import Scene, made

from junmai_svc.checks.proof import Answer
from junmai_svc.service.audit.keep import sign
from junmai_svc.service.audit.outside import verify_store
from junmai_svc.service.audit.verify import Audit, verify_journal
from junmai_svc.storage.journal.layout import Bundle, Tile
from junmai_svc.storage.journal.rotation import rotate_key


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """More than one full bundle, and one that is not full."""
    scene = made(tmp_path, runs=1)
    scene.run(steps=300)
    scene.publish()
    return scene


def told(audit: Audit) -> dict[str, str]:
    return {
        verdict.question.value: " ".join(doubt.message for doubt in verdict.doubts)
        for verdict in audit.verdicts
        if verdict.answer is Answer.FAILED
    }


def local(scene: Scene, *, read_data: bool = False) -> dict[str, str]:
    return told(verify_journal(scene.path, [scene.store], read_data=read_data))


def mended(scene: Scene) -> int:
    with scene.journal() as journal:
        signing = sign(journal, [scene.store], [], mending=True)
    assert signing.problems == []
    return signing.published[0].mended


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


PARTS = [Bundle(0), Bundle(1, 52), Tile(0, 0), Tile(0, 1, 52), Tile(1, 0, 1)]


def spoilt(path: Path) -> None:
    path.write_bytes(b"x" + path.read_bytes()[1:])


@pytest.mark.parametrize("damage", [Path.unlink, spoilt], ids=["lost", "changed"])
@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.path)
def test_a_part_is_noticed_by_its_owner_and_put_right(
    scene: Scene, part: Bundle | Tile, damage: Callable[[Path], None]
) -> None:
    before = contents(scene.mirror)
    damage(scene.mirror / part.path)
    assert part.path in local(scene, read_data=True)["intact"]
    assert (part.path in local(scene).get("intact", "")) == (damage is Path.unlink)
    assert mended(scene) == 1
    assert contents(scene.mirror) == before
    assert local(scene, read_data=True) == {}
    assert told(verify_store(scene.store.backend, scene.key, read_data=True)) == {}
    assert mended(scene) == 0


def test_all_parts_at_once_and_nothing_is_written_from_a_damaged_journal(scene: Scene) -> None:
    shutil.rmtree(scene.mirror / "tile")
    with scene.tampering() as other:
        other.execute("UPDATE event SET entry = CAST(entry || ' ' AS BLOB) WHERE position = 7")
    with scene.journal() as journal:
        (problem,) = sign(journal, [scene.store], [], mending=True).problems
    assert "EDITED at position 7" in problem.problem.message
    assert not (scene.mirror / "tile").exists()


def test_a_name_that_somebody_took_does_not_cut_off_who_trusts_the_first_key(scene: Scene) -> None:
    """Who trusts the first key follows the rotation, whatever lay under its name."""
    squatted = scene.mirror / "keys" / "000000.rotation"
    squatted.write_bytes(b"x\n")
    with scene.journal() as journal:
        rotate_key(journal)
    scene.publish()
    assert local(scene) == {}
    assert told(verify_store(scene.store.backend, scene.key)) == {}


def test_a_key_that_was_changed_later_is_noticed_and_put_right(scene: Scene) -> None:
    with scene.journal() as journal:
        rotate_key(journal)
    scene.publish()
    rotation = scene.mirror / "keys" / "000000.rotation"
    for content in (b"x\n", bytes(1 << 20)):
        rotation.write_bytes(content)
        assert "000000.rotation" in local(scene)["authentic"]
        assert mended(scene) == 1
        assert local(scene) == {}
    assert re.search(rb"signatures", rotation.read_bytes())
