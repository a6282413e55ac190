"""The log as the configuration wants it: what was said in the call comes over it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from junmai_svc.service.configuration.file import Loaded
from junmai_svc.service.configuration.form import LogSection
from junmai_svc.service.logs import configured
from junmai_svc.service.settings import counted_from


@contextmanager
def as_configured(
    loaded: Loaded | None, file: str | None, level: str | None, *, people: bool = False
) -> Iterator[None]:
    """Log the block as [log] says; `file` and `level` are what the call said.

    A file that was named in the call is open already, and stays. `people` is for a command whose
    log is its output: where there is no file, it gets lines for people on a terminal.

    Raises:
        AccessDeniedError, NotFoundError: the file can't be opened for appending.
    """
    section = loaded.configuration.log if loaded else LogSection()
    if file is not None or (people and section.file):
        yield
        return
    path = counted_from(loaded.folder, Path(section.file)) if loaded and section.file else None
    with configured(
        level or section.level,
        path,
        quiet=sys.stderr.isatty() and not people,
        most_bytes=section.max_bytes,
        keep=section.keep,
        people=people,
    ):
        yield
