"""
How long from XADD to the first byte of the create, when there is little to do?

One invoice at a time at random gaps, a real worker process, a Valkey that syncs every write. The server that stamps
the arrival and the producer share this process and so its clock.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time

import lab
from stub_factus import StubFactus

_WARM_UP = 10
_GAP_S = (0.05, 0.15)
_AIM_P50_MS, _AIM_P99_MS = 5.0, 15.0


async def main(bench: lab.Lab, n: int) -> None:
    stub, redis = StubFactus(), bench.connect()
    async with stub.serving() as url:
        # Starting a worker waits for its heartbeat, which must not stop this loop: the stub lives in it.
        pid = await asyncio.to_thread(bench.worker, bench.accounts_file(["acme"], url, limit=lab.UNLIMITED))
        sent_at, stored_at = {}, {}
        cpu = 0.0
        for number in range(_WARM_UP + n):
            if number == _WARM_UP:
                cpu = lab.cpu_s(pid)
            reference, text = f"L-{number}", lab.job(f"L-{number}", "acme")
            sent_at[reference] = time.perf_counter()
            await redis.xadd(lab.KEYS.jobs(), {"job": text})
            stored_at[reference] = time.perf_counter()
            await asyncio.sleep(random.uniform(*_GAP_S))
        found = await lab.results(redis, _WARM_UP + n, 10)
        cpu = lab.cpu_s(pid) - cpu
    await redis.aclose()
    measured = [create for create in stub.creates if int(create.reference_code[2:]) >= _WARM_UP]
    if len(measured) != n or len(found) != _WARM_UP + n:
        raise SystemExit(f"{len(measured)} creates and {len(found)} events of {_WARM_UP + n} invoices")
    whole = [(create.began_at - sent_at[create.reference_code]) * 1000 for create in measured]
    inside = [(create.began_at - stored_at[create.reference_code]) * 1000 for create in measured]
    _show("XADD sent to first byte", whole)
    p50, p99 = lab.quantile(inside, 0.5), lab.quantile(inside, 0.99)
    print(f"  of it after XADD's answer: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    print(f"  worker's processor time, whole way of an invoice: {cpu / n * 1000:.1f} ms")


def _show(name: str, values: list[float]) -> None:
    p50, p99 = lab.quantile(values, 0.5), lab.quantile(values, 0.99)
    lab.show(f"{name}, p50", f"{p50:.1f} ms", f"{_AIM_P50_MS:g} ms", is_met=p50 <= _AIM_P50_MS)
    lab.show(f"{name}, p99", f"{p99:.1f} ms", f"{_AIM_P99_MS:g} ms", is_met=p99 <= _AIM_P99_MS)
    print(f"  least {min(values):.1f} ms, most {max(values):.1f} ms")


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--n", type=int, help="invoices (default 100; 300 with --full)")


if __name__ == "__main__":
    given = lab.arguments(__doc__, options)
    count = given.n or (300 if given.full else 100)
    with lab.open_lab(given.folder) as bench:
        lab.announce(bench, f"{count} invoices, one at a time, {_GAP_S[0] * 1000:.0f}-{_GAP_S[1] * 1000:.0f} ms apart")
        lab.run(main(bench, count))
