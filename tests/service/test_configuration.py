"""A configuration is checked whole before it is used; what is wrong is named with its place."""

from datetime import timedelta
from pathlib import Path

import pytest

from junmai_svc.service.configuration import Configuration, StoreSection, duration
from junmai_svc.service.configuration_file import Loaded, load
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
    assert shipped.retention == Configuration().retention
    assert shipped.journal == Configuration().journal
    assert shipped.stores == {"local": StoreSection(url="../data/backups", layout="file")}


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
    keep = dict.fromkeys(("keep_last", "keep_daily"), None)
    assert retention(found, None, keep) == Policy(timedelta(days=5), keep_last=3, keep_daily=2)
    said = retention(found, "9d", {"keep_last": 1, "keep_daily": None})
    assert said == Policy(timedelta(days=9), keep_last=1, keep_daily=2)
    assert retention(None, None, keep) == Policy()


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
