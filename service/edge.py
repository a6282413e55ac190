"""The edge of the program: errors become a message and an exit code, here and nowhere else."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from junmai_svc.service import logs, report, views
from junmai_svc.service.exits import BUG, DONE, exit_code
from junmai_svc.service.signals import interruptible
from junmai_svc.storage.errors import JunmaiError


@dataclass
class End:
    """How the process is to end."""

    code: int = DONE


@contextmanager
def edge(
    *,
    as_json: bool,
    log_level: str = "info",
    log_file: Path | None = None,
    passed_on: tuple[type[Exception], ...] = (),
) -> Iterator[End]:
    """Run a command with the log set up and signals handled; no exception of it leaves the block.

    Except those that are `passed_on`, which belong to the parser of the arguments.
    """
    end = End()
    try:
        logs.configure(log_level, log_file, quiet=sys.stderr.isatty())
        with interruptible():
            yield end
    except JunmaiError as error:
        report.show_error(error)
        if as_json:
            report.show_json(views.error_view(error))
        end.code = exit_code(error)
    except passed_on:
        raise
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  # no traceback for a user
        logs.log().error("bug", exc_info=error)
        report.show_bug(error, "see the log" if log_file else "use --log-file to see more")
        end.code = BUG
