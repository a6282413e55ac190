"""A backend in a bucket of S3 or of a server that speaks its protocol.

An object becomes visible, whole and durable, by its last request; a put that died before left at
most parts that no listing shows. Every object carries a random mark, so that a put whose answer was
lost is known again by the condition that then fails.

Where versions are kept, a plain DELETE frees nothing and only hides: `delete` removes every
version, each by its id and only after its lock has been read. Hidden objects that somebody else
deleted plainly are seen and read with the option `under_markers`.
"""

import hashlib
from collections.abc import Iterator, MutableSequence, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from junmai_svc.storage.backends.base import (
    NOTHING_SEEN,
    Capabilities,
    RetainedError,
    Stat,
    Tick,
    file_exists,
    too_large,
    too_short,
)
from junmai_svc.storage.backends.failures import translated
from junmai_svc.storage.backends.names import check_name, check_prefix, is_name
from junmai_svc.storage.backends.s3 import Connection
from junmai_svc.storage.backends.s3_answers import ConditionError
from junmai_svc.storage.backends.s3_objects import (
    MARK,
    is_held,
    mark_of,
    missing,
    refuse_retained,
    retained_until,
    version_of,
)
from junmai_svc.storage.backends.uploads import AT_ONCE, send, size_of
from junmai_svc.storage.errors import AccessDeniedError, IntegrityError, NotFoundError, UsageError
from junmai_svc.storage.files import sync

LONGEST_KEY = 1024  # bytes of UTF-8


