"""
What ``status`` sees of webhooks: the endpoints that a process has had in its file lately, read from Redis as they are.

Not through ``worker/webhooks``: whoever only looks needs neither its file nor its scripts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from redis.exceptions import NoPermissionError

from worker.status.facts import DelivererSeen, EndpointSeen
from worker.status.stored import Asker, scored, text, text_hash, whole
from worker.store.inquiry import Inquiry, each, together
from worker.store.keys import Keys

SEEN_MS: Final = 7 * 86_400_000
"""An endpoint that no file has had for so long is forgotten, by the processes too."""

_ALIVE_MS: Final = 10_000
_MOST: Final = 200


class WebhooksSeen(NamedTuple):
    """The endpoints, how many processes deliver (None where this user may not see it), and those that fail."""

    endpoints: tuple[EndpointSeen, ...]
    n_delivering: int | None
    failing: tuple[DelivererSeen, ...] = ()


def endpoints_seen(keys: Keys, now_ms: int) -> Inquiry[WebhooksSeen]:
    """
    The endpoints, and the processes that deliver.

    What stands in a key that holds something else than it should is missing, and nothing else.
    """
    asker = Asker()
    try:
        seen, processes = yield from asker.ask(
            ("ZRANGE", keys.hooks_seen(), 0, -1, "WITHSCORES"),
            ("ZRANGE", keys.hook_processes(), 0, -1, "WITHSCORES"),
        )
        names = [text(name) for name, at_ms in scored(seen) if at_ms >= now_ms - SEEN_MS]
        alive = [text(id_) for id_, at_ms in scored(processes or []) if at_ms >= now_ms - _ALIVE_MS]
        endpoints, failing = yield from together(
            each(_endpoint(asker, keys, name) for name in names[:_MOST]), _failing(asker, keys, alive[:_MOST])
        )
    except NoPermissionError:
        return WebhooksSeen((), None)
    n_alive = None if processes is None else len(alive)
    return WebhooksSeen(tuple(sorted(endpoints, key=lambda one: one.name)), n_alive, failing)


def _failing(asker: Asker, keys: Keys, alive: list[str]) -> Inquiry[tuple[DelivererSeen, ...]]:
    try:
        hashes = yield from asker.ask(*(("HGETALL", keys.hook_process(name)) for name in alive))
    except NoPermissionError:
        return ()  # a user of the rights before: the rest is told all the same
    found = [(name, text_hash(held)) for name, held in zip(alive, hashes, strict=True)]
    return tuple(
        DelivererSeen(name, held.get("failed", ""), held["failed_lately"], whole(held.get("failing_since")))
        for name, held in sorted(found, key=lambda row: row[0])
        if held.get("failed_lately")
    )


def _endpoint(asker: Asker, keys: Keys, name: str) -> Inquiry[EndpointSeen]:
    held, n_waiting, n_failed, due = yield from asker.ask(
        ("HGETALL", keys.hook(name)),
        ("ZCARD", keys.hook(name, "order")),
        ("ZCARD", keys.hook(name, "failed")),
        ("ZRANGE", keys.hook(name, "due"), 0, 0, "WITHSCORES"),
    )
    oldest_due_ms = int(float(due[1])) if due else 0
    return endpoint_of(name, text_hash(held), n_waiting or 0, n_failed or 0, oldest_due_ms)


def endpoint_of(
    name: str, held: Mapping[str, str], n_waiting: int, n_exhausted: int, oldest_due_ms: int
) -> EndpointSeen:
    """One endpoint from its record as it is stored; what is no number there counts as 0."""

    def kept(field: str) -> str:
        return held.get(field, "")

    def number(field: str) -> int:
        stored = kept(field)
        return int(stored) if stored.isascii() and stored.isdigit() and len(stored) < 16 else 0

    return EndpointSeen(
        name=name,
        is_disabled=kept("state") == "disabled",
        disabled_why=kept("disabled_why"),
        disabled_at_ms=number("disabled_at"),
        failing_since_ms=number("failing_since"),
        n_waiting=n_waiting,
        oldest_due_ms=oldest_due_ms,
        n_exhausted=n_exhausted,
        n_delivered=number("n_delivered"),
        n_bytes=number("bytes"),
        last_success_ms=number("last_success_at"),
        last_failure_ms=number("last_failure_at"),
        last_status=number("last_status"),
        last_fault=kept("last_fault"),
        n_gone=number("n_gone"),
        gone_at_ms=number("gone_at"),
    )
