"""
One worker process: its tasks, its signals, its end.

SIGTERM and SIGINT: nothing more is taken in, started or claimed; calls under way end (30 s at most); everything else
stays queued. A second signal changes nothing: a call that is cut off has to be looked up at Factus.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from jobs.errors import ServiceError
from jobs.ports import Archive
from schemas.names import TRACK, follow_up_id
from worker.addresses import shown
from worker.bootstrap import POLICIES, Policies, Services, services
from worker.guard import log_unavailable, pause
from worker.intake.reader import GROUP
from worker.metrics import endpoint as metrics
from worker.queue.day_book import begin_day_index
from worker.queue.holds import AccountHolds
from worker.settings.model import Settings
from worker.store.connection import words_of
from worker.store.embedded_keeper import ServerGone
from worker.store.installation import read_installation
from worker.store.refusals import RefusalWatch
from worker.version import VERSION
from worker.watchdog import Holds, Watchdog

log = structlog.get_logger()

_HEARTBEAT_S: Final = 2.0
HEARTBEAT_LIFE_MS: Final = 10_000
_REMEMBERED_MS: Final = 600_000
"""For so long a worker is known that has ended without a goodbye: alerts tell of it."""

_BURST_LOOK_S: Final = 0.1
_WAKE_RETRY_S: Final = 1.0
_CANCEL_AGAIN_S: Final = 0.02


async def run_worker(
    settings: Settings, *, burst: bool = False, policies: Policies = POLICIES, archive: Archive | None = None
) -> None:
    """
    Run until a signal; with *burst* until nothing is left to do.

    Args:
        policies: Times and numbers that are no settings.
        archive: Where files are kept; what ``FACTUS_ARCHIVE_URL`` names unless given.

    Raises:
        ConfigurationError: A setting cannot be used.
        ServiceError: Redis does not answer at the start.
    """
    read_installation()
    # Around the services: from the moment that an embedded server may run until it has been left, no signal ends the
    # process on the spot. One that comes while the server starts is heard when it answers.
    with stopping_on_signals() as stopping:
        async with services(settings, policies, archive=archive) as built:
            await _greet(built)
            # Before any call: a token of other credentials may be another company's.
            await AccountHolds(built.redis, built.keys).heed_credentials(built.accounts, new=False)
            await begin_day_index(built.redis, built.keys)
            async with Watchdog() as watchdog, metrics.serving(settings, built.redis_url, built.worker_id, built.shown):
                heeding = named("credentials", _mark_new_accounts(built))
                try:
                    await run_tasks(built, stopping, burst=burst, holds=watchdog.holds)
                finally:
                    await _cancelled(heeding)


async def _mark_new_accounts(built: Services) -> None:
    """Beside the work: a thousand of them take half a minute of a busy machine."""
    with built.guards.of("credentials").iteration():
        await AccountHolds(built.redis, built.keys).heed_credentials(built.accounts)


@contextmanager
def stopping_on_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set while the block lasts."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop_on_signal, stopping, number)
    try:
        yield stopping
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def run_tasks(
    built: Services, stopping: asyncio.Event, *, burst: bool = False, holds: Holds | None = None
) -> None:
    """
    The tasks of a worker until *stopping*, then the drain. Each guards itself (``guard.py``): none dies of a defect.

    Args:
        holds: How long the loop was held, for the heartbeat.
    """
    drain = built.policies.drain
    tasks = [
        named("intake", built.intake.run(built.dispatcher.wake, stopping)),
        named("dispatch", built.dispatcher.run(stopping)),
        named("arq", built.arq.serve(built.runner.run_job, stopping)),
        named("sweep", built.sweep.run(stopping)),
        named("days", built.days.run(stopping)),
        named("joined", built.joined.run(stopping)),
        named("heartbeat", _heartbeat(built, stopping, holds or Holds())),
        named("ending", _wake_at_the_end(built, stopping)),
    ]
    if built.trust:
        follow = built.trust.follow(stopping, built.guards.of("keys"), every_s=built.policies.trust_look_s)
        tasks.append(named("keys", follow))
    if built.keeper:
        tasks.append(named("server", built.keeper.run(stopping)))
    is_server_gone = False
    listener = named("wake", _listen(built, stopping))
    watcher = named("burst", until_idle(built, stopping)) if burst else None
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    except ServerGone:
        is_server_gone = True
        raise
    finally:
        stopping.set()
        built.draining.set()
        # Without its embedded server nothing more can be written down: what waits for that would wait in vain.
        n_cancelled = await built.arq.drain(drain.without_redis_s if is_server_gone else drain.calls_s)
        if not is_server_gone:
            await built.joined.rest(drain.joined_s)
        for extra in (listener, watcher, *tasks):
            if extra and not extra.done():
                extra.cancel()
        await _cancelled(listener)
        ending = [task for task in (watcher, *tasks) if task]
        done, _ = await asyncio.wait(ending, timeout=drain.without_redis_s if is_server_gone else None)
        for task in done:
            if not task.cancelled():
                task.exception()  # seen: the first one ends the process, the others follow from it
        if is_server_gone:
            log.info("worker.stopped", worker_id=built.worker_id, n_run=built.runner.n_run, n_cancelled=n_cancelled)
        else:
            await _say_goodbye(built, n_cancelled)


async def _wake_at_the_end(built: Services, stopping: asyncio.Event) -> None:
    """The dispatcher waits for work alone: to wait for the end as well would cost it two tasks at each look."""
    await stopping.wait()
    built.dispatcher.wake()


async def _cancelled(task: asyncio.Task[None]) -> None:
    """Cancel until it has ended: redis-py sends through asyncio.wait_for, which can swallow one on Python 3.11."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_CANCEL_AGAIN_S)


