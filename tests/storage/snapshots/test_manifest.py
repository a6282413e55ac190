"""Claims about manifests: one form for ever, and nothing from outside is believed unchecked."""

import json
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.snapshots.manifest import (
    LARGEST_MANIFEST,
    NAME,
    CheckFacts,
    DatabaseFacts,
    Manifest,
    Reason,
    TableFacts,
    encode,
    read_manifest,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "manifest_v1.json"

AS_IN_THE_GOLDEN_FILE = Manifest(
    original_path="データ/junmai.db",
    backup_path="データ/backups/junmai_backup_20261122_140000_2.db",
    timestamp="20261122_140000",
    checksum="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    file_size=143360,
    format=1,
    name="junmai_backup_20261122_140000_2",
    created_at="2026-11-22T14:00:00.123456+00:00",
    reason=Reason.PRE_RESTORE,
    run="0190163d-8694-739b-aea5-966c26f8ad91",
    database=DatabaseFacts(
        page_size=4096,
        page_count=35,
        encoding="UTF-16le",
        application_id=-(2**31),
        user_version=2**31 - 1,
        schema_digest="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        sqlite_version="3.40.1",
    ),
    tables={
        "photos": TableFacts(
            rows=300, digest="2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
        ),
        '[red] "写真" 🍶': TableFacts(rows=0),
        "": TableFacts(rows=2**53 - 1),
    },
    check=CheckFacts(method="integrity_check", violations={"foreign key jobs -> photos": 2}),
    tool="junmai-svc 0.1.0",
)

# What the replaced tool writes: exactly these five fields, its times in the zone of the machine.
REPLACED_TOOLS: dict[str, Any] = {
    "original_path": "data/junmai.db",
    "backup_path": "data/backups/junmai_backup_20250108_120000.db",
    "timestamp": "20250108_120000",
    "checksum": "ab" * 32,
    "file_size": 1048576,
}


def written(folder: Path, content: bytes, name: str = "a_backup_20250108_120000") -> Path:
    path = folder / f"{name}.json"
    path.write_bytes(content)
    return path


def test_the_golden_manifest_is_written_byte_for_byte() -> None:
    assert encode(AS_IN_THE_GOLDEN_FILE) == GOLDEN.read_bytes()


def test_the_golden_manifest_is_read_as_it_was_meant(tmp_path: Path) -> None:
    path = written(tmp_path, GOLDEN.read_bytes(), AS_IN_THE_GOLDEN_FILE.name)
    manifest = read_manifest(path)
    assert manifest == AS_IN_THE_GOLDEN_FILE
    assert manifest.taken == datetime(2026, 11, 22, 14, 0, 0, 123_456, tzinfo=UTC)
    assert manifest.reason.is_undo


def test_a_manifest_begins_with_the_replaced_tools_five_fields() -> None:
    fields = list(json.loads(encode(AS_IN_THE_GOLDEN_FILE)))
    assert fields[:5] == list(REPLACED_TOOLS)


def test_a_manifest_of_the_replaced_tool_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps(REPLACED_TOOLS, indent=2).encode(), "junmai_backup_x")
    manifest = read_manifest(path)
    assert {name: getattr(manifest, name) for name in REPLACED_TOOLS} == REPLACED_TOOLS
    assert (manifest.format, manifest.reason, manifest.layout) == (0, Reason.MANUAL, "file")
    assert manifest.name == "junmai_backup_x"
    assert manifest.taken == datetime(2025, 1, 8, 12, tzinfo=UTC)
    assert manifest.database_name == "junmai.db"


