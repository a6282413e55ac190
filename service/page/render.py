"""A run as one page of HTML that needs nothing else: no network, no script, no fonts.

Every name is escaped by the template engine, and the page forbids itself to load anything.
"""

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from junmai_svc.service.printable import printable

_TEMPLATES = files("junmai_svc.service.page") / "templates"


def page_of(view: dict[str, Any]) -> str:
    """Return the page of a run from what `views_page.page_view` tells of it."""
    return _template().render(printable(view))


@cache
def _template() -> Template:
    text = (_TEMPLATES / "run.html").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(text)
