"""Claims about a journal that lost its end, is gone, or went another way; and about its keys."""

import shutil
from pathlib import Path

import pytest
from tests.harness.published import Scene, made
from tests.harness.recovering import entries, recover

from junmai_svc.checks.proof import Answer
from junmai_svc.service.audit.keep import check_proof, prove, sign, write_proof
from junmai_svc.service.audit.outside import verify_store
from junmai_svc.service.audit.verify import verify_journal
from junmai_svc.storage.errors import IntegrityError, LockedError, NotFoundError, UsageError
from junmai_svc.storage.journal.bundles import decode_bundle, encode_bundle
from junmai_svc.storage.journal.events import event_type, stream_name
from junmai_svc.storage.journal.failures import DivergedError
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.keyring import key_path
from junmai_svc.storage.journal.layout import Bundle
from junmai_svc.storage.journal.liveness import RunLock
from junmai_svc.storage.journal.merkle import leaf_hash
from junmai_svc.storage.journal.rotation import history_of, rotate_key, signing_key
from junmai_svc.storage.journal.uuid7 import uuid7


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Two runs published and copied away, then a third one published."""
    scene = made(tmp_path, runs=2)
    shutil.copy(scene.path, tmp_path / "older.db")
    scene.run()
    scene.publish()
    return scene


def passes(scene: Scene) -> bool:
    scene.publish()
    return all(
        verdict.answer is not Answer.FAILED
        for verdict in verify_journal(scene.path, [scene.store]).verdicts
    )


def test_a_journal_that_is_whole_is_left_alone(scene: Scene) -> None:
    before = entries(scene)
    assert recover(scene).status == "intact"
    scene.run()
    assert recover(scene).status == "intact"
    assert entries(scene)[:16] == before


def test_an_older_copy_is_refilled_byte_for_byte_and_that_is_on_record(scene: Scene) -> None:
    before = entries(scene)
    shutil.copy(scene.folder / "older.db", scene.path)
    found = recover(scene)
    assert (found.status, found.added, found.size) == ("recovered", 5, 17)
    after = entries(scene)
    assert after[:-1] == before
    with scene.journal() as journal:
        last = list(journal.read())[-1]
        assert last.type == event_type("journal", "recovered")
        assert (last.data["from"], last.data["to"]) == (11, 16)
        assert journal.rebuild()[0] == journal.rebuild()[1]
    assert passes(scene)


@pytest.mark.parametrize("by", ["the key beside it", "the public key"])
def test_a_journal_that_is_gone_is_made_anew_from_a_store(scene: Scene, by: str) -> None:
    before = entries(scene)
    scene.path.unlink()
    if by == "the public key":
        key_path(scene.path).unlink()
    assert recover(scene, key=scene.key if by == "the public key" else None).added == 16
    assert entries(scene)[:-1] == before


def test_without_a_journal_and_a_key_nothing_is_made_up(scene: Scene) -> None:
    scene.path.unlink()
    key_path(scene.path).unlink()
    with pytest.raises(NotFoundError, match="no key beside it") as refused:
        recover(scene)
    assert not scene.path.exists()
    key = scene.key.read_text(encoding="ascii").strip()
    assert f"16 events by the key {key} in {scene.store.url}" in refused.value.hint


def test_a_journal_that_began_on_a_new_machine_is_told_of_the_old_one(scene: Scene) -> None:
    old = scene.key.read_text(encoding="ascii").strip()
    (forged,) = (scene.mirror / "keys").iterdir()
    (forged.parent / "00000000.vkey").write_bytes(b"\x1b]0;no key")
    scene.path.unlink()
    key_path(scene.path).unlink()
    scene.run()
    scene.publish()
    found = recover(scene)
    assert found.status == "intact"
    assert [old in each for each in found.besides] == [True]


def test_a_store_that_lost_entries_refills_nothing(scene: Scene) -> None:
    shutil.copy(scene.folder / "older.db", scene.path)
    (scene.mirror / Bundle(0, 16).path).unlink()
    with pytest.raises(NotFoundError):
        recover(scene)
    assert len(entries(scene)) == 11


def test_a_fork_is_explained_and_never_merged(scene: Scene) -> None:
    shutil.copy(scene.folder / "older.db", scene.path)
    scene.run(steps=6)
    before = entries(scene)
    found = recover(scene)
    assert (found.status, found.verdict, found.position) == ("forked", "REWRITTEN", 11)
    assert found.ours is not None
    assert found.theirs is not None
    assert found.ours.root != found.theirs.root
    assert entries(scene) == before


def test_after_a_fork_a_new_epoch_carries_both_and_the_old_one_stays_readable(
    scene: Scene,
) -> None:
    shutil.copy(scene.folder / "older.db", scene.path)
    scene.run(steps=6)
    before = entries(scene)
    found = recover(scene, new_epoch="the disk was put back")
    assert found.status == "new epoch"
    assert found.kept is not None
    with scene.journal() as journal:
        assert journal.journal_id == found.journal_id
        (opened,) = journal.read()
        told = opened.data["continues"]
        assert (told["size"], told["position"]) == (len(before), 11)
        assert told["reason"] == "the disk was put back"
        assert f"\n{len(before)}\n" in told["checkpoint"]
        assert "\n16\n" in told["store_checkpoint"]
    old = Scene(found.kept.parent)
    kept = Journal.open(found.kept, create=False, actor="a@b", clock=old.clock, tool_version="1")
    with kept:
        assert [event.entry for event in kept.read()] == before
        assert signing_key(kept)
    scene.key.unlink()
    assert passes(scene)


@pytest.mark.parametrize("lost", ["all", "the last"])
def test_what_a_store_signed_and_nobody_has_any_more_can_be_given_up(
    scene: Scene, lost: str
) -> None:
    shutil.copy(scene.folder / "older.db", scene.path)
    if lost == "all":
        shutil.rmtree(scene.mirror / "tile")
    else:
        path = scene.mirror / Bundle(0, 16).path
        path.write_bytes(
            encode_bundle([*decode_bundle(path.read_bytes(), Bundle(0, 16))[:-1], b"{}"])
        )
    with pytest.raises((NotFoundError, IntegrityError)):
        recover(scene)
    found = recover(scene, new_epoch="the disk died, and the store's too")
    assert (found.status, found.verdict, found.position) == ("new epoch", "TRUNCATED", 11)
    scene.key.unlink()
    scene.run()


def test_a_new_epoch_needs_a_fork_and_nobody_at_work(scene: Scene) -> None:
    with pytest.raises(UsageError, match="one history"):
        recover(scene, new_epoch="for fun")
    shutil.copy(scene.folder / "older.db", scene.path)
    assert recover(scene, new_epoch="for fun").status == "recovered"
    shutil.copy(scene.folder / "older.db", scene.path)
    scene.run(steps=6)
    run = uuid7()
    with RunLock(scene.path, run):
        with scene.journal() as journal:
            stream = stream_name("migration", run)
            journal.append(stream, event_type("migration", "requested"), {}, correlation=run)
        with pytest.raises(LockedError, match="going on"):
            recover(scene, new_epoch="the disk was put back")


def test_who_trusts_the_first_key_trusts_those_that_it_handed_over_to(scene: Scene) -> None:
    with scene.journal() as journal:
        first, second = history_of(journal).current, rotate_key(journal)
        third = rotate_key(journal)
        assert history_of(journal).keys == (first, second, third)
        assert history_of(journal).problems == ()
    assert passes(scene)
    assert first is not None
    assert str(first) in scene.key.read_text(encoding="ascii")
    outside = verify_store(scene.store.backend, scene.key)
    assert all(verdict.answer is not Answer.FAILED for verdict in outside.verdicts)


def test_a_lost_key_is_missed_and_only_replaced_where_a_person_says_so(scene: Scene) -> None:
    key_path(scene.path).unlink()
    with scene.journal() as journal:
        for _ in range(2):
            with pytest.raises(NotFoundError, match="signing key of this journal is missing"):
                signing_key(journal)
        assert not key_path(scene.path).exists()
        rotate_key(journal, lost="the disk died")
        assert [event.data.get("reason") for event in journal.read()][-1] == "the disk died"
    assert passes(scene)
    found = verify_store(scene.store.backend, scene.key)
    failed = [v.question.value for v in found.verdicts if v.answer is Answer.FAILED]
    assert "authentic" in failed


def test_a_key_that_is_there_is_not_lost(scene: Scene) -> None:
    with scene.journal() as journal, pytest.raises(UsageError, match="is there"):
        rotate_key(journal, lost="too lazy to look")


def test_a_rotation_cut_short_before_the_key_got_its_name_is_finished(scene: Scene) -> None:
    with scene.journal() as journal:
        old = key_path(scene.path).read_bytes()
        rotate_key(journal)
        new = key_path(scene.path).read_bytes()
        key_path(scene.path).rename(scene.path.with_name("journal.db.key-next"))
        key_path(scene.path).write_bytes(old)
        key_path(scene.path).chmod(0o600)
        signing_key(journal)
    assert key_path(scene.path).read_bytes() == new
    assert passes(scene)


@pytest.mark.parametrize("left", [None, b""], ids=["gone", "empty"])
def test_no_new_journal_begins_where_the_key_of_one_that_is_gone_lies(
    scene: Scene, left: bytes | None
) -> None:
    before = entries(scene)
    scene.path.unlink()
    if left is not None:
        scene.path.write_bytes(left)
    for _ in range(2):
        with pytest.raises(IntegrityError, match="is gone") as refused, scene.journal():
            pass
        assert "audit recover" in refused.value.hint
    assert scene.path.exists() == (left is not None)
    assert recover(scene).added == 16
    assert entries(scene)[:-1] == before
    assert passes(scene)


def test_with_its_key_put_away_a_new_journal_begins(scene: Scene) -> None:
    scene.path.unlink()
    key_path(scene.path).rename(scene.folder / "old.key")
    assert len(entries(scene)) == 1


def test_an_older_copy_is_refilled_also_over_a_key_that_was_lost_since(scene: Scene) -> None:
    """The key beside the journal is its own, though the copy has not heard of it yet."""
    key_path(scene.path).unlink()
    with scene.journal() as journal:
        rotate_key(journal, lost="the disk died")
    scene.publish()
    before = entries(scene)
    shutil.copy(scene.folder / "older.db", scene.path)
    assert recover(scene).status == "recovered"
    assert entries(scene)[:-1] == before


def test_a_store_that_lost_what_it_had_is_published_to_again_for_a_reason(scene: Scene) -> None:
    shutil.rmtree(scene.store.folder)
    with scene.journal() as journal:
        refused = sign(journal, [scene.store], [])
        assert "EMPTIED" in refused.problems[0].problem.message
        done = sign(journal, [scene.store], [], accepting="the disk was replaced")
        assert done.problems == []
        assert done.published[0].added == 17
        last = list(journal.read())[-1]
        assert last.type == event_type("journal", "store_accepted")
        assert last.data["reason"] == "the disk was replaced"
    assert passes(scene)


def test_the_proof_of_one_event_holds_with_nothing_but_a_key(scene: Scene) -> None:
    path = scene.folder / "proof"
    with scene.journal() as journal:
        rotate_key(journal)
        event = list(journal.read())[4]
        for reference in ("4", event.id):
            write_proof(prove(journal, reference), path)
            found = check_proof(path, scene.key)
            assert (found.event.entry, found.size) == (event.entry, 17)
        for position in range(17):
            write_proof(prove(journal, str(position)), path)
            assert check_proof(path, scene.key).event.position == position
        with pytest.raises(NotFoundError, match="no event 17"):
            prove(journal, "17")


def test_a_proof_with_any_changed_byte_proves_nothing(scene: Scene) -> None:
    path = scene.folder / "proof"
    with scene.journal() as journal:
        write_proof(prove(journal, "4"), path)
    content = path.read_bytes()
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(IntegrityError):
            check_proof(path, scene.key)


def test_nothing_is_proven_from_a_journal_that_was_edited(scene: Scene) -> None:
    """The entry is named that is not what it was; where its hash was changed too, its part is."""
    with scene.tampering() as other:
        other.execute("UPDATE event SET entry = CAST(entry || ' ' AS BLOB) WHERE position = 7")
    with scene.journal() as journal:
        with pytest.raises(DivergedError, match="EDITED at position 7"):
            prove(journal, "7")
        write_proof(prove(journal, "3"), scene.folder / "proof")
    assert check_proof(scene.folder / "proof", scene.key).event.position == 3
    with scene.tampering() as other:
        row = other.execute("SELECT entry FROM event WHERE position = 7").fetchone()
        other.execute("UPDATE event SET leaf_hash = ? WHERE position = 7", (leaf_hash(row[0]),))
    with scene.journal() as journal:
        for position in ("3", "7", "15"):
            with pytest.raises(IntegrityError, match="REWRITTEN between positions 0 and 15"):
                prove(journal, position)
