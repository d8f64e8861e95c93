"""
What a scrape reads beside its own figures, so that the problems of ``status`` (``worker/status/problems.py``) are a
metric too: workers, streams, groups, endpoints, by the readers of ``status``; lanes and accounts from what it has read
of them anyhow.

Names of documents, jobs and the words of Factus are left out: no metric tells of them. What this user of Redis may not
read is not known, and nothing is said of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from redis.exceptions import NoPermissionError

from worker.metrics.account_reader import SLOWED, AccountRead, LaneRead
from worker.queue.consumer_lag import GroupLag
from worker.status.batch_reader import complete_batches_seen
from worker.status.endpoint_reader import WebhooksSeen, endpoints_seen
from worker.status.facts import AccountSeen, Block, Hold, IntakeSeen, LaneSeen, Overview, WorkerSeen
from worker.status.group_reader import groups_seen
from worker.status.intake_reader import intakes_seen, unread_streams
from worker.status.range_reader import ranges_of
from worker.status.stored import Asker, scored, text, whole
from worker.status.worker_reader import workers_seen
from worker.store.inquiry import Inquiry, together
from worker.store.keys import Keys

_T = TypeVar("_T")

LOST_MS: Final = 600_000
"""For so long a worker is remembered that gives no sign of life and has not said goodbye (``worker/process.py``)."""


class WorkersKnown(NamedTuple):
    """Who is there, and how many ended a moment ago without a goodbye."""

    alive: tuple[WorkerSeen, ...]
    n_lost: int


@dataclass(frozen=True, slots=True)
class Besides:
    """What was read for problems alone."""

    workers: WorkersKnown | None
    """None where this user may not see who is there."""

    intakes: tuple[IntakeSeen, ...]
    facts: Mapping[str, str]
    groups: tuple[GroupLag, ...]
    webhooks: WebhooksSeen
    batches: tuple[str, ...]


def besides_read(asker: Asker, keys: Keys, own: Sequence[str], results_maxlen: int, now_ms: int) -> Inquiry[Besides]:
    """
    All of it, in step.

    Args:
        own: The accounts with streams of their own.
    """
    streams = [keys.jobs(), keys.retry(), *(keys.jobs(name) for name in own)]
    workers, (_, intakes, facts), groups, (webhooks, batches) = yield from together(
        _allowed(_workers(asker, keys, now_ms), None),
        _allowed(intakes_seen(asker, keys, streams), ("", (), {})),
        _allowed(groups_seen(asker, keys.outcomes(own), results_maxlen), ()),
        together(endpoints_seen(keys, now_ms), _allowed(complete_batches_seen(asker, keys), ())),
    )
    return Besides(workers, intakes, facts, groups, webhooks, batches)


def overview_of(
    besides: Besides, accounts: Iterable[AccountRead], refused: tuple[str, str], damaged: Sequence[str], now_ms: int
) -> Overview:
    """
    The service as ``status`` sees it, as far as its problems depend on it.

    Args:
        refused: Redis's first word, and all of them, where it takes no writes; empty where it does.
        damaged: Keys that hold something else than they should.
    """
    reads = list(accounts)
    seen, lanes = _as_status_sees(reads, now_ms)
    return Overview(
        now_ms=now_ms,
        workers=besides.workers.alive if besides.workers else (),
        intake_leader="",
        intakes=besides.intakes,
        lanes=lanes,
        accounts=seen,
        n_dead=0,
        groups=besides.groups,
        writes_refused=refused[1] or None,
        writes_word=refused[0],
        damaged=tuple(damaged),
        n_letters_gone=whole(besides.facts.get("letters_gone")),
        letters_gone_at_ms=whole(besides.facts.get("letters_gone_at")),
        unread_streams=unread_streams(besides.facts, now_ms),
        endpoints=besides.webhooks.endpoints,
        n_delivering=besides.webhooks.n_delivering,
        failing_deliverers=besides.webhooks.failing,
        complete_batches=besides.batches,
        ranges=ranges_of(((one.name, one.notes) for one in reads), now_ms),
    )


def _allowed(inquiry: Inquiry[_T], otherwise: _T) -> Inquiry[_T]:
    """What an inquiry finds out; something else where this user may not ask."""
    try:
        return (yield from inquiry)
    except NoPermissionError:
        return otherwise


def _workers(asker: Asker, keys: Keys, now_ms: int) -> Inquiry[WorkersKnown | None]:
    alive, (flat,) = yield from together(
        workers_seen(asker, keys, now_ms), asker.ask(("ZRANGE", keys.workers(), 0, -1, "WITHSCORES"))
    )
    remembered = {text(raw) for raw, at_ms in scored(flat) if at_ms > now_ms - LOST_MS}
    return WorkersKnown(alive, len(remembered - {worker.id for worker in alive}))


# -- lanes and accounts ------------------------------------------------------------------------------------------------
def hold_of(raw: Sequence[bytes | None], now_ms: int) -> Hold | None:
    """What holds an account or a lane: until an instant that is to come, or since one and nothing has come through."""
    until_ms, since_ms = whole(raw[0]), whole(raw[2])
    if until_ms <= now_ms and not since_ms:
        return None
    held_for = text(raw[3])
    reason = text(raw[1]) if until_ms > now_ms else held_for
    return Hold(reason, until_ms, since_ms if reason == held_for else 0)


def _as_status_sees(
    accounts: Iterable[AccountRead], now_ms: int
) -> tuple[tuple[AccountSeen, ...], tuple[LaneSeen, ...]]:
    """
    Accounts and lanes of which there may be something to tell: those that something holds, and their lanes; and one
    lane with work of each other account, which somebody has to serve.
    """
    seen: list[AccountSeen] = []
    lanes: list[LaneSeen] = []
    for account in accounts:
        if not (any(account.hold) or account.blocks or any(any(lane.hold) for lane in account.lanes)):
            first = next((lane for lane in account.lanes if any(lane.sizes)), None)
            lanes += [_lane_seen(first, account.name, None, None)] if first else []
            continue
        hold = hold_of(account.hold, now_ms)
        mine = [_lane_seen(lane, account.name, hold_of(lane.hold, now_ms), hold) for lane in account.lanes]
        if hold or account.blocks or any(lane.hold for lane in mine):
            seen.append(_account_seen(account, hold))
            lanes += mine
        else:
            lanes += [lane for lane in mine if lane.n_open][:1]
    return tuple(seen), tuple(lanes)


def _lane_seen(lane: LaneRead, account: str, hold: Hold | None, account_hold: Hold | None) -> LaneSeen:
    """One lane; held only where somebody is left whom it holds, and where it is not the account that is slowed down."""
    is_slowed = account_hold is not None and account_hold.reason == SLOWED
    if not any(lane.sizes) or (is_slowed and hold is not None and hold.reason == "factus.unavailable"):
        hold = None
    return LaneSeen(lane.name, account, *lane.sizes, hold, next_look_ms=0)


def _account_seen(account: AccountRead, hold: Hold | None) -> AccountSeen:
    blocks = tuple(Block(name, whole(since)) for name, since in sorted(account.blocks.items()))
    return AccountSeen(account.name, True, 1, 1.0, 0, hold, 0, 0, 0.0, blocks=blocks)