async def _listen(built: Services, stopping: asyncio.Event) -> None:
    """Claim when another process has more than it can run."""
    guard = built.guards.of("listen")
    while not stopping.is_set():
        with guard.iteration() as iteration:
            async with built.redis.pubsub() as channel:
                await channel.subscribe(built.keys.wake())
                while not stopping.is_set():
                    message = await channel.get_message(ignore_subscribe_messages=True, timeout=_WAKE_RETRY_S)
                    if message:
                        built.arq.wake()
        await pause(stopping, iteration.pause_s or 0.0)


async def _heartbeat(built: Services, stopping: asyncio.Event, holds: Holds) -> None:
    """Say for ``status`` and the other tools that this worker lives, and what has failed in it."""
    guard, writes = built.guards.of("heartbeat"), RefusalWatch()
    while not stopping.is_set():
        with guard.iteration(), writes.told():
            await _beat(built, holds)
        await pause(stopping, _HEARTBEAT_S)


async def _beat(built: Services, holds: Holds) -> None:
    seconds, micros = await built.redis.time()
    now_ms = int(seconds) * 1000 + int(micros) // 1000
    key = built.keys.worker(built.worker_id)
    facts: dict[str, str | int] = {
        "pid": os.getpid(),
        "version": VERSION,
        "accounts": ",".join(built.accounts),
        "own_streams": ",".join(name for name, account in built.accounts.items() if account.own_streams),
        "environments": ",".join(f"{name}={account.environment}" for name, account in built.accounts.items()),
        "host": socket.gethostname(),
        "at": now_ms,
        "running": built.arq.n_running,
        "run": built.runner.n_run,
        # Failures by loop, `sweep=2,take=1`; and how often and how long the loop was held.
        **built.guards.failed.told(now_ms),
        "held": holds.n,
        "held_ms": round(holds.longest_ms),
        "held_busy_ms": round(holds.longest_busy_ms),
        "signed": int(built.trust is not None),
        "keys_fault": built.trust.fault if built.trust else "",
    }
    async with built.redis.pipeline(transaction=False) as pipe:
        pipe.hset(key, mapping=dict(facts))
        pipe.pexpire(key, HEARTBEAT_LIFE_MS)
        pipe.zadd(built.keys.workers(), {built.worker_id: now_ms})
        pipe.zremrangebyscore(built.keys.workers(), "-inf", now_ms - _REMEMBERED_MS)
        await pipe.execute()


