"""Company, logo, subscriptions and acquirers."""

from typing import Any

import pytest

from tests.sandbox.api import Api, a_bill, example
from tests.sandbox.families import FAMILIES

_PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


async def _company(api: Api) -> Any:
    return (await api.call("GET", "/v2/companies")).json()["data"]


async def test_company_has_the_recorded_members(api: Api) -> None:
    company = await _company(api)
    assert list(company) == list(example("company-and-account/v1-company.response.json")["data"])
    assert (company["nit"], company["trade_name"]) == ("1000789002", "")


async def test_update_is_shown_and_printed_from_then_on(api: Api) -> None:
    body = example("company-and-account/company-update.request.json")
    assert (await api.call("PUT", "/v2/companies", json=body)).status_code == 200
    company = await _company(api)
    assert (company["graphic_representation_name"], company["company"]) == ("Alan Turing", "")
    assert company["municipality"]["code"] == "68872"
    bill = (await api.create(a_bill())).json()["data"]
    assert bill["company"]["establishment"]["name"] == "Alan Turing"
    assert bill["company"]["nit"] == "1000789002"
    other = Api(api.http, "other")
    await other.login()
    assert (await _company(other))["company"] == "FACTUS V2"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"legal_organization_code": "3"}, "legal_organization_code"),
        ({"legal_organization_code": "1"}, "company"),
        ({"surnames": None}, "surnames"),
        ({"municipality_code": "1"}, "municipality_code"),
        ({"email": "nobody"}, "email"),
        ({"tribute_code": "99"}, "tribute_code"),
    ],
)
async def test_update_is_checked(api: Api, changes: dict[str, Any], told: str) -> None:
    body = example("company-and-account/company-update.request.json") | changes
    response = await api.call("PUT", "/v2/companies", json=body)
    assert told in response.json()["data"]["errors"]
    assert (await _company(api))["company"] == "FACTUS V2"


async def test_logo_is_an_image(api: Api) -> None:
    sent = await api.call("POST", "/v2/companies/logo", files={"image": ("logo.png", _PNG, "image/png")})
    url = sent.json()["data"]["url_logo"]
    assert (await _company(api))["url_logo"] == url
    for wrong in ({"image": ("logo.png", b"text", "image/png")}, {"picture": ("logo.png", _PNG, "image/png")}):
        assert (await api.call("POST", "/v2/companies/logo", files=wrong)).status_code == 422
    assert (await api.call("POST", "/v2/companies/logo", json={"image": "x"})).status_code == 422
    torn = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await api.call("POST", "/v2/companies/logo", content=b"--y", headers=torn)).status_code == 422
    assert (await _company(api))["url_logo"] == url


async def test_subscriptions_count_what_was_issued(api: Api) -> None:
    await api.create(a_bill())
    await FAMILIES["adjustment-payrolls"].make(api)
    invoicing, payroll = (await api.call("GET", "/v2/subscriptions")).json()["data"]
    assert list(invoicing) == list(example("company-and-account/v1-subscriptions.response.json")["data"][0])
    assert (invoicing["documents_consumed"], invoicing["documents_available"]) == (1, "Ilimitado")
    assert (payroll["documents_consumed"], payroll["documents_available"]) == (2, 99_998)
    await api.control("accounts/acme", {"paid": False})
    (one, _) = (await api.call("GET", "/v2/subscriptions")).json()["data"]
    assert (one["is_active"], one["has_expired"]) == (False, True)
    assert (await api.create(a_bill("B"))).status_code == 402


async def _acquirer(api: Api, code: str | None, number: str | None) -> Any:
    sent = {"identification_document_code": code, "identification_number": number}
    query = {name: value for name, value in sent.items() if value is not None}
    return await api.call("GET", "/v2/dian/acquirer", params=query)


async def test_acquirer_is_the_published_sample(api: Api) -> None:
    response = await _acquirer(api, "13", "1399995")
    assert response.json() == example("company-and-account/acquirer.response.json")
    assert (await _acquirer(api, "31", "31999910")).json()["data"]["name"] == "Nombre NIT 10"


@pytest.mark.parametrize(
    ("code", "number", "status"),
    [
        ("13", "1399990", 404),
        ("13", "13999911", 404),
        ("13", "5", 404),
        ("48", "4899991", 404),
        ("99", "1", 422),
        (None, "1399995", 422),
        ("13", None, 422),
    ],
)
async def test_acquirer_that_is_no_sample_is_not_found(
    api: Api, code: str | None, number: str | None, status: int
) -> None:
    assert (await _acquirer(api, code, number)).status_code == status
