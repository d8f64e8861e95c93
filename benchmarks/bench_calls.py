"""
How many calls to Factus does an invoice cost on a calm day?

Invoices of two accounts come at random gaps to two worker processes, nothing fails. Counted by the sandbox, which sees
every request.
"""

from __future__ import annotations

import asyncio
import random

import lab

_ACCOUNTS = ("acme", "beta")
_GAP_S = (0.02, 0.08)


async def main(bench: lab.Lab, url: str, n: int) -> None:
    redis = bench.connect()
    for number in range(n):
        await redis.xadd(lab.KEYS.jobs(), {"job": lab.job(f"C-{number}", _ACCOUNTS[number % 2])})
        await asyncio.sleep(random.uniform(*_GAP_S))
    found = await lab.results(redis, n, 60)
    await redis.aclose()
    report = await asyncio.to_thread(lab.ask, url, "report")
    requests: dict[str, int] = {}
    for account in report["accounts"].values():
        for kind, count in account["requests"].items():
            requests[kind] = requests.get(kind, 0) + count
    n_tokens = requests.pop("token", 0)
    n_validated = sum(outcome.type == "invoice.validated" for outcome in found)
    per_invoice = sum(requests.values()) / n
    is_met = n_validated == n and sum(requests.values()) == n
    lab.show("calls for each invoice", f"{per_invoice:.2f}", "1.00 and tokens", is_met=is_met)
    print(f"  {n_validated} of {n} validated; {requests}; {n_tokens} tokens for {len(_ACCOUNTS)} accounts")


if __name__ == "__main__":
    given = lab.arguments(__doc__)
    count = 1000 if given.full else 200
    with lab.open_lab(given.folder) as bench:
        lab.announce(bench, f"{count} invoices of 2 accounts, 20-80 ms apart, 2 worker processes, creates of 20-60 ms")
        address = bench.sandbox(rate_limit=0, latency="20ms-60ms")
        accounts = bench.accounts_file(_ACCOUNTS, address, limit=lab.UNLIMITED)
        for _ in range(2):
            bench.worker(accounts)
        lab.run(main(bench, address, count))
