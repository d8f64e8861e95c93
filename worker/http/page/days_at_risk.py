"""
The days that have not ended, of the accounts where it matters most, and which documents will miss theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from jobs.fiscal_day import day_bounds_ms
from schemas.names import account_of, within_account
from worker.http.page.look_policy import LookPolicy
from worker.http.page.seen import DayAtRisk
from worker.queue.day_reader import LaneDay, day_of
from worker.queue.load_reader import Loads
from worker.settings.account import Account
from worker.status.facts import Overview
from worker.status.stored import Asker, text, texts
from worker.store.inquiry import Inquiry, each
from worker.store.keys import Keys


def days_seen(
    keys: Keys, overview: Overview, loads: Loads, settings: Callable[[str], Account], policy: LookPolicy
) -> Inquiry[tuple[tuple[DayAtRisk, ...], int]]:
    """What was told to be at risk first, then the accounts with the most work; and how many are left out."""
    (members,) = yield from Asker().ask(
        ("ZRANGEBYSCORE", keys.days(), f"({overview.now_ms}", "+inf", "LIMIT", 0, policy.most_days)
    )
    names = texts(members)
    told = yield [("HGET", keys.day_told(account_of(name), within_account(name)), "is_at_risk") for name in names]
    is_told = {name: one == b"1" for name, one in zip(names, told, strict=True)}
    load: dict[str, int] = {}
    for lane in overview.lanes:
        load[lane.account] = load.get(lane.account, 0) + lane.n_waiting
    names.sort(key=lambda name: (not is_told[name], -load.get(account_of(name), 0), name))
    chosen = names[: policy.days_reckoned]
    found = yield from each(
        _day(keys, loads, settings(account_of(name)), within_account(name), overview.now_ms, policy) for name in chosen
    )
    return tuple(one for one in found if one is not None), len(names) - len(chosen)


def _day(
    keys: Keys, loads: Loads, account: Account, day: str, now_ms: int, policy: LookPolicy
) -> Inquiry[DayAtRisk | None]:
    try:
        ends_ms = day_bounds_ms(day, account.zone)[1]
    except ValueError:
        return None  # somebody wrote there by hand
    reading, courses = yield from loads.feared(account.name)
    seen = yield from day_of(keys, account, day, reading, courses)
    if not seen.n_waiting:
        return None
    late = yield from each(_late(keys, account.name, lane, day, policy.references) for lane in seen.lanes)
    expected = max((one.expected_ms for one in seen.lanes if one.expected_ms is not None), default=None)
    first = tuple(chain.from_iterable(late))[: policy.references]
    return DayAtRisk(account.name, day, ends_ms, seen.n_waiting, seen.will_miss, expected, first)


def _late(keys: Keys, account: str, lane: LaneDay, day: str, most: int) -> Inquiry[list[tuple[str, str]]]:
    """Family and reference of the first in a lane that will miss their day."""
    if not lane.will_miss:
        return []
    (ids,) = yield from Asker().ask(
        ("ZRANGEBYSCORE", keys.day_jobs(lane.lane, day), lane.from_score or "-inf", "+inf", "LIMIT", 0, most)
    )
    rows = yield [
        ("HGET", keys.job(account, job_id.decode(errors="surrogateescape")), "reference_code") for job_id in ids or ()
    ]
    return [(within_account(lane.lane), text(row)) for row in rows if isinstance(row, bytes) and row]
