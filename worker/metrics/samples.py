"""
From what was read to series, within the bounds of their number. Pure.

No label holds a reference, a job or a batch. A name that others chose (an account, a group, an endpoint, a prefix) is
cut; what is too much is put together under ``other``, the same way at each scrape.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from jobs.event_counts import OUTCOMES
from jobs.families import FAMILIES
from jobs.registry import JOB_TYPES
from schemas.contract.error_codes import ERROR_CODES
from schemas.names import CALLS_LANE, CONTROL_LANE, issues
from worker.figures import CAUSES, OPERATIONS, Figures
from worker.figures import OUTCOMES as CALL_OUTCOMES
from worker.metrics import catalog
from worker.metrics.catalog import MOST_OF_ACCOUNT, Metric
from worker.metrics.snapshot import AccountState, LaneState, RangeState, Snapshot
from worker.speech import ENGLISH
from worker.status.facts import Overview
from worker.status.problems import problems

OTHER: Final = "other"
_LONGEST_LABEL: Final = 64
_MOST_TYPES: Final = 12
_MOST_KINDS: Final = 5
_MOST_GROUPS: Final = 4
_MOST_HOOKS: Final = 3
_MOST_BLOCKS: Final = 2
_MOST_ENDING: Final = 3
"""Ranges of an account of which is always told that they end: more than two at once are rare."""

_QUEUES: Final = frozenset((*FAMILIES, CALLS_LANE, CONTROL_LANE))
_FIRST_LANE: Final = next(iter(FAMILIES))
_ISSUED: Final = [name for name in JOB_TYPES if issues(name)]
_TYPES: Final = [*_ISSUED, *(name for name in JOB_TYPES if not issues(name))]
_ALWAYS: Final = [(_ISSUED[0], outcome) for outcome in OUTCOMES if outcome != "completed"]
_REASONS: Final = frozenset({row.code for row in ERROR_CODES} | {"factus.outage"})


class Sample(NamedTuple):
    """One series: the values of its labels in the metric's order (all of them, the account too)."""

    metric: Metric
    value: float
    labels: tuple[str, ...] = ()


def of_service(seen: Snapshot, version: str) -> Iterator[Sample]:
    """What is of the whole service, but for its accounts; whatever the number of things there are, 38 at most."""
    yield Sample(catalog.BUILD, 1, (version,))
    if seen.redis_fault:
        yield Sample(catalog.LANE_BLOCKED, 1, ("", "", seen.redis_fault))
    if not seen.is_read:
        return
    yield from _jobs(seen.counts)
    if seen.n_dead is not None:
        yield Sample(catalog.DEAD_LETTERS, seen.n_dead)
    if seen.n_at_risk is not None:
        yield Sample(catalog.AT_RISK, seen.n_at_risk)
    yield from _groups(seen)
    yield from _hooks(seen.hooks)
    if seen.n_workers is not None and seen.n_lost is not None and not seen.redis_fault:
        yield Sample(catalog.WORKERS, seen.n_workers, ("alive",))
        yield Sample(catalog.WORKERS, seen.n_lost, ("lost",))
    if seen.overview is not None:
        yield from _problems(seen.overview, knows_workers=seen.n_workers is not None)


def _problems(seen: Overview, *, knows_workers: bool) -> Iterator[Sample]:
    """What ``status`` would tell, counted: the kinds that it tells first, and the rest together."""
    found = [
        one for one in problems(seen, ENGLISH) if knows_workers or not one.id.startswith(("workers.", "account.uns"))
    ]
    counts = Counter((one.id, one.severity) for one in found)  # in the order in which they are told
    for n_shown, (labels, n) in enumerate(counts.items()):
        if n_shown < _MOST_KINDS:
            yield Sample(catalog.PROBLEMS, n, labels)
    if rest := [*counts.items()][_MOST_KINDS:]:
        severity = "failure" if any(labels[1] == "failure" for labels, _ in rest) else "warning"
        yield Sample(catalog.PROBLEMS, sum(n for _, n in rest), (OTHER, severity))


def _jobs(counts: dict[tuple[str, str], int]) -> Iterator[Sample]:
    """The first twelve in an order that never changes, and the rest by outcome."""
    order = {name: n for n, name in enumerate(_TYPES)}
    known = dict.fromkeys(_ALWAYS, 0) | counts
    ranked = sorted(known, key=lambda one: (one not in _ALWAYS, order.get(one[0], len(order)), OUTCOMES.index(one[1])))
    rest: dict[str, int] = defaultdict(int)
    for place, (job_type, outcome) in enumerate(ranked):
        if place < _MOST_TYPES:
            yield Sample(catalog.JOBS, known[job_type, outcome], (job_type, outcome))
        else:
            rest[outcome] += known[job_type, outcome]
    yield from (Sample(catalog.JOBS, n, (OTHER, outcome)) for outcome, n in rest.items())


