"""The attack matrix: what somebody may do to a journal or a store, and which verdict names it.

Each attack is made by somebody who drops the triggers and puts them back; `at` is the first
position concerned. The journal has 16 events: its opening, and three runs of five.
"""

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.harness.published import Scene, made

from junmai_svc.checks.proof import Answer
from junmai_svc.service.audit.outside import verify_store
from junmai_svc.service.audit.verify import Audit, verify_journal
from junmai_svc.storage.errors import IntegrityError, JunmaiError
from junmai_svc.storage.journal import merkle, tables
from junmai_svc.storage.journal.bundles import decode_bundle, encode_bundle
from junmai_svc.storage.journal.checkpoint import Checkpoint, origin_of, sign_checkpoint
from junmai_svc.storage.journal.failures import DivergedError
from junmai_svc.storage.journal.keyring import key_path
from junmai_svc.storage.journal.keys import SigningKey
from junmai_svc.storage.journal.layout import Bundle
from junmai_svc.storage.journal.rotation import checkpoint_text

SIZE = 16
Entries = list[dict[str, Any]]


@dataclass(frozen=True)
class Attack:
    """What is done, and what the local verification with the store says: question, word, position.

    `publisher` is how the publisher refuses (a verdict, or "" where it sees nothing), `outside`
    the question that fails for an outsider, None where the true history is still in the store.
    """

    name: str
    do: Callable[[Scene], object]
    question: str
    word: str
    at: int | None
    publisher: str | None
    outside: str | None = None
    pinned: str | None = None


def sql(statement: str) -> Callable[[Scene], object]:
    def do(scene: Scene) -> None:
        with scene.tampering() as other:
            other.executescript(statement)

    return do


def rewritten(change: Callable[[Entries], Entries]) -> Callable[[Scene], object]:
    return lambda scene: scene.rewrite(change)


def edited(entries: Entries) -> Entries:
    entries[4]["data"] = {"n": 1_000}
    return entries


def without(entries: Entries) -> Entries:
    return entries[:5] + entries[6:]


def inserted(entries: Entries) -> Entries:
    extra = {**entries[5], "id": "0190163d-8694-739b-aea5-966c26f8ad91"}
    return [*entries[:5], extra, *entries[5:]]


def swapped(entries: Entries) -> Entries:
    entries[3]["data"], entries[4]["data"] = entries[4]["data"], entries[3]["data"]
    return entries


EDIT = """UPDATE event SET entry =
    CAST(replace(CAST(entry AS TEXT), '"n":', '"m":') AS BLOB) WHERE position = 4"""
CUT = "DELETE FROM event WHERE position >= 11"


def truncated(scene: Scene) -> None:
    scene.rewrite(lambda entries: entries[:11])


def older_copy(scene: Scene) -> None:
    shutil.copy(scene.folder / "older.db", scene.path)


def older_copy_gone_on(scene: Scene) -> None:
    older_copy(scene)
    scene.run()
    scene.run()


def signed_by_another(scene: Scene) -> None:
    with scene.journal() as journal:
        size, root = SIZE, merkle.frontier_root(journal.head().frontier)
        key = SigningKey.generate(origin_of(journal.journal_id))
        forged = sign_checkpoint(Checkpoint(journal.journal_id, size, root), [key])
    (scene.mirror / "checkpoint").write_bytes(forged)


def everything_with_another_key(scene: Scene) -> None:
    """Rewrite all, with a key of one's own in event 0, and publish into the emptied store."""
    key_path(scene.path).unlink()
    with scene.journal() as journal:
        key = SigningKey.generate(origin_of(journal.journal_id))

    def change(entries: Entries) -> Entries:
        entries[0]["data"]["public_key"] = str(key.verifier)
        return entries

    scene.rewrite(change)
    key_path(scene.path).write_text(key.secret_text(), encoding="ascii")
    key_path(scene.path).chmod(0o600)
    with scene.tampering() as other:
        other.execute("DELETE FROM published")
    trusted = scene.key.read_text(encoding="ascii")
    shutil.rmtree(scene.store.folder)
    scene.publish()
    scene.key.write_text(trusted, encoding="ascii")


def wiped(scene: Scene) -> None:
    shutil.rmtree(scene.store.folder)


def checkpoint_taken_back(scene: Scene) -> None:
    shutil.copy(scene.mirror / "checkpoints" / f"{11:020}", scene.mirror / "checkpoint")


def all_taken_back(scene: Scene) -> None:
    """The journal, `checkpoint` and what is newer."""
    shutil.rmtree(scene.store.folder)
    shutil.copytree(scene.folder / "older_store", scene.store.folder)
    older_copy(scene)


