"""Claims about stores through the real program: several at once, far away, sealed, from nothing."""

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contracts import s3_server
from tests.harness.databases import all_rows, change, make_oldest, value
from tests.harness.program import Outcome, Program

SECRET = s3_server.ENVIRONMENT["AWS_SECRET_ACCESS_KEY"]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server.running() as url:
        yield url


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, given in s3_server.ENVIRONMENT.items():
        monkeypatch.setenv(name, given)
    for name in s3_server.FOREIGN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", s3_server.REGION)


@pytest.fixture
def far(server: str) -> tuple[str, ...]:
    """A store far away as the program's arguments name it."""
    return ("--store", f"s3://{s3_server.make_bucket(server)}/off site", "--endpoint-url", server)


def address(far: tuple[str, ...]) -> str:
    return far[1]


def backup(program: Program, source: Path, *stores: str | Path, code: int = 0) -> dict[str, Any]:
    return program("backup", "--source", source, *stores, "--json", code=code).json


def bare(folder: Path) -> Program:
    """The program on a machine that has nothing: no journal, no cache, no configuration."""
    folder.mkdir()
    return Program(folder)


def image_sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_of_two_stores_one_that_is_down_does_not_stop_the_other(
    program: Program, source: Path
) -> None:
    nobody = ("--store", "s3://some-bucket/x", "--endpoint-url", "http://127.0.0.1:9")
    env = {"AWS_MAX_ATTEMPTS": "1"}
    done = program(
        "backup", "--source", source, "--backup-dir", "kept", *nobody, "--json", code=30, env=env
    ).json
    assert [each["store"] for each in done["stores"]] == ["kept"]
    [failed] = done["failed_stores"]
    assert failed["store"].startswith("s3://some-bucket")
    assert failed["problem"]
    assert program("verify", "--snapshot", "latest", "--backup-dir", "kept").code == 0
    told = program("--journal", source.parent / "journal.db", "show", done["run"], "--json").json
    assert told["status"] == "verified"
    assert told["events"][-1]["data"]["failed"] == [failed["store"]]


def test_a_backup_into_several_stores_is_the_same_in_each(
    program: Program, source: Path, far: tuple[str, ...], tmp_path: Path
) -> None:
    done = backup(program, source, "--backup-dir", "kept", "--store", "vault", *far)
    assert [each["layout"] for each in done["stores"]] == ["file", "blocks", "blocks"]
    assert len({each["snapshot"] for each in done["stores"]}) == 1
    for number, store in enumerate((("--backup-dir", "kept"), ("--store", "vault"), far)):
        target = tmp_path / f"restored {number}.db"
        program("restore", "latest", "--to", target, *store)
        assert image_sha(target) == done["checksum"]


def test_a_bare_machine_restores_from_a_sealed_store_with_address_and_key_alone(
    program: Program, source: Path, far: tuple[str, ...], tmp_path: Path
) -> None:
    endpoint = far[2:]
    program("store", "init", address(far), *endpoint, "--key-file", "the.key", "--new-key")
    program("backup", "--source", source, *far, "--key-file", "the.key", "--json")
    rows = all_rows(source)
    machine = bare(tmp_path / "another machine")
    shutil.copy(tmp_path / "the.key", machine.folder / "k")
    fresh = {name: str(tmp_path / "another cache") for name in ("XDG_CACHE_HOME", "LOCALAPPDATA")}
    restored = machine(
        "restore", "latest", "--to", "junmai.db", *far, "--key-file", "k", "--json", env=fresh
    ).json
    assert restored["status"] == "restored"
    assert all_rows(machine.folder / "junmai.db") == rows
    without = machine("restore", "latest", "--to", "b.db", *far, "--json", code=2, env=fresh)
    assert "sealed" in without.json["error"]["message"]
    assert not (machine.folder / "b.db").exists()


def test_the_newest_up_to_a_time_and_the_one_before_a_run_are_restored(
    program: Program, source: Path, tmp_path: Path
) -> None:
    first = backup(program, source, "--store", "vault")
    change(source, "UPDATE photos SET iso = 1 WHERE id = 1")
    second = backup(program, source, "--store", "vault")
    taken = {
        each["snapshot"]: each["taken"]
        for each in program("snapshots", "vault", "--json").json["snapshots"]
    }
    at = program(
        "restore", "--at", taken[first["snapshot"]], "--to", "a.db", "--store", "vault", "--json"
    )
    assert at.json["snapshot"] == first["snapshot"]
    assert image_sha(tmp_path / "a.db") == first["checksum"]
    journal = ("--journal", source.parent / "journal.db")
    before = program(
        *journal, "restore", "--before", second["run"], "--to", "b.db", "--store", "vault", "--json"
    )
    assert before.json["snapshot"] == second["snapshot"]
    assert image_sha(tmp_path / "b.db") == second["checksum"]
    program("restore", "--at", "2001-01-01", "--to", "c.db", "--store", "vault", code=10)
    assert not (tmp_path / "c.db").exists()


