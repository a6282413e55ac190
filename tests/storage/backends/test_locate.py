"""An address leads to its backend, or is refused without repeating a secret."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from junmai_svc.storage.backends.base import Capabilities
from junmai_svc.storage.backends.bucket import BucketBackend
from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.backends.locate import locate
from junmai_svc.storage.backends.options import S3Options
from junmai_svc.storage.backends.s3_answers import ConditionError, from_answer
from junmai_svc.storage.errors import (
    AccessDeniedError,
    IntegrityError,
    JunmaiError,
    NoSpaceError,
    NotFoundError,
    StorageUnavailableError,
    UsageError,
)


@pytest.mark.parametrize(
    "address", ["backups", "./s3:odd", "../x", "C:\\backups", "c:/backups", "C://x", "~x", "a b"]
)
def test_what_has_no_scheme_is_a_path(address: str) -> None:
    backend = locate(address)
    assert isinstance(backend, LocalBackend)
    assert backend.folder == Path(address).absolute()


@pytest.mark.skipif(sys.platform == "win32", reason="its paths have drives")
@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("file:///srv/backups", "/srv/backups"),
        ("file://localhost/srv", "/srv"),
        ("file:/srv", "/srv"),
        ("FILE:///srv/with%20space%25", "/srv/with space%"),
    ],
)
def test_a_file_url_is_its_path(address: str, path: str) -> None:
    backend = locate(address)
    assert isinstance(backend, LocalBackend)
    assert backend.folder == Path(path)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("S3://Old_Bucket.name/a/b/", "s3://Old_Bucket.name/a/b"),
        ("s3://bucket/a b%20/é", "s3://bucket/a b%20/é"),
    ],
)
def test_an_s3_url_is_a_bucket_and_a_prefix(address: str, url: str) -> None:
    seen = Capabilities(conditional_put=True)
    backend = locate(address, S3Options(region="eu-central-1"), seen)
    assert isinstance(backend, BucketBackend)
    assert backend.url == url
    assert backend.capabilities() == seen


@pytest.mark.parametrize(
    ("address", "match"),
    [
        ("", "empty"),
        ("a\0b", "no text"),
        ("gs://bucket", "gs:"),
        ("https://host/bucket", "https:"),
        ("s3:bucket", "s3:"),
        ("s3://", "bucket"),
        ("s3://a", "bucket"),
        ("s3:///prefix", "bucket"),
        ("s3://bucket/../other", "can't be the name"),
        ("s3://bucket//x", "can't be the name"),
        ("file://host/share", "this machine"),
        ("file:relative", "this machine"),
    ],
)
def test_other_addresses_are_refused_with_what_would_do(address: str, match: str) -> None:
    with pytest.raises(UsageError, match=match) as caught:
        locate(address)
    assert caught.value.hint


@pytest.mark.parametrize(
    "address",
    [
        "s3://KEY:sesame@bucket/prefix",
        "gs://user:sesame@bucket",
        "https://user:sesame@host",
    ],
)
def test_credentials_in_an_address_are_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        locate(address)
    assert "sesame" not in f"{caught.value.message} {caught.value.hint} {caught.value.args}"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"endpoint_url": "localhost:9000"}, "endpoint"),
        ({"endpoint_url": "ftp://host"}, "endpoint"),
        ({"endpoint_url": "https://"}, "endpoint"),
        ({"endpoint_url": "https://host:port"}, "endpoint"),
        ({"endpoint_url": "https://host/?key=value"}, "endpoint"),
        ({"endpoint_url": "https://user:sesame@host"}, "credentials"),
        ({"encryption": "rot13"}, "rot13"),
        ({"kms_key_id": "key"}, "KMS"),
        ({"lock_mode": "STRICT"}, "STRICT"),
        ({"lock_days": 0}, "0 days"),
        ({"attempts": 0}, "above 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match) as caught:
        S3Options(**options)
    assert "sesame" not in f"{caught.value.message} {caught.value.hint}"


def test_days_of_lock_count_from_the_put() -> None:
    now = datetime(2026, 2, 27, 12, tzinfo=UTC)
    assert S3Options(lock_days=2).retain_until(now) == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert S3Options().retain_until(now) is None


def test_boto3_is_not_imported_before_a_request_is_made() -> None:
    program = """
import sys
from junmai_svc.storage.backends import probe
from junmai_svc.storage.backends.locate import locate
locate("s3://bucket/prefix").capabilities()
assert not {"boto3", "botocore", "urllib3"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("NoSuchKey", 404, NotFoundError),
        ("NoSuchBucket", 404, NotFoundError),
        ("404", 404, NotFoundError),
        ("AccessDenied", 403, AccessDeniedError),
        ("SomethingOfItsOwn", 403, AccessDeniedError),
        ("RequestTimeTooSkewed", 403, AccessDeniedError),
        ("InvalidObjectState", 403, StorageUnavailableError),
        ("PreconditionFailed", 412, ConditionError),
        ("ConditionalRequestConflict", 409, ConditionError),
        ("QuotaExceeded", 403, NoSpaceError),
        ("", 507, NoSpaceError),
        ("BadDigest", 400, IntegrityError),
        ("InvalidRange", 416, IntegrityError),
        ("AuthorizationHeaderMalformed", 400, UsageError),
        ("PermanentRedirect", 301, UsageError),
        ("NotImplemented", 501, UsageError),
        ("SlowDown", 503, StorageUnavailableError),
        ("RequestTimeout", 400, StorageUnavailableError),
        ("", 599, StorageUnavailableError),
        ("", 0, StorageUnavailableError),
    ],
)
def test_a_server_s_refusal_is_told_as_what_it_is(
    code: str, status: int, kind: type[JunmaiError]
) -> None:
    error = from_answer("read name in s3://bucket", code, status, "told\n\x1b[31m so")
    assert type(error) is kind
    assert error.message.startswith("Can't read name in s3://bucket: ")
    assert error.message.isprintable()
    assert error.hint
