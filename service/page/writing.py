"""Write one run as a page of HTML, from the journal and what the stores hold for it."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from junmai_svc.service.configuration.file import Loaded
from junmai_svc.service.context import now
from junmai_svc.service.page.view import Proof, page_view
from junmai_svc.service.publish import checkpoint_text
from junmai_svc.service.replay.record import record_of
from junmai_svc.service.stores import named_at, open_store
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import JunmaiError, UsageError
from junmai_svc.storage.files import token_of, write_durably
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.projection import Run

Details = Callable[[str], bytes | None]


def write_page(
    journal: Journal, run: Run, events: Sequence[Event], page: Path, loaded: Loaded | None
) -> None:
    """Write the page of a run; it is durable on return and replaces what was there.

    What was too large for an event is on it where a store that the run used can still be read.

    Raises:
        JunmaiError: the page can't be written, or the journal not read.
    """
    text = page_text(journal, run, events, loaded)
    if page.is_dir():
        raise UsageError(f"Can't write the page to {page}: it is a folder", "Name a file.")
    with translated("write", page):
        write_durably(page, text.encode("utf-8", "backslashreplace"), token_of(run.id))


def page_text(journal: Journal, run: Run, events: Sequence[Event], loaded: Loaded | None) -> str:
    """Return the page of a run as text.

    Raises:
        JunmaiError: the journal can't be read.
    """
    from junmai_svc.service.page.render import page_of  # noqa: PLC0415  # the template engine

    whole = [
        _whole(event, lambda digest: _details(journal, run, digest, loaded)) for event in events
    ]
    return page_of(page_view(run, whole, _proof(journal, events)))


def _whole(event: Event, details: Details) -> Event:
    """An event with what was too large for it, where that can be had."""
    digest = event.data.get("details")
    content = details(digest) if isinstance(digest, str) else None
    if content is None:
        return event
    more = json.loads(content)
    return replace(event, data=more | event.data) if isinstance(more, dict) else event


def _details(journal: Journal, run: Run, digest: str, loaded: Loaded | None) -> bytes | None:
    for address in record_of(run, journal.read()).stores:
        try:
            store = open_store(loaded, named_at(loaded, address), now)
            with suppress(OSError):
                return store.get_details(digest)
        except JunmaiError:
            continue
    return None


def _proof(journal: Journal, events: Sequence[Event]) -> Proof:
    """The checkpoint as of now; None, which the log explains, where it can't be signed."""
    keys = [event.data.get("public_key") for event in journal.read(f"journal/{journal.journal_id}")]
    known = [key for key in keys if isinstance(key, str)]
    store = events[0].data.get("store")
    return Proof(
        str(journal.path),
        checkpoint=checkpoint_text(journal) if known else None,
        public_key=known[-1] if known else None,
        store=store if isinstance(store, str) else None,
    )
