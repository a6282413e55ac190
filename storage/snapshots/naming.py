"""Names of snapshots: the next one where a name is taken."""

from collections.abc import Iterator
from random import SystemRandom

from junmai_svc.storage.snapshots.manifest import NAME

_random = SystemRandom()


def names_from(wanted: str, *, certain: bool, exact: bool = False) -> Iterator[str]:
    """Yield `wanted`, then the names that follow it: `_2`, `_3` and so on behind its time.

    An `exact` name is the only one.

    Where a place can't tell two writers of one name apart (`certain` is False), every name has a
    random number instead, so that two never want the same.
    """
    if exact:
        yield wanted
        return
    found = NAME.fullmatch(wanted)
    base = wanted.removesuffix(f"_{found['again']}") if found and found["again"] else wanted
    if certain:
        yield wanted
        again = 2
        while True:
            yield f"{base}_{again}"
            again += 1
    while True:
        yield f"{base}_{_random.randrange(100_000, 1_000_000)}"
