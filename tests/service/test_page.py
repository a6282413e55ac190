"""Claims about the page of a run: whatever names it holds are text, and it loads nothing."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from junmai_svc.service.page.render import page_of
from junmai_svc.service.page.view import Missing, Proof, page_view
from junmai_svc.service.printable import printable
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.projection import fold_runs

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
RUN = "0190163d-8694-739b-aea5-966c26f8ad91"
HOSTILE = [
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "\"'><b>",
    "{{ 7 * 7 }} {% raw %}",
    "&lt;b&gt; &amp;",
    "写真 📷",
    "\u202egnp.exe",
    "a" * 500,
]
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "footer"),
    *("h1", "h2", "h3", "p", "div", "span", "ul", "ol", "li", "dl", "dt", "dd", "b", "i", "bdi"),
    *(
        "br",
        "code",
        "pre",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "details",
        "summary",
        "time",
    ),
}
VOID = {"meta", "br"}


def story(kind: str, steps: Sequence[tuple[str, dict[str, Any]]]) -> list[Event]:
    return [
        Event(
            position=number + 7,
            id="id",
            stream=f"{kind}/{RUN}",
            version=number,
            type=f"junmai.{kind}.{name}.v1",
            time=NOON + timedelta(milliseconds=number * 40),
            data=data,
            correlation=RUN,
            causation=None,
            actor="actor:0123456789ab",
            entry=b"",
            leaf_hash=b"",
        )
        for number, (name, data) in enumerate(steps, 1)
    ]


def migration(name: str) -> list[Event]:
    check = {"table": name, "total": 0, "verdict": "ok", "microseconds": 5}
    results = [
        {**check, "check": "schema", "table": ""},
        {**check, "check": "rows", "total": 2, "verdict": "failed"},
        {**check, "check": "foreign_keys", "total": 3, "verdict": "known"},
        {**check, "check": "counts", "table": f"other {name}"},
    ]
    differences = [{"check": "rows", "table": name, "column": name, "message": "Value differs"}]
    recipe = {"plan": "ab" * 32, "clock": "2026", "seed": "cd", "versions": {"tool": name}}
    return story(
        "migration",
        [
            (
                "requested",
                {"source": f"/x/{name}", "target": name, "store": name, "database": name},
            ),
            (
                "planned",
                {"tables": [name], "carried": [name], "notes": [name], **recipe}
                | {"rules": {name: name}},
            ),
            ("backup_linked", {"snapshot": name, "checksum": "ef" * 32}),
            ("table_copied", {"table": name, "rows": 7, "microseconds": 1_500}),
            ("table_copied", {"table": f"empty {name}", "rows": 0, "microseconds": 0}),
            (
                "constraints_checked",
                {"checks": 4, "failed": {f"rows {name}": 2}, "known": {}}
                | {"results": results, "differences": differences},
            ),
            ("failed", {"message": name, "hint": name}),
        ],
    )


class Page(HTMLParser):
    """What a browser would make of a page: elements, texts, and whether all are closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """An element ends: the innermost one."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """A text."""
        if self.open[-1:] != ["style"]:
            self.texts.append(data)


def page(
    events: Sequence[Event], proof: Proof | None = None, missing: Sequence[Missing] = ()
) -> str:
    (run,) = fold_runs(events)
    return page_of(page_view(run, events, proof or Proof("data/journal.db"), missing))


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_every_name_is_text_and_nothing_else(name: str) -> None:
    shown = Page(page(migration(name), Proof(name, name, name)))
    assert shown.tags <= TAGS
    assert not {each for each in shown.attributes if each.startswith("on")} | (
        shown.attributes & {"src", "href"}
    )
    assert shown.open == []
    assert sum(printable(name) in text for text in shown.texts) >= 15


@given(st.text(max_size=30), st.sampled_from(["migration", "backup", "restore", "replay", "prune"]))
def test_no_story_is_too_odd_for_a_page(name: str, kind: str) -> None:
    start = {"migration": "requested", "restore": "requested", "prune": "planned"}
    data: dict[str, Any] = {name: name, "tables": name, "results": 7, "looked": name, "rules": []}
    shown = Page(page(story(kind, [(start.get(kind, "started"), data), ("failed", data)])))
    assert shown.tags <= TAGS
    assert shown.open == []


def test_the_page_loads_nothing_and_forbids_itself_to() -> None:
    text = page(migration("photos"))
    assert "default-src 'none'" in text
    style = text[text.index("<style>") : text.index("</style>")]
    assert not re.search(r"url\(|@import|@font-face|https?:|//", style)
    assert "http:" not in text.replace("http-equiv", "")
    assert "https:" not in text


def test_a_page_tells_tables_checks_differences_and_steps() -> None:
    texts = " ".join(" ".join(Page(page(migration("photos"))).texts).split())
    for words in (
        "7 in 1.5 ms",
        "Without rows: empty photos",
        "filled with photos",
        "The schema is the planned one",
        "Every value · photos 2 found",
        "Value differs in photos",
        "Foreign keys · photos 3, as in the source",
        "the rest was not looked at",
        "events 11 to 12",
        "2 tables with 7 rows",
        "22 November 2026, 12:00:00 UTC",
        "No signed checkpoint",
    ):
        assert words in texts, words
    assert "Nothing new" not in texts


def test_a_bar_is_as_long_as_its_share_and_what_is_not_nothing_is_seen() -> None:
    tables = [("large", 1_000_000), ("half", 500_000), ("tiny", 1), ("none", 0)]
    steps = [
        ("table_copied", {"table": name, "rows": rows, "microseconds": rows})
        for name, rows in tables
    ]
    events = story("migration", [("requested", {}), *steps])
    (run,) = fold_runs(events)
    view = page_view(run, events, Proof("journal.db"))
    shares = [(table["rows_share"], table["time_share"]) for table in view["tables"]]
    assert shares == [(100.0, 100.0), (50.0, 50.0), (0.5, 0.5)]
    assert view["empty"] == ["none"]


def test_the_checkpoint_is_shown_with_its_lines_and_how_to_check_it() -> None:
    proof = Proof("data/journal.db", "origin\n7\nroot=\n\n— key sig\n", "key+1+ab")
    text = page(migration("photos"), proof)
    assert "<pre>origin\n7\nroot=\n\n— key sig\n</pre>" in text
    assert "key+1+ab" in text
    assert "audit verify" in text


def test_what_an_older_version_recorded_is_enough_for_a_page() -> None:
    """No single results, no times, no recipe."""
    events = story(
        "migration",
        [
            ("requested", {"source": "a.db", "target": "b.db"}),
            ("planned", {"tables": ["photos"], "carried": [], "rules": {}}),
            ("table_copied", {"table": "photos", "rows": 3}),
            ("constraints_checked", {"checks": 9, "failed": {}, "known": {}}),
            ("verified", {"target": "b.db", "tables": {"photos": {"rows": 3, "digest": None}}}),
        ],
    )
    texts = " ".join(Page(page(events)).texts)
    assert "not on record one by one" in texts
    assert "--execute" not in texts


@pytest.mark.parametrize(
    ("checked", "words"),
    [
        ({"checks": 9, "failing": 2}, ["Not known to this page", "2 of them failed"]),
        ({"checks": 9, "failing": 0}, ["Not known to this page", "None of them failed"]),
        ({"checks": 9}, ["Not known to this page"]),
    ],
    ids=["failed", "passed", "not told"],
)
def test_a_page_whose_details_are_missing_says_so_and_claims_nothing(
    checked: dict[str, Any], words: list[str]
) -> None:
    digest = "ab" * 32
    events = story(
        "migration",
        [
            ("requested", {"source": "a.db", "target": "b.db"}),
            ("constraints_checked", {**checked, "details": digest}),
            ("verified", {"target": "b.db"}),
        ],
    )
    missing = Missing(9, "constraints checked", digest, "the store <b> is down")
    texts = " ".join(" ".join(Page(page(events, missing=[missing])).texts).split())
    for text in (*words, "not complete", digest, "Event 9", "the store <b> is down"):
        assert text in texts, text
    for text in ("value for value", "None. ", "not on record one by one"):
        assert text not in texts, text
    assert ("0 failed" in texts) is (checked.get("failing") == 0)


def test_a_clock_that_went_back_is_said_and_hides_no_step() -> None:
    events = story("backup", [("started", {}), ("stored", {}), ("verified", {})])
    late = [replace(events[1], time=NOON - timedelta(hours=1)), events[2]]
    texts = " ".join(" ".join(Page(page([events[0], *late])).texts).split())
    assert "1 h 0 min back" in texts
    assert "the clock went back meanwhile" in texts
    assert "went back" not in " ".join(Page(page(events)).texts)


def test_a_page_says_how_its_checkpoint_is_used() -> None:
    proof = Proof("/x/journal.db", "origin\n7\nroot=\n", "key+1+ab", "/x/backups")
    texts = " ".join(" ".join(Page(page(migration("photos"), proof)).texts).split())
    assert "as a file seen" in texts
    assert "audit verify --store /x/backups --key FILE --pin seen" in texts
