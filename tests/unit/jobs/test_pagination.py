"""Lists: whole pages, as many as the limit holds, and none of them asked for in vain."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from jobs import answers
from jobs.outcomes import Finished, Retry
from schemas.contract.event_data import Listed
from tests.fakes import FakeFactus
from tests.unit.jobs.test_calls import OneAnswer, turn


@dataclass
class Book(FakeFactus):
    """A list of so many rows, in pages of so many."""

    n_rows: int = 0
    per_page: int = 10
    hides: tuple[str, ...] = ()
    """What its pagination does not tell."""
    grows: dict[int, int] = field(default_factory=dict)
    """Rows that are there more, from the request for a page on."""
    asked: list[int] = field(default_factory=list)

    async def call(self, request: Any, *, marks: Any = None) -> answers.Answer:
        page = int(request.params["page"])
        self.asked.append(page)
        self.n_rows += self.grows.pop(page, 0)
        rows = [{"id": n} for n in range(1, self.n_rows + 1)][(page - 1) * self.per_page : page * self.per_page]
        told = {
            "total": self.n_rows,
            "per_page": self.per_page,
            "current_page": page,
            "last_page": -(-self.n_rows // self.per_page) or 1,
        }
        pagination = {name: value for name, value in told.items() if name not in self.hides}
        return answers.Replied({"data": {"data": rows, "pagination": pagination}})


async def read_all(book: Book, *, page: int = 1) -> dict[str, Any]:
    progress = ""
    for _ in range(200):
        payload = f'{{"all": true, "page": {page}}}'
        ending = (await turn("invoice.list", book, payload=payload, progress=progress)).ending
        if not isinstance(ending, Retry):
            assert ending.data is not None
            return ending.data
        progress = ending.progress or ""
    raise AssertionError("no end")


def ids(data: dict[str, Any]) -> list[int]:
    return [row["id"] for row in data["items"]]


@pytest.mark.parametrize(
    ("n_rows", "per_page", "n_items", "n_pages", "next_page"),
    [
        (1300, 300, 900, 3, 4),
        (1300, 400, 800, 2, 3),
        (1300, 100, 1000, 10, 11),
        (1000, 100, 1000, 10, None),
        (950, 300, 950, 4, None),  # what comes is shorter than a page, and fits
        (1000, 300, 1000, 4, None),
        (1001, 300, 900, 3, 4),
        (1001, 500, 1000, 2, 3),
        (1300, 1000, 1000, 1, 2),
        (1300, 1200, 1200, 1, 2),  # a single page is never cut
        (1300, 5000, 1300, 1, None),
        (7, 10, 7, 1, None),
        (0, 10, 0, 1, None),
    ],
)
async def test_as_many_whole_pages_as_a_thousand_rows_hold(n_rows, per_page, n_items, n_pages, next_page):
    book = Book(n_rows=n_rows, per_page=per_page)
    data = await read_all(book)
    assert ids(data) == [*range(1, n_items + 1)]
    assert data["pagination"]["next_page"] == next_page
    assert book.asked == [*range(1, n_pages + 1)], "each page once, and none that is thrown away"


@pytest.mark.parametrize("hides", [("per_page",), ("total",), ("per_page", "total")])
async def test_a_page_is_as_long_as_the_one_before_where_factus_does_not_say(hides):
    book = Book(n_rows=1300, per_page=300, hides=hides)
    assert len((await read_all(book))["items"]) == 900
    assert book.asked == [1, 2, 3]


async def test_one_that_grew_meanwhile_is_left_for_the_next_job():
    """Page 4 was to have 50 rows, and has 300 when it comes."""
    book = Book(n_rows=950, per_page=300, grows={4: 400})
    data = await read_all(book)
    assert (len(data["items"]), data["pagination"]["next_page"]) == (900, 4)
    rest = await read_all(book, page=4)
    assert ids(data) + ids(rest) == [*range(1, 1351)]


async def test_jobs_that_go_on_where_the_last_one_stopped_read_the_whole_list():
    book, found, page = Book(n_rows=2345, per_page=300), [], 1
    while page:
        data = await read_all(book, page=page)
        found += ids(data)
        page = data["pagination"]["next_page"]
    assert found == [*range(1, 2346)]
    assert book.asked == [*range(1, 9)]


@pytest.mark.parametrize("odd", [None, "300", -1, 0, 2.5, True, [300]])
async def test_odd_figures_are_no_exception(odd):
    class Odd(Book):
        async def call(self, request: Any, *, marks: Any = None) -> answers.Answer:
            seen = await super().call(request, marks=marks)
            assert isinstance(seen, answers.Replied)
            seen.body["data"]["pagination"] |= {"per_page": odd, "total": odd}
            return seen

    assert len((await read_all(Odd(n_rows=1300, per_page=300)))["items"]) == 900


FIGURES = ("total", "per_page", "current_page", "last_page", "from", "to")
NO_FIGURES: list[Any] = [
    *(None, True, False, -1, "12", "a" * 300, 1.5, Decimal("1.5"), Decimal(7), 2**53, 10**17, [], {}, [7]),
]


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("odd", NO_FIGURES, ids=lambda value: repr(value)[:20])
async def test_a_figure_that_is_none_is_told_as_null(name: str, odd: Any) -> None:
    figures = {**dict.fromkeys(FIGURES, 1), name: odd}
    answer = OneAnswer(answers.Replied({"data": {"data": [{"id": 1}], "pagination": figures}}))
    ending = (await turn("invoice.list", answer, payload="{}")).ending
    assert isinstance(ending, Finished)
    assert ending.data is not None
    assert ending.data["pagination"] == {**figures, name: None, "next_page": None}
    assert Listed.model_validate(ending.data)


@pytest.mark.parametrize("odd", [None, [], "x", 7, {"total": {}, "x": 1}], ids=repr)
async def test_pagination_has_its_shape_whatever_comes(odd: Any) -> None:
    answer = OneAnswer(answers.Replied({"data": {"data": [], "pagination": odd}}))
    ending = (await turn("invoice.list", answer, payload="{}")).ending
    assert isinstance(ending, Finished)
    assert ending.data == {"items": [], "pagination": dict.fromkeys((*FIGURES, "next_page"))}
