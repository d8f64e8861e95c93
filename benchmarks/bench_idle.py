"""
What does a worker with nothing to do cost?

Processor time of one worker process and of its Valkey over 30 seconds, after some invoices have been issued.
"""

from __future__ import annotations

import asyncio

import lab

_SECONDS = 30.0
_WARM_UP = 10
_AIM = 0.01


async def main(bench: lab.Lab, pid: int) -> None:
    redis = bench.connect()
    await lab.push(redis, [lab.job(f"W-{number}", "acme") for number in range(_WARM_UP)])
    found = await lab.results(redis, _WARM_UP, 30)
    if len(found) != _WARM_UP:
        raise SystemExit(f"{len(found)} events of {_WARM_UP} invoices")
    await asyncio.sleep(1)
    calls = await number_of_commands(redis)
    before = lab.cpu_s(pid), lab.cpu_s(bench.valkey_pid)
    await asyncio.sleep(_SECONDS)
    worker, valkey = (lab.cpu_s(one) - was for one, was in zip((pid, bench.valkey_pid), before, strict=True))
    calls = await number_of_commands(redis) - calls
    await redis.aclose()
    lab.show("idle worker", f"{worker / _SECONDS:.2%} of a core", f"{_AIM:.0%}", is_met=worker / _SECONDS < _AIM)
    lab.show("its Valkey", f"{valkey / _SECONDS:.2%} of a core")
    print(f"  {calls / _SECONDS:.1f} commands a second, those inside scripts included")


async def number_of_commands(redis: lab.ArqRedis) -> int:
    return int((await redis.info("stats"))["total_commands_processed"])


if __name__ == "__main__":
    given = lab.arguments(__doc__)
    with lab.open_lab(given.folder) as bench:
        lab.announce(bench, f"1 worker process, 1 account, {_SECONDS:.0f} s without a job")
        address = bench.sandbox(rate_limit=0)
        lab.run(main(bench, bench.worker(bench.accounts_file(["acme"], address, limit=lab.UNLIMITED))))
