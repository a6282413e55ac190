"""All events written out: the entries as they are stored, or a table."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from junmai_svc.service.outputs import is_export, output_file
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


def export_to(journal: Journal, form: str, path: Path | None) -> int:
    """Write all events, each verified on reading, to a file (whole or not at all) or to stdout.

    A file replaces nothing but an earlier export. Returns how many events there are, up to where
    whoever reads stdout left.

    Raises:
        UsageError: something else is there.
        IntegrityError: an entry is damaged or missing.
        AccessDeniedError, NoSpaceError, NotFoundError: the file can't be written.
    """
    counted = _Counted(journal.read())
    lines = _table(counted) if form == "csv" else (event.entry + b"\n" for event in counted)
    if path is None:
        try:
            for line in lines:
                sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            reader_left()
        return counted.count
    final = output_file(path, "an export", is_export)
    with translated("write the events to", path):
        staged = staged_path(final, uuid7()[-12:])
        try:
            with staged.open("xb") as file:
                file.writelines(lines)
            sync_file(staged)
            switch_in(staged, final)
        finally:
            staged.unlink(missing_ok=True)
    return counted.count


class _Counted:
    """Events, counted as they go by."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.count = 0
        self._events = events

    def __iter__(self) -> Iterator[Event]:
        for event in self._events:
            self.count += 1
            yield event


def _table(events: Iterable[Event]) -> Iterator[bytes]:
    yield _row(HEAD)
    for event in events:
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
