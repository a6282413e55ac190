"""Claims about checkpoints in a store that somebody else wrote, and the way out of it."""

from pathlib import Path

import pytest
from tests.harness.published import Scene, made

from junmai_svc.checks.proof import Answer
from junmai_svc.service.audit.keep import sign
from junmai_svc.service.audit.outside import verify_store
from junmai_svc.service.audit.verify import Audit, verify_journal
from junmai_svc.storage.journal.bundles import decode_bundle, encode_bundle
from junmai_svc.storage.journal.layout import Bundle
from junmai_svc.storage.journal.rotation import checkpoint_text, rotate_key


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A journal that was published at two sizes."""
    scene = made(tmp_path, runs=2)
    scene.run()
    scene.publish()
    return scene


def failed(audit: Audit) -> dict[str, str]:
    return {
        verdict.question.value: verdict.doubts[0].message
        for verdict in audit.verdicts
        if verdict.answer is Answer.FAILED
    }


def both(scene: Scene) -> tuple[dict[str, str], dict[str, str]]:
    here = verify_journal(scene.path, [scene.store])
    return failed(here), failed(verify_store(scene.store.backend, scene.key))


def test_a_checkpoint_that_somebody_edited_is_written_anew_where_a_person_says_why(
    scene: Scene,
) -> None:
    latest = scene.mirror / "checkpoint"
    latest.write_bytes(latest.read_bytes().replace(b"\n16\n", b"\n99\n"))
    scene.run()
    with scene.journal() as journal:
        refused = sign(journal, [scene.store], [], mending=True)
        assert "--accept-loss" in refused.problems[0].problem.hint
        assert not sign(journal, [scene.store], [], accepting="I know").problems
    assert both(scene) == ({}, {})


@pytest.mark.parametrize("size", [11, 12, 99])
def test_a_numbered_checkpoint_that_nobody_signed_is_put_right_by_a_repair(
    scene: Scene, size: int
) -> None:
    (scene.mirror / "checkpoints" / f"{size:020}").write_bytes(b"nothing of ours\n")
    assert [set(found) for found in both(scene)] == [{"authentic"}] * 2
    with scene.journal() as journal:
        signed = sign(journal, [scene.store], [], mending=True)
    assert [each.mended for each in signed.published] == [1]
    assert both(scene) == ({}, {})


def test_a_checkpoint_that_was_signed_is_evidence_and_no_repair_touches_it(scene: Scene) -> None:
    """The journal went another way: what a store signed of it before stays."""
    numbered = scene.mirror / "checkpoints" / f"{16:020}"
    scene.rewrite(lambda told: [*told[:-1], told[-1] | {"data": {"n": 99}}])
    before = numbered.read_bytes()
    with scene.journal() as journal:
        assert sign(journal, [scene.store], [], mending=True).problems
    assert numbered.read_bytes() == before


def test_damaged_entries_are_no_fork_to_who_remembers_a_checkpoint(scene: Scene) -> None:
    with scene.journal() as journal:
        (scene.folder / "pin").write_text(checkpoint_text(journal), encoding="utf-8")
    path = scene.mirror / Bundle(0, 16).path
    entries = decode_bundle(path.read_bytes(), Bundle(0, 16))
    path.write_bytes(encode_bundle([*entries[:-1], entries[-1].replace(b"verified", b"Verified")]))
    found = verify_store(scene.store.backend, scene.key, pin=scene.folder / "pin")
    assert set(failed(found)) == {"intact"}


def test_who_has_only_the_newest_key_takes_older_signatures_for_what_they_are(
    scene: Scene,
) -> None:
    with scene.journal() as journal:
        newest = rotate_key(journal)
    scene.publish()
    scene.key.write_text(f"{newest}\n", encoding="ascii")
    assert both(scene) == ({}, {})
    here = verify_journal(scene.path, [scene.store], key=scene.key)
    assert failed(here) == {}


def test_a_key_that_another_one_followed_signs_nothing_new(scene: Scene) -> None:
    """Stolen later, it would: its signature on more events than the newer key signed is none."""
    numbered = scene.mirror / "checkpoints"
    with scene.journal() as journal:
        newest = rotate_key(journal)
    scene.publish()
    scene.key.write_text(f"{newest}\n", encoding="ascii")
    (numbered / f"{17:020}").rename(scene.folder / "by the newer key")
    (scene.mirror / "checkpoint").write_bytes((numbered / f"{16:020}").read_bytes())
    assert "authentic" in failed(verify_store(scene.store.backend, scene.key))


def test_a_trigger_that_is_none_of_the_journals_is_named(scene: Scene) -> None:
    with scene.tampering() as other:
        other.execute("CREATE TRIGGER theirs AFTER INSERT ON event BEGIN SELECT 1; END")
    assert "theirs" in both(scene)[0]["intact"]
