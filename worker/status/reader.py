"""
What ``status`` sees, read from Redis as it is just now: some ten round trips, however much waits, of however many
accounts.

Reading only, but for one key of its own that dies by itself: whether Redis takes writes is seen by writing. Each thing
is read by a module of its own (``worker_reader.py``, ``lane_reader.py`` ...), and all of them in step. One document or
job is found by ``lookup.py``; what the facts mean is said by ``explain.py`` and ``problems.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from redis.asyncio import Redis

from jobs.estimate.course import Course
from schemas.names import account_of
from worker.queue.consumer_lag import GroupLag
from worker.queue.load_reader import Loads, Reading
from worker.settings.account import Account
from worker.status.account_reader import KnownAccounts, account_seen
from worker.status.batch_reader import complete_batches_seen
from worker.status.endpoint_reader import WebhooksSeen, endpoints_seen
from worker.status.facts import (
    AccountSeen,
    IntakeSeen,
    LaneSeen,
    LettersSeen,
    Overview,
    RadianSeen,
    WorkerSeen,
    with_backlog,
)
from worker.status.group_reader import groups_seen
from worker.status.intake_reader import intakes_seen, unread_streams
from worker.status.lane_reader import lane_names, queue_seen
from worker.status.letter_reader import letters_seen
from worker.status.range_reader import ranges_seen
from worker.status.stored import Asker, whole
from worker.status.term_reader import terms_seen
from worker.status.worker_reader import workers_seen
from worker.status.write_probe import write_refused
from worker.store.inquiry import Inquiry, answered, asked, each, together
from worker.store.keys import Keys


class StatusReader:
    """Reads the state of one namespace."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        accounts: Mapping[str, Account],
        *,
        limit: int,
        window_s: float,
        results_maxlen: int,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._known = KnownAccounts(accounts, limit, window_s)
        self._results_maxlen = results_maxlen

    async def overview(self, *, tries_a_write: bool = True) -> Overview:
        """
        All of it. Not one instant: some parts are read after others.

        Args:
            tries_a_write: Without it nothing at all is written, and it is not known whether Redis takes writes.
        """
        return (await answered(self._redis, self.whole(tries_a_write=tries_a_write)))[0]

    async def now_ms(self) -> int:
        return await answered(self._redis, _now_ms())

    async def workers(self, now_ms: int) -> tuple[WorkerSeen, ...]:
        return await answered(self._redis, workers_seen(Asker(), self._keys, now_ms))

    async def account_names(self, workers: Sequence[WorkerSeen]) -> list[str]:
        """Every account that is configured here, served by a worker, or has work."""
        return self._names(workers, await answered(self._redis, lane_names(Asker(), self._keys)))

    async def account(self, name: str, now_ms: int) -> AccountSeen:
        return await answered(self._redis, account_seen(Asker(), self._keys, self._known, name, now_ms, {}))

    async def lanes_of(self, account: AccountSeen, now_ms: int) -> dict[str, LaneSeen]:
        """The lanes of one account that have work, by name."""
        return await answered(self._redis, self._lanes_of(account, now_ms))

    def account_settings(self, name: str) -> Account:
        """An account; one that is not configured here is taken to have the allowance of those that are."""
        return self._known.settings(name)

    # -- inquiries -------------------------------------------------------------------------------------------------
    def whole(self, *, tries_a_write: bool) -> Inquiry[tuple[Overview, Loads]]:
        """As :meth:`overview`; with the loads of accounts, for whoever reckons on."""
        asker, keys = Asker(), self._keys
        now_ms, names = yield from together(_now_ms(), lane_names(asker, keys))
        loads = Loads(keys, self.account_settings, now_ms, frozenset(names))
        (workers, queues), around, besides, refused = yield from together(
            together(workers_seen(asker, keys, now_ms), self._queues(asker, names, now_ms)),
            self._around(asker),
            self._besides(asker, now_ms),
            write_refused(keys) if tries_a_write else _nothing(),
        )
        environments = {name: which for worker in workers for name, which in worker.environments.items()}
        of_all = self._names(workers, names)
        accounts, ranges = yield from together(
            each(account_seen(asker, keys, self._known, name, now_ms, environments) for name in of_all),
            ranges_seen(asker, keys, of_all, now_ms),
        )
        lanes = yield from _lanes(queues, {one.name: one for one in accounts}, loads, now_ms)
        if not workers:
            lanes = tuple(replace(lane, done_ms=None) for lane in lanes)  # nobody does them
        seen = Overview(
            now_ms=now_ms,
            workers=workers,
            intake_leader=around.leader,
            intakes=around.intakes,
            lanes=lanes,
            accounts=tuple(accounts),
            n_dead=around.letters.n,
            groups=around.groups,
            writes_refused=refused[1] if refused else None,
            writes_word=refused[0] if refused else "",
            damaged=asker.damaged,
            n_letters_gone=whole(around.facts.get("letters_gone")),
            letters_gone_at_ms=whole(around.facts.get("letters_gone_at")),
            unread_streams=unread_streams(around.facts, now_ms),
            letters=around.letters,
            radian=besides.radian,
            endpoints=besides.webhooks.endpoints,
            n_delivering=besides.webhooks.n_delivering,
            failing_deliverers=besides.webhooks.failing,
            complete_batches=besides.batches,
            ranges=ranges,
        )
        return seen, loads

    def _around(self, asker: Asker) -> Inquiry[_Around]:
        """The streams: what comes in, what goes out, what is left lying."""
        own = sorted(name for name, account in self._known.configured.items() if account.own_streams)
        keys = self._keys
        streams = [keys.jobs(), keys.retry(), *(keys.jobs(name) for name in own)]
        (leader, intakes, facts), groups, letters = yield from together(
            intakes_seen(asker, keys, streams),
            groups_seen(asker, keys.outcomes(own), self._results_maxlen),
            letters_seen(asker, keys),
        )
        return _Around(leader, intakes, facts, groups, letters)

    def _besides(self, asker: Asker, now_ms: int) -> Inquiry[_Besides]:
        radian, webhooks, batches = yield from together(
            terms_seen(asker, self._keys, now_ms),
            endpoints_seen(self._keys, now_ms),
            complete_batches_seen(asker, self._keys),
        )
        return _Besides(radian, webhooks, batches)

    def _lanes_of(self, account: AccountSeen, now_ms: int) -> Inquiry[dict[str, LaneSeen]]:
        asker = Asker()
        names = yield from lane_names(asker, self._keys)
        own = [name for name in names if account_of(name) == account.name]
        queues = yield from self._queues(asker, own, now_ms)
        loads = Loads(self._keys, self.account_settings, now_ms, frozenset(own))
        lanes = yield from _lanes(queues, {account.name: account}, loads, now_ms)
        return {lane.name: lane for lane in lanes}

    def _queues(self, asker: Asker, names: Iterable[str], now_ms: int) -> Inquiry[list[LaneSeen]]:
        return each(queue_seen(asker, self._keys, self._known.configured, name, now_ms) for name in names)

    def _names(self, workers: Sequence[WorkerSeen], lanes: Sequence[str]) -> list[str]:
        names = set(self._known.configured) | {account_of(lane) for lane in lanes}
        return sorted(names.union(*(worker.accounts for worker in workers)))