def bundle_edited(scene: Scene) -> None:
    bundle = Bundle(0, SIZE)
    path = scene.mirror / bundle.path
    entries = decode_bundle(path.read_bytes(), bundle)
    entries[4] = entries[4].replace(b'"n":', b'"m":')
    path.write_bytes(encode_bundle(entries))


def bundle_deleted(scene: Scene) -> None:
    (scene.mirror / Bundle(0, SIZE).path).unlink()


def key_replaced(scene: Scene) -> None:
    with scene.journal() as journal:
        key = SigningKey.generate(origin_of(journal.journal_id))
    key_path(scene.path).write_text(key.secret_text(), encoding="ascii")


def key_lost(scene: Scene) -> None:
    key_path(scene.path).unlink()


ATTACKS = [
    Attack("edit an entry", sql(EDIT), "intact", "EDITED", 4, "EDITED"),
    Attack("edit it and its hash", rewritten(edited), "append-only", "REWRITTEN", 4, "REWRITTEN"),
    Attack(
        "delete a row", sql("DELETE FROM event WHERE position = 5"), "intact", "is missing", 5, ""
    ),
    Attack("delete and renumber", rewritten(without), "append-only", "REWRITTEN", 5, "FORKED"),
    Attack(
        "insert a row",
        sql(
            "INSERT INTO event SELECT 16, 'x', stream, 9, type, time, entry, leaf_hash FROM event"
            " WHERE position = 5"
        ),
        "intact",
        "belongs",
        16,
        None,
    ),
    Attack("insert and renumber", rewritten(inserted), "append-only", "REWRITTEN", 5, "REWRITTEN"),
    Attack(
        "reorder the rows",
        sql(
            "UPDATE event SET position = -1 WHERE position = 3;"
            "UPDATE event SET position = 3 WHERE position = 4;"
            "UPDATE event SET position = 4 WHERE position = -1"
        ),
        "intact",
        "belongs",
        3,
        "REWRITTEN",
    ),
    Attack(
        "swap two entries",
        sql(
            "CREATE TEMP TABLE kept AS SELECT position, entry, leaf_hash FROM event;"
            "UPDATE event SET (entry, leaf_hash) ="
            " (SELECT entry, leaf_hash FROM kept WHERE position = 7 - event.position)"
            " WHERE position IN (3, 4)"
        ),
        "intact",
        "belongs",
        3,
        "REWRITTEN",
    ),
    Attack("swap what they say", rewritten(swapped), "append-only", "REWRITTEN", 3, "REWRITTEN"),
    Attack("truncate", truncated, "current", "TRUNCATED", 11, "TRUNCATED"),
    Attack("cut the tail, keep the head", sql(CUT), "intact", "head counts", 11, ""),
    Attack("an older copy", older_copy, "current", "TRUNCATED", 11, "TRUNCATED"),
    Attack(
        "an older copy that went on",
        older_copy_gone_on,
        "append-only",
        "REWRITTEN",
        11,
        "REWRITTEN",
    ),
    Attack(
        "a cached column only",
        sql("UPDATE event SET type = 'junmai.backup.stored.v1' WHERE position = 4"),
        "intact",
        "columns",
        4,
        None,
    ),
    Attack(
        "sign with another key",
        signed_by_another,
        "authentic",
        "no signature",
        None,
        "",
        outside="authentic",
    ),
    Attack(
        "all of it, with another key",
        everything_with_another_key,
        "",
        "",
        None,
        None,
        outside="authentic",
    ),
    Attack("wipe the store", wiped, "current", "EMPTIED", 0, "EMPTIED", outside="authentic"),
    Attack(
        "take the checkpoint back",
        checkpoint_taken_back,
        "current",
        "ROLLED BACK",
        11,
        "ROLLED BACK",
        outside="current",
    ),
    Attack("take all back", all_taken_back, "", "", None, None, pinned="current"),
    Attack("edit the store's entries", bundle_edited, "", "", None, None, outside="intact"),
    Attack(
        "delete the store's entries",
        bundle_deleted,
        "intact",
        "it is missing",
        0,
        None,
        outside="intact",
    ),
    Attack("put another key in place", key_replaced, "authentic", "not the one", None, ""),
    Attack("take the key away", key_lost, "authentic", "missing", None, ""),
]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Published after the second run, when a copy of all was made, and after the third."""
    scene = made(tmp_path, runs=2)
    shutil.copy(scene.path, tmp_path / "older.db")
    shutil.copytree(scene.store.folder, tmp_path / "older_store")
    scene.run()
    scene.publish()
    with scene.journal() as journal:
        assert journal.head().size == SIZE
        (tmp_path / "pin").write_text(checkpoint_text(journal), encoding="utf-8")
    return scene


def failed(audit: Audit) -> dict[str, tuple[str, int | None]]:
    return {
        verdict.question.value: (verdict.doubts[0].message, verdict.position)
        for verdict in audit.verdicts
        if verdict.answer is Answer.FAILED
    }


def test_without_an_attack_nobody_is_alarmed(scene: Scene) -> None:
    assert failed(verify_journal(scene.path, [scene.store])) == {}
    outside = verify_store(scene.store.backend, scene.key, store=scene.store)
    assert failed(outside) == {}
    assert [v.answer for v in outside.verdicts] == [Answer.OK] * 6
    assert outside.size == SIZE


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_each_attack_is_named_by_the_right_verdict(scene: Scene, attack: Attack) -> None:
    """Here, outside, by who kept a checkpoint, and by the publisher, who changes nothing."""
    attack.do(scene)
    found = failed(verify_journal(scene.path, [scene.store]))
    if attack.question:
        message, position = found[attack.question]
        assert attack.word in message
        assert position == attack.at
    else:
        assert found == {}
    seen = failed(verify_store(scene.store.backend, scene.key))
    assert set(seen) == ({attack.outside} if attack.outside else set()), seen
    if attack.pinned:
        pinned = verify_store(scene.store.backend, scene.key, pin=scene.folder / "pin")
        assert attack.pinned in failed(pinned)
    before = stamps(scene)
    refusal = refused(scene)
    if attack.publisher is None:
        assert refusal is None
        return
    assert stamps(scene) == before
    assert refusal is not None
    assert refusal.hint
    if attack.publisher:
        assert isinstance(refusal, DivergedError)
        assert refusal.verdict == attack.publisher
        assert attack.at in (None, refusal.position)
        assert f"at position {refusal.position}" in refusal.message


def refused(scene: Scene) -> JunmaiError | None:
    try:
        scene.publish()
    except JunmaiError as error:
        return error
    return None


def stamps(scene: Scene) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in scene.store.folder.rglob("*")}


@pytest.mark.parametrize("name", sorted(tables.TRIGGERS))
@pytest.mark.parametrize("replacement", ["", "a trigger that does nothing"])
def test_a_trigger_that_is_gone_or_was_replaced_is_named(
    scene: Scene, name: str, replacement: str
) -> None:
    with closing(sqlite3.connect(scene.path)) as other:
        (before,) = other.execute(
            "SELECT sql FROM sqlite_schema WHERE name = ?", (name,)
        ).fetchone()
        other.execute(f"DROP TRIGGER {name}")
        if replacement:
            head = re.split(r"\bBEGIN\b", before)[0]
            other.execute(f"{head} BEGIN SELECT 1; END")
        other.commit()
    message, _ = failed(verify_journal(scene.path, [scene.store]))["intact"]
    assert name in message


def test_a_rewriting_with_the_stolen_key_is_seen_by_who_kept_a_checkpoint(scene: Scene) -> None:
    scene.rewrite(edited)
    with scene.tampering() as other:
        other.execute("DELETE FROM published")
    shutil.rmtree(scene.store.folder)
    scene.publish()
    assert failed(verify_store(scene.store.backend, scene.key)) == {}
    pinned = failed(verify_store(scene.store.backend, scene.key, pin=scene.folder / "pin"))
    assert set(pinned) == {"append-only"}
    here = failed(verify_journal(scene.path, [scene.store], pin=scene.folder / "pin"))
    assert set(here) == {"append-only"}


def test_a_pin_is_made_moved_on_and_kept_where_something_fails(scene: Scene) -> None:
    pin = scene.folder / "new pin"
    verify_store(scene.store.backend, scene.key, pin=pin)
    first = pin.read_bytes()
    assert b"\n16\n" in first
    scene.run()
    scene.publish()
    verify_store(scene.store.backend, scene.key, pin=pin)
    second = pin.read_bytes()
    assert b"\n21\n" in second
    checkpoint_taken_back(scene)
    assert failed(verify_store(scene.store.backend, scene.key, pin=pin))
    assert pin.read_bytes() == second


def test_a_pin_of_somebody_else_is_no_pin(scene: Scene) -> None:
    pin = scene.folder / "pin"
    pin.write_bytes(pin.read_bytes().replace(b"\n16\n", b"\n15\n"))
    with pytest.raises(IntegrityError, match="pin"):
        verify_store(scene.store.backend, scene.key, pin=pin)
