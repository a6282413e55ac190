"""The page without a browser: complete, escaped, self-contained, and its words."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.harness.statuses import HOUR, STATES, failing, much, nothing, run_id, snapshots, well

from junmai_svc.service.printable import printable
from junmai_svc.service.status.fold import fold_status
from junmai_svc.service.status.observation import Listing, Watched
from junmai_svc.service.status.page import MOST, POLICY, headline, render_page, summary

NOT_CLOSED = {"meta", "link"}


class Page(HTMLParser):
    """What a page is made of; closing what is not open is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that begins."""
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in NOT_CLOSED:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that has no content."""
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        """Note an element that ends."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note the words."""
        if not self.open or self.open[-1] not in {"style", "script"}:
            self.words.append(data)


@pytest.mark.parametrize("state", STATES)
def test_the_page_is_well_formed_and_asks_for_nothing_from_elsewhere(state: str) -> None:
    text = render_page(fold_status(STATES[state]())).decode()
    page = Page(text)
    assert text.startswith("<!doctype html>")
    addresses = [v for _, name, v in page.attributes if name in {"href", "src", "data", "action"}]
    assert addresses
    assert all(re.match(r"/[a-z.]*|#[a-z]+|data:image/svg", each) for each in addresses)
    assert not [each for each in addresses if each.startswith("//")]
    assert "url(" not in text
    assert "@import" not in text
    # The policy would stop both of these; nothing may depend on them.
    assert not [each for each in page.attributes if each[1] == "style" or each[1].startswith("on")]


def test_the_policy_names_what_is_in_the_page_by_its_hash() -> None:
    text = render_page(fold_status(well())).decode()
    for tag in ("style", "script"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in POLICY
    assert POLICY.startswith("default-src 'none'")
    assert "unsafe" not in POLICY


def test_the_page_of_much_data_stays_small() -> None:
    assert len(render_page(fold_status(much()))) < 300_000


def test_the_headline_says_how_it_stands() -> None:
    said = {name: headline(fold_status(make())) for name, make in STATES.items()}
    assert said == {
        "nothing": "Nothing is watched yet",
        "well": "All is well",
        "much": "All is well",
        "failing": "5 things are wrong",
    }
    one = replace(well(), listings=(replace(well().listings[0], unreadable=("x",)),))
    assert headline(fold_status(one)) == "Backups are fine; 1 notice"


def test_the_summary_counts_what_there_is() -> None:
    assert summary(fold_status(much())) == (
        "3 databases in 3 stores, 6,300 snapshots. A proven snapshot in every place."
    )
    assert "1 of 4 places" in summary(fold_status(failing()))


def test_each_migration_links_to_its_report() -> None:
    text = render_page(fold_status(failing())).decode()
    assert {f"/runs/{run_id(3)}", f"/runs/{run_id(8)}"} <= set(re.findall(r'"(/runs/.*?)"', text))


def test_what_goes_beyond_the_first_sentences_is_folded_away() -> None:
    names = tuple(Watched(f"db{n}", f"/db{n}", ("local",), None, HOUR) for n in range(30))
    observation = replace(well(), databases=names, proofs=(), drill=None)
    text = render_page(fold_status(observation)).decode()
    assert f"{30 - MOST} more</summary>" in text
    assert text.count('<li class="wrong">') == 30


@given(st.text())
def test_any_name_is_shown_as_it_is_and_breaks_nothing(name: str) -> None:
    odd = replace(
        nothing(),
        databases=(Watched(name, name, (name,)),),
        listings=(Listing(name, nothing().now, snapshots(name, 2), (name,), f"{name}.`{name}"),),
    )
    page = Page(render_page(fold_status(odd)).decode())
    assert {tag for tag, _, _ in page.attributes}.isdisjoint({"img", "iframe", "object"})
    assert printable(name) in "".join(page.words)


def test_a_name_that_turns_the_direction_of_writing_is_spelled_out() -> None:
    name = "photo\u202egpj.db\x1b"
    odd = replace(nothing(), databases=(Watched(name, name, ("local",)),))
    text = render_page(fold_status(odd)).decode()
    assert not {"\u202e", "\x1b"} & set(text)
    assert "photo\\u202egpj.db\\x1b" in text


def test_a_name_that_is_no_valid_text_is_shown_with_marks() -> None:
    name = "wine\udcff.db"
    odd = replace(nothing(), databases=(Watched(name, name, ("local",)),))
    assert "wine?.db" in render_page(fold_status(odd)).decode()
