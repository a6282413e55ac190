"""A browser and a server for it. Without Chromium these tests are skipped; in CI they fail."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from tests.browser.devtools import Browser, installed, running
from tests.harness.statuses import well

from junmai_svc.service.status.fold import Status, fold_status
from junmai_svc.service.status.observation import Observation
from junmai_svc.service.status.server import StatusServer


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium; where CI is set, its lack is a failure."""
    path = installed()
    missing = "needs Chromium, which is not installed" if path is None else None
    if sys.platform == "win32":
        missing = "needs pipes of POSIX to speak to Chromium"
    if missing is not None or path is None:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    with running(path, tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@dataclass
class Shown:
    """What the server tells of, which a test sets, and where."""

    status: Status
    reports: dict[str, str] = field(default_factory=dict)
    url: str = ""

    def show(self, observation: Observation) -> None:
        """Tell of this from now on."""
        self.status = fold_status(observation)


@pytest.fixture(scope="session")
def served() -> Iterator[Shown]:
    """A real server whose status can be chosen."""
    shown = Shown(fold_status(well()))
    with StatusServer("127.0.0.1:0", lambda: shown.status, shown.reports.get) as server:
        shown.url = server.url
        yield shown


@pytest.fixture
def shown(served: Shown) -> Shown:
    """The server as it is for each test: all is well, no run has a report."""
    served.show(well())
    served.reports.clear()
    return served
