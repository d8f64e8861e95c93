"""The families as a client knows them: a body that is accepted, with what must exist before it, and its calls."""

import copy
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from tests import families
from tests.sandbox.api import Api, example


@dataclass(frozen=True)
class SandboxFamily:
    """One family under the name that Factus has for it."""

    row: families.Family

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return self.row.area

    @property
    def code(self) -> str:
        """Member of the answer that holds the unique code."""
        return self.row.code

    @property
    def related(self) -> tuple[str, str] | None:
        """Member that names another document, and that document's family."""
        if self.row.about is None:
            return None
        member, name = self.row.about
        return member, families.FAMILIES[name].area

    @property
    def has_pdf(self) -> bool:
        return "pdf" in self.row.kinds

    @property
    def has_email(self) -> bool:
        return self.row.is_mailed

    @property
    def is_payroll(self) -> bool:
        return self.row.is_payroll

    async def body(self, api: Api, reference: str = "R-1", **changes: Any) -> dict[str, Any]:
        """The example under an own reference, about a document of its own."""
        body: dict[str, Any] = copy.deepcopy(example(self.row.example))
        body["reference_code"] = reference
        if self.related is not None:
            member, family = self.related
            made = await FAMILIES[family].make(api, f"BASE-{reference}")
            body[member] = made["number"]
        return {key: value for key, value in (body | changes).items() if value is not None}

    async def create(self, api: Api, body: Any) -> httpx.Response:
        return await api.call("POST", self.row.create_path, json=body)

    async def make(self, api: Api, reference: str = "R-1", **changes: Any) -> Any:
        """The member `data` of a document that was validated."""
        response = await self.create(api, await self.body(api, reference, **changes))
        assert response.status_code == 201, response.text
        assert response.json()["data"]["is_validated"] is True
        return response.json()["data"]

    async def show(self, api: Api, number: str) -> httpx.Response:
        return await api.call("GET", f"/v2/{self.name}/{number}")

    async def list(self, api: Api, **query: str) -> Any:
        response = await api.call("GET", f"/v2/{self.name}", params=query)
        assert response.status_code == 200, response.text
        return response.json()["data"]

    async def delete(self, api: Api, reference: str) -> httpx.Response:
        return await api.call("DELETE", f"{self.row.delete_path}/{quote(reference, safe='')}")

    async def report(self, api: Api) -> Any:
        return (await api.counted())["families"][self.name]


FAMILIES = {row.area: SandboxFamily(row) for row in families.FAMILIES.values()}
ALL = list(FAMILIES.values())
