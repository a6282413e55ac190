"""From what a person names to a store: names, folders, addresses, keys; refusals before harm."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.harness.stores import fetched, image_of, names, stored

from junmai_svc.service import keys, stores
from junmai_svc.service.configuration.file import Loaded, load
from junmai_svc.service.keys import NOT_REVOKED, NewSecret, change_key, init_store
from junmai_svc.service.store_facts import facts_at
from junmai_svc.service.stores import LOST_KEY, Named, Place, open_store, place_of
from junmai_svc.storage.backends.bucket import BucketBackend
from junmai_svc.storage.errors import (
    AccessDeniedError,
    IntegrityError,
    JunmaiError,
    NotFoundError,
    UsageError,
)
from junmai_svc.storage.snapshots.base import SnapshotStore
from junmai_svc.storage.snapshots.blocks.keys import Cost, Passphrase, wrap
from junmai_svc.storage.snapshots.description import COPY, read_description
from junmai_svc.storage.snapshots.objects import ObjectStore
from junmai_svc.storage.snapshots.store import FileStore

IMAGE = image_of(*range(5))


def now() -> datetime:
    return datetime(2026, 11, 22, 14, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "the cache"))
    # A passphrase costs three quarters of a second otherwise.
    for module in (keys, stores):
        monkeypatch.setattr(module, "wrap", lambda key, secret, id_: wrap(key, secret, id_, CHEAP))


CHEAP = Cost(operations=1, memory=1 << 20)


def configured(tmp_path: Path, text: str) -> Loaded | None:
    path = tmp_path / "etc" / "junmai.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return load(path, {})


def opened(
    address: str | Path, *, create: bool = True, key_file: Path | None = None
) -> SnapshotStore:
    return open_store(None, Named(str(address), key_file=key_file), now, create=create)


def place(address: str | Path = "vault", key_file: Path | None = None) -> Place:
    return place_of(None, Named(str(address), key_file=key_file))


def test_a_configured_name_goes_before_a_folder_of_that_name(tmp_path: Path) -> None:
    loaded = configured(tmp_path, '[stores.here]\nurl = "../kept"\n')
    (tmp_path / "here").mkdir()
    assert place_of(loaded, Named("here")).folder == tmp_path / "kept"
    assert place_of(loaded, Named("here", is_folder=True)).folder == Path("here")
    assert place_of(loaded, Named("./here")).folder == Path("here")


def test_paths_of_a_configuration_count_from_its_folder(tmp_path: Path) -> None:
    loaded = configured(tmp_path, '[stores.here]\nurl = "kept"\nencryption_key_file = "the.key"\n')
    (tmp_path / "etc" / "the.key").write_bytes(bytes(32))
    store = open_store(loaded, Named("here"), now, create=True)
    stored(store, IMAGE)
    assert (tmp_path / "etc" / "kept" / "store.json").exists()
    assert store.layout == "blocks"


@pytest.mark.parametrize(
    ("address", "folder"),
    [
        ("backups", "backups"),
        ("./a:b", "a:b"),
        ("data/s3:x", "data/s3:x"),
        ("file:///srv/backups", "/srv/backups"),
    ],
)
def test_a_path_names_a_folder(address: str, folder: str) -> None:
    assert place(address).folder == Path(folder)


def test_an_address_elsewhere_names_no_folder() -> None:
    found = place_of(None, Named("s3://bucket/pre/fix", endpoint_url="http://127.0.0.1:1"))
    assert found.folder is None
    assert isinstance(found.backend, BucketBackend)
    assert found.options.endpoint_url == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    "address", ["", "ftp://host/x", "s3://", "s3://key:secret@bucket/x", "x\0"]
)
def test_an_address_that_can_not_be_one_is_refused_without_a_secret(address: str) -> None:
    with pytest.raises(UsageError) as refused:
        place(address)
    assert "secret" not in refused.value.message + refused.value.hint


def test_a_folder_of_images_needs_no_description(tmp_path: Path) -> None:
    folder = FileStore(tmp_path / "backups")
    made = stored(folder, IMAGE)
    for create in (True, False):
        store = opened("backups", create=create)
        assert isinstance(store, FileStore)
        assert names(store) == [made.name]
    assert not (tmp_path / "backups" / "store.json").exists()


def test_a_backup_dir_is_a_folder_of_images_from_the_first_backup_on(tmp_path: Path) -> None:
    store = open_store(None, Named("new", is_folder=True), now, create=True)
    assert isinstance(store, FileStore)
    assert not (tmp_path / "new").exists()


def test_a_new_store_has_blocks_unless_files_are_asked_for() -> None:
    assert opened("vault").layout == "blocks"
    store = open_store(None, Named("plain", layout="file"), now, create=True)
    assert isinstance(store, FileStore)


def test_a_store_that_is_not_there_is_made_only_where_something_is_to_be_stored(
    tmp_path: Path,
) -> None:
    loaded = configured(tmp_path, '[stores.far]\nurl = "../far"\nlayout = "blocks"\n')
    with pytest.raises(NotFoundError, match="no store"):
        open_store(loaded, Named("far"), now)
    assert not (tmp_path / "far").exists()
    open_store(loaded, Named("far"), now, create=True)
    assert open_store(loaded, Named("far"), now).layout == "blocks"


def test_a_sealed_store_opens_with_its_key_and_no_other(tmp_path: Path) -> None:
    init_store(place(), NewSecret(Path("a.key"), make=True), now())
    stored(opened("vault", key_file=Path("a.key")), IMAGE)
    with pytest.raises(UsageError, match="is sealed with a key file"):
        opened("vault")
    (tmp_path / "b.key").write_bytes(bytes(32))
    with pytest.raises(AccessDeniedError, match="does not open"):
        opened("vault", key_file=Path("b.key"))
    with pytest.raises(NotFoundError, match="Key file not found"):
        opened("vault", key_file=Path("c.key"))
    (tmp_path / "short.key").write_bytes(b"short")
    with pytest.raises(UsageError, match="not a key file"):
        opened("vault", key_file=Path("short.key"))


def test_a_store_that_lost_its_seal_is_not_used_with_a_key(tmp_path: Path) -> None:
    (tmp_path / "a.key").write_bytes(bytes(32))
    init_store(place("vault"), NewSecret(Path("a.key")), now())
    init_store(place("other"), NewSecret(), now())
    # Somebody puts a description without a key in the place of the sealed one.
    (tmp_path / "vault" / "store.json").write_bytes(
        (tmp_path / "other" / "store.json").read_bytes()
    )
    for create in (True, False):
        with pytest.raises(UsageError, match="not sealed") as refused:
            opened("vault", key_file=Path("a.key"), create=create)
        assert "replaced" in refused.value.hint


def test_a_store_whose_description_is_gone_is_not_made_anew_over_what_is_there(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.key").write_bytes(bytes(32))
    init_store(place(), NewSecret(Path("a.key")), now())
    stored(opened("vault", key_file=Path("a.key")), IMAGE)
    description = (tmp_path / "vault" / "store.json").read_bytes()
    (tmp_path / "vault" / "store.json").unlink()
    (tmp_path / "vault" / COPY).unlink()
    for key_file in (Path("a.key"), None):
        with pytest.raises(IntegrityError, match="describes it"):
            opened("vault", key_file=key_file)
    with pytest.raises(JunmaiError):
        init_store(place(), NewSecret(), now())
    assert not (tmp_path / "vault" / "store.json").exists()
    (tmp_path / "vault" / "store.json").write_bytes(description)
    assert len(names(opened("vault", key_file=Path("a.key")))) == 1


@pytest.mark.parametrize(
    ("secret", "sealed"),
    [
        (NewSecret(), None),
        (NewSecret(Path("a.key"), make=True), "key-file"),
        (NewSecret(passphrase=Passphrase("korrekt häst")), "passphrase"),
    ],
    ids=["plain", "key file", "passphrase"],
)
def test_a_store_is_made_once_and_says_what_its_key_is_worth(
    secret: NewSecret, sealed: str | None
) -> None:
    made, notes = init_store(place(), secret, now())
    assert notes == ([LOST_KEY] if sealed else [])
    facts = facts_at(place())
    assert (facts.id, facts.layout, facts.sealed) == (made.id, "blocks", sealed)
    assert facts.honours["conditional_put"]
    with pytest.raises(UsageError, match="already"):
        init_store(place(), NewSecret(), now())
    assert read_description(place().backend) == made


def test_a_new_key_file_is_never_written_over_another(tmp_path: Path) -> None:
    (tmp_path / "a.key").write_bytes(b"precious")
    with pytest.raises(UsageError, match="exists already"):
        init_store(place(), NewSecret(Path("a.key"), make=True), now())
    assert (tmp_path / "a.key").read_bytes() == b"precious"
    assert read_description(place().backend) is None


def test_whole_images_are_not_sealed_and_no_key_is_made_for_them(tmp_path: Path) -> None:
    where = place_of(None, Named("vault", layout="file"))
    with pytest.raises(UsageError, match="can't be sealed"):
        init_store(where, NewSecret(Path("a.key"), make=True), now())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_images_does_not_become_a_store_of_blocks(tmp_path: Path) -> None:
    made = stored(FileStore(tmp_path / "vault"), IMAGE)
    with pytest.raises(UsageError, match="backups as files"):
        init_store(place(), NewSecret(), now())
    init_store(place_of(None, Named("vault", layout="file")), NewSecret(), now())
    assert names(opened("vault")) == [made.name]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (NewSecret(Path("a.key"), make=True), NewSecret(Path("b.key"), make=True)),
        (NewSecret(Path("a.key"), make=True), NewSecret(passphrase=Passphrase("neu"))),
        (NewSecret(passphrase=Passphrase("alt")), NewSecret(Path("b.key"), make=True)),
        (NewSecret(passphrase=Passphrase("alt")), NewSecret(passphrase=Passphrase("neu"))),
    ],
    ids=["key to key", "key to passphrase", "passphrase to key", "passphrase to passphrase"],
)
def test_another_key_opens_the_same_store_and_the_old_one_does_not(
    tmp_path: Path, old: NewSecret, new: NewSecret
) -> None:
    from dataclasses import replace

    made, _ = init_store(place(), old, now())
    present = replace(old, make=False)

    def with_secret(secret: NewSecret) -> Place:
        return replace(place(), secret=lambda _: secret.taken())

    before = {path: path.read_bytes() for path in (tmp_path / "vault").rglob("*") if path.is_file()}
    changed, notes = change_key(with_secret(present), new, now())
    assert notes == [LOST_KEY, NOT_REVOKED]
    assert (changed.id, changed.made) == (made.id, made.made)
    after = {path: path.read_bytes() for path in (tmp_path / "vault").rglob("*") if path.is_file()}
    written = {path for path in after if before.get(path) != after[path]}
    assert written == {tmp_path / "vault" / name for name in ("store.json", COPY)}
    with pytest.raises((AccessDeniedError, UsageError)):
        change_key(with_secret(present), NewSecret(passphrase=Passphrase("x")), now())
    again = replace(new, make=False)
    change_key(with_secret(again), NewSecret(passphrase=Passphrase("x")), now())


def test_what_was_stored_is_read_with_the_new_key(tmp_path: Path) -> None:
    init_store(place(), NewSecret(Path("a.key"), make=True), now())
    made = stored(opened("vault", key_file=Path("a.key")), IMAGE)
    change_key(place(key_file=Path("a.key")), NewSecret(Path("b.key"), make=True), now())
    store = opened("vault", key_file=Path("b.key"))
    assert isinstance(store, ObjectStore)
    assert fetched(store, made.name, tmp_path) == IMAGE
    with pytest.raises(AccessDeniedError):
        opened("vault", key_file=Path("a.key"))


def test_a_key_that_is_not_the_stores_changes_nothing(tmp_path: Path) -> None:
    init_store(place(), NewSecret(Path("a.key"), make=True), now())
    (tmp_path / "b.key").write_bytes(bytes(32))
    before = (tmp_path / "vault" / "store.json").read_bytes()
    with pytest.raises(AccessDeniedError):
        change_key(place(key_file=Path("b.key")), NewSecret(Path("c.key"), make=True), now())
    with pytest.raises(UsageError, match="its key is not named"):
        change_key(place(), NewSecret(Path("c.key"), make=True), now())
    assert (tmp_path / "vault" / "store.json").read_bytes() == before
    assert not (tmp_path / "c.key").exists()


def test_only_a_sealed_store_has_a_key_to_change() -> None:
    with pytest.raises(NotFoundError):
        change_key(place(), NewSecret(Path("a.key"), make=True), now())
    init_store(place(), NewSecret(), now())
    with pytest.raises(UsageError, match="is not sealed"):
        change_key(place(), NewSecret(Path("a.key"), make=True), now())


def test_a_passphrase_file_ends_with_its_line_and_any_form_of_a_letter_is_the_same(
    tmp_path: Path,
) -> None:
    (tmp_path / "one").write_bytes("häst\n".encode())
    (tmp_path / "other").write_bytes("ha\u0308st\r\n".encode())
    init_store(place(), NewSecret(passphrase_file=Path("one")), now())
    loaded = configured(
        tmp_path, '[stores.v]\nurl = "../vault"\nencryption_passphrase_file = "../other"\n'
    )
    assert open_store(loaded, Named("v"), now).layout == "blocks"


def test_an_empty_passphrase_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"\n")
    with pytest.raises(UsageError, match="empty"):
        init_store(place(), NewSecret(passphrase_file=Path("empty")), now())
    assert read_description(place().backend) is None


def test_nothing_secret_is_in_what_is_shown_of_a_secret() -> None:
    for secret in (NewSecret(passphrase=Passphrase("korrekt häst")), Passphrase("korrekt häst")):
        assert not re.search("korrekt", repr(secret))


def test_a_folder_of_images_is_shown_without_a_description(tmp_path: Path) -> None:
    stored(FileStore(tmp_path / "backups"), IMAGE)
    facts = facts_at(place("backups"))
    assert (facts.id, facts.layout, facts.sealed) == (None, "file", None)
    assert {kind: held.count for kind, held in facts.held.items()} == {"images": 1, "snapshots": 1}
    with pytest.raises(NotFoundError):
        facts_at(place("nothing"))
