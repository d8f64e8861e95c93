"""
The legal clock of a bill on credit: what a look at its RADIAN events means, and what is told of it. Pure.

From the receipt of the goods (032) three business days run (``schemas/radian``); a bill that nobody has claimed or
accepted by then is *due*: its tacit acceptance (034) may be declared. Each thing is told once; what was told stands in
the state that is written with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from jobs.outcomes import News
from jobs.radian.seen_events import ACCEPTANCES, CLAIM, LAST_WORDS, RECEIPT, SeenEvent
from jobs.radian.state import ClockState, Sending, kept
from jobs.radian_policy import HOUR_MS, RadianPolicy, instant, ms, rfc3339
from schemas.radian.calendar import Calendar
from schemas.radian.term import Term, term_of

_NONSENSE: Final = timedelta(days=400)
"""A receipt so far ahead is no time: it counts from when it was seen."""


@dataclass(frozen=True, slots=True)
class Clock:
    """
    The decisions for one bill.

    ``validated_at_ms``: from when its silence counts. ``emits``: whether the service declares the acceptance itself.
    """

    policy: RadianPolicy
    validated_at_ms: int
    emits: bool = False

    def term(self, state: ClockState) -> Term | None:
        """The term as the calendar has it now; None while no 032 is known, or when it never ends."""
        if not state.received:
            return None
        return _term(state.receipt_at_ms, self.policy.calendar)

    def accepts_from_ms(self, state: ClockState) -> int:
        """The first instant at which a tacit acceptance is early under no reading; 0 when there is none."""
        term = self.term(state)
        return ms(term.accepts_from) if term else 0

    # -- a look ----------------------------------------------------------------------------------------------------
    def after_look(
        self, state: ClockState, events: tuple[SeenEvent, ...], now_ms: int
    ) -> tuple[ClockState, tuple[News, ...]]:
        """What is known after a look, and what it has to tell, in the order in which it happened."""
        known = set(state.seen)
        fresh = [event for event in events if event.key not in known]
        news = [News("radian.event", {"number": state.number, **event.told()}) for event in fresh]
        was_over = state.last_word is not None
        state = replace(
            state,
            seen=(*state.seen, *(event.key for event in fresh)),
            n_looks=0 if fresh else state.n_looks + 1,
            n_late=state.n_late + was_over,
            looked_at_ms=now_ms,
            rules_version=self.policy.calendar.version,
        )
        state = self._received(state, events, now_ms, news)
        if not was_over:
            state = self._ended(state, events, now_ms, news)
        if state.last_word is None:
            state = self._due(state, events, now_ms, news)
            state = self._silent(state, now_ms, news)
            state = self._unconfirmed(state, now_ms, news)
        if term := self.term(state):
            state = replace(state, claim_until_ms=ms(term.claim_until), accepts_from_ms=ms(term.accepts_from))
        return state, tuple(news)

    def _received(self, state: ClockState, events: Iterable[SeenEvent], now_ms: int, news: list[News]) -> ClockState:
        found = [(_receipt_ms(event, now_ms), event) for event in events if event.event_code == RECEIPT]
        if state.received or not found:
            return state
        # Of several the latest: early under no reading.
        at_ms, event = max(found, key=lambda one: one[0])
        state = replace(state, received=event, receipt_at_ms=at_ms)
        if term := self.term(state):
            news.append(News("radian.clock", self._about(state, cude=event.cude, **told_term(term))))
        return state

    def _ended(self, state: ClockState, events: tuple[SeenEvent, ...], now_ms: int, news: list[News]) -> ClockState:
        words = [event for event in events if event.event_code in LAST_WORDS]
        if not words:
            return state
        claim = next((event for event in words if event.event_code == CLAIM), None)
        acceptance = next((event for event in words if event.event_code in ACCEPTANCES), None)
        if claim:
            news.append(News("radian.claimed", self._about(state, cude=claim.cude, occurred_at=claim.occurred_at)))
        if acceptance:
            about = {"kind": ACCEPTANCES[acceptance.event_code], "occurred_at": acceptance.occurred_at}
            news.append(News("radian.accepted", self._about(state, cude=acceptance.cude, **about)))
        return replace(
            state,
            last_word=acceptance or claim,
            ended_at_ms=now_ms,
            before=state.before or kept(now_ms, events),
            after=kept(now_ms, events),
        )

    def _due(self, state: ClockState, events: tuple[SeenEvent, ...], now_ms: int, news: list[News]) -> ClockState:
        term = self.term(state)
        if term is None or state.due_at_ms or now_ms < ms(term.accepts_from):
            return state
        assert state.received is not None
        news.append(
            News("radian.due", self._about(state, cude=state.received.cude, **told_term(term), emits=self.emits))
        )
        return replace(state, due_at_ms=now_ms, before=kept(now_ms, events))

    def _silent(self, state: ClockState, now_ms: int, news: list[News]) -> ClockState:
        if state.received or state.silent_at_ms or now_ms < self.silent_ms:
            return state
        since = rfc3339(instant(self.validated_at_ms))
        news.append(News("radian.silent", self._about(state, cude=None, since=since)))
        return replace(state, silent_at_ms=now_ms)

    def _unconfirmed(self, state: ClockState, now_ms: int, news: list[News]) -> ClockState:
        if state.unconfirmed_at_ms or not (state.refusal or self._is_overdue(state, now_ms)):
            return state
        last = state.sends[-1].answer if state.sends else ""
        reason = (
            state.refusal or f"La aceptación tácita (034) se envió y no aparece en Factus. Última respuesta: {last}"
        )
        cude = state.received.cude if state.received else None
        news.append(News("radian.unconfirmed", self._about(state, cude=cude, reason=reason)))
        return replace(state, unconfirmed_at_ms=now_ms)

    def _is_overdue(self, state: ClockState, now_ms: int) -> bool:
        return bool(state.sends) and now_ms >= state.sends[0].at_ms + self.unconfirmed_after_ms

    def _about(self, state: ClockState, **said: Any) -> dict[str, Any]:
        return {"number": state.number, "rules_version": self.policy.calendar.version, **said}

    # -- the acceptance that we declare --------------------------------------------------------------------------------
    def may_emit(self, state: ClockState, now_ms: int) -> bool:
        """
        Whether a 034 goes out now. It has been told that the bill is due, and a look of this moment shows no last word.
        """
        starts_ms = self.emit_ms(state, now_ms)
        return 0 < starts_ms <= now_ms == state.looked_at_ms

    def emit_ms(self, state: ClockState, now_ms: int) -> int:
        """When the next 034 may go out, not before *now_ms*; 0 when none will."""
        times = self.policy.times
        accepts_ms = self.accepts_from_ms(state)
        is_over = state.last_word or state.refusal or state.unconfirmed_at_ms
        if not self.emits or is_over or not (accepts_ms and state.due_at_ms) or len(state.sends) >= times.most_sends:
            return 0
        from_ms = max(now_ms, accepts_ms)
        if state.sends:
            from_ms = max(from_ms, state.sends[-1].at_ms + round(1000 * times.resend_after_s))
        return self.policy.emits_ms(from_ms)

    def after_send(self, state: ClockState, at_ms: int, answer: str, refusal: str = "") -> ClockState:
        """
        A 034 has gone out, or may have.

        Args:
            answer: What was heard of it.
            refusal: Why Factus will never take it; empty where it may have.
        """
        return replace(state, sends=(*state.sends, Sending(at_ms, answer)), refusal=refusal, n_looks=0)

    # -- when ------------------------------------------------------------------------------------------------------
    @property
    def silent_ms(self) -> int:
        return self.validated_at_ms + self.policy.silent_after_ms

    @property
    def unconfirmed_after_ms(self) -> int:
        return round(1000 * self.policy.times.unconfirmed_after_s)

    def is_over(self, state: ClockState) -> bool:
        """Whether nothing more is looked for: it ended, and what Factus may show late has had its looks."""
        return state.last_word is not None and (
            state.received is not None or state.n_late >= self.policy.times.late_looks
        )

    def next_ms(self, state: ClockState, now_ms: int) -> int:
        """When the next turn is, from *now_ms* on; a turn begins with a look."""
        policy = self.policy
        at_ms = now_ms + policy.pause_ms(state.n_looks)
        accepts_ms = self.accepts_from_ms(state)
        if state.last_word:
            pass
        elif accepts_ms and not state.due_at_ms:
            at_ms = min(now_ms + policy.running_pause_ms, max(now_ms, accepts_ms))
        elif not state.received and not state.silent_at_ms:
            at_ms = min(at_ms, max(now_ms, self.silent_ms))
        elif state.sends and not state.unconfirmed_at_ms:
            ends_ms = state.sends[0].at_ms + self.unconfirmed_after_ms
            at_ms = min(at_ms, now_ms + policy.confirm_pause_ms(state.n_looks), max(now_ms, ends_ms))
        if emit_ms := self.emit_ms(state, now_ms):
            at_ms = min(at_ms, emit_ms)
        if state.refusal and not state.unconfirmed_at_ms:
            at_ms = now_ms
        return policy.awake_ms(at_ms)

    def latest_ms(self, state: ClockState, next_ms: int) -> int:
        """By when the next turn should be: the order of watches where the allowance does not suffice."""
        accepts_ms = self.accepts_from_ms(state)
        if state.last_word:
            return next_ms
        if accepts_ms and not state.due_at_ms:
            return accepts_ms + self.policy.times.due_by_hour * HOUR_MS
        if self.emit_ms(state, next_ms) == next_ms:
            return self.policy.emitting_ends_ms(next_ms)
        return max(next_ms, self._unseen_ms(state))

    def _unseen_ms(self, state: ClockState) -> int:
        """
        By when a bill has to be looked at whose receipt may have come right after the last look. An hour behind those
        of which the same date is known: a date goes before what may be one.
        """
        midnight = instant(state.looked_at_ms).replace(hour=0, minute=0, second=0, microsecond=0)
        term = _term(ms(midnight), self.policy.calendar)
        return ms(term.accepts_from) + (self.policy.times.due_by_hour + 1) * HOUR_MS if term else 0


def told_term(term: Term) -> dict[str, Any]:
    """A term in an event, and in the evidence."""
    return {
        "received_at": rfc3339(term.received_at),
        "claim_until": rfc3339(term.claim_until),
        "accepts_from": rfc3339(term.accepts_from),
        "calendar": [{"date": one.day.isoformat(), "reason": one.reason} for one in term.left_out],
    }


@lru_cache(4096)
def _term(receipt_at_ms: int, calendar: Calendar) -> Term | None:
    try:
        return term_of(instant(receipt_at_ms), calendar)
    except OverflowError:
        return None


def _receipt_ms(event: SeenEvent, now_ms: int) -> int:
    """The own time of a receipt; that of the look where it has none that makes sense."""
    occurred = event.occurred
    if occurred is None or occurred > instant(now_ms) + _NONSENSE:
        return now_ms
    return ms(max(occurred, datetime(1970, 1, 2, tzinfo=UTC)))
