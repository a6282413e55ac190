"""Claims about the configuration's commands: writing, checking and showing what is configured."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.contracts import s3_server
from tests.harness.databases import make_oldest
from tests.harness.program import Program

ROOT = Path(__file__).parents[2]


def configured(program: Program, text: str) -> Path:
    path = program.folder / "config" / "junmai.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_new_file_can_be_used_as_it_is(program: Program, source: Path) -> None:
    told = program("config", "init")
    path = program.folder / "config" / "junmai.toml"
    assert str(path.relative_to(program.folder)) in told.out
    assert path.read_bytes() == (ROOT / "config" / "junmai.toml").read_bytes()
    assert [each.name for each in path.parent.iterdir()] == ["junmai.toml"]
    assert "All can be used." in program("config", "check").out
    program("backup", "--source", source, "--store", "local")
    assert "0 * * * *" in program("config", "check").out
    assert len(program("snapshots", "local", "--json").json["snapshots"]) == 1


def test_a_file_that_is_there_is_never_touched(program: Program) -> None:
    path = configured(program, "[retention\n")
    for arguments in ((), (path,), ("--json",)):
        outcome = program("config", "init", *arguments, code=2)
        assert "is there already" in outcome.err + outcome.out
    assert path.read_text(encoding="utf-8") == "[retention\n"
    assert program("config", "init", "else/where.toml", "--json").json["status"] == "written"
    assert (program.folder / "else" / "where.toml").is_file()


def test_a_check_says_that_a_daemon_would_have_nothing_to_do(program: Program) -> None:
    """Stores alone can be used by hand, so that is no failure."""
    configured(program, '[stores.local]\nurl = "../backups"\n')
    refusal = program("daemon", "run", code=2).message
    said = program("config", "check", "--json").json
    assert (said["status"], said["daemon"]["message"]) == ("usable", "Nothing is configured to run")
    assert said["daemon"]["message"] in refusal
    told = program("config", "check").out
    assert "All can be used." in told
    assert "`daemon run` would refuse: Nothing is configured to run." in told


def test_a_check_tells_the_next_five_times_of_each_schedule(program: Program, source: Path) -> None:
    configured(
        program,
        '[stores.local]\nurl = "../backups"\n'
        f'[[databases]]\nname = "db"\npath = \'{source}\'\nschedule = "every 2h"\n'
        '[prune]\nschedule = ""\n',
    )
    said = program("config", "check", "--json").json
    assert said["daemon"] is None
    due = {row["job"]: [datetime.fromisoformat(time) for time in row["next"]]
           for row in said["schedules"]}  # fmt: skip
    assert set(due) == {"backup db", "prune", "drill", "check", "publish"}
    assert due["prune"] == []
    assert len(due["backup db"]) == 5
    assert datetime.now(UTC) < due["backup db"][0]
    assert {later - earlier for earlier, later in zip(due["backup db"], due["backup db"][1:], strict=False)} == {timedelta(hours=2)}  # fmt: skip  # noqa: E501
    assert {time.weekday() for time in due["drill"]} == {6}
    told = program("config", "check").out
    assert "only by hand" in told
    assert " at 04:00" in told


def test_a_check_leaves_nothing_behind_and_says_what_a_store_honours(
    program: Program, source: Path
) -> None:
    program("backup", "--source", source)
    store = source.parent / "backups"
    before = sorted(store.rglob("*"))
    configured(program, f"[stores.local]\nurl = '{store}'\n[stores.new]\nurl = '../new/er'\n")
    said = program("config", "check", "--json").json
    rows = {(row["kind"], row["name"]): row for row in said["tried"]}
    assert any("conditional put" in note for note in rows["store", "local"]["notes"])
    assert rows["store", "new"]["notes"] == ["not there yet; the first backup makes it"]
    assert sorted(store.rglob("*")) == before
    assert not (program.folder / "new").exists()


def test_a_check_ends_with_the_code_of_the_first_problem_and_names_them_all(
    program: Program, source: Path
) -> None:
    damaged = program.folder / "damaged.db"
    damaged.write_bytes(b"no database at all" * 99)
    secret = program.folder / "urls"
    secret.write_text("x", encoding="utf-8")
    secret.chmod(0o644)
    configured(
        program,
        f"[[databases]]\nname = 'good'\npath = '{source}'\n"
        f"[[databases]]\nname = 'damaged'\npath = '{damaged}'\n"
        "[[databases]]\nname = 'gone'\npath = 'gone.db'\n"
        f"[notify]\nurls_file = '{secret}'\nping_url_file = 'nowhere'\n",
    )
    outcome = program("config", "check", "--json", code=20)
    rows = {row["name"]: row for row in outcome.json["tried"]}
    assert outcome.json["status"] == "problems"
    assert rows["good"]["usable"]
    assert rows["damaged"]["error"]["exit"] == 20
    assert rows["gone"]["error"]["exit"] == 10
    assert rows["notify.ping_url_file"]["error"]["exit"] == 10
    if sys.platform != "win32":
        assert any("others may read" in note for note in rows["notify.urls_file"]["notes"])
    told = program("config", "check", code=20)
    assert "3 of 6 can't be used." in told.out
    assert "FAILED: Database not found" in told.out


def test_a_check_finds_what_is_configured_twice_by_other_names(
    program: Program, source: Path
) -> None:
    store = program.folder / "backups"
    database = f"path = '{source}'\nschedule = \"0 * * * *\"\n"
    configured(
        program,
        f"[stores.one]\nurl = '{store}'\n[stores.two]\nurl = '../backups'\n"
        f"[stores.far]\nurl = '../far'\n"
        f'[[databases]]\nname = "a"\nstores = ["one"]\n{database}'
        f'[[databases]]\nname = "b"\nstores = ["one", "far"]\n{database}'
        f'[[databases]]\nname = "c"\nstores = ["two"]\n{database}',
    )
    said = program("config", "check", "--json", code=2).json
    wrong = {row["name"]: row["error"]["message"] for row in said["tried"] if row["error"]}
    assert set(wrong) == {"two", "b"}
    assert "one and two are the same store" in wrong["two"]
    assert "a and b are the same file, and both go to one" in wrong["b"]


def test_a_journal_that_is_none_is_a_problem(program: Program, source: Path) -> None:
    configured(program, f"[journal]\nurl = 'sqlite:///{source}'\n")
    (row,) = program("config", "check", "--json", code=20).json["tried"]
    assert "no journal" in row["error"]["message"]


@pytest.fixture(scope="module")
def server() -> object:
    with s3_server.running() as url:
        yield url


def test_a_bucket_is_tried_and_one_that_is_not_there_named(
    program: Program, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    bucket = s3_server.make_bucket(server)
    configured(
        program,
        f"[stores.off]\nurl = 's3://{bucket}/x'\nendpoint_url = '{server}'\nregion = 'us-east-1'\n"
        f"[stores.gone]\nurl = 's3://nobody-has-it'\nendpoint_url = '{server}'\n"
        "region = 'us-east-1'\n",
    )
    outcome = program("config", "check", "--json", code=10)
    rows = {row["name"]: row for row in outcome.json["tried"]}
    assert rows["off"]["usable"]
    assert any("conditional put" in note for note in rows["off"]["notes"])
    assert rows["gone"]["error"]["type"] == "NotFoundError"
    assert "a-secret" not in outcome.out + outcome.err
    left = s3_server.client_of(server).list_objects_v2(Bucket=bucket)
    assert left["KeyCount"] == 0


@pytest.mark.parametrize("command", [("config", "check"), ("config", "show"), ("history",)])
def test_a_mistake_is_told_with_file_line_and_nearest_key_by_every_command(
    program: Program, command: tuple[str, ...]
) -> None:
    configured(program, "\n[retention]\nkeep_lats = 3\n")
    told = program(*command, code=2).err
    assert "junmai.toml, line 3: there is no retention.keep_lats" in told
    assert "Did you mean keep_last?" in told
    configured(program, "")
    told = program(*command, code=2, env={"JUNMAI_LOG_LEVL": "info"}).err
    assert "Did you mean JUNMAI_LOG_LEVEL?" in told


def test_what_counts_is_shown_with_where_it_comes_from(program: Program) -> None:
    configured(program, "[retention]\nkeep_last = 4\n")
    env = {"JUNMAI_RETENTION_KEEP_DAILY": "7"}
    rows = {
        row["key"]: row for row in program("config", "show", "--json", env=env).json["settings"]
    }
    assert rows["retention.keep_last"] == {
        "key": "retention.keep_last", "value": 4, "from": "line 2"
    }  # fmt: skip
    assert rows["retention.keep_daily"]["from"] == "JUNMAI_RETENTION_KEEP_DAILY"
    assert rows["log.level"] == {"key": "log.level", "value": "info", "from": "default"}
    told = program("config", "show", env=env).out
    assert any(
        line.split() == ["retention.keep_last", "4", "line", "2"] for line in told.splitlines()
    )


def test_without_a_configuration_the_defaults_count_and_there_is_nothing_to_check(
    program: Program,
) -> None:
    rows = program("config", "show", "--json").json["settings"]
    assert {row["from"] for row in rows} == {"default"}
    told = program("config", "check", code=10).err
    assert "junmai-svc config init" in told


def test_the_schema_is_printed(program: Program) -> None:
    printed = json.loads(program("config", "schema").out)
    assert printed == json.loads((ROOT / "config" / "junmai.schema.json").read_bytes())


def test_a_stores_own_file_of_a_key_is_looked_for(program: Program) -> None:
    make_oldest(program.folder / "junmai.db")
    configured(program, "[stores.sealed]\nurl = '../sealed'\nencryption_key_file = 'store.key'\n")
    outcome = program("config", "check", "--json", code=10)
    (row,) = [row for row in outcome.json["tried"] if row["kind"] == "store"]
    assert "store.key" in row["error"]["message"]
