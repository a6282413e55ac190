"""Claims about how calls name stores: whatever the form, its server and its secret count."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contracts import s3_server
from tests.harness.databases import make_oldest
from tests.harness.program import Program


@pytest.fixture(scope="module", autouse=True)
def _credentials() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in s3_server.FOREIGN:
            patch.delenv(name, raising=False)
        for name, given in s3_server.ENVIRONMENT.items():
            patch.setenv(name, given)
        patch.setenv("AWS_DEFAULT_REGION", s3_server.REGION)
        yield


class Scene:
    """A database that is backed up into a sealed store far away, in a folder of its own."""

    def __init__(self, folder: Path, server: str) -> None:
        self.program = Program(folder)
        self.source = make_oldest(folder / "junmai.db")
        self.address = f"s3://{s3_server.make_bucket(server)}/off site"
        self.server = server
        self.program("store", "init", self.address, *self.access(), "--new-key")
        self.program("backup", "--source", self.source, "--store", self.address, *self.access())

    def access(self, prefix: str = "") -> tuple[str, ...]:
        """The options without which it can't be reached."""
        return (f"--{prefix}endpoint-url", self.server, f"--{prefix}key-file", "the.key")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with s3_server.running() as url:
        made = Scene(tmp_path_factory.mktemp("scene"), url)
        yield made
        made.program.close()


@pytest.mark.parametrize(
    "call",
    [
        "snapshots STORE",
        "snapshots diff latest latest STORE",
        "check STORE --read-data",
        "check --store STORE",
        "prune STORE --dry-run",
        "drill STORE",
        "hold latest --store STORE",
        "verify --snapshot latest --store STORE",
        "restore latest --to restored.db --store STORE",
        "audit checkpoint --publish --store STORE",
        "audit verify --store STORE --read-data",
    ],
)
def test_a_sealed_store_far_away_is_named_in_any_form(scene: Scene, call: str) -> None:
    words = [scene.address if word == "STORE" else word for word in call.split()]
    scene.program(*words, *scene.access())


def test_another_store_has_a_server_and_a_key_of_its_own(scene: Scene) -> None:
    scene.program("copy", "--from", scene.address, *scene.access("from-"), "--to", "copied")
    diff = ("snapshots", "diff", "latest", "latest", "copied", "--b-store", scene.address)
    scene.program(*diff, *scene.access("b-"))
    mend = ("check", "copied", "--repair", "--from", scene.address)
    scene.program(*mend, *scene.access("from-"))
    back = ("copy", "--from", "copied", "--to", scene.address, "--dry-run")
    scene.program(*back, *scene.access("to-"))
    named = scene.program(*diff, *scene.access("b-")[:2], code=2)
    assert "--b-key-file" in named.message


def test_what_is_said_of_a_store_that_is_not_named_is_refused(scene: Scene) -> None:
    for words in (
        ("snapshots", "--key-file", "the.key"),
        ("backup", "--source", str(scene.source), "--endpoint-url", scene.server),
        ("snapshots", "diff", "latest", "latest", "copied", "--b-key-file", "the.key"),
        ("verify", "--source", "a", "--target", "b", "--store", "copied"),
        ("snapshots", "copied", "--endpoint-url", scene.server),
    ):
        refused = scene.program(*words, code=2)
        assert "--" in refused.message
    assert not (scene.program.folder / "backups").exists()


def sealed(program: Program, name: str, *secret: str) -> None:
    program("store", "init", name, *secret)


def test_a_passphrase_is_named_like_a_key_and_hints_fit_the_store(
    program: Program, source: Path, tmp_path: Path
) -> None:
    (tmp_path / "words").write_text("a few words\n", encoding="utf-8")
    sealed(program, "spoken", "--passphrase-file", "words")
    sealed(program, "keyed", "--key-file", "the.key", "--new-key")
    into = ("backup", "--source", source, "--store")
    program(*into, "spoken", "--passphrase-file", "words")
    program("snapshots", "spoken", "--passphrase-file", "words")
    for said in ((), ("--key-file", "words"), ("--key-file", "the.key")):
        hint = program(*into, "spoken", *said, code=2).message
        assert "--passphrase-file" in hint
        assert "--key-file" not in hint
    for said in ((), ("--passphrase-file", "words")):
        hint = program(*into, "keyed", *said, code=2).message
        assert "--key-file" in hint
        assert "--passphrase-file" not in hint
    both = ("--key-file", "the.key", "--passphrase-file", "words")
    program(*into, "keyed", *both, code=2)
    program(*into, "keyed", "--store", "spoken", "--store", "plain", *both)


def test_of_several_stores_only_those_that_are_sealed_take_the_key(
    program: Program, source: Path
) -> None:
    program("store", "init", "plain")
    sealed(program, "keyed", "--key-file", "the.key", "--new-key")
    several = ("--store", "plain", "--store", "keyed", "--backup-dir", "kept")
    key = ("--key-file", "the.key")
    done = program("backup", "--source", source, *several, *key, "--json").json
    assert len(done["stores"]) == 3
    assert (
        len(program("snapshots", "plain", "--store", "keyed", *key, "--json").json["stores"]) == 2
    )
    alone = program("backup", "--source", source, "--store", "plain", *key, code=2)
    assert "replaced its store.json" in alone.message
    program("backup", "--source", source, "--backup-dir", "other", *key, code=2)
    assert not (program.folder / "other").exists()


def test_a_key_that_fits_none_of_several_stores_is_refused(program: Program, source: Path) -> None:
    for name in ("plain", "replaced"):
        program("store", "init", name)
    sealed(program, "keyed", "--key-file", "the.key", "--new-key")
    several = ("--store", "plain", "--store", "replaced", "--key-file", "the.key")
    refused = program("backup", "--source", source, *several, code=2)
    assert "none of the stores is sealed" in refused.message
    assert "Nothing" not in program("snapshots", "plain", "--json").json["snapshots"]


def test_a_store_that_is_named_wrongly_does_not_stop_the_others_and_ends_with_2(
    program: Program, source: Path
) -> None:
    sealed(program, "keyed", "--key-file", "the.key", "--new-key")
    several = ("--store", "plain", "--store", "keyed")
    said = program("backup", "--source", source, *several, "--json", code=2).json
    assert len(said["stores"]) == len(said["failed_stores"]) == 1
    program("snapshots", *several, code=2)


@pytest.mark.parametrize("again", ["vault", "./vault/", "ABSOLUTE", "LINK"])
def test_one_store_is_not_named_twice(
    program: Program, source: Path, tmp_path: Path, again: str
) -> None:
    program("store", "init", "vault")
    if again == "LINK":
        try:
            (tmp_path / "LINK").symlink_to(tmp_path / "vault", target_is_directory=True)
        except OSError:
            pytest.skip("links may not be made here")
    other = str(tmp_path / "vault") if again == "ABSOLUTE" else again
    stores = ("--store", "vault", "--store", other)
    refused = program("backup", "--source", source, *stores, code=2)
    assert "vault" in refused.message
    assert program("snapshots", "vault", "--json").json["snapshots"] == []
    program("copy", "--from", "vault", "--to", other, code=2)
