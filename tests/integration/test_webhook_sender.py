"""
One attempt over a real socket: what is sent, where it may go, and that whatever is answered ends in time and a value.
"""

from __future__ import annotations

import asyncio
import email.utils
import ssl
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from jobs.webhooks.verdict import Answer
from tests.hostile import Reply, hang_up, silence, stream
from tests.patience import LATE_S
from tests.receiver import OK, answered, receiver
from tests.webhooks_rig import SECRET, an_endpoint
from worker.factus.client import USER_AGENT
from worker.webhooks.sender import Sender

TLS = Path(__file__).parents[1] / "vendor" / "tls"
BODY = '{"type":"invoice.validated","message":"ñandú"}'.encode()
MIB = 1024 * 1024


class Names:
    """A resolver that answers as it is told: a list for each question, the last one stays."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): found for name, found in answers.items()}
        self.n_asked = 0

    async def __call__(self, endpoint: str, host: str, port: int) -> list[str]:
        self.n_asked += 1
        found = self.answers.get(host)
        if not found:
            raise OSError("Name or service not known")
        return found.pop(0) if len(found) > 1 else found[0]


@asynccontextmanager
async def sending(**parts: object) -> AsyncIterator[Sender]:
    sender = Sender(**parts)
    try:
        yield sender
    finally:
        await sender.close()


async def attempt(url: str, *, body: bytes = BODY, secrets: tuple[str, ...] = (SECRET,), **changes: object) -> Answer:
    parts = {name: changes.pop(name) for name in ("resolve", "verify") if name in changes}
    async with sending(**parts) as sender:
        return await sender.attempt(an_endpoint(url=url, **changes), secrets, "msg_1", body)


class TestWhatIsSent:
    async def test_the_official_library_takes_it(self):
        async with receiver() as shop:
            answer = await attempt(f"http://127.0.0.1:{shop.port}/hooks/a%20b?k=v&x=%2F")
        assert (answer.status, answer.body) == (200, b"ok")
        (request,) = shop.requests
        assert request.target == "/hooks/a%20b?k=v&x=%2F", "as it is written"
        assert request.body == BODY
        Webhook(SECRET).verify(request.body, request.headers)
        assert request.headers["webhook-id"] == "msg_1"
        assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 5
        assert request.headers["content-type"] == "application/json"
        assert request.headers["user-agent"] == USER_AGENT
        assert request.headers["host"] == f"127.0.0.1:{shop.port}"
        assert set(request.headers) == {
            "host", "user-agent", "content-type", "content-length", "accept", "webhook-id", "webhook-timestamp",
            "webhook-signature",
        }  # fmt: skip

    async def test_a_connection_serves_again_and_no_cookie_comes_back(self):
        cookie = answered(200, "Set-Cookie: a=b; Path=/", body=b"x" * 5000)
        async with receiver(cookie) as shop, sending() as sender:
            for _ in range(5):
                endpoint = an_endpoint(url=f"http://127.0.0.1:{shop.port}/")
                assert (await sender.attempt(endpoint, (SECRET,), "msg_1", BODY)).is_success
        assert shop.n_connections == 1
        assert not any("cookie" in request.headers for request in shop.requests)

    async def test_an_empty_path_is_a_slash(self):
        async with receiver() as shop:
            await attempt(f"http://127.0.0.1:{shop.port}?x")
        assert shop.requests[0].target == "/?x"

    async def test_no_proxy_of_the_environment_is_asked(self, monkeypatch):
        async with receiver() as shop, receiver() as proxy:
            for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            assert (await attempt(f"http://127.0.0.1:{shop.port}/")).is_success
        assert proxy.n_connections == 0

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_no_redirect_is_followed(self, status):
        async with receiver() as inside:
            async with receiver(answered(status, f"Location: http://127.0.0.1:{inside.port}/")) as shop:
                answer = await attempt(f"http://127.0.0.1:{shop.port}/")
            assert (answer.status, answer.is_success) == (status, False)
            assert inside.n_connections == 0


class TestWhereItGoes:
    """A listener stands on this machine in each: nothing may reach it."""

    @pytest.mark.parametrize(
        ("addresses", "kind"),
        [
            (["127.0.0.1"], "loopback"),
            (["169.254.169.254"], "link-local"),
            (["::ffff:10.0.0.1"], "IPv4-mapped"),
            (["::ffff:127.0.0.1"], "IPv4-mapped"),
            (["64:ff9b::7f00:1"], "NAT64"),
            (["2002:7f00:1::"], "6to4"),
            (["0.0.0.0"], "reserved"),
            (["::1"], "loopback"),
            (["8.8.8.8", "127.0.0.1"], "loopback"),
            (["127.0.0.1", "8.8.8.8"], "loopback"),
        ],
    )
    async def test_a_name_that_leads_inside_is_not_connected_to(self, addresses, kind):
        async with receiver() as inside:
            answer = await attempt(
                f"http://shop.example:{inside.port}/",
                resolve=Names(shop_example=[addresses]),
                allow_networks=(),
            )
            assert (answer.status, answer.fault) == (0, "address")
            assert kind in answer.detail
            assert inside.n_connections == 0

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
    async def test_an_address_in_the_url_is_checked_too(self, host):
        async with receiver() as inside:
            answer = await attempt(f"http://{host}:{inside.port}/", allow_networks=())
            assert answer.fault == "address"
            assert inside.n_connections == 0

    async def test_a_name_that_changes_its_mind_is_asked_once(self):
        """Rebinding: harmless at the look, this machine a moment later. What was checked is what is connected to."""
        async with receiver() as inside:
            names = Names(shop_example=[["127.0.0.2"], ["127.0.0.1"]])
            allowed = (ip_network("127.0.0.2/32"),)
            async with receiver(host="127.0.0.2", port=inside.port) as outside, sending(resolve=names) as sender:
                endpoint = an_endpoint(url=f"http://shop.example:{inside.port}/", allow_networks=allowed)
                assert (await sender.attempt(endpoint, (SECRET,), "msg_1", BODY)).is_success
                assert names.n_asked == 1
                assert (outside.n_connections, inside.n_connections) == (1, 0)
                # Asked again for the next attempt: it leads inside by now, and no kept connection hides that.
                assert (await sender.attempt(endpoint, (SECRET,), "msg_1", BODY)).fault == "address"
                assert names.n_asked == 2
                assert (len(outside.requests), inside.n_connections) == (1, 0)

    async def test_what_is_allowed_is_connected_to(self):
        async with receiver() as shop:
            names = Names(shop_example=[["127.0.0.1"]])
            url = f"http://shop.example:{shop.port}/"
            assert (await attempt(url, resolve=names, allow_networks=(ip_network("127.0.0.0/30"),))).is_success
            assert (await attempt(url, resolve=names, allow_networks=(ip_network("127.0.1.0/24"),))).fault == "address"
        assert shop.requests[0].headers["host"] == f"shop.example:{shop.port}", "the name, not the address"

    async def test_the_next_address_is_tried_where_there_is_no_connection(self):
        async with receiver() as shop:
            names = Names(shop_example=[["127.0.0.3", "127.0.0.1"]])
            assert (await attempt(f"http://shop.example:{shop.port}/", resolve=names)).is_success
            assert len(shop.requests) == 1

    async def test_a_name_that_is_none(self):
        answer = await attempt("http://shop.example/", resolve=Names())
        assert (answer.status, answer.fault) == (0, "name")
        assert (await attempt("http://shop.example/", resolve=Names(shop_example=[[]]))).fault == "name"

    async def test_nobody_listens(self):
        async with receiver() as gone:
            port = gone.port
        assert (await attempt(f"http://127.0.0.1:{port}/")).fault == "connection"

    async def test_name_servers_that_never_answer_end_in_time(self):
        async def never(_endpoint: str, _host: str, _port: int) -> list[str]:
            await asyncio.Event().wait()
            return []

        answer = await attempt("http://shop.example/", resolve=never, timeout_s=0.1)
        assert answer.fault == "timeout"


class TestTls:
    @pytest.fixture
    def server(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(TLS / "server.crt", TLS / "server.key")
        return context

    async def test_the_name_is_what_the_certificate_must_have(self, server):
        """The address is connected to, under the name: SNI and the certificate are the name's."""
        seen: list[str] = []
        server.sni_callback = lambda _socket, name, _context: seen.append(name)
        verify = ssl.create_default_context(cafile=str(TLS / "ca.crt"))
        async with receiver(tls=server) as shop:
            names = Names(localhost=[["127.0.0.1"]], shop_example=[["127.0.0.1"]])
            good = await attempt(f"https://localhost:{shop.port}/", resolve=names, verify=verify)
            other = await attempt(f"https://shop.example:{shop.port}/", resolve=names, verify=verify)
        assert good.is_success, good
        assert other.fault == "tls"
        assert seen == ["localhost", "shop.example"]
        assert [request.headers["host"] for request in shop.requests] == [f"localhost:{shop.port}"]

    async def test_an_unknown_signer_is_refused(self, server):
        async with receiver(tls=server) as shop:
            answer = await attempt(f"https://localhost:{shop.port}/", resolve=Names(localhost=[["127.0.0.1"]]))
        assert answer.fault == "tls"
        assert not shop.requests

    async def test_a_server_without_tls_is_told(self):
        async with receiver() as shop:
            answer = await attempt(f"https://127.0.0.1:{shop.port}/")
        assert (answer.status, answer.fault) in {(0, "tls"), (0, "connection"), (0, "lost")}


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
NO_STATUS: dict[str, Reply] = {
    "silence": silence,
    "hang up": hang_up,
    "heads for ever": stream(HEAD, b"X-A: " + b"a" * 1000 + b"\r\n", 100_000),
    "a head without end": stream(HEAD + b"X-A: ", b"a" * 65536, 10_000),
    "heads that drip": stream(HEAD, b"X-A: a\r\n", 1000, 0.05),
    "many heads": HEAD + b"".join(b"X-%d: a\r\n" % n for n in range(50_000)) + b"\r\n",
    "hints for ever": stream(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 1_000_000),
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/0.9": b"<html>hello</html>",
    "a status that is none": b"HTTP/1.1 abc OK\r\n\r\n",
    "broken chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nwhat\r\n",
    "zeros": b"\0" * 100_000,
    "nothing": b"",
}
WITH_STATUS: dict[str, Reply] = {
    "gigabytes": stream(HEAD + b"Content-Length: 9000000000\r\n\r\n", b"0" * MIB, 9000),
    "until the end": stream(HEAD + b"Connection: close\r\n\r\n", b"0" * MIB, 2000),
    "chunks for ever": stream(CHUNKED, b"10000\r\n" + b"0" * 65536 + b"\r\n", 1_000_000),
    "chunks that drip": stream(CHUNKED, b"1\r\n0\r\n", 1000, 0.05),
    "a body that never comes": stream(HEAD + b"Content-Length: 50\r\n\r\n", b"", 1000, 0.05),
    "a shorter body": stream(HEAD + b"Content-Length: 50\r\n\r\n", b"{}", 1),
    "packed": HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
}


