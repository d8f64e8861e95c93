"""
What an operator is told of a day: that documents will miss it, while something can be done, and that they will not.

Pure: what will become of the day is an argument (``worker/queue/day_reader.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from jobs.events import operator_event
from schemas.contract.event import ErrorDetail, Event

AGAIN_AFTER_MS: Final = 60_000
"""It is told at most so often that documents will miss their day."""

MOST_REFERENCES: Final = 100

Notice = Literal["at_risk", "safe"]


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of a day so far; nothing by default."""

    n_told: int = 0
    is_at_risk: bool = False
    will_miss: int = 0
    told_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class DayOutlook:
    """What will become of an account's day, by the estimate. ``references`` are in the order of their sending."""

    account: str
    day: str
    ends_ms: int
    waiting: int
    will_miss: int
    expected_ms: float | None
    pace_per_minute: float
    references: tuple[str, ...] = ()
    batches: tuple[str, ...] = ()


def notice_due(told: Told, will_miss: int, now_ms: int, ends_ms: int) -> Notice | None:
    """
    Whether somebody has to be told something just now.

    Again only when twice as many will miss their day as was told, and at most once a minute; what a clock that was set
    back has told in the future counts as long ago.
    """
    if now_ms >= ends_ms:
        return None
    if told.is_at_risk and will_miss == 0:
        return "safe"
    since_ms = now_ms - told.told_at_ms
    is_soon = bool(told.told_at_ms) and 0 <= since_ms < AGAIN_AFTER_MS
    is_news = will_miss > 0 if not told.is_at_risk else will_miss >= 2 * max(told.will_miss, 1)
    return "at_risk" if is_news and not is_soon else None


def day_event(notice: Notice, seen: DayOutlook, told: Told, zone: ZoneInfo, now: datetime) -> Event:
    """``day.at_risk`` or ``day.safe``: the same event however often it is built for the same time of telling."""
    data: dict[str, Any] = {
        "day": seen.day,
        "ends_at": _instant(seen.ends_ms, zone),
        "expected_at": None if seen.expected_ms is None else _instant(seen.expected_ms, zone),
        "waiting": seen.waiting,
        "will_miss": seen.will_miss,
        "references": list(seen.references),
        "batches": list(seen.batches),
        "pace_per_minute": round(seen.pace_per_minute, 1),
    }
    id_ = f"{seen.account}/{seen.day}/day.{notice}/{told.n_told + 1}"
    if notice == "safe":
        text = f"Todos los documentos que la cuenta {seen.account} debe emitir el {seen.day} alcanzan a salir ese día."
        return operator_event(id_, "day.safe", seen.account, now, text, data, None)
    text = (
        f"{seen.will_miss} de los {seen.waiting} documentos que la cuenta {seen.account} debe emitir el {seen.day} "
        "no alcanzan a salir ese día."
    )
    error = ErrorDetail(code="day.at_risk", message=text, field=None)
    return operator_event(id_, "day.at_risk", seen.account, now, text, data, (error,))


def _instant(at_ms: float, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at_ms / 1000, zone).isoformat(timespec="seconds")
