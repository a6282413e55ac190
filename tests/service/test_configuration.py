"""A configuration is checked whole before it is used; what is wrong is named with its place."""

import json
import re
import tomllib
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from junmai_svc.service.configuration.file import Loaded, load
from junmai_svc.service.configuration.form import (
    Configuration,
    DatabaseSection,
    StoreSection,
    duration,
)
from junmai_svc.service.configuration.keys import fields_of, form_problems, section_in
from junmai_svc.service.configuration.origins import settings_of
from junmai_svc.service.configuration.text import SCHEMA_NAME, commented, schema
from junmai_svc.service.retention import Policy
from junmai_svc.service.settings import configured_journal, retention
from junmai_svc.service.stores import Named, place_of
from junmai_svc.storage.errors import NotFoundError, UsageError

SHIPPED = Path(__file__).parents[2] / "config" / "junmai.toml"


def written(folder: Path, text: str) -> Path:
    path = folder / "junmai.toml"
    path.write_text(text, encoding="utf-8")
    return path


def loaded(path: Path | None, **environment: str) -> Loaded:
    found = load(path, environment)
    assert found is not None
    return found


def test_the_shipped_file_holds_every_default() -> None:
    shipped = loaded(SHIPPED).configuration
    local = StoreSection(url="../data/backups", layout="file")
    junmai = DatabaseSection(name="junmai", path="../data/junmai.db", stores=["local"])
    assert shipped == Configuration(stores={"local": local}, databases=[junmai])


def test_the_shipped_file_and_schema_are_what_the_program_writes() -> None:
    assert SHIPPED.read_text(encoding="utf-8") == commented()
    assert SHIPPED.with_name(SCHEMA_NAME).read_text(encoding="utf-8") == schema()


def test_with_its_comments_removed_the_shipped_file_has_every_key_and_every_default() -> None:
    text = re.sub(r"(?m)^# (?=[a-z_]+ = )", "", SHIPPED.read_text(encoding="utf-8"))
    content = tomllib.loads(text)
    assert set(content) == set(fields_of(Configuration))
    assert list(form_problems(content)) == []
    sections = {name: (kind, content[name]) for name, kind in fields_of(Configuration).items()}
    sections["stores"] = (StoreSection, content["stores"]["local"])
    sections["databases"] = (DatabaseSection, content["databases"][0])
    for kind, values in sections.values():
        struct = section_in(kind)
        assert struct is not None
        assert list(values) == [each.name for each in msgspec.structs.fields(struct)]
        for each in msgspec.structs.fields(struct):
            if each.default not in (None, msgspec.NODEFAULT) and each.name != "layout":
                assert values[each.name] == each.default


def test_every_key_of_the_schema_is_described_and_no_other_is_allowed() -> None:
    for name, each in json.loads(schema())["$defs"].items():
        assert each["additionalProperties"] is False, name
        if name != "Configuration":
            assert all(key.get("description") for key in each["properties"].values()), name


def test_without_a_file_and_variables_nothing_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {"HOME": "/x"}) is None


def test_the_usual_place_is_found_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    written(tmp_path / "config", "[retention]\nkeep_last = 9\n")
    assert loaded(None).configuration.retention.keep_last == 9


