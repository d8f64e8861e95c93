"""The page of the door: who comes in, what is answered, and that it keeps itself fresh. In process, on a socket."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from arq.connections import ArqRedis
from starlette.routing import Route

from tests.door_in_process import CALM, PASSWORD, DoorInProcess, a_door
from tests.page_scene import ACCOUNTS, an_event, evening, publish
from tests.patience import PATIENCE_S
from worker.http.page.rendering import MOST_BYTES
from worker.http.page.routes import page_routes
from worker.store import connection, embedded_server
from worker.store.keys import Keys

NOBODY = {"Authorization": ""}
PAGES = ("/", "/documents/invoice/FV-1")
WITHOUT_A_LOGIN = [
    ("/", "GET", "/", 401, True),
    ("/live", "GET", "/live", 401, False),
    ("/documents", "GET", "/documents?family=invoice&reference_code=FV-1", 401, True),
    ("/documents", "GET", "/documents?family=x", 401, True),
    ("/documents/{family}/{reference_code:path}", "GET", "/documents/invoice/FV-1", 401, True),
    ("/documents/{family}/{reference_code:path}", "GET", "/documents/x/FV-1", 401, True),
    ("/page/{name}", "GET", "/page/page.css", 200, False),
    ("/login", "POST", "/login", 422, True),
    ("/logout", "POST", "/logout", 303, False),
]
"""A route, how it is asked, and what nobody is answered: a status, and whether it is the form."""

QUICK = replace(CALM, page_every_s=0.05)
"""An open page is looked at again at once."""


@pytest.fixture
async def door(valkey_url: str, namespace: str, tmp_path: Path) -> AsyncIterator[DoorInProcess]:
    accounts = tmp_path / "slow.toml"
    accounts.write_text(ACCOUNTS)
    async with a_door(valkey_url, namespace, tmp_path, accounts_file=accounts, policy=QUICK) as found:
        yield found


async def come_in(door: DoorInProcess, name: str, password: str = PASSWORD, **more: str) -> httpx.Response:
    form = {"username": name, "password": password, "next": "/", **more}
    return await door.http.post("/login", data=form, headers=NOBODY)


async def seen_by(door: DoorInProcess, name: str, path: str = "/") -> httpx.Response:
    """A page as a browser gets it after its login."""
    door.http.cookies.clear()
    assert (await come_in(door, name)).status_code == 303
    return await door.http.get(path, headers=NOBODY)


class TestLogin:
    async def test_who_is_unknown_gets_the_form_and_nothing_else(self, door: DoorInProcess) -> None:
        for path in PAGES:
            answer = await door.http.get(path, headers=NOBODY)
            assert answer.status_code == 401
            assert f'<input type="hidden" name="next" value="{path}">' in answer.text
            assert "acme" not in answer.text
            assert "FV-1" not in answer.text.replace(path, "")

    async def test_no_address_tells_anything_without_a_login(self, door: DoorInProcess) -> None:
        """All routes there are: a new one has to say here what it answers to nobody."""
        assert {one.path for one in page_routes(door.door) if isinstance(one, Route)} == {
            path for path, *_ in WITHOUT_A_LOGIN
        }
        for _, method, address, status, is_form in WITHOUT_A_LOGIN:
            answer = await door.http.request(method, address, headers=NOBODY)
            assert (answer.status_code, 'action="/login"' in answer.text) == (status, is_form), address
            if status == 401:
                assert answer.headers["WWW-Authenticate"] == "Bearer"

    async def test_a_name_and_a_password_become_a_cookie_of_an_hour(self, door: DoorInProcess) -> None:
        answer = await come_in(door, "olga", next="/documents/invoice/FV-1?account=acme")
        assert (answer.status_code, answer.headers["location"]) == (303, "/documents/invoice/FV-1?account=acme")
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("factus_login=ey")
        assert {part.strip() for part in cookie.split(";")[1:]} == {
            "HttpOnly", "Max-Age=3600", "Path=/", "SameSite=strict",
        }  # fmt: skip
        assert (await door.http.get("/", headers=NOBODY)).status_code == 200

    async def test_behind_tls_the_cookie_goes_over_tls_only(
        self, valkey_url: str, namespace: str, tmp_path: Path
    ) -> None:
        async with a_door(valkey_url, namespace, tmp_path, http_behind_proxy=True) as door:
            cookie = (await come_in(door, "olga")).headers["set-cookie"]
            assert cookie.startswith("__Host-factus_login=")
            assert "; Secure" in cookie
            value = cookie.partition(";")[0]
            assert (await door.http.get("/", headers={**NOBODY, "Cookie": value})).status_code == 200
            plain = value.removeprefix("__Host-")
            assert (await door.http.get("/", headers={**NOBODY, "Cookie": plain})).status_code == 401

    async def test_a_wrong_password_is_told_and_the_sixth_waits(self, door: DoorInProcess) -> None:
        for _ in range(5):
            answer = await come_in(door, "olga", "falsa")
            assert answer.status_code == 401
            assert "Usuario o clave equivocados." in answer.text
            assert "set-cookie" not in answer.headers
        answer = await come_in(door, "olga")
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) <= 60

    async def test_what_is_no_form_is_told(self, door: DoorInProcess) -> None:
        for body in (b"", b"username=olga", b"username=olga&password=%FF", b"{}", b"a&" * 20, b"x" * 3000):
            answer = await door.http.post("/login", content=body, headers=NOBODY)
            assert answer.status_code == 422, body
            assert "Escriba usuario y clave." in answer.text

    async def test_a_login_leads_to_no_other_site(self, door: DoorInProcess) -> None:
        for away in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x", ""):
            assert (await come_in(door, "olga", next=away)).headers["location"] == "/", away

    async def test_another_site_logs_nobody_in_or_out(self, door: DoorInProcess) -> None:
        form = {"username": "olga", "password": PASSWORD}
        for header in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
            for path in ("/login", "/logout"):
                answer = await door.http.post(path, data=form, headers={**NOBODY, **header})
                assert answer.status_code == 403
                assert "set-cookie" not in answer.headers

    async def test_a_browser_that_hides_the_address_logs_in_and_out(self, door: DoorInProcess) -> None:
        """``Origin: null`` of a page without a referrer: the browser says by another header that it is ours."""
        form = {"username": "olga", "password": PASSWORD}
        sent = {**NOBODY, "Origin": "null", "Sec-Fetch-Site": "same-origin"}
        for path in ("/login", "/logout"):
            assert (await door.http.post(path, data=form, headers=sent)).status_code == 303, path

    async def test_logging_out_takes_the_cookie_back(self, door: DoorInProcess) -> None:
        assert (await seen_by(door, "olga")).status_code == 200
        assert (await door.http.post("/logout", headers=NOBODY)).headers["location"] == "/"
        assert (await door.http.get("/", headers=NOBODY)).status_code == 401

    async def test_a_producers_token_is_no_login(self, door: DoorInProcess) -> None:
        token = door.bearer()["Authorization"].removeprefix("Bearer ")
        answer = await door.http.get("/", headers={**NOBODY, "Cookie": f"factus_login={token}"})
        assert answer.status_code == 401

    async def test_a_login_of_the_door_opens_the_page_as_well(self, door: DoorInProcess) -> None:
        assert (await door.http.get("/", headers=await door.login("vera"))).status_code == 200

    async def test_a_door_without_users_says_so(self, valkey_url: str, namespace: str, tmp_path: Path) -> None:
        async with a_door(valkey_url, namespace, tmp_path, users_file=None) as door:
            answer = await door.http.get("/", headers=NOBODY)
        assert answer.status_code == 401
        assert "FACTUS_USERS_FILE" in answer.text
        assert "<form" not in answer.text


class TestAnswers:
    async def test_all_pages_have_the_headers_of_a_page(self, door: DoorInProcess) -> None:
        for path in (*PAGES, "/documents/nada/FV-1", "/page/none"):
            answer = await seen_by(door, "olga", path)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "same-origin"
            assert answer.headers["content-type"] == "text/html; charset=utf-8"

    async def test_it_is_read_only(self, door: DoorInProcess) -> None:
        for path in ("/", "/live", "/documents", "/documents/invoice/FV-1", "/page/page.css"):
            for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
                answer = await door.http.request(method, path)
                assert answer.status_code == 405, (method, path)
                assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
        assert (await door.http.get("/login")).status_code == 405

    async def test_head_is_get_without_its_body(self, door: DoorInProcess) -> None:
        await come_in(door, "olga")
        for path, status in {"/": 200, "/live": 200, "/documents/invoice/FV-1": 404, "/page/page.css": 200}.items():
            answer = await door.http.head(path, headers=NOBODY)
            assert (answer.status_code, answer.content) == (status, b""), path

    async def test_a_foreign_name_is_misdirected(self, door: DoorInProcess) -> None:
        for path in ("/", "/live", "/documents/invoice/FV-1", "/page/page.css"):
            answer = await door.http.get(path, headers={"Host": "evil.example"})
            assert answer.status_code == 421
            assert "FACTUS_HTTP_NAMES" in answer.text

    async def test_names_of_the_settings_are_fine(self, valkey_url: str, namespace: str, tmp_path: Path) -> None:
        async with a_door(valkey_url, namespace, tmp_path, http_names="a.example, Facturas.acme.example") as door:
            headers = {**NOBODY, "Host": "facturas.acme.example:443"}
            assert (await door.http.get("/", headers=headers)).status_code == 401

    async def test_style_and_script_are_its_own_and_are_asked_for_once(self, door: DoorInProcess) -> None:
        page = (await seen_by(door, "olga")).text
        for path in set(re.findall(r'(?:href|src)="(/page/[^"]+)"', page)):
            first = await door.http.get(path, headers=NOBODY)
            assert first.status_code == 200
            again = await door.http.get(path, headers={**NOBODY, "If-None-Match": first.headers["etag"]})
            assert again.status_code == 304
            assert "http" not in first.text.replace("http://www.w3.org/2000/svg", "")


class TestEvening:
    async def test_it_shows_what_stands_in_redis(
        self, door: DoorInProcess, real_redis: ArqRedis, namespace: str, tmp_path: Path
    ) -> None:
        async with evening(real_redis, namespace, n_late=40, n_batch=6):
            answer = await seen_by(door, "olga")
            assert answer.status_code == 200
            text = " ".join(re.sub(r"<[^>]*>", " ", answer.text).split())
            assert len(answer.content) <= MOST_BYTES
            assert "para la medianoche" in text
            assert "Cuenta own detenida: Factus rechaza las credenciales" in text
            assert re.search(r"\d+ de 40 no alcanzan a salir hoy · other", text)
            assert re.search(r"Los primeros: TARDE-\d+ , TARDE-\d+", text)
            assert "sigue después de medianoche" in text
            assert "cierre noviembre 0 de 12" in text
            assert "tienda desactivada, respondió 410" in text
            assert "La suma de los pagos no es el total" in text
            assert "invoice.validated FV-11" in text
            limited = (await seen_by(door, "vera")).text
            assert "cierre noviembre" in limited
            assert "TARDE" not in limited
            assert "tienda" not in limited
            story = await seen_by(door, "vera", "/documents/invoice/CIERRE-3?account=acme")
            assert story.status_code == 200
            assert "Espera en el carril acme/invoice" in story.text
            for hidden in ("/documents/invoice/TARDE-1", "/documents/invoice/TARDE-1?account=other"):
                assert (await door.http.get(hidden, headers=NOBODY)).status_code == 404

    async def test_broken_bytes_in_a_stream_break_nothing(
        self, door: DoorInProcess, real_redis: ArqRedis, namespace: str
    ) -> None:
        keys = Keys(namespace)
        foul: dict[Any, Any] = {
            "type": b"\xff\xfe<b>",
            "account": b"acme",
            "job_id": b"\xf0\x28",
            "event": b'{"message":"\xff',
        }
        await real_redis.xadd(keys.results(), foul)
        await real_redis.xadd(keys.results(), {"event": b"[" * 100_000, "account": "acme", "type": "x"})
        await real_redis.xadd(
            keys.dead(), {"reason": b"\xc3\x28", "account": "acme", "errors": b"\x00", "raw": b"\xff"}
        )
        await real_redis.sadd(keys.lanes(), b"acme/\xff<script>")
        await real_redis.set(keys.days(), "no set")
        await publish(
            real_redis,
            keys,
            an_event("invoice.validated", message="<script>alert(1)</script>", reference_code="\u202e"),
        )
        answer = await seen_by(door, "olga")
        assert answer.status_code == 200
        assert answer.text.count("<script") == 1
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text

    async def test_a_search_leads_to_the_story(self, door: DoorInProcess) -> None:
        address = "/documents?family=invoice&reference_code=A/%C3%B1+1"
        answer = await seen_by(door, "olga", address)
        assert (answer.status_code, answer.headers["location"]) == (303, "/documents/invoice/A%2F%C3%B1%201")
        assert (await door.http.get("/documents", params={"family": "x"}, headers=NOBODY)).status_code == 404

    async def test_a_search_goes_on_after_the_login(self, door: DoorInProcess) -> None:
        address = "/documents?family=invoice&reference_code=FV-1"
        assert (await come_in(door, "olga", next=address)).headers["location"] == address


class Stream:
    """An open page, as its script hears it."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def until(self, words: str) -> dict[str, str]:
        """The first regions that have these words."""
        async with asyncio.timeout(PATIENCE_S):
            async for line in self._lines:
                if line.startswith("data: ") and words in line:
                    found: dict[str, str] = json.loads(line[6:])
                    return found
        raise AssertionError(f"the stream ended without {words}")

    async def end(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            async for _ in self._lines:
                pass


class TestLive:
    async def test_regions_come_when_they_have_changed(
        self, door: DoorInProcess, real_redis: ArqRedis, namespace: str
    ) -> None:
        await come_in(door, "olga")
        async with door.http.stream("GET", "/live", headers=NOBODY) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            stream = Stream(answer)
            first = await stream.until("para la medianoche")
            assert set(first) >= {"clock", "needs", "events", "fresh"}
            await publish(
                real_redis, Keys(namespace), an_event("invoice.rejected", reference_code="FV-NUEVA", success=False)
            )
            later = await stream.until("FV-NUEVA")
            assert "events" in later
            assert "batches" not in later, "what is as it was is not sent again"

    async def test_there_are_so_many_places_and_a_time(self, valkey_url: str, namespace: str, tmp_path: Path) -> None:
        policy = replace(QUICK, most_streams_each=1, longest_stream_s=0.3)
        async with a_door(valkey_url, namespace, tmp_path, policy=policy) as door:
            await come_in(door, "olga")
            async with door.http.stream("GET", "/live", headers=NOBODY) as answer:
                assert (await door.http.get("/live", headers=NOBODY)).status_code == 429
                async with asyncio.timeout(PATIENCE_S):
                    await answer.aread()
            assert door.door.listening.n_taken == 0

    async def test_a_password_that_changes_ends_the_page(self, door: DoorInProcess) -> None:
        await come_in(door, "olga")
        async with door.http.stream("GET", "/live", headers=NOBODY) as answer:
            stream = Stream(answer)
            await stream.until("para la medianoche")
            assert door.door.users is not None
            door.door.users.users.pop("olga")
            await stream.end()


async def test_without_redis_it_says_so_and_comes_back_by_itself(tmp_path: Path, namespace: str) -> None:
    """A browser looks again by itself, and so does an open page."""
    server = embedded_server.start(tmp_path / "valkey")
    url = server.url()
    try:
        async with a_door(url, namespace, tmp_path, policy=QUICK) as door:
            await come_in(door, "olga")
            async with door.http.stream("GET", "/live", headers=NOBODY) as opened:
                stream = Stream(opened)
                await stream.until("para la medianoche")
                await asyncio.to_thread(embedded_server.stop, server)
                assert "Lo que se ve es de las" in (await stream.until("Redis no responde"))["fresh"]
                for path in PAGES:
                    answer = await door.http.get(path, headers=NOBODY)
                    assert answer.status_code == 503
                    assert "Redis no responde" in answer.text
                    assert answer.headers["refresh"] == "5"
                    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
                assert (await door.http.get("/", headers={**NOBODY, "Cookie": ""})).status_code == 401
                server = await asyncio.to_thread(embedded_server.start, tmp_path / "valkey")
                await stream.until("Visto a las")
                assert (await door.http.get("/", headers=NOBODY)).status_code == 200
    finally:
        embedded_server.stop(server)


async def test_a_user_of_redis_that_only_reads_is_enough(tmp_path: Path, namespace: str) -> None:
    """``viewer`` of deploy/users.acl."""
    acl = (Path(__file__).parents[2] / "deploy" / "users.acl").read_text()
    (line,) = [line for line in acl.splitlines() if line.startswith("user viewer ")]
    server = embedded_server.start(tmp_path / "valkey")
    admin = connection.connect(server.url())
    try:
        rules = line.replace("#VIEWER_SHA256", ">v").replace("factus:", f"{namespace}:").split()[1:]
        await admin.execute_command("ACL", "SETUSER", *rules)
        async with evening(admin, namespace, n_late=40, n_batch=2):
            url = server.url().replace("unix://", "unix://viewer:v@", 1)
            accounts = tmp_path / "slow.toml"
            accounts.write_text(ACCOUNTS)
            async with a_door(url, namespace, tmp_path, accounts_file=accounts) as door:
                text = (await seen_by(door, "olga")).text
                assert "tienda" in text
                assert "TARDE-" in text
                assert "no alcanzan a salir" in text
                assert (await seen_by(door, "olga", "/documents/invoice/TARDE-1")).status_code == 200
            denied = await admin.acl_log()
            # A token is nobody's to read but the worker's. Commands that write were not even tried.
            assert {one["object"] for one in denied} <= {
                Keys(namespace).token(name) for name in ("acme", "other", "own")
            }
    finally:
        await connection.close(admin)
        embedded_server.stop(server)
