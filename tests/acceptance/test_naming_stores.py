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
        """The options that say how the store is reached and opened."""
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
        "prune STORE --dry-run",
        "drill STORE",
        "hold latest --store STORE",
        "restore latest --to restored.db --store STORE",
        "audit checkpoint --publish --store STORE",
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
        ("snapshots", "diff", "latest", "latest", "copied", "--b-key-file", "the.key"),
        ("verify", "--source", "a", "--target", "b", "--store", "copied"),
    ):
        refused = scene.program(*words, code=2)
        assert "--" in refused.message
    assert not (scene.program.folder / "backups").exists()


def test_a_passphrase_is_named_like_a_key(program: Program, source: Path, tmp_path: Path) -> None:
    (tmp_path / "words").write_text("a few words\n", encoding="utf-8")
    program("store", "init", "spoken", "--passphrase-file", "words")
    into = ("backup", "--source", source, "--store", "spoken")
    program(*into, "--passphrase-file", "words")
    assert "--passphrase-file" in program(*into, code=2).message
    program(*into, "--passphrase-file", "words", "--key-file", "words", code=2)


def test_of_several_stores_only_those_that_are_sealed_take_the_key(
    program: Program, source: Path
) -> None:
    program("store", "init", "keyed", "--key-file", "the.key", "--new-key")
    several = ("--backup-dir", "kept", "--store", "keyed")
    done = program("backup", "--source", source, *several, "--key-file", "the.key", "--json").json
    assert len(done["stores"]) == 2
    said = program("backup", "--source", source, *several, "--json", code=2).json
    assert (len(said["stores"]), len(said["failed_stores"])) == (1, 1)
    program("backup", "--source", source, "--backup-dir", "kept", "--backup-dir", "kept/", code=2)
