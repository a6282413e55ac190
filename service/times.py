"""Times as people type them; without a zone they are in UTC."""

from datetime import UTC, datetime

from junmai_svc.storage.errors import UsageError


def parse_time(text: str) -> datetime:
    """Return the time in UTC that such as `2025-01-08`, `2025-01-08T12:00` or `...+09:00` says.

    Raises:
        UsageError: it says none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no time", "Say 2025-01-08, 2025-01-08T12:00 or 2025-01-08T12:00:00Z."
        ) from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
