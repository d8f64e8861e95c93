"""
Do 1,000 invoices over two accounts and three worker processes become 1,000 documents, and nothing else?

The acceptance run. Events and documents are compared with what was pushed, reference by reference; the sandbox limits
each account, so that "no 429" says something. Exit status 1 when anything disagrees.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import lab

_ACCOUNTS = ("acme", "beta")
_N = 1000
_LIMIT = 80


async def main(bench: lab.Lab, url: str, timeout_s: float) -> None:
    redis = bench.connect()
    pushed = [(_ACCOUNTS[number % 2], f"T-{number:04}") for number in range(_N)]
    began = time.perf_counter()
    await lab.push(redis, [lab.job(reference, account) for account, reference in pushed])
    found = await lab.results(redis, _N, timeout_s)
    wall_s = time.perf_counter() - began
    await asyncio.sleep(1)  # an event or a call too many would come now
    found = await lab.results(redis, len(found) + 1, 0.5)
    await redis.aclose()
    report = await asyncio.to_thread(lab.ask, url, "report")
    documents = {
        account: await asyncio.to_thread(lab.ask, url, f"documents?account={account}") for account in _ACCOUNTS
    }
    totals = report["totals"]
    lab.show("events invoice.validated", str(sum(one.type == "invoice.validated" for one in found)), str(_N))
    lab.show("documents at the sandbox", str(sum(map(len, documents.values()))), str(_N))
    lab.show("answers 429, answers 409", f"{totals['rate_limited']}, {totals['conflicts']}", "0, 0")
    lab.show("requests", f"{totals['requests']}", f"{_N} and {len(_ACCOUNTS)} tokens")
    lab.show("wall time", f"{wall_s:.1f} s")
    faults = [*events_amiss(pushed, found), *documents_amiss(pushed, documents), *calls_amiss(report)]
    for fault in faults:
        print(f"  DISAGREES: {fault}")
    if faults:
        raise SystemExit(1)
    print("  everything agrees, reference by reference")


def events_amiss(pushed: Sequence[tuple[str, str]], found: Sequence[lab.Outcome]) -> Iterator[str]:
    seen = Counter((one.account, one.reference_code) for one in found if one.type == "invoice.validated")
    others = Counter(one.type for one in found if one.type != "invoice.validated")
    if others:
        yield f"other events: {dict(others)}"
    if seen != Counter(pushed):
        yield f"events: {len(set(pushed) - set(seen))} invoices without one, {sum(seen.values()) - len(seen)} repeated"


def documents_amiss(pushed: Sequence[tuple[str, str]], documents: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    stored = Counter((name, one["reference_code"]) for name, listed in documents.items() for one in listed)
    if stored != Counter(pushed):
        n_strange = len(set(stored) - set(pushed))
        yield f"documents: {len(set(pushed) - set(stored))} invoices without one, {n_strange} strange"
    for name, listed in documents.items():
        for one in listed:
            if one["state"] != "validated" or one["times_posted"] != 1:
                yield f"{name} {one['reference_code']}: {one['state']}, posted {one['times_posted']} times"


def calls_amiss(report: dict[str, Any]) -> Iterator[str]:
    for name, account in report["accounts"].items():
        for fault in ("rate_limited", "unauthorized", "dropped"):
            if account[fault]:
                yield f"{name}: {account[fault]} {fault}"
        strange = {kind: n for kind, n in account["requests"].items() if kind not in ("create", "token")}
        if strange:
            yield f"{name}: requests {strange}"
        if n_conflicts := account["families"]["bills"]["conflicts"]:
            yield f"{name}: {n_conflicts} answers 409"


if __name__ == "__main__":
    given = lab.arguments(__doc__)
    window_s = 60 if given.full else 6
    with lab.open_lab(given.folder) as bench:
        lab.announce(
            bench, f"{_N} invoices, 2 accounts, 3 worker processes, {_LIMIT} calls in {window_s} s, 20-60 ms each"
        )
        address = bench.sandbox(rate_limit=_LIMIT, rate_window=f"{window_s}s", latency="20ms-60ms")
        accounts = bench.accounts_file(_ACCOUNTS, address, limit=_LIMIT, window=f"{window_s}s")
        for _ in range(3):
            bench.worker(accounts)
        lab.run(main(bench, address, _N / 2 / _LIMIT * (window_s + 1) * 1.5 + 30))
