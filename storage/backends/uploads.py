"""Bytes and files sent to a bucket: at once, or in parts of which one is in memory at a time."""

import base64
import hashlib
import io
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from junmai_svc.storage.backends.failures import translated
from junmai_svc.storage.backends.s3 import Connection
from junmai_svc.storage.errors import IntegrityError, JunmaiError

AT_ONCE = 32 << 20  # the largest object that is sent in one request
PART = 16 << 20
MOST_PARTS = 10_000  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html


def size_of(content: bytes | Path, doing: str) -> int:
    """Return how many bytes are to be sent.

    Raises:
        NotFoundError, AccessDeniedError: there is no such file, or it can't be looked at.
    """
    if isinstance(content, bytes):
        return len(content)
    with translated(doing):
        return content.stat().st_size


def checksum(body: bytes, *, checked: bool) -> dict[str, str]:
    """Return the arguments that carry a body's SHA-256, which S3 demands where objects are locked.

    It is given ready-made: what boto3 would compute it sends behind the body, which fewer servers
    understand.
    """
    if not checked:
        return {}
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": digest}


def send(
    connection: Connection,
    doing: str,
    content: bytes | Path,
    target: dict[str, Any],
    condition: dict[str, str],
    *,
    checked: bool,
) -> None:
    """Upload content in one request or in parts; `target` says to where and how it is to be kept.

    The object appears whole, by the last request. Parts that will not be completed are removed,
    unless the process dies: what is then left, a sweep finds.

    Raises:
        ConditionError: the condition did not hold.
        IntegrityError: the file is not what it was at the beginning.
        JunmaiError: as the server answers.
    """
    size = size_of(content, doing)
    if size <= AT_ONCE:
        (body,) = _bodies(content, size, max(size, 1), doing)
        with_sum = checksum(body, checked=checked)
        connection.call("put_object", doing, Body=body, **target, **condition, **with_sum)
        return
    algorithm = {"ChecksumAlgorithm": "SHA256"} if checked else {}
    begun = connection.call("create_multipart_upload", doing, **target, **algorithm)
    upload = {"Key": target["Key"], "UploadId": begun["UploadId"]}
    parts = []
    try:
        length = max(PART, -(-size // MOST_PARTS))
        for number, body in enumerate(_bodies(content, size, length, doing), 1):
            with_sum = checksum(body, checked=checked)
            sent = connection.call(
                "upload_part", doing, PartNumber=number, Body=body, **upload, **with_sum
            )
            with_sum.pop("ChecksumAlgorithm", None)
            parts.append({"PartNumber": number, "ETag": sent["ETag"], **with_sum})
        connection.call(
            "complete_multipart_upload",
            doing,
            MultipartUpload={"Parts": parts},
            **upload,
            **condition,
        )
    except BaseException:
        with suppress(JunmaiError):
            connection.call("abort_multipart_upload", doing, **upload)
        raise


def _bodies(content: bytes | Path, size: int, length: int, doing: str) -> Iterator[bytes]:
    """Yield the content in bodies of one length, the last shorter; an empty content in one."""
    with translated(doing):
        file: BinaryIO = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
    with file:
        for start in range(0, max(size, 1), length):
            with translated(doing):
                body = file.read(min(length, size - start))
            if len(body) != min(length, size - start):
                raise IntegrityError(
                    f"Can't {doing}: the file got shorter while it was read",
                    "Let nobody write to it, and run the same command again.",
                )
            yield body
