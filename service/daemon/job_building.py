"""From the configuration to the jobs of the daemon; the same use cases as the command line's.

Nothing is opened here: a store that does not answer now may do so when its job runs.
"""

from junmai_svc.service.daemon.job_backup import backup_job
from junmai_svc.service.daemon.job_targets import Surroundings
from junmai_svc.service.daemon.job_upkeep import (
    check_parts,
    drill_parts,
    prune_parts,
    publish_parts,
)
from junmai_svc.service.daemon.jobs import Job, JobKind, Part
from junmai_svc.service.schedule import parse
from junmai_svc.storage.errors import UsageError


def jobs_of(around: Surroundings) -> list[Job]:
    """Return all jobs that are configured to run at any time, at least one.

    Raises:
        UsageError: there is none, or a schedule can't be read.
    """
    jobs = build_jobs(around)
    if not jobs:
        raise UsageError(
            "Nothing is configured to run",
            "Add [[databases]] with a schedule, and a store, to the configuration.",
        )
    return jobs


def build_jobs(around: Surroundings) -> list[Job]:
    """Return all jobs that are configured to run at any time.

    Raises:
        UsageError: a schedule can't be read.
    """
    configuration = around.loaded.configuration
    jobs = [backup_job(around, section) for section in configuration.databases if section.schedule]
    regular: list[tuple[JobKind, str, list[Part]]] = [
        ("prune", configuration.prune.schedule, list(prune_parts(around))),
        ("drill", configuration.drill.schedule, list(drill_parts(around))),
        ("check", configuration.check.schedule, list(check_parts(around))),
        ("publish", configuration.publish.schedule, list(publish_parts(around))),
    ]
    jobs += [
        Job(kind, kind, parse(schedule), tuple(parts))
        for kind, schedule, parts in regular
        if schedule and parts
    ]
    return jobs
