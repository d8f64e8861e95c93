"""
What Redis keeps of webhooks, and the steps of a delivery: one script each (worker/store/lua/lib/deliveries.lua).

A delivery is there before the place of its endpoint in the stream moves on, and it is there until its end is written:
a process that dies in between repeats at most what it had under way.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis

from jobs.webhooks.verdict import Answer, Verdict
from schemas.contract.event import Event
from worker.queue.script_values import event_values
from worker.status.endpoint_reader import endpoint_of
from worker.status.facts import EndpointSeen
from worker.store.keys import Keys
from worker.store.scripts import Arg, ScriptArgs, Scripts
from worker.webhooks.policy import WebhookPolicy

_WORTH_PACKING: Final = 400
_PACKED: Final = b"z"
_PLAIN: Final = b"p"
_FORWARD_AT_ONCE: Final = 10_000
_FORGET_AT_ONCE: Final = 500


class DeliveryValues(NamedTuple):
    """A delivery to be made, in the order of ``DELIVERY`` (``take_events.lua``)."""

    endpoint: str
    id: str
    body: str
    """Its name; empty for a delivery that has had its last attempt, and is tried anew."""
    rank: str
    made_at: str
    type: str
    account: str
    reference: str
    size: int


@dataclass(frozen=True, slots=True)
class Move:
    """The place of an endpoint, as it was read (empty: none) and as it shall be."""

    endpoint: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One that was given out: an attempt is to be made, under a lease and with a fence."""

    endpoint: str
    id: str
    fence: str
    n_failures: int
    made_at_ms: int
    type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that has ended, and what follows from it."""

    delivery: Delivery
    answer: Answer
    verdict: Verdict
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Served:
    """What a look at an endpoint has brought. Times are Redis's, ms."""

    now_ms: int
    failing_since_ms: int
    """0: it does not only fail."""
    n_waiting: int
    next_at_ms: int | None
    n_void: int
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """What is kept of a delivery. Times are ms."""

    id: str
    rank: str
    made_at_ms: int
    type: str
    account: str
    reference: str
    n_failures: int = 0
    last_status: int = 0
    last_fault: str = ""
    next_at_ms: int = 0


