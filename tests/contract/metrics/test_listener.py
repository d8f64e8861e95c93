"""Over HTTP: three paths, and whatever else is sent to the port."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request

import pytest
import structlog

from tests.patience import PATIENCE_S
from tests.service_in_process import running, services_on, some_settings
from worker.metrics.endpoint import Endpoint, serving
from worker.metrics.listener import listening
from worker.metrics.reader import ScrapeReader
from worker.queue.slots import SLOTS
from worker.store.keys import Keys


async def ask(port: int, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    def blocking() -> tuple[int, dict[str, str], bytes]:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
                return reply.status, dict(reply.headers), reply.read()
        except urllib.error.HTTPError as exc:
            return exc.code, dict(exc.headers), exc.read()

    return await asyncio.to_thread(blocking)


async def raw(port: int, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE_S)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_three_paths_are_answered_and_nothing_else(fake_redis, namespace):
    endpoint = Endpoint(ScrapeReader(fake_redis, Keys(namespace), {}, "test"))
    routes = {"/metrics": endpoint.metrics, "/healthz": endpoint.healthy, "/readyz": endpoint.ready}
    async with listening("127.0.0.1", 0, routes) as port:
        status, headers, body = await ask(port, "/metrics?x=1")
        assert (status, headers["Content-Type"].partition(";")[0]) == (200, "text/plain")
        assert b"factus_build_info" in body
        assert (await ask(port, "/healthz", "HEAD"))[::2] == (200, b"")
        assert (await ask(port, "/readyz"))[0] == 503
        assert (await ask(port, "/"))[0] == 404
        status, headers, _ = await ask(port, "/metrics", "DELETE")
        assert (status, headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "sent",
    [b"", b"\x16\x03\x01\x00", b"GET /metrics", b"\r\n\r\n", b"GET /" + b"x" * 10**5, b"\xff" * 50 + b"\r\n\r\n"],
)
async def test_what_is_no_http_costs_a_connection_and_no_more(sent):
    async def never(_fields):
        raise AssertionError

    async with listening("127.0.0.1", 0, {"/metrics": never}) as port:
        found = await raw(port, sent)
        assert found == b"" or found.startswith(b"HTTP/1.1 404 ")
        assert (await ask(port, "/nothing"))[0] == 404


async def test_a_defect_of_ours_ends_an_answer_and_not_the_listener():
    async def trips(_fields):
        raise ZeroDivisionError

    async with listening("127.0.0.1", 0, {"/metrics": trips}) as port:
        assert await raw(port, b"GET /metrics HTTP/1.1\r\n\r\n") == b""
        assert (await ask(port, "/nothing"))[0] == 404


async def test_a_port_that_is_taken_is_told_and_the_worker_goes_on(valkey_url, namespace):
    async with listening("127.0.0.1", 0, {}) as port:
        settings = some_settings(namespace, metrics_port=port)
        with structlog.testing.capture_logs() as logs:
            async with serving(settings, valkey_url, "w1") as found:
                assert found is None
    (line,) = [one for one in logs if one["event"] == "metrics.port_taken"]
    assert (line["log_level"], line["url"]) == ("warning", f"http://127.0.0.1:{port}/metrics")


async def test_a_worker_process_is_scraped_over_http(valkey_url, namespace, real_redis):
    async with listening("127.0.0.1", 0, {}) as free:
        pass
    settings = some_settings(namespace, metrics_port=free)
    built = services_on(real_redis, namespace)
    async with running(built) as rig, serving(settings, valkey_url, built.worker_id, built.shown) as port:
        await rig.push_bill("A")
        await rig.events(1)
        assert (await ask(port, "/readyz"))[::2] == (200, b"ok\n")
        body = (await ask(port, "/metrics"))[2].decode()
    assert 'factus_jobs_total{outcome="validated",type="invoice.issue"} 1.0' in body
    assert f"factus_worker_slots {float(SLOTS.most)}" in body
    assert json.dumps(body)


async def test_where_no_port_is_set_nothing_listens(namespace):
    async with serving(some_settings(namespace), "redis://127.0.0.1:1", "w1") as port:
        assert port is None
