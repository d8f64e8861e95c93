"""
The page as a person has it: in Chromium, narrow and wide, light and dark, with and without scripts; and axe-core, which
finds what somebody who does not see, or not well, would stumble over.

Needs Debian's ``chromium``, and ``npm`` for axe-core (package.json); without them it is skipped, and says so.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from arq.connections import ArqRedis

from tests.browser import chromium
from tests.browser.chromium import Browser, Page
from tests.door_in_process import PASSWORD, DoorInProcess, a_door
from tests.page_scene import ACCOUNTS, an_endpoint, an_event, evening, hold, publish
from tests.service_in_process import an_account, running, services_on
from worker.store.keys import Keys

pytestmark = [pytest.mark.deep, pytest.mark.timeout(600)]

HERE: Final = Path(__file__).parent
WIDTHS: Final = (320, 1280)
SCHEMES: Final = ("light", "dark")
Scene = Callable[[ArqRedis, str], AbstractAsyncContextManager[Any]]


# -- what there is to see ----------------------------------------------------------------------------------------------
@asynccontextmanager
async def nothing(redis: ArqRedis, namespace: str) -> AsyncIterator[None]:
    """A worker that nobody has given anything yet."""
    async with running(services_on(redis, namespace, *map(an_account, ("acme", "other")))) as rig:
        await rig.taken_in()
        yield


@asynccontextmanager
async def all_is_well(redis: ArqRedis, namespace: str) -> AsyncIterator[None]:
    """A day as it should be: what was pushed went out, and was delivered."""
    services = services_on(redis, namespace, *map(an_account, ("acme", "other")))
    async with running(services) as rig:
        for n in range(12):
            await rig.push_bill(f"FV-{n}", id=f"b{n}", batch="cierre noviembre", batch_size=12)
        await rig.events(12)
        await an_endpoint(redis, services.keys, "erp")
        yield


@asynccontextmanager
async def an_evening(redis: ArqRedis, namespace: str) -> AsyncIterator[None]:
    """Nearly everything that can be wrong, with names as long as they come."""
    async with evening(redis, namespace) as keys:
        await hold(redis, keys, "acme", "factus.payment_required", said="Factus exige un pago (402): sin saldo")
        long_name = "erp-" + "de-la-sucursal-norte-" * 4
        await an_endpoint(redis, keys, long_name, failing_since=1_700_000_000_000, last_status=503)
        # A lane that waits for the DIAN: a warning among the failures.
        waits = {"held_since": 1_795_000_000_000, "held_for": "dian.pending"}
        await redis.hset(keys.lane("other/invoice"), mapping=waits)
        words = "Regla: FAK24, Rechazo: " + "el dígito de verificación del NIT no corresponde; " * 6
        await publish(redis, keys, an_event("invoice.rejected", success=False, reference_code="R" * 90, message=words))
        yield


SCENES: Final[dict[str, Scene]] = {"nothing": nothing, "all is well": all_is_well, "an evening": an_evening}


# -- the browser -------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program of axe-core."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not here: axe-core is an npm package (tests/browser/package.json)")
    folder = tmp_path_factory.mktemp("axe")
    shutil.copy(HERE / "package.json", folder)
    quietly = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    done = subprocess.run(["npm", "install", *quietly], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"npm cannot install axe-core here: {done.stderr.strip()[-300:]}")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if chromium.program() is None:
        pytest.skip(f"no browser: none of {', '.join(chromium.NAMES)} is here (Debian's package is chromium)")
    with chromium.running(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture
async def door(valkey_url: str, namespace: str, tmp_path: Path) -> AsyncIterator[DoorInProcess]:
    accounts = tmp_path / "slow.toml"
    accounts.write_text(ACCOUNTS)
    async with a_door(valkey_url, namespace, tmp_path, accounts_file=accounts) as found:
        yield found


@pytest.fixture
async def page(browser: Browser, door: DoorInProcess) -> AsyncIterator[Page]:
    """A page of the operator's, who has logged in."""
    form = {"username": "olga", "password": PASSWORD, "next": "/"}
    answer = await door.http.post("/login", data=form, headers={"Authorization": ""})
    (name, value), *_ = answer.cookies.items()
    found = await asyncio.to_thread(browser.page)
    await asyncio.to_thread(found.cookie, door.url, name, value)
    yield found
    await asyncio.to_thread(found.close)


# -- what is looked for ------------------------------------------------------------------------------------------------
def violations(page: Page, axe: str) -> list[str]:
    """What axe-core finds, with the element."""
    page.value(axe + "; true")
    found = page.value("axe.run(document, {resultTypes: ['violations']}).then((one) => one.violations)")
    return [f"{one['id']} ({one['impact']}): {node['html'][:200]}" for one in found for node in one["nodes"]]


def too_wide(page: Page) -> list[str]:
    """What makes the page wider than the window."""
    return list(
        page.value(
            """document.documentElement.scrollWidth <= innerWidth ? [] : ['the page'].concat(
              [...document.querySelectorAll('*')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
                .map((one) => one.outerHTML.slice(0, 120)))"""
        )
    )


def small_targets(page: Page) -> list[str]:
    """What is pressed has 24 pixels each way at least, links within a sentence apart (WCAG 2.5.8)."""
    return list(
        page.value(
            """[...document.querySelectorAll('button, input, select, a')].filter((one) => {
              const box = one.getBoundingClientRect();
              const isHidden = one.matches('.skip, [type=hidden]') || (!box.width && !box.height);
              return !isHidden && (box.height < 24 || box.width < 24);
            }).map((one) => one.outerHTML.slice(0, 120))"""
        )
    )


