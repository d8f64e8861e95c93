"""
What will become of an account's load: the course of each lane, from the allowance, the pace of the lanes and what waits
for an instant that is known.

A phase lasts as long as the same lanes go. Within it requests leave one after the other, as fast as the lanes make them
and the ring of the allowance lets them; after a full ring the pattern repeats, so whole rings are leapt over: the cost
does not grow with what waits. The same rules as in ``worker/store/lua/lib``: lanes take turns at the allowance, a long
backlog is spread evenly over the window, calls get one start in ten while documents wait, those of low priority none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil, inf
from typing import Final

from jobs.estimate.course import Course
from jobs.estimate.load import AccountLoad, LaneLoad, Release

_MOST_STEPS_A_RING: Final = 400
"""A larger allowance is counted in bundles of requests."""

_MOST_PHASES: Final = 400
_CALLS_SHARE: Final = 0.1
"""``MOST_PASSED`` of precedence.lua: one call after nine documents."""

_LARGEST_OTHERS: Final = 0.9
_LONG: Final = 2
"""``LONG`` of pace.lua: a backlog of more windows is spread evenly."""

_MINUTE_MS: Final = 60_000.0


def forecast(load: AccountLoad) -> dict[str, Course]:
    """The course of each lane of an account, by its name."""
    return _Forecast(load).run()


@dataclass(slots=True)
class _Lane:
    """A lane on its way."""

    load: LaneLoad
    hold_until_ms: float
    n_ready: float
    releases: deque[Release]
    n_started: float = 0.0
    points: list[tuple[float, float]] = field(default_factory=list)
    rate: float | None = None
    done_ms: float | None = None

    @property
    def most(self) -> float:
        """Jobs for each ms, where nothing but the lane itself holds them up."""
        return self.load.width / self.load.pace.mean_ms

    @property
    def is_over(self) -> bool:
        return self.n_ready < _LEAST and not self.releases


_LEAST: Final = 1e-6


class _Forecast:
    """One forecast: a clock that leaps from change to change."""

    def __init__(self, load: AccountLoad) -> None:
        self._load = load
        self._now = float(load.now_ms)
        self._bundle = ceil(load.limit / _MOST_STEPS_A_RING)
        self._ring = _ring(load, self._bundle)
        self._others = min(load.others_per_ms * load.window_ms / load.limit, _LARGEST_OTHERS)
        self._lanes = [_lane(one, load) for one in load.lanes]
        self._documents = [one for one in self._lanes if not one.load.is_calls]
        self._calls = [one for one in self._lanes if one.load.is_calls]
        self._last_send = -inf

    def run(self) -> dict[str, Course]:
        for one in self._lanes:
            one.points.append((self._now, 0.0))
        for _ in range(_MOST_PHASES):
            self._release()
            active = self._active()
            if active:
                self._phase(active)
            elif (following := self._next_change()) < inf:
                self._now = max(following, self._now)
            else:
                break
        return {one.load.name: self._course(one) for one in self._lanes}

    # -- what goes -------------------------------------------------------------------------------------------------
    def _release(self) -> None:
        for one in self._lanes:
            while one.releases and one.releases[0].at_ms <= self._now:
                one.n_ready += one.releases.popleft().n
                one.points.append((self._now, one.n_started))

    def _active(self) -> list[_Lane]:
        """The lanes that go just now: documents, or calls where no document waits."""

        def going(lanes: Iterable[_Lane]) -> list[_Lane]:
            return [one for one in lanes if one.n_ready >= _LEAST and one.hold_until_ms <= self._now]

        return going(self._documents) or going(self._calls)

    def _next_change(self) -> float:
        """When other lanes will go than do now, but for one of them having nothing left."""
        times = [one.hold_until_ms for one in self._lanes if one.n_ready >= _LEAST and one.hold_until_ms > self._now]
        times += [one.releases[0].at_ms for one in self._lanes if one.releases]
        return min(times, default=inf)

    @property
    def _most_at_once(self) -> float:
        """What waits in a lane beyond this is spread over the window."""
        return float(_LONG * self._load.limit)

    # -- one phase -------------------------------------------------------------------------------------------------
    def _phase(self, active: list[_Lane]) -> None:
        """Go on until one of these lanes has nothing left, or others go."""
        rate = sum(one.most for one in active)
        others, n_calls = self._beside(active, rate)
        own = 1.0 - others
        rates = _shared(active, own * self._load.limit / self._load.window_ms)
        shares = [one / sum(rates) for one in rates]
        n_jobs = min(one.n_ready / share for one, share in zip(active, shares, strict=True))
        if over := [
            (one.n_ready - self._most_at_once) / share
            for one, share in zip(active, shares, strict=True)
            if one.n_ready > self._most_at_once + 1 and not one.load.is_calls
        ]:
            rate, n_jobs = sum(rates), min(n_jobs, *over)
        if n_calls:
            n_jobs = min(n_jobs, max(n_calls / _CALLS_SHARE * own, 1.0))
        for one, own_rate in zip(active, rates, strict=True):
            one.points.append((self._now, one.n_started))
            if one.rate is None:
                one.rate = own_rate
        marks = self._send(n_jobs, own / rate, own, self._next_change(), self._delay(active))
        n_sent = 0.0
        for at_ms, n in marks:
            for one, share in zip(active, shares, strict=True):
                one.points.append((at_ms, one.n_started + n * share))
            n_sent = n
        for one, share in zip(active, shares, strict=True):
            one.n_started += n_sent * share
            one.n_ready -= n_sent * share
            if one.is_over:
                one.done_ms = self._now + one.load.pace.mean_ms
        if n_calls and self._calls:
            n_taken = min(n_sent / own * _CALLS_SHARE, n_calls)
            self._calls[0].n_ready -= n_taken
            self._calls[0].n_started += n_taken
            self._calls[0].points.append((self._now, self._calls[0].n_started))
            if self._calls[0].is_over:
                self._calls[0].done_ms = self._now + self._calls[0].load.pace.mean_ms

    def _beside(self, active: list[_Lane], rate: float) -> tuple[float, float]:
        """
        Which share of the allowance others take meanwhile, and how many calls wait that have a part in it.

        What was taken of late goes on, but for what a long line of calls has taken: that ends with the line.
        """
        allowed = self._load.limit / self._load.window_ms
        waiting = self._calls[0] if self._calls and not active[0].load.is_calls else None
        n_calls = max(waiting.n_ready - waiting.load.n_low, 0.0) if waiting else 0.0
        if waiting is None or n_calls < 1.0 or rate <= allowed * (1 - self._others):
            return self._flow(is_line=self._is_line), 0.0
        if self._is_line:
            return min(self._flow(is_line=True) + _CALLS_SHARE, _LARGEST_OTHERS), n_calls
        return max(self._others, _CALLS_SHARE), n_calls

    @property
    def _is_line(self) -> bool:
        """Whether so many calls wait that they came at once, and not one by one."""
        most = 2 * _CALLS_SHARE * self._load.limit
        return any(one.load.n_waiting - one.load.n_low > most for one in self._calls)

    def _flow(self, *, is_line: bool) -> float:
        return max(self._others - _CALLS_SHARE, 0.0) if is_line else self._others

    def _delay(self, active: list[_Lane]) -> float:
        """How long the first start waits for what is under way."""
        if self._now > self._load.now_ms:
            return 0.0
        waits = [one.load.pace.mean_ms / 2 if one.load.n_in_flight >= one.load.width else 0.0 for one in active]
        return min(waits)

    def _send(
        self, n_jobs: float, every_ms: float, own: float, until: float, delay_ms: float
    ) -> list[tuple[float, float]]:
        """
        Send until *n_jobs* have gone or time has come; the clock stands at the end of that.

        Args:
            every_ms: Between two requests.
            own: The share of the requests that are these jobs.

        Returns:
            Instants, and how many had gone by then.
        """
        window, bundle, n_steps = self._load.window_ms, self._bundle, len(self._ring)
        n_a_step = own * bundle
        earliest = max(self._now + delay_ms, self._last_send + every_ms)
        marks: list[tuple[float, float]] = []
        n, began, i = 0.0, self._now, 0
        while n < n_jobs - _LEAST:
            send = max(earliest, self._ring[0] + window)
            if send >= until:
                self._now = until
                marks.append((until, n))
                return marks
            # To the last of a bundle.
            send += every_ms * max(min(bundle, (n_jobs - n) / own) - 1, 0)
            self._ring.popleft()
            self._ring.append(send)
            self._last_send, earliest = send, send + every_ms
            n += n_a_step
            i += 1
            self._now = send
            if i % n_steps == 0:
                marks.append((send, min(n, n_jobs)))
                n_rings = self._rings_to_leap(n_jobs - n, n_a_step * n_steps, until - send, send - began)
                if i > n_steps and n_rings > 0:
                    leap_ms = n_rings * (send - began)
                    n += n_rings * n_a_step * n_steps
                    self._ring = deque(at + leap_ms for at in self._ring)
                    self._now, self._last_send, earliest = send + leap_ms, send + leap_ms, earliest + leap_ms
                    marks.append((self._now, n))
                began = self._now
        marks.append((self._now, n_jobs))
        return marks

    @staticmethod
    def _rings_to_leap(n_left: float, n_a_ring: float, left_ms: float, ring_ms: float) -> int:
        """How many whole rings fit into what is left."""
        by_jobs = n_left / n_a_ring
        by_time = left_ms / ring_ms if ring_ms > 0 else 0.0
        return max(int(min(by_jobs, by_time)), 0)

    # -- the result ------------------------------------------------------------------------------------------------
    def _course(self, one: _Lane) -> Course:
        rate = one.rate
        if rate is None:
            allowed = (1.0 - self._others) * self._load.limit / self._load.window_ms
            rate = min(one.most, allowed)
        return Course(_rising(one.points), rate * _MINUTE_MS, one.done_ms, one.load.pace.mean_ms)


def _lane(load: LaneLoad, account: AccountLoad) -> _Lane:
    releases = deque(sorted(load.releases, key=lambda one: one.at_ms))
    return _Lane(load, max(load.hold_until_ms, account.hold_until_ms), float(load.n_waiting), releases)


def _shared(lanes: list[_Lane], allowed: float) -> list[float]:
    """
    The rates of lanes that go together: what one does not need, the others have.

    Each has the part that it had of late. One that has not gone yet has its turn as they have.
    """
    seen = [one.load.n_lately for one in lanes if one.load.n_lately]
    usual = sum(seen) / len(seen) if seen else 1.0
    parts = [float(one.load.n_lately) or usual for one in lanes]
    found, left, all_parts = [0.0] * len(lanes), allowed, sum(parts)
    for place in sorted(range(len(lanes)), key=lambda place: lanes[place].most / parts[place]):
        found[place] = min(lanes[place].most, left * parts[place] / all_parts)
        left, all_parts = left - found[place], all_parts - parts[place]
    return found


def _ring(load: AccountLoad, bundle: int) -> deque[float]:
    """The last requests, oldest first: as many as the allowance has places, in bundles."""
    newest_first = [float(at_ms) for at_ms in load.grants[: load.limit]]
    newest_first += [-inf] * (load.limit - len(newest_first))
    return deque(reversed(newest_first[::bundle]))


def _rising(points: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Without what stands twice."""
    found: list[tuple[float, float]] = []
    for at_ms, n in points:
        if found and found[-1][0] >= at_ms:
            found[-1] = (found[-1][0], max(n, found[-1][1]))
        else:
            found.append((at_ms, n))
    return tuple(found)
