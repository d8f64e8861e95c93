"""
What do 200 accounts cost one worker process?

Each has the same number of invoices waiting, creates take 100 ms, no allowance is in the way. Creates a second from the
first result to the last, in the worker's own pace; and the memory that the worker holds.
"""

from __future__ import annotations

import argparse
import asyncio
import time

import lab
from stub_factus import StubFactus

_N_ACCOUNTS = 200
_LATENCY_S = 0.1
_AIM = 250


async def main(bench: lab.Lab, each: int, is_stub: bool) -> None:
    names = [f"a{number:03}" for number in range(_N_ACCOUNTS)]
    stub, redis = StubFactus(_LATENCY_S), bench.connect()
    async with stub.serving() as stub_url:
        url = stub_url if is_stub else await asyncio.to_thread(bench.sandbox, rate_limit=0, latency="100ms")
        accounts = bench.accounts_file(names, url, limit=lab.UNLIMITED)
        pid = await asyncio.to_thread(bench.worker, accounts)
        at_rest, _ = lab.memory_mib(pid)
        # One of each account first: tokens and connections are no part of the pace.
        await lab.push(redis, [lab.job(f"W-{name}", name) for name in names])
        if len(await lab.results(redis, _N_ACCOUNTS, 60)) != _N_ACCOUNTS:
            raise SystemExit("not every account got its first invoice through")
        await _until_credentials_are_marked(redis, names)
        n = each * _N_ACCOUNTS
        valkey_s, worker_s, began = lab.cpu_s(bench.valkey_pid), lab.cpu_s(pid), time.perf_counter()
        await lab.push(redis, [lab.job(f"A-{name}-{number}", name) for number in range(each) for name in names])
        found = await lab.results(redis, _N_ACCOUNTS + n, 60 + n / 20)
        wall_s = time.perf_counter() - began
        valkey_s, worker_s = lab.cpu_s(bench.valkey_pid) - valkey_s, lab.cpu_s(pid) - worker_s
        now, most = lab.memory_mib(pid)
    await redis.aclose()
    n_validated = sum(outcome.type == "invoice.validated" for outcome in found) - _N_ACCOUNTS
    if n_validated != n:
        raise SystemExit(f"{n_validated} of {n} invoices were validated")
    lab.show("creates a second", f"{n / wall_s:.0f}/s", f"{_AIM}/s", is_met=n / wall_s >= _AIM)
    lab.show("worker's resident memory", f"{now:.0f} MiB")
    print(f"  {at_rest:.0f} MiB before the first call, at most {most:.0f} MiB")
    print(
        f"  processor for each invoice: worker {worker_s / n * 1000:.2f} ms, Valkey {valkey_s / n * 1000:.2f} ms; ",
        end="",
    )
    print(f"the worker was busy {worker_s / wall_s:.0%} of {wall_s:.1f} s")


async def _until_credentials_are_marked(redis: lab.ArqRedis, names: list[str]) -> None:
    """A worker that sees accounts for the first time makes a slow hash for each, beside its work: part of the start."""
    gives_up_at = time.monotonic() + 60
    while not all([await redis.hexists(lab.KEYS.account(name), "credentials") for name in names]):
        if time.monotonic() > gives_up_at:
            raise SystemExit("not every account's credentials were marked")
        await asyncio.sleep(0.2)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stub", action="store_true", help="against the stub: the sandbox's checks cost processor too")


if __name__ == "__main__":
    given = lab.arguments(__doc__, options)
    per_account = 25 if given.full else 8
    with lab.open_lab(given.folder) as bench:
        server = "the stub" if given.stub else "the sandbox"
        lab.announce(bench, f"{_N_ACCOUNTS} accounts, {per_account} invoices each, 100 ms, 1 worker process, {server}")
        lab.run(main(bench, per_account, given.stub))
