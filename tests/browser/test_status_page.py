"""The status page in a real browser: quiet, self-contained, readable, and it fits."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, product

import pytest
from tests.browser.conftest import Shown
from tests.browser.devtools import Browser
from tests.harness.statuses import STATES, nothing, run_id, snapshots, well

from junmai_svc.service.status.fold import fold_status
from junmai_svc.service.status.observation import Listing, Watched
from junmai_svc.service.status.server import StatusServer

WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")

# The least contrast of any text with what is behind it, by WCAG 2.2, section 1.4.3.
CONTRAST = """
(() => {
  const rgb = text => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return {r, g, b, a};
  };
  const light = ({r, g, b}) => [r, g, b]
    .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const colour = rgb(getComputedStyle(node).backgroundColor);
      if (colour.a === 1) return colour;
    }
    return {r: 255, g: 255, b: 255, a: 1};
  };
  let least = {ratio: 99, text: ""}, count = 0;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.data.trim(), node = texts.currentNode.parentElement;
    if (!text || node.closest("script, svg, .unseen, .skip") || !node.checkVisibility()) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    count += 1;
    if (ratio < least.ratio) least = {ratio, text};
  }
  return {...least, count};
})()
"""


@pytest.mark.parametrize(("state", "width", "scheme"), list(product(STATES, WIDTHS, SCHEMES)))
def test_the_page_is_quiet_self_contained_readable_and_fits(
    browser: Browser, shown: Shown, state: str, width: int, scheme: str
) -> None:
    shown.show(STATES[state]())
    browser.visit(shown.url, width, scheme)
    assert browser.evaluate("document.querySelector('h1').innerText.trim()")
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert browser.complaints == []
    assert [url for url in browser.requested if not url.startswith((shown.url, "data:"))] == []
    assert browser.evaluate(f"matchMedia('(prefers-color-scheme: {scheme})').matches")
    contrast = browser.evaluate(CONTRAST)
    assert contrast["count"] > 5
    assert contrast["ratio"] >= 4.5, contrast


def test_what_is_folded_away_fits_too(browser: Browser, shown: Shown) -> None:
    shown.show(STATES["failing"]())
    browser.visit(shown.url, 390, "light")
    opened = "document.querySelectorAll('details').forEach(each => each.open = true)"
    browser.evaluate(opened)
    assert browser.evaluate("document.querySelectorAll('details').length") > 0
    assert browser.evaluate("document.documentElement.scrollWidth") == 390


def test_names_of_any_length_fit(browser: Browser, shown: Shown) -> None:
    name, store = "a" * 90 + " " + "b" * 300, "store_" * 30
    own = snapshots(name, 3)
    shown.show(
        replace(
            well(),
            databases=(Watched(name, "/srv/" + "deep/" * 60, (store, "local")),),
            listings=(Listing(store, well().now, own, unreadable=("x" * 200,)),),
        )
    )
    browser.visit(shown.url, 390, "light")
    assert browser.evaluate("document.documentElement.scrollWidth") == 390


def test_a_name_that_is_html_is_shown_and_does_nothing(browser: Browser, shown: Shown) -> None:
    name = "<img src=x onerror=alert(1)><script>document.title='taken'</script>"
    shown.show(replace(nothing(), databases=(Watched(name, name, ("local",)),)))
    browser.visit(shown.url, 1280, "light")
    assert browser.evaluate("document.querySelector('h3').innerText") == name
    assert browser.evaluate("document.title").endswith("junmai-svc")
    assert browser.complaints == []


def test_the_policy_stops_what_got_in_all_the_same(browser: Browser, shown: Shown) -> None:
    browser.visit(shown.url, 1280, "light")
    browser.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=/taken onerror=\"taken = 1\">')"
    )
    browser.evaluate(
        "document.head.append(Object.assign(document.createElement('script'),"
        " {textContent: 'taken = 2'}))"
    )
    assert browser.evaluate("typeof taken") == "undefined"
    assert browser.complaints != []


def test_headings_have_an_order_ids_are_unique_and_drawings_have_words(
    browser: Browser, shown: Shown
) -> None:
    shown.show(STATES["failing"]())
    browser.visit(shown.url, 1280, "light")
    levels = browser.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].map(each => Number(each.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert browser.evaluate(
        "new Set([...document.querySelectorAll('[id]')].map(each => each.id)).size"
        " === document.querySelectorAll('[id]').length"
    )
    unnamed = "!document.getElementById(each.getAttribute('aria-labelledby'))?.textContent"
    drawings = "[...document.querySelectorAll('svg[role=img]')]"
    assert browser.evaluate(f"{drawings}.length") == 3
    assert browser.evaluate(f"{drawings}.filter(each => {unnamed}).length") == 0


def test_no_state_is_told_by_colour_alone(browser: Browser, shown: Shown) -> None:
    shown.show(STATES["failing"]())
    browser.visit(shown.url, 1280, "light")
    told = "[...document.querySelectorAll('.badge, .outcome, .level')].map(e => e.innerText.trim())"
    words = browser.evaluate(told)
    assert len(words) > 10
    assert all(words)


def test_a_migration_links_to_its_report_which_is_shown(browser: Browser, shown: Shown) -> None:
    shown.reports[run_id(3)] = "<!doctype html><style>h1 {color: red}</style><h1>The report</h1>"
    browser.visit(shown.url, 1280, "light")
    link = browser.evaluate("document.querySelector('#migrations ~ .card a').href")
    browser.visit(link, 1280, "light")
    assert browser.evaluate("document.querySelector('h1').innerText") == "The report"
    style = "getComputedStyle(document.querySelector('h1')).color"
    assert browser.evaluate(style) == "rgb(255, 0, 0)"


@pytest.fixture
def clock(browser: Browser) -> Iterator[None]:
    """A page's one interval is kept as `tick` and `every` instead of being waited for."""
    source = "window.setInterval = (then, every) => Object.assign(window, {tick: then, every})"
    made = browser.call("Page.addScriptToEvaluateOnNewDocument", source=source)
    yield
    browser.call("Page.removeScriptToEvaluateOnNewDocument", identifier=made["identifier"])


@pytest.mark.usefixtures("clock")
def test_the_page_is_loaded_anew_every_minute(browser: Browser, shown: Shown) -> None:
    browser.visit(shown.url, 1280, "light")
    assert browser.evaluate("every") == 60_000
    shown.show(STATES["failing"]())
    browser.events.clear()
    browser.evaluate("void tick()")
    browser.wait_for("Page.loadEventFired")
    assert "wrong" in browser.evaluate("document.querySelector('h1').innerText")
    assert browser.complaints == []


@pytest.mark.usefixtures("clock")
def test_a_page_that_is_being_read_is_left_alone(browser: Browser, shown: Shown) -> None:
    browser.visit(shown.url, 1280, "light")
    browser.evaluate("document.querySelector('details').open = true")
    browser.events.clear()
    browser.evaluate("tick()")
    assert browser.requested == []


@pytest.mark.usefixtures("clock")
def test_a_page_whose_daemon_is_gone_says_so(browser: Browser) -> None:
    stale = "document.getElementById('stale').checkVisibility()"
    with StatusServer("127.0.0.1:0", lambda: fold_status(well())) as server:
        browser.visit(server.url, 1280, "light")
        assert not browser.evaluate(stale)
    browser.evaluate("tick()")
    assert browser.evaluate(stale)
