"""The door in front of those who mean no good, and of a Redis that goes away."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from tests.door_in_process import CALM, DoorInProcess, a_door
from tests.patience import PATIENCE_S
from worker.store import embedded_server

SEARCH = {"type": "catalog.search", "account": "acme", "payload": {"catalog": "taxes", "query": "01"}}
SHORT = replace(
    CALM,
    head_timeout_s=0.5,
    body_timeout_s=0.7,
    most_connections=12,
    most_waits=2,
    most_streams=2,
    send_timeout_s=1.0,
)


@pytest.fixture
async def door(valkey_url: str, namespace: str, tmp_path: Path) -> AsyncIterator[DoorInProcess]:
    async with a_door(valkey_url, namespace, tmp_path) as found:
        yield found


@pytest.fixture
async def short(valkey_url: str, namespace: str, tmp_path: Path) -> AsyncIterator[DoorInProcess]:
    """A door with little patience and few places."""
    async with a_door(valkey_url, namespace, tmp_path, policy=SHORT) as found:
        yield found


def is_shaped(answer: httpx.Response) -> bool:
    told = answer.json()
    errors = told["errors"]
    return (
        told.keys() == {"success", "message", "data", "errors"}
        and not told["success"]
        and all(one.keys() == {"code", "message", "field", "rule", "retryable"} for one in errors)
        and bool(errors)
    )


BODIES: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", 422, "envelope.invalid"),
    "no JSON": (b"{", 422, "envelope.invalid"),
    "no UTF-8": (b'{"type":"\xff"}', 422, "envelope.invalid"),
    "no object": (b"[]", 422, "envelope.invalid"),
    "a repeated key": (b'{"type":"a.b","type":"c.d"}', 422, "envelope.invalid"),
    "nested without end": (b'{"payload":' + b"[" * 5000 + b"]" * 5000 + b"}", 422, "envelope.invalid"),
    "a number without end": (b'{"payload":{"n":' + b"9" * 5000 + b"}}", 422, "envelope.invalid"),
    "NaN": (b'{"payload":{"n":NaN}}', 422, "envelope.invalid"),
    "a lone surrogate": (b'{"type":"\\ud800","payload":{}}', 422, "envelope.invalid"),
    "a hundred thousand fields": (
        json.dumps({f"f{n}": 1 for n in range(40_000)}).encode(),
        422,
        "envelope.invalid",
    ),
    "no payload": (b'{"type":"invoice.issue"}', 422, "envelope.invalid"),
    "an unknown type": (b'{"type":"invoice.burn","account":"acme","payload":{}}', 422, "envelope.invalid"),
    "an id like an entry's": (
        b'{"type":"invoice.get","id":"1795622400000-0","account":"acme","payload":{}}',
        422,
        "envelope.invalid",
    ),
    "a byte too many": (b'{"type":"' + b"a" * (1024 * 1024) + b'"}', 413, "envelope.invalid"),
    "eight megabytes": (b" " * (8 * 1024 * 1024), 413, "envelope.invalid"),
}


class TestBodies:
    @pytest.mark.parametrize("name", BODIES)
    async def test_what_cannot_be_pushed_is_told_and_pushes_nothing(
        self, door: DoorInProcess, real_redis: ArqRedis, name: str
    ) -> None:
        body, status, code = BODIES[name]
        answer = await door.http.post("/api/v1/jobs", content=body)
        assert answer.status_code == status, answer.text[:300]
        assert is_shaped(answer)
        assert answer.json()["errors"][0]["code"] == code
        assert not await real_redis.exists(f"{door.namespace}:jobs")

    async def test_a_body_without_end_ends(self, door: DoorInProcess) -> None:
        async def endless() -> AsyncIterator[bytes]:
            for _ in range(10_000):
                yield b" " * 65_536

        try:
            answer = await door.http.post("/api/v1/jobs", content=endless())
            assert answer.status_code == 413
        except httpx.TransportError:
            pass  # the connection was closed on it
        assert (await door.get("/catalogs/taxes")).status_code == 200

    @pytest.mark.parametrize(
        ("path", "params"),
        [
            ("/events", {"after": "x"}),
            ("/events", {"after": "-1"}),
            ("/events", {"limit": "0"}),
            ("/events", {"limit": "1001"}),
            ("/events", {"limit": "1e3"}),
            ("/events", {"what": "1"}),
            ("/events", {"account": "../x"}),
            ("/events", [("limit", "1"), ("limit", "2")]),
            ("/catalogs/taxes", {"limit": "101"}),
        ],
    )
    async def test_parameters_are_what_they_may_be(self, door: DoorInProcess, path: str, params: Any) -> None:
        answer = await door.http.get(f"/api/v1{path}", params=params)
        assert answer.status_code == 422
        assert is_shaped(answer)

    async def test_keys_that_are_no_id_are_refused(self, door: DoorInProcess) -> None:
        for key in ("", '""', "a/b", "a b", "x" * 129, "1795622400000-0"):
            answer = await door.post(SEARCH, **{"Idempotency-Key": key})
            assert answer.status_code == 422, key
            assert answer.json()["errors"][0]["field"] == "envelope.id"

    async def test_addresses_and_methods_that_are_not_there(self, door: DoorInProcess) -> None:
        for method, path, status in (
            ("GET", "/api/v1", 404),
            ("GET", "/api/v1/events/", 404),
            ("GET", "/api/v1/docs/../../../etc/passwd", 404),
            ("GET", "/api/v1/docs/..%2f..%2fdoor.py", 404),
            ("POST", "/api/v1/jobs/invoice.burn", 404),
            ("DELETE", "/api/v1/jobs", 405),
            ("OPTIONS", "/api/v1/jobs", 405),
            ("PUT", "/api/v1/events", 405),
            ("GET", "/api/v1/documents/nothing/x", 404),
            ("GET", "/api/v1/documents/invoice/%00", 404),
            ("GET", "/api/v1/documents/invoice/" + "x" * 300, 404),
            ("GET", "/api/v1/jobs/%2e%2e%2f%2e%2e", 404),
            ("GET", "/api/v1/jobs/99999999999999999999-0", 404),
            ("GET", "/api/v1/jobs/1795622401234-99999999999999999999", 404),
            ("GET", "/api/v1/documents/invoice/99999999999999999999-0", 404),
        ):
            answer = await door.http.request(method, path)
            assert answer.status_code == status, (method, path)
            assert is_shaped(answer), (method, path)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "access-control-allow-origin" not in answer.headers


class TestConnections:
    async def test_a_head_that_comes_byte_by_byte_is_not_waited_for(self, short: DoorInProcess) -> None:
        reader, writer = await _connected(short)
        for char in b"GET /api/v1/docs HTTP/1.1\r\nHost: x\r\nX: ":
            writer.write(bytes([char]))
            await asyncio.sleep(0.05)
            if writer.is_closing() or reader.at_eof():
                break
        async with asyncio.timeout(PATIENCE_S):
            assert await _rest(reader) == b""
        writer.close()

    async def test_a_body_that_does_not_come_is_not_waited_for(self, short: DoorInProcess) -> None:
        reader, writer = await _connected(short)
        authorization = short.http.headers["authorization"]
        head = (
            f"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\nContent-Length: 10\r\n\r\n{{"
        )
        writer.write(head.encode())
        async with asyncio.timeout(PATIENCE_S):
            assert b" 408 " in await _rest(reader)
        writer.close()

    @pytest.mark.parametrize(
        "sent",
        [
            b"\x16\x03\x01\x02\x00\x01\x00",
            b"GET / HTTP/x\r\n\r\n",
            b"GET /api/v1/docs HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
            b"GET /api/v1/docs HTTP/1.1\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
            b"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            b"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        ],
    )
    async def test_what_is_no_http_is_told_so_and_closed(self, short: DoorInProcess, sent: bytes) -> None:
        reader, writer = await _connected(short)
        writer.write(sent)
        async with asyncio.timeout(PATIENCE_S):
            told = await _rest(reader)
        writer.close()
        assert not told or told.startswith(b"HTTP/1.1 400")
        assert (await short.get("/catalogs/taxes")).status_code == 200

    async def test_connections_beyond_the_bound_are_told_to_come_later(self, short: DoorInProcess) -> None:
        held = [await _connected(short) for _ in range(SHORT.most_connections)]
        reader, writer = await _connected(short)
        async with asyncio.timeout(PATIENCE_S):
            assert (await _rest(reader)).startswith(b"HTTP/1.1 503")
        for _, one in [*held, (reader, writer)]:
            one.close()

    async def test_who_goes_away_frees_his_place(self, short: DoorInProcess) -> None:
        waiting = short.door.waiting
        for _ in range(2 * SHORT.most_waits):
            push = asyncio.create_task(short.post(SEARCH, Prefer="wait=60"))
            while not waiting.n_taken:
                await asyncio.sleep(0.01)
            push.cancel()
            await asyncio.gather(push, return_exceptions=True)
            async with asyncio.timeout(PATIENCE_S):
                while waiting.n_taken:
                    await asyncio.sleep(0.01)
        assert not short.door.feed._expected

    async def test_where_no_place_is_free_a_job_is_pushed_and_not_waited_for(
        self, short: DoorInProcess, real_redis: ArqRedis
    ) -> None:
        pushes = [asyncio.create_task(short.post(SEARCH, Prefer="wait=60")) for _ in range(SHORT.most_waits)]
        while short.door.waiting.n_taken < SHORT.most_waits:
            await asyncio.sleep(0.01)
        assert (await short.post(SEARCH, Prefer="wait=60")).status_code == 202
        assert await real_redis.xlen(f"{short.namespace}:jobs") == SHORT.most_waits + 1
        for one in pushes:
            one.cancel()
        await asyncio.gather(*pushes, return_exceptions=True)

    async def test_streams_have_a_bound_and_their_places_come_back(self, short: DoorInProcess) -> None:
        listen = {"Accept": "text/event-stream"}
        async with (
            short.http.stream("GET", "/api/v1/events", headers=listen),
            short.http.stream("GET", "/api/v1/events", headers=listen),
        ):
            refused = await short.http.get("/api/v1/events", headers=listen)
            assert refused.status_code == 429
            assert refused.headers["retry-after"]
        async with asyncio.timeout(PATIENCE_S):
            while short.door.listening.n_taken:
                await asyncio.sleep(0.01)


class TestRedisAway:
    async def test_a_door_opens_without_redis_and_says_503(self, tmp_path: Path) -> None:
        async with a_door("redis://127.0.0.1:1/0", "factus", tmp_path) as door:
            answer = await door.get("/events")
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "service.unavailable")
            assert (await door.get("/catalogs/taxes")).status_code == 200

    async def test_it_is_503_at_once_and_goes_on_where_it_was(self, tmp_path: Path) -> None:
        """Open waits and streams outlast it: the job is in the stream, and the news come when Redis does."""
        server = embedded_server.start(tmp_path / "redis")
        async with a_door(server.url(), "factus", tmp_path) as door:
            push = asyncio.create_task(door.post({**SEARCH, "id": "r-1"}, Prefer="wait=60"))
            news = asyncio.create_task(_first_event(door))
            while not (door.door.waiting.n_taken and door.door.listening.n_taken and door.door.feed.is_up):
                await asyncio.sleep(0.01)
            os.kill(server.pid, signal.SIGKILL)
            embedded_server.stop(server)  # nothing is left to stop: what is held of it is given back
            async with asyncio.timeout(PATIENCE_S):
                while (answer := await door.post(SEARCH)).status_code == 202:
                    await asyncio.sleep(0.05)
            assert answer.status_code == 503
            assert is_shaped(answer)
            assert answer.json()["errors"][0]["retryable"]
            for path in ("/jobs/r-1", "/events", "/documents/invoice/x"):
                assert (await door.get(path)).status_code == 503, path
            assert (await door.get("/catalogs/taxes")).status_code == 200
            assert not push.done()
            again = embedded_server.start(tmp_path / "redis")
            try:
                event = {"type": "catalog.search.completed", "success": True, "message": "", "errors": None}
                fields = {"account": "acme", "job_id": "r-1", "type": event["type"], "event": json.dumps(event)}
                async with asyncio.timeout(PATIENCE_S):
                    while True:
                        try:
                            await door.door.redis.xadd("factus:results", dict[Any, Any](fields))
                            break
                        except RedisError:
                            await asyncio.sleep(0.1)
                    assert (await push).status_code == 200
                    assert (await news)["type"] == event["type"]
            finally:
                embedded_server.stop(again)


async def _first_event(door: DoorInProcess) -> Any:
    headers = {"Accept": "text/event-stream"}
    async with door.http.stream("GET", "/api/v1/events", headers=headers) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                return json.loads(line.removeprefix("data: "))
    return None


async def _connected(door: DoorInProcess) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = door.url.removeprefix("http://").partition(":")
    return await asyncio.open_connection(host, int(port))


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""