def looked_at(page: Page, url: str, axe: str, folder: Path, name: str) -> list[str]:
    """Everything that is wrong with a page, at both widths and in both schemes; pictures are left in *folder*."""
    found: list[str] = []
    for width in WIDTHS:
        for scheme in SCHEMES:
            page.size(width)
            page.scheme(scheme)
            page.open(url)
            page.picture(folder / f"{name}-{width}-{scheme}.png".replace(" ", "-"))
            wrong = [*violations(page, axe), *too_wide(page), *small_targets(page)]
            found += [f"{width} {scheme}: {one}" for one in wrong]
    return found


@pytest.mark.parametrize("name", SCENES)
async def test_the_page_is_for_everybody(
    name: str, page: Page, axe: str, door: DoorInProcess, real_redis: ArqRedis, namespace: str, tmp_path: Path
) -> None:
    async with SCENES[name](real_redis, namespace):
        assert await asyncio.to_thread(looked_at, page, f"{door.url}/", axe, tmp_path, name) == []


async def test_the_other_pages_are_too(
    page: Page, browser: Browser, axe: str, door: DoorInProcess, real_redis: ArqRedis, namespace: str, tmp_path: Path
) -> None:
    """The story of a document, what is not found, and the form of the login."""
    async with an_evening(real_redis, namespace):
        for name, path in {
            "story": "/documents/invoice/CIERRE-3?account=acme",
            "none": "/documents/invoice/NO",
        }.items():
            assert await asyncio.to_thread(looked_at, page, door.url + path, axe, tmp_path, name) == []
        await asyncio.to_thread(page.ask, "Network.clearBrowserCookies")
        assert await asyncio.to_thread(looked_at, page, f"{door.url}/", axe, tmp_path, "login") == []


@pytest.mark.parametrize("host", ["127.0.0.1", "plain.test"])
async def test_a_person_logs_in_and_out(host: str, tmp_path: Path, valkey_url: str, namespace: str) -> None:
    """
    By the forms, as the browser sends them. To this very machine it sends ``Sec-Fetch-Site``, to others without TLS
    only ``Origin``, which the referrer policy of the page must not hide.
    """
    if chromium.program() is None:
        pytest.skip(f"no browser: none of {', '.join(chromium.NAMES)} is here (Debian's package is chromium)")
    enter = f"""document.querySelector('[name=username]').value = 'olga';
      document.querySelector('[name=password]').value = {json.dumps(PASSWORD)};
      document.querySelector('form[action="/login"]').requestSubmit()"""
    leave = "document.querySelector('form[action=\"/logout\"]').requestSubmit()"

    def in_and_out(url: str) -> None:
        with chromium.running(tmp_path, "--host-resolver-rules=MAP plain.test 127.0.0.1") as found:
            page = found.page()
            page.open(f"{url}/")
            page.value(enter)
            page.until("document.querySelector('form[action=\"/logout\"]') !== null")
            page.value(leave)
            page.until("document.querySelector('[name=password]') !== null")
            assert "No se pudo entrar" not in page.text()

    async with a_door(valkey_url, namespace, tmp_path, http_names="plain.test") as door:
        await asyncio.to_thread(in_and_out, door.url.replace("127.0.0.1", host))


_WORDS: Final = "[...document.querySelectorAll('main section, #clock, #headline')].map((one) => one.innerText)"


async def test_without_scripts_it_is_whole(
    page: Page, door: DoorInProcess, real_redis: ArqRedis, namespace: str
) -> None:
    """The same words, but for those that tell the time; each part has some, and the form of the search leads on."""

    def words(on: bool) -> list[str]:
        page.scripts(on=on)
        page.open(f"{door.url}/")
        return [str(one) for one in page.value(_WORDS)]

    async with an_evening(real_redis, namespace):
        without, with_them = [await asyncio.to_thread(words, on) for on in (False, True)]
        assert all(one.strip() for one in without)
        assert [one.splitlines()[0] for one in without] == [one.splitlines()[0] for one in with_them]
        assert any("no alcanzan a salir hoy" in one for one in without)
        await asyncio.to_thread(page.scripts, on=False)
        await asyncio.to_thread(page.open, f"{door.url}/")
        find = "document.querySelector('#reference_code').value = 'CIERRE-3'; document.querySelector('.find').submit()"
        await asyncio.to_thread(page.value, find)
        await asyncio.to_thread(page.until, "location.pathname === '/documents/invoice/CIERRE-3'")
    await asyncio.to_thread(page.scripts, on=True)


async def test_an_open_page_follows_and_keeps_the_focus(
    page: Page, door: DoorInProcess, real_redis: ArqRedis, namespace: str
) -> None:
    """What happens shows by itself; whoever is at a link stays there, and whoever reads is not moved."""
    keys = Keys(namespace)
    async with all_is_well(real_redis, namespace):
        await asyncio.to_thread(page.size, 1280)
        await asyncio.to_thread(page.open, f"{door.url}/")
        await asyncio.to_thread(page.until, "document.querySelector('#events a') !== null")
        at = "document.activeElement.getAttribute('href')"
        await asyncio.to_thread(page.value, "document.querySelectorAll('#events a')[2].focus()")
        before = await asyncio.to_thread(page.value, at)
        await hold(real_redis, keys, "acme", "factus.payment_required", said="sin saldo")
        await publish(real_redis, keys, an_event("invoice.rejected", reference_code="FV-NUEVA", success=False))
        await asyncio.to_thread(page.until, "document.querySelector('#needs').innerText.includes('Renueve el plan')")
        await asyncio.to_thread(page.until, "document.querySelector('#events').innerText.includes('FV-NUEVA')")
        assert await asyncio.to_thread(page.value, at) == before
        assert json.dumps(before) != "null"
