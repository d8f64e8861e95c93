"""
What Factus last said of numbering ranges, noted where an answer said so: for ``status``, the page and metrics, which
make no call of their own.

A range shows in what is listed or read as a job (``numbering_range.list`` ...), and in every document that was
validated. What is noted are a number and a date; it is bounded, and no job depends on it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.families import FAMILIES
from jobs.range_ends import RangeEnd, range_end
from schemas.factus import BOGOTA
from schemas.names import family_of, issues, verb_of
from worker.guard import redis_word
from worker.store.connection import command
from worker.store.keys import Keys

log = structlog.get_logger()

_MOST: Final = 50
"""Ranges of an account: few have more than ten."""

_LONGEST_PREFIX: Final = 16
_KEPT_MS: Final = 400 * 86_400_000
_QUIET_S: Final = 30.0
"""A range that documents move on is noted again after so long."""

_RANGES: Final = ("numbering_range", "payroll_numbering_range")
_VERBS: Final = ("list", "get", "create", "update", "set_status")
_FAMILY_OF: Final = {
    "21": "invoice",
    "factura de venta": "invoice",
    "22": "credit_note",
    "nota crédito": "credit_note",
    "23": "debit_note",
    "nota débito": "debit_note",
    "24": "support_document",
    "documento soporte": "support_document",
    "25": "adjustment_note",
    "nota de ajuste documento soporte": "adjustment_note",
    "26": "payroll",
    "nómina": "payroll",
    "nómina electrónica": "payroll",
    "27": "payroll_adjustment",
    "nota de ajuste nómina electrónica": "payroll_adjustment",
}
OTHER: Final = "other"
"""The family of a range whose document is none of ours: paper bills."""


_EXPIRED: Final = "!"


@dataclass(frozen=True, slots=True)
class RangeNote:
    """
    One range. ``n_left`` of ``n_numbers`` are left, and it ends at ``expires_ms``; None where Factus does not say.
    ``is_expired`` is Factus's own word.
    """

    family: str
    prefix: str
    is_active: bool = True
    n_left: int | None = None
    expires_ms: int | None = None
    n_numbers: int | None = None
    is_expired: bool = False

    @property
    def last_day(self) -> date | None:
        """Its last day, in Bogotá."""
        return None if self.expires_ms is None else _day_of(max(self.expires_ms - 1, 0))

    def days_left(self, today: date) -> int | None:
        """Until its last day; below 0 when it is over, None where nothing bounds it."""
        last_day = self.last_day
        left = None if last_day is None else (last_day - today).days
        return min(-1, left or -1) if self.is_expired else left

    def end(self, today: date) -> RangeEnd:
        """What is to be told of it."""
        return range_end(self.n_left, self.n_numbers, self.days_left(today))

    def to_text(self) -> str:
        figures = (self.n_left, self.expires_ms, self.n_numbers)
        told = ":".join("" if one is None else str(one) for one in figures)
        return told + (f":{_EXPIRED}" if self.is_expired else "")

    @classmethod
    def from_text(cls, field: str, text: str) -> RangeNote | None:
        """What was noted; None for what no version of ours has written. The first had two figures."""
        family, _, prefix = field.partition("/")
        *figures, last = text.split(":")
        is_expired = last == _EXPIRED
        if not is_expired:
            figures.append(last)
        if family not in FAMILIES and family != OTHER:
            return None
        if not 2 <= len(figures) <= 3 or not all(map(_is_figure, figures)):
            return None
        n_left, expires_ms, n_numbers = [int(one) if one else None for one in (*figures, "")[:3]]
        return cls(family, prefix[:_LONGEST_PREFIX], True, n_left, expires_ms, n_numbers, is_expired)


@lru_cache(maxsize=1024)
def _day_of(at_ms: int) -> date:
    """The day of an instant in Bogotá. A scrape and a look ask for the same few over and over."""
    return datetime.fromtimestamp(at_ms / 1000, BOGOTA).date()


def _is_figure(part: str) -> bool:
    return part == "" or (part.isascii() and part.isdecimal() and len(part) < 16)


def noted(flat: Sequence[bytes]) -> list[RangeNote]:
    """The notes of an account, from fields and texts one after the other; at most a hundred."""
    rows = [*zip(flat[::2], flat[1::2], strict=True)][: 2 * _MOST]
    return [one for one in [_noted(*row) for row in rows] if one is not None]


@lru_cache(maxsize=1024)
def _noted(name: bytes, text: bytes) -> RangeNote | None:
    return RangeNote.from_text(name.decode(errors="replace"), text.decode(errors="replace"))


def ranges_in(job_type: str, data: Mapping[str, Any] | None) -> list[RangeNote]:
    """The ranges of which the good end of a job tells, at most 50; whatever Factus wrote there."""
    return list(_ranges_in(job_type, data or {}))[:_MOST]


def _ranges_in(job_type: str, data: Mapping[str, Any]) -> Iterator[RangeNote]:
    if issues(job_type):
        shown = _shown_in(data)
        if shown is not None and (seen := _of_document(family_of(job_type), shown, data.get("number"))):
            yield seen
    elif family_of(job_type) in _RANGES and verb_of(job_type) in _VERBS:
        rows = data.get("items") if verb_of(job_type) == "list" else [data.get("factus")]
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, Mapping) and (listed := _of_row(row)):
                yield listed


def _shown_in(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a document that was issued says of its range."""
    document = data.get("factus")
    shown = document.get("numbering_range") if isinstance(document, Mapping) else None
    return shown if isinstance(shown, Mapping) else None


