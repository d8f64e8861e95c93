"""
How long does a sale at the till wait behind thousands of jobs that were pushed a moment before it?

A backlog goes into the stream at once, of another account and of the till's own; sales follow while the intake is still
busy with it. From XADD to the first byte of the create at a stub of Factus, without an allowance that matters.
"""

from __future__ import annotations

import argparse
import asyncio
import time

import lab
from stub_factus import StubFactus

_LATENCY_S = 0.05
_EVERY_S = 0.3


async def main(bench: lab.Lab, n_waiting: int, n_sales: int) -> None:
    stub, redis = StubFactus(_LATENCY_S), bench.connect()
    async with stub.serving() as url:
        # Of the backlog's own documents none is issued meanwhile: its allowance is two a minute.
        others = bench.accounts_file(["backlog"], url, limit=2).read_text()
        accounts = bench.accounts_file(["till"], url, limit=lab.UNLIMITED)
        accounts.write_text(accounts.read_text() + others)
        await asyncio.to_thread(bench.worker, accounts)
        await _sell(bench, redis, stub, "warm", 3)
        for whose in ("backlog", "till"):
            priority = {"priority": "low"} if whose == "till" else {}
            began = time.perf_counter()
            await lab.push(redis, [lab.job(f"{whose}-{n}", whose, **priority) for n in range(n_waiting)])
            pushed = time.perf_counter()
            waits, still = await _sell(bench, redis, stub, whose, n_sales)
            while await redis.xlen(lab.KEYS.jobs()):
                await asyncio.sleep(0.05)
            took = time.perf_counter() - began
            name = "another account's" if whose == "backlog" else "its own account's"
            told = f"{lab.quantile(waits, 0.5) * 1000:.0f} / {max(waits) * 1000:.0f} ms"
            lab.show(f"behind {name}", told, "1500 ms", is_met=max(waits) <= 1.5)
            each = n_waiting / took
            print(
                f"  {n_waiting:,} pushed in {pushed - began:.1f} s, all taken in after {took:.1f} s ({each:.0f}/s); ",
                end="",
            )
            print(f"first {waits[0] * 1000:.0f} ms; {still:,} were still unread at the last sale")
    await redis.aclose()


async def _sell(bench: lab.Lab, redis: lab.ArqRedis, stub: StubFactus, name: str, n: int) -> tuple[list[float], int]:
    """Seconds from XADD to first byte of each sale, and what the stream still held when the last one was pushed."""
    sent_at, still = {}, 0
    for number in range(n):
        reference = f"S-{name}-{number}"
        sent_at[reference] = time.perf_counter()
        await redis.xadd(lab.KEYS.jobs(), {"job": lab.job(reference, "till", priority="high")})
        still = await redis.xlen(lab.KEYS.jobs())
        await asyncio.sleep(_EVERY_S)
    gives_up_at = time.monotonic() + 60
    while len(began := {c.reference_code: c.began_at for c in stub.creates if c.reference_code in sent_at}) < n:
        if time.monotonic() > gives_up_at:
            raise SystemExit("a sale did not begin")
        await asyncio.sleep(0.01)
    return [began[reference] - at for reference, at in sent_at.items()], still


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--waiting", type=int, default=10_000, help="jobs of each backlog (%(default)s)")
    parser.add_argument("--sales", type=int, default=8, help="behind each (%(default)s)")


if __name__ == "__main__":
    given = lab.arguments(__doc__, options)
    with lab.open_lab(given.folder) as bench:
        lab.announce(bench, f"a backlog of {given.waiting:,} pushed at once, {given.sales} sales {_EVERY_S:g} s apart")
        lab.run(main(bench, given.waiting, given.sales))
