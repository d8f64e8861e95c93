"""
The RADIAN events of a bill as Factus lists them, read once into values that can be told, kept and compared. Pure.

Factus shows them late, twice, in another order and with odd parts; what cannot be read is null, never an exception.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from jobs.document_verbs import radian_key
from schemas.factus import BOGOTA, shortened

ACKNOWLEDGEMENT: Final = "030"
CLAIM: Final = "031"
RECEIPT: Final = "032"
EXPRESS: Final = "033"
TACIT: Final = "034"
ACCEPTANCES: Final[Mapping[str, str]] = {EXPRESS: "express", TACIT: "tacit"}
"""Which kind of acceptance an event is, as events tell it."""

LAST_WORDS: Final = frozenset({CLAIM, *ACCEPTANCES})
"""After one of them nothing more happens to a bill."""


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """One event; times are RFC 3339 or null."""

    key: str
    event_code: str
    event_name: str | None
    cude: str | None
    occurred_at: str | None
    event_number: str | None

    def told(self) -> dict[str, Any]:
        """As ``radian.event`` and the evidence tell it."""
        return {name: value for name, value in asdict(self).items() if name != "key"}

    @property
    def occurred(self) -> datetime | None:
        return datetime.fromisoformat(self.occurred_at) if self.occurred_at else None


def read_events(rows: Iterable[Mapping[str, Any]]) -> tuple[SeenEvent, ...]:
    """What Factus listed, in its order."""
    return tuple(
        SeenEvent(
            key=radian_key(row),
            event_code=_plain(shortened(row["event_code"].strip())),
            event_name=_text(row.get("event_name")),
            cude=_text(row.get("cude")),
            occurred_at=_instant(row.get("effective_date"), row.get("effective_time")),
            event_number=_text(row.get("number")),
        )
        for row in rows
    )


def _text(value: Any) -> str | None:
    """A text, or a number as one; None for what is neither."""
    return _plain(shortened(str(value))) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _plain(text: str) -> str:
    """What can be written down: half a character that JSON may hold has no bytes."""
    return text.encode(errors="replace").decode()


def _instant(day: Any, time: Any) -> str | None:
    """
    RFC 3339 from ``2024-11-05`` and ``16:36:31``, Bogotá time unless it names its own (UBL writes ``16:36:31-05:00``);
    the day's beginning when only the day can be read: the term goes by the day. None when that cannot be read either.
    """
    for text in (f"{day}T{time}", f"{day}T00:00:00"):
        try:
            found = datetime.fromisoformat(text)
            there = found.astimezone(BOGOTA) if found.tzinfo else found.replace(tzinfo=BOGOTA)
        except (ValueError, OverflowError):  # the latter: another zone's hours before the first day or after the last
            continue
        return there.isoformat(timespec="seconds")
    return None
