"""
What a scrape has read, as ``status`` sees it (``worker/status/facts.py``): so that metrics and alerts tell the problems
that ``status`` tells, found by the same function.

Documents, jobs and the words of Factus are left out, since no metric tells of them. What this user of Redis may not
read is not known, and nothing is said of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from worker.metrics.questions import Questions, into, rows, scored, text, whole
from worker.queue.consumer_lag import GroupLag
from worker.status.facts import AccountSeen, Block, EndpointSeen, Hold, IntakeSeen, LaneSeen, Overview, WorkerSeen
from worker.store.keys import Keys

HOLD: Final = ("hold_until", "hold_reason", "held_since", "held_for")
"""Fields of an account and of a lane, in the order in which :func:`hold_of` takes them."""

SLOWED: Final = "factus.throttled"
LOST_MS: Final = 600_000
"""For so long a worker is remembered that gives no sign of life and has not said goodbye (``worker/process.py``)."""

_PROCESS_ALIVE_MS: Final = 10_000
_WORKER: Final = ("accounts", "failed", "signed", "keys_fault")


def hold_of(raw: Sequence[bytes | None], now_ms: int) -> Hold | None:
    """What holds an account or a lane: until an instant that is to come, or since one and nothing has come through."""
    until_ms, since_ms = whole(raw[0]), whole(raw[2])
    if until_ms <= now_ms and not since_ms:
        return None
    held_for = _said(raw[3])
    reason = _said(raw[1]) if until_ms > now_ms else held_for
    return Hold(reason, until_ms, since_ms if reason == held_for else 0)


def lane_seen(name: str, account: str, sizes: Sequence[int], hold: Hold | None, account_hold: Hold | None) -> LaneSeen:
    """One lane; held only where somebody is left whom it holds, and where it is not the account that is slowed down."""
    is_slowed = account_hold is not None and account_hold.reason == SLOWED
    if not any(sizes) or (is_slowed and hold is not None and hold.reason == "factus.unavailable"):
        hold = None
    n_waiting, n_later, n_in_flight = sizes
    return LaneSeen(name, account, n_waiting, n_later, n_in_flight, hold, next_look_ms=0)


def account_seen(name: str, state: Mapping[str, bytes], hold: Hold | None) -> AccountSeen:
    blocks = tuple(
        Block(field.removeprefix("blocked:"), whole(since))
        for field, since in sorted(state.items())
        if field.startswith("blocked:")
    )
    return AccountSeen(name, True, 1, 1.0, 0, hold, 0, 0, 0.0, blocks=blocks)


@dataclass(slots=True)
class Facts:
    """What is asked for problems alone: workers, endpoints, what became of streams."""

    now_ms: int
    workers: dict[str, Sequence[bytes | None]] | None
    """Their records; None where this user may not see who is there."""
    n_delivering: list[int] = field(default_factory=list)
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    intake: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def asked(cls, questions: Questions, keys: Keys, workers: Any, hooks: Iterable[str], now_ms: int) -> Facts:
        """
        Ask beside the rest of a scrape.

        Args:
            workers: Ids with their last sign, as Redis has answered; an error where it may not be asked.
            hooks: Names of endpoints.
        """
        known: dict[str, Sequence[bytes | None]] | None = None if isinstance(workers, Exception) else {}
        found = cls(now_ms, known)
        for raw, at_ms in scored([] if isinstance(workers, Exception) else workers):
            if known is not None and at_ms > now_ms - LOST_MS:
                known[raw.decode(errors="replace")] = ()
        for worker in known or ():
            questions.ask(into(known, worker), "HMGET", keys.worker(worker), *_WORKER)
        alive_ms = now_ms - _PROCESS_ALIVE_MS
        questions.ask(found.n_delivering.append, "ZCOUNT", keys.hook_processes(), alive_ms, "+inf")
        for name in hooks:
            of = found.endpoints[name] = {}
            questions.ask(into(of, "held"), "HGETALL", keys.hook(name))
            questions.ask(into(of, "due"), "ZRANGE", keys.hook(name, "due"), 0, 0, "WITHSCORES")
        questions.ask(into(found.intake, "facts"), "HGETALL", keys.intake_facts())
        return found

    @property
    def n_lost(self) -> int | None:
        """Workers that ended without a goodbye a moment ago."""
        return None if self.workers is None else sum(not _is_alive(raw) for raw in self.workers.values())

    @property
    def n_alive(self) -> int | None:
        return None if self.workers is None else sum(map(_is_alive, self.workers.values()))

    def overview(
        self,
        accounts: tuple[AccountSeen, ...],
        lanes: tuple[LaneSeen, ...],
        groups: tuple[GroupLag, ...],
        hooks: Mapping[str, int],
        refused: tuple[str, str],
        damaged: Sequence[str],
    ) -> Overview:
        """
        All of it.

        Args:
            hooks: Deliveries that wait, by endpoint.
            refused: Redis's first word, and all of them, where it takes no writes.
        """
        facts = {text(name): text(value) for name, value in rows(self.intake.get("facts"))}
        return Overview(
            now_ms=self.now_ms,
            workers=tuple(self._workers()),
            intake_leader="",
            intakes=tuple(_intakes(facts)),
            lanes=lanes,
            accounts=accounts,
            n_dead=0,
            groups=groups,
            writes_refused=refused[1] or None,
            writes_word=refused[0],
            damaged=tuple(dict.fromkeys(damaged)),
            n_letters_gone=whole(facts.get("letters_gone")),
            letters_gone_at_ms=whole(facts.get("letters_gone_at")),
            endpoints=tuple(_endpoint(name, self.endpoints.get(name, {}), n) for name, n in hooks.items()),
            n_delivering=self.n_delivering[0] if self.n_delivering else None,
        )

    def _workers(self) -> Iterator[WorkerSeen]:
        for worker, raw in (self.workers or {}).items():
            if not _is_alive(raw):
                continue  # the record dies with the heartbeat; the name stays a little longer
            accounts, failed, signed, keys_fault = map(_said, raw)
            served = tuple(filter(None, accounts.split(",")))
            yield WorkerSeen(
                worker, 0, "", served, 0, 0, 0, failed=failed, is_signed=signed == "1", keys_fault=keys_fault
            )


def _is_alive(raw: Sequence[bytes | None]) -> bool:
    return any(value is not None for value in raw)


def _intakes(facts: Mapping[str, str]) -> Iterator[IntakeSeen]:
    streams = {name.partition(":")[2] for name in facts if name.partition(":")[0] in ("gone", "ahead", "renewed_at")}
    for stream in sorted(filter(None, streams)):
        yield IntakeSeen(
            stream,
            0,
            0,
            n_gone=whole(facts.get(f"gone:{stream}")),
            gone_at_ms=whole(facts.get(f"gone_at:{stream}")),
            last_id_ahead=facts.get(f"ahead:{stream}", ""),
            renewed_at_ms=whole(facts.get(f"renewed_at:{stream}")),
        )


def _endpoint(name: str, read: Mapping[str, Any], n_waiting: int) -> EndpointSeen:
    held = {text(field): value for field, value in rows(read.get("held"))}
    due = scored(read.get("due") or [])
    return EndpointSeen(
        name,
        is_disabled=_said(held.get("state")) == "disabled",
        disabled_why=_said(held.get("disabled_why")),
        disabled_at_ms=whole(held.get("disabled_at")),
        failing_since_ms=whole(held.get("failing_since")),
        n_waiting=n_waiting,
        oldest_due_ms=int(due[0][1]) if due else 0,
        n_gone=whole(held.get("n_gone")),
        gone_at_ms=whole(held.get("gone_at")),
    )


def _said(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")
