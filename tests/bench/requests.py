"""How many requests a backup makes of S3, against the aims of the design."""

import os
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figures import Figure, at_most
from tests.contracts import s3_server
from tests.harness import counted

AIMS = {counted.UNCHANGED: 7, counted.CHANGED: 9}
JOURNAL = 5


def figures(folder: Path) -> Iterator[Figure]:
    """Give the figures of a backup into a bucket on this machine."""
    folder.mkdir()
    os.environ.update(s3_server.ENVIRONMENT)
    found = counted.backups(folder)
    for what, aim in AIMS.items():
        yield at_most(f"S3, {what}: requests for the snapshot", found[what].store, aim)
        yield at_most(f"S3, {what}: to publish the journal", found[what].publishing, JOURNAL)
    looks = str(found[counted.CHANGED].looks)
    yield Figure("S3: looks at the journal before anything is recorded", looks, "", None)