@pytest.mark.parametrize("path", ["/data/a b.db", "C:\\data\\a b.db", "data\\x/a b.db", "a b.db"])
def test_the_databases_name_is_told_whatever_system_wrote_it(path: str) -> None:
    assert msgspec.structs.replace(AS_IN_THE_GOLDEN_FILE, original_path=path).database_name == (
        "a b.db"
    )


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
COUNT = st.integers(0, 2**53 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1)
SHA256 = st.text("0123456789abcdef", min_size=64, max_size=64)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    taken = draw(st.datetimes(datetime(1000, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
    return Manifest(
        original_path=draw(TEXT),
        backup_path=draw(TEXT),
        timestamp=taken.strftime("%Y%m%d_%H%M%S"),
        checksum=draw(SHA256),
        file_size=draw(COUNT),
        format=1,
        name="a_backup_20250108_120000",
        created_at=taken.isoformat(timespec="microseconds"),
        reason=draw(st.sampled_from(Reason)),
        run=draw(TEXT),
        database=draw(
            st.none()
            | st.builds(
                DatabaseFacts,
                page_size=COUNT,
                page_count=COUNT,
                encoding=TEXT,
                application_id=INT32,
                user_version=INT32,
                schema_digest=SHA256,
                sqlite_version=TEXT,
            )
        ),
        tables=draw(
            st.dictionaries(
                TEXT, st.builds(TableFacts, rows=COUNT, digest=st.none() | SHA256), max_size=3
            )
        ),
        check=draw(
            st.none()
            | st.builds(
                CheckFacts, method=TEXT, violations=st.dictionaries(TEXT, COUNT, max_size=3)
            )
        ),
        checkpoint=draw(st.none() | TEXT),
        tool=draw(TEXT),
    )


@settings(deadline=None)
@given(manifests())
def test_what_is_written_is_read_back_equal(manifest: Manifest) -> None:
    with TemporaryDirectory() as folder:
        assert read_manifest(written(Path(folder), encode(manifest))) == manifest


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["2025-01-01", "0001-01-01T00:00:00+23:59", "20250108_120000", "file"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    [name for name in Manifest.__struct_fields__ if name not in REPLACED_TOOLS] + ["unknown"]
)


@st.composite
def nearly_manifests(draw: st.DrawFn) -> bytes:
    """A good manifest of either kind, with some fields changed, added or left out."""
    golden: dict[str, Any] = json.loads(GOLDEN.read_bytes())
    content = draw(st.sampled_from([golden, REPLACED_TOOLS])).copy()
    fields = st.sampled_from(list(REPLACED_TOOLS)) | FIELDS
    content.update(draw(st.dictionaries(fields, JSON, max_size=3)))
    for name in draw(st.sets(fields, max_size=1)):
        content.pop(name, None)
    return json.dumps(content, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | JSON.map(lambda j: json.dumps(j).encode()) | nearly_manifests())
@example(b"")
@example(b"\xef\xbb\xbf{}")
@example(b"[" * 100_000)
@example(b'{"unknown": ' * 100_000)
@example(b'{"unknown": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")
@example(b'{"file_size": 1' + b"0" * 10_000 + b"}")
@example(b'{"original_path": "\\ud800"}')
def test_whatever_a_manifest_holds_it_is_good_or_refused(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = written(Path(folder), content)
        with suppress(IntegrityError):
            manifest = read_manifest(path)
            assert manifest.name == path.stem
            assert manifest.taken.tzinfo is not None
            assert 0 <= manifest.file_size < 2**53
            assert encode(manifest)


def damaged(**fields: Any) -> bytes:
    return json.dumps(REPLACED_TOOLS | fields).encode()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not json", "is damaged"),
        (b"[]", "is damaged"),
        (damaged(checksum="AB" * 32), r"is damaged: .*checksum"),
        (damaged(checksum="ab" * 31), r"is damaged: .*checksum"),
        (damaged(file_size=-1), r"is damaged: .*file_size"),
        (damaged(file_size=2**53), r"is damaged: .*file_size"),
        (damaged(file_size="1"), r"is damaged: .*file_size"),
        (damaged(timestamp="20250230_120000"), "is damaged"),
        (damaged(timestamp="now"), r"is damaged: .*timestamp"),
        (damaged(created_at="2025-01-08T12:00:00"), "layout or time"),
        (damaged(created_at="yesterday"), "is damaged"),
        (damaged(layout="blocks"), "layout or time"),
        (damaged(reason="because"), r"is damaged: .*reason"),
        (damaged(format=2), "has format 2; this program reads up to 1"),
        (damaged(format=1, name="other_backup_20250108_120000"), "belongs to another snapshot"),
        (damaged(original_path="a" * 5000), r"is damaged: .*original_path"),
        (damaged(tables={"t": {"rows": -1}}), r"is damaged: .*tables"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_said(content: bytes, words: str, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    with pytest.raises(IntegrityError, match=words) as caught:
        read_manifest(path)
    assert caught.value.message.startswith(f"Manifest {path} ")


def test_a_newer_format_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError) as caught:
        read_manifest(written(tmp_path, damaged(format=2)))
    assert caught.value.hint == "Install the newest junmai-svc."


def test_a_manifest_may_be_as_large_as_three_thousand_tables_need(tmp_path: Path) -> None:
    tables = {
        f"a table with a rather long name, number {number}": TableFacts(rows=1, digest="ab" * 32)
        for number in range(3000)
    }
    manifest = msgspec.structs.replace(AS_IN_THE_GOLDEN_FILE, tables=tables)
    assert read_manifest(written(tmp_path, encode(manifest), manifest.name)) == manifest


def test_what_is_too_large_to_be_a_manifest_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "bomb_backup_20250108_120000.json"
    with path.open("wb") as file:
        file.truncate(LARGEST_MANIFEST + 1)
    with pytest.raises(IntegrityError, match="too large"):
        read_manifest(path)


def test_only_a_regular_file_is_a_manifest(tmp_path: Path) -> None:
    good = written(tmp_path, damaged())
    link, folder = tmp_path / "link.json", tmp_path / "folder.json"
    folder.mkdir()
    missing = tmp_path / "missing.json"
    irregular = [folder, missing]
    if sys.platform != "win32":
        link.symlink_to(good)
        pipe = tmp_path / "pipe.json"
        os.mkfifo(pipe)
        irregular += [link, pipe]
    for path in irregular:
        with pytest.raises(IntegrityError, match="not a regular file"):
            read_manifest(path)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("junmai_backup_20250108_120000", "junmai"),
        ("junmai_backup_20250108_120000_2", "junmai"),
        ("a_backup_20250108_120000_backup_20250108_120000", "a_backup_20250108_120000"),
        ("写真\n🍶_backup_20250108_120000", "写真\n🍶"),
        ("junmai_backup_2025", None),
        ("_backup_20250108_120000", None),
        ("junmai_backup_20250108_120000_", None),
        ("junmai_backup_20250108_120000.old", None),
    ],
)
def test_a_snapshots_name_is_told_from_other_files(name: str, stem: str | None) -> None:
    found = NAME.fullmatch(name)
    assert (found["stem"] if found else None) == stem


def test_two_reasons_are_only_for_undoing() -> None:
    undo = {reason.value for reason in Reason if reason.is_undo}
    assert undo == {"pre-restore", "pre-overwrite"}


def test_taken_is_in_time_order_across_zones() -> None:
    later = AS_IN_THE_GOLDEN_FILE.taken + timedelta(seconds=1)
    other = msgspec.structs.replace(
        AS_IN_THE_GOLDEN_FILE, created_at="2026-11-22T23:00:01.123456+09:00"
    )
    assert other.taken == later
