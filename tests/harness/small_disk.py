"""A disk in memory that can be made too small for what is to be written."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LARGE_ENOUGH = 8_192  # KiB

Resize = Callable[[int], None]


@contextmanager
def small_disk(folder: Path) -> Iterator[tuple[Path, Resize]]:
    """Mount a disk below a folder and yield its place and what makes it so many KiB large.

    Where that can't be done the test is skipped; in CI that is a failure.
    """
    place = folder / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={LARGE_ENOUGH}k", "tmpfs", str(place)]
    missing = None
    try:
        mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        missing = "needs mount, which is not installed"
    else:
        if mounted.returncode:
            missing = f"needs to mount a small disk, which is refused: {mounted.stderr.strip()}"
    if missing is not None:
        assert os.environ.get("CI") != "true", missing
        pytest.skip(missing)

    def resize(kib: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={kib}k", str(place)], check=True)

    try:
        yield place, resize
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
