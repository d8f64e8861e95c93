"""
Numbering ranges as events of late have shown them: of a document the one that it was numbered from, and a list that
somebody had read. Nobody asks Factus for the page. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from schemas.names import ending_of
from worker.status.facts import RangeSeen

_LISTED: Final = frozenset({"numbering_range.list", "payroll_numbering_range.list"})
_OFF: Final = (0, False, "0", None)


@dataclass(frozen=True, slots=True)
class RangeFact:
    """A range, and the number that is next, or was taken last."""

    account: str
    document: str
    prefix: str
    first: int
    last: int
    n_left: int
    ends_on: date | None
    is_expired: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.account, self.prefix


def facts_of(event: Mapping[str, Any]) -> tuple[RangeFact, ...]:
    """What an event shows of ranges; nothing where it shows none that can be read."""
    account, data = event.get("account"), event.get("data")
    if not isinstance(account, str) or not isinstance(data, Mapping):
        return ()
    if ending_of(str(event.get("type"))) == "validated":
        found = [_of_document(account, event, data)]
    elif event.get("job_type") in _LISTED:
        rows = data.get("items")
        found = [_of_row(account, row) for row in rows if _is_active(row)] if isinstance(rows, list) else []
    else:
        found = []
    return tuple(one for one in found if one is not None)


def ranges_on(facts: Iterable[RangeFact], today: date) -> tuple[RangeSeen, ...]:
    """The same with the days that are left."""
    return tuple(
        RangeSeen(
            one.account,
            one.document,
            one.prefix,
            one.n_left,
            one.last - one.first + 1,
            one.ends_on,
            (one.ends_on - today).days if one.ends_on else 0,
            one.is_expired,
        )
        for one in facts
    )


def _of_document(account: str, event: Mapping[str, Any], data: Mapping[str, Any]) -> RangeFact | None:
    factus = data.get("factus")
    row = factus.get("numbering_range") if isinstance(factus, Mapping) else None
    number = data.get("number")
    if not isinstance(row, Mapping) or not isinstance(number, str):
        return None
    prefix = str(row.get("prefix") or "")
    taken = _whole(number.removeprefix(prefix))
    return _fact(account, str(event.get("job_type") or "").partition(".")[0], row, taken + 1 if taken else None)


def _of_row(account: str, row: Mapping[str, Any]) -> RangeFact | None:
    return _fact(account, str(row.get("document_name") or row.get("document") or ""), row, _whole(row.get("current")))


def _fact(account: str, document: str, row: Mapping[str, Any], following: int | None) -> RangeFact | None:
    first, last = _whole(row.get("from")), _whole(row.get("to"))
    if first is None or last is None or following is None or not first <= last:
        return None
    n_left = min(max(last - following + 1, 0), last - first + 1)
    # Only a resolution of DIAN's bounds the time: of notes Factus shows dates too, and they mean nothing.
    ends_on = _day(row.get("end_date")) if row.get("resolution_number") else None
    is_expired = ends_on is not None and row.get("is_expired") is True
    return RangeFact(account, document, str(row.get("prefix") or "-"), first, last, n_left, ends_on, is_expired)


def _is_active(row: object) -> bool:
    return isinstance(row, Mapping) and row.get("is_active") not in _OFF


def _whole(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _day(text: object) -> date | None:
    """``19-01-2030`` as Factus writes days, or ``2030-01-19``."""
    for form in ("%d-%m-%Y", "%Y-%m-%d"):
        try:
            return datetime.strptime(str(text)[:10], form).date()  # noqa: DTZ007  # a day has no zone
        except ValueError:
            continue
    return None