async def until_idle(built: Services, stopping: asyncio.Event) -> None:
    """Set *stopping* when nothing is left to do: nothing pushed, under way, or due within the longest backoff."""
    guard = built.guards.of("burst")
    n_quiet = 0
    while n_quiet < 2 and not stopping.is_set():  # twice in a row: between two scripts a job may stand in neither place
        await asyncio.sleep(_BURST_LOOK_S)
        is_idle = False
        with guard.iteration() as iteration:
            is_idle = await _is_idle(built)
        n_quiet = n_quiet + 1 if is_idle else 0
        if iteration.pause_s is not None:
            await pause(stopping, iteration.pause_s)
    stopping.set()


async def _is_idle(built: Services) -> bool:
    streams = [built.keys.jobs(), built.keys.retry()]
    streams += [built.keys.jobs(a.name) for a in built.accounts.values() if a.own_streams]
    for stream in streams:
        if await built.redis.exists(stream) and not await _is_drained(built, stream):
            return False
    if await built.redis.zcard(built.keys.arq_queue()) or built.arq.n_running:
        return False
    if await built.redis.zcard(built.keys.ended_due()):
        return False
    seconds, _ = await built.redis.time()
    horizon_ms = (int(seconds) + built.settings.backoff_max) * 1000
    due = await built.redis.zrangebyscore(built.keys.lanes_due(), "-inf", horizon_ms)
    if not all([await _only_radian_tracking(built, lane) for lane in due]):
        return False
    # Closed here, and not waited for: whoever leads the sweep may be dead, or fail at one of them again and again.
    return not await built.batches.close_complete()


async def _only_radian_tracking(built: Services, raw: bytes) -> bool:
    """Whether nothing is left in a lane but watches over RADIAN events, which go on for months."""
    lane = raw.decode(errors="replace")
    if await built.redis.zcard(built.keys.waiting(lane)):
        return False
    later = await built.redis.zrange(built.keys.later(lane), 0, -1)
    return bool(later) and all(job_id.endswith(follow_up_id("", TRACK).encode()) for job_id in later)


async def _is_drained(built: Services, stream: str) -> bool:
    """Entries are deleted when they are written to the ledger, so an empty stream has been taken in."""
    if await built.redis.xlen(stream):
        return False
    groups = await built.redis.xinfo_groups(stream)
    return all(group["pending"] == 0 for group in groups if group["name"] == GROUP.encode())


async def _greet(built: Services) -> None:
    try:
        await built.redis.ping()
    except RedisError as exc:
        raise ServiceError(f"Redis does not answer at {shown(built.settings.redis_url)}: {words_of(exc)}") from exc
    await _warn_of_losses(built)
    log.info(
        "worker.started",
        worker_id=built.worker_id,
        version=VERSION,
        namespace=built.settings.namespace,
        n_accounts=len(built.accounts),
        environments={name: account.environment for name, account in built.accounts.items()},
    )


async def _warn_of_losses(built: Services) -> None:
    """A server that evicts, or keeps nothing on disk, loses jobs whatever we do: say so once."""
    try:
        facts = {**await built.redis.info("memory"), **await built.redis.info("persistence")}
    except RedisError:
        return  # a user without the right to ask; deploy/redis.conf has the settings
    if facts.get("maxmemory") and facts.get("maxmemory_policy") != "noeviction":
        log.warning("redis.may_lose", reason=f"maxmemory-policy is {facts['maxmemory_policy']}, not noeviction")
    if not facts.get("aof_enabled"):
        log.warning("redis.may_lose", reason="appendonly is off: a restart loses what was pushed")


async def _say_goodbye(built: Services, n_cancelled: int) -> None:
    try:
        await built.redis.delete(built.keys.worker(built.worker_id))
        await built.redis.zrem(built.keys.workers(), built.worker_id)
    except RedisError as exc:
        log_unavailable("goodbye", exc, level="debug")
    log.info("worker.stopped", worker_id=built.worker_id, n_run=built.runner.n_run, n_cancelled=n_cancelled)


def _stop_on_signal(stopping: asyncio.Event, number: signal.Signals) -> None:
    if not stopping.is_set():
        log.info("worker.draining", signal=number.name)
    stopping.set()


def named(name: str, body: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task of a process, under a name."""
    return asyncio.create_task(body, name=name)
