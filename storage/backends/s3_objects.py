"""What a server of S3 says of one object, by its answers to HEAD."""

from datetime import UTC, datetime
from typing import Any

from junmai_svc.storage.backends.base import RetainedError
from junmai_svc.storage.errors import NotFoundError

MARK = "junmai-put"  # metadata must be ASCII


def version_of(found: dict[str, Any]) -> str | None:
    """Return the id of a version; None where the bucket keeps none."""
    version = found.get("VersionId")
    return None if version in (None, "", "null") else str(version)


def mark_of(found: dict[str, Any]) -> str | None:
    """Return the mark of the put that the object comes from; it goes with a copy."""
    mark: str | None = found.get("Metadata", {}).get(MARK)
    return mark


def is_held(found: dict[str, Any]) -> bool:
    """Tell whether it is under a legal hold."""
    return bool(found.get("ObjectLockLegalHoldStatus") == "ON")


def retained_until(found: dict[str, Any]) -> datetime | None:
    """Return until when (UTC) a lock keeps it; None where none does."""
    until: datetime | None = found.get("ObjectLockRetainUntilDate")
    return until.astimezone(UTC) if until else None


def refuse_retained(name: str, url: str, found: dict[str, Any] | None) -> None:
    """Refuse to touch what a lock keeps.

    Raises:
        RetainedError: one does.
    """
    if found is None:  # gone meanwhile
        return
    until = retained_until(found)
    if is_held(found):
        raise RetainedError(
            f"{name} in {url} is under a legal hold", "Whoever placed it can lift it.", None
        )
    if until is not None and until > datetime.now(UTC):
        raise RetainedError(
            f"{name} in {url} is locked until {until:%Y-%m-%d %H:%M:%S} UTC",
            "Delete it after that time.",
            until,
        )


def missing(name: str, url: str) -> NotFoundError:
    """Return the error for an object that is not there."""
    return NotFoundError(f"{name} is not in {url}", "Check the store's address.")
