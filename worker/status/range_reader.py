"""What is known of numbering ranges without asking Factus: what its answers have shown (``queue/range_notes.py``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import lru_cache

from redis.exceptions import NoPermissionError

from schemas.factus import BOGOTA
from worker.queue.range_notes import RangeNote, noted
from worker.status.facts import RangeSeen
from worker.status.stored import Asker
from worker.store.exchange import Command
from worker.store.inquiry import Inquiry
from worker.store.keys import Keys


def ranges_seen(asker: Asker, keys: Keys, accounts: Iterable[str], now_ms: int) -> Inquiry[tuple[RangeSeen, ...]]:
    """The ranges of the accounts that are in use, by account, family and prefix; none that this user may not read."""
    names = list(accounts)
    commands: list[Command] = [("HGETALL", keys.ranges(name)) for name in names]
    replies = yield commands
    hashes = [
        None if isinstance(reply, NoPermissionError) else asker.settled(command, reply)
        for command, reply in zip(commands, replies, strict=True)
    ]
    return ranges_of(((name, noted(flat or ())) for name, flat in zip(names, hashes, strict=True)), now_ms)


def ranges_of(notes: Iterable[tuple[str, Sequence[RangeNote]]], now_ms: int) -> tuple[RangeSeen, ...]:
    """The same from what was noted of accounts."""
    today = datetime.fromtimestamp(now_ms / 1000, BOGOTA).date()
    return tuple(
        _seen(name, note, today)
        for name, some in notes
        for note in sorted(some, key=lambda note: (note.family, note.prefix))
    )


@lru_cache(maxsize=1024)  # a range stays as it is for long, and a day is a day
def _seen(account: str, note: RangeNote, today: date) -> RangeSeen:
    ends_on = note.last_day
    return RangeSeen(
        account=account,
        document=note.family,
        prefix=note.prefix or "-",
        n_left=note.n_left,
        n_numbers=note.n_numbers,
        ends_on=ends_on,
        days_left=note.days_left(today) or 0,
        is_expired=note.is_expired,
    )
