"""
HTML of what the page shows. Every value is escaped by the engine; templates are compiled once for a process.

A page has a largest size, whatever it has to show: where it would be larger, everything is shown a third shorter, until
it fits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from jobs.families import FAMILIES
from worker.http.page.eyes import Eyes, told_to
from worker.http.page.seen import Looked
from worker.http.page.shown import Bounds, View
from worker.http.page.story import StoryShown
from worker.http.page.text import pieces
from worker.http.page.view import view_of

MOST_BYTES: Final = 60_000
"""Of a page, without its style and script."""

REGIONS: Final = (
    "clock",
    "headline",
    "needs",
    "risk",
    "accounts",
    "batches",
    "letters",
    "endpoints",
    "ranges",
    "events",
)
"""What is replaced by itself while the page stays open: a template each, and an element of that id."""

FRESH: Final = "fresh"
FAMILY_NAMES: Final = {name: family.noun for name, family in FAMILIES.items()}
_TEMPLATES: Final = Path(__file__).parent / "templates"
_LONG_SENTENCE: Final = 1000
_LONGEST_REFERENCE: Final = 100
_FEWEST: Final = 12
"""How often a page is made shorter at most: by then it has one row of each list, and a few signs of each text."""


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["pieces"] = pieces
    return made


def load_all() -> None:
    """Compile every template: a twentieth of a second of a processor, which nobody who looks shall wait for."""
    for name in _environment().list_templates():
        _environment().get_template(name)


def _template(name: str) -> Template:
    return _environment().get_template(f"{name}.html")


def rendered(name: str, **values: Any) -> str:
    """A template with its values."""
    return _template(name).render(**values)


def page_of(looked: Looked, eyes: Eyes, who: str) -> str:
    """The page of one person, within its size."""
    told = told_to(looked, eyes)

    def make(bounds: Bounds) -> str:
        view = view_of(looked, _narrowed(eyes, bounds), told)
        return rendered("page", view=view, who=eyes.name(who), families=FAMILY_NAMES, away="")

    return _within(eyes.bounds, make)


def story_of_page(story: Callable[[Eyes], StoryShown], eyes: Eyes, who: str) -> str:
    """The page of one document, within the same size."""

    def make(bounds: Bounds) -> str:
        return rendered("story", story=story(_narrowed(eyes, bounds)), who=eyes.name(who), families=FAMILY_NAMES)

    return _within(replace(eyes.bounds, sentence=_LONG_SENTENCE, name=_LONGEST_REFERENCE), make)


def _narrowed(eyes: Eyes, bounds: Bounds) -> Eyes:
    return Eyes(eyes.sight, eyes.zones, bounds)


def _within(bounds: Bounds, make: Callable[[Bounds], str]) -> str:
    html = make(bounds)
    for _ in range(_FEWEST):
        if len(html.encode()) <= MOST_BYTES:
            break
        bounds = bounds.tighter()
        html = make(bounds)
    return html


def regions_of(view: View) -> dict[str, str]:
    """The inside of each region, by its id."""
    found = {name: rendered(f"regions/{name}", view=view) for name in REGIONS}
    return {**found, FRESH: fresh_of(view.seen_at)}


def fresh_of(seen_at: str, away: str = "") -> str:
    """The line that says of when the page is, and that Redis does not answer."""
    return rendered(f"regions/{FRESH}", seen_at=seen_at, away=away)
