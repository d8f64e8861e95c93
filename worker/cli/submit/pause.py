"""
Why pushed jobs wait and how long they will: what the lanes of their account say, in a few words for a bar.

Reading is a courtesy: who may not read the lanes (a producer's user) is told how many are final, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from time import monotonic
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from schemas.names import account_of
from schemas.records import WaitReason
from worker.settings.account import Account
from worker.speech import Speech, hour, span
from worker.store.connection import command
from worker.store.keys import Keys

EVERY_S: Final = 1.0
_MOMENT_MS: Final = 2_000

_HOLDS: Final = {
    "factus.credentials": ("Factus rechaza las credenciales", "Factus refuses the credentials"),
    "factus.denied": ("Factus niega el acceso", "Factus denies access"),
    "factus.payment_required": ("Factus exige un pago o un paquete", "Factus asks for a payment or a package"),
    "factus.throttled": ("Factus pidió ir más despacio", "Factus asked to slow down"),
    "factus.conflict": ("otro documento bloquea la familia en Factus", "another document blocks the family at Factus"),
    "dian.pending": ("la DIAN no ha respondido a un documento", "DIAN has not answered for a document"),
}
_PACED_MS: Final = 2000
"""A look so near is no pause: the backlog is spread over the window (lib/pace.lua)."""
_UNKNOWN_HOLD: Final = ("Factus no responde", "Factus does not answer")


@dataclass(frozen=True, slots=True)
class LaneFacts:
    """One lane as the bar needs it. Milliseconds on the server's clock, 0: not so."""

    n_waiting: int
    wait_reason: WaitReason
    hold_reason: str
    hold_until_ms: int
    next_look_ms: int
    limit: int
    window_s: float
    is_later: bool = False
    """Something waits for its time, and nothing else."""


def note_of(lanes: Sequence[LaneFacts], n_workers: int, now_ms: int, zone: tzinfo, speech: Speech) -> str:
    """Why it does not go on, when it does, and how long all of it will take; empty where nothing is worth a word."""
    if not n_workers:
        return speech.say("ningún trabajador está en marcha", "no worker is running")
    held = [lane for lane in lanes if lane.hold_until_ms > now_ms]
    if held:
        lane = max(held, key=lambda one: one.hold_until_ms)
        why = speech.say(*_HOLDS.get(lane.hold_reason, _UNKNOWN_HOLD))
        at = hour(lane.hold_until_ms, zone)
        return speech.say(f"pausa: {why}; se pregunta otra vez {at}", f"pause: {why}; asked again {at}")
    parts = []
    spent = [lane for lane in lanes if lane.n_waiting and lane.wait_reason == WaitReason.ALLOWANCE]
    full = [lane for lane in spent if lane.next_look_ms > now_ms]
    if full:
        lane = min(full, key=lambda one: one.next_look_ms)
        at = hour(lane.next_look_ms, zone)
        rate = f"{lane.limit} {speech.say('por', 'in')} {_window(lane.window_s, speech)}"
        if lane.next_look_ms - now_ms < _PACED_MS:
            parts.append(
                speech.say(f"al ritmo que Factus permite ({rate})", f"at the pace that Factus allows ({rate})")
            )
        else:
            parts.append(
                speech.say(
                    f"pausa por el límite de Factus ({rate}), sigue {at}", f"Factus's limit ({rate}), goes on {at}"
                )
            )
    if left := left_words(lanes, now_ms, speech):
        parts.append(left)
    if not parts and lanes and all(lane.is_later for lane in lanes):
        parts.append(speech.say("esperan su hora", "they wait for their time"))
    return " · ".join(parts)


async def usual_account(redis: Redis, keys: Keys, accounts: Mapping[str, Account]) -> str:
    """The account of jobs that name none: the only one that is configured here, or that the workers serve."""
    names = set(accounts)
    if not names:
        try:
            for worker in await command(redis, "ZRANGE", keys.workers(), 0, -1):
                served = _text(await command(redis, "HGET", keys.worker(worker.decode()), "accounts"))
                names |= {name for name in served.split(",") if name}
        except RedisError:
            pass  # a producer's user may not look
    return names.pop() if len(names) == 1 else "default"


