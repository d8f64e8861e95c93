"""Which bodies are refused before anything is stored, and with what words."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.families.bill_fields import check_bill
from sandbox.values.check_digit import check_digit
from sandbox.values.fields import Errors
from tests.sandbox.api import Api, a_bill


def errors_of(body: dict[str, Any]) -> Errors:
    errors: Errors = {}
    check_bill(body, errors)
    return errors


def changed(path: str, to: Any) -> dict[str, Any]:
    """The standard bill with one member replaced, or left out when *to* is an ellipsis."""
    body = a_bill()
    *parents, last = path.split(".")
    holder: Any = body
    for name in parents:
        holder = holder[int(name)] if name.isdecimal() else holder[name]
    if to is ...:
        del holder[last]
    else:
        holder[int(last) if last.isdecimal() else last] = to
    return body


@pytest.mark.parametrize(
    ("path", "to", "told", "text"),
    [
        ("reference_code", ..., "reference_code", "El campo reference_code es obligatorio."),
        ("reference_code", "", "reference_code", "El campo reference_code es obligatorio."),
        ("reference_code", 7, "reference_code", "El campo reference_code debe ser una cadena de caracteres."),
        ("customer", ..., "customer", "El campo customer es obligatorio."),
        ("items", [], "items", "El campo items es obligatorio."),
        ("document", "04", "document", "El campo document es inválido."),
        ("document", "03", "related_documents", "El campo related_documents es obligatorio."),
        ("operation_type", "SS-NUM", "operation_type", "El campo operation_type es inválido."),
        ("operation_type", "11", "items.1.scheme_id", "El campo items.1.scheme_id es obligatorio."),
        ("operation_type", "SS-CUFE", "health", "El campo health es obligatorio."),
        ("operation_type", "SS-Recaudo", "beneficiary", "El campo beneficiary es obligatorio."),
        ("numbering_range_id", "389", "numbering_range_id", "El campo id rango de numeración es inválido."),
        ("observation", "x" * 501, "observation", "El campo observation no debe ser mayor que 500 caracteres."),
        ("cash_rounding_amount", "500.01", "cash_rounding_amount", "El campo cash_rounding_amount es inválido."),
        ("send_email", 1, "send_email", "El campo send_email es inválido."),
        ("currency", {}, "currency.type", "El campo currency.type es obligatorio."),
        ("currency", {"type": "COP", "exchange_rate": "1"}, "currency.type", "El campo currency.type es inválido."),
        ("establishment", None, "establishment", "El campo establishment es inválido."),
        (
            "payment_details.0.payment_form",
            "2",
            "payment_details.0.due_date",
            "El campo fecha de vencimiento es obligatorio.",
        ),
        ("payment_details.0.amount", "0", "payment_details.0.amount", "El campo payment_details.0.amount es inválido."),
        (
            "payment_details.0.amount",
            "1,5",
            "payment_details.0.amount",
            "El campo payment_details.0.amount es inválido.",
        ),
        ("customer.company", ..., "customer.company", "El campo customer.company es obligatorio."),
        ("customer.legal_organization_code", "2", "customer.names", "El campo customer.names es obligatorio."),
        (
            "customer.municipality_code",
            "5001",
            "customer.municipality_code",
            "El campo customer.municipality_code es inválido.",
        ),
        ("customer.responsibilities", ["O-99"], "customer.responsibilities.0", None),
        (
            "items.0.unit_measure_code",
            "??",
            "items.0.unit_measure_code",
            "El campo código unidad de medida es inválido.",
        ),
        ("items.0.quantity", "1.001", "items.0.quantity", "El campo items.0.quantity es inválido."),
        ("items.0.taxes", [{"code": "01"}], "items.0.taxes.0.rate", "El campo items.0.taxes.0.rate es obligatorio."),
        ("items.0.taxes", [{"code": "01", "rate": "101"}], "items.0.taxes.0.rate", None),
        ("items.0", "text", "items.0", "El campo items.0 es inválido."),
    ],
)
def test_fault_is_told_at_its_path(path: str, to: Any, told: str, text: str | None) -> None:
    errors = errors_of(changed(path, to))
    assert told in errors
    if text is not None:
        assert errors[told] == [text]


async def test_unknown_keys_are_dropped_without_a_word(api: Api) -> None:
    body = a_bill(issue_date="2020-01-01")
    body["items"][0]["is_excluded"] = True
    data = (await api.create(body)).json()["data"]
    assert data["items"][0]["taxes"][0]["is_excluded"] is False
    assert "issue_date" not in data


async def test_payments_that_do_not_add_up_are_told_what_was_expected(api: Api) -> None:
    body = a_bill()
    body["payment_details"][0]["amount"] = "83000"
    (text,) = (await api.create(body)).json()["data"]["errors"]["payment_details"]
    assert "Esperado: 83300.00" in text


def test_rounding_makes_up_for_the_difference() -> None:
    body = a_bill(cash_rounding_amount="-300.00")
    body["payment_details"][0]["amount"] = 83000
    assert errors_of(body) == {}


def test_tax_is_rounded_half_to_even_line_by_line() -> None:
    """Two lines of 33.33 at 19 % give 12.66, not the 12.67 of their sum; 0.125 becomes 0.12."""
    body = a_bill()
    body["items"] = [{**body["items"][0], "quantity": "1", "price": price} for price in ("33.33", "33.33", "2.5")]
    body["items"][2] = {**body["items"][2], "taxes": [{"code": "01", "rate": "5"}]}
    body["payment_details"][0]["amount"] = "81.94"
    errors: Errors = {}
    _, amounts = check_bill(body, errors)
    assert errors == {}
    assert amounts is not None
    assert (amounts.tax, amounts.total) == (Decimal("12.78"), Decimal("81.94"))


@pytest.mark.parametrize(
    ("sent", "base"), [({"discount_rate": "10"}, "9000.00"), ({"discount_amount": "500"}, "9500.00")]
)
def test_discount_reduces_the_base_of_the_taxes(sent: dict[str, str], base: str) -> None:
    body = a_bill()
    body["items"] = [{**body["items"][0], "discount_rate": "0.00", **sent}]
    body["payment_details"][0]["amount"] = str(Decimal(base) * Decimal("1.19"))[:8]
    errors: Errors = {}
    _, amounts = check_bill(body, errors)
    assert errors == {}
    assert amounts is not None
    assert str(amounts.lines[0].base) == base
    assert amounts.gross == Decimal("10000.00")


@pytest.mark.parametrize(
    ("nit", "digit"),
    [("900825759", "7"), ("1000789002", "2"), ("800197268", "4"), ("123456789", "6"), ("899999063", "3")],
)
def test_check_digit_is_the_published_one(nit: str, digit: str) -> None:
    assert check_digit(nit) == digit


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{", b'"x"', b'{"a": NaN}', b'{"reference_code": "\\ud800"}', b"[" * 100_000]
)
async def test_body_that_is_no_object_is_malformed(api: Api, raw: bytes) -> None:
    response = await api.call("POST", "/v2/bills/validate", content=raw)
    assert response.status_code == 400
