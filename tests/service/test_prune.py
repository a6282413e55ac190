"""Pruning deletes what no reason keeps, manifest first, and records it; nothing else is touched."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from junmai_svc.service.context import Context
from junmai_svc.service.prune import plan_prune, prune
from junmai_svc.service.retention import Policy
from junmai_svc.storage.journal.events import event_type, stream_name
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.uuid7 import uuid7
from junmai_svc.storage.snapshots.manifest import STAMP, Manifest, Reason
from junmai_svc.storage.snapshots.store import FileStore

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
POLICY = Policy(keep_last=1)


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    with Journal.open(
        tmp_path / "journal.db", create=True, actor="a@b", clock=lambda: NOW, tool_version="0"
    ) as journal:
        yield Context(journal, (FileStore(tmp_path / "backups"),), clock=lambda: NOW)


def stored(context: Context, days: int, reason: Reason = Reason.MANUAL) -> str:
    """Store a snapshot of some days ago; what is in its image does not matter here."""
    taken = NOW - timedelta(days=days)
    with context.store.stage("junmai", taken) as staged:
        staged.image.write_bytes(b"image")
        manifest = Manifest(
            original_path="junmai.db",
            backup_path=f"{staged.name}.db",
            timestamp=taken.strftime(STAMP),
            checksum="0" * 64,
            file_size=5,
            format=1,
            name=staged.name,
            created_at=taken.isoformat(),
            reason=reason,
        )
        return context.store.commit(staged, manifest).name


def names(context: Context) -> list[str]:
    return [snapshot.name for snapshot in context.store.snapshots()[0]]


def test_what_no_reason_keeps_goes_with_its_image(context: Context) -> None:
    young, old = stored(context, 1), stored(context, 40)
    done = prune(context, POLICY)
    assert done.deleted == (old,)
    assert names(context) == [young]
    assert sorted(p.name for p in context.folder.iterdir() if p.is_file()) == [
        f"{young}.db",
        f"{young}.json",
    ]


def test_a_dry_run_deletes_nothing(context: Context) -> None:
    stored(context, 1)
    old = stored(context, 40)
    plan = plan_prune(context.store, context.journal, POLICY, NOW)
    assert plan.dropped == [old]
    assert plan.freed == 5
    assert len(names(context)) == 2


def test_a_proof_keeps_a_snapshot_only_in_the_store_whose_bytes_were_read(
    context: Context, tmp_path: Path
) -> None:
    stored(context, 1)
    older, old = stored(context, 60), stored(context, 31)
    for name, store in ((old, tmp_path / "elsewhere"), (older, context.folder)):
        run = uuid7()
        for event, data in (("started", {"snapshot": name, "store": str(store)}), ("proven", {})):
            kind = event_type("drill", event)
            context.journal.append(stream_name("drill", run), kind, data, correlation=run)
    plan = plan_prune(context.store, context.journal, POLICY, NOW)
    assert plan.dropped == [old]
    told = {each.candidate.name: each.reasons for each in plan.decisions}
    assert told[older] == ("newest proven",)


def test_what_is_held_stays_until_it_is_released(context: Context) -> None:
    stored(context, 1)
    old = stored(context, 40)
    context.store.hold(old)
    assert prune(context, POLICY).deleted == ()
    context.store.release(old)
    assert prune(context, POLICY).deleted == (old,)


def test_a_snapshot_that_is_held_after_the_plan_was_made_stays(context: Context) -> None:
    old = stored(context, 40)
    context.store.hold(old)
    assert context.store.delete_unless_held(old) is False
    assert names(context) == [old]


def test_the_journal_tells_what_was_kept_why_and_what_went(context: Context) -> None:
    young, old = stored(context, 1), stored(context, 40)
    done = prune(context, POLICY)
    events = list(context.journal.read(f"prune/{done.run}"))
    assert [event.type for event in events] == [
        "junmai.prune.planned.v1",
        "junmai.prune.deleting.v1",
        "junmai.prune.snapshot_deleted.v1",
        "junmai.prune.completed.v1",
    ]
    assert events[0].data["reasons"] == {young: ["recent", "newest", "one of the last"], old: []}
    assert events[1].data["snapshots"] == events[2].data["snapshots"] == [old]


def test_manifests_that_can_not_be_used_are_never_touched(context: Context) -> None:
    stored(context, 1)
    stored(context, 40)
    broken = context.folder / "junmai_backup_20200101_000000.json"
    broken.write_text("{}")
    plan = prune(context, POLICY).plan
    assert [item.manifest for item in plan.unreadable] == [str(broken)]
    assert broken.exists()


def test_nothing_to_do_is_no_run(context: Context) -> None:
    stored(context, 1)
    assert prune(context, POLICY).run is None
