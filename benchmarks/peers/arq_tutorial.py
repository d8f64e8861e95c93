"""
arq as in its documentation's first example: one function, a session in ``ctx``, ``enqueue_job``; and as in "Retrying
jobs and cancellation": ``raise Retry(defer=ctx["job_try"] * 5)`` on any error. All else is the default: 10 at once,
5 tries.

arq has neither a limit of pace nor priorities.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import factus_api
import httpx
import pushing
from arq import Retry, create_pool
from arq.connections import RedisSettings

SETTINGS = RedisSettings(unix_socket_path=factus_api.REDIS_URL.removeprefix("unix://"))


async def issue_invoice(ctx: dict[str, Any], account: str, reference: str, payload: dict[str, Any]) -> str:
    try:
        number = await factus_api.issue_async(ctx["session"], account, payload)
    except httpx.HTTPError as error:
        raise Retry(defer=ctx["job_try"] * 5 * factus_api.PACE) from error
    await ctx["redis"].hset(pushing.KNOWN, reference, number)
    return number


async def startup(ctx: dict[str, Any]) -> None:
    ctx["session"] = httpx.AsyncClient(**factus_api.OPTIONS)


async def shutdown(ctx: dict[str, Any]) -> None:
    await ctx["session"].aclose()


class WorkerSettings:
    functions = [issue_invoice]  # noqa: RUF012 - as arq's documentation has it
    on_startup = startup
    on_shutdown = shutdown
    redis_settings = SETTINGS
    poll_delay = 0.5 * factus_api.PACE


def push_all() -> None:
    runner = asyncio.Runner()
    pool = runner.run(create_pool(SETTINGS))

    def push(job: dict[str, Any]) -> None:
        found = pool.enqueue_job("issue_invoice", job["account"], job["reference"], job["payload"])
        runner.run(found)

    pushing.push_all(push)


if __name__ == "__main__" and sys.argv[1] == "push":
    push_all()
