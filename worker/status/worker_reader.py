"""The living worker processes, as their heartbeats have it."""

from __future__ import annotations

from collections.abc import Mapping

from worker.status.facts import WorkerSeen
from worker.status.stored import Asker, scored, text, text_hash, whole
from worker.store.inquiry import Inquiry
from worker.store.keys import Keys


def workers_seen(asker: Asker, keys: Keys, now_ms: int) -> Inquiry[tuple[WorkerSeen, ...]]:
    """All of them, by id."""
    (flat,) = yield from asker.ask(("ZRANGE", keys.workers(), 0, -1, "WITHSCORES"))
    rows = [(text(raw), at_ms) for raw, at_ms in scored(flat)]
    hashes = yield from asker.ask(*(("HGETALL", keys.worker(name)) for name, _ in rows))
    found = [
        _seen(name, facts, max(now_ms - int(at_ms), 0))
        for (name, at_ms), facts in zip(rows, map(text_hash, hashes), strict=True)
        if facts  # the hash dies with the heartbeat; the name stays a little longer
    ]
    return tuple(sorted(found, key=lambda worker: worker.id))


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _seen(name: str, facts: Mapping[str, str], seen_ms_ago: int) -> WorkerSeen:
    return WorkerSeen(
        id=name,
        pid=whole(facts.get("pid")),
        version=facts.get("version", ""),
        accounts=_names(facts.get("accounts", "")),
        own_streams=_names(facts["own_streams"]) if "own_streams" in facts else None,
        n_running=whole(facts.get("running")),
        n_run=whole(facts.get("run")),
        seen_ms_ago=seen_ms_ago,
        failed=facts.get("failed", ""),
        # A worker of a version before counts since it started only.
        failed_lately=facts.get("failed_lately", facts.get("failed", "")),
        failing_since_ms=whole(facts.get("failing_since")),
        held_ms=whole(facts.get("held_ms")),
        environments=_environments(facts.get("environments", "")),
        is_signed=facts.get("signed") == "1",
        keys_fault=facts.get("keys_fault", ""),
    )


def _environments(told: str) -> dict[str, str]:
    """``acme=sandbox,own=local``, as the heartbeat has it."""
    return {name: which for name, _, which in (part.partition("=") for part in told.split(",")) if which}
