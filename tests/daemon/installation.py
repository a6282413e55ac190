"""An installation for tests: a configuration, a database, stores; and its daemon as a process."""

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.harness.databases import make_oldest
from tests.harness.program import PATIENCE, Program

HEAD = """
[journal]
url = "sqlite:///data/journal.db"
[log]
file = "daemon.log"
[status]
listen = ""
[stores.local]
url = "data/backups"
layout = "file"
[prune]
schedule = ""
[drill]
schedule = ""
[check]
schedule = ""
[publish]
schedule = ""
"""
DATABASE = """
[[databases]]
name = "junmai"
path = "data/junmai.db"
schedule = "{schedule}"
"""
NEVER_SOON = "0 0 1 1 *"


class Installation:
    """The files in `folder`; `configure` writes what is configured."""

    def __init__(self, folder: Path, photos: int = 24) -> None:
        self.folder = folder
        self.program = Program(folder)
        self.configuration = folder / "junmai.toml"
        self.journal = folder / "data" / "journal.db"
        self.log_file = folder / "daemon.log"
        self.source = folder / "data" / "junmai.db"
        self.store = folder / "data" / "backups"
        self.source.parent.mkdir()
        make_oldest(self.source, photos)
        self.configure()

    def configure(self, schedule: str = "every 1s", more: str = "", head: str = HEAD) -> None:
        """Write the configuration."""
        text = head + more + DATABASE.format(schedule=schedule)
        self.configuration.write_text(text, encoding="utf-8")

    def start(self, *, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start the daemon and wait until it says that it is ready."""
        before = len(self.lines("daemon.ready"))
        running = self.program.start("--config", self.configuration, "daemon", "run", env=env)
        self.wait_for(lambda: len(self.lines("daemon.ready")) > before, running)
        return running

    def wait_for(
        self, seen: Callable[[], object], running: subprocess.Popen[str] | None = None
    ) -> None:
        """Wait until something is seen, while the daemon runs."""
        deadline = time.monotonic() + PATIENCE / 4
        while not seen():
            ended = running is not None and running.poll() is not None
            assert not ended, running.communicate() if running else ""
            assert time.monotonic() < deadline, self.log_file.read_text(encoding="utf-8")[-3000:]
            time.sleep(0.02)

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """Return the lines of the log, of one event or of all."""
        if not self.log_file.exists():
            return []
        text = self.log_file.read_text(encoding="utf-8")
        whole = [json.loads(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"]
        return [line for line in whole if event in {None, line["event"]}]

    def runs(self) -> list[dict[str, Any]]:
        """Return the runs of the journal, newest first."""
        found = self.program("--journal", self.journal, "history", "--json").json["runs"]
        assert isinstance(found, list)
        return found

    def events(self) -> list[str]:
        """Return the names of the events of the newest daemon's run.

        Without the due times that a busy machine was too slow for.
        """
        [newest, *_] = [run["run"] for run in self.runs() if run["kind"] == "daemon"]
        shown = self.program("--journal", self.journal, "show", newest, "--json").json
        names = [event["type"].split(".")[2] for event in shown["events"]]
        return [name for name in names if name not in {"jobs_missed", "job_skipped"}]

    def snapshots(self) -> list[str]:
        """Return the names of the stored snapshots."""
        return sorted(path.stem for path in self.store.glob("*.json"))
