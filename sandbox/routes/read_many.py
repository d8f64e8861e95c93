"""`GET` of a collection: filters, pages of ten, and Laravel's pagination object."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from sandbox.families.filters import check_value
from sandbox.routes import responses
from sandbox.routes.middleware import Call
from sandbox.state.store import Document
from sandbox.values.fields import Errors, invalid

PER_PAGE: Final = 10
MOST_PER_PAGE: Final = 500
_NEIGHBOURS: Final = 3
_REFERENCE: Final = "filter[reference_code]"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """Which stretch of a list is asked for."""

    number: int = 1
    length: int = PER_PAGE

    @classmethod
    def read(cls, query: QueryParams, errors: Errors, *, may_choose_length: bool = False) -> "Page":
        """The length may be asked for within the filters, as documented, or beside them, as a client library does."""
        length = PER_PAGE
        if may_choose_length:
            name = "filter[per_page]" if "filter[per_page]" in query else "per_page"
            length = _whole(query, name, PER_PAGE, errors)
        return cls(_whole(query, "page", 1, errors), min(length, MOST_PER_PAGE))


def _answer_page(call: Call, page: Page, passing: Sequence[T], show: Callable[[T], dict[str, Any]]) -> Response:
    start = (page.number - 1) * page.length
    rows = [show(one) for one in passing[start : start + page.length]]
    return responses.ok({"data": rows, "pagination": _pagination(call.request, len(passing), page, len(rows))})


def answer_passing(
    call: Call, rows: Iterable[T], filters: Mapping[str, Callable[[T, str], bool]], show: Callable[[T], dict[str, Any]]
) -> Response:
    """A page of what passes every filter of the query; none of them is refused, whatever it holds."""
    query, errors = call.request.query_params, Errors()
    page = Page.read(query, errors)
    if errors:
        return responses.fields_refused(errors)
    return _answer_page(call, page, _passing(rows, filters, _wanted(query, filters)), show)


def _wanted(query: QueryParams, filters: Iterable[str]) -> dict[str, str]:
    return {name: value for name in filters if (value := query.get(name))}


def _passing(rows: Iterable[T], filters: Mapping[str, Callable[[T, str], bool]], wanted: Mapping[str, str]) -> list[T]:
    return [row for row in rows if all(filters[name](row, value) for name, value in wanted.items())]


async def list_documents(call: Call) -> Response:
    await call.state.pause(call.state.config.reading_latency)
    query, errors, filters = call.request.query_params, Errors(), call.family.filters
    page = Page.read(query, errors, may_choose_length=_REFERENCE in filters)
    wanted = _wanted(query, filters)
    for name, value in wanted.items():
        check_value(name, value, errors)
    if errors:
        return responses.fields_refused(errors)
    _hear_dian(call)
    return _answer_page(call, page, _passing(_candidates(call, wanted), filters, wanted), call.family.show_row)


def _whole(query: QueryParams, name: str, default: int, errors: Errors) -> int:
    text = query.get(name)
    if not text:
        return default
    if text.isascii() and text.isdecimal() and int(text[:9]) > 0:
        return int(text[:9])
    invalid(name, errors)
    return default


def _hear_dian(call: Call) -> None:
    """Answers that came by themselves; and a look-up by reference asks for an acknowledged document's."""
    shelf, dian, now = call.shelf, call.state.dian, call.state.now()
    dian.settle_all(shelf, now)
    if _REFERENCE in call.family.filters:
        dian.look_up(shelf.find(call.reference), shelf, now)


def _candidates(call: Call, wanted: dict[str, str]) -> Iterable[Document]:
    """The documents that can pass at all, found by index where there is one: thousands may be stored."""
    shelf = call.shelf
    if _REFERENCE in wanted:
        document = shelf.find(wanted[_REFERENCE])
        return [] if document is None else [document]
    if wanted.get("filter[status]") == "0":
        return reversed(shelf.unvalidated())
    return shelf.newest_first()


def _pagination(request: Request, total: int, page: Page, n_rows: int) -> dict[str, Any]:
    first = (page.number - 1) * page.length + 1
    last_page = max(1, math.ceil(total / page.length))
    return {
        "total": total,
        "per_page": page.length,
        "current_page": page.number,
        "last_page": last_page,
        "from": first if n_rows else None,
        "to": first + n_rows - 1 if n_rows else None,
        "links": _links(request, page.number, last_page) if total else [],
    }


def _links(request: Request, page: int, last_page: int) -> list[dict[str, Any]]:
    others = [(name, value) for name, value in request.query_params.multi_items() if name != "page"]
    base = str(request.base_url).rstrip("/") + request.url.path

    def url(number: int) -> str | None:
        return f"{base}?{urlencode([*others, ('page', number)])}" if 1 <= number <= last_page else None

    links: list[dict[str, Any]] = [{"url": url(page - 1), "label": "&laquo; Anterior", "active": False}]
    for number in _shown_pages(page, last_page):
        if number is None:
            links.append({"url": None, "label": "...", "active": False})
        else:
            links.append({"url": url(number), "label": number, "active": number == page, "page": number})
    links.append({"url": url(page + 1), "label": "Siguiente &raquo;", "active": False, "page": page + 1})
    return links


def _shown_pages(page: int, last_page: int) -> list[int | None]:
    """First, last, and the neighbours of this page; None for a gap."""
    wanted = {1, last_page, *range(max(1, page - _NEIGHBOURS), min(last_page, page + _NEIGHBOURS) + 1)}
    shown: list[int | None] = []
    previous = 0
    for number in sorted(wanted):
        if number != previous + 1:
            shown.append(None)
        shown.append(number)
        previous = number
    return shown
