"""How a bucket is reached and what is asked of it, checked before anything is sent."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from junmai_svc.storage.errors import UsageError

LOCK_MODES = ("GOVERNANCE", "COMPLIANCE")
ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse")


@dataclass(frozen=True)
class S3Options:
    """Options of stores on S3. Credentials are none: they come by AWS's usual chain.

    Raises:
        UsageError: a value makes no sense; secrets in it are not repeated.
    """

    endpoint_url: str | None = None  # None: AWS, or what its environment and files say
    region: str | None = None
    profile: str | None = None  # of AWS's configuration files
    path_style: bool | None = None  # None: with an endpoint of one's own
    encryption: str | None = None  # on the server's side; one of ENCRYPTIONS
    kms_key_id: str | None = None
    lock_mode: str = "GOVERNANCE"  # what `retain_until` asks for
    lock_days: int | None = None  # how long whoever puts objects that are to stay should ask for
    under_markers: bool = False  # see and read what a delete marker hides
    connect_seconds: float = 5.0
    read_seconds: float = 20.0  # of silence
    attempts: int = 5  # for each request, with growing pauses between

    def __post_init__(self) -> None:
        if self.endpoint_url is not None:
            check_endpoint(self.endpoint_url)
        if self.encryption not in (None, *ENCRYPTIONS):
            raise UsageError(
                f"Unknown encryption: {self.encryption}", f"Known are {', '.join(ENCRYPTIONS)}."
            )
        if self.kms_key_id and self.encryption in (None, "AES256"):
            raise UsageError("A KMS key is named without encryption by KMS", "Use aws:kms.")
        if self.lock_mode not in LOCK_MODES:
            raise UsageError(
                f"Unknown mode of object lock: {self.lock_mode}",
                f"Known are {', '.join(LOCK_MODES)}.",
            )
        if self.lock_days is not None and self.lock_days < 1:
            raise UsageError(
                f"{self.lock_days} days of object lock", "Name at least 1 day, or leave it out."
            )
        if min(self.connect_seconds, self.read_seconds, self.attempts) <= 0:
            raise UsageError("Timeouts and attempts of S3 must be above 0", "Leave them out.")

    def retain_until(self, now: datetime) -> datetime | None:
        """Return until when an object that is put now (UTC) is to stay; None if no lock is set."""
        return None if self.lock_days is None else now + timedelta(days=self.lock_days)


def check_endpoint(url: str) -> None:
    """Check the address of a server.

    Raises:
        UsageError: it is none, or holds credentials, which are not repeated.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # raises where it is none
    except ValueError:
        parts, host = None, None
    if parts is not None and "@" in parts.netloc:
        raise UsageError(
            "The endpoint's URL holds credentials, which would show up in logs",
            "Leave them out; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile.",
        )
    if parts is None or parts.scheme not in ("http", "https") or not host or parts.query:
        raise UsageError(
            "The endpoint's URL can't be used", "It looks like https://HOST or http://HOST:PORT."
        )
