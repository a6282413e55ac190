"""The edge of the program: errors become a message and an exit code, here and nowhere else."""

import sys
from collections.abc import Callable
from pathlib import Path

from junmai_svc.service import logs, report, views
from junmai_svc.service.exits import BUG, DONE, exit_code
from junmai_svc.service.signals import interruptible
from junmai_svc.service.streams import is_reader_gone, reader_left
from junmai_svc.storage.errors import InterruptedRunError, JunmaiError, ToldError


def at_edge(
    act: Callable[[], int],
    *,
    as_json: bool,
    log_level: str = "info",
    log_file: Path | None = None,
    passed_on: tuple[type[Exception], ...] = (),
) -> int:
    """Run a command with the log set up and signals handled, and return the process's exit code.

    No exception of it comes out, except those that are `passed_on`, which belong to the parser of
    the arguments.
    """
    try:
        with logs.configured(log_level, log_file, quiet=sys.stderr.isatty()):
            return _act(act, as_json=as_json, log_file=log_file, passed_on=passed_on)
    except JunmaiError as error:  # the log itself can't be opened
        return _failed(error, as_json=as_json)


def _act(
    act: Callable[[], int],
    *,
    as_json: bool,
    log_file: Path | None,
    passed_on: tuple[type[Exception], ...],
) -> int:
    try:
        with interruptible():
            return act()
    except (JunmaiError, InterruptedRunError) as error:
        return _failed(error, as_json=as_json)
    except passed_on:
        raise
    except Exception as error:  # noqa: BLE001  # no traceback for a user
        if isinstance(error, OSError) and is_reader_gone(error):
            reader_left()
            return DONE
        logs.log().error("bug", exc_info=error)
        report.show_bug(error, "see the log" if log_file else "use --log-file to see more")
        return BUG


def _failed(error: ToldError, *, as_json: bool) -> int:
    report.show_error(error)
    view = views.error_view(error)
    (report.show_json if as_json else report.show_findings)(view)
    return exit_code(error)
