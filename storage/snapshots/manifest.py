"""The manifest: what a snapshot is, its size and its SHA-256. Written once, never changed.

The first five fields are those of the replaced tool, so its backups can be listed and restored, and
its users find in ours what they know. A manifest comes from outside: everything is checked before
it is used, and `backup_path` is never followed.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path, PurePath
from typing import Annotated
from unicodedata import normalize

import msgspec

from junmai_svc.storage.errors import IntegrityError

FORMAT = 1
LARGEST_MANIFEST = 4 << 20  # bytes; a manifest of 3,000 tables has half a megabyte
STAMP = "%Y%m%d_%H%M%S"
UNKNOWN = ""  # the checksum of an image that whoever stores it is to find out
NAME = re.compile(r"(?P<stem>.+)_backup_(?P<stamp>\d{8}_\d{6})(?:_(?P<again>\d{1,6}))?", re.DOTALL)

_APPLE_DOUBLE = bytes.fromhex("00051607")  # RFC 1740

Count = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Text = Annotated[str, msgspec.Meta(max_length=4096)]
MapName = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{32})?\Z")]
# What a manifest says of the store that it is in, and not of the database.
_OF_ITS_STORE = frozenset({"layout", "map", "new_bytes", "backup_path"})
HINT = "Restore from another snapshot; `junmai-svc snapshots` lists the good ones."


class NewerManifestError(IntegrityError):
    """A manifest is of a format that this program does not know yet: it may be quite whole."""


class Reason(StrEnum):
    """Why a snapshot was taken; `latest` passes over the last two."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    MIGRATION = "migration"
    PRE_RESTORE = "pre-restore"
    PRE_OVERWRITE = "pre-overwrite"

    @property
    def is_undo(self) -> bool:
        """True for what was taken only to undo a replacement."""
        return self in {Reason.PRE_RESTORE, Reason.PRE_OVERWRITE}


class DatabaseFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The image's header facts; `page_size` in bytes."""

    page_size: Count
    page_count: Count
    encoding: Text
    application_id: Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
    user_version: Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
    schema_digest: Sha256
    sqlite_version: Text


class TableFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A table's row count and, where the rows were read, its digest."""

    rows: Count
    digest: Sha256 | None = None


class CheckFacts(msgspec.Struct, frozen=True, kw_only=True):
    """How the image was checked before it was stored, and which violations its rows hold."""

    method: Text
    violations: Mapping[Text, Count]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot. `file_size` in bytes; `checksum` is the SHA-256 of the whole database image.

    `original_path` is as it was given, `whole_path` from the root and without links.
    In layout "blocks", `map` names where its blocks lie; `new_bytes` is what it added to its store.
    """

    original_path: Text
    backup_path: Text
    timestamp: Annotated[str, msgspec.Meta(pattern=r"^\d{8}_\d{6}\Z")]
    checksum: Sha256
    file_size: Count
    # Absent in the replaced tool's manifests, which are format 0.
    format: Count = 0
    name: Text = ""
    created_at: Text = ""
    reason: Reason = Reason.MANUAL
    layout: Text = "file"
    map: MapName = ""
    new_bytes: Count | None = None
    run: Text = ""
    database: DatabaseFacts | None = None
    tables: Mapping[Text, TableFacts] = {}
    check: CheckFacts | None = None
    checkpoint: Text | None = None
    tool: Text = ""
    whole_path: Text = ""

    @property
    def taken(self) -> datetime:
        """When the snapshot was taken, in UTC; to the second for the replaced tool's."""
        if self.created_at:
            return datetime.fromisoformat(self.created_at)
        return datetime.strptime(self.timestamp, STAMP).replace(tzinfo=UTC)

    @property
    def database_name(self) -> str:
        """The file name of the database that it is a snapshot of."""
        return re.split(r"[/\\]", self.original_path)[-1]

    @property
    def digest(self) -> str:
        """The SHA-256 in hex of all that it says of the database: the same in every store.

        Fields that are empty don't count, so that a later version may have more of them.
        """
        fields = msgspec.to_builtins(self)
        told = {name: value for name, value in fields.items() if value}
        for name in _OF_ITS_STORE & told.keys():
            del told[name]
        return hashlib.sha256(msgspec.json.encode(told, order="deterministic")).hexdigest()

    @property
    def path(self) -> str:
        """The path by which the database is known: the whole one, where it was recorded."""
        return self.whole_path or self.original_path

    def is_of(self, database: PurePath) -> bool:
        """Tell whether it is a snapshot of this database; see `is_same_database`."""
        return is_same_database(self.path, database)


def is_same_database(recorded: str, database: PurePath) -> bool:
    """Tell whether a path that a manifest has is that of a database.

    Whole paths are recorded without links. A relative one, which is all that the replaced tool's
    manifests have, is of the database whose path ends like it; and so is a relative `database`.
    """
    path = PurePath(recorded)
    if path.is_absolute() and database.is_absolute():
        return path == database
    end, whole = sorted((path.parts, database.parts), key=len)
    return bool(end) and whole[-len(end) :] == end


def encode(manifest: Manifest) -> bytes:
    """Return the manifest as indented JSON in UTF-8, without what only blocks have elsewhere."""
    fields = msgspec.to_builtins(manifest)
    for name in ("map", "new_bytes"):
        if not fields[name] and manifest.layout != "blocks":
            del fields[name]
    if not manifest.whole_path:
        del fields["whole_path"]
    return msgspec.json.format(msgspec.json.encode(fields), indent=2) + b"\n"


def is_of_finder(path: Path) -> bool:
    """Whether a file is what macOS keeps beside another where the disk can't hold its attributes.

    Raises:
        OSError: it can't be read.
    """
    if not path.name.startswith("._") or path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_APPLE_DOUBLE)) == _APPLE_DOUBLE


def read_manifest(path: Path) -> Manifest:
    """Read and check one manifest file of layout "file".

    Raises:
        IntegrityError: it is no regular file, or `parse_manifest` refuses it.
        OSError: it can't be read.
    """
    if path.is_symlink() or not path.is_file():
        raise IntegrityError(f"Manifest {path} is not a regular file", HINT)
    if path.stat().st_size > LARGEST_MANIFEST:
        raise IntegrityError(f"Manifest {path} is too large to be one", HINT)
    return parse_manifest(path.read_bytes(), path.stem, str(path), "file")


def parse_manifest(content: bytes, name: str, where: str, layout: str) -> Manifest:
    """Return the manifest of the snapshot `name` in a store of that layout, checked.

    `where` names it in messages.

    Raises:
        IntegrityError: it is not JSON of the right form, of a newer format, of another layout, or
            it names another snapshot.
    """
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
        taken = manifest.taken
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise IntegrityError(f"Manifest {where} is damaged: {error}", HINT) from error
    if manifest.format > FORMAT:
        raise NewerManifestError(
            f"Manifest {where} has format {manifest.format}; this program reads up to {FORMAT}",
            "Install the newest junmai-svc.",
        )
    fits = manifest.layout == layout and bool(manifest.map) == (layout == "blocks")
    if not fits or taken.tzinfo is None:
        raise IntegrityError(f"Manifest {where} is damaged: layout or time is not valid", HINT)
    if manifest.format and not _is_name(manifest.name, name):
        raise IntegrityError(f"Manifest {where} belongs to another snapshot: {manifest.name}", HINT)
    return msgspec.structs.replace(manifest, name=name)


def _is_name(recorded: str, found: str) -> bool:
    """Whether a name is what a file is called: macOS and what copies from it may decompose it."""
    return recorded == found or normalize("NFC", recorded) == normalize("NFC", found)
