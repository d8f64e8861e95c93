"""
The newest events of all streams that consumers read, and the newest dead letters. A hand may have written there: what
is missing is empty.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from schemas import strict_json
from worker.http.feed import Published, published
from worker.http.marks import Place
from worker.http.page.look_policy import LookPolicy
from worker.http.page.seen import Happened, LetterSeen
from worker.store.inquiry import Inquiry, each
from worker.store.keys import Keys

_PAGE: Final = 10

Entry = tuple[bytes, Mapping[bytes, bytes]]


class EventMemory:
    """Events that were read before: an event never changes."""

    def __init__(self, most: int, largest: int) -> None:
        self._most = most
        self._largest = largest
        self._kept: OrderedDict[tuple[str, Place], Happened] = OrderedDict()

    def keep(self, stream: str, rows: Sequence[Entry]) -> None:
        """Entries as Redis gave them, the newest first."""
        for one in reversed(published(rows)):
            self._keep(stream, one)

    def _keep(self, stream: str, one: Published) -> None:
        key = (stream, one.place)
        if key not in self._kept:
            self._kept[key] = happened(one, self._largest)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def all(self) -> tuple[Happened, ...]:
        """The newest first."""
        return tuple(sorted(self._kept.values(), key=lambda one: one.place, reverse=True))


def events_seen(
    keys: Keys, own: Sequence[str], memory: EventMemory, policy: LookPolicy
) -> Inquiry[tuple[Happened, ...]]:
    """
    The newest events of all streams, newest first.

    Args:
        own: The accounts with streams of their own.
    """
    common = keys.outcomes(())
    of_accounts = [stream for name in own[: policy.own_streams] for stream in (keys.results(name), keys.radian(name))]
    pages = yield from each(
        [
            *(_newest(stream, policy.events, policy.most_bytes) for stream in common),
            *(_newest(stream, policy.events_each, policy.most_bytes) for stream in of_accounts),
        ]
    )
    for stream, found in zip([*common, *of_accounts], pages, strict=True):
        for page in found:
            memory.keep(stream, page)
    return memory.all()


def letters_seen(keys: Keys, policy: LookPolicy) -> Inquiry[tuple[LetterSeen, ...]]:
    """The newest dead letters, newest first."""
    pages = yield from _newest(keys.dead(), policy.letters, policy.most_bytes)
    return tuple(letter(entry, fields, policy.largest_parsed) for page in pages for entry, fields in page)


def _newest(stream: str, most: int, most_bytes: int) -> Inquiry[list[list[Entry]]]:
    """The newest entries of a stream, in pages: one may have a megabyte."""
    pages: list[list[Entry]] = []
    end, n, n_bytes = "+", 0, 0
    while n < most and n_bytes < most_bytes:
        (reply,) = yield [("XREVRANGE", stream, end, "-", "COUNT", min(_PAGE, most - n))]
        if isinstance(reply, Exception):
            return pages  # the key holds something else, and status says so
        rows: list[Entry] = [(entry, dict(zip(flat[::2], flat[1::2], strict=True))) for entry, flat in reply]
        pages.append(rows)
        n += len(rows)
        n_bytes += sum(len(value) for _, fields in rows for value in fields.values())
        if len(rows) < _PAGE:
            break
        end = f"({rows[-1][0].decode()}"
    return pages


def happened(one: Published, largest: int) -> Happened:
    """An event as a line tells of it."""
    event = _object(one.raw, largest)

    def text(name: str) -> str:
        value = event.get(name)
        return value if isinstance(value, str) else ""

    return Happened(
        place=one.place,
        type=one.type or text("type"),
        account=one.account or text("account"),
        job_id=one.job_id,
        job_type=text("job_type"),
        reference_code=text("reference_code"),
        batch=text("batch"),
        message=text("message"),
        success=event.get("success") is not False,
    )


def letter(entry: bytes, fields: Mapping[bytes, bytes], largest: int) -> LetterSeen:
    """A dead letter as a line tells of it."""
    event = _object(fields.get(b"errors", b""), largest)
    errors = event.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    ms = entry.partition(b"-")[0]

    def text(name: str) -> str:
        return fields.get(name.encode(), b"").decode(errors="replace")

    return LetterSeen(
        at_ms=int(ms) if ms.isdigit() else 0,
        reason=text("reason"),
        account=text("account"),
        job_id=text("job_id") or text("entry"),
        job_type=str(event.get("job_type") or ""),
        reference_code=str(event.get("reference_code") or ""),
        message=str(first.get("message") or event.get("message") or ""),
    )


def _object(raw: bytes, largest: int) -> dict[str, Any]:
    """The JSON of an entry; of a large one what stands at its top, of what is none nothing."""
    try:
        found = strict_json.parse(raw) if len(raw) <= largest else strict_json.top_level(raw[:largest])
    except strict_json.JsonRefused:
        return {}
    return found if isinstance(found, dict) else {}
