"""Claims about files that a person names for a result: nothing but its like is ever replaced."""

import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from junmai_svc.service.outputs import is_export, is_page, is_proof, output_file
from junmai_svc.storage.errors import NotFoundError, UsageError

ONES: dict[Callable[[bytes], bool], bytes] = {
    is_page: b"<!doctype html>\n<html>",
    is_proof: b"c2sp.org/tlog-proof@v1\nextra x\nindex 3\n",
    is_export: b'{"authid":"a","specversion":"1.0"}\n{}\n',
}


def a_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as opened:
        opened.execute("CREATE TABLE t (a)")


def a_link_to_a_database(path: Path) -> None:
    a_database(path.with_name("behind"))
    path.symlink_to("behind")


def a_pipe(path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("no named pipes in folders")
    os.mkfifo(path)


OTHERS: dict[str, Callable[[Path], object]] = {
    "database": a_database,
    "link": a_link_to_a_database,
    "pipe": a_pipe,
    "folder": Path.mkdir,
    "key": lambda path: path.write_text("PRIVATE+KEY+junmai-svc+1234+abcd\n"),
    "manifest": lambda path: path.write_text('{\n  "checksum": "ab"\n}\n'),
    "text": lambda path: path.write_text("my notes"),
}


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("is_one", ONES, ids=lambda each: each.__name__)
def test_what_is_of_another_kind_is_refused(
    tmp_path: Path, make: Callable[[Path], object], is_one: Callable[[bytes], bool]
) -> None:
    make(tmp_path / "there")
    with pytest.raises(UsageError, match=r"Can't write a result to .*there: "):
        output_file(tmp_path / "there", "a result", is_one)


@pytest.mark.parametrize("is_one", ONES, ids=lambda each: each.__name__)
def test_an_earlier_result_an_empty_file_and_nothing_are_replaced(
    tmp_path: Path, is_one: Callable[[bytes], bool]
) -> None:
    there = tmp_path.resolve() / "there"
    assert output_file(there, "a result", is_one) == there
    there.touch()
    assert output_file(there, "a result", is_one) == there
    there.write_bytes(ONES[is_one])
    assert output_file(there, "a result", is_one) == there


def test_one_kind_is_not_taken_for_another() -> None:
    for is_one in ONES:
        assert [is_one(content) for content in ONES.values()].count(True) == 1
    assert is_export(b"position,time,type,stream,version,actor\n")


def test_a_link_leads_to_the_file_that_is_written(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("new")
    assert output_file(tmp_path / "link", "a page", is_page) == tmp_path.resolve() / "new"


@pytest.mark.parametrize("parent", ["missing", "file"])
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, parent: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotFoundError, match=f"there is no folder .*{parent}"):
        output_file(tmp_path / parent / "page.html", "a page", is_page)


def test_the_root_is_a_folder() -> None:
    with pytest.raises(UsageError, match="it is a folder"):
        output_file(Path(Path.cwd().anchor), "a proof", is_proof)
