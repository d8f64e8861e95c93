"""The seven families as a client knows them: paths, and a body that is accepted, with what must exist before it."""

import copy
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from tests.sandbox.api import Api, example


@dataclass(frozen=True)
class Family:
    """
    One family, written down from the reference and not from the sandbox.

    Args:
        related: Member that names another document, and that document's family.
        code: Member of the answer that holds the unique code.
    """

    name: str
    example: str
    code: str
    create_path: str
    related: tuple[str, str] | None = None
    has_pdf: bool = True
    has_email: bool = False
    is_payroll: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def delete_path(self) -> str:
        return "/v2/bills/destroy/reference" if self.name == "bills" else f"/v2/{self.name}/reference"

    async def body(self, api: Api, reference: str = "R-1", **changes: Any) -> dict[str, Any]:
        """The example under an own reference, about a document of its own."""
        body: dict[str, Any] = copy.deepcopy(example(self.example))
        body["reference_code"] = reference
        if self.related is not None:
            member, family = self.related
            made = await FAMILIES[family].make(api, f"BASE-{reference}")
            body[member] = made["number"]
        return {key: value for key, value in (body | changes).items() if value is not None}

    async def create(self, api: Api, body: Any) -> httpx.Response:
        return await api.call("POST", self.create_path, json=body)

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
        return await api.call("DELETE", f"{self.delete_path}/{quote(reference, safe='')}")

    async def report(self, api: Api) -> Any:
        return (await api.counted())["families"][self.name]


def _with_validate(name: str, body: str, code: str, **more: Any) -> Family:
    return Family(name, body, code, f"/v2/{name}/validate", **more)


FAMILIES = {
    family.name: family
    for family in (
        _with_validate("bills", "bills/estandar.request.json", "cufe", has_email=True),
        _with_validate(
            "credit-notes",
            "credit-notes/create.request.json",
            "cude",
            related=("bill_number", "bills"),
            has_email=True,
        ),
        _with_validate(
            "debit-notes",
            "debit-notes/derived-create-balanced.request.json",
            "cude",
            related=("bill_number", "bills"),
            has_email=True,
        ),
        # Not the weekly one: its purchase lies in one certain week.
        _with_validate("support-documents", "adjustment-notes/create.request.json", "cuds"),
        _with_validate(
            "adjustment-notes",
            "adjustment-notes/create.request.json",
            "cuds",
            related=("support_document_number", "support-documents"),
        ),
        Family("payrolls", "payroll/create-monthly.request.json", "cune", "/v2/payrolls", is_payroll=True),
        Family(
            "adjustment-payrolls",
            "payroll/adjustment-create.request.json",
            "cune",
            "/v2/adjustment-payrolls",
            related=("payroll_number", "payrolls"),
            has_pdf=False,
            is_payroll=True,
        ),
    )
}
ALL = list(FAMILIES.values())
