"""All events written out: the entries as they are stored, or a table."""

import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from junmai_svc.service.streams import reader_left
from junmai_svc.storage.files import staged_path, switch_in, sync_file
from junmai_svc.storage.journal.entry import Event, time_text
from junmai_svc.storage.journal.failures import translated
from junmai_svc.storage.journal.journal import Journal
from junmai_svc.storage.journal.uuid7 import uuid7

HEAD = (
    "position",
    "time",
    "type",
    "stream",
    "version",
    "actor",
    "correlation",
    "causation",
    "id",
    "data",
)


def export_to(journal: Journal, form: str, path: Path | None) -> None:
    """Write all events, each verified on reading, to a file (whole or not at all) or to stdout.

    Raises:
        IntegrityError: an entry is damaged or missing.
        AccessDeniedError, NoSpaceError, NotFoundError: the file can't be written.
    """
    lines = _table(journal) if form == "csv" else (e.entry + b"\n" for e in journal.read())
    if path is None:
        try:
            for line in lines:
                sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            reader_left()
        return
    with translated("write the events to", path):
        staged = staged_path(path.absolute(), uuid7()[-12:])
        try:
            with staged.open("xb") as file:
                file.writelines(lines)
            sync_file(staged)
            switch_in(staged, path.absolute())
        finally:
            staged.unlink(missing_ok=True)


def _table(journal: Journal) -> Iterator[bytes]:
    yield _row(HEAD)
    for event in journal.read():
        yield _row(_columns(event))


def _columns(event: Event) -> tuple[object, ...]:
    return (
        event.position,
        time_text(event.time),
        event.type,
        event.stream,
        event.version,
        event.actor,
        event.correlation,
        event.causation or "",
        event.id,
        json.dumps(event.data, sort_keys=True, ensure_ascii=False),
    )


def _row(values: tuple[object, ...]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(values)
    return text.getvalue().encode("utf-8", "surrogatepass")
