"""
An account's lanes on a clock of their own: what the service does with them, in small, to see what an estimate is worth.

Documents of a family go one at a time, all requests through one ring, calls after nine documents. Written from the
promises, not from the estimate: nothing in here knows how that reckons.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from jobs.estimate.course import Course
from jobs.estimate.load import AccountLoad, LaneLoad, Release, Seen, others_per_ms, pace_of

_NINE = 9


@dataclass
class Family:
    """A lane of documents. ``takes_ms`` draws how long the next create takes."""

    name: str
    n_waiting: int
    takes_ms: Callable[[], float]
    delayed: list[tuple[float, int]] = field(default_factory=list)
    n_in_flight: int = 0
    started_ms: float = 0.0
    slot_ms: float = 0.0
    seen: list[Seen] = field(default_factory=list)
    done_ms: float = 0.0


class Queue:
    """One account. Run it to its end; :attr:`looks` has what could be seen of it on the way."""

    def __init__(
        self,
        families: Sequence[Family],
        *,
        limit: int = 80,
        window_ms: int = 60_000,
        calls: Sequence[float] = (),
        calls_take_ms: float = 300.0,
        holds: Sequence[tuple[float, float]] = (),
        used_ms: Sequence[float] = (),
        start_ms: int = 1_790_000_000_000,
    ) -> None:
        """
        Args:
            calls: When each call is pushed, ms from the start.
            holds: From when until when the account is held, ms from the start.
            used_ms: Before how many ms requests were made already.
        """
        self.start_ms = start_ms
        self.families = list(families)
        self._limit, self._window = limit, window_ms
        self._grants = sorted(-one for one in used_ms)
        self._calls, self._calls_take_ms = sorted(calls), calls_take_ms
        self._n_calls_waiting, self._n_calls_in_flight, self._passed = 0, 0, 0
        self._holds = holds
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self.now = self._last_slot = 0.0
        self.looks: list[tuple[float, AccountLoad]] = []
        self.calls_done_ms = 0.0

    def run(self, look_at_ms: Sequence[float] = ()) -> None:
        """To the end of all documents and calls, with looks on the way."""
        for family in self.families:
            self._at(0.0, lambda family=family: self._next(family))
            for at_ms, n in family.delayed:
                self._at(at_ms, lambda family=family, n=n, at_ms=at_ms: self._release(family, at_ms, n))
        for at_ms in self._calls:
            self._at(at_ms, self._call_comes)
        for at_ms in look_at_ms:
            self._at(at_ms, self._look)
        while self._events:
            self.now, _, action = heapq.heappop(self._events)
            action()

    def _at(self, at_ms: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (at_ms, next(self._order), action))

    # -- documents -------------------------------------------------------------------------------------------------
    def _release(self, family: Family, at_ms: float, n: int) -> None:
        family.delayed.remove((at_ms, n))
        family.n_waiting += n
        self._next(family)

    def _next(self, family: Family) -> None:
        if family.n_in_flight or not family.n_waiting:
            return
        held, free = self._held_until(), max(self._free_at(), self._slot(family))
        if max(held, free) > self.now:
            self._at(max(held, free), lambda: self._next(family))
            return
        family.slot_ms = 0.0
        family.n_waiting -= 1
        family.n_in_flight, family.started_ms = 1, self.now
        self._passed += 1
        self._send(lambda: self._sent(family))
        self._look_at_calls()

    def _sent(self, family: Family) -> None:
        gap, sent, takes = self.now - family.started_ms, self.now, family.takes_ms()
        self._at(self.now + takes, lambda: self._done(family, sent, takes, gap))

    def _done(self, family: Family, sent: float, takes: float, gap: float) -> None:
        family.n_in_flight = 0
        family.seen.insert(0, Seen(round(self.start_ms + sent), round(takes), round(gap)))
        family.done_ms = self.now
        self._next(family)
        self._look_at_calls()

    def _slot(self, family: Family) -> float:
        """When the lane may take a place (docs/decisions/0026): lanes that wait get instants one after the other."""
        if family.slot_ms:
            return family.slot_ms
        n_waiting, free = family.n_waiting, self._free_at()
        within = [at for at in self._grants if at > self.now - self._window]
        n_free = self._limit - len(within)
        release = (within[0] if within else self.now - self._window) + self._window - self.now
        even = self._window / self._limit if n_waiting > 2 * self._limit else 2.0
        if n_waiting <= n_free:
            spacing = 0.0
        elif n_waiting > 2 * self._limit:
            spacing = max(even, release / n_free if n_free else 0.0)
        else:
            spacing = 0.0 if n_free > self._limit / 10 or n_free == 0 else release / n_free
        if spacing == 0.0 and free <= self.now:
            return 0.0
        slot = min(self._last_slot + max(spacing, 2.0), max(self.now + release, self._last_slot) + even)
        family.slot_ms = self._last_slot = max(self.now, slot, free + 2.0 if free > self.now else 0.0)
        return family.slot_ms

    # -- the allowance ---------------------------------------------------------------------------------------------
    def _free_at(self) -> float:
        return self._grants[-self._limit] + self._window if len(self._grants) >= self._limit else 0.0

    def _send(self, action: Callable[[], None]) -> None:
        free = self._free_at()
        if free > self.now:
            self._at(free, lambda: self._send(action))
            return
        self._grants.append(self.now)
        del self._grants[: -self._limit]
        action()

    def _held_until(self) -> float:
        return max((until for since, until in self._holds if since <= self.now < until), default=0.0)

    # -- calls -----------------------------------------------------------------------------------------------------
    def _call_comes(self) -> None:
        self._n_calls_waiting += 1
        self._look_at_calls()

    def _look_at_calls(self) -> None:
        n_documents = sum(one.n_waiting for one in self.families)
        used = sum(at > self.now - self._window for at in self._grants)
        has_room = self._limit - used > n_documents
        may = n_documents == 0 or has_room or self._passed >= _NINE
        if not (self._n_calls_waiting and may and self._n_calls_in_flight < 4):
            return
        held = max(self._held_until(), self._free_at())
        if held > self.now:
            self._at(held, self._look_at_calls)
            return
        self._n_calls_waiting -= 1
        self._n_calls_in_flight += 1
        self._passed = 0
        self._send(lambda: self._at(self.now + self._calls_take_ms, self._call_done))

    def _call_done(self) -> None:
        self._n_calls_in_flight -= 1
        self.calls_done_ms = self.now
        self._look_at_calls()

    # -- what can be seen ------------------------------------------------------------------------------------------
    def _look(self) -> None:
        self.looks.append((self.now, self.load()))

    def load(self) -> AccountLoad:
        now_ms = round(self.start_ms + self.now)
        under_way = [one.started_ms for one in self.families if one.n_in_flight]
        grants = tuple(round(self.start_ms + at) for at in reversed(self._grants))
        until_ms = round(self.start_ms + min(under_way)) - 1 if under_way else now_ms
        sent = [one.sent_at_ms for family in self.families for one in family.seen[:300]]
        lanes = [
            LaneLoad(
                one.name,
                one.n_waiting,
                one.n_in_flight,
                tuple(Release(round(self.start_ms + at), n) for at, n in one.delayed),
                pace_of(one.seen[:300]),
                n_lately=sum(seen.sent_at_ms > until_ms - self._window for seen in one.seen[:300]),
            )
            for one in self.families
        ]
        lanes.append(LaneLoad("calls", self._n_calls_waiting, self._n_calls_in_flight, is_calls=True, width=4))
        held = self._held_until()
        return AccountLoad(
            now_ms,
            self._limit,
            self._window,
            tuple(lanes),
            grants,
            round(self.start_ms + held) if held else 0,
            others_per_ms(grants, sent, until_ms, self._window),
        )


def lognormal(median_ms: float, sigma: float, seed: int) -> Callable[[], float]:
    """Creates that take *median_ms* in the middle, some much longer."""
    draws = random.Random(seed)
    return lambda: median_ms * draws.lognormvariate(0.0, sigma)


def errors_at_half_time(
    make: Callable[[], Queue], forecast: Callable[[AccountLoad], dict[str, Course]]
) -> dict[str, tuple[float, float]]:
    """
    Of each family: how far the estimate was off at half time, as a share of the time then left, and that time (ms).

    The queue is run twice: only its end tells when half time was.
    """
    first, again = make(), make()
    first.run()
    again.run(sorted(one.done_ms / 2 for one in first.families))
    found = {}
    for family in again.families:
        at_ms, load = min(again.looks, key=lambda look: abs(look[0] - family.done_ms / 2))
        done_ms = forecast(load)[family.name].done_ms
        assert done_ms is not None, f"{family.name} is done by half time"
        left_ms = family.done_ms - at_ms
        found[family.name] = ((done_ms - again.start_ms - family.done_ms) / left_ms, left_ms)
    return found
