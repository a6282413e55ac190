"""What an event of the journal can't hold is kept in the store, named by its digest."""

import json
from typing import Any

from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.snapshots.base import SnapshotStore

# Bytes of an event's data; an entry as a whole may have 65,535.
LARGEST_EVENT = 48_000


def fitting(store: SnapshotStore, data: dict[str, Any]) -> dict[str, Any]:
    """Return data that an event can hold: the same, or its short texts and a digest.

    What was too large is durable in the store on return, as `details/<digest>.json`.

    Raises:
        JunmaiError: the store can't be written.
    """
    content = json.dumps(data, ensure_ascii=False, sort_keys=True).encode()
    if len(content) <= LARGEST_EVENT:
        return data
    with translated("write into", store.url):
        digest = store.put_details(content)
    small = {key: value for key, value in data.items() if isinstance(value, str | int | None)}
    return small | {"details": digest}
