"""The replaced tool's Python API and its flags: a thin face on the use cases."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from junmai_svc.service import report, views
from junmai_svc.service.backup import backup
from junmai_svc.service.context import Context, now
from junmai_svc.service.edge import at_edge
from junmai_svc.service.exits import DONE, FINDINGS
from junmai_svc.service.logs import log
from junmai_svc.service.migrate import migrate
from junmai_svc.service.migration import MigrateRequest
from junmai_svc.service.migration_log import MigrationLog, error_lines, verification_results
from junmai_svc.service.preflight import refuse_request
from junmai_svc.service.progress import Progress, Silent, for_terminal
from junmai_svc.service.restore import Which, refuse_target, restore
from junmai_svc.service.settings import default_backup_dir, default_target
from junmai_svc.service.stores import Named
from junmai_svc.service.streams import ready_streams
from junmai_svc.service.verify import verify_databases
from junmai_svc.service.wiring import context_for
from junmai_svc.storage.databases.connection import require_database
from junmai_svc.storage.errors import JunmaiError
from junmai_svc.storage.snapshots.manifest import Reason


class DataMigrationTool:
    """Back up, migrate, verify and restore one database, as the replaced tool's class does.

    `error` holds what made `migrate_data` or `restore_from_backup` return False.
    """

    def __init__(
        self,
        source_db_path: str | Path,
        target_db_path: str | Path | None = None,
        backup_dir: str | Path | None = None,
    ) -> None:
        self.source = Path(source_db_path)
        self.target = Path(target_db_path) if target_db_path else default_target(self.source)
        self.backup_dir = Path(backup_dir) if backup_dir else default_backup_dir(self.source)
        self.error: JunmaiError | None = None
        self._log = MigrationLog(str(source_db_path), str(target_db_path or self.target))

    def create_backup(self) -> str:
        """Store a snapshot of the source and return the path of its image.

        Raises:
            JunmaiError: nothing was stored; "Source database not found" where it is missing.
        """
        require_database(self.source)
        with self._context(self.source) as context:
            stored = backup(context, self.source, Reason.MIGRATION, full_check=True)
        path = stored.snapshot.place
        self._log.backup_path = path
        self._log.add("backup", "success", now(), backup_path=path)
        return path

    def migrate_data(self) -> bool:
        """Migrate the source to the target, verified; False where nothing was published.

        A backup is taken first, unless `create_backup` has taken one.
        """
        request = MigrateRequest(
            self.source, self.target, keep_backup=self._log.backup_path is None
        )
        return self._succeeds(lambda: self._migrate(request))

    def verify_migration(self) -> dict[str, Any]:
        """Compare source and target: `{"success", "checks": {...}, "errors": [...]}`."""
        try:
            require_database(self.source)
            require_database(self.target, "Target database")
            with self._context(self.source) as context:
                done = verify_databases(context, self.source, self.target)
            results = verification_results(done.report, done.rows)
            errors = error_lines(done.report.results)
        except JunmaiError as error:
            self.error = error
            results = {"success": False, "checks": {}, "errors": [f"{error.message}. {error.hint}"]}
            errors = [f"{error.shown}. {error.hint}"]
        self._log.verification_results = results
        status = "success" if results["success"] else "failed"
        self._log.add("verification", status, now(), results=results)
        return results | {"errors": errors}

    def save_migration_log(self) -> str:
        """Write the migration log beside the backups and return its path.

        Raises:
            JunmaiError: it can't be written.
        """
        return str(self._log.save(self.backup_dir, now()))

    def restore_from_backup(self, backup_path: str | Path) -> bool:
        """Put a backup in the place of the source, keeping a snapshot of what was there."""
        return self._succeeds(lambda: self._restore(str(backup_path)))

    def _migrate(self, request: MigrateRequest) -> None:
        refuse_request(request)
        with self._context(self.source) as context:
            migrate(context, request, self._log)

    def _restore(self, backup_path: str) -> None:
        refuse_target(self.source)
        with self._context(self.source) as context:
            restore(context, Which(backup_path), self.source)

    def _succeeds(self, act: Any) -> bool:
        self.error = None
        try:
            act()
        except JunmaiError as error:
            self.error = error
            log().error("failed", message=error.message, hint=error.hint)
        return self.error is None

    @contextmanager
    def _context(self, database: Path, progress: Progress | None = None) -> Iterator[Context]:
        store = Named(str(self.backup_dir), is_folder=True)
        with context_for(None, database, [store], None, progress or Silent()) as context:
            yield context


def main(arguments: list[str] | None = None) -> int:
    """Run the replaced tool's command line and return the exit code of README's table."""
    ready_streams()
    options = _parser().parse_args(arguments)
    return at_edge(lambda: _run(options), as_json=False)


def _run(options: argparse.Namespace) -> int:
    source: Path = options.source
    target: Path = options.target or default_target(source)
    if options.restore is not None:
        refuse_target(source)
    else:
        require_database(source)
    request = MigrateRequest(source, target, keep_backup=not options.no_backup)
    migrating = not (options.restore or options.verify_only or options.backup_only)
    if migrating:
        refuse_request(request)
    named = [Named(str(options.backup_dir), is_folder=True)] if options.backup_dir else []
    with context_for(None, source, named, None, for_terminal()) as context:
        if options.restore is not None:
            report.show_restored(
                views.restored_view(restore(context, Which(options.restore), source))
            )
        elif options.verify_only:
            done = verify_databases(context, source, target)
            report.show_verification(views.verification_view(done))
            return DONE if done.report.passed else FINDINGS
        elif options.backup_only:
            stored = backup(context, source, Reason.MANUAL)
            report.show_backup(views.backup_view(stored))
        else:
            report.show_migration(views.migration_view(migrate(context, request)))
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="data_migration_tool",
        description="Back up, migrate, verify and restore a Junmai database.",
    )
    parser.add_argument("--source", required=True, type=Path, help="path to source database")
    parser.add_argument(
        "--target", type=Path, help="path to target database (default: source with .new.db suffix)"
    )
    parser.add_argument(
        "--backup-dir", type=Path, help="folder for backups (default: backups beside the source)"
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--backup-only", action="store_true", help="only create backup")
    mode.add_argument("--restore", metavar="BACKUP", help="restore from specified backup file")
    mode.add_argument("--verify-only", action="store_true", help="only verify existing migration")
    parser.add_argument(
        "--no-backup", action="store_true", help="skip backup creation (not recommended)"
    )
    return parser