@pytest.mark.parametrize(
    ("text", "line", "near"),
    [
        ("[retention]\nkeep_lst = 3\n", 2, "keep_last"),
        ("# one\n[retentoin]\nkeep_last = 3\n", 2, "retention"),
        ('[stores.a]\nurl = "x"\n[stores.b]\nulr = "y"\n', 4, "url"),
        ("retentions = 1\n", 1, "retention"),
        ('[[databases]]\nname = "a"\n\nptah = "x"\n', 4, "path"),
        (
            '[[databases]]\nname="a"\npath="x"\n[databases.retention]\nkeep_dayly=1\n',
            5,
            "keep_daily",
        ),
        ('[stores.a]\nurl = "x"\nretention = { keep_weakly = 1 }\n', 3, "keep_weekly"),
        ('[staus]\nlisten = ""\n', 1, "status"),
    ],
)
def test_an_unknown_key_is_named_with_its_line_and_the_nearest_one(
    tmp_path: Path, text: str, line: int, near: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load(path, {})
    assert f"{path}, line {line}:" in caught.value.message
    assert f"Did you mean {near}?" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[retention]\nkeep_last = -1\n", 2),
        ('[retention]\n\nkeep_within = "a month"\n', 3),
        ("[stores.local]\n", 1),
        ('[journal]\nurl = ["x"]\n', 2),
        ("stores = 5\n", 1),
        ("\ndatabases = 5\n", 2),
        ("[databases]\nname = 'a'\n", 1),
        ('[[databases]]\nname = "a"\npath = "x"\n[[databases]]\nname = "b"\n', 4),
        ('[[databases]]\nname = "a b"\npath = "x"\n', 2),
        ('[[databases]]\nname = "a"\npath = "x"\nstores = "local"\n', 4),
        ('[stores."a/b"]\nurl = "x"\n', 1),
        ('[stores.a]\nurl = "x"\nlayout = "blob"\n', 3),
        ('[stores.a]\nurl = "x"\n[stores.a.retention]\nkeep_last = "3"\n', 4),
        ('[retention]\nkeep_within = "30d\\n"\n', 2),
        ('[check]\nsample = "101%"\n', 2),
        ('[log]\n\nlevel = "loud"\n', 3),
        ("[log]\nmax_bytes = 1\n", 2),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_its_line(
    tmp_path: Path, text: str, line: int
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError, match=f"line {line}:"):
        load(path, {})


def test_what_is_no_toml_or_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not valid TOML"):
        load(written(tmp_path, "[retention\n"), {})
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="UTF-8"):
        load(tmp_path / "binary", {})
    with pytest.raises(NotFoundError, match="Configuration not found"):
        load(tmp_path / "missing.toml", {})


def test_variables_come_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "[retention]\nkeep_last = 1\n")
    found = loaded(path, JUNMAI_RETENTION_KEEP_LAST="7", JUNMAI_RETENTION_KEEP_WITHIN="2d")
    assert found.configuration.retention.keep_last == 7
    assert found.configuration.retention.keep_within == "2d"


def test_an_unknown_variable_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError) as caught:
        load(None, {"JUNMAI_RETENTION_KEP_LAST": "7"})
    assert "JUNMAI_RETENTION_KEEP_LAST" in caught.value.hint


def test_relative_paths_count_from_the_files_folder(tmp_path: Path) -> None:
    path = written(
        tmp_path, '[journal]\nurl = "sqlite:///../j.db"\n[stores.local]\nurl = "../backups"\n'
    )
    found = loaded(path)
    assert configured_journal(found) == tmp_path.parent / "j.db"
    assert place_of(found, Named("local")).folder == tmp_path.parent / "backups"
    assert place_of(found, Named("some/folder")).folder == Path("some/folder")
    assert place_of(found, Named("local", is_folder=True)).folder == Path("local")


def test_a_store_that_can_not_be_reached_so_is_refused_plainly(tmp_path: Path) -> None:
    path = written(tmp_path, '[stores.off]\nurl = "https://host/x"\n')
    with pytest.raises(UsageError, match="line 2: No store can be reached by https"):
        load(path, {})
    with pytest.raises(UsageError, match="No store can be reached by https"):
        place_of(None, Named("https://host/x"))


def test_what_is_said_in_the_call_comes_over_what_is_configured(tmp_path: Path) -> None:
    found = loaded(written(tmp_path, '[retention]\nkeep_within = "5d"\nkeep_daily = 2\n'))
    expected = Policy(timedelta(days=5), keep_last=3, keep_daily=2)
    assert retention(found, None, {"keep_last": None}).usual == expected
    said = retention(found, "9d", {"keep_last": 1, "keep_daily": None}).usual
    assert said == Policy(timedelta(days=9), keep_last=1, keep_daily=2)
    assert retention(None).usual == Policy()
    with pytest.raises(UsageError, match="no duration"):
        retention(None, "a while")


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30d", timedelta(days=30)),
        ("12h", timedelta(hours=12)),
        ("90m", timedelta(minutes=90)),
        ("45s", timedelta(seconds=45)),
    ],
)
def test_durations_are_read(text: str, length: timedelta) -> None:
    assert duration(text) == length


