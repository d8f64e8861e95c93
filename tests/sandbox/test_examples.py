"""Every official example is accepted and answered in the shape of the recorded and reconstructed bodies."""

import json
from typing import Any

import pytest

from sandbox.routes import responses
from tests.sandbox.api import Api, a_bill, example, example_names
from tests.sandbox.openapi import schema

# What no sandbox can repeat: numbers, dates and what is computed from them.
_OWN = {"reference_code", "number", "cufe", "created_at", "validated_at", "links"}


def _types(shape: Any) -> Any:
    if isinstance(shape, dict):
        return {key: _types(value) for key, value in shape.items()}
    if isinstance(shape, list):
        return [_types(value) for value in shape]
    return type(shape).__name__


@pytest.mark.parametrize("name", list(example_names("request")))
async def test_official_request_is_validated(api: Api, name: str) -> None:
    body = example(f"bills/{name}.request.json") | {"reference_code": f"REF-{name}"}
    response = await api.create(body)
    assert response.status_code == 201, response.text
    assert response.json()["data"]["is_validated"] is True


@pytest.mark.parametrize("name", sorted(set(example_names("request")) & set(example_names("response")), key=str))
async def test_answer_equals_the_example_but_for_numbers_and_dates(api: Api, name: str) -> None:
    body = example(f"bills/{name}.request.json") | {"reference_code": f"REF-{name}"}
    answer = (await api.create(body)).json()
    expected = example(f"bills/{name}.response.json")
    assert answer["status"] == expected["status"]
    assert list(answer["data"]) == list(expected["data"])
    assert _types(answer["data"]) == _types(expected["data"])
    own, theirs = (
        {key: value for key, value in data.items() if key not in _OWN} for data in (answer["data"], expected["data"])
    )
    assert own == theirs


async def test_show_answers_the_same_document_as_the_create(api: Api) -> None:
    created = (await api.create(a_bill())).json()["data"]
    shown = (await api.show(created["number"])).json()
    assert shown["data"] == created
    assert (shown["status"], shown["message"]) == ("OK", "Solicitud exitosa")


async def test_head_of_a_created_bill_is_the_recorded_one(api: Api) -> None:
    answer = (await api.create(a_bill("R-1"))).json()
    recorded = example("observed/bill-validate-v2-created-head.json")
    assert answer["message"] == recorded["message"].replace("<REFERENCE>", "R-1")
    assert recorded["data"].keys() <= answer["data"].keys()
    assert answer["data"]["links"]["qr"].endswith(answer["data"]["cufe"])
    assert len(answer["data"]["cufe"]) == 96


async def test_row_of_the_list_is_the_reconstructed_one(api: Api) -> None:
    await api.create(a_bill())
    page = await api.find()
    expected = example("bills/listar.response.json")["data"]
    assert sorted(page["data"][0]) == sorted(expected["data"][0])
    assert _types(page["data"][0]["customer"]) == _types(expected["data"][0]["customer"])
    assert [sorted(link) for link in page["pagination"]["links"]] == [
        sorted(link) for link in expected["pagination"]["links"]
    ]


def _body(response: Any) -> Any:
    return json.loads(response.body)


@pytest.mark.parametrize(
    ("made", "recorded"),
    [
        (responses.unauthenticated(), "observed/error-401-unauthenticated.json"),
        (responses.other_version(), "observed/error-403-api-version.json"),
        (responses.product_off(), "observed/error-403-product-not-enabled.json"),
        (responses.unknown_reference("J10-4"), "observed/error-404-delete-unknown-reference.json"),
        (responses.too_many({}), "observed/error-429-unrecorded.json"),
        (responses.server_error(500), "observed/error-500-unexpected.json"),
        (responses.accepted(202), "observed/bill-validate-v2-accepted-async.json"),
        (responses.unknown_acquirer(), "observed/error-404-acquirer.json"),
        (responses.no_detail(), "observed/error-422-no-field-detail.json"),
        (responses.deleted("FACT-2026-0124"), "bills/eliminar.response.json"),
    ],
)
def test_fixed_body_is_the_recorded_one(made: Any, recorded: str) -> None:
    assert _body(made) == example(recorded)


async def test_credentials_are_refused_in_the_recorded_shapes(api: Api) -> None:
    grant = await api.login(password="wrong")
    assert (grant.status_code, grant.json()) == (400, example("observed/error-400-oauth-invalid-grant.json"))
    client = await api.login(client_secret="wrong")
    assert (client.status_code, client.json()) == (401, example("observed/error-401-oauth-invalid-client.json"))
    refresh = await api.login(grant_type="refresh_token", refresh_token="unknown")
    recorded = example("observed/error-401-oauth-invalid-refresh-token.json")
    assert (refresh.status_code, refresh.json()) == (401, recorded)


async def test_pending_bill_bars_the_next_with_the_recorded_text(api: Api) -> None:
    await api.control("documents/foreign", {})
    response = await api.create(a_bill())
    assert (response.status_code, response.json()) == (409, example("observed/error-409-pending-bill.json"))


async def test_rejection_and_rule_90_come_in_the_recorded_shapes(api: Api) -> None:
    recorded = example("observed/error-422-dian-rule-map.json")
    await api.faults(
        {"on": "create", "effect": {"kind": "reject", "rules": {"FAK24": "No está informado el DV del NIT"}}}
    )
    assert (await api.create(a_bill("A"))).json() == recorded
    await api.delete("A")
    await api.control("faults", method="DELETE")
    await api.faults({"on": "create", "effect": "rule_90"})
    assert (await api.create(a_bill("B"))).json() == example("observed/error-422-dian-rule-90-array.json")


async def test_field_refusals_use_the_recorded_texts(api: Api) -> None:
    recorded = example("observed/error-422-payload-validation.json")
    body = a_bill(numbering_range_id=5, billing_period={"start_date": "2026-02-02", "end_date": "2026-02-01"})
    body["items"][0]["taxes"] = [{"code": "04", "is_excluded": True}]
    answer = (await api.create(body)).json()
    errors = answer["data"].pop("errors")
    assert errors == {key: recorded["data"]["errors"][key] for key in errors}
    assert set(errors) == {"numbering_range_id", "billing_period.end_date", "items"}
    del recorded["data"]["errors"]
    assert answer == recorded


async def test_empty_list_is_the_recorded_one(api: Api) -> None:
    assert await api.find(reference_code="UNKNOWN") == example("observed/bill-list-empty.json")["data"]


async def test_token_has_the_recorded_keys(api: Api) -> None:
    assert list(api.tokens) == list(example("observed/token.json"))
    assert api.tokens["expires_in"] == 3600


@pytest.mark.parametrize("name", list(example_names("request")))
def test_examples_themselves_fit_the_contract(name: str) -> None:
    """Guards the guard: a broken copy of the facts would make the other tests worthless."""
    assert schema("BillCreate").is_valid(example(f"bills/{name}.request.json"))
