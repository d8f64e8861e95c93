"""
How much of the time is a busy lane of width 1 really inside a create?

Invoices of one account wait in one lane, each create takes 200 ms. Efficiency is the sum of the creates' durations, as
the server saw them, over the time from the first create's first byte to the last answer's last byte.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise

import lab
from stub_factus import StubFactus

_LATENCY_S = 0.2
_AIM = 0.98


async def main(bench: lab.Lab, n: int) -> None:
    stub, redis = StubFactus(_LATENCY_S), bench.connect()
    async with stub.serving() as url:
        accounts = bench.accounts_file(["acme"], url, limit=lab.UNLIMITED)
        await asyncio.to_thread(bench.worker, accounts)
        await lab.push(redis, [lab.job(f"E-{number}", "acme") for number in range(n)])
        found = await lab.results(redis, n, n * _LATENCY_S * 2 + 10)
    await redis.aclose()
    if len(found) != n or len(stub.creates) != n:
        raise SystemExit(f"{len(stub.creates)} creates and {len(found)} events of {n} invoices")
    creates = sorted(stub.creates, key=lambda create: create.began_at)
    wall_s = creates[-1].ended_at - creates[0].began_at
    efficiency = sum(create.ended_at - create.began_at for create in creates) / wall_s
    gaps_ms = [(after.began_at - before.ended_at) * 1000 for before, after in pairwise(creates)]
    lab.show("lane efficiency", f"{efficiency:.2%}", f"{_AIM:.0%}", is_met=efficiency >= _AIM)
    print(f"  {n} creates in {wall_s:.1f} s; between two: p50 {lab.quantile(gaps_ms, 0.5):.1f} ms, ", end="")
    print(f"p99 {lab.quantile(gaps_ms, 0.99):.1f} ms, least {min(gaps_ms):.1f} ms, most {max(gaps_ms):.1f} ms")


if __name__ == "__main__":
    given = lab.arguments(__doc__)
    count = 500 if given.full else 100
    with lab.open_lab(given.folder) as bench:
        lab.announce(bench, f"{count} invoices in one lane, {_LATENCY_S * 1000:.0f} ms each, one worker process")
        lab.run(main(bench, count))
