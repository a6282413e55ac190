"""The figures of the journal as proof, each with the target that it has to meet."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figures import Figure, at_most
from tests.bench.measure import ROOT
from tests.bench.proof import FOLDED, OUTSIDE, PUBLISHED, VERIFIED

EVENTS = 1_000_000
PUBLISHED_EVENTS = 100_000


def proof(
    folder: Path, events: int = EVENTS, published: int = PUBLISHED_EVENTS
) -> Iterator[Figure]:
    """Give what verifying, folding and publishing take, scaled to the sizes of the targets."""
    place = folder / "proof"
    place.mkdir()
    command = [sys.executable, "-m", "tests.bench.proof", str(place), str(events), str(published)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    spent: dict[str, float] = json.loads(done.stdout)
    of_all, of_small = EVENTS / events, PUBLISHED_EVENTS / published
    yield at_most("journal: CPU to verify a million events", spent[VERIFIED] * of_all, 5, " s")
    yield at_most("journal: CPU to fold a million events", spent[FOLDED] * of_all, 10, " s")
    what = f"journal: CPU to publish one event after {published:,}"
    yield at_most(what, spent[PUBLISHED] * 1_000, 20, " ms")
    what = "journal: CPU to verify 100,000 events from a store"
    yield at_most(what, spent[OUTSIDE] * of_small, 3, " s")
