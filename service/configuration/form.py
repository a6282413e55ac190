"""What can be configured, with every default: the form of `junmai.toml`.

What is said here of a key is also what the commented file and the JSON Schema say of it; a
`title` completes "must be ...". Durations are a number and one of s, m, h, d. Paths count from the
folder of the file that names them. Nothing here is a secret: those are in files, which are named.
"""

import re
from datetime import timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_LENGTH = "[1-9][0-9]{0,6}[smhd]"
# `$` alone would let a line feed through.
_END = r"$(?!\n)"
_A_DURATION = "a duration such as 30d, 12h, 90m or 45s"

Duration = Annotated[str, Meta(pattern=f"^{_LENGTH}{_END}", title=_A_DURATION)]
MaybeDuration = Annotated[str, Meta(pattern=f"^({_LENGTH})?{_END}", title=f'{_A_DURATION}, or ""')]
Number = Annotated[int, Meta(ge=0, le=1_000_000, title="a whole number from 0 to 1000000")]
Text = Annotated[str, Meta(min_length=1, title="a text that is not empty")]
# A schedule's own rules are in `service.schedule`.
ScheduleText = Annotated[str, Meta(title='a schedule, or ""')]
Name = Annotated[
    str,
    Meta(
        pattern=f"^[A-Za-z0-9_][A-Za-z0-9_.-]{{0,63}}{_END}",
        title="a name of up to 64 letters (A to Z), digits, _, - and .",
    ),
]


def duration(text: Duration) -> timedelta:
    """Return the length of time that such as `30d` or `90m` says.

    Raises:
        ValueError: it says none.
    """
    if not re.fullmatch(_LENGTH, text, re.ASCII):
        raise ValueError(f"{text!r} is no duration such as 30d, 12h, 90m or 45s")
    return timedelta(seconds=int(text[:-1]) * _SECONDS[text[-1]])


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all parts of the file have in common."""


class JournalSection(_Section, frozen=True):
    """Where every run is recorded."""

    url: Annotated[
        Text | None,
        Meta(
            description="A file of SQLite. Without it: journal.db beside the database concerned.",
            examples=["sqlite:///../data/journal.db"],
        ),
    ] = None


class RetentionSection(_Section, frozen=True):
    """Which snapshots `prune` keeps. Each that any line keeps stays; 0 keeps none by that line."""

    keep_within: Annotated[
        MaybeDuration, Meta(description='All that are younger; "" keeps none by their age.')
    ] = "30d"
    keep_last: Annotated[Number, Meta(description="The last few.")] = 3
    keep_hourly: Annotated[Number, Meta(description="One for each of so many hours.")] = 0
    keep_daily: Annotated[Number, Meta(description="One for each of so many days.")] = 0
    keep_weekly: Annotated[Number, Meta(description="One for each of so many weeks.")] = 0
    keep_monthly: Annotated[Number, Meta(description="One for each of so many months.")] = 0
    keep_yearly: Annotated[Number, Meta(description="One for each of so many years.")] = 0


class StoreSection(_Section, frozen=True):
    """A store of snapshots, by its name, for --store NAME. There may be any number."""

    url: Annotated[
        Text,
        Meta(
            description="A folder, file:///FOLDER or s3://BUCKET/PREFIX. Credentials are found as"
            " AWS's own tools find them, never here.",
            examples=["../data/backups"],
        ),
    ]
    layout: Annotated[
        Literal["file", "blocks"] | None,
        Meta(
            description='How a new store keeps images: "file" is one plain .db for each, "blocks"'
            " keeps each 4 KiB block once. Without it: blocks.",
            examples=["file"],
        ),
    ] = None
    endpoint_url: Annotated[
        Text | None,
        Meta(description="A server that speaks S3 and is not AWS.", examples=["https://HOST"]),
    ] = None
    region: Annotated[Text | None, Meta(description="Its region.", examples=["eu-central-1"])] = (
        None
    )
    profile: Annotated[
        Text | None, Meta(description="A profile of AWS's own files.", examples=["backup"])
    ] = None
    path_style: Annotated[
        bool | None,
        Meta(
            description="The bucket's name in the path. Without it: where endpoint_url is given.",
            examples=[True],
        ),
    ] = None
    encryption: Annotated[
        Literal["AES256", "aws:kms", "aws:kms:dsse"] | None,
        Meta(description="Encryption on the server's side.", examples=["AES256"]),
    ] = None
    kms_key_id: Annotated[
        Text | None, Meta(description="The key of aws:kms.", examples=["alias/backup"])
    ] = None
    lock_mode: Annotated[
        Literal["GOVERNANCE", "COMPLIANCE"],
        Meta(description="How objects are locked where lock_days is given."),
    ] = "GOVERNANCE"
    lock_days: Annotated[
        Annotated[int, Meta(ge=1, le=36_500, title="a whole number from 1 to 36500")] | None,
        Meta(description="Lock what is put for so many days.", examples=[30]),
    ] = None
    encryption_key_file: Annotated[
        Text | None,
        Meta(
            description="Seal all that is stored with the key in this file, or with a passphrase."
            " Whoever loses it loses the snapshots.",
            examples=["../keys/store.key"],
        ),
    ] = None
    encryption_passphrase_file: Annotated[
        Text | None,
        Meta(description="The passphrase, in a file.", examples=["../keys/passphrase"]),
    ] = None
    retention: Annotated[
        RetentionSection | None,
        Meta(
            description="What this store keeps, in place of [retention].",
            examples=[{"keep_within": "90d", "keep_monthly": 12}],
        ),
    ] = None


class DatabaseSection(_Section, frozen=True):
    """A database that the daemon backs up. There may be any number."""

    name: Annotated[
        Name, Meta(description="What it is called in all reports.", examples=["junmai"])
    ]
    path: Annotated[Text, Meta(description="Its file.", examples=["../data/junmai.db"])]
    schedule: Annotated[
        ScheduleText,
        Meta(
            description="When to back it up, in UTC: minute, hour, day, month, weekday as in cron"
            ' (0 and 7 are Sunday, as is sun), or "every 15m" (s, m, h, d). "": never.'
        ),
    ] = "0 * * * *"
    stores: Annotated[
        list[str],
        Meta(
            description="Where to. Without it: to every store that is configured.",
            examples=[["local"]],
        ),
    ] = msgspec.field(default_factory=list)
    retention: Annotated[
        RetentionSection | None,
        Meta(
            description="What is kept of it, in place of [retention] and of a store's own.",
            examples=[{"keep_within": "7d", "keep_daily": 30}],
        ),
    ] = None
    overdue_after: Annotated[
        Duration | None,
        Meta(
            description="Warn where the last backup is older. Without it: when two were missed.",
            examples=["3h"],
        ),
    ] = None


class PruneSection(_Section, frozen=True):
    """Dropping what nothing keeps."""

    schedule: Annotated[ScheduleText, Meta(description='When; "": only by hand.')] = "30 3 * * *"


class DrillSection(_Section, frozen=True):
    """Restoring the newest snapshot of each database into scratch, and proving it."""

    schedule: Annotated[ScheduleText, Meta(description='When; "": only by hand.')] = "0 4 * * sun"


class CheckSection(_Section, frozen=True):
    """Checking the stores themselves."""

    schedule: Annotated[ScheduleText, Meta(description='When; "": only by hand.')] = "0 5 * * *"
    sample: Annotated[
        Annotated[str, Meta(pattern=f"^(100|[1-9]?[0-9])%{_END}", title="a percentage such as 5%")],
        Meta(description="How much of what is stored to read each time."),
    ] = "5%"


class PublishSection(_Section, frozen=True):
    """Copying the journal, signed, into the stores."""

    schedule: Annotated[ScheduleText, Meta(description='When; "": only by hand.')] = "every 15m"


class StatusSection(_Section, frozen=True):
    """The daemon's page, its metrics and its health."""

    listen: Annotated[
        str,
        Meta(
            title='HOST:PORT, or ""',
            description='127.0.0.1:PORT, localhost:PORT or [::1]:PORT; "": nowhere. Whoever can use'
            " this machine can read it, without a password.",
        ),
    ] = "127.0.0.1:8787"