class BucketBackend:
    """The objects of a bucket, or those below a prefix."""

    def __init__(
        self, connection: Connection, prefix: str = "", seen: Capabilities = NOTHING_SEEN
    ) -> None:
        self._connection = connection
        self._options = connection.options
        self._prefix = f"{check_name(prefix)}/" if prefix else ""
        self._seen = seen

    @property
    def url(self) -> str:
        """Bucket and prefix as an s3:// URL."""
        return f"s3://{self._connection.bucket}/{self._prefix}".rstrip("/")

    def capabilities(self) -> Capabilities:
        """Return what `trusting` was told, nothing otherwise; a copy is never a rename."""
        return replace(self._seen, atomic_rename=False)

    def trusting(self, seen: Capabilities) -> Self:
        """Return the same bucket, over the same connections, relying on what a probe saw."""
        return type(self)(self._connection, self._prefix.rstrip("/"), seen)

    def put(
        self,
        name: str,
        content: bytes | Path,
        *,
        if_absent: bool = False,
        retain_until: datetime | None = None,
    ) -> bool:
        """Store an object; see `Backend.put`."""
        doing = f"store {name} in {self.url}"
        key = self._key(name)
        conditional = if_absent and self._seen.conditional_put
        # What is large is not sent in vain.
        look = if_absent and (not conditional or size_of(content, doing) > AT_ONCE)
        if look and self._head(key, doing) is not None:
            return False
        mark = uuid4().hex
        target = {"Key": key, "Metadata": {MARK: mark}, **self._keeping(retain_until)}
        condition = {"IfNoneMatch": "*"} if conditional else {}
        try:
            # Where objects can be locked, the bucket may lock every one by itself.
            checked = self._seen.object_lock
            send(self._connection, doing, content, target, condition, checked=checked)
        except (ConditionError, NotFoundError) as problem:
            found = self._head(key, doing)
            if found is not None and mark_of(found) == mark:
                return True  # by an earlier attempt, whose answer was lost
            if found is None or not conditional or not isinstance(problem, ConditionError):
                raise
            return False
        return True

    def get(self, name: str, limit: int) -> bytes:
        """Return an object of at most `limit` bytes; see `Backend.get`."""
        return b"".join(self._believable(name, limit))

    def get_range(self, name: str, offset: int, length: int) -> bytes:
        """Return bytes out of an object; see `Backend.get_range`."""
        last = offset + length - 1
        content = b"".join(chunk for _, chunk in self._stream(name, offset, last))
        if len(content) < length:
            raise too_short(name, self.url, offset + length)
        return content

    def fetch(self, name: str, path: Path, limit: int, tick: Tick | None = None) -> str:
        """Write an object to a new local file, hashing it; see `Backend.fetch`."""
        digest = hashlib.sha256()
        doing = f"copy {name} in {self.url} to {path}"
        with translated(doing):
            try:
                file = path.open("xb")
            except FileExistsError:
                raise file_exists(path) from None
            try:
                with file:
                    for chunk in self._believable(name, limit):
                        digest.update(chunk)
                        file.write(chunk)
                        if tick is not None:
                            tick(len(chunk))
                    file.flush()
                    sync(file.fileno())
            except BaseException:
                path.unlink(missing_ok=True)
                raise
        return digest.hexdigest()

    def stat(self, name: str) -> Stat:
        """Return what is known of an object; see `Backend.stat`."""
        doing = f"look at {name} in {self.url}"
        found = self._head(self._key(name), doing)
        if found is None:
            raise missing(name, self.url)
        return Stat(
            name,
            int(found["ContentLength"]),
            found["LastModified"].astimezone(UTC),
            version_of(found),
            retained_until(found),
            is_held(found),
        )

    def list(self, *prefixes: str) -> Iterator[Stat]:
        """Yield objects in the order in which the server lists them; see `Backend.list`.

        Several prefixes are one range of names, from the first one on to behind the last one.
        """
        wanted = sorted(map(check_prefix, prefixes))
        if len(wanted) < 2:  # noqa: PLR2004  # one, or all
            yield from self._listed(Prefix=self._prefix + "".join(wanted))
        elif self._options.under_markers:  # of versions there are too many between
            for prefix in wanted:
                yield from self._listed(Prefix=self._prefix + prefix)
        else:
            for found in self._listed(Prefix=self._prefix, StartAfter=self._prefix + wanted[0]):
                if found.name.startswith((*wanted,)):
                    yield found
                elif found.name > wanted[-1]:
                    return

    def _listed(self, **where: str) -> Iterator[Stat]:
        doing = f"list the objects of {self.url}"
        hidden = self._options.under_markers
        operation = "list_object_versions" if hidden else "list_objects_v2"
        last = ""
        for page in self._connection.pages(operation, doing, **where):
            for found in page.get("Versions" if hidden else "Contents", ()):
                name = found["Key"].removeprefix(self._prefix)
                # Of several versions the newest comes first.
                if not is_name(name) or (hidden and name == last):
                    continue
                if name <= last:
                    raise IntegrityError(
                        f"Can't {doing}: the server does not list them in order",
                        "It is not enough like S3; use another one.",
                    )
                last = name
                yield Stat(name, found["Size"], found["LastModified"].astimezone(UTC))

    def delete(self, name: str, *, despite_retention: bool = False) -> None:
        """Remove an object with all its versions; see `Backend.delete`.

        The newest goes last, and the markers after it, so that no older one comes up meanwhile.
        """
        doing = f"delete {name} in {self.url}"
        key = self._key(name)
        if not self._seen.versioning:
            found = self._head(key, doing)
            if found is None:
                return
            if version_of(found) is None:
                self._connection.call("delete_object", doing, Key=key)
                return
        versions, markers = self._versions(key, doing)
        if not despite_retention:
            for version in versions:
                refuse_retained(name, self.url, self._head(key, doing, version))
        for version in (*reversed(versions), *markers):
            self._connection.call("delete_object", doing, Key=key, VersionId=version)

    def rename(self, source: str, target: str, *, retain_until: datetime | None = None) -> bool:
        """Look whether the target is there, copy, delete; see `Backend.rename`."""
        doing = f"rename {source} to {target} in {self.url}"
        old, new = self._key(source), self._key(target)
        there = self._head(new, doing)
        if there is None:
            version = self._copy(old, new, doing, retain_until)
        else:
            found = self._head(old, doing)
            if found is None:
                raise missing(source, self.url)
            # The mark goes with a copy: this one is from a rename that was interrupted here.
            if not mark_of(found) or mark_of(found) != mark_of(there):
                return False
            version = version_of(found)
        self._remove_renamed(old, version, doing)
        return True

    def replace(
        self,
        source: str,
        target: str,
        *,
        retain_until: datetime | None = None,
        despite_retention: bool = False,
    ) -> None:
        """Look whether the target is locked, copy over it, delete; see `Backend.replace`."""
        doing = f"rename {source} to {target} in {self.url}"
        old, new = self._key(source), self._key(target)
        before = self._head(new, doing)
        keeps = False
        try:
            refuse_retained(target, self.url, before)
        except RetainedError:
            if not (despite_retention and self._seen.versioning):
                raise
            keeps = True
        version = self._copy(old, new, doing, retain_until)
        # What is not locked would be kept underneath for nothing.
        if before is not None and version_of(before) is not None and not keeps:
            self._connection.call("delete_object", doing, Key=new, VersionId=version_of(before))
        self._remove_renamed(old, version, doing)

    def retain(self, name: str, until: datetime, *, enough: datetime) -> datetime:
        """Lock the version that is there for longer, in its mode; see `Backend.retain`."""
        if not self._seen.object_lock:
            self.stat(name)
            return until
        doing = f"lock {name} in {self.url}"
        key = self._key(name)
        found = self._head(key, doing)
        if found is None:
            raise missing(name, self.url)
        before = retained_until(found)
        if before is not None and before >= enough:
            return before
        mode = found.get("ObjectLockMode") or self._options.lock_mode
        retention = {"Mode": mode, "RetainUntilDate": until}
        version = version_of(found)
        which = {"Key": key, "VersionId": version} if version else {"Key": key}
        self._connection.call("put_object_retention", doing, Retention=retention, **which)
        return until

    def sweep(self, before: datetime) -> int:
        """Abort uploads in parts that were begun before a time; see `Backend.sweep`."""
        doing = f"sweep {self.url}"
        removed = 0
        pages = self._connection.pages("list_multipart_uploads", doing, Prefix=self._prefix)
        for page in pages:
            for upload in page.get("Uploads", ()):
                if upload["Initiated"] < before:
                    with suppress(NotFoundError):
                        name = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                        self._connection.call("abort_multipart_upload", doing, **name)
                        removed += 1
        return removed

    def close(self) -> None:
        """Close the connections, also those of every `trusting` of this backend."""
        self._connection.close()

    def _key(self, name: str) -> str:
        key = self._prefix + check_name(name)
        if len(key.encode()) > LONGEST_KEY:
            raise UsageError(
                f"{name[:100]} is too long a name below {self.url}",
                f"S3 allows {LONGEST_KEY} bytes in all: choose a shorter prefix.",
            )
        return key

    def _keeping(self, retain_until: datetime | None) -> dict[str, Any]:
        """The arguments that say how an object is to be kept."""
        keeping: dict[str, Any] = {}
        if self._options.encryption:
            keeping["ServerSideEncryption"] = self._options.encryption
        if self._options.kms_key_id:
            keeping["SSEKMSKeyId"] = self._options.kms_key_id
        if retain_until is not None and self._seen.object_lock:
            keeping["ObjectLockMode"] = self._options.lock_mode
            keeping["ObjectLockRetainUntilDate"] = retain_until
        return keeping

    def _head(self, key: str, doing: str, version: str | None = None) -> dict[str, Any] | None:
        found = {"VersionId": version} if version else self._under_marker(key, doing)
        try:
            return self._connection.call("head_object", doing, Key=key, **found)
        except NotFoundError:
            return None

    def _believable(self, name: str, limit: int) -> Iterator[bytes]:
        """Yield the bytes of an object unless there are more than `limit`."""
        for size, chunk in self._stream(name):
            if size > limit:
                raise too_large(name, self.url, limit)
            yield chunk

    def _stream(
        self, name: str, first: int = 0, last: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        doing = f"read {name} in {self.url}"
        key = self._key(name)
        version = self._under_marker(key, doing)
        yield from self._connection.stream(doing, first, last, Key=key, **version)

    def _under_marker(self, key: str, doing: str) -> dict[str, str]:
        """The argument that reads an object even where a delete marker hides it, if asked to."""
        if not self._options.under_markers:
            return {}
        versions, _ = self._versions(key, doing)
        return {"VersionId": versions[0]} if versions else {}

    def _versions(self, key: str, doing: str) -> tuple[Sequence[str], Sequence[str]]:
        """The ids of an object's versions and of its delete markers, newest first."""
        found: dict[str, MutableSequence[str]] = {"Versions": [], "DeleteMarkers": []}
        for page in self._connection.pages("list_object_versions", doing, Prefix=key):
            beyond = False
            for kind, ids in found.items():
                for entry in page.get(kind, ()):
                    if entry["Key"] == key:
                        ids.append(entry["VersionId"])
                    beyond = beyond or entry["Key"] > key
            if beyond:  # its own come first of all whose names begin like it
                break
        return found["Versions"], found["DeleteMarkers"]

    def _copy(self, old: str, new: str, doing: str, retain_until: datetime | None) -> str | None:
        """Copy on the server; return the version that was copied."""
        copied = self._connection.call(
            "copy_object",
            doing,
            Key=new,
            CopySource={"Bucket": self._connection.bucket, "Key": old},
            **self._keeping(retain_until),
        )
        version: str | None = copied.get("CopySourceVersionId")
        return version

    def _remove_renamed(self, key: str, version: str | None, doing: str) -> None:
        if version in (None, "null"):
            self._connection.call("delete_object", doing, Key=key)
            return
        try:
            self._connection.call("delete_object", doing, Key=key, VersionId=version)
        except AccessDeniedError:
            # Locked by the bucket's own rule. Hiding is enough: it lives on under its new name.
            self._connection.call("delete_object", doing, Key=key)