class TestWhateverIsAnswered:
    @pytest.mark.parametrize("name", NO_STATUS)
    async def test_without_a_status_it_is_a_failure_in_time(self, name):
        async with receiver(NO_STATUS[name]) as shop:
            began = time.perf_counter()
            tracemalloc.start()
            answer = await attempt(f"http://127.0.0.1:{shop.port}/", timeout_s=1.0)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert answer.status == 0
        assert answer.fault in {"timeout", "lost", "protocol", "connection"}
        assert time.perf_counter() - began < 1.0 + LATE_S
        assert peak < 40 * MIB

    @pytest.mark.parametrize("name", WITH_STATUS)
    async def test_a_status_that_came_counts_whatever_the_body_does(self, name):
        async with receiver(WITH_STATUS[name]) as shop:
            began = time.perf_counter()
            tracemalloc.start()
            answer = await attempt(f"http://127.0.0.1:{shop.port}/", timeout_s=1.0)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert answer.is_success, answer
        assert len(answer.body) <= 1024
        assert time.perf_counter() - began < 1.0 + LATE_S
        assert peak < 40 * MIB

    async def test_the_attempt_after_a_hostile_one_is_its_own(self):
        twice = OK + answered(500)
        async with receiver(twice, answered(201)) as shop, sending() as sender:
            endpoint = an_endpoint(url=f"http://127.0.0.1:{shop.port}/")
            statuses = []
            for _ in range(2):
                statuses.append((await sender.attempt(endpoint, (SECRET,), "msg_1", BODY)).status)
                await asyncio.sleep(0.05)
        assert statuses == [200, 201], "what came unasked answers nothing"

    @pytest.mark.parametrize(
        ("text", "expected"),
        [("120", 120), ("0", 0), ("soon", None), ("-5", None), ("1" * 30, None), ("", None), ("1.5", None)],
    )
    async def test_retry_after_in_seconds(self, text, expected):
        async with receiver(answered(503, f"Retry-After: {text}")) as shop:
            answer = await attempt(f"http://127.0.0.1:{shop.port}/")
        assert (answer.status, answer.retry_after_s) == (503, expected)

    async def test_retry_after_as_a_date(self):
        at = email.utils.formatdate(time.time() + 300, usegmt=True)
        async with receiver(answered(429, f"Retry-After: {at}")) as shop:
            answer = await attempt(f"http://127.0.0.1:{shop.port}/")
        assert answer.retry_after_s == pytest.approx(300, abs=10)
