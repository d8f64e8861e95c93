"""
Lists of Factus: one page, or all of them a page a turn.

``all`` reads on from ``page`` until the last page or a limit, whichever comes first; the result says where to go on.
Pages stay whole: one that would go beyond the limit is not asked for, so that none is read twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jobs import answers
from jobs.calls import CallContext, Stop
from jobs.factus_requests import get
from jobs.outcomes import Ending
from schemas import strict_json
from schemas.factus import figure

MOST_ITEMS: Final = 1000
"""Rows of one result with ``all``, unless its first page alone has more."""

MOST_BYTES: Final = 1024 * 1024
"""At this size no further page is read: an event is read into memory by everybody who follows the stream."""

_KEPT: Final = ("total", "per_page", "current_page", "last_page", "from", "to")


async def pages(context: CallContext, path: str) -> Ending:
    """The items of a list under the payload's filters."""
    progress = context.progress
    items: list[Any] = progress.get("items", [])
    page = progress.get("next_page") or context.payload.get("page") or 1
    params = {**query(context.payload.get("filters") or {}), "page": str(page)}
    rows, pagination = _page(context, await context.read(get(path, params)))
    known = {key for row in items if (key := _key(row))}
    # A row that moved to the next page while others came in is told once.
    new = [row for row in rows if _key(row) not in known]
    is_last = not rows or page >= _whole(pagination.get("last_page"), page)
    next_page = None if is_last else page + 1
    if items and len(items) + len(new) > MOST_ITEMS:
        # It was to be shorter, by what the page before it said: it is left for the next job.
        next_page, is_last = page, False
    else:
        items = [*items, *new]
        if context.payload.get("all") and next_page and _has_room(items, page, rows, pagination):
            so_far = {"items": items, "next_page": next_page}
            return context.more(so_far, f"Faltaban páginas por leer (desde la {next_page})")
    told = {name: figure(pagination.get(name)) for name in _KEPT}
    more = "" if is_last else f"; hay más desde la página {next_page}"
    message = f"Filas leídas: {len(items)}{more}."
    return context.completed(message, {"items": items, "pagination": {**told, "next_page": next_page}})


async def whole(context: CallContext, path: str) -> Ending:
    """A list that Factus gives in one piece."""
    body = await context.read(get(path))
    rows = body.get("data")
    items = rows if isinstance(rows, list) else []
    return context.completed(f"Filas leídas: {len(items)}.", {"items": items, "pagination": None})


def query(filters: Mapping[str, Any]) -> dict[str, str]:
    """Filters as Factus writes them: ``filter[status]``, ``filter[created_at][start_date]``."""
    found: dict[str, str] = {}
    for name, value in filters.items():
        if isinstance(value, Mapping):
            found |= {f"filter[{name}][{inner}]": _text(one) for inner, one in value.items()}
        else:
            found[f"filter[{name}]"] = _text(value)
    return found


def _key(row: Any) -> str:
    """What names a row; empty when nothing does."""
    return str(row.get("id") or row.get("number") or "") if isinstance(row, Mapping) else ""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def _page(context: CallContext, body: Mapping[str, Any]) -> tuple[list[Any], Mapping[str, Any]]:
    data = body.get("data")
    rows = data.get("data") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(rows, list):
        raise Stop(context.policy.after_call(answers.Done()))
    pagination = data.get("pagination")
    return rows, pagination if isinstance(pagination, Mapping) else {}


def _whole(value: Any, otherwise: int) -> int:
    found = figure(value)
    return otherwise if found is None else found


def _has_room(items: list[Any], page: int, rows: list[Any], pagination: Mapping[str, Any]) -> bool:
    """Whether the next page may be read as well, by what this one says of its length."""
    n_coming = max(_n_coming(page, rows, pagination), 1)
    return len(items) + n_coming <= MOST_ITEMS and len(strict_json.dump({"items": items})) < MOST_BYTES


def _n_coming(page: int, rows: list[Any], pagination: Mapping[str, Any]) -> int:
    """Rows of the next page: as many as a page has, but for the last, which has the rest."""
    per_page = max(_whole(pagination.get("per_page"), 0), len(rows))
    total = _whole(pagination.get("total"), 0)
    return min(per_page, total - page * per_page) if total > page * per_page else per_page
