"""Events of earlier versions as today's code knows them: raised from version to version on reading.

What is stored never changes. An upcaster takes the data of version N of one event and returns that
of version N + 1; who changes an event's data adds one here, a version in the catalogue and a golden
entry. An event of a version that has no upcaster is left as it is.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from junmai_svc.storage.journal.entry import Event

Data = dict[str, Any]
Upcasters = Mapping[str, Callable[[Data], Data]]


def _opened_1(data: Data) -> Data:
    """Version 2 tells which journal a new epoch goes on from; before, there was none."""
    return {**data, "continues": None}


UPCASTERS: Upcasters = {"junmai.journal.opened.v1": _opened_1}


def upcast(event: Event, upcasters: Upcasters = UPCASTERS) -> Event:
    """Return an event as of its newest version; `entry` and `leaf_hash` stay those of the stored.

    An event whose data an upcaster can't raise is damaged in a way of which its reader has to hear,
    so what an upcaster raises comes out.
    """
    while (raise_ := upcasters.get(event.type)) is not None:
        stem, _, version = event.type.rpartition(".v")
        event = replace(event, type=f"{stem}.v{int(version) + 1}", data=raise_(event.data))
    return event