@pytest.mark.parametrize("text", ["", "30", "d", "0d", "-1d", "1.5h", "30 d", "1w", "99999999d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        duration(text)


TWO = """\
[stores.local]
url = "backups"
[stores.off]
url = "s3://bucket/prefix"
[[databases]]
name = "one"
path = "one.db"
"""


@pytest.mark.parametrize(
    ("text", "line", "said", "hinted"),
    [
        ('stores = ["locl"]\n', 8, "'locl'", "Did you mean local?"),
        ('stores = ["off", "off"]\n', 8, "twice", ""),
        ('[[databases]]\nname = "ONE"\npath = "x"\n', 9, "two databases are called ONE", ""),
        ('schedule = "0 0 31 feb *"\n', 8, "never due", ""),
        ('overdue_after = "soon"\n', 8, "must be a duration", ""),
        ('[prune]\nschedule = "0 24 * * *"\n', 9, "hour", "every 15m"),
        ('[publish]\nschedule = "every 0m"\n', 9, "no schedule", "every 15m"),
        ('[status]\nlisten = "8787"\n', 9, "can't be served at '8787'", "127.0.0.1:PORT"),
        ('[journal]\nurl = "postgresql://host/x"\n', 9, "not built", "sqlite:///"),
        ('[stores.c]\nurl = "x"\nregion = "y"\n', 10, "for stores on S3 only", ""),
        ('[stores.c]\nurl = "s3://bucket/x"\nkms_key_id = "y"\n', 10, "KMS", ""),
        ('[stores.c]\nurl = "x"\nlayout = "file"\nencryption_key_file = "k"\n', 10, "layout", ""),
        (
            '[stores.c]\nurl = "x"\nencryption_key_file = "k"\nencryption_passphrase_file = "p"\n',
            11,
            "both named",
            "the one that the store was made with",
        ),
    ],
)
def test_what_does_not_fit_together_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, said: str, hinted: str
) -> None:
    path = written(tmp_path, TWO + text)
    with pytest.raises(UsageError) as caught:
        load(path, {})
    assert f"line {line}: " in caught.value.message
    assert said in caught.value.message
    assert hinted in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        '[stores.a]\nurl = "s3://bucket/p"\nendpoint_url = "https://user:hunter2@host"\n',
        '[stores.a]\nurl = "s3://user:hunter2@b/p"\n',
        '[stores.a]\nurl = "https://user:hunter2@b/p"\n',
        '[journal]\nurl = "postgresql://user:hunter2@b/p"\n',
        '[stores.a]\nurl = "s3://bucket/p"\nlock_mode = "hunter2"\n',
        '[notify]\nurls_file = ["hunter2"]\n',
        'password = "hunter2"\n',
    ],
)
def test_what_may_be_a_secret_is_refused_and_never_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(written(tmp_path, text), {})
    assert "hunter2" not in caught.value.message + caught.value.hint
    with pytest.raises(UsageError) as said:
        load(None, {"JUNMAI_JOURNAL_URL": "postgresql://user:hunter2@b/p"})
    assert "hunter2" not in said.value.message + said.value.hint
    assert "JUNMAI_JOURNAL_URL" in said.value.message


def test_the_first_of_several_problems_is_told_and_how_many_more_there_are(tmp_path: Path) -> None:
    path = written(tmp_path, "[log]\nkeep = -1\n[retention]\nkeep_last = -1\nkeep = 2\n")
    with pytest.raises(UsageError, match=r"line 2: log\.keep .* \(and 2 more\)"):
        load(path, {})


def test_every_key_of_a_plain_section_has_a_variable(tmp_path: Path) -> None:
    found = loaded(
        written(tmp_path, ""),
        JUNMAI_JOURNAL_URL="sqlite:///j.db",
        JUNMAI_PRUNE_SCHEDULE="",
        JUNMAI_STATUS_LISTEN="[::1]:80",
        JUNMAI_LOG_MAX_BYTES="20000",
        JUNMAI_NOTIFY_URLS_FILE="urls",
        JUNMAI_CACHE_FOLDER="cache",
    ).configuration
    assert (found.journal.url, found.prune.schedule) == ("sqlite:///j.db", "")
    assert (found.status.listen, found.log.max_bytes) == ("[::1]:80", 20_000)
    assert (found.notify.urls_file, found.cache.folder) == ("urls", "cache")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JUNMAI_LOG_KEEP", "many"),
        ("JUNMAI_LOG_LEVEL", "loud"),
        ("JUNMAI_DRILL_SCHEDULE", "0 0 31 feb *"),
        ("JUNMAI_RETENTION_KEEP_WITHIN", "a while"),
    ],
)
def test_a_variable_that_says_nonsense_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(UsageError, match=name):
        load(written(tmp_path, "[log]\nkeep = 1\n"), {name: value})


