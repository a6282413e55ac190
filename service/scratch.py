"""A folder for an image that is needed for a moment."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from junmai_svc.storage.databases.failures import translated


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield a folder of its own, gone at the end.

    Raises:
        JunmaiError: there is no room for it.
    """
    with (
        translated("make room for an image in", tempfile.gettempdir()),
        tempfile.TemporaryDirectory(prefix="junmai-svc-") as folder,
    ):
        yield Path(folder)
