"""Lanes: what waits, comes later and is under way in each, what holds it, and who waits longest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from schemas.names import TRACK, account_of, follow_up_id, is_calls_lane
from schemas.records import WaitReason, pushed_ms_of, score_bands
from worker.settings.account import Account
from worker.status.facts import WAIT_REASONS, LaneSeen
from worker.status.hold_reader import hold_of
from worker.status.stored import Asker, scored, text_hash, texts, whole
from worker.store.inquiry import Inquiry, together
from worker.store.keys import Keys

_MOST_TRACKED: Final = 2_000
"""Of what comes later in a lane of calls so many are looked at: the share that watches RADIAN is taken from them."""


def lane_names(asker: Asker, keys: Keys) -> Inquiry[list[str]]:
    """The lanes that have work."""
    (members,) = yield from asker.ask(("SMEMBERS", keys.lanes()))
    return sorted(texts(members))


def queue_seen(
    asker: Asker, keys: Keys, configured: Mapping[str, Account], name: str, now_ms: int
) -> Inquiry[LaneSeen]:
    """A lane by itself, without what its neighbours do to it."""
    stored, n_waiting, n_later, n_in_flight, next_look = yield from asker.ask(
        ("HGETALL", keys.lane(name)),
        ("ZCARD", keys.waiting(name)),
        ("ZCARD", keys.later(name)),
        ("ZCARD", keys.in_flight(name)),
        ("ZSCORE", keys.lanes_due(), name),
    )
    account, state = account_of(name), text_hash(stored)
    lane = LaneSeen(
        name=name,
        account=account,
        n_waiting=n_waiting or 0,
        n_later=n_later or 0,
        n_in_flight=n_in_flight or 0,
        hold=None,
        next_look_ms=whole(next_look),
        wait_reason=WaitReason.read(state.get("wait_reason", "")),
        width=_width(name, state, configured.get(account)),
    )
    hold, oldest_ms, n_tracking = yield from together(
        hold_of(asker, keys, account, state, now_ms),
        _oldest_ms(asker, keys, lane),
        _n_tracking(asker, keys, lane),
    )
    if not lane.n_open:
        hold = None  # nobody is left whom it holds
    lane = replace(lane, hold=hold, oldest_ms=oldest_ms, n_tracking=n_tracking)
    return replace(lane, why=_why(lane))


def _width(lane: str, state: Mapping[str, str], known: Account | None) -> int:
    """As the dispatcher's last look had it; of calls what is configured here."""
    if is_calls_lane(lane):
        return known.concurrency if known else 1
    return max(whole(state.get("width_in_use")), 1)


def _oldest_ms(asker: Asker, keys: Keys, lane: LaneSeen) -> Inquiry[int]:
    """When the job was pushed that waits longest: the first of each priority, and of what comes back."""
    if not lane.n_waiting:
        return 0
    waiting = keys.waiting(lane.name)
    firsts = yield from asker.ask(
        *(
            ("ZRANGEBYSCORE", waiting, str(first), f"({last}", "WITHSCORES", "LIMIT", 0, 1)
            for first, last in score_bands()
        )
    )
    rows = [row for flat in firsts for row in scored(flat)]
    came_back = [job_id.decode(errors="surrogateescape") for job_id, score in rows if score < 0]
    # What is on again stands before all others, and its place says nothing: only its record tells.
    told = yield from asker.ask(*(("HGET", keys.job(lane.account, job_id), "accepted_at") for job_id in came_back))
    found = [*(pushed_ms_of(int(score)) for _, score in rows if score >= 0), *map(whole, told)]
    return min(filter(None, found), default=0)


def _n_tracking(asker: Asker, keys: Keys, lane: LaneSeen) -> Inquiry[int]:
    if not lane.is_calls or not lane.n_later:
        return 0
    (found,) = yield from asker.ask(("ZRANGE", keys.later(lane.name), 0, _MOST_TRACKED - 1))
    ids = found or ()
    n_tracking = sum(job_id.endswith(follow_up_id("", TRACK).encode()) for job_id in ids)
    return int(n_tracking if len(ids) < _MOST_TRACKED else n_tracking * lane.n_later // len(ids))


def _why(lane: LaneSeen) -> str | None:
    if not lane.n_waiting:
        return None
    return "held" if lane.hold else WAIT_REASONS.get(lane.wait_reason)
