"""
Celery with ``rate_limit``, as the documentation of tasks has it: the limit is one of each worker, and for one of all
"you must restrict to a given queue"; so each company has a queue and a worker. Retries as in "Automatic retry for known
exceptions" (``autoretry_for``, ``retry_backoff``, 5 of them), priorities as in "Redis Message Priorities", and
``task_acks_late`` with a prefetch of one, which it recommends for tasks that may run again.

"400/m" are 80 in 12 s. Without ``-c`` a worker has a process for each processor.
"""

from __future__ import annotations

import sys
from typing import Any

import factus_api
import httpx
import pushing
import redis
from celery import Celery

_SOCKET = factus_api.REDIS_URL.removeprefix("unix://")
_FIRST, _LAST = 0, 9  # of Redis's priorities 0 is the highest

app = Celery("celery_rate_limit", broker=f"redis+socket://{_SOCKET}")
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
    broker_transport_options={"queue_order_strategy": "priority"},
    broker_connection_retry_on_startup=True,
)
_made: dict[str, Any] = {}


@app.task(
    rate_limit=f"{60 * factus_api.LIMIT / factus_api.WINDOW_S:g}/m",
    autoretry_for=(httpx.HTTPError,),
    retry_backoff=True,
    max_retries=5,
)
def issue_invoice(account: str, reference: str, payload: dict[str, Any]) -> None:
    if not _made:  # in the process that does the work, not in the one that it is forked from
        _made.update(client=httpx.Client(**factus_api.OPTIONS), known=redis.Redis.from_url(factus_api.REDIS_URL))
    number = factus_api.issue(_made["client"], account, payload)
    _made["known"].hset(pushing.KNOWN, reference, number)


def push(job: dict[str, Any]) -> None:
    arguments = (job["account"], job["reference"], job["payload"])
    issue_invoice.apply_async(arguments, queue=job["account"], priority=_FIRST if job["is_urgent"] else _LAST)


if __name__ == "__main__" and sys.argv[1] == "push":
    pushing.push_all(push)
