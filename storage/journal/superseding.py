"""Partial bundles and tiles of which the full ones are there: removed now and then, all at once.

C2SP tlog-tiles lets them go then and not before. It is done when a bundle becomes full, so that
most publishings need no request for it; what a lock keeps has its turn at a later one.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime

from junmai_svc.storage.errors import JunmaiError
from junmai_svc.storage.journal import layout
from junmai_svc.storage.journal.layout import WIDTH
from junmai_svc.storage.journal.mirror import Mirror

AT_ONCE = 8


def remove_superseded(mirror: Mirror, old: int, new: int, retain_until: datetime | None) -> None:
    """Delete what is superseded, where a journal that grew from `old` to `new` filled a bundle.

    `retain_until` is until when locks of this moment last: what is younger than that is locked.

    Raises:
        JunmaiError: the store can't be listed. What can't be deleted is left.
    """
    if old // WIDTH == new // WIDTH:
        return
    now = datetime.now(UTC)
    locked = retain_until if mirror.backend.capabilities().object_lock else None
    before = now - (locked - now) if locked is not None else None
    folder = mirror.name("")
    names = [
        found.name
        for found in mirror.backend.list(mirror.name("tile/"))
        if layout.is_superseded(found.name.removeprefix(folder), new)
        and (before is None or found.modified < before)
    ]

    def delete(name: str) -> None:
        with suppress(JunmaiError):
            mirror.backend.delete(name)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(delete, names))
