"""The JSON log: one line an event, with the run's id, on stderr or in a file. Set up once.

Nothing secret is ever bound, and tracebacks carry no local variables.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO, cast

import structlog

from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import UsageError

LEVELS = ("debug", "info", "warning", "error")


@contextmanager
def configured(
    level: str = "info", file: Path | None = None, *, quiet: bool = False
) -> Iterator[None]:
    """Send the log of the block to `file`, or to stderr.

    `quiet` drops it where there is no file, as people read stderr instead.

    Raises:
        UsageError: there is no such level.
        AccessDeniedError, NotFoundError: the file can't be opened for appending.
    """
    if level not in LEVELS:
        raise UsageError(f"There is no log level {level}", f"Use one of {', '.join(LEVELS)}.")
    with ExitStack() as stack:
        stream: TextIO = sys.stderr
        if file is not None:
            with translated("write the log to", file):
                stream = stack.enter_context(file.open("a", encoding="utf-8", buffering=1))
        _configure(stream, level, silent=quiet and file is None)
        stack.callback(structlog.reset_defaults)
        yield


def _configure(stream: TextIO, level: str, *, silent: bool) -> None:
    # structlog knows no level above critical; nothing here is as severe as that.
    threshold = logging.CRITICAL if silent else getattr(logging, level.upper())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


def log() -> structlog.typing.FilteringBoundLogger:
    """Return the logger; context such as the run's id comes from `structlog.contextvars`.

    Inside another program, which configures its own logging, the lines go there: through structlog
    where it uses that, else through the standard library's logger `junmai_svc`.
    """
    if structlog.is_configured():
        found = structlog.get_logger()
    else:
        found = structlog.wrap_logger(
            logging.getLogger("junmai_svc"),
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
            wrapper_class=structlog.stdlib.BoundLogger,
        )
    return cast("structlog.typing.FilteringBoundLogger", found)
