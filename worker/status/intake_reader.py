"""The streams of pushed jobs: what is not taken in yet, and what became of entries that nobody else would tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from redis.exceptions import ResponseError

from worker.intake.reader import GROUP
from worker.status.facts import IntakeSeen
from worker.status.stored import Asker, text, text_hash, whole
from worker.store.inquiry import Inquiry
from worker.store.keys import Keys

_UNREAD_FOR_MS: Final = 120_000
"""How long it counts that a stream was seen unread: the leader looks each half a minute."""


def intakes_seen(
    asker: Asker, keys: Keys, streams: Iterable[str]
) -> Inquiry[tuple[str, tuple[IntakeSeen, ...], Mapping[str, str]]]:
    """Who leads the intake (empty: nobody), each stream, and what the intake has noted of streams and letters."""
    names = list(streams)
    leader, flat, *lengths = yield from asker.ask(
        ("GET", keys.leader("intake")),
        ("HGETALL", keys.intake_facts()),
        *(("XLEN", name) for name in names),
    )
    facts = text_hash(flat)
    groups = yield [("XINFO", "GROUPS", name) for name in names]
    rows = zip(names, lengths, groups, strict=True)
    return text(leader), tuple(_seen(name, n, _n_pending(found), facts) for name, n, found in rows), facts


def unread_streams(facts: Mapping[str, str], now_ms: int) -> tuple[tuple[str, int], ...]:
    """
    Streams of accounts in which something waits and that no worker reads, with the number of entries.

    Args:
        facts: Of the intake.
    """
    found = []
    for name, told in facts.items():
        n, _, at_ms = told.partition(" ")
        if name.startswith("unread:") and now_ms - whole(at_ms) < _UNREAD_FOR_MS:
            found.append((name.partition(":")[2], whole(n)))
    return tuple(sorted(found))


def _n_pending(groups: Any) -> int:
    """What the intake holds of a stream; 0 where nothing was ever pushed and no worker has started: no stream."""
    if isinstance(groups, Exception):
        if not isinstance(groups, ResponseError):
            raise groups
        return 0
    rows = [dict(zip(flat[::2], flat[1::2], strict=True)) for flat in groups]
    return next((int(row[b"pending"]) for row in rows if row[b"name"] == GROUP.encode()), 0)


def _seen(stream: str, n_pushed: int | None, n_pending: int, facts: Mapping[str, str]) -> IntakeSeen:
    if n_pushed is None:
        return IntakeSeen(stream, 0, 0)
    return IntakeSeen(
        stream,
        n_pushed,
        n_pending,
        n_gone=whole(facts.get(f"gone:{stream}")),
        gone_at_ms=whole(facts.get(f"gone_at:{stream}")),
        last_id_ahead=facts.get(f"ahead:{stream}", ""),
        renewed_at_ms=whole(facts.get(f"renewed_at:{stream}")),
    )