def _of_row(row: Mapping[str, Any]) -> RangeNote | None:
    prefix = _prefix(row.get("prefix"))
    if prefix is None:
        return None
    is_active = str(row.get("is_active", 1)).casefold() not in ("0", "false")
    family = _FAMILY_OF.get(str(row.get("document")).strip().casefold(), OTHER)
    current = _number(row.get("current"))
    return _note(family, prefix, row, None if current is None else current - 1, is_active=is_active)


def _of_document(family: str, shown: Mapping[str, Any], number: object) -> RangeNote | None:
    """The range of a document that was validated: its number is the last one that is used, as far as we know."""
    prefix = _prefix(shown.get("prefix"))
    if prefix is None or not isinstance(number, str) or not number.startswith(prefix):
        return None
    return _note(family, prefix, shown, _number(number.removeprefix(prefix)))


def _note(family: str, prefix: str, shown: Mapping[str, Any], used: int | None, *, is_active: bool = True) -> RangeNote:
    """A range of which *used* is the last number that is taken."""
    first, last = _number(shown.get("from")), _number(shown.get("to"))
    # Only a resolution of DIAN's bounds the time: of notes Factus shows dates too, and they mean nothing.
    is_bound = bool(shown.get("resolution_number"))
    return RangeNote(
        family,
        prefix,
        is_active,
        n_left=None if last is None or used is None else max(last - used, 0),
        expires_ms=_end_of(shown.get("end_date")) if is_bound else None,
        n_numbers=None if first is None or last is None or last < first else last - first + 1,
        is_expired=is_bound and shown.get("is_expired") is True,
    )


def _prefix(told: object) -> str | None:
    return told if isinstance(told, str) and len(told) <= _LONGEST_PREFIX and told.isprintable() else None


def _number(told: object) -> int | None:
    text = str(told)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _end_of(told: object) -> int | None:
    """The end of a day that Factus writes either way round; ms."""
    if not isinstance(told, str):
        return None
    for form in ("%Y-%m-%d", "%d-%m-%Y"):
        try:
            day = datetime.strptime(told[:10], form).date()  # noqa: DTZ007 - a day, which has a zone below
        except ValueError:
            continue
        return _midnight_after(day)
    return None


def _midnight_after(day: date) -> int | None:
    try:
        ends = datetime(day.year, day.month, day.day, tzinfo=BOGOTA) + timedelta(days=1)
    except OverflowError:
        return None
    return max(round(ends.timestamp() * 1000), 0)


class RangeNotes:
    """Notes ranges; the part of one process in it."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._noted_at: dict[tuple[str, str], float] = {}

    async def note(self, account: str, job_type: str, data: Mapping[str, Any] | None) -> None:
        """Note what the good end of a job says of ranges. Never fails: what is not noted is noted with the next."""
        if issues(job_type) and not self._is_due(account, family_of(job_type), _shown_in(data or {})):
            return
        try:
            if seen := ranges_in(job_type, data):
                await self._write(account, seen)
        except RedisError as exc:
            log.debug("redis.unavailable", task="ranges", detail=redis_word(exc))

    def _is_due(self, account: str, family: str, shown: Mapping[str, Any] | None) -> bool:
        """Whether the range of a document was last noted so long ago that it is read at all."""
        prefix = _prefix(shown.get("prefix")) if shown else None
        if prefix is None:
            return False
        place, now = (account, f"{family}/{prefix}"), time.monotonic()
        if now - self._noted_at.get(place, -_QUIET_S) < _QUIET_S:
            return False
        if len(self._noted_at) > _MOST * 100:
            self._noted_at.clear()
        self._noted_at[place] = now
        return True

    async def _write(self, account: str, seen: list[RangeNote]) -> None:
        key = self._keys.ranges(account)
        if int(await command(self._redis, "HLEN", key)) > 2 * _MOST:
            await self._redis.delete(key)
        async with self._redis.pipeline(transaction=False) as pipe:
            for one in seen:
                field = f"{one.family}/{one.prefix}"
                if one.is_active:
                    pipe.hset(key, field, one.to_text())
                else:
                    pipe.hdel(key, field)
            pipe.pexpire(key, _KEPT_MS)
            await pipe.execute()