def _groups(seen: Snapshot) -> Iterator[Sample]:
    worst: dict[tuple[str, str], int] = {}
    for one in seen.groups:
        labels = bounded(one.stream), bounded(one.group)
        worst[labels] = max(one.n_unread, worst.get(labels, 0))
    first = sorted(worst, key=lambda labels: (-worst[labels], labels))
    for labels in first[:_MOST_GROUPS]:
        yield Sample(catalog.CONSUMER_LAG, worst[labels], labels)
    if rest := first[_MOST_GROUPS:]:
        yield Sample(catalog.CONSUMER_LAG, max(worst[labels] for labels in rest), (OTHER, OTHER))


def _hooks(waiting: dict[str, int]) -> Iterator[Sample]:
    named: dict[str, int] = defaultdict(int)
    for name, n in waiting.items():
        named[bounded(name)] += n
    first = sorted(named, key=lambda name: (-named[name], name))
    for name in first[:_MOST_HOOKS]:
        yield Sample(catalog.WEBHOOK_WAITING, named[name], (name,))
    if rest := first[_MOST_HOOKS:]:
        yield Sample(catalog.WEBHOOK_WAITING, sum(named[name] for name in rest), (OTHER,))


def of_process(figures: Figures, n_busy: int, n_slots: int) -> Iterator[Sample]:
    """What is of a worker process, 22 series; its histogram aside."""
    for operation in OPERATIONS:
        for outcome in CALL_OUTCOMES:
            yield Sample(catalog.CALLS, figures.calls[operation, outcome], (operation, outcome))
    yield Sample(catalog.THROTTLED, figures.n_throttled)
    for cause in CAUSES:
        yield Sample(catalog.CONFLICTS, figures.conflicts[cause], (cause,))
    yield Sample(catalog.REPAIRS, figures.n_repairs)
    yield Sample(catalog.BUSY, n_busy)
    yield Sample(catalog.SLOTS, n_slots)


# -- accounts ----------------------------------------------------------------------------------------------------------
def of_account(account: AccountState) -> list[Sample]:
    """
    The series of one account, 15 at most.

    First what is always there, what holds it, the range that is nearest its end, and which others end; then lanes with
    work, the one that waits longest first, those for which there is no room together as ``other``; then zeros, and
    further ranges.
    """
    name = bounded(account.name)
    found = [*_own(account, name), *_blocks(account, name)]
    ranges = sorted(account.ranges, key=_nearness)
    for one in ranges[:1]:
        found += _range(name, one)
    for one in ranges[1:_MOST_ENDING]:
        found += _ending(name, one)
    lanes = _fitting(account.lanes, MOST_OF_ACCOUNT - len(found))
    for lane in lanes:
        found += _lane(name, lane)
    found += islice(_more(name, lanes, ranges, tuple(found)), MOST_OF_ACCOUNT - len(found))
    return found


def _more(
    name: str, lanes: Sequence[LaneState], ranges: Sequence[RangeState], told: Collection[Sample]
) -> Iterator[Sample]:
    """What an account has besides, as far as there is room."""
    for lane in lanes or (LaneState(_FIRST_LANE),):
        yield from _zeros(name, lane)
    for one in ranges[1:]:
        yield from (sample for sample in _range(name, one) if sample not in told)


def _own(account: AccountState, name: str) -> Iterator[Sample]:
    if account.n_used is not None and account.limit is not None:
        yield Sample(catalog.ALLOWANCE_USED, account.n_used, (name,))
        yield Sample(catalog.ALLOWANCE_LIMIT, account.limit, (name,))
    if account.token_expires_ms:
        yield Sample(catalog.TOKEN_EXPIRES, account.token_expires_ms / 1000, (name,))


def _blocks(account: AccountState, name: str) -> list[Sample]:
    if not (account.blocked or any(lane.blocked for lane in account.lanes)):
        return []
    blocks = [("", account.blocked), *((lane.queue, lane.blocked) for lane in account.lanes)]
    rows = dict.fromkeys((_queue(family) if family else "", _reason(reason)) for family, reason in blocks if reason)
    return [Sample(catalog.LANE_BLOCKED, 1, (name, *row)) for row in [*rows][:_MOST_BLOCKS]]


def _fitting(lanes: Sequence[LaneState], room: int) -> list[LaneState]:
    """As many lanes as there is room for, the rest as one."""
    known = [lane if lane.queue in _QUEUES else lane._replace(queue=OTHER) for lane in lanes if lane.n_open]
    ranked = _merged(sorted(known, key=lambda lane: (lane.oldest_ms is None, lane.oldest_ms or 0, lane.queue)))
    for n_shown in range(len(ranked), -1, -1):
        shown = ranked[:n_shown] + ([_together(ranked[n_shown:])] if ranked[n_shown:] else [])
        if sum(map(_n_series, shown)) <= room:
            return shown
    return []


