"""A journal recovered from the store in which it was published."""

from datetime import UTC, datetime
from pathlib import Path

from tests.harness.published import Scene

from junmai_svc.service.audit.epoch import Recovery
from junmai_svc.service.audit.recover import recover as use_case
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.snapshots.store import FileStore


def recover(
    scene: Scene,
    *others: FileStore,
    key: Path | None = None,
    new_epoch: str | None = None,
) -> Recovery:
    """Recover the scene's journal from its store, and from others too."""

    def open_one(path: Path, create: bool, continues: dict[str, object] | None) -> Journal:
        return Journal.open(
            path,
            create=create,
            actor="ann@desk",
            clock=lambda: datetime.now(UTC),
            tool_version="1",
            continues=continues,
        )

    return use_case(scene.path, [scene.store, *others], open_one, key=key, new_epoch=new_epoch)


def entries(scene: Scene) -> list[bytes]:
    """All entries of the scene's journal."""
    with scene.journal() as journal:
        return [event.entry for event in journal.read()]
