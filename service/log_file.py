"""A log file that begins anew before it grows too large; NAME.1, NAME.2 and so on are older.

Several processes may write it at once. One that finds its file renamed by another goes on in the
new one; a line is written in one piece, so that lines never mix.
"""

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TextIO

# How many lines may be written between two looks at whether the file is still the named one.
LOOK_EVERY = 50
# How long to wait for another writer that is just renaming, in seconds.
PATIENCE = 5.0


class RotatingFile:
    """A text stream over the file, for whole lines; `most` bytes, `keep` older files.

    Raises:
        OSError: it can't be opened for appending.
    """

    def __init__(self, path: Path, most: int, keep: int) -> None:
        self._path, self._most, self._keep = path, most, keep
        self._lock = threading.Lock()
        self._lines = 0
        self._file = self._open()

    def write(self, text: str) -> int:
        """Append a text that ends a line.

        Raises:
            OSError: it can't be written.
        """
        with self._lock:
            self._lines += 1
            if self._lines % LOOK_EVERY == 0 and not self._is_current():
                self._again()
            if self._file.tell() + len(text) > self._most and self._file.tell() > 0:
                self._rotate()
            return self._file.write(text)

    def flush(self) -> None:
        """Hand what was written to the system.

        Raises:
            OSError: it can't be written.
        """
        with self._lock:
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    def _open(self) -> TextIO:
        file = self._path.open("a", encoding="utf-8", errors="backslashreplace", newline="\n")
        file.seek(0, os.SEEK_END)
        return file

    def _again(self) -> None:
        # The old one is closed last: where no new one can be had, it goes on.
        before, self._file = self._file, self._open()
        before.close()

    def _is_current(self) -> bool:
        try:
            named, own = self._path.stat(), os.fstat(self._file.fileno())
        except OSError:
            return False
        return (named.st_dev, named.st_ino) == (own.st_dev, own.st_ino)

    def _rotate(self) -> None:
        """Rename the file and begin a new one; where that fails the old one goes on growing.

        One writer at a time: two that shift at once would put one older file over another.
        """
        from filelock import FileLock, Timeout  # noqa: PLC0415  # rarely needed

        lock = self._path.with_name(f".{self._path.name}.lock")
        with (
            suppress(OSError, Timeout),
            FileLock(lock, timeout=PATIENCE, fallback_to_soft=False),
        ):
            if self._is_current():
                # Windows renames no file that is open.
                self._file.close()
                try:
                    self._shift()
                finally:
                    self._file = self._open()
            else:
                self._again()

    def _shift(self) -> None:
        # Refused where another process has it open on Windows: then no older one may move either,
        # or each try would push one of them out. Does nothing else.
        self._path.replace(self._path)
        for number in range(self._keep, 0, -1):
            older = self._numbered(number - 1) if number > 1 else self._path
            with suppress(FileNotFoundError):
                older.replace(self._numbered(number))
        if self._keep == 0:
            self._path.unlink()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
