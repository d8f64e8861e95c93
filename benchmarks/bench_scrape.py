"""
What does a scrape cost, and does it grow with what waits?

A hundred accounts, each with two lanes of work, a token and a full window of calls, on a real server. A scrape is read
and written out many times over, as the endpoint does it without its second of memory; then once more with a hundred
times as many jobs in each lane. Estimates are part of it, as many as a scrape makes. Once more while lanes come and go
between two scrapes, so that no scrape asks what the one before has asked.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import lab
from arq.connections import ArqRedis
from pydantic import SecretStr

from worker.figures import Figures
from worker.metrics.exposition import Scrape, text_of
from worker.metrics.reader import ScrapeReader
from worker.settings.account import Account
from worker.store import connection
from worker.store.keys import Keys

_AIM_MS = 20.0
_LANES = ("invoice", "credit_note")
_BAND = 10**15


def an_account(name: str) -> Account:
    secret = SecretStr("x")
    return Account(
        name=name, client_id=secret, client_secret=secret, username=secret, password=secret,
        base_url="http://127.0.0.1:9", rate_limit=80, rate_window=60.0, concurrency=8,
    )  # fmt: skip


async def fill(redis: ArqRedis, keys: Keys, accounts: list[str], n_waiting: int) -> None:
    now_ms = round(time.time() * 1000)
    for name in accounts:
        async with redis.pipeline(transaction=False) as pipe:
            pipe.delete(keys.grants(name))
            pipe.rpush(keys.grants(name), *[now_ms - n for n in range(80)])
            pipe.hset(keys.token(name), "expires_at", now_ms + 3_600_000)
            pipe.hset(keys.ranges(name), "invoice/SETP", f"5000:{now_ms + 10**9}")
            for family in _LANES:
                lane = f"{name}/{family}"
                pipe.sadd(keys.lanes(), lane)
                pipe.zadd(keys.waiting(lane), {f"job-{n}": _BAND + n for n in range(n_waiting)})
                pipe.rpush(keys.seen(lane), *[f"{now_ms - n * 2000}:1500:20" for n in range(300)])
            await pipe.execute()


Between = Callable[[int], Awaitable[object]]
"""What happens before a scrape, which its number is given."""


async def times_ms(reader: ScrapeReader, n: int, between: Between) -> tuple[list[float], list[float], int]:
    """How long scrapes took, how much of this process's processor, and the bytes of the last one."""
    walls, busy, size = [], [], 0
    for k in range(n):
        await between(k)
        began, began_busy = time.perf_counter(), time.process_time()
        seen = await reader.read()
        size = len(text_of(Scrape(seen, "0.1.0", (Figures(), 0, 64)))[0])
        busy.append((time.process_time() - began_busy) * 1000)
        walls.append((time.perf_counter() - began) * 1000)
    return walls, busy, size


async def main(bench: lab.Lab, n_scrapes: int, n_accounts: int = 100) -> None:
    redis, keys = connection.connect(bench.redis_url, timed=False), Keys("bench")
    accounts = {name: an_account(name) for name in (f"a{n}" for n in range(n_accounts))}
    reader = ScrapeReader(redis, keys, accounts, "bench")

    async def nothing(_n: int) -> None:
        pass

    async def lanes_come_and_go(n: int) -> None:
        await redis.sadd(keys.lanes(), f"a{n % n_accounts}/payroll")
        await redis.srem(keys.lanes(), f"a{(n - 1) % n_accounts}/payroll")

    for n_waiting in (10, 1000):
        await fill(redis, keys, [*accounts], n_waiting)
        for words, between in ((f"{n_waiting:,} jobs in each lane", nothing), ("lanes come and go", lanes_come_and_go)):
            await reader.read()
            walls, busy, size = await times_ms(reader, n_scrapes, between)
            middle = lab.quantile(walls, 0.5)
            lab.show(f"scrape, {words}", f"{middle:.1f} ms", f"{_AIM_MS:.0f} ms", is_met=middle <= _AIM_MS)
            print(f"  p99 {lab.quantile(walls, 0.99):.1f} ms, least {min(walls):.1f} ms; ", end="")
            print(f"of the processor {lab.quantile(busy, 0.5):.1f} ms, {size / 1024:.0f} KiB of text")
    await connection.close(redis)


if __name__ == "__main__":
    given = lab.arguments(__doc__)
    with lab.open_lab(given.folder) as bench:
        lab.announce(bench, "100 accounts with two busy lanes each, 1,400 series")
        lab.run(main(bench, 100 if given.full else 20), as_worker=True)
