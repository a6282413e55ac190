"""The wrapped data key: opened by its owner's secret, in its own store, and by nothing else."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.storage.snapshots.blocks.scratch import STORE_ID

from junmai_svc.storage.errors import AccessDeniedError, IntegrityError, UsageError
from junmai_svc.storage.snapshots.blocks.keys import (
    HIGHEST,
    MODERATE,
    Cost,
    KeyFile,
    Passphrase,
    Secret,
    WrappedKey,
    make_key_file,
    new_data_key,
    read_key_file,
    unwrap,
    wrap,
)

DATA_KEY = bytes(range(100, 132))
# The least that Argon2id takes; what a real store costs is tested once.
QUICK = Cost(operations=1, memory=8 << 10)
SECRETS: list[Secret] = [KeyFile(bytes(range(32))), Passphrase("korrekt häst")]
OTHERS: list[Secret] = [KeyFile(bytes(32)), Passphrase("korrekt hast")]


@pytest.mark.parametrize("secret", SECRETS)
def test_the_secret_opens_the_key_even_after_a_way_through_json(secret: Secret) -> None:
    stored = msgspec.json.encode(wrap(DATA_KEY, secret, STORE_ID, QUICK))
    assert unwrap(msgspec.json.decode(stored, type=WrappedKey), secret, STORE_ID) == DATA_KEY


@pytest.mark.parametrize(("secret", "other"), [*zip(SECRETS, OTHERS, strict=True)])
def test_another_secret_is_refused_and_told_so(secret: Secret, other: Secret) -> None:
    with pytest.raises(AccessDeniedError, match="does not open the store") as refused:
        unwrap(wrap(DATA_KEY, secret, STORE_ID, QUICK), other, STORE_ID)
    assert refused.value.hint


@pytest.mark.parametrize("secret", SECRETS)
def test_a_key_taken_to_another_store_is_refused(secret: Secret) -> None:
    with pytest.raises(AccessDeniedError):
        unwrap(wrap(DATA_KEY, secret, STORE_ID, QUICK), secret, "another store")


@pytest.mark.parametrize("secret", SECRETS)
def test_an_altered_key_is_refused(secret: Secret) -> None:
    wrapped = wrap(DATA_KEY, secret, STORE_ID, QUICK)
    altered = wrapped.wrapped[:-1] + bytes([wrapped.wrapped[-1] ^ 1])
    with pytest.raises(AccessDeniedError):
        unwrap(msgspec.structs.replace(wrapped, wrapped=altered), secret, STORE_ID)


@pytest.mark.parametrize(("secret", "other"), [SECRETS, SECRETS[::-1]])
def test_the_other_kind_of_secret_is_asked_for_by_name(secret: Secret, other: Secret) -> None:
    with pytest.raises(UsageError, match=r"key file|passphrase"):
        unwrap(wrap(DATA_KEY, secret, STORE_ID, QUICK), other, STORE_ID)


def test_a_changed_secret_opens_the_same_data_key_and_the_old_one_nothing() -> None:
    old, new = SECRETS
    first = wrap(DATA_KEY, old, STORE_ID)
    second = wrap(unwrap(first, old, STORE_ID), new, STORE_ID, QUICK)
    assert unwrap(second, new, STORE_ID) == DATA_KEY
    with pytest.raises(UsageError):
        unwrap(second, old, STORE_ID)


def test_a_passphrase_is_the_same_however_its_accents_are_typed() -> None:
    composed, decomposed = Passphrase("h\u00e4st"), Passphrase("ha\u0308st")
    assert composed != decomposed
    assert unwrap(wrap(DATA_KEY, composed, STORE_ID, QUICK), decomposed, STORE_ID) == DATA_KEY


def test_a_passphrase_costs_what_the_moderate_level_says_and_the_key_names_it() -> None:
    wrapped = wrap(DATA_KEY, SECRETS[1], STORE_ID)
    assert (wrapped.operations, wrapped.memory) == (3, 256 << 20)
    assert unwrap(wrapped, SECRETS[1], STORE_ID) == DATA_KEY
    assert MODERATE.memory <= HIGHEST.memory


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_a_passphrase_without_the_memory_for_it_says_how_much_it_takes() -> None:
    program = """
import resource
from junmai_svc.storage.snapshots.blocks.keys import Passphrase, wrap
resource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))
wrap(bytes(32), Passphrase("x"), "store")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "StorageUnavailableError" in done.stderr
    assert "256 MiB" in done.stderr


def test_an_empty_passphrase_is_refused() -> None:
    with pytest.raises(UsageError):
        wrap(DATA_KEY, Passphrase(""), STORE_ID, QUICK)


@pytest.mark.parametrize(
    "change",
    [
        {"memory": (1 << 30) + 1},
        {"operations": 17},
        {"memory": -1},
        {"method": "none"},
        {"format": 2},
        {"salt": "AAAA" * 100},
        {"wrapped": "AAAA" * 1000},
    ],
)
def test_a_hostile_wrapped_key_is_refused_before_anything_is_done(
    change: dict[str, object],
) -> None:
    good = msgspec.to_builtins(wrap(DATA_KEY, SECRETS[1], STORE_ID, QUICK))
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**good, **change}, WrappedKey)


@pytest.mark.parametrize("change", [{"salt": b"short"}, {"operations": 0}, {"memory": 100}])
def test_a_wrapped_key_without_what_it_needs_is_damaged(change: dict[str, object]) -> None:
    good = wrap(DATA_KEY, SECRETS[1], STORE_ID, QUICK)
    with pytest.raises(IntegrityError):
        unwrap(msgspec.structs.replace(good, **change), SECRETS[1], STORE_ID)


def test_a_data_key_of_another_length_is_damaged() -> None:
    with pytest.raises(IntegrityError):
        unwrap(wrap(b"short", SECRETS[0], STORE_ID), SECRETS[0], STORE_ID)


def test_secrets_are_not_shown() -> None:
    shown = f"{SECRETS!r} {SECRETS[0]} {SECRETS[1]}"
    assert "korrekt" not in shown
    assert repr(bytes(range(32)))[2:-1] not in shown


def test_data_keys_are_random() -> None:
    assert len({new_data_key() for _ in range(8)}) == 8


def test_a_key_file_is_made_once_for_its_owner_only_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "store.key"
    made = make_key_file(path)
    assert read_key_file(path) == made
    assert len(made.key) == 32
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        make_key_file(path)
    assert read_key_file(path) == made


@pytest.mark.parametrize("content", [b"", b"short", bytes(33), os.urandom(5000)])
def test_a_file_that_is_no_key_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "store.key"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is not a key file"):
        read_key_file(path)