@dataclass(slots=True)
class WebhookBook:
    """The steps and the questions."""

    redis: Redis
    scripts: Scripts
    keys: Keys
    policy: WebhookPolicy = field(default_factory=WebhookPolicy)
    results_maxlen: int = 1_000_000

    # -- from the streams ----------------------------------------------------------------------------------------------
    async def take(
        self, moves: Sequence[Move], bodies: Mapping[str, bytes], deliveries: Sequence[DeliveryValues]
    ) -> int | None:
        """
        Make deliveries and move the places behind them, in one step.

        Args:
            bodies: As :func:`packed_body` makes them, by name.

        Returns:
            How many were made: one that waits already, or is under way, stays as it is. None when another process has
            moved a place meanwhile: nothing was written.
        """
        rest: list[Arg] = [len(moves)]
        for move in moves:
            rest += (move.endpoint, move.before, move.after)
        rest.append(len(bodies))
        for name, content in bodies.items():
            rest += (name, content)
        rest.append(len(deliveries))
        for delivery in deliveries:
            rest += delivery
        keys = {"places": self.keys.hook_places(), "next": self.keys.hook_looks()}
        made = int(await self.scripts.run("take_events", keys, {"prefix": self.keys.hooks(), "rest": rest}))
        return None if made < 0 else made

    # -- attempts --------------------------------------------------------------------------------------------------
    async def serve(self, endpoint: str, ended: Sequence[Ended], *, room: int, width: int, lease_ms: int) -> Served:
        """
        Write down what has ended, and take what is due, as many as there is room for.

        Sent again after an answer that was lost it writes nothing twice; what the lost answer gave out is free again
        when its lease ends.
        """
        policy = self.policy
        args: ScriptArgs = {
            "prefix": self.keys.hooks(),
            "name": endpoint,
            "room": room,
            "width": width,
            "lease_ms": lease_ms,
            "most_bytes": policy.batch_bytes,
            "pace_after": policy.pace_after,
            "pace_ms": policy.pace_ms,
            "quiet_ms": round(policy.quiet_s * 1000),
            "most_failed": policy.most_failed,
            "failed_ms": round(policy.failed_s * 1000),
            "maxlen": self.results_maxlen,
            "rest": [value for one in ended for value in _ended_values(one)],
        }
        reply = await self.scripts.run("serve_endpoint", self._looks_and_results(), args)
        now, failing_since, n_waiting, next_at, n_void, taken = reply
        deliveries = tuple(_delivery(endpoint, row) for row in taken)
        at = int(next_at) if next_at else None
        return Served(int(now), int(failing_since), int(n_waiting), at, int(n_void), deliveries)

    async def due(self) -> tuple[list[str], float | None]:
        """The endpoints of which something is to be done now, and the seconds until the next one."""
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.zrange(self.keys.hook_looks(), 0, -1, withscores=True)
            (seconds, micros), rows = await pipe.execute()
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        later = min((at_ms for _, at_ms in rows if at_ms > now_ms), default=None)
        names = [name.decode(errors="replace") for name, at_ms in rows if at_ms <= now_ms]
        return names, (later - now_ms) / 1000 if later is not None else None

    # -- what operators do -----------------------------------------------------------------------------------------
    async def switch(self, endpoint: str, *, is_on: bool, event: Event) -> bool:
        """Enable or disable an endpoint; whether it was otherwise. Enabled, what waits is tried at once."""
        args: ScriptArgs = {
            "prefix": self.keys.hooks(),
            "name": endpoint,
            "state": "on" if is_on else "disabled",
            "maxlen": self.results_maxlen,
            "most": _FORWARD_AT_ONCE,
            "event": event_values(event),
        }
        has_changed, n_left = await self.scripts.run("switch_endpoint", self._looks_and_results(), args)
        while n_left:
            _, n_left = await self.scripts.run("switch_endpoint", self._looks_and_results(), args)
        return bool(has_changed)

    async def forget(self, endpoint: str) -> bool:
        """Drop a slice of what is kept of an endpoint; whether nothing is left."""
        keys = {"places": self.keys.hook_places(), "next": self.keys.hook_looks(), "seen": self.keys.hooks_seen()}
        args: ScriptArgs = {"prefix": self.keys.hooks(), "name": endpoint, "most": _FORGET_AT_ONCE}
        return bool(await self.scripts.run("forget_endpoint", keys, args))

    async def note_since(self, endpoint: str, at_ms: int) -> None:
        """From when on an endpoint gets the events of streams that come later."""
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.hset(self.keys.hook(endpoint), "since", str(at_ms))
            await pipe.execute()

    async def note_gone(self, endpoint: str, n: int, now_ms: int) -> None:
        """Entries were trimmed that had not been read for an endpoint."""
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.hincrby(self.keys.hook(endpoint), "n_gone", n)
            pipe.hset(self.keys.hook(endpoint), "gone_at", str(now_ms))
            await pipe.execute()

    # -- questions -------------------------------------------------------------------------------------------------
    async def states(self, endpoints: Sequence[str]) -> dict[str, EndpointSeen]:
        """What is known of each."""
        async with self.redis.pipeline(transaction=False) as pipe:
            for name in endpoints:
                pipe.hgetall(self.keys.hook(name))
                pipe.zcard(self.keys.hook(name, "order"))
                pipe.zcard(self.keys.hook(name, "leased"))
                pipe.zcard(self.keys.hook(name, "failed"))
                pipe.zrange(self.keys.hook(name, "due"), 0, 0, withscores=True)
            found = await pipe.execute() if endpoints else []
        return {name: _state(name, *found[5 * n : 5 * n + 5]) for n, name in enumerate(endpoints)}

    async def failed(self, endpoint: str) -> list[str]:
        """The deliveries of an endpoint that have had their last attempt, oldest first."""
        return [id_.decode() for id_ in await self.redis.zrange(self.keys.hook(endpoint, "failed"), 0, -1)]

    async def waiting(self, endpoint: str, most: int) -> list[DeliveryRecord]:
        """The deliveries that are tried next, those under way first."""
        async with self.redis.pipeline(transaction=False) as pipe:
            for of in ("leased", "due"):
                pipe.zrange(self.keys.hook(endpoint, of), 0, most - 1)
            leased, due = await pipe.execute()
        return await self.records(endpoint, [id_.decode() for id_ in [*leased, *due][:most]])

    async def records(self, endpoint: str, ids: Sequence[str]) -> list[DeliveryRecord]:
        """What is kept of these; those that have ended meanwhile are left out."""
        async with self.redis.pipeline(transaction=False) as pipe:
            for id_ in ids:
                pipe.hgetall(self.keys.delivery(endpoint, id_))
            found = await pipe.execute() if ids else []
        return [_record(id_, held) for id_, held in zip(ids, found, strict=True) if held]

    async def n_processes(self) -> int:
        """How many processes deliver: those that have given a sign of life within 10 s."""
        seconds, _ = await self.redis.time()
        return int(await self.redis.zcount(self.keys.hook_processes(), (int(seconds) - 10) * 1000, "+inf"))

    def _looks_and_results(self) -> dict[str, str]:
        return {"next": self.keys.hook_looks(), "results": self.keys.results()}


