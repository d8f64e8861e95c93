"""
A plain asyncio loop with httpx, as one writes it before one takes a queue: a table of the ERP, and a task for each
company that sends what has no number yet, the urgent first, one after the other.

A 429 is waited out as its ``Retry-After`` says; a lost answer, a 5xx and a 409 are tried again after a second, doubled
each time up to half a minute. Anything else is given up. No pacing.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from typing import Any

import factus_api
import httpx
import pushing
import redis.asyncio

_OPEN = (
    "SELECT reference, payload FROM invoices WHERE account = ? AND number IS NULL AND error IS NULL "
    "ORDER BY is_urgent DESC, rowid LIMIT 1"
)


def table() -> sqlite3.Connection:
    found = sqlite3.connect(f"{factus_api.FOLDER}/erp.sqlite", timeout=30, isolation_level=None)
    found.execute("PRAGMA journal_mode = WAL")
    found.execute(
        "CREATE TABLE IF NOT EXISTS invoices (reference TEXT PRIMARY KEY, account TEXT, is_urgent INT, payload TEXT, "
        "number TEXT, error TEXT)"
    )
    found.execute("CREATE INDEX IF NOT EXISTS open ON invoices (account, is_urgent) WHERE number IS NULL")
    return found


def push(job: dict[str, Any], invoices: sqlite3.Connection) -> None:
    row = (job["reference"], job["account"], job["is_urgent"], json.dumps(job["payload"]))
    invoices.execute("INSERT INTO invoices (reference, account, is_urgent, payload) VALUES (?, ?, ?, ?)", row)


async def work() -> None:
    known = redis.asyncio.from_url(factus_api.REDIS_URL)
    async with httpx.AsyncClient(**factus_api.OPTIONS) as client:
        print("working", flush=True)
        await asyncio.gather(*(_of_company(name, client, known) for name in factus_api.COMPANIES))


async def _of_company(name: str, client: httpx.AsyncClient, known: redis.asyncio.Redis) -> None:
    invoices = table()
    pause_s = factus_api.PACE
    while True:
        row = invoices.execute(_OPEN, (name,)).fetchone()
        if row is None:
            await asyncio.sleep(0.1)
            continue
        reference, payload = row
        try:
            number = await factus_api.issue_async(client, name, json.loads(payload))
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            if status == 429:
                await asyncio.sleep(float(error.response.headers["Retry-After"]))
                continue
            if status < 500 and status != 409:
                invoices.execute("UPDATE invoices SET error = ? WHERE reference = ?", (str(error), reference))
                continue
        except httpx.TransportError:
            pass
        else:
            invoices.execute("UPDATE invoices SET number = ? WHERE reference = ?", (number, reference))
            await known.hset(pushing.KNOWN, reference, number)
            pause_s = factus_api.PACE
            continue
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, 30 * factus_api.PACE)


if __name__ == "__main__":
    if sys.argv[1] == "push":
        connection = table()
        pushing.push_all(lambda job: push(job, connection))
    else:
        asyncio.run(work())