def test_loading_again_depends_on_nothing_that_was_loaded_before(tmp_path: Path) -> None:
    """So whoever is told to read anew keeps the old one when the new one is bad."""
    path = written(tmp_path, "[retention]\nkeep_last = 1\n")
    old = loaded(path)
    written(tmp_path, "[retention]\nkeep_last = oops\n")
    with pytest.raises(UsageError):
        load(path, {})
    assert old.configuration.retention.keep_last == 1
    written(tmp_path, "[retention]\nkeep_last = 2\n")
    assert loaded(path).configuration.retention.keep_last == 2


def test_each_value_has_an_origin(tmp_path: Path) -> None:
    path = written(tmp_path, TWO + "[retention]\nkeep_last = 1\n")
    found = {each.key: each for each in settings_of(loaded(path, JUNMAI_LOG_KEEP="7"))}
    assert found["retention.keep_last"].origin == "line 9"
    assert found["databases[1].path"].origin == "line 7"
    assert found["stores.off.url"].origin == "line 4"
    assert (found["log.keep"].value, found["log.keep"].origin) == (7, "JUNMAI_LOG_KEEP")
    assert found["log.level"].origin == "default"
    assert {each.origin for each in settings_of(None)} == {"default"}


def test_the_policy_is_the_databases_else_the_stores_else_the_one_of_all(tmp_path: Path) -> None:
    text = """\
[retention]
keep_last = 1
[stores.a]
url = "a"
[stores.b]
url = "b"
retention = { keep_within = "", keep_monthly = 2 }
[[databases]]
name = "one"
path = "one.db"
[[databases]]
name = "two"
path = "two.db"
retention = { keep_last = 9 }
"""
    found = loaded(written(tmp_path, text))
    one, two = str(tmp_path / "one.db"), str(tmp_path / "two.db")
    for store, usual in (("a", Policy(keep_last=1)), ("b", Policy(None, keep_monthly=2))):
        policies = retention(found, store=store)
        assert policies.of(one) == policies.of("elsewhere.db") == policies.of("") == usual
        assert policies.of(two) == policies.of("two.db") == Policy(keep_last=9)
        assert policies.of("other/two.db") == usual
    said = retention(found, "2d", {"keep_daily": 4}, "b").of(two)
    assert said == Policy(timedelta(days=2), keep_last=9, keep_daily=4)


@pytest.mark.parametrize("listen", ["0.0.0.0:8787", "8787", "host:65536", "u@h:1"])
def test_a_place_to_listen_that_the_daemon_refuses_is_no_configuration(
    tmp_path: Path, listen: str
) -> None:
    path = written(tmp_path, f'[status]\nlisten = "{listen}"\n')
    with pytest.raises(UsageError, match=rf"line 2: The status can't be served at '{listen}'"):
        loaded(path)
    assert loaded(written(tmp_path, '[status]\nlisten = ""\n')).configuration.status.listen == ""


@pytest.mark.parametrize(
    "path", [r"C:\data\junmai.db", r"C:\Users\ann\junmai.db", r"C:\backups\new.db", r"C:\temp\x.db"]
)
def test_a_path_of_windows_in_double_quotes_is_told_and_in_single_ones_taken(
    tmp_path: Path, path: str
) -> None:
    section = '[[databases]]\nname = "a"\nstores = []\npath = '
    with pytest.raises(UsageError) as caught:
        load(written(tmp_path, f'{section}"{path}"\n'), {})
    assert "single quotes" in caught.value.hint
    found = loaded(written(tmp_path, f"{section}'{path}'\n"))
    assert found.configuration.databases[0].path == path
