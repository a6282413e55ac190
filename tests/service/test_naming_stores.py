"""Which secret opens a store that is named alone or among others; no store is named twice."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from junmai_svc.service.audit.stores import opened as opened_for_audit
from junmai_svc.service.configuration.file import load
from junmai_svc.service.keys import NewSecret, init_store
from junmai_svc.service.stores import Named, open_store, place_of, refuse_twice
from junmai_svc.service.wiring import looking_at_two, reading_stores
from junmai_svc.storage.errors import JunmaiError, NotFoundError, UsageError
from junmai_svc.storage.snapshots.blocks.keys import Cost, wrap
from junmai_svc.storage.snapshots.objects import ObjectStore

KEY, WORDS = Path("the.key"), Path("words")


def now() -> datetime:
    return datetime(2026, 11, 22, 14, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four stores: sealed with a key and with a passphrase, not sealed, and a folder of images."""
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "the cache"))
    # A passphrase costs three quarters of a second otherwise.
    monkeypatch.setattr("junmai_svc.service.stores.wrap", partial(wrap, cost=Cost(1, 1 << 20)))
    KEY.write_bytes(bytes(range(32)))
    WORDS.write_text("a few words\n", encoding="utf-8")
    init_store(place_of(None, Named("keyed")), NewSecret(KEY), now())
    init_store(place_of(None, Named("spoken")), NewSecret(passphrase_file=WORDS), now())
    init_store(place_of(None, Named("plain")), NewSecret(), now())
    Path("images").mkdir()


def refusal(named: Named, *, create: bool = True) -> str:
    with pytest.raises(UsageError) as refused:
        open_store(None, named, now, create=create)
    return f"{refused.value.message}\n{refused.value.hint}"


@pytest.mark.parametrize("prefix", ["", "from-"])
def test_hints_name_the_option_of_the_method_that_sealed_the_store(prefix: str) -> None:
    for named in (
        Named("spoken", prefix=prefix),
        Named("spoken", key_file=KEY, prefix=prefix),
        Named("spoken", key_file=WORDS, prefix=prefix),
    ):
        said = refusal(named)
        assert f"--{prefix}passphrase-file" in said
        assert "key-file" not in said
    for named in (
        Named("keyed", prefix=prefix),
        Named("keyed", passphrase_file=WORDS, prefix=prefix),
    ):
        said = refusal(named)
        assert f"--{prefix}key-file" in said
        assert "encryption_key_file" in said
        assert "passphrase-file" not in said


def test_a_passphrase_opens_a_store_like_a_key() -> None:
    store = open_store(None, Named("spoken", passphrase_file=WORDS), now)
    assert isinstance(store, ObjectStore)
    assert store.seal.secret
    with pytest.raises(NotFoundError, match="Passphrase file not found"):
        open_store(None, Named("spoken", passphrase_file=Path("none")), now)


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("named", ["plain", "images"])
def test_a_key_that_is_named_for_one_store_is_for_that_one(named: str, *, create: bool) -> None:
    Path("images", "a_backup_20261122_140000.json").write_text("{}", encoding="utf-8")
    for is_folder in (True, False):
        said = refusal(Named(named, is_folder=is_folder, key_file=KEY), create=create)
        assert "not sealed" in said


def test_a_folder_that_is_to_be_sealed_and_holds_nothing_is_no_store_yet() -> None:
    with pytest.raises(NotFoundError):
        open_store(None, Named("images", key_file=KEY), now)


def several(*addresses: str, key: Path | None = KEY, words: Path | None = WORDS) -> list[Named]:
    return [
        Named(
            each,
            is_folder=each == "images",
            key_file=key,
            passphrase_file=words,
            endpoint_url="http://127.0.0.1:9",
            among_others=True,
        )
        for each in addresses
    ]


def sealed(named: Sequence[Named]) -> list[bool]:
    with reading_stores(named, None) as (stores, down):
        assert not down
        return [isinstance(store, ObjectStore) and store.seal.secret for store in stores]


def test_of_several_stores_each_takes_the_secret_that_it_was_sealed_with() -> None:
    assert sealed(several("plain", "keyed", "spoken", "images")) == [False, True, True, False]