class NotifySection(_Section, frozen=True):
    """Whom the daemon tells of failures, of what is overdue, and of recovery."""

    urls_file: Annotated[
        Text | None,
        Meta(
            description="A file with addresses for Apprise, one a line (needs the extra"
            " `notify`). They hold secrets: let nobody else read it.",
            examples=["notify.urls"],
        ),
    ] = None
    ping_url_file: Annotated[
        Text | None,
        Meta(
            description="A file with the address that is asked after every good backup, as"
            " Healthchecks wants it.",
            examples=["ping.url"],
        ),
    ] = None
    repeat_after: Annotated[
        Duration, Meta(description="A failure that goes on is told again after this time.")
    ] = "1d"


class LogSection(_Section, frozen=True):
    """The log; --log-file and --log-level come over it."""

    file: Annotated[
        Text | None,
        Meta(
            description="JSON lines. Without it: to stderr, where that is no terminal.",
            examples=["../data/junmai.log"],
        ),
    ] = None
    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="The least severe lines to write."),
    ] = "info"
    max_bytes: Annotated[
        Annotated[
            int, Meta(ge=10_000, le=10**12, title="a whole number from 10000 to 1000000000000")
        ],
        Meta(description="A new file is begun when it would grow beyond this."),
    ] = 10_000_000
    keep: Annotated[Number, Meta(description="How many older files to keep.")] = 5


class CacheSection(_Section, frozen=True):
    """What can be deleted at any time and only saves work."""

    folder: Annotated[
        Text | None,
        Meta(
            description="Without it: where this system keeps the caches of a user.",
            examples=["../data/cache"],
        ),
    ] = None


class Configuration(_Section, frozen=True):
    """The configuration of junmai-svc."""

    journal: JournalSection = msgspec.field(default_factory=JournalSection)
    stores: dict[Name, StoreSection] = msgspec.field(default_factory=dict)
    databases: list[DatabaseSection] = msgspec.field(default_factory=list)
    retention: RetentionSection = msgspec.field(default_factory=RetentionSection)
    prune: PruneSection = msgspec.field(default_factory=PruneSection)
    drill: DrillSection = msgspec.field(default_factory=DrillSection)
    check: CheckSection = msgspec.field(default_factory=CheckSection)
    publish: PublishSection = msgspec.field(default_factory=PublishSection)
    status: StatusSection = msgspec.field(default_factory=StatusSection)
    notify: NotifySection = msgspec.field(default_factory=NotifySection)
    log: LogSection = msgspec.field(default_factory=LogSection)
    cache: CacheSection = msgspec.field(default_factory=CacheSection)
