"""
When backlogs will be done, for a scrape: a few accounts in turn are reckoned at each, for as long as it may take.

Whose turn comes next is known beforehand, so that what is asked for it goes along with everything else.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from jobs.estimate.forecast import forecast
from worker.metrics.account_reader import AccountRead
from worker.queue.load_reader import Asked, load_asked
from worker.settings.account import Account
from worker.store.inquiry import Inquiry, each
from worker.store.keys import Keys

MOST_S: Final = 0.002
"""For so long accounts are reckoned anew in one scrape, at least one; the others keep the instant of an earlier one."""

Ahead = Mapping[str, tuple[Collection[str], Asked]]
"""What was asked of the accounts whose turn it would be, by name; and which of their lanes had work then."""


class Estimates:
    """
    Keeps when backlogs will be done, from one scrape to the next.

    Args:
        accounts: Those that are configured here. Of others nobody knows the allowance.
        most_s: For so long accounts are reckoned in one scrape; one is, at least.
    """

    def __init__(self, keys: Keys, accounts: Mapping[str, Account], most_s: float = MOST_S) -> None:
        self._keys = keys
        self._accounts = accounts
        self._most_s = most_s
        self._reckoned_at: dict[str, float] = {}
        self._each_s = 0.001
        """How long it took of late to reckon one account."""
        self._next: Sequence[AccountRead] = ()
        self.done: dict[str, float | None] = {}
        """When the backlog of a lane will be done, ms; None where nobody knows, and nothing where it was not reckoned
        yet."""

    def ahead(self) -> Inquiry[Ahead]:
        """What there is to know of the accounts whose turn it is, as far as the last scrape could tell."""
        asked = yield from self._asked(self._next)
        return asked

    def reckon(self, accounts: Iterable[AccountRead], ahead: Ahead, now_ms: int) -> Inquiry[None]:
        """Reckon those first that were reckoned longest ago, for a few milliseconds."""
        busy = [one for one in accounts if one.name in self._accounts and one.is_busy]
        lanes = {lane.name for one in busy for lane in one.lanes}
        self.done = {name: at for name, at in self.done.items() if name in lanes}
        self._reckoned_at = {one.name: self._reckoned_at.get(one.name, 0.0) for one in busy}
        chosen = self._in_turn(busy)
        more = yield from self._asked([one for one in chosen if not _covers(ahead, one)])
        asked = {**ahead, **more}
        began = time.process_time()
        for account in chosen:
            self._reckon(account, asked[account.name][1], now_ms)
        if chosen:
            self._each_s = (self._each_s + max((time.process_time() - began) / len(chosen), 1e-5)) / 2
        self._next = self._in_turn(busy)

    def _in_turn(self, busy: Iterable[AccountRead]) -> Sequence[AccountRead]:
        first = sorted(busy, key=lambda one: self._reckoned_at[one.name])
        return first[: max(int(self._most_s / self._each_s), 1)]

    def _asked(self, accounts: Sequence[AccountRead]) -> Inquiry[Ahead]:
        lanes = {lane.name for one in accounts for lane in one.lanes}
        n_later = {lane.name: lane.n_delayed for one in accounts for lane in one.lanes}
        found = yield from each(load_asked(self._keys, self._accounts[one.name], lanes, n_later) for one in accounts)
        return {one.name: (lanes, asked) for one, asked in zip(accounts, found, strict=True)}

    def _reckon(self, account: AccountRead, asked: Asked, now_ms: int) -> None:
        reading = asked.reading(now_ms)
        courses = forecast(reading.load)
        for lane in account.lanes:
            course = courses.get(lane.name)
            self.done[lane.name] = None if course is None or lane.name in reading.held else course.done_ms
        self._reckoned_at[account.name] = time.monotonic()


def _covers(ahead: Ahead, account: AccountRead) -> bool:
    """Whether an account was asked for with every lane in which it has work now."""
    lanes, _ = ahead.get(account.name, ((), None))
    return all(lane.name in lanes for lane in account.lanes)
