"""The only door to boto3: one client, one set of timeouts and retries, one translation of errors.

boto3 is imported when the first request is made. Servers differ in which checksums of a request
they can stand, so none of boto3's own is sent or expected; the SHA-256 of every body is part of the
signature, so that a server can refuse a damaged one, and what is downloaded is hashed by whoever
asked for it.
"""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Lock
from typing import Any

from junmai_svc.storage.backends.options import S3Options
from junmai_svc.storage.backends.s3_answers import from_answer
from junmai_svc.storage.errors import (
    AccessDeniedError,
    IntegrityError,
    JunmaiError,
    StorageUnavailableError,
    UsageError,
)

CHUNK = 1 << 20
PARTIAL = 206  # the status of an answer with the range that was asked for
POOL = 16  # connections: as many threads may read at once

_CREDENTIALS_HINT = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile."
_AGAIN_HINT = "Check the address and the network, then run the same command again."


class Connection:
    """One bucket's client, made when it is first needed and shared between threads."""

    def __init__(self, bucket: str, options: S3Options) -> None:
        self.bucket = bucket
        self.options = options
        self._lock = Lock()
        self._made: Any = None

    def call(self, operation: str, doing: str, **arguments: Any) -> dict[str, Any]:
        """Make one request and return its answer; retried as the options say.

        `operation` is the name of a method of boto3's client; `doing` completes "Can't ...".

        Raises:
            JunmaiError: whichever of the tree fits.
        """
        with _translated(doing):
            answer: dict[str, Any] = getattr(self._client(), operation)(
                Bucket=self.bucket, **arguments
            )
        return answer

    def pages(self, operation: str, doing: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """Yield the answers of a listing, which comes in pages.

        Raises:
            JunmaiError: whichever of the tree fits.
        """
        with _translated(doing):
            pages = self._client().get_paginator(operation)
            yield from pages.paginate(Bucket=self.bucket, **arguments)

    def stream(
        self, doing: str, first: int = 0, last: int | None = None, **arguments: Any
    ) -> Iterator[tuple[int, bytes]]:
        """Yield an object's bytes `first` to `last` (inclusive) as (bytes in all, chunk).

        boto3 retries until an answer begins; one that breaks off later is taken up here where it
        broke, in the same object only, and as often as other requests are tried while it hardly
        gets on.

        Raises:
            JunmaiError: whichever of the tree fits.
        """
        position, end, broken, broke_at = first, last, 0, first
        while True:
            if position or end is not None:
                arguments["Range"] = f"bytes={position}-{'' if end is None else end}"
            answer = self.call("get_object", doing, **arguments)
            if "ETag" not in answer:
                answer["Body"].close()
                raise StorageUnavailableError(
                    f"Can't {doing}: what answered does not speak S3, such as a proxy's own page",
                    "Check the endpoint's URL, and what is between it and this machine.",
                )
            arguments["IfMatch"] = answer["ETag"]
            if "Range" in arguments and answer["ResponseMetadata"]["HTTPStatusCode"] != PARTIAL:
                answer["Body"].close()
                raise UsageError(
                    f"Can't {doing}: the server sent everything where a part was asked for",
                    "It is not enough like S3; use another one.",
                )
            if end is None:
                end = position + int(answer["ContentLength"]) - 1
            try:
                with _translated(doing), closing(answer["Body"]) as body:
                    while position <= end:
                        chunk = body.read(min(CHUNK, end + 1 - position))
                        if not chunk:
                            break
                        position += len(chunk)
                        yield end + 1 - first, chunk
            except StorageUnavailableError:
                broken = 1 if position - broke_at >= CHUNK else broken + 1
                if broken >= self.options.attempts:
                    raise
                broke_at = position
                continue
            return

    def close(self) -> None:
        """Close the client's connections; the next request makes a new client."""
        with self._lock:
            if self._made is not None:
                self._made.close()
            self._made = None

    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                self._made = _client(self.options)
            return self._made


def _client(options: S3Options) -> Any:
    import boto3  # noqa: PLC0415  # takes 0.2 s, which only those who use S3 should wait
    from botocore.config import Config  # noqa: PLC0415

    # Servers of one's own rarely have a host name for each bucket.
    own = "path" if options.endpoint_url else "auto"
    config = Config(
        connect_timeout=options.connect_seconds,
        read_timeout=options.read_seconds,
        retries={"mode": "standard", "total_max_attempts": options.attempts},
        max_pool_connections=POOL,
        tcp_keepalive=True,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={
            "addressing_style": {None: own, True: "path", False: "virtual"}[options.path_style],
            "payload_signing_enabled": True,
        },
    )
    session = boto3.session.Session(profile_name=options.profile, region_name=options.region)
    client = session.client("s3", endpoint_url=options.endpoint_url, config=config)
    client.meta.events.register("before-call.s3.CopyObject", _add_digest_of_nothing)
    client.meta.events.register_first("needs-retry.s3", _let_through)
    return client


def _add_digest_of_nothing(params: dict[str, Any], **_: object) -> None:
    """Add the MD5 of a copy's empty body, as a request for a lock needs some digest of its body."""
    params["headers"]["Content-MD5"] = "1B2M2Y8AsgTpgAmY7PhCfg=="


def _let_through(caught_exception: BaseException | None, **_: object) -> None:
    """Raise what a signal's handler raised during a request.

    botocore takes every exception there for a broken connection, and would try again.
    """
    cause = getattr(caught_exception, "kwargs", {}).get("error")
    if isinstance(cause, JunmaiError):
        raise cause


@contextmanager
def _translated(doing: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    try:
        yield
    # A body lets some errors of urllib3 and the system through; ValueError is a bad endpoint's.
    except (ClientError, BotoCoreError, HTTPError, OSError, ValueError) as error:
        raise _failure(error, doing) from error


def _failure(error: Exception, doing: str) -> JunmaiError:
    """Return the JunmaiError for whatever boto3 raised: the only place that knows its classes."""
    from botocore import exceptions as boto  # noqa: PLC0415

    if isinstance(error, boto.ClientError):
        told = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return from_answer(doing, str(told.get("Code", "")), status, str(told.get("Message", "")))
    # An endpoint out of the environment may hold what must not be shown.
    said = re.sub(r"//[^/@\s]*@", "//", str(error))
    if isinstance(
        error,
        boto.NoCredentialsError
        | boto.PartialCredentialsError
        | boto.CredentialRetrievalError
        | boto.TokenRetrievalError
        | boto.ProfileNotFound
        | boto.NoAuthTokenError,
    ):
        return AccessDeniedError(f"Can't {doing}: {said}", _CREDENTIALS_HINT)
    if isinstance(error, boto.SSLError):
        return StorageUnavailableError(
            f"Can't {doing}: the server's certificate or encryption was not accepted",
            "Check the address; for a certificate of your own, set AWS_CA_BUNDLE.",
        )
    if isinstance(error, boto.FlexibleChecksumError):
        return IntegrityError(f"Can't {doing}: it arrived damaged", "Run the same command again.")
    if isinstance(error, boto.ValidationError | boto.ParamValidationError | ValueError):
        return UsageError(f"Can't {doing}: {said}", "Check bucket, region and endpoint.")
    return StorageUnavailableError(f"Can't {doing}: {said}", _AGAIN_HINT)