def _merged(lanes: Iterable[LaneState]) -> list[LaneState]:
    """Lanes of one label together: strange ones that somebody has made by hand."""
    by_queue: dict[str, list[LaneState]] = defaultdict(list)
    for lane in lanes:
        by_queue[lane.queue].append(lane)
    return [some[0] if len(some) == 1 else _together(some)._replace(queue=queue) for queue, some in by_queue.items()]


def _together(lanes: Sequence[LaneState]) -> LaneState:
    return LaneState(
        OTHER,
        sum(lane.n_waiting for lane in lanes),
        sum(lane.n_delayed for lane in lanes),
        sum(lane.n_in_flight for lane in lanes),
        min((lane.oldest_ms for lane in lanes if lane.oldest_ms), default=None),
        max((lane.done_ms for lane in lanes if lane.done_ms), default=None),
    )


def _states(lane: LaneState) -> tuple[tuple[str, int], ...]:
    return ("waiting", lane.n_waiting), ("delayed", lane.n_delayed), ("in_flight", lane.n_in_flight)


def _lane(account: str, lane: LaneState) -> list[Sample]:
    found = [Sample(catalog.LANE_JOBS, n, (account, lane.queue, state)) for state, n in _states(lane) if n]
    if lane.oldest_ms:
        found.append(Sample(catalog.LANE_OLDEST, lane.oldest_ms / 1000, (account, lane.queue)))
    if lane.done_ms:
        found.append(Sample(catalog.LANE_DONE, lane.done_ms / 1000, (account, lane.queue)))
    return found


def _n_series(lane: LaneState) -> int:
    """How many series :func:`_lane` has."""
    numbers = (lane.n_waiting, lane.n_delayed, lane.n_in_flight, lane.oldest_ms, lane.done_ms)
    return sum(map(bool, numbers))


def _zeros(account: str, lane: LaneState) -> list[Sample]:
    return [Sample(catalog.LANE_JOBS, 0, (account, lane.queue, state)) for state, n in _states(lane) if not n]


def _nearness(one: RangeState) -> tuple[bool, int, float, str, str]:
    """What somebody has to know first; then few numbers, then what ends soonest."""
    n_left = one.n_left if one.n_left is not None else 10**15
    return not one.is_ending, min(n_left, 10**6), one.expires_ms or float("inf"), one.family, one.prefix


def _range(account: str, one: RangeState) -> list[Sample]:
    labels = (account, bounded(one.family), bounded(one.prefix))
    found = [] if one.n_left is None else [Sample(catalog.RANGE_LEFT, one.n_left, labels)]
    if one.expires_ms is not None:
        found.append(Sample(catalog.RANGE_EXPIRES, one.expires_ms / 1000, labels))
    return found + _ending(account, one)


def _ending(account: str, one: RangeState) -> list[Sample]:
    labels = (account, bounded(one.family), bounded(one.prefix))
    return [Sample(catalog.RANGE_ENDING, 1, labels)] if one.is_ending else []


def all_together(accounts: Sequence[AccountState]) -> AccountState:
    """All accounts as one, for FACTUS_METRICS_ACCOUNTS=false. Blocks and ranges are of any of them."""
    known = [one for one in accounts if one.limit is not None and one.n_used is not None]
    lanes = _merged(lane for one in accounts for lane in one.lanes)
    tightest: dict[tuple[str, str], RangeState] = {}
    for one in sorted((seen for account in accounts for seen in account.ranges), key=_nearness):
        tightest.setdefault((one.family, one.prefix), one)
    return AccountState(
        "",
        tuple(lane._replace(blocked=_first_block(accounts, lane.queue)) for lane in lanes),
        next((one.blocked for one in accounts if one.blocked), ""),
        sum(one.n_used or 0 for one in known) if known else None,
        sum(one.limit or 0 for one in known) if known else None,
        min((one.token_expires_ms for one in accounts if one.token_expires_ms), default=None),
        tuple(tightest.values()),
    )


def _first_block(accounts: Sequence[AccountState], queue: str) -> str:
    return next((lane.blocked for one in accounts for lane in one.lanes if lane.queue == queue and lane.blocked), "")


# -- labels ------------------------------------------------------------------------------------------------------------
def bounded(name: str) -> str:
    """A name that others chose: printable and of bounded length. The format itself escapes quotes and backslashes."""
    name = name[:_LONGEST_LABEL]
    return name if name.isprintable() else "".join(char if char.isprintable() else "?" for char in name)


def _queue(name: str) -> str:
    return name if name in _QUEUES else OTHER


def _reason(code: str) -> str:
    return code if code in _REASONS else OTHER
