"""
What the routes have in common: who calls, which parameters came, and a turn at what takes long.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from pydantic import ValidationError
from starlette.requests import Request

from worker.http.answers import Refusal, error, unauthorized, unavailable
from worker.http.callers import Caller
from worker.http.door import Door
from worker.http.routes import Query

Q = TypeVar("Q", bound=Query)

ROUTE: Final = "door.route"
"""Where a request carries the name of its route: the log has that, and never the address."""


def caller_of(door: Door, request: Request) -> Caller:
    """
    Who sends a request that comes without a job.

    Raises:
        Refusal: 401.
    """
    caller = door.gate.identify(request.headers.getlist("authorization"))
    if caller.is_bound:
        raise unauthorized()
    return caller


def query_of(request: Request, model: type[Q]) -> Q:
    """
    The parameters of a request.

    Raises:
        Refusal: 422: one is unknown, stands there twice, or has a value that it cannot have.
    """
    pairs = request.query_params.multi_items()
    given = dict(pairs)
    if len(given) != len(pairs):
        raise Refusal(422, (error("request.invalid", "Un parámetro está dos veces."),))
    try:
        return model(**given)
    except ValidationError as exc:
        faults = exc.errors(include_url=False, include_input=False, include_context=False)[:20]
        raise Refusal(
            422, tuple(_fault(str(fault["loc"][0]) if fault["loc"] else "", fault["type"]) for fault in faults)
        ) from None


def _fault(name: str, kind: str) -> dict[str, object]:
    text = "no existe en esta dirección" if kind == "extra_forbidden" else "tiene un valor que no puede tener"
    return error("request.invalid", f"El parámetro {name[:60]} {text}.", field=name[:60] or None)


@asynccontextmanager
async def turn_to_read(door: Door) -> AsyncIterator[None]:
    """
    A turn at ledger and streams, while the block lasts: few at a time, for one look may go through megabytes.

    Raises:
        Refusal: 503, no turn has come in time.
    """
    try:
        async with asyncio.timeout(door.policy.read_queue_s):
            await door.reads.acquire()
    except TimeoutError:
        raise unavailable() from None
    try:
        yield
    finally:
        door.reads.release()


async def left(request: Request) -> None:
    """Ends when whoever has sent a request, whose body is read, has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def first(*waiting: Awaitable[object]) -> None:
    """Ends when one of them does; the others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in waiting]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


Endpoint = Callable[[Request], Awaitable[object]]
