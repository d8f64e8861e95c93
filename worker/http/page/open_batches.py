"""
Open batches, and those that ended of late.

Their names stand nowhere in a list: they are taken from jobs at a few places of each lane, and from the newest events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from redis.exceptions import ResponseError

from worker.http.page.look_policy import LookPolicy
from worker.http.page.seen import Happened
from worker.queue.load_reader import Loads
from worker.settings.account import Account
from worker.status.batch import BatchSeen, batch_of
from worker.status.facts import LaneSeen, Overview
from worker.status.stored import text
from worker.store.inquiry import Inquiry, each
from worker.store.keys import Keys


def batches_seen(
    keys: Keys,
    overview: Overview,
    events: Sequence[Happened],
    loads: Loads,
    settings: Callable[[str], Account],
    policy: LookPolicy,
) -> Inquiry[tuple[BatchSeen, ...]]:
    """Those of lanes first, the fullest before the others; then those of events."""
    of_lanes = yield from _of_lanes(keys, overview.lanes, policy)
    named = dict.fromkeys([*of_lanes, *((one.account, one.batch) for one in events if one.batch and one.account)])
    found = yield from each(
        _readable(batch_of(keys, loads, settings(account), batch, overview.now_ms, has_workers=bool(overview.workers)))
        for account, batch in [*named][: policy.most_batches]
    )
    return tuple(one for one in found if one is not None)


def _readable(batch: Inquiry[BatchSeen | None]) -> Inquiry[BatchSeen | None]:
    """A batch; None where its key holds something else: the rest is still worth a look."""
    try:
        found = yield from batch
    except (ResponseError, ValueError, KeyError):
        return None
    return found


def _of_lanes(keys: Keys, lanes: Iterable[LaneSeen], policy: LookPolicy) -> Inquiry[list[tuple[str, str]]]:
    """Account and batch of jobs at a few places of each lane that has work."""
    busy = sorted((lane for lane in lanes if lane.n_open), key=lambda lane: -lane.n_open)
    asked = [
        (lane.account, ("ZRANGE", key(lane.name), rank, rank))
        for lane in busy[: policy.lanes_sampled]
        for key, n in ((keys.in_flight, lane.n_in_flight), (keys.waiting, lane.n_waiting), (keys.later, lane.n_later))
        for rank in places(n, policy.places_sampled)
    ]
    rows = yield [command for _, command in asked]
    ids = {
        (account, row[0]): None
        for (account, _), row in zip(asked, rows, strict=True)
        if row and not isinstance(row, Exception)
    }
    stored = yield [("HGET", keys.job(account, id_.decode(errors="surrogateescape")), "batch") for account, id_ in ids]
    found = zip(ids, stored, strict=True)
    return [(account, text(one)) for (account, _), one in found if isinstance(one, bytes) and one]


def places(n: int, most: int) -> list[int]:
    """At most so many ranks among *n*, from the first to the last, evenly."""
    if n <= most:
        return list(range(n))
    return sorted({round(k * (n - 1) / (most - 1)) for k in range(most)})