def left_words(lanes: Sequence[LaneFacts], now_ms: int, speech: Speech) -> str:
    """
    How long the slowest lane will need by the allowance alone; empty below five seconds.

    Used up in a burst, the allowance comes back in one; used evenly, place by place: whichever is longer.
    """
    needs = [
        max(
            lane.n_waiting * lane.window_s / lane.limit,
            max(lane.next_look_ms - now_ms, 0) / 1000 + (lane.n_waiting - 1) // lane.limit * lane.window_s,
        )
        for lane in lanes
        if lane.n_waiting and lane.wait_reason == WaitReason.ALLOWANCE
    ]
    seconds = max(needs, default=0.0)
    if seconds < 5:
        return ""
    told = span(60 * round(seconds / 60)) if seconds >= 90 else span(seconds)
    return speech.say(f"faltan unos {told}", f"about {told} left")


def _window(seconds: float, speech: Speech) -> str:
    return speech.say("minuto", "a minute") if seconds == 60 else f"{seconds:g} s"


class PauseReader:
    """Reads, at most once a second, why the jobs of some lanes wait."""

    def __init__(self, redis: Redis, keys: Keys, lanes: Sequence[str], accounts: Mapping[str, Account]) -> None:
        self._redis = redis
        self._keys = keys
        self._lanes = lanes
        self._accounts = accounts
        self._read_at = -EVERY_S
        self._note = ""

    async def note(self, zone: tzinfo, speech: Speech, *, limit: int, window_s: float) -> str:
        """The note of this second; empty where the lanes may not be read."""
        if monotonic() - self._read_at < EVERY_S:
            return self._note
        self._read_at = monotonic()
        try:
            seconds, micros = await self._redis.time()
            now_ms = int(seconds) * 1000 + int(micros) // 1000
            facts = [await self._facts(lane, limit, window_s) for lane in self._lanes]
            n_workers = await command(self._redis, "ZCOUNT", self._keys.workers(), now_ms - 10_000, "+inf")
            self._note = note_of(facts, int(n_workers), now_ms, zone, speech)
        except RedisError:
            self._note = ""
        return self._note

    async def _facts(self, lane: str, limit: int, window_s: float) -> LaneFacts:
        account = account_of(lane)
        known = self._accounts.get(account)
        own = await command(self._redis, "HMGET", self._keys.lane(lane), "wait_reason", "hold_reason", "hold_until")
        held = await command(self._redis, "HMGET", self._keys.account(account), "hold_reason", "hold_until")
        reason, lane_hold, lane_until = (_text(value) for value in own)
        hold, until = (_text(value) for value in held)
        # A 429 holds the account; the pause of the lane that met it ends a moment later, and knows less.
        slack_ms = _MOMENT_MS if hold == "factus.throttled" else 0
        is_account = _number(until) + slack_ms >= _number(lane_until)
        n_waiting = int(await command(self._redis, "ZCARD", self._keys.waiting(lane)))
        n_later = int(await command(self._redis, "ZCARD", self._keys.later(lane)))
        return LaneFacts(
            n_waiting=n_waiting,
            wait_reason=WaitReason.read(reason),
            hold_reason=hold if is_account else lane_hold,
            hold_until_ms=max(_number(until), _number(lane_until)),
            next_look_ms=_number(_text(await command(self._redis, "ZSCORE", self._keys.lanes_due(), lane))),
            limit=known.rate_limit if known else limit,
            window_s=known.rate_window if known else window_s,
            is_later=bool(n_later) and not n_waiting,
        )


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return "" if value is None else str(value)


def _number(text: str) -> int:
    try:
        return int(float(text or 0))
    except (ValueError, OverflowError):
        return 0
