"""What can be said before anything is written: may it be migrated, and what would happen?"""

from pathlib import Path

from junmai_svc.service.migration import MigrateRequest
from junmai_svc.service.plan import MigrationPlan, plan_migration
from junmai_svc.storage.databases.connection import reading, require_database
from junmai_svc.storage.databases.schema import Schema, read_schema
from junmai_svc.storage.errors import NotFoundError, UsageError
from junmai_svc.storage.models.junmai import definitions, target_schema


def plan_for(source: Path) -> MigrationPlan:
    """Return the plan for a database as it is now; writes nothing at all.

    Raises:
        PlanError: the source holds a column that the target schema has no place for.
        NotFoundError, LockedError, AccessDeniedError, IntegrityError: it can't be read.
    """
    with reading(source) as live:
        return plan_of(read_schema(live))


def plan_of(schema: Schema) -> MigrationPlan:
    """Return the plan for a source schema against the Junmai models.

    Raises:
        PlanError: the source holds a column that the target schema has no place for.
    """
    defaults = {name: definition.defaults for name, definition in definitions().items()}
    return plan_migration(schema, target_schema(), defaults)


def refuse_request(request: MigrateRequest) -> None:
    """Refuse what can be seen to be wrong without opening anything.

    Raises:
        NotFoundError: the source, or the target's folder, is not there.
        UsageError: source and target are one file, or the target exists and may not be replaced.
    """
    require_database(request.source)
    folder = request.target.absolute().parent
    if not folder.is_dir():
        raise NotFoundError(
            f"The folder of the target not found: {folder}", "Make the folder, or name another."
        )
    if request.target.exists() and request.target.samefile(request.source):
        raise UsageError(
            f"Source and target are the same file: {request.source}",
            "Name another --target; the source stays as it is until you replace it yourself.",
        )
    if request.target.is_dir():
        raise UsageError(f"The target {request.target} is a folder", "Name a file as --target.")
    if request.target.exists() and not request.overwrite:
        raise UsageError(
            f"The target {request.target} exists already",
            "Name another --target, or add --overwrite to replace it after a snapshot of it.",
        )
