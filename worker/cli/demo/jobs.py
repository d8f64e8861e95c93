"""
What the demo pushes: the official examples, generated invoices, and a few jobs that are wrong on purpose. Pure.

Seeded: the same seed gives the same invoices. Totals come from the rules of ``schemas/``, so that payments add up.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any, Final

from jobs.example_payloads import example
from schemas import money, strict_json
from schemas.check_digit import check_digit
from schemas.payload.shape import Walk
from schemas.payload.totals import SALE
from schemas.payload.validate import DOCUMENT_SPECS
from worker.cli.files.job_files import Job

BATCH: Final = "demo"
_CENTS: Final = Decimal("0.01")
_COMPANIES: Final = (
    ("900100200", "Comercializadora La Sabana SAS", "11001"),
    ("800300400", "Ferretería El Tornillo Ltda", "05001"),
    ("830500600", "Distribuciones del Valle SAS", "76001"),
    ("901700800", "Café de Altura Exportadores SAS", "68679"),
    ("860900100", "Papelería Andina SA", "08001"),
)
_PEOPLE: Final = (
    ("52123456", "María Fernanda Rojas"),
    ("1020304050", "Andrés Felipe Cárdenas"),
    ("79555444", "Luz Marina Peña"),
)
_PRODUCTS: Final = (
    ("CAF-500", "Café molido 500 g", "18650.55", "01", "5.00"),
    ("RES-A4", "Resma de papel carta", "15990.00", "01", "19.00"),
    ("TOR-58", "Tornillo galvanizado 5/8 (caja)", "23450.75", "01", "19.00"),
    ("ALM-EJ", "Almuerzo ejecutivo", "21296.30", "04", "8.00"),
    ("SOP-HR", "Hora de soporte técnico", "86500.33", "01", "19.00"),
    ("LIB-CO", "Libro de contabilidad", "64000.00", "01", "0.00"),
    ("BOL-EC", "Bolsa ecológica", "1249.99", "01", "19.00"),
)
_MEANS: Final = ("10", "42", "47", "48")


@dataclass(frozen=True, slots=True)
class DemoJob:
    """A job, and how it has to end: empty for validated, else the code of its first error."""

    job: Job
    expected_code: str = ""


def example_jobs(bodies: Mapping[str, dict[str, Any]], account: str) -> list[DemoJob]:
    """The official bodies, each under a reference code of its own: many of them share one."""
    return [
        demo_job(f"ejemplo-{n}", account, {**body, "reference_code": f"EJ-{_short(name).upper()}"})
        for n, (name, body) in enumerate(sorted(bodies.items()), 1)
    ]


def _short(name: str) -> str:
    """The name of an example without the parts that most have, so that a line has room for it."""
    return name.removeprefix("estandar-").removeprefix("derived-").replace("ingreso-", "")


def generated_jobs(n_jobs: int, accounts: Mapping[str, int], *, seed: int) -> list[DemoJob]:
    """
    Invoices of one batch per account.

    Args:
        accounts: Share of each account; the shares add up to *n_jobs*.
    """
    names = [name for name, share in accounts.items() for _ in range(share)]
    assert len(names) == n_jobs
    draw = random.Random(seed)
    draw.shuffle(names)
    return [
        demo_job(
            f"lote-{n}",
            name,
            an_invoice(f"DEMO-{n:04d}", draw),
            batch=BATCH,
            batch_size=accounts[name],
            priority=draw.choice(("high", "normal", "normal", "low")),
        )
        for n, name in enumerate(names, 1)
    ]


def an_invoice(reference_code: str, draw: random.Random) -> dict[str, Any]:
    """A valid invoice: one to five lines with cents, discounts and several taxes."""
    invoice: dict[str, Any] = {
        "reference_code": reference_code,
        "document": "01",
        "numbering_range_id": 389,
        "operation_type": "10",
        "send_email": False,
        "observation": "Factura generada por la demostración",
        "payment_details": [{"payment_form": "1", "payment_method_code": draw.choice(_MEANS), "amount": "1.00"}],
        "customer": _customer(draw),
        "items": [_item(product, draw) for product in draw.sample(_PRODUCTS, draw.randint(1, 5))],
    }
    invoice["payment_details"][0]["amount"] = _total(invoice)
    return invoice


def wrong_jobs(account: str, *, seed: int) -> list[DemoJob]:
    """What producers get wrong, one of each kind."""
    draw = random.Random(seed)
    unknown_key = an_invoice("MAL-CLAVE-DESCONOCIDA", draw) | {"descuento": "10.00"}
    unpaid = an_invoice("MAL-PAGO-NO-CUADRA", draw)
    unpaid["payment_details"][0]["amount"] = f"{Decimal(unpaid['payment_details'][0]['amount']) - 1000:.2f}"
    digit = an_invoice("MAL-DIGITO-VERIFICACION", draw)
    digit["customer"] = _company(_COMPANIES[0]) | {"dv": str((int(check_digit(_COMPANIES[0][0]) or 0) + 1) % 10)}
    note = {**example("credit_note.issue"), "reference_code": "MAL-NOTA-SIN-FACTURA"}
    del note["bill_number"]
    broken = '{"type": "invoice.issue", "account": "' + account + '", "payload": {"reference_code": "MAL-JSON'
    return [
        demo_job("mal-1", account, unknown_key, expected="payload.invalid"),
        demo_job("mal-2", account, unpaid, expected="payload.invalid"),
        demo_job("mal-3", account, digit, expected="payload.invalid"),
        demo_job("mal-4", "pacifico", an_invoice("MAL-CUENTA", draw), expected="account.unknown"),
        demo_job("mal-5", account, an_invoice("MAL-TIPO", draw), type_="invoice.print", expected="envelope.invalid"),
        demo_job("mal-6", account, note, type_="credit_note.issue", expected="payload.invalid"),
        DemoJob(Job("demo", broken, None, None, "MAL-JSON", has_own_id=False), "envelope.invalid"),
    ]


def is_create_body(body: object) -> bool:
    """Whether an official example is the body of a create: others send e-mails or accept."""
    return isinstance(body, dict) and "items" in body and "reference_code" in body


def n_jobs_by_account(jobs: Iterable[DemoJob]) -> dict[str, int]:
    """How many jobs of each account should succeed."""
    counts: dict[str, int] = {}
    for one in jobs:
        if not one.expected_code and one.job.account:
            counts[one.job.account] = counts.get(one.job.account, 0) + 1
    return counts


def demo_job(
    job_id: str,
    account: str,
    payload: dict[str, Any],
    *,
    type_: str = "invoice.issue",
    expected: str = "",
    **envelope: Any,
) -> DemoJob:
    """A job in its envelope, and how it has to end."""
    text = strict_json.dump({"id": job_id, "type": type_, "account": account, **envelope, "payload": payload})
    reference = payload.get("reference_code") or payload.get("number") or ""
    return DemoJob(Job("demo", text, job_id, account, reference, has_own_id=False, type=type_), expected)


def _customer(draw: random.Random) -> dict[str, Any]:
    if draw.random() < 0.6:
        return _company(draw.choice(_COMPANIES))
    number, name = draw.choice(_PEOPLE)
    return {
        "identification_document_code": "13",
        "identification": number,
        "names": name,
        "address": "Carrera 7 # 12-34",
        "email": "cliente@example.com",
        "phone": "3001234567",
        "legal_organization_code": "2",
        "tribute_code": "ZZ",
        "country_code": "CO",
        "municipality_code": "11001",
    }


def _company(company: tuple[str, str, str]) -> dict[str, Any]:
    nit, name, municipality = company
    return {
        "identification_document_code": "31",
        "identification": nit,
        "dv": check_digit(nit),
        "company": name,
        "address": "Calle 72 # 10-07",
        "email": "facturacion@example.com",
        "phone": "6015550123",
        "legal_organization_code": "1",
        "tribute_code": "01",
        "country_code": "CO",
        "municipality_code": municipality,
    }


def _item(product: tuple[str, str, str, str, str], draw: random.Random) -> dict[str, Any]:
    code, name, price, tax, rate = product
    spread = Decimal(draw.randint(90, 125)) / 100
    return {
        "code_reference": code,
        "name": name,
        "quantity": f"{draw.randint(1, 40)}.00",
        "discount_rate": draw.choice(("0.00", "0.00", "5.00", "12.50")),
        "price": str((Decimal(price) * spread).quantize(_CENTS)),
        "unit_measure_code": "94",
        "standard_code": "999",
        "taxes": [{"code": tax, "rate": rate}],
    }


def _total(invoice: dict[str, Any]) -> str:
    with localcontext(money.EXACT):
        amounts = SALE.amounts_of(DOCUMENT_SPECS["invoice"].shape.typed(invoice, None, Walk()))
        assert amounts is not None
        return money.render(amounts.expected)
