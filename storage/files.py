"""Files made durable: staged under a name of their own, synced, switched into place.

The order is always the same: write a staged file, fsync it, rename it, fsync its folder. A crash
before the rename leaves a staged file that nobody mistakes for the real one; a crash after it
leaves the real one whole.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

CHUNK = 1 << 20
STAGED_SUFFIX = ".partial"

# Windows renames and deletes no file that somebody has open, and a scanner for viruses, an indexer
# or a synchronizer opens what was just written, for a moment: ERROR_ACCESS_DENIED,
# ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION.
_IN_USE = {5, 32, 33}
_PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def staged_path(final: Path, token: str) -> Path:
    """Return the path under which `final` is staged by the run that `token` names."""
    return final.with_name(f".{final.name}.{token}{STAGED_SUFFIX}")


def without_links(path: Path) -> Path:
    """Return a path from the root and without links, whether it is there or not.

    A link that leads round to itself stays, unlike with `Path.resolve`, which fails: whoever opens
    it is told.
    """
    return Path(os.path.realpath(path))


def led_to(path: Path) -> Path:
    """Return the file that a link leads to, there or not; any other path as it is."""
    return without_links(path) if path.is_symlink() else path


def token_of(run: str) -> str:
    """Return the token of the files that a run stages: the end of its id, which is random."""
    return run[-12:]


def sha256_of(path: Path, tick: Callable[[int], None] | None = None) -> str:
    """Return the SHA-256 of a file's bytes in hex; `tick` receives the bytes of each step.

    Never to be called for a live database: closing the file would drop SQLite's locks on it.

    Raises:
        OSError: the file can't be read.
    """
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            if tick is not None:
                tick(len(chunk))
    return digest.hexdigest()


def copy_hashing(
    source: Path, staged: Path, tick: Callable[[int], None] | None = None, *, new: bool = True
) -> str:
    """Copy a file's bytes into a staged file, durably, and return the copy's SHA-256 in hex.

    The staged file must not exist; where it is not `new`, it is there and empty. On return its
    content is on disk, its name is not yet. Hashed is what the copy reads as, so that a write which
    was lost shows.

    Raises:
        OSError: one of the two can't be read or written.
    """
    digest, mode = hashlib.sha256(), "x+b" if new else "r+b"
    with source.open("rb", buffering=0) as file, staged.open(mode, buffering=0) as copy:
        while chunk := file.read(CHUNK):
            view = memoryview(chunk)
            while view:
                view = view[copy.write(view) :]
            if tick is not None:
                tick(len(chunk))
        sync(copy.fileno())
        copy.seek(0)
        while chunk := copy.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def write_durably(final: Path, content: bytes, token: str, *, new: bool = False) -> None:
    """Write a small file so that it is either absent, the old one or complete, and durable.

    A `new` one replaces nothing.

    Raises:
        FileExistsError: somebody is staging it under the same token, or has the name where a new
            one is wanted; their file is untouched.
        OSError: it can't be written; the staged file is then gone.
    """
    staged = staged_path(final, token)
    file = staged.open("xb")
    try:
        with file:
            file.write(content)
            file.flush()
            sync(file.fileno())
        _require(staged, content)
        (switch_in_new if new else switch_in)(staged, final)
    except BaseException:
        remove(staged)
        raise


def _require(path: Path, content: bytes) -> None:
    if path.read_bytes() != content:
        raise OSError(errno.EIO, "A write was reported done and lost", str(path))


def is_on_read_only_disk(path: Path) -> bool:
    """Tell whether the disk of a file or folder is mounted for reading only, as far as is known."""
    try:
        there = next(each for each in (path, *path.absolute().parents) if each.exists())
        return bool(os.statvfs(there).f_flag & os.ST_RDONLY)
    except (AttributeError, OSError, StopIteration):  # Windows has no such question
        return False


def identity_of(path: Path) -> str:
    """Return what tells a file from all others of this machine; a rename does not change it.

    Raises:
        OSError: there is no such file.
    """
    found = path.stat()
    if not found.st_ino:  # some drives on a network have no numbers for files
        return f"{found.st_dev}:0:{found.st_size}:{found.st_mtime_ns}"
    return f"{found.st_dev}:{found.st_ino}"


def copy_permissions(original: Path, copy: Path) -> None:
    """Let use a copy who may use the original; its owner may always read and write it.

    Raises:
        OSError: one of them is not there, or the copy is somebody else's.
    """
    copy.chmod(stat.S_IMODE(original.stat().st_mode) | stat.S_IRUSR | stat.S_IWUSR)


def sync(handle: int) -> None:
    """Make an open file's content durable, past the drive's cache where the system can say so.

    Raises:
        OSError: the disk refuses.
    """
    if sys.platform == "darwin":  # fsync there stops at the drive's cache
        import fcntl  # noqa: PLC0415  # not on Windows

        with contextlib.suppress(OSError):  # not every file system knows it
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
            return
    os.fsync(handle)


def sync_file(path: Path) -> None:
    """Make the content of a closed file durable.

    Raises:
        OSError: the disk refuses.
    """
    # Windows flushes only handles that may write.
    flags = os.O_RDWR | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags)
    try:
        sync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; Windows has no such call, NTFS journals its names.

    Raises:
        OSError: the disk refuses.
    """
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        sync(handle)
    finally:
        os.close(handle)