def test_a_migration_keeps_its_backup_in_a_store_of_blocks_and_can_be_undone(
    program: Program, source: Path
) -> None:
    rows = all_rows(source)
    done = program(
        "migrate", "--source", source, "--target", "new.db", "--store", "vault", "--json"
    ).json
    assert done["status"] == "verified"
    change(source, "DELETE FROM jobs")
    journal = ("--journal", source.parent / "journal.db")
    program(*journal, "restore", done["snapshot"], "--to", source, "--store", "vault")
    assert all_rows(source) == rows
    listed = program("snapshots", "vault", "--json").json["snapshots"]
    assert {each["reason"] for each in listed} == {"migration", "pre-restore"}


def test_hourly_increments_are_small(program: Program, tmp_path: Path) -> None:
    source = make_oldest(tmp_path / "large.db", photos=6_000)
    first = backup(program, source, "--store", "vault")["stores"][0]["new_bytes"]
    for hour in range(3):
        change(source, f"UPDATE photos SET iso = {hour} WHERE id = {1_000 * hour + 7}")
        new = backup(program, source, "--store", "vault")["stores"][0]["new_bytes"]
        assert new < first / 20
        assert new < 8_000
    unchanged = backup(program, source, "--store", "vault")["stores"][0]["new_bytes"]
    assert unchanged == 0


def test_a_copy_brings_off_site_what_is_missing_and_nothing_else(
    program: Program, source: Path, far: tuple[str, ...], tmp_path: Path
) -> None:
    made = [backup(program, source)["snapshot"]]
    change(source, "UPDATE photos SET iso = 1 WHERE id = 1")
    made.append(backup(program, source)["snapshot"])
    store = source.parent / "backups"
    to = ("--to", address(far), "--to-endpoint-url", far[3])
    dry = program("copy", "--from", store, *to, "--dry-run", "--json").json
    assert (dry["status"], [each["snapshot"] for each in dry["missing"]]) == ("planned", made)
    done = program("copy", "--from", store, *to, "--json").json
    assert (done["status"], [each["snapshot"] for each in done["copied"]]) == ("copied", made)
    assert done["copied"][1]["new_bytes"] < done["copied"][0]["new_bytes"]
    again = program("copy", "--from", store, *to, "--json").json
    assert (again["run"], again["copied"], again["present"]) == (None, [], made)
    target = tmp_path / "restored.db"
    program("restore", made[0], "--to", target, *far)
    assert image_sha(target) == done["copied"][0]["checksum"]
    told = program("--journal", source.parent / "journal.db", "show", done["run"], "--json").json
    assert (told["kind"], told["status"]) == ("copy", "completed")


def test_a_copy_tells_what_is_damaged_copies_the_rest_and_ends_with_3(
    program: Program, source: Path
) -> None:
    made = [backup(program, source)["snapshot"] for _ in range(2)]
    store = source.parent / "backups"
    with (store / f"{made[0]}.db").open("r+b") as file:
        file.seek(5_000)
        file.write(b"damage")
    said = program("copy", "--from", store, "--to", "vault", "--json", code=3).json
    assert [each["snapshot"] for each in said["copied"]] == [made[1]]
    assert [each["snapshot"] for each in said["not_copied"]] == [made[0]]
    assert made[0] in program("copy", "--from", store, "--to", "vault", code=3).out


def test_a_copy_to_a_store_that_does_not_answer_ends_with_30(
    program: Program, source: Path
) -> None:
    backup(program, source)
    program(
        *("copy", "--from", source.parent / "backups", "--to", "s3://some-bucket/x"),
        *("--to-endpoint-url", "http://127.0.0.1:9"),
        code=30,
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--from", "nothing", "--to", "vault"), 10),
        (("--from", "data/backups", "--to", "data/backups"), 2),
        (("--from", "data/backups", "--to", ""), 2),
        (("--from", "data/backups", "--to", "ftp://x"), 2),
        (("--from", "data/backups", "--to", "vault", "--since", "yesterday"), 2),
        (("--from", "data/backups"), 2),
    ],
)
def test_a_copy_that_makes_no_sense_is_refused(
    program: Program, source: Path, arguments: tuple[str, ...], code: int
) -> None:
    backup(program, source)
    program("copy", *arguments, code=code)
    assert not (program.folder / "vault").exists()