@dataclass(frozen=True, slots=True)
class _Around:
    """What was read of the streams."""

    leader: str
    intakes: tuple[IntakeSeen, ...]
    facts: Mapping[str, str]
    groups: tuple[GroupLag, ...]
    letters: LettersSeen


@dataclass(frozen=True, slots=True)
class _Besides:
    """What was read of what stands beside the work."""

    radian: RadianSeen
    webhooks: WebhooksSeen
    batches: tuple[str, ...]


def _now_ms() -> Inquiry[int]:
    (told,) = yield from asked(("TIME",))
    return int(told[0]) * 1000 + int(told[1]) // 1000


def _nothing() -> Inquiry[None]:
    yield ()


def _lanes(
    queues: Iterable[LaneSeen], accounts: Mapping[str, AccountSeen], loads: Loads, now_ms: int
) -> Inquiry[tuple[LaneSeen, ...]]:
    """Lanes with what their neighbours do to them, and when they will be done."""
    alone = [_of_its_account(queue, accounts) for queue in queues]
    lanes = [with_backlog(queue, alone, accounts[queue.account], now_ms) for queue in alone]
    # What is at rest needs no estimate.
    busy = sorted({lane.account for lane in lanes if lane.n_waiting or (lane.issues and lane.n_later)})
    courses = yield from loads.all(busy)
    return tuple(
        _with_estimate(lane, *courses[lane.account], now_ms) if lane.account in courses else lane for lane in lanes
    )


def _of_its_account(lane: LaneSeen, accounts: Mapping[str, AccountSeen]) -> LaneSeen:
    """
    A lane without the pause that came with a 429: it is the account that Factus asked to slow down, and the words of
    the job that met it would say that Factus does not answer.
    """
    by_account = accounts[lane.account].hold
    is_slowed = by_account is not None and by_account.reason == "factus.throttled"
    if is_slowed and lane.hold and lane.hold.reason == "factus.unavailable":
        return replace(lane, hold=None)
    return lane


def _with_estimate(lane: LaneSeen, reading: Reading, courses: Mapping[str, Course], now_ms: int) -> LaneSeen:
    """A lane with its pace, and when it will be done: nobody knows where it is held."""
    course = courses.get(lane.name)
    if course is None:
        return lane
    is_held = lane.name in reading.held
    done_ms = None if is_held else course.done_ms
    backlog_s = lane.backlog_s if done_ms is None or not lane.n_waiting else max(done_ms - now_ms, 0) / 1000
    pace = 0.0 if is_held else course.pace_per_minute
    return replace(lane, pace_per_minute=pace, done_ms=done_ms, backlog_s=backlog_s)
