"""
A body of Factus API v1 as a payload of v2: net prices, codes for ids, one payment for what stood at the root.

Pure and exact: the total of the document differs by at most 0.01 for each line, or the document is refused. Bills and
credit notes are converted; v1 had no others of which the body is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any, Final

from schemas import money
from schemas.money import HUNDRED, ZERO, render, round2
from schemas.payload.totals import SALE
from schemas.version_1.gross import gross_of, net_line
from schemas.version_1.reading import Notes, is_true, number, rename_id

CENT: Final = Decimal("0.01")
CONVERTED_FAMILIES: Final = frozenset({"invoice", "credit_note"})
_IVA: Final = "01"
_CREDIT: Final = "2"
_NIT: Final = "31"
_MANDATES: Final = frozenset({"11", "12"})


@dataclass(frozen=True, slots=True)
class Converted:
    """A payload of v2 and the report of how it was made."""

    payload: dict[str, Any]
    inferred: tuple[str, ...]
    n_lines: int
    total_v1: Decimal
    total_v2: Decimal

    @property
    def difference(self) -> Decimal:
        return self.total_v2 - self.total_v1


@dataclass(frozen=True, slots=True)
class Unconvertible:
    """What v2 cannot say, or what cannot be known: each field with the reason."""

    faults: tuple[tuple[str, str], ...]


def convert(family: str, body: object) -> Converted | Unconvertible:
    """
    The v2 payload of a v1 body.

    What v1 does not know stays as it is, for the validation to refuse. Never raises for what a producer wrote.
    """
    if family not in CONVERTED_FAMILIES:
        return Unconvertible((("envelope.payload_version", _of_other(family)),))
    if not isinstance(body, dict):
        return Unconvertible((("", "El contenido debe ser un objeto JSON."),))
    notes = Notes()
    with localcontext(money.EXACT):
        payload = {key: value for key, value in body.items() if value is not None}
        _root(payload, family, notes)
        lines = _lines(payload, notes)
        if notes.faults:
            return Unconvertible(tuple(notes.faults))
        totals = _totals(payload, lines)
        if totals is None:
            return Unconvertible((("items", "No se puede calcular el total del documento: revise sus cantidades."),))
        total_v1, total_v2 = totals
        if abs(total_v2 - total_v1) > CENT * max(len(lines), 1):
            why = f"El total cambiaría de {render(total_v1)} a {render(total_v2)}: el documento no se convierte."
            return Unconvertible((("items", why),))
        if abs(total_v2) >= money.BEYOND:
            return Unconvertible((("items", "El total llega a 10^15 o más."),))
        payload["payment_details"][0]["amount"] = render(total_v2)
    return Converted(payload, tuple(notes.told()), len(lines), total_v1, total_v2)


def _of_other(family: str) -> str:
    """Why nothing of another family is converted."""
    why = {
        "debit_note": "La versión 1 no tenía notas débito.",
        "support_document": "El cuerpo que la versión 1 pedía para documentos soporte no está publicado.",
        "adjustment_note": "El cuerpo que la versión 1 pedía para notas de ajuste no está publicado.",
    }.get(family, "La versión 1 no tenía este tipo de trabajo.")
    return (
        f"{why} Solo se convierten facturas y notas crédito: envíe el contenido de la versión 2, sin payload_version."
    )


def _root(payload: dict[str, Any], family: str, notes: Notes) -> None:
    _payment(payload, notes)
    _drop_empty(payload)
    if "send_email" in payload and not isinstance(payload["send_email"], bool):
        payload["send_email"] = is_true(payload["send_email"])
    for key in ("document", "operation_type", "customization_id", "correction_concept_code"):
        if type(payload.get(key)) is int:
            payload[key] = str(payload[key])
    if isinstance(payload.get("document"), str) and payload["document"] in ("1", "3"):
        payload["document"] = f"0{payload['document']}"
    if family == "credit_note":
        _bill_of_note(payload, notes)
    for name in ("customer", "establishment"):
        if isinstance(payload.get(name), dict):
            payload[name] = _party(payload[name], f"{name}.", notes)
    customer = payload.get("customer")
    if isinstance(customer, dict):
        _complete_customer(customer, notes)
    charges = payload.get("allowance_charges")
    if isinstance(charges, list):
        payload["allowance_charges"] = [_charge(charge) for charge in charges]


def _charge(charge: Any) -> Any:
    if not isinstance(charge, dict) or isinstance(charge.get("is_surcharge"), bool):
        return charge
    return {**charge, "is_surcharge": is_true(charge.get("is_surcharge"))}


def _payment(payload: dict[str, Any], notes: Notes) -> None:
    """One payment of what v1 says at the root; its amount is known at the end."""
    form = str(payload.pop("payment_form", "") or "1")
    method = str(payload.pop("payment_method_code", "") or "10")
    due_date = payload.pop("payment_due_date", "")
    if "payment_details" in payload:
        notes.refuse("payment_details", "La versión 1 no tiene payment_details: este cuerpo mezcla las dos versiones.")
        return
    payment: dict[str, Any] = {"payment_form": form, "payment_method_code": method, "amount": "0.00"}
    if due_date and form == _CREDIT:
        payment["due_date"] = due_date
    elif due_date:
        notes.infer("payment_due_date no va en un pago de contado: se quitó")
    payload["payment_details"] = [payment]
    notes.infer(f'payment_form, payment_method_code → un pago (forma "{form}", medio "{method}") por el total')


def _bill_of_note(payload: dict[str, Any], notes: Notes) -> None:
    if "bill_id" not in payload:
        return
    bill_id = payload.pop("bill_id")
    if bill_id not in (None, "") and "bill_number" not in payload:
        notes.refuse(
            "bill_id",
            'La versión 2 nombra la factura por su número, y el id no lo dice: agregue "bill_number" (prefijo y '
            "consecutivo) y quite bill_id.",
        )


def _party(party: dict[str, Any], at: str, notes: Notes) -> dict[str, Any]:
    found = {key: value for key, value in party.items() if value not in (None, "")}
    for old, new, table in (
        ("identification_document_id", "identification_document_code", "identity-document-types"),
        ("legal_organization_id", "legal_organization_code", "legal-organizations"),
        ("tribute_id", "tribute_code", "customer-tributes"),
        ("municipality_id", "municipality_code", "municipalities"),
        ("country_id", "country_code", "countries"),
    ):
        rename_id(found, old, new, table, at, notes)
    for key in ("identification", "dv", "phone", "phone_number"):
        if type(found.get(key)) is int:
            found[key] = str(found[key])
    if "dv" in found and found.get("identification_document_code", _NIT) != _NIT:
        del found["dv"]
        notes.infer("el dígito de verificación (dv) va solo con NIT: se quitó")
    return found


def _complete_customer(customer: dict[str, Any], notes: Notes) -> None:
    if customer.get("country_code", "CO") == "CO":
        customer.setdefault("country_code", "CO")
    else:
        customer.pop("municipality_code", None)
    if "responsibilities" not in customer:
        customer["responsibilities"] = ["R-99-PN"]
        notes.infer('responsabilidad fiscal "R-99-PN" (no aplica): la versión 1 no la decía')


def _drop_empty(payload: dict[str, Any]) -> None:
    """v1 bodies carry empty texts and lists for what they do not have, also inside of order_reference and the like."""
    for key, value in list(payload.items()):
        if isinstance(value, dict) and key != "customer":
            payload[key] = {name: one for name, one in value.items() if one not in (None, "")}
        if payload[key] in ("", [], {}) and key != "items":
            del payload[key]


# -- lines -------------------------------------------------------------------------------------------------------------
def _lines(payload: dict[str, Any], notes: Notes) -> list[Decimal]:
    """Converts the lines; what each came to in v1."""
    items = payload.get("items")
    if not isinstance(items, list) or not items:
        notes.refuse("items", "No hay líneas que convertir.")
        return []
    operation = str(payload.get("operation_type", "10"))
    found: list[Decimal] = []
    converted: list[Any] = []
    for position, item in enumerate(items):
        at = f"items.{position}."
        if not isinstance(item, dict):
            notes.refuse(at.rstrip("."), "La línea debe ser un objeto JSON.")
            continue
        line = {key: value for key, value in item.items() if value not in (None, "", [])}
        found.append(_line(line, at, operation, notes))
        converted.append(line)
    payload["items"] = converted
    return found


def _line(line: dict[str, Any], at: str, operation: str, notes: Notes) -> Decimal:
    rename_id(line, "unit_measure_id", "unit_measure_code", "unit-measures", at, notes)
    for old in ("standard_code_id", "standard_id"):
        rename_id(line, old, "standard_code", "product-standard-codes", at, notes)
    for key in ("code_reference", "scheme_id"):
        if type(line.get(key)) is int:
            line[key] = str(line[key])
    if operation not in _MANDATES and "scheme_id" in line:
        line.pop("scheme_id")
        notes.infer("scheme_id solo va en mandatos y transporte: se quitó")
    _withholdings(line, notes)
    _mandate(line, at, operation, notes)
    taxes, rate = _taxes(line, at, notes)
    quantity = number(line, "quantity", at, notes)
    price = number(line, "price", at, notes)
    discount = number(line, "discount_rate", at, notes, ZERO)
    if quantity is None or price is None or discount is None or rate is None:
        return ZERO
    if discount > HUNDRED or rate > HUNDRED:
        notes.refuse(at.rstrip("."), "Un porcentaje es mayor que 100.")
        return ZERO
    net = net_line(price, quantity, rate, discount)
    line |= {"quantity": render(quantity), "price": render(net.price), "taxes": taxes}
    line.pop("discount_rate", None)
    if net.discount:
        line["discount_amount"] = render(net.discount)
    if rate:
        notes.infer(f"precio con impuesto del {_plain(rate)} % → precio sin impuesto")
    return round2(gross_of(price, quantity, discount))


def _taxes(line: dict[str, Any], at: str, notes: Notes) -> tuple[list[dict[str, Any]], Decimal | None]:
    if is_true(line.pop("is_excluded", False)):
        line.pop("tribute_id", None)
        line.pop("tax_rate", None)
        return [{"is_excluded": True}], ZERO
    part = {"tribute_id": line.pop("tribute_id", 1)}
    rename_id(part, "tribute_id", "code", "taxes", at, notes)
    rate = number({"tax_rate": line.pop("tax_rate", None)}, "tax_rate", at, notes)
    if rate is None:
        return [], None
    return [{"code": str(part.get("code", _IVA)), "rate": render(rate)}], rate


def _withholdings(line: dict[str, Any], notes: Notes) -> None:
    rows = line.get("withholding_taxes")
    if not isinstance(rows, list):
        return
    found = []
    for row in rows:
        if isinstance(row, dict) and "withholding_tax_rate" in row:
            row = {**row}
            rate = row.pop("withholding_tax_rate")
            parsed = money.parse(rate)
            row.setdefault("rate", render(parsed) if isinstance(parsed, Decimal) else rate)
        found.append(row)
    line["withholding_taxes"] = found


def _mandate(line: dict[str, Any], at: str, operation: str, notes: Notes) -> None:
    mandate = line.get("mandate")
    if not isinstance(mandate, dict):
        return
    if operation not in _MANDATES:
        line.pop("mandate")
        notes.infer("mandate solo va en mandatos: se quitó")
        return
    line["mandate"] = _party(mandate, f"{at}mandate.", notes)


def _plain(rate: Decimal) -> str:
    return format(money.normal(rate), "f")


# -- totals ------------------------------------------------------------------------------------------------------------
_DECIMALS: Final[dict[str, tuple[str, ...]]] = {
    "items": ("quantity", "price", "discount_amount"),
    "allowance_charges": ("amount",),
}


def _totals(payload: dict[str, Any], lines: list[Decimal]) -> tuple[Decimal, Decimal] | None:
    """The document's total in v1 and in v2; None where something that counts cannot be read."""
    typed: dict[str, Any] = {"payment_details": []}
    for key, names in _DECIMALS.items():
        rows = payload.get(key, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            return None
        typed[key] = [_typed(row, names) for row in rows]
    for row in typed["items"]:
        row["taxes"] = [{**tax, "rate": Decimal(tax["rate"])} if "rate" in tax else tax for tax in row.get("taxes", ())]
        row.pop("withholding_taxes", None)
        row.pop("additional_properties", None)
    try:
        amounts = SALE.amounts_of(typed)
    except (TypeError, ArithmeticError):
        return None
    if amounts is None:
        return None
    return sum(lines, ZERO) + amounts.surcharges - amounts.allowances, amounts.total


def _typed(row: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    found = {**row}
    for name in names:
        parsed = money.parse(row[name]) if name in row else None
        if isinstance(parsed, Decimal):
            found[name] = parsed
    return found
