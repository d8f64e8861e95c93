"""A client for tests of the sandbox. Every JSON answer that passes through it is held against the OpenAPI contract."""

import asyncio
import copy
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import httpx

from tests.patience import PATIENCE_S
from tests.sandbox.openapi import faults_of_answer

AGENT = "erp-test/1.0"
EXAMPLES = files("sandbox") / "facts" / "examples"


class Clock:
    """Unix time that only tests move."""

    def __init__(self, at: float = 1_790_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += seconds


class Hold:
    """A sandbox's sleep that begins when a request gets there, and ends when the test says so."""

    def __init__(self) -> None:
        self._reached = asyncio.Event()
        self._is_open = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self._reached.set()
        await self._is_open.wait()

    async def reached(self) -> None:
        """Returns once a request is held; a request that never gets there fails here, and does not hang."""
        async with asyncio.timeout(PATIENCE_S):
            await self._reached.wait()

    def let_go(self) -> None:
        """End this sleep, and every later one at once."""
        self._is_open.set()


class Api:
    """Factus as one user sees it."""

    def __init__(self, http: httpx.AsyncClient, user: str = "acme") -> None:
        self.http = http
        self.user = user
        self.tokens: dict[str, Any] = {}

    async def login(self, **changes: str) -> httpx.Response:
        form = {"grant_type": "password", "client_id": "id", "client_secret": "secret", "password": "password"}
        response = await self.call("POST", "/oauth/token", data={**form, "username": self.user, **changes})
        if response.status_code == 200:
            self.tokens = response.json()
        return response

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"User-Agent": AGENT, **more.pop("headers", {})}
        if self.tokens and "Authorization" not in headers and path != "/oauth/token":
            headers["Authorization"] = f"Bearer {self.tokens['access_token']}"
        response = await self.http.request(method, path, headers=headers, **more)
        if _is_json(response):
            faults = faults_of_answer(method, path.partition("?")[0], response.status_code, response.json())
            assert not faults, (method, path, response.status_code, faults)
        return response

    async def create(self, body: Any) -> httpx.Response:
        return await self.call("POST", "/v2/bills/validate", json=body)

    async def find(self, **filters: str) -> Any:
        """The member `data` of a list; `page` is not a filter."""
        query = {f"filter[{name}]" if name != "page" else name: value for name, value in filters.items()}
        response = await self.call("GET", "/v2/bills", params=query)
        assert response.status_code == 200, response.text
        return response.json()["data"]

    async def show(self, number: str) -> httpx.Response:
        return await self.call("GET", f"/v2/bills/{number}")

    async def delete(self, reference: str) -> httpx.Response:
        return await self.call("DELETE", f"/v2/bills/destroy/reference/{quote(reference, safe='')}")

    async def control(self, path: str, body: Any = None, method: str = "POST", status: int = 200) -> Any:
        response = await self.http.request(method, f"/_sandbox/{path}", json=body)
        assert response.status_code == status, response.text
        return response.json()

    async def faults(self, *rules: dict[str, Any]) -> None:
        await self.control("faults", {"rules": list(rules)})

    async def report(self) -> Any:
        """The bills of this user, as Factus counted them."""
        whole = await self.control("report", method="GET")
        return whole["accounts"][self.user]["families"]["bills"]

    async def counted(self) -> Any:
        whole = await self.control("report", method="GET")
        return whole["accounts"][self.user]


def _is_json(response: httpx.Response) -> bool:
    if response.status_code == 404 and "The route" in response.text:
        return False
    try:
        response.json()
    except json.JSONDecodeError:
        return False
    return True


def example(name: str) -> Any:
    return json.loads((EXAMPLES / name).read_text(encoding="utf-8"))


def example_names(kind: str) -> Iterator[str]:
    """Bill examples that have a request, without the ones of other routes."""
    for entry in sorted((EXAMPLES / "bills").iterdir(), key=lambda path: path.name):
        name = entry.name.removesuffix(f".{kind}.json")
        if name != entry.name and not name.startswith(("enviar", "aceptacion")):
            yield name


def a_bill(reference: str = "FV-1", **changes: Any) -> dict[str, Any]:
    """The standard example under an own reference; keys given as None are left out."""
    body: dict[str, Any] = copy.deepcopy(example("bills/estandar.request.json"))
    body |= {"reference_code": reference, **changes}
    return {key: value for key, value in body.items() if value is not None}
