"""Stores that somebody made to harm: refused before anything is written, named by a check."""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.contracts.memory import LIKE_S3, Place
from tests.storage.snapshots.blocks.machines import HOUR, Clock, Machine, image_of, name_of

from junmai_svc.checks.block_store import examine_packs, findings, look
from junmai_svc.storage.backends.local import LocalBackend
from junmai_svc.storage.errors import IntegrityError, JunmaiError, NotFoundError, UsageError
from junmai_svc.storage.snapshots.blocks.compression import Compressor
from junmai_svc.storage.snapshots.blocks.distrusting import NOBODY
from junmai_svc.storage.snapshots.blocks.map_format import StoredMap, encode
from junmai_svc.storage.snapshots.blocks.packs import PackRef
from junmai_svc.storage.snapshots.blocks.places import MAPS, PACKS, manifest_object, mark_object
from junmai_svc.storage.snapshots.blocks.runs import Runs

A, B = name_of(0), name_of(1)
IMAGE = image_of(range(300))
HUGE = 1 << 50


@pytest.fixture
def place() -> Place:
    return Place(LIKE_S3, Clock())


@pytest.fixture
def machine(place: Place, quick_folder: Path) -> Machine:
    machine = Machine(place, quick_folder / "machine")
    machine.backup(A, IMAGE)
    return machine


def rewrite(machine: Machine, **changes: Any) -> None:
    """Change fields of the snapshot's manifest."""
    fields = msgspec.json.decode(machine.backend.get(manifest_object(A), 1 << 20))
    machine.backend.put(manifest_object(A), msgspec.json.encode(fields | changes))


DAMAGED = mark_object(NOBODY, "")


def map_name(machine: Machine) -> str:
    return look(machine.images).manifests[A].map


def refused(machine: Machine, folder: Path) -> None:
    """Nothing is restored, nothing is written but marks of damage; a check names it."""
    target = folder / "target"
    before = dict(machine.backend.place.objects)
    with pytest.raises((IntegrityError, NotFoundError)):
        machine.store.fetch(machine.store.find(A), target)
    assert not target.exists()
    found = look(machine.images)
    damages = examine_packs(machine.images, found, found.stored, None)
    assert list(findings(machine.images, found, damages, look(machine.images)))
    own = {n: o for n, o in machine.backend.place.objects.items() if not n.startswith(DAMAGED)}
    assert own == before


MANIFESTS: dict[str, dict[str, Any]] = {
    "a path for a map": {"map": "../../../../etc/passwd"},
    "an absolute map": {"map": "/etc/passwd"},
    "another map": {"map": "ab" * 16},
    "no map": {"map": ""},
    "another name": {"name": "../../elsewhere"},
    "another layout": {"layout": "file"},
    "a huge image": {"file_size": HUGE},
    "a negative image": {"file_size": -1},
    "a number too large": {"file_size": 1 << 70},
    "another image": {"checksum": "0" * 64},
    "a newer format": {"format": 99},
    "no time": {"created_at": "soon"},
}


@pytest.mark.parametrize("changes", MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_that_lies_is_refused(
    machine: Machine, quick_folder: Path, changes: dict[str, Any]
) -> None:
    rewrite(machine, **changes)
    refused(machine, quick_folder)
    assert machine.collect().deleted == {}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[" * 100_000, b'{"map": ' * 10_000, os.urandom(3_000), b"x" * ((4 << 20) + 1)],
    ids=["empty", "cut", "deep lists", "deep objects", "noise", "too large"],
)
def test_a_manifest_that_is_none_is_refused(
    machine: Machine, quick_folder: Path, content: bytes
) -> None:
    machine.backend.put(manifest_object(A), content)
    refused(machine, quick_folder)


def test_where_a_manifest_says_it_lies_is_never_followed(
    machine: Machine, quick_folder: Path
) -> None:
    victim = quick_folder / "victim"
    victim.write_bytes(b"precious")
    rewrite(machine, backup_path=str(victim), original_path=str(victim))
    assert machine.restore(A) == IMAGE
    machine.collect()
    assert victim.read_bytes() == b"precious"


def bomb(declared: int) -> bytes:
    """A map whose body is a gigabyte of zeros in a few kilobytes."""
    body = Compressor(3).compress(bytes(1 << 26))
    return b"JMMAPS\x01\x00" + struct.pack("<I", declared) + body


MAPS_THAT_LIE: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "noise": lambda: os.urandom(500),
    "a bomb that says so": lambda: bomb((1 << 32) - 1),
    "a bomb that does not": lambda: bomb(100),
    "counts beyond its bytes": lambda: (
        b"JMMAPS\x01\x00"
        + struct.pack("<I", 60)
        + Compressor(3).compress(bytes(56) + struct.pack("<I", 0xFFFFFFFF))
    ),
}