def rename_over(old: Path, new: Path) -> None:
    """Give a file another name, in the place of what has it; on Windows it is tried for a while.

    Raises:
        OSError: it can't be renamed.
    """
    _patiently(lambda: old.replace(new))


def remove(path: Path) -> None:
    """Delete a file; one that is not there is fine. On Windows it is tried for a while.

    Raises:
        OSError: it can't be deleted.
    """
    _patiently(lambda: path.unlink(missing_ok=True))


def remove_folder(folder: Path) -> None:
    """Delete a folder with all that is in it. On Windows it is tried for a while.

    Raises:
        OSError: it can't be deleted.
    """
    _patiently(lambda: shutil.rmtree(folder))


def _patiently(action: Callable[[], object]) -> None:
    """Do something again as long as Windows says that a file is in use, for two seconds at most."""
    for pause in _PAUSES:
        try:
            action()
        except OSError as error:
            if getattr(error, "winerror", None) not in _IN_USE:
                raise
            time.sleep(pause)
        else:
            return
    action()


def switch_in(staged: Path, final: Path) -> None:
    """Rename a durable staged file over `final` and make the name durable.

    Raises:
        OSError: the rename or the sync failed; `final` is then the old one or the new one, whole.
    """
    rename_over(staged, final)
    sync_folder(final.parent)


def switch_in_new(staged: Path, final: Path) -> None:
    """Give a durable staged file its final name, which nobody may have taken meanwhile.

    A hard link is made where the file system has them, as it fails where the name exists; a plain
    rename would replace what is there.

    Raises:
        FileExistsError: the name is taken; what has it is untouched.
        OSError: the rename or the sync failed; nothing has the name.
    """
    try:
        final.hardlink_to(staged)
    except FileExistsError:
        raise
    except OSError:  # no hard links here
        if final.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final)) from None
        _patiently(lambda: staged.rename(final))
    try:
        remove(staged)
        sync_folder(final.parent)
    except BaseException:
        remove(final)  # what was not durably there is not to be found after the error
        raise


def make_folder(folder: Path) -> None:
    """Make a folder with its parents, durably; one that is there is made durable.

    Raises:
        OSError: it can't be made.
    """
    if folder.is_dir():
        # Another process may have made it just now, and not have come to syncing it yet.
        with contextlib.suppress(PermissionError):
            sync_folder(folder.parent)
        return
    missing = [folder, *(parent for parent in folder.parents if not parent.exists())]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        sync_folder(made.parent)
