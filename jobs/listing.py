"""
Lists of Factus: one page, or all of them a page a turn.

``all`` reads on from ``page`` until the last page or a limit, whichever comes first; the result says where to go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import Final as Constant

from jobs import seen as s
from jobs.calls import Desk, Stop
from jobs.outcomes import Ending
from jobs.requests import get
from schemas import strict_json

MOST_ITEMS: Constant = 1000
MOST_BYTES: Constant = 1024 * 1024
"""Limits of one result with ``all``: an event is read into memory by everybody who follows the stream."""

_KEPT: Constant = ("total", "per_page", "current_page", "last_page", "from", "to")


async def pages(desk: Desk, path: str) -> Ending:
    """The items of a list under the payload's filters."""
    progress = desk.progress
    items: list[Any] = progress.get("items", [])
    page = progress.get("next_page") or desk.payload.get("page") or 1
    params = {**query(desk.payload.get("filters") or {}), "page": str(page)}
    rows, pagination = _page(desk, await desk.read(get(path, params)))
    known = {key for row in items if (key := _key(row))}
    # A row that moved to the next page while others came in is told once.
    items = [*items, *(row for row in rows if _key(row) not in known)]
    is_last = not rows or page >= _whole(pagination.get("last_page"), page)
    next_page = None if is_last else page + 1
    if desk.payload.get("all") and next_page and not _is_full(items):
        return desk.more({"items": items, "next_page": next_page}, f"Faltaban páginas por leer (desde la {next_page})")
    told = {name: pagination.get(name) for name in _KEPT}
    more = "" if is_last else f"; hay más desde la página {next_page}"
    message = f"Filas leídas: {len(items)}{more}."
    return desk.completed(message, {"items": items, "pagination": {**told, "next_page": next_page}})


async def whole(desk: Desk, path: str) -> Ending:
    """A list that Factus gives in one piece."""
    body = await desk.read(get(path))
    rows = body.get("data")
    items = rows if isinstance(rows, list) else []
    return desk.completed(f"Filas leídas: {len(items)}.", {"items": items, "pagination": None})


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


def _page(desk: Desk, body: Mapping[str, Any]) -> tuple[list[Any], Mapping[str, Any]]:
    data = body.get("data")
    rows = data.get("data") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(rows, list):
        raise Stop(desk.decide.after_call(s.Done()))
    pagination = data.get("pagination")
    return rows, pagination if isinstance(pagination, Mapping) else {}


def _whole(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


def _is_full(items: list[Any]) -> bool:
    return len(items) >= MOST_ITEMS or len(strict_json.dump({"items": items})) >= MOST_BYTES
