"""Events of earlier versions are raised on reading, version by version; what is stored stays."""

import pytest
from msgspec.structs import replace
from tests.harness.published import Scene

from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.events import CATALOGUE, kind_of
from junmai_svc.storage.journal.upcasting import UPCASTERS, Upcasters, upcast


@pytest.fixture
def event(tmp_path: pytest.TempPathFactory) -> Event:
    scene = Scene(tmp_path)  # type: ignore[arg-type]
    scene.run()
    with scene.journal() as journal:
        return list(journal.read())[1]


def test_an_event_is_raised_through_every_version(event: Event) -> None:
    steps: Upcasters = {
        "junmai.migration.requested.v1": lambda data: data | {"two": 2},
        "junmai.migration.requested.v2": lambda data: data | {"three": data["two"] + 1},
    }
    raised = upcast(event, steps)
    assert raised.type == "junmai.migration.requested.v3"
    assert raised.data == event.data | {"two": 2, "three": 3}
    assert (raised.entry, raised.leaf_hash, raised.position) == (
        event.entry,
        event.leaf_hash,
        event.position,
    )
    assert upcast(raised, steps) == raised


def test_an_event_without_an_upcaster_is_left_as_it_is(event: Event) -> None:
    newer = replace(event, type="junmai.migration.requested.v9")
    assert upcast(newer) == newer


def test_every_upcaster_leads_to_the_version_that_is_recorded_today() -> None:
    for type_ in UPCASTERS:
        kind = kind_of(type_)
        assert kind is not None
        assert type_ not in CATALOGUE
        stem, _, version = type_.rpartition(".v")
        for number in range(int(version), kind.version):
            assert f"{stem}.v{number}" in UPCASTERS
    for type_, kind in CATALOGUE.items():
        for number in range(1, kind.version):
            assert f"{type_.rpartition('.v')[0]}.v{number}" in UPCASTERS
