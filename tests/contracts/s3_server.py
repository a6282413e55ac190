"""A server that speaks S3 over real HTTP on this machine, buckets in it and backends of them."""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from uuid import uuid4

import boto3
from moto.server import ThreadedMotoServer

from junmai_svc.storage.backends.base import NOTHING_SEEN, Capabilities
from junmai_svc.storage.backends.bucket import BucketBackend
from junmai_svc.storage.backends.options import S3Options
from junmai_svc.storage.backends.s3 import Connection

REGION = "us-east-1"
# What the server needs to be let in; it accepts any.
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST",
    "AWS_SECRET_ACCESS_KEY": "a-secret-that-nothing-may-show",
    "AWS_CONFIG_FILE": "/nowhere/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere/credentials",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}
FOREIGN = ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN")


@contextmanager
def running() -> Iterator[str]:
    """Run a server and yield its URL."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        yield url
    finally:
        if url in _clients:
            _clients.pop(url).close()
        server.stop()
        server._server.server_close()


# By the server's URL, as making one takes boto3 a tenth of a second.
_clients: dict[str, Any] = {}


def client_of(url: str) -> Any:
    """A client of boto3 as it comes, to do and see what a backend does not."""
    if url not in _clients:
        _clients[url] = boto3.client("s3", endpoint_url=url, region_name=REGION)
    return _clients[url]


def make_bucket(url: str, *, versioned: bool = False, lockable: bool = False) -> str:
    """Make a bucket that nobody else has and return its name."""
    name = f"bucket-{uuid4().hex}"
    client = client_of(url)
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=lockable)
    if versioned:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def quick(url: str, **options: Any) -> S3Options:
    """Options for a server next door, which answers at once or not at all."""
    patience: dict[str, Any] = {"connect_seconds": 2, "read_seconds": 10, "attempts": 2}
    return S3Options(endpoint_url=url, region=REGION, **{**patience, **options})


@contextmanager
def backend_at(
    url: str,
    bucket: str,
    prefix: str = "",
    seen: Capabilities = NOTHING_SEEN,
    **options: Any,
) -> Iterator[BucketBackend]:
    """A backend in a bucket, closed at the end."""
    backend = BucketBackend(Connection(bucket, quick(url, **options)), prefix, seen)
    with closing(backend):
        yield backend
