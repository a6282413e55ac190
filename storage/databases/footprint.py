"""What the file system says of a database's files: equal footprints mean that nothing was written.

Of the main file and its -wal: device, inode, size and the times of the last write and of the last
change of anything. (The change counter in the header says nothing of commits that are in the -wal.)
A time may be as coarse as two seconds, so a footprint counts only once its files are older than
that; and only on a local file system, where times are the kernel's own.
"""

import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from junmai_svc.storage.databases.connection import sidecar
from junmai_svc.storage.files import without_links

COARSEST = timedelta(seconds=2)
_MOUNTS = Path("/proc/self/mountinfo")
_LOCAL = {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "bcachefs", "tmpfs"}
_LOCAL |= {"overlay"}


@dataclass(frozen=True)
class Footprint:
    """One line for each file that is there, and when the latest of them was changed (POSIX, ns)."""

    files: tuple[str, ...]
    changed: int

    def is_settled(self, when: datetime) -> bool:
        """Whether a write at `when` or later would have to show in another footprint."""
        return self.changed < (when - COARSEST).timestamp() * 1_000_000_000


def footprint_of(database: Path) -> Footprint | None:
    """Return a database's footprint; None where it would prove nothing.

    That is on other systems than Linux, which don't tell what is local, on file systems that are
    not known to be it, and while a rollback journal is there.
    """
    if sys.platform != "linux" or sidecar(database, "-journal").exists():
        return None
    try:
        if not _is_local(database):
            return None
        found = []
        changed = 0
        for path in (database, sidecar(database, "-wal")):
            if path is not database and not path.exists():
                continue
            facts = path.stat()
            changed = max(changed, facts.st_ctime_ns)
            numbers = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
            found.append(" ".join(map(str, (path.name, *numbers, facts.st_ctime_ns))))
    except OSError:
        return None
    return Footprint(tuple(found), changed)


def _is_local(path: Path) -> bool:
    """Whether the mount point above a path is of a file system that is known to be local."""
    whole = without_links(path)
    best, kind = "", ""
    for line in _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines():
        # See proc_pid_mountinfo(5): the mount point is the fifth field, in octal escapes.
        fields = line.split()
        point = fields[4].encode().decode("unicode_escape")
        if whole.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, fields[fields.index("-") + 1]
    return kind in _LOCAL
