"""A bill's life through the pure clock: what Factus shows when, and all that was told, looked at and sent."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jobs.outcomes import News
from jobs.radian.clock import Clock
from jobs.radian.seen_events import SeenEvent
from jobs.radian.state import ClockState
from jobs.radian_policy import DAY_MS, RadianPolicy, instant, ms
from schemas.factus import BOGOTA

LIFE_MS = 90 * DAY_MS


def bogota(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BOGOTA)


def event(code: str, at: datetime, n: int = 1) -> SeenEvent:
    return SeenEvent(f"{code}/{n}", code, f"Evento {code}", f"cude-{code}-{n}", at.isoformat(), f"AP{n}")


@dataclass
class AtFactus:
    """Events with the instant from which Factus shows them; a 034 of ours shows ``shows_after`` later, if at all."""

    shown: list[tuple[int, SeenEvent]] = field(default_factory=list)
    shows_after: timedelta | None = timedelta(seconds=20)
    sent_ms: list[int] = field(default_factory=list)
    refusal: str = ""
    """Why it takes no 034, if it takes none."""

    def has(self, code: str, at: str | datetime, *, seen: str | datetime | None = None, n: int = 1) -> AtFactus:
        own = bogota(at) if isinstance(at, str) else at
        since = own if seen is None else bogota(seen) if isinstance(seen, str) else seen
        self.shown.append((ms(since), event(code, own, n)))
        return self

    def look(self, now_ms: int) -> tuple[SeenEvent, ...]:
        return tuple(one for since_ms, one in self.shown if since_ms <= now_ms)

    def emit(self, now_ms: int) -> None:
        self.sent_ms.append(now_ms)
        if self.refusal:
            return
        is_known = any(one.event_code == "034" for _, one in self.shown)
        if self.shows_after is not None and not is_known:
            self.has("034", instant(now_ms), seen=instant(now_ms) + self.shows_after)


@dataclass
class Life:
    """What a watch did, from the validation until it was over or its time was up."""

    news: list[tuple[int, News]]
    looks_ms: list[int]
    state: ClockState
    clock: Clock
    factus: AtFactus

    @property
    def told(self) -> Counter[str]:
        return Counter(one.type for _, one in self.news)

    @property
    def n_calls(self) -> int:
        return len(self.looks_ms) + len(self.factus.sent_ms)

    def at(self, type_: str) -> datetime:
        (found,) = [at_ms for at_ms, one in self.news if one.type == type_]
        return instant(found)

    def data(self, type_: str) -> dict:
        (found,) = [one.data for _, one in self.news if one.type == type_]
        return found


def live(
    factus: AtFactus,
    validated: str | datetime,
    *,
    emits: bool = False,
    policy: RadianPolicy | None = None,
    lasts_ms: int = LIFE_MS,
    late: Callable[[int], int] = lambda now_ms: 0,
    is_stored: bool = True,
) -> Life:
    """
    Play a watch as the verb does: rest at night, look, tell, and send when nothing was to be told.

    Args:
        late: By how many ms a turn comes later than it was planned.
        is_stored: Whether the state goes through the ledger's form between two turns.
    """
    start_ms = ms(bogota(validated) if isinstance(validated, str) else validated)
    clock = Clock(policy or RadianPolicy(), start_ms, emits=emits)
    state = ClockState(number="SETP1")
    now_ms = start_ms + clock.policy.pause_ms(0)
    news: list[tuple[int, News]] = []
    looks: list[int] = []
    while now_ms < start_ms + lasts_ms and not clock.is_over(state):
        now_ms += late(now_ms)
        awake_ms = clock.policy.awake_ms(now_ms)
        if awake_ms > now_ms:
            now_ms = awake_ms
            continue
        looks.append(now_ms)
        state, fresh = clock.after_look(state, factus.look(now_ms), now_ms)
        news += [(now_ms, one) for one in fresh]
        if not fresh and clock.may_emit(state, now_ms):
            factus.emit(now_ms)
            state = clock.after_send(state, now_ms, factus.refusal or "Factus la recibió", factus.refusal)
        if is_stored:
            state = ClockState.from_progress(json.loads(state.to_json()))
        if clock.is_over(state):
            break
        next_ms = clock.next_ms(state, now_ms)
        assert next_ms >= now_ms
        now_ms = max(next_ms, now_ms + 1)
    return Life(news, looks, state, clock, factus)
