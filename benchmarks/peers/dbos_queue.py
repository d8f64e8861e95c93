"""
DBOS on SQLite, its default where no server is: a durable workflow with one step, on a queue with a limiter for each
company's partition ("at most limit workflows will start within any rolling window") and one at a time in each, because
Factus takes one; the step tried again as in "Configurable retries" (10 times, from a second on, doubled); priorities.

The queue is looked at every half second instead of each second, the default: one at a time would then be one a second.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import factus_api
import httpx
import pushing
import redis
from dbos import DBOS, DBOSClient, DBOSConfig

_DATABASE = f"sqlite:///{factus_api.FOLDER}/dbos.sqlite"
_QUEUE = "invoices"
_FIRST, _LAST = 1, 10

client = httpx.Client(**factus_api.OPTIONS)
known = redis.Redis.from_url(factus_api.REDIS_URL)


@DBOS.step(retries_allowed=True, max_attempts=10, interval_seconds=factus_api.PACE, backoff_rate=2.0)
def send(account: str, payload: dict[str, Any]) -> str:
    return factus_api.issue(client, account, payload)


@DBOS.workflow(name="issue_invoice")
def issue_invoice(account: str, reference: str, payload: dict[str, Any]) -> None:
    known.hset(pushing.KNOWN, reference, send(account, payload))


def work() -> None:
    config: DBOSConfig = {"name": "evening", "system_database_url": _DATABASE, "run_admin_server": False}
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue(
        _QUEUE,
        partition_concurrency=1,
        partition_limiter={"limit": factus_api.LIMIT, "period": factus_api.WINDOW_S},
        polling_interval_sec=0.5 * factus_api.PACE,
    )
    print("working", flush=True)
    threading.Event().wait()


def push_all() -> None:
    outside = DBOSClient(system_database_url=_DATABASE)

    def push(job: dict[str, Any]) -> None:
        outside.enqueue(
            {
                "workflow_name": "issue_invoice",
                "queue_name": _QUEUE,
                "workflow_id": job["reference"],
                "queue_partition_key": job["account"],
                "priority": _FIRST if job["is_urgent"] else _LAST,
            },
            job["account"],
            job["reference"],
            job["payload"],
        )

    pushing.push_all(push)


if __name__ == "__main__":
    push_all() if sys.argv[1] == "push" else work()