def test_of_several_stores_a_configured_one_keeps_its_own_key(tmp_path: Path) -> None:
    Path("other.key").write_bytes(bytes(32))
    init_store(place_of(None, Named("mine")), NewSecret(Path("other.key")), now())
    text = '[stores.own]\nurl = "mine"\nencryption_key_file = "other.key"\n'
    Path("junmai.toml").write_text(text, encoding="utf-8")
    loaded = load(tmp_path / "junmai.toml", {})
    with reading_stores(several("own", "keyed"), loaded) as (stores, down):
        assert (len(stores), down) == (2, ())


def test_a_secret_that_opens_none_of_several_stores_is_refused() -> None:
    with pytest.raises(UsageError, match="none of the stores is sealed") as refused:
        sealed(several("plain", "images"))
    assert "replaced" in refused.value.hint
    assert sealed(several("plain", "images", key=None, words=None)) == [False, False]


def test_a_new_one_of_several_stores_is_sealed() -> None:
    [named] = several("new", words=None)
    made = open_store(None, named, now, create=True)
    assert isinstance(made, ObjectStore)
    assert made.seal.secret


@pytest.mark.parametrize("again", ["plain", "./plain/", "keyed/../plain", "ABSOLUTE", "LINK"])
def test_no_store_is_named_twice(tmp_path: Path, again: str) -> None:
    if again == "LINK":
        try:
            (tmp_path / "LINK").symlink_to(tmp_path / "plain", target_is_directory=True)
        except OSError:
            pytest.skip("links may not be made here")
    other = str(tmp_path / "plain") if again == "ABSOLUTE" else again
    one, two = named = [Named("plain"), Named(other)]
    with pytest.raises(UsageError, match="plain"), reading_stores(named, None):
        pass
    with pytest.raises(UsageError, match="plain"), opened_for_audit(named, None):
        pass
    with pytest.raises(UsageError, match="Both stores"), looking_at_two(one, two, None):
        pass


def test_buckets_are_the_same_on_the_same_server_only() -> None:
    here, there = (
        place_of(None, Named("s3://bucket/a/", endpoint_url=f"http://127.0.0.1:{port}"))
        for port in (1, 2)
    )
    again = place_of(None, Named("s3://bucket/a", endpoint_url="http://127.0.0.1:1"))
    assert here.is_same(again)
    assert not here.is_same(there)


def test_a_folder_has_no_server() -> None:
    with pytest.raises(UsageError, match="has no server"):
        place_of(None, Named("plain", endpoint_url="http://127.0.0.1:1"))


def test_two_configured_stores_are_two_places(tmp_path: Path) -> None:
    text = '[stores.one]\nurl = "plain"\n[stores.two]\nurl = "./plain/"\n'
    Path("junmai.toml").write_text(text, encoding="utf-8")
    with pytest.raises(JunmaiError, match="same place"):
        load(tmp_path / "junmai.toml", {})


def test_two_stores_of_one_address_on_two_servers_are_refused() -> None:
    """The journal knows stores by their addresses: it would take the second for the first."""
    servers = ("http://127.0.0.1:1", "http://127.0.0.1:2")
    here, there = (Named("s3://bucket/a", endpoint_url=each) for each in servers)
    with pytest.raises(UsageError, match="two servers"):
        refuse_twice(None, [here, there])
    with pytest.raises(UsageError, match="two servers"), looking_at_two(here, there, None):
        pass
    refuse_twice(None, [here, Named("s3://bucket/b", endpoint_url=servers[1])])


def test_a_configuration_does_not_hold_two_of_one_address(tmp_path: Path) -> None:
    text = "".join(
        f'[stores.{name}]\nurl = "s3://bucket/a"\nendpoint_url = "http://127.0.0.1:{port}"\n'
        for name, port in (("one", 1), ("two", 2))
    )
    Path("junmai.toml").write_text(text, encoding="utf-8")
    with pytest.raises(JunmaiError, match="two servers"):
        load(tmp_path / "junmai.toml", {})
