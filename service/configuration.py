"""What can be configured, with every default: the form of `junmai.toml`.

Durations are a number and one of s, m, h, d. Paths count from the folder of the file that names
them.
"""

import re
from datetime import timedelta
from typing import Annotated, Literal

import msgspec

Duration = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,6}[smhd]$")]
Number = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def duration(text: Duration) -> timedelta:
    """Return the length of time that such as `30d` or `90m` says.

    Raises:
        ValueError: it says none.
    """
    if not re.fullmatch(r"[1-9][0-9]{0,6}[smhd]", text):
        raise ValueError(f"{text!r} is no duration such as 30d, 12h, 90m or 45s")
    return timedelta(seconds=int(text[:-1]) * _SECONDS[text[-1]])


class JournalSection(msgspec.Struct, frozen=True, kw_only=True):
    """Where every run is recorded; None is `journal.db` beside the database concerned."""

    url: str | None = None


class StoreSection(msgspec.Struct, frozen=True, kw_only=True):
    """One store of snapshots."""

    url: str
    layout: Literal["file", "blocks"] | None = None
    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    path_style: bool | None = None
    encryption: str | None = None
    kms_key_id: str | None = None
    lock_mode: str = "GOVERNANCE"
    lock_days: int | None = None
    encryption_key_file: str | None = None
    encryption_passphrase_file: str | None = None


class CacheSection(msgspec.Struct, frozen=True, kw_only=True):
    """Where this machine keeps what makes stores quick."""

    folder: str | None = None


class RetentionSection(msgspec.Struct, frozen=True, kw_only=True):
    """Which snapshots are kept; each that any line keeps stays."""

    keep_within: Duration | None = "30d"
    keep_last: Number = 3
    keep_hourly: Number = 0
    keep_daily: Number = 0
    keep_weekly: Number = 0
    keep_monthly: Number = 0
    keep_yearly: Number = 0


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    journal: JournalSection = msgspec.field(default_factory=JournalSection)
    stores: dict[str, StoreSection] = msgspec.field(default_factory=dict)
    retention: RetentionSection = msgspec.field(default_factory=RetentionSection)
    cache: CacheSection = msgspec.field(default_factory=CacheSection)
