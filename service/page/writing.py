"""Write one run as a page of HTML, from the journal and what the stores hold for it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from junmai_svc.service.configuration.file import Loaded
from junmai_svc.service.context import now
from junmai_svc.service.outputs import is_page, output_file
from junmai_svc.service.page.view import Missing, Proof, page_view
from junmai_svc.service.publish import checkpoint_text
from junmai_svc.service.replay.record import record_of
from junmai_svc.service.stores import named_at, open_store
from junmai_svc.service.story import name_of
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import JunmaiError
from junmai_svc.storage.files import token_of, write_durably
from junmai_svc.storage.journal.addresses import address_of
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.projection import Run


def write_page(
    journal: Journal, run: Run, events: Sequence[Event], page: Path, loaded: Loaded | None
) -> None:
    """Write the page of a run; it is durable on return and replaces a page that was there.

    What was too large for an event is on it where a store that the run used can still be read; else
    it says what is missing, and why.

    Raises:
        UsageError: something else than a page is there.
        JunmaiError: the page can't be written, or the journal not read.
    """
    file = output_file(page, "a page", is_page)
    text = page_text(journal, run, events, loaded)
    with translated("write", page):
        write_durably(file, text.encode("utf-8", "backslashreplace"), token_of(run.id))


def page_text(journal: Journal, run: Run, events: Sequence[Event], loaded: Loaded | None) -> str:
    """Return the page of a run as text.

    Raises:
        JunmaiError: the journal can't be read.
    """
    from junmai_svc.service.page.render import page_of  # noqa: PLC0415  # the template engine

    whole: list[Event] = []
    missing: list[Missing] = []
    stores = record_of(run, journal.read()).stores if any(map(_digest, events)) else []
    for event in events:
        digest = _digest(event)
        found = _details(stores, digest, loaded) if digest else {}
        if isinstance(found, str):
            missing.append(Missing(event.position, name_of(event), digest, found))
        whole.append(event if isinstance(found, str) else replace(event, data=found | event.data))
    return page_of(page_view(run, whole, _proof(journal, events), missing))


def _digest(event: Event) -> str:
    """The digest of what was too large for an event; "" where all of it is there."""
    digest = event.data.get("details")
    return digest if isinstance(digest, str) else ""


def _details(stores: Sequence[str], digest: str, loaded: Loaded | None) -> dict[str, Any] | str:
    """What was too large for an event, from any store; why it can't be had where none has it."""
    problems = []
    for address in stores:
        try:
            with translated("read from", address):
                store = open_store(loaded, named_at(loaded, address), now)
                found = json.loads(store.get_details(digest))
                if isinstance(found, dict):
                    return found
        except JunmaiError as problem:
            problems.append(problem.message)
        else:
            problems.append(f"what {address} has under that digest is of another form")
    return "; ".join(problems) or "no store of the run is on record"


def _proof(journal: Journal, events: Sequence[Event]) -> Proof:
    """The checkpoint as of now; None, which the log explains, where it can't be signed."""
    keys = [event.data.get("public_key") for event in journal.read(f"journal/{journal.journal_id}")]
    known = [key for key in keys if isinstance(key, str)]
    store = address_of(events[0].data, events[0].data.get("store"))
    return Proof(
        str(journal.path.absolute()),
        checkpoint=checkpoint_text(journal) if known else None,
        public_key=known[-1] if known else None,
        store=store,
    )
