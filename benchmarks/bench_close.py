"""
What does it take to close a day of 10,000 invoices: time, calls, memory?

The invoices are issued by the service against the sandbox (2,000 unless --full), then the day is closed three times.
"""

from __future__ import annotations

import json
import time
from typing import Any

import lab

from jobs.closing.days import day_at
from schemas.factus import BOGOTA

_TIMES = 3


async def close(redis: Any, n: int) -> tuple[float, dict[str, Any]]:
    """Seconds from the push to the certificate, and the certificate."""
    newest = await redis.xrevrange(lab.KEYS.results(), count=1)
    last = newest[0][0].decode()
    job_id, began = f"close-{n}", time.monotonic()
    day = day_at(round(time.time() * 1000), BOGOTA)
    job = {"id": job_id, "type": "day.close", "account": "acme", "payload": {"day": day}}
    await redis.xadd(lab.KEYS.jobs(), {"job": json.dumps(job)})
    while True:
        for _, entries in await redis.xread({lab.KEYS.results(): last}, count=1000, block=1000) or ():
            for entry_id, fields in entries:
                last = entry_id.decode()
                if fields[b"job_id"].decode() == job_id:
                    event = json.loads(fields[b"event"])
                    assert event["success"], event
                    return time.monotonic() - began, event["data"]


async def main(bench: lab.Lab, url: str, n: int, pid: int) -> None:
    redis = bench.connect()
    for number in range(n):
        await redis.xadd(lab.KEYS.jobs(), {"job": lab.job(f"Z-{number}", "acme")})
    await lab.results(redis, n, 1800)
    before, _ = lab.memory_mib(pid)
    rows = [await close(redis, at) for at in range(_TIMES)]
    await redis.aclose()
    took_s, certificate = rows[0]
    (prefix,) = certificate["prefixes"]
    n_pages = -(-n // 100) + 6
    is_whole = prefix["issued"] == n and not prefix["gaps"]
    n_calls = certificate["calls"]
    lab.show("calls of a closing", f"{n_calls}", f"{n_pages}: pages only", is_met=n_calls == n_pages)
    lab.show("numbers explained", f"{prefix['issued']} of {n}", "all", is_met=is_whole)
    lab.show("time of a closing", f"{took_s:.1f} s", "under 60 s without an allowance", is_met=took_s < 60)
    most = max(lab.memory_mib(pid))
    lab.show("memory of the worker", f"{most:.0f} MiB", "under 512 MiB", is_met=most < 512)
    times = ", ".join(f"{one:.1f} s" for one, _ in rows)
    print(f"  {before:.0f} MiB before; closings of {times}; total {prefix['total']}")


if __name__ == "__main__":
    given = lab.arguments(__doc__)
    count = 10_000 if given.full else 2_000
    with lab.open_lab(given.folder) as bench:
        lab.announce(bench, f"{count} invoices of one account, issued and then closed, one worker process")
        address = bench.sandbox(rate_limit=0, latency="0ms")
        accounts = bench.accounts_file(("acme",), address, limit=lab.UNLIMITED)
        worker = bench.worker(accounts)
        lab.run(main(bench, address, count, worker))
