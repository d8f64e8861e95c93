"""
taskiq with the stream broker that taskiq-redis recommends (it acknowledges), and retries as in "Smart Retry
Middleware": 5 of them, 10 s and more, with jitter, through a schedule source, as the page has it for delays that a
broker does not know. All else is the default: two processes, 100 tasks at once in each.

taskiq has neither a limit of pace nor priorities.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import factus_api
import httpx
import pushing
import redis.asyncio
from taskiq import SmartRetryMiddleware, TaskiqScheduler
from taskiq_redis import ListRedisScheduleSource, RedisStreamBroker

source = ListRedisScheduleSource(factus_api.REDIS_URL)
broker = RedisStreamBroker(factus_api.REDIS_URL).with_middlewares(
    SmartRetryMiddleware(
        default_retry_count=5,
        default_delay=10 * factus_api.PACE,
        use_jitter=True,
        use_delay_exponent=True,
        max_delay_exponent=120 * factus_api.PACE,
        schedule_source=source,
    )
)
scheduler = TaskiqScheduler(broker, [source])
_made: dict[str, Any] = {}


@broker.task("issue_invoice", retry_on_error=True)
async def issue_invoice(account: str, reference: str, payload: dict[str, Any]) -> None:
    if not _made:
        _made.update(client=httpx.AsyncClient(**factus_api.OPTIONS))
        _made.update(known=redis.asyncio.from_url(factus_api.REDIS_URL))
    number = await factus_api.issue_async(_made["client"], account, payload)
    await _made["known"].hset(pushing.KNOWN, reference, number)


def push_all() -> None:
    runner = asyncio.Runner()
    runner.run(broker.startup())
    pushing.push_all(lambda job: runner.run(issue_invoice.kiq(job["account"], job["reference"], job["payload"])))


if __name__ == "__main__" and sys.argv[1] == "push":
    push_all()