def packed_body(body: bytes) -> bytes:
    """A body as it is kept: packed, where that saves room. A hundred thousand wait for a dead endpoint."""
    return _PACKED + zlib.compress(body, 1) if len(body) > _WORTH_PACKING else _PLAIN + body


def unpacked_body(kept: bytes) -> bytes:
    """The same bytes as were given to :func:`packed_body`."""
    return zlib.decompress(kept[1:]) if kept[:1] == _PACKED else kept[1:]


def _ended_values(one: Ended) -> list[Arg]:
    verdict, answer = one.verdict, one.answer
    found: list[Arg] = [
        one.delivery.id,
        one.delivery.fence,
        verdict.outcome,
        round(verdict.delay_s * 1000),
        answer.status,
        answer.fault,
        verdict.disables,
        len(one.events),
    ]
    for event in one.events:
        found += event_values(event)
    return found


def _delivery(endpoint: str, row: Sequence[bytes]) -> Delivery:
    id_, fence, n_failures, made_at, type_, body = row
    return Delivery(
        endpoint=endpoint,
        id=id_.decode(),
        fence=fence.decode(),
        n_failures=int(n_failures),
        made_at_ms=_whole(made_at),
        type=type_.decode(errors="replace"),
        body=unpacked_body(body),
    )


def _record(id_: str, held: Mapping[bytes, bytes]) -> DeliveryRecord:
    def text(name: bytes) -> str:
        return held.get(name, b"").decode(errors="replace")

    def number(name: bytes) -> int:
        return _whole(held.get(name, b"0"))

    return DeliveryRecord(
        id=id_,
        rank=text(b"rank"),
        made_at_ms=number(b"made_at"),
        type=text(b"type"),
        account=text(b"account"),
        reference=text(b"reference"),
        n_failures=number(b"n"),
        last_status=number(b"last_status"),
        last_fault=text(b"last_fault"),
        next_at_ms=number(b"next_at"),
    )


def _state(
    name: str, held: Mapping[bytes, bytes], n_waiting: int, n_leased: int, n_failed: int, due: Any
) -> EndpointSeen:
    words = {field.decode(errors="replace"): value.decode(errors="replace") for field, value in held.items()}
    return replace(endpoint_of(name, words, n_waiting, n_failed, int(due[0][1]) if due else 0), n_under_way=n_leased)


def _whole(stored: bytes) -> int:
    return int(stored) if stored.isdigit() and len(stored) < 16 else 0
