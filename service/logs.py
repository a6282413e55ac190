"""The log: one JSON line an event, with the run's id, on stderr or in a file. Set up once.

What other libraries log (boto3, APScheduler) comes in the same form. Nothing secret is ever bound,
and tracebacks carry neither local variables nor what SQLite says, which may quote a row.
"""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO, cast

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from junmai_svc.service.log_file import RotatingFile
from junmai_svc.service.printable import printable
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import UsageError

LEVELS = ("debug", "info", "warning", "error")
MOST_BYTES = 10_000_000
KEEP = 5


class _Stream(Protocol):
    def write(self, text: str, /) -> int: ...

    def flush(self) -> None: ...


@contextmanager
def configured(
    level: str = "info",
    file: Path | None = None,
    *,
    quiet: bool = False,
    most_bytes: int = MOST_BYTES,
    keep: int = KEEP,
    people: bool = False,
) -> Iterator[None]:
    """Send the log of the block to `file`, or to stderr; what was set up before is back after it.

    A file that would grow beyond `most_bytes` begins anew, and `keep` older ones stay. `quiet`
    drops the log where there is no file, as people read stderr instead. `people` makes lines for
    people, in colours, where stderr is a terminal and there is no file.

    Raises:
        UsageError: there is no such level, or the file is a database.
        AccessDeniedError, NotFoundError: the file can't be opened for appending.
    """
    if level not in LEVELS:
        raise UsageError(f"There is no log level {level}", f"Use one of {', '.join(LEVELS)}.")
    with ExitStack() as stack:
        stream: _Stream = sys.stderr
        if file is not None:
            with translated("write the log to", file):
                _refuse_database(file)
                rotating = RotatingFile(file, most_bytes, keep)
            stack.callback(rotating.close)
            stream = rotating
        before = structlog.get_config() if structlog.is_configured() else None
        stack.callback(_restore, before)
        coloured = people and file is None and sys.stderr.isatty()
        silent = quiet and file is None
        _configure(stream, level, silent=silent, coloured=coloured)
        stack.enter_context(_bridged(stream, level, silent=silent, coloured=coloured))
        yield


def _refuse_database(file: Path) -> None:
    """Lines behind its last page would be the end of a database.

    Raises:
        UsageError: the file is one.
    """
    if file.is_file():
        with file.open("rb") as there:
            if there.read(16) == b"SQLite format 3\0":
                raise UsageError(f"The log can't go to {file}: it is a database", "Name another.")


def _restore(before: dict[str, object] | None) -> None:
    structlog.reset_defaults()
    if before is not None:
        structlog.configure(**before)  # type: ignore[arg-type]  # as get_config gave it


def _configure(stream: _Stream, level: str, *, silent: bool, coloured: bool) -> None:
    # structlog knows no level above critical; nothing here is as severe as that.
    threshold = logging.CRITICAL if silent else getattr(logging, level.upper())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_rendering(stream, coloured=coloured),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", stream)),
        cache_logger_on_first_use=False,
    )


def _rendering(stream: _Stream, *, coloured: bool) -> Sequence[Processor]:
    if coloured:
        colours = sys.platform != "win32" and not os.environ.get("NO_COLOR")
        plain = structlog.dev.plain_traceback
        return [
            _spelled_out,
            structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain),
        ]
    return [
        structlog.processors.ExceptionRenderer(_without_values),
        # What an encoding lacks is escaped by Python's rules, which are not JSON's.
        structlog.processors.JSONRenderer(ensure_ascii=not _is_utf8(stream)),
    ]


def _is_utf8(stream: _Stream) -> bool:
    encoding = getattr(stream, "encoding", None)  # the log's own file has none, and is
    return encoding is None or encoding.lower().replace("-", "") == "utf8"


_FRAMES = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
# The errors of SQLite, as sqlite3 and peewee name them: what they say may quote a row.
_MAY_QUOTE = {
    *("Error", "Warning", "InterfaceError", "DatabaseError", "DataError", "OperationalError"),
    *("IntegrityError", "InternalError", "ProgrammingError", "NotSupportedError"),
}


def _without_values(exc_info: ExcInfo) -> list[dict[str, Any]]:
    """A traceback as data, without local variables and without what SQLite says of rows."""
    return [
        each | ({"exc_value": "(left out)"} if each["exc_type"] in _MAY_QUOTE else {})
        for each in _FRAMES(exc_info)
    ]


def _spelled_out(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Keep names of files and tables from steering the terminal."""
    return {
        key: printable(value) if isinstance(value, str) else value for key, value in event.items()
    }


@contextmanager
def _bridged(stream: _Stream, level: str, *, silent: bool, coloured: bool) -> Iterator[None]:
    """Let warnings of the standard library's loggers appear in the same form, for the block.

    What is less than a warning is not for anybody's eyes: botocore shows session tokens there.
    """
    handler = logging.StreamHandler(cast("TextIO", stream))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(stream, coloured=coloured),
            ],
        )
    )
    threshold = max(logging.WARNING, getattr(logging, level.upper()))
    handler.setLevel(logging.CRITICAL + 1 if silent else threshold)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


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
