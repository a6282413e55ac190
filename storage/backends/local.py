"""A backend in a folder of the local file system.

Objects are files under the names of `names.to_file_name`, put by staged file, fsync, link or rename
and fsync of the folder. Files that begin with a dot are no objects, so nothing staged is ever
listed. Below the folder no link is followed, since a store may come from somebody else: an object
is a regular file that is reached through folders only.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self
from uuid import uuid4

from junmai_svc.storage.backends.base import (
    Capabilities,
    Stat,
    Tick,
    file_exists,
    too_large,
    too_short,
)
from junmai_svc.storage.backends.failures import translated
from junmai_svc.storage.backends.names import (
    check_name,
    check_prefix,
    from_file_name,
    is_name,
    to_file_name,
)
from junmai_svc.storage.errors import IntegrityError, NotFoundError, UsageError
from junmai_svc.storage.files import (
    STAGED_SUFFIX,
    copy_hashing,
    make_folder,
    remove,
    staged_path,
    switch_in,
    switch_in_new,
    sync,
    sync_folder,
)

STAGED_STEM = "put"

# Windows' other kind of link, which S_ISLNK does not see.
_JUNCTION = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)


class LocalBackend:
    """A folder, which is made by the first put."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._links: bool | None = None
        self._durable: set[Path] = set()

    @property
    def url(self) -> str:
        """The folder's path."""
        return str(self.folder)

    def capabilities(self) -> Capabilities:
        """Return what this file system can do; whether it has hard links is tried once.

        Without them a new name can't be claimed at one instant, and nothing is promised. Neither
        is it where the folder is missing or can't be written, as that can't be tried.
        """
        if self._links is None and self.folder.is_dir():
            self._links = self._has_links()
        return Capabilities(conditional_put=bool(self._links), atomic_rename=bool(self._links))

    def trusting(self, seen: Capabilities) -> Self:
        """Return itself: a file system is asked, not believed."""
        del seen
        return self

    def put(
        self,
        name: str,
        content: bytes | Path,
        *,
        if_absent: bool = False,
        retain_until: datetime | None = None,
    ) -> bool:
        """Store an object; see `Backend.put`. There are no locks here."""
        del retain_until
        with translated(f"store {name} in {self.url}"):
            final = self._vacant(name) if if_absent else self._place(name)
            if final is None:
                return False
            self._make(final.parent)
            with _staged(final.parent) as staged:
                _write(staged, content)
                if not if_absent:
                    switch_in(staged, final)
                    return True
                try:
                    switch_in_new(staged, final)
                except FileExistsError:
                    # Whoever was faster may not have come to this yet.
                    sync_folder(final.parent)
                    return False
        return True

    def get(self, name: str, limit: int) -> bytes:
        """Return an object of at most `limit` bytes; see `Backend.get`."""
        with translated(f"read {name} in {self.url}"):
            path, facts = self._existing(name)
            if facts.st_size > limit:
                raise too_large(name, self.url, limit)
            with path.open("rb") as file:
                content = file.read(limit + 1)
        if len(content) > limit:  # it grew, as a file that is put here never does
            raise too_large(name, self.url, limit)
        return content

    def get_range(self, name: str, offset: int, length: int) -> bytes:
        """Return bytes out of an object; see `Backend.get_range`."""
        with translated(f"read {name} in {self.url}"):
            path, facts = self._existing(name)
            if offset + length > facts.st_size:
                raise too_short(name, self.url, offset + length)
            with path.open("rb") as file:
                file.seek(offset)
                content = file.read(length)
        if len(content) < length:
            raise too_short(name, self.url, offset + length)
        return content

    def fetch(self, name: str, path: Path, limit: int, tick: Tick | None = None) -> str:
        """Write an object to a new local file, hashing it; see `Backend.fetch`."""
        with translated(f"copy {name} in {self.url} to {path}"):
            source, facts = self._existing(name)
            if facts.st_size > limit:
                raise too_large(name, self.url, limit)
            try:
                return copy_hashing(source, path, tick)
            except FileExistsError:
                raise file_exists(path) from None
            except BaseException:
                remove(path)
                raise

    def stat(self, name: str) -> Stat:
        """Return name, size and time of an object; see `Backend.stat`."""
        with translated(f"look at {name} in {self.url}"):
            return _stat(name, self._existing(name)[1])

    def list(self, *prefixes: str) -> Iterator[Stat]:
        """Yield objects in order, holding one folder's names at a time; see `Backend.list`.

        A link hides what should be there, so it is listed by its name, and whoever reads it is
        told. In a listing of everything links are passed over: they may be anybody's.

        Raises:
            IntegrityError: the prefix leads through a link.
        """
        for prefix in sorted(prefixes or [""]):
            parts = check_prefix(prefix).split("/")[:-1]
            with translated(f"list the objects of {self.url}"):
                folder = self.folder.joinpath(*map(to_file_name, parts))
                if self._linked(folder):
                    raise self._link("/".join(parts))
                names = "".join(f"{part}/" for part in parts)
                yield from _walk(folder, names, prefix)

    def delete(self, name: str, *, despite_retention: bool = False) -> None:
        """Remove an object durably; see `Backend.delete`. Folders stay, as somebody may put."""
        del despite_retention
        with translated(f"delete {name} in {self.url}"):
            found = self._found(name)
            if found:
                remove(found[0])
                sync_folder(found[0].parent)

    def rename(self, source: str, target: str, *, retain_until: datetime | None = None) -> bool:
        """Give an object another name; see `Backend.rename`.

        The new name is made durable before the old one goes, so that a power cut leaves one.
        """
        del retain_until
        with translated(f"rename {source} to {target} in {self.url}"):
            old, facts = self._existing(source)
            final = self._vacant(target)
            if final is None:
                # The two names of one file are a rename that was interrupted here.
                there = self._existing(target)[1]
                if not facts.st_ino or not os.path.samestat(facts, there):
                    return False
                final = self._place(target)
            else:
                self._make(final.parent)
                try:
                    _name_also(old, final)
                except FileExistsError:
                    return False
            sync_folder(final.parent)
            remove(old)
            sync_folder(old.parent)
        return True

    def replace(
        self,
        source: str,
        target: str,
        *,
        retain_until: datetime | None = None,
        despite_retention: bool = False,
    ) -> None:
        """Give an object the name of another one; see `Backend.replace`."""
        del retain_until, despite_retention
        with translated(f"rename {source} to {target} in {self.url}"):
            old, _facts = self._existing(source)
            final = self._place(target)
            self._make(final.parent)
            switch_in(old, final)
            sync_folder(old.parent)

    def retain(self, name: str, until: datetime, *, enough: datetime) -> datetime:
        """Do nothing but look; see `Backend.retain`. There are no locks here."""
        del enough
        self.stat(name)
        return until

    def sweep(self, before: datetime) -> int:
        """Remove staged files that were last written before a time; see `Backend.sweep`."""
        removed = 0
        with translated(f"sweep {self.url}"):
            for path in self.folder.rglob(f".{STAGED_STEM}.*{STAGED_SUFFIX}"):
                with suppress(FileNotFoundError):
                    facts = path.lstat()
                    if stat.S_ISREG(facts.st_mode) and facts.st_mtime < before.timestamp():
                        path.unlink()
                        removed += 1
        return removed

    def close(self) -> None:
        """Do nothing: no file stays open between operations."""

    def _make(self, folder: Path) -> None:
        """Make a folder of the backend's, durably, even where another process is just making it."""
        make_folder(folder)
        steps = [folder, *folder.parents]
        for step in steps[: steps.index(self.folder) + 1]:
            if step not in self._durable:
                sync_folder(step.parent)
                self._durable.add(step)

    def _has_links(self) -> bool:
        try:
            with _staged(self.folder) as one, _staged(self.folder) as other:
                one.touch(exist_ok=False)
                other.hardlink_to(one)
        except OSError:
            return False
        return True

    def _place(self, name: str) -> Path:
        """The path of a name, free of links and no folder."""
        path = self.folder.joinpath(*map(to_file_name, check_name(name).split("/")))
        if self._linked(path):
            raise self._link(name)
        if path.is_dir():
            raise UsageError(
                f"{name} can't be put in {self.url}: it is a folder of other objects",
                "Choose another name.",
            )
        return path

    def _vacant(self, name: str) -> Path | None:
        """The path of a name that nothing has yet, None if an object has it, durably."""
        path = self._place(name)
        if self._found(name) is None:
            return path
        sync_folder(path.parent)
        return None

    def _found(self, name: str) -> tuple[Path, os.stat_result] | None:
        path = self.folder.joinpath(*map(to_file_name, check_name(name).split("/")))
        if path.is_dir() and not path.is_symlink():
            return None
        try:
            facts = self._place(name).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(facts.st_mode):
            raise IntegrityError(
                f"{name} in {self.url} is not a regular file", "Find out what put it there."
            )
        return path, facts

    def _existing(self, name: str) -> tuple[Path, os.stat_result]:
        found = self._found(name)
        if found is None:
            raise NotFoundError(f"{name} is not in {self.url}", "Check the store's address.")
        return found

    def _link(self, name: str) -> IntegrityError:
        return IntegrityError(
            f"{name} in {self.url} is, or lies behind, a link to somewhere else",
            "Links are not followed in a store: put the real thing in its place.",
        )

    def _linked(self, path: Path) -> bool:
        """Whether a path or a folder on the way to it, below the backend's, is a link."""
        steps = [path, *path.parents]
        for step in steps[: steps.index(self.folder)]:
            with suppress(FileNotFoundError, NotADirectoryError):
                if _is_link(step.lstat()):
                    return True
        return False


@contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    # Its own short name, so that an object's may be as long as the file system allows.
    path = staged_path(folder / STAGED_STEM, uuid4().hex)
    try:
        yield path
    finally:
        remove(path)


def _write(staged: Path, content: bytes | Path) -> None:
    if isinstance(content, Path):
        copy_hashing(content, staged)
        return
    with staged.open("xb") as file:
        file.write(content)
        file.flush()
        sync(file.fileno())


def _name_also(old: Path, final: Path) -> None:
    """Give a file a second name that nobody has; without hard links, the only one."""
    try:
        final.hardlink_to(old)
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError:  # no hard links here
        if final.exists():
            raise FileExistsError from None
        old.rename(final)


def _walk(folder: Path, names: str, prefix: str) -> Iterator[Stat]:
    """Yield the objects below a folder whose names all begin with `names`, in order."""
    found: dict[str, os.stat_result] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = f"{names}{from_file_name(entry.name) or '/'}"
                with suppress(FileNotFoundError):  # deleted meanwhile
                    facts = entry.stat(follow_symlinks=False)
                    if is_name(name):
                        # In a longer name a folder sorts with its slash: a-b, a/b, a0.
                        is_folder = stat.S_ISDIR(facts.st_mode) and not _is_link(facts)
                        found[f"{name}/" if is_folder else name] = facts
    except (FileNotFoundError, NotADirectoryError):  # not there yet, or not any more
        return
    for name, facts in sorted(found.items()):
        if name.endswith("/"):
            if name.startswith(prefix) or prefix.startswith(name):
                folder_name = to_file_name(name.removeprefix(names).removesuffix("/"))
                yield from _walk(folder / folder_name, name, prefix)
        elif name.startswith(prefix) and (stat.S_ISREG(facts.st_mode) or _hides(facts, prefix)):
            yield _stat(name, facts)


def _hides(facts: os.stat_result, prefix: str) -> bool:
    return bool(prefix) and _is_link(facts)


def _is_link(facts: os.stat_result) -> bool:
    return stat.S_ISLNK(facts.st_mode) or (
        _JUNCTION is not None and getattr(facts, "st_reparse_tag", 0) == _JUNCTION
    )


def _stat(name: str, facts: os.stat_result) -> Stat:
    return Stat(name, facts.st_size, datetime.fromtimestamp(facts.st_mtime, UTC))
