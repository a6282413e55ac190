"""From the address of a store to its backend."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from junmai_svc.storage.backends.base import NOTHING_SEEN, Backend, Capabilities
from junmai_svc.storage.backends.bucket import BucketBackend
from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.backends.options import S3Options
from junmai_svc.storage.backends.s3 import Connection
from junmai_svc.storage.errors import UsageError

# Two letters at least: one is a drive of Windows.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(?://)?")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, and older names.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")

_HINT = "Name a folder, file:///FOLDER or s3://BUCKET/PREFIX."


def locate(
    address: str, options: S3Options | None = None, seen: Capabilities = NOTHING_SEEN
) -> Backend:
    """Return the backend at an address; nothing is asked or made yet.

    `options` are for stores on S3; `seen` is what a probe once saw there.

    Raises:
        UsageError: the address can't be used; credentials in it are not repeated.
    """
    if not address or "\0" in address:
        raise UsageError("The store's address is empty or no text", _HINT)
    scheme = _SCHEME.match(address)
    if scheme is None:
        return LocalBackend(Path(address))
    kind, rest = scheme[1].lower(), address[scheme.end() :]
    if kind == "file":
        return LocalBackend(_folder(address))
    if kind == "s3" and scheme[0].endswith("//"):
        bucket, _, prefix = rest.partition("/")
        if "@" in bucket:
            raise UsageError(
                "The store's address holds credentials, which would show up in logs",
                "Leave them out; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile.",
            )
        if not _BUCKET.fullmatch(bucket):
            raise UsageError(f"{bucket[:100]!a} can't be the name of a bucket", _HINT)
        connection = Connection(bucket, options or S3Options())
        return BucketBackend(connection, prefix.rstrip("/"), seen)
    raise UsageError(
        f"No store can be reached by {kind}:",
        f"{_HINT} A folder whose name has a colon is written ./NAME.",
    )


def folder_at(address: str) -> Path | None:
    """Return the local folder that an address names; None where it names a place elsewhere.

    Raises:
        UsageError: the address can't be used.
    """
    scheme = _SCHEME.match(address)
    if scheme is None:
        return Path(address)
    return _folder(address) if scheme[1].lower() == "file" else None


def _folder(address: str) -> Path:
    parts = urlsplit(address)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise UsageError(
            f"{address[:200]!a} does not name a folder of this machine",
            "After file: come three slashes and the path: file:///srv/backups.",
        )
    # Here, as it brings the whole of HTTP, which a path has no use for.
    from urllib.request import url2pathname  # noqa: PLC0415

    return Path(url2pathname(parts.path))
