"""
The wires of an in-process worker: its connections to Redis and to Factus, each of which can be cut, hung or killed.

A killed worker writes nothing more: every task of it is cancelled, and its connections refuse from that instant on,
so not even a ``finally`` of it reaches Redis. Factus lives on the other end: a request goes on there when the worker
that sent it is gone.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import httpx
from arq.connections import ArqRedis
from fakeredis import FakeAsyncRedis, FakeServer
from fakeredis.aioredis import FakeAsyncRedisConnection
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import UnixDomainSocketConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.patient_redis import PatientRedis
from tests.simulation.hostile import spoil
from worker.store import connection

_owner: contextvars.ContextVar[Plug | None] = contextvars.ContextVar("simulated_worker", default=None)


def current_owner() -> Plug | None:
    """The worker in whose task this is asked."""
    return _owner.get()


@dataclass(eq=False)
class Network:
    """What all workers share: the server may be away for a while, and the weather of the wires ends one day."""

    chance: random.Random
    cut_share: float = 0.0
    refuse_share: float = 0.0
    """Share of the requests to Factus that meet no connection."""
    spoil_share: float = 0.0
    """Share of Factus's answers that arrive spoilt (``hostile.py``)."""
    n_spoilt: int = 0
    down_until: float = 0.0
    n_cuts: int = 0

    def calm(self) -> None:
        self.cut_share = self.refuse_share = self.spoil_share = self.down_until = 0.0


@dataclass(eq=False)
class Plug:
    """One worker's hold on the world, and the tasks that live on it."""

    network: Network
    is_dead: bool = False
    hung_until: float = 0.0
    note: Callable[..., None] | None = None
    """Where the worker's log goes."""
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def before(self) -> None:
        """Called before bytes leave for Redis."""
        self.reach_server()
        now = asyncio.get_running_loop().time()
        if self.hung_until > now:
            await asyncio.sleep(self.hung_until - now)
        self._cut("before the server saw it")

    def after(self, reply: Any) -> None:
        """Called when the server has done its work and its answer (*reply*) is on the way."""
        self._cut("after the server ran it")

    def reach_server(self) -> None:
        if self.is_dead:
            raise asyncio.CancelledError("this worker was killed")
        if self.network.down_until > asyncio.get_running_loop().time():
            raise RedisConnectionError("the server is away")

    def _cut(self, moment: str) -> None:
        network = self.network
        self.reach_server()
        if network.cut_share and network.chance.random() < network.cut_share:
            network.n_cuts += 1
            raise RedisConnectionError(f"cut {moment}")

    async def kill(self) -> None:
        """As kill -9: no task of the worker runs another step that anybody could see."""
        self.is_dead = True
        for _ in range(100):
            living = [task for task in self.tasks if not task.done()]
            if not living:
                return
            for task in living:
                task.cancel()
            await asyncio.sleep(0)
        raise AssertionError(f"a killed worker lives on: {living}")

    def start(self, body: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task whose children, and theirs, are this worker's."""
        context = contextvars.copy_context()
        context.run(_owner.set, self)
        return asyncio.get_running_loop().create_task(body, context=context)


def track_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """From now on every task is known to the worker in whose context it was made."""

    def make(loop: asyncio.AbstractEventLoop, body: Any, context: contextvars.Context | None = None) -> Any:
        task = asyncio.Task(body, loop=loop, context=context)
        owner = context.get(_owner) if context is not None else _owner.get()
        if owner is not None:
            owner.tasks.add(task)
            task.add_done_callback(owner.tasks.discard)
        return task

    loop.set_task_factory(make)


class _Cuttable:
    """A connection that asks its plug before it sends and after it was answered."""

    plug: Plug

    async def _connect(self) -> None:
        self.plug.reach_server()
        await super()._connect()

    async def send_packed_command(self, *args: Any, **kwargs: Any) -> None:
        await self.plug.before()
        await super().send_packed_command(*args, **kwargs)

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        reply = await super().read_response(*args, **kwargs)
        try:
            self.plug.after(reply)
        except RedisConnectionError:
            await self.disconnect(nowait=True)
            raise
        return reply


class _Patient(PatientRedis):
    """One step: in virtual time a wait costs nothing, and each of its steps does."""

    step_s = 60.0


def imitation(server: FakeServer, plug: Plug, *, blocking: bool = False) -> ArqRedis:
    """A client of the imitated server, with the product's own patience."""
    kind = type("CuttableFake", (_Cuttable, FakeAsyncRedisConnection), {"plug": plug})
    pool = FakeAsyncRedis(server=server, connection_class=kind).connection_pool
    options = connection._options(blocking=blocking)
    pool.connection_kwargs |= {name: options[name] for name in ("retry", "retry_on_error")}
    return _Patient(pool_or_conn=pool)


def real(url: str, plug: Plug, *, blocking: bool = False) -> ArqRedis:
    """A client of a real server."""
    client = connection.connect(url, blocking=blocking)
    pool: ConnectionPool = client.connection_pool
    pool.connection_class = type("CuttableSocket", (_Cuttable, UnixDomainSocketConnection), {"plug": plug})
    return client


async def _spoilt(request: httpx.Request, response: httpx.Response, chance: random.Random) -> httpx.Response:
    found = spoil(request.url.path, response.status_code, await response.aread(), chance)
    return httpx.Response(found.status, headers=list(found.headers), stream=httpx.ByteStream(found.body))


class FactusWire(httpx.AsyncBaseTransport):
    """The sandbox on the other end of a wire that may break: what arrived there is processed in any case."""

    def __init__(self, app: Any, plug: Plug) -> None:
        self._inner = httpx.ASGITransport(app=app)
        self._plug = plug

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        network = self._plug.network
        if self._plug.is_dead:
            raise asyncio.CancelledError("this worker was killed")
        if network.refuse_share and network.chance.random() < network.refuse_share:
            raise httpx.ConnectError("no connection", request=request)
        loop = asyncio.get_running_loop()
        server_side = loop.create_task(self._serve(request), context=contextvars.Context())
        response = await asyncio.shield(server_side)
        if not isinstance(response, httpx.Response):
            raise httpx.ReadError("connection reset", request=request)
        if network.spoil_share and network.chance.random() < network.spoil_share:
            network.n_spoilt += 1
            return await _spoilt(request, response, network.chance)
        return response

    async def _serve(self, request: httpx.Request) -> httpx.Response | None:
        try:
            return await self._inner.handle_async_request(request)
        except ConnectionResetError:
            return None
