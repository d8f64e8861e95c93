"""`GET` of a collection: filters, pages of ten, and Laravel's pagination object."""

import math
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.responses import Response

from sandbox import answers, bogota
from sandbox.fields import Errors, invalid
from sandbox.gate import Call
from sandbox.store import Document

PER_PAGE = 10
MOST_PER_PAGE = 500
_NEIGHBOURS = 3

Test = Callable[[Document], bool]


async def list_documents(call: Call) -> Response:
    await call.state.pause(call.state.config.reading_latency)
    query, errors = call.request.query_params, Errors()
    per_page = _whole(query, "filter[per_page]", PER_PAGE, errors)
    page = _whole(query, "page", 1, errors)
    tests = _tests(query, errors)
    if errors:
        return answers.fields_refused(errors)
    per_page = min(per_page, MOST_PER_PAGE)
    total, shown = _cut(call, tests, (page - 1) * per_page, per_page)
    rows = [call.family.show_row(document) for document in shown]
    return answers.ok({"data": rows, "pagination": _pagination(call, total, per_page, page, len(rows))})


def _whole(query: QueryParams, name: str, default: int, errors: Errors) -> int:
    text = query.get(name)
    if not text:
        return default
    if text.isascii() and text.isdecimal() and int(text[:9]) > 0:
        return int(text[:9])
    invalid(name, errors)
    return default


def _cut(call: Call, tests: list[Test], start: int, count: int) -> tuple[int, list[Document]]:
    """How many documents pass, and the stretch that is shown, newest first."""
    _hear_dian(call)
    passing = [document for document in _candidates(call) if all(test(document) for test in tests)]
    return len(passing), passing[start : start + count]


def _hear_dian(call: Call) -> None:
    """Answers that came by themselves; and a look-up by reference asks for an acknowledged document's."""
    shelf, dian, now = call.shelf, call.state.dian, call.state.now()
    dian.settle_all(shelf, now)
    document = shelf.find(call.reference)
    if document is not None and document.wait is not None and document.wait.acknowledged_with is not None:
        dian.ask_again(document, shelf, now)


def _candidates(call: Call) -> Iterable[Document]:
    """The documents that can pass at all, found by index where there is one: thousands may be stored."""
    shelf = call.shelf
    if call.reference:
        document = shelf.find(call.reference)
        return [] if document is None else [document]
    if call.request.query_params.get("filter[status]") == "0":
        return reversed(shelf.unvalidated())
    return shelf.newest_first()


def _tests(query: QueryParams, errors: Errors) -> list[Test]:
    tests: list[Test] = []
    if number := query.get("filter[number]"):
        tests.append(lambda document: number in document.number)
    if prefix := query.get("filter[prefix]"):
        tests.append(lambda document: document.number.rstrip("0123456789") == prefix)
    if identification := query.get("filter[identification]"):
        tests.append(lambda document: document.customer.get("identification") == identification)
    if names := query.get("filter[names]"):
        wanted = names.casefold()
        tests.append(lambda document: wanted in _printed_name(document).casefold())
    if status := query.get("filter[status]"):
        if status not in ("0", "1"):
            invalid("filter.status", errors)
        tests.append(lambda document: document.is_validated is (status == "1"))
    start = _day(query, "filter[created_at][start_date]", date.min, errors)
    end = _day(query, "filter[created_at][end_date]", date.max, errors)
    if start > date.min or end < date.max:
        tests.append(lambda document: start <= bogota.at(document.created_at).date() <= end)
    return tests


def _printed_name(document: Document) -> str:
    customer = document.customer
    return customer.get("company") or customer.get("names") or ""


def _day(query: QueryParams, name: str, default: date, errors: Errors) -> date:
    text = query.get(name)
    if not text:
        return default
    try:
        return date.fromisoformat(text)
    except ValueError:
        invalid(name, errors)
        return default


def _pagination(call: Call, total: int, per_page: int, page: int, n_rows: int) -> dict[str, Any]:
    first = (page - 1) * per_page + 1
    last_page = max(1, math.ceil(total / per_page))
    return {
        "total": total,
        "per_page": per_page,
        "current_page": page,
        "last_page": last_page,
        "from": first if n_rows else None,
        "to": first + n_rows - 1 if n_rows else None,
        "links": _links(call, page, last_page) if total else [],
    }


def _links(call: Call, page: int, last_page: int) -> list[dict[str, Any]]:
    request = call.request
    others = [(name, value) for name, value in request.query_params.multi_items() if name != "page"]
    base = str(request.base_url).rstrip("/") + call.family.path

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