@pytest.mark.parametrize("content", MAPS_THAT_LIE.values(), ids=MAPS_THAT_LIE)
def test_a_map_that_lies_is_refused(
    machine: Machine, quick_folder: Path, content: Callable[[], bytes]
) -> None:
    machine.backend.put(f"{MAPS}{map_name(machine)}", content())
    refused(machine, quick_folder)


def stored_map(machine: Machine, size: int, runs: list[tuple[int, int, int]]) -> bytes:
    name = map_name(machine)
    [pack] = look(machine.images).needed.values()
    made = Runs()
    for run in runs:
        made.append(*run)
    image = look(machine.images).manifests[A].checksum
    return encode(StoredMap(image, "0" * 64, size, "", tuple(pack), made), name, machine.seal)


def test_a_small_map_of_an_image_of_terabytes_is_refused(
    machine: Machine, quick_folder: Path
) -> None:
    """Each block of one pack a million times: it says nothing that its manifest said."""
    many = [(1, 0 if turn % 2 else 100, 100) for turn in range(100_000)]
    content = stored_map(machine, 10_000_000 * 4096, many)
    assert len(content) < 1_000_000
    machine.backend.put(f"{MAPS}{map_name(machine)}", content)
    refused(machine, quick_folder)


def test_a_map_that_builds_on_itself_is_refused(machine: Machine, quick_folder: Path) -> None:
    name = map_name(machine)
    runs = Runs()
    runs.append(0, 0, 300)
    image = look(machine.images).manifests[A].checksum
    stored = StoredMap(image, "0" * 64, len(IMAGE), name, (), runs)
    machine.backend.put(f"{MAPS}{name}", encode(stored, name, machine.seal))
    refused(machine, quick_folder)
    assert machine.collect().deleted == {}


def test_a_map_that_names_a_pack_by_a_path_can_not_be(machine: Machine) -> None:
    """Names are 32 bytes in a map: whatever they are, they come out as hex."""
    reference = PackRef("2e2e2f" + "00" * 29, 100, 1)
    runs = Runs()
    runs.append(1, 0, 1)
    name = map_name(machine)
    content = encode(StoredMap("0" * 64, "0" * 64, 1, "", (reference,), runs), name, machine.seal)
    machine.backend.put(f"{MAPS}{name}", content)
    assert machine.images.map(name).packs[0].name == reference.name


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "packs/../../x", "packs//x", "a\0b"])
def test_no_object_has_a_name_that_leads_elsewhere(tmp_path: Path, name: str) -> None:
    backend = LocalBackend(tmp_path / "store")
    for use in (lambda: backend.put(name, b""), lambda: backend.get(name, 9)):
        with pytest.raises(UsageError):
            use()


@pytest.mark.skipif(os.name == "nt", reason="making links needs a privilege there")
def test_links_in_a_store_lead_nowhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"precious")
    machine = Machine(Place(), tmp_path / "m", backend=LocalBackend(tmp_path / "store"))
    machine.backup(A, IMAGE)
    store = tmp_path / "store"
    (store / "snapshots" / f"{B}.json").symlink_to(secret)
    (store / "packs" / "ff").symlink_to(tmp_path)
    (store / "state" / "pending").mkdir(parents=True, exist_ok=True)
    (store / "state" / "pending" / "x").symlink_to(secret)
    good, bad = machine.store.snapshots()
    assert [snapshot.name for snapshot in good] == [A]
    assert ["link" in each.problem.message for each in bad] == [True]
    machine.images.tidy()
    assert len(machine.collect().problems) == 2
    with pytest.raises(JunmaiError):
        machine.store.find(B)
    assert secret.read_bytes() == b"precious"
    assert machine.restore(A) == IMAGE


def test_marks_and_pendings_with_odd_names_stop_nobody(machine: Machine, place: Place) -> None:
    for name in ("state/marks/x", "state/marks/x/y/../z"[:15], "state/clocks/not a clock"):
        machine.backend.put(name, b"")
    clock = place.now
    assert isinstance(clock, Clock)
    clock.advance(48 * HOUR)
    machine.images.tidy()
    machine.backup(B, IMAGE)
    assert machine.restore(B) == IMAGE


def test_a_pending_that_is_none_holds_back_a_collection_for_a_day(
    machine: Machine, place: Place
) -> None:
    machine.drop(A)
    machine.backend.put("state/pending/x", b"noise")
    clock = place.now
    assert isinstance(clock, Clock)
    clock.advance(2 * HOUR)
    assert machine.collect().problems
    for _ in range(3):
        clock.advance(25 * HOUR)
        machine.images.tidy()
    assert machine.collect().deleted
    assert not [name for name in place.objects if name.startswith(PACKS)]
