"""How many requests the real program makes of S3 for a backup, for its store and its journal."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.contracts import s3_server
from tests.contracts.faulty_server import Plan, Request, in_front_of
from tests.harness.databases import change, make_oldest
from tests.harness.program import Program

FIRST, UNCHANGED, CHANGED = "first", "unchanged", "one pack"


@dataclass(frozen=True)
class Requests:
    """Requests for the snapshot, and for the journal: before anything is recorded, to publish."""

    store: int
    looks: int
    publishing: int


def backups(folder: Path) -> dict[str, Requests]:
    """Back a small database up three times into a new bucket, and count what each one asks for."""
    source = make_oldest(folder / "counted.db")
    environment = s3_server.ENVIRONMENT | {
        "AWS_DEFAULT_REGION": s3_server.REGION,
        "XDG_CACHE_HOME": str(folder / "cache"),
        "LOCALAPPDATA": str(folder / "cache"),
    }
    found: dict[str, Requests] = {}
    program = Program(folder)
    with s3_server.running() as server:
        address = f"s3://{s3_server.make_bucket(server)}/x"
        for what in (FIRST, UNCHANGED, CHANGED):
            time.sleep(1.0)  # within one second the name is taken, which costs a second try
            if what == CHANGED:
                change(source, "UPDATE photos SET rejection_reason = 'other'")
            plan = Plan()
            with in_front_of(server, plan) as url:
                store = ("--store", address, "--endpoint-url", url)
                program("backup", "--source", source, *store, env=environment)
            found[what] = _requests(plan.requests)
    program.close()
    shutil.rmtree(folder / "cache", ignore_errors=True)
    return found


def _requests(made: Sequence[Request]) -> Requests:
    of_journal = ["/journal/" in each.path.replace("%2F", "/") for each in made]
    first_change = [each.method for each in made].index("PUT")
    looks = sum(of_journal[:first_change])
    return Requests(of_journal.count(False), looks, sum(of_journal) - looks)
