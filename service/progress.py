"""How far a long step has come: a bar on a terminal, nothing in a pipe.

Use cases speak to `Progress`; only this module knows rich.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, Protocol

from junmai_svc.service.printable import printable

Tick = Callable[[int], None]
Unit = Literal["bytes", "rows", "steps"]


class Progress(Protocol):
    """Where use cases report their steps."""

    def step(self, label: str, total: int, unit: Unit) -> AbstractContextManager[Tick | None]:
        """Show one step of `total` units; yields what to call with each advance, or None."""
        ...


class Silent:
    """No progress: for pipes, machines and the Python API."""

    @contextmanager
    def step(self, label: str, total: int, unit: Unit) -> Iterator[Tick | None]:
        """Yield None, so that nobody counts for nothing."""
        del label, total, unit
        yield None


class Bars:
    """One bar a step on stderr, removed when all is done; the closing table says the rest."""

    @contextmanager
    def step(self, label: str, total: int, unit: Unit) -> Iterator[Tick | None]:
        """Show a bar from 0 to `total`; a step that ends without an error ends full."""
        from rich.console import Console  # noqa: PLC0415  # drawing alone needs rich
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            ProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress  # noqa: PLC0415

        counted: ProgressColumn = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
        with RichProgress(
            TextColumn("{task.description:<28}", markup=False),
            BarColumn(),
            counted,
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        ) as bars:
            # A step that can't say how far it is only shows that it goes on.
            task = bars.add_task(printable(label), total=None if total == 1 else total)
            done = 0

            def tick(amount: int) -> None:
                nonlocal done
                done = min(done + amount, total)
                bars.update(task, completed=done)

            yield tick
            bars.update(task, total=total, completed=total)


def for_terminal() -> Progress:
    """Return bars where stderr is a terminal, else silence."""
    return Bars() if sys.stderr.isatty() else Silent()