def test_a_store_is_made_shown_and_given_another_key(program: Program, source: Path) -> None:
    made = program("store", "init", "vault", "--key-file", "a.key", "--new-key", "--json").json
    assert (made["status"], made["layout"], made["sealed"]) == ("made", "blocks", "key-file")
    assert "loses every snapshot" in made["notes"][0]
    backup(program, source, "--store", "vault", "--key-file", "a.key")
    changed = program(
        *("store", "key", "vault", "--key-file", "a.key"),
        *("--new-key-file", "b.key", "--new-key", "--json"),
    ).json
    assert changed["id"] == made["id"]
    assert any("does not revoke" in note for note in changed["notes"])
    program("restore", "latest", "--to", "x.db", "--store", "vault", "--key-file", "a.key", code=12)
    program("restore", "latest", "--to", "x.db", "--store", "vault", "--key-file", "b.key")
    shown = program("store", "show", "vault", "--json").json
    assert {"packs", "maps", "snapshots", "description"} <= set(shown["objects"])
    assert shown["bytes"] == sum(each["bytes"] for each in shown["objects"].values())
    told = program("store", "show", "vault").out
    assert "key-file" in told
    assert made["id"] in told
    program("store", "init", "vault", code=2)
    program("store", "init", "other", "--key-file", "a.key", "--new-key", code=2)
    program("store", "init", "other", "--passphrase", code=2)
    program("store", "show", "nothing", code=10)
    program("store", "key", "vault", "--key-file", "b.key", code=2)
    assert not (program.folder / "other").exists()


def everything_said(outcomes: list[Outcome], folder: Path) -> str:
    """All that was printed and logged, and all that lies in journals and logs."""
    parts = [outcome.out + outcome.err for outcome in outcomes]
    parts += [
        path.read_bytes().decode("latin-1")
        for path in folder.rglob("*")
        if path.is_file() and re.search(r"journal\.db|\.log$|store\.json$", path.name)
    ]
    return "\n".join(parts)


def test_no_secret_is_ever_said_logged_or_recorded(
    program: Program, source: Path, far: tuple[str, ...], tmp_path: Path
) -> None:
    words = "a very secret passphrase"
    (tmp_path / "words").write_text(words + "\n", encoding="utf-8")
    (tmp_path / "more").write_text(words + " too\n", encoding="utf-8")
    config = tmp_path / "junmai.toml"
    config.write_text(
        f'[stores.far]\nurl = "{address(far)}"\nendpoint_url = "{far[3]}"\n'
        f'encryption_passphrase_file = "words"\n',
        encoding="utf-8",
    )
    logged = ("--config", config, "--log-file", "all.log", "--log-level", "debug")
    store = ("--store", "far")
    said = [
        program(*logged, "store", "init", "far", "--passphrase-file", "words"),
        program(*logged, "backup", "--source", source, *store),
        program(*logged, "copy", "--from", "far", "--to", "vault"),
        program(*logged, "store", "key", "far", "--new-passphrase-file", "more"),
        program(*logged, "backup", "--source", source, *store, "--json", code=12),
        program(*logged, "store", "show", "far", "--json"),
        program(*logged, "store", "key", "far", "--new-key-file", "a.key", "--new-key", code=12),
    ]
    (tmp_path / "words").write_text(words + " too\n", encoding="utf-8")
    said.append(program(*logged, "store", "key", "far", "--new-key-file", "a.key", "--new-key"))
    key = (tmp_path / "a.key").read_bytes()
    text = everything_said(said, tmp_path)
    assert "store.key_changed" in text
    for secret in (words, SECRET, key.decode("latin-1"), key.hex()):
        assert secret not in text


def test_a_copy_that_is_killed_goes_on_and_leaves_nothing_behind(
    program: Program, tmp_path: Path
) -> None:
    source = make_oldest(tmp_path / "large.db", photos=3_000)
    made = [backup(program, source)["snapshot"]]
    for hour in range(3):
        change(source, f"UPDATE photos SET iso = {hour} WHERE id = {hour + 7}")
        made.append(backup(program, source)["snapshot"])
    copy = ("copy", "--from", "backups", "--to", "vault")
    for _ in range(2):
        running = program.start(*copy)
        while running.poll() is None and not list(tmp_path.glob("vault/snapshots/*.json")):
            pass
        running.kill()
        running.communicate()
    done = program(*copy, "--json").json
    assert sorted([each["snapshot"] for each in done["copied"]] + done["present"]) == sorted(made)
    for name in made:
        program("restore", name, "--to", "restored.db", "--store", "vault")
        assert value(tmp_path / "restored.db", "SELECT count(*) FROM photos") == 3_000
