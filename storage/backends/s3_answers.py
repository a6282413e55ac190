"""What servers that speak S3 answer when they refuse, as this project's errors; pure.

Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. A HEAD has no body, so
its code is the status. Other servers have codes of their own; then the status decides.
"""

from typing import NamedTuple

from junmai_svc.storage.backends.failures import SPACE_HINT
from junmai_svc.storage.errors import (
    AccessDeniedError,
    IntegrityError,
    JunmaiError,
    NoSpaceError,
    NotFoundError,
    StorageUnavailableError,
    UsageError,
)


class ConditionError(StorageUnavailableError):
    """A request's condition did not hold: something is there, or has changed."""


class _Row(NamedTuple):
    codes: set[str]
    statuses: set[int]
    kind: type[JunmaiError]
    hint: str


_AGAIN_HINT = "Run the same command again later."

# The first row with the code, else the first with the status, decides.
_TABLE = (
    _Row(
        {"PreconditionFailed", "ConditionalRequestConflict", "OperationAborted"},
        {409, 412},
        ConditionError,
        "Somebody else may be at work there: run the same command again.",
    ),
    _Row({"NoSuchBucket"}, set(), NotFoundError, "Make the bucket, or check the store's address."),
    _Row(
        {"NoSuchKey", "NoSuchVersion", "NoSuchUpload"},
        {404, 410},
        NotFoundError,
        "Check the store's address.",
    ),
    _Row(
        {"InvalidObjectState"},
        set(),
        StorageUnavailableError,
        "It was moved to an archive: have it restored from there, then run the command again.",
    ),
    _Row(
        {"RequestTimeTooSkewed", "RequestExpired"},
        set(),
        AccessDeniedError,
        "Set the clock of this machine.",
    ),
    _Row(
        {
            "AccessDenied",
            "ExpiredToken",
            "InvalidAccessKeyId",
            "InvalidToken",
            "SignatureDoesNotMatch",
        },
        {401, 403},
        AccessDeniedError,
        "Check the credentials and what they are allowed to do with this bucket.",
    ),
    _Row(
        {
            "EntityTooLarge",
            "InsufficientStorage",
            "QuotaExceeded",
            "StorageFull",
            "XMinioAdminBucketQuotaExceeded",
            "XMinioStorageFull",
        },
        {413, 507},
        NoSpaceError,
        SPACE_HINT,
    ),
    _Row(
        {"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch"},
        set(),
        IntegrityError,
        "The bytes were damaged on their way: run the same command again.",
    ),
    _Row({"InvalidRange"}, {416}, IntegrityError, "It was cut off or replaced: check the store."),
    _Row(
        {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"},
        {301, 307},
        UsageError,
        "Name the bucket's region.",
    ),
    _Row(
        {"RequestTimeout", "SlowDown", "ThrottlingException", "TooManyRequests"},
        {408, 429},
        StorageUnavailableError,
        _AGAIN_HINT,
    ),
    _Row(
        {"NotImplemented", "InvalidRequest", "InvalidArgument", "InvalidBucketName"},
        {400, 405, 411, 501},
        UsageError,
        "Check the store's options; the server may not be enough like S3.",
    ),
)


def from_answer(doing: str, code: str, status: int, told: str) -> JunmaiError:
    """Return the JunmaiError for a server's refusal; `doing` completes "Can't ..."."""
    # What the server tells is foreign text, for one line of a terminal.
    said = "".join(letter for letter in told if letter.isprintable())[:200] or f"status {status}"
    what = f"Can't {doing}: {code or status}, {said}"
    for row in _TABLE:
        if code in row.codes:
            return row.kind(what, row.hint)
    for row in _TABLE:
        if status in row.statuses:
            return row.kind(what, row.hint)
    return StorageUnavailableError(what, _AGAIN_HINT)
