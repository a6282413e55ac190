"""From the configuration to what a daemon is made of: its journal, jobs, addresses and log."""

import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from junmai_svc.service.configuration.file import Loaded
from junmai_svc.service.configuration.form import duration
from junmai_svc.service.daemon.job_building import jobs_of
from junmai_svc.service.daemon.job_targets import Surroundings, path_of, places_of
from junmai_svc.service.daemon.page import page_beside
from junmai_svc.service.daemon.run import Setup
from junmai_svc.service.install.units import System, Unit
from junmai_svc.service.notify.sending import Addresses, read_addresses
from junmai_svc.service.progress import Progress
from junmai_svc.service.settings import configured_journal, counted_from, default_journal
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import UsageError
from junmai_svc.storage.files import make_folder, write_durably


def set_up(loaded: Loaded, journal: Path, progress: Progress) -> Setup:
    """Return all that a daemon runs.

    Raises:
        UsageError: nothing is configured to run, or not as it can be.
        JunmaiError: a file with addresses can't be read.
    """
    jobs = jobs_of(Surroundings(loaded, journal, progress))
    addresses = addresses_of(loaded, os.environ)
    remind: timedelta = duration(loaded.configuration.notify.repeat_after)
    return Setup(loaded, tuple(jobs), addresses, remind, places_of(loaded), page_beside)


def journal_of(loaded: Loaded) -> Path:
    """Return the journal of an installation: the configured one, else beside its first database.

    Raises:
        UsageError: there is no database either.
    """
    named = configured_journal(loaded)
    if named is not None:
        return named
    if not loaded.configuration.databases:
        raise UsageError(
            "Nothing is configured to run", "Add [[databases]] and a store to the configuration."
        )
    return default_journal(path_of(loaded, loaded.configuration.databases[0]))


def addresses_of(loaded: Loaded, environment: Mapping[str, str]) -> Addresses:
    """Return the addresses of those who are told.

    Raises:
        JunmaiError: a file with addresses can't be read, or holds none.
    """
    section = loaded.configuration.notify
    files = [
        counted_from(loaded.folder, Path(name)) if name else None
        for name in (section.urls_file, section.ping_url_file)
    ]
    return read_addresses(files[0], files[1], environment)


def configured_path(loaded: Loaded) -> Path:
    """Return the configuration's file, which a system's unit has to name.

    Raises:
        UsageError: there is no file, or variables say more than it.
    """
    if loaded.path is None:
        raise UsageError(
            "There is no configuration file, only variables",
            "Name a file with --config: the system starts the daemon without your variables.",
        )
    if loaded.variables:
        names = ", ".join(sorted(loaded.variables.values()))
        raise UsageError(
            f"The system starts the daemon without the variables {names}",
            f"Put what they say into {loaded.path}, and unset them.",
        )
    return loaded.path


def log_file_of(loaded: Loaded, journal: Path, said: Path | None, system: System) -> Path | None:
    """Return the log file that a unit names; None where the log goes where the system keeps it.

    Of a program without a console Windows keeps nothing that it says, and launchd sends it to
    /dev/null. So there it has a file: that of the configuration, else one beside the journal.
    """
    if said is None and system is not System.SYSTEMD and not loaded.configuration.log.file:
        return journal.with_name("junmai-svc.log")
    return said


def install_file(unit: Unit, output: Path | None) -> Path:
    """Write a unit to a path, or to its usual place, and return where.

    Raises:
        JunmaiError: it can't be written.
    """
    path = output or Path(unit.usual)
    with translated("write", path):
        make_folder(path.absolute().parent)
        write_durably(path, unit.content, uuid4().hex[:12])
        if sys.platform != "win32":
            path.chmod(0o644)
    return path
