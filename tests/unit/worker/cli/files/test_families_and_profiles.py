"""Notes, support documents, and the exports of other programs: what their rows become, and what is asked for."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from schemas.payload.validate import validate_document
from schemas.sheets.sheet import Options
from tests.sheet_files import a_row, a_table, write_csv, write_xlsx
from tests.unit.worker.cli.files.test_what_breaks import checked, errors
from worker.cli.files.all_files import read_rows
from worker.cli.files.job_files import Row
from worker.cli.files.workbooks import SheetOptions

TODAY = date(2026, 11, 30)
NOTE = {"Factura": "SETP990000203"}


def read(path: str, job_type: str, **options: Any) -> list[dict[str, Any]]:
    found = read_rows(path, None, job_type, SheetOptions(Options(**options)))
    return [row.value for row in found if isinstance(row, Row)]


@pytest.mark.parametrize(
    ("family", "concept", "code"),
    [
        ("credit_note", "Anulación de factura electrónica", "2"),
        ("credit_note", 3, "3"),
        ("debit_note", "Intereses", "1"),
        ("debit_note", "4", "4"),
    ],
)
def test_notes_name_their_bill_and_concept(tmp_path: Path, family: str, concept: Any, code: str) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", a_table(a_row(**NOTE, Concepto=concept), more=("Factura", "Concepto")))
    (payload,) = read(path, f"{family}.issue")
    assert (payload["bill_number"], payload["correction_concept_code"]) == ("SETP990000203", code)
    assert payload["customization_id"] == ("20" if family == "credit_note" else "30")
    assert validate_document(family, payload, today=TODAY).errors == ()


def test_concept_of_an_invoice_is_what_is_sold(tmp_path: Path) -> None:
    path = write_xlsx(
        tmp_path / "a.xlsx", a_table(a_row(Concepto="Asesoría"), more=("Concepto",), without=("Descripción",))
    )
    assert read(path, "invoice.issue")[0]["items"][0]["name"] == "Asesoría"


def test_note_without_bill_is_a_fault_at_its_cell(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", a_table(a_row(Concepto="1"), more=("Factura", "Concepto")))
    assert [rule for _, rule in errors(path, "--type", "credit_note.issue")] == ["NOTE-005"]


def test_support_document_has_a_provider(tmp_path: Path) -> None:
    path = write_xlsx(
        tmp_path / "a.xlsx", a_table(a_row(IVA="excluido", Nombre="Luz Peña", Identificación="79555444", DV="6"))
    )
    (payload,) = read(path, "support_document.issue")
    assert payload["provider"]["names"] == "Luz Peña"
    assert payload["items"][0]["discount_rate"] == "0.00"
    assert validate_document("support_document", payload, today=TODAY).errors == ()


def test_citizen_card_of_a_provider_is_told_at_its_cell(tmp_path: Path) -> None:
    path = write_xlsx(
        tmp_path / "a.xlsx", a_table(a_row(**{"Tipo identificación": "CC", "DV": None, "IVA": "excluido"}))
    )
    assert [rule for _, rule in errors(path, "--type", "support_document.issue")] == ["DS-001"]


@pytest.mark.parametrize(
    ("number", "dv", "kind", "organization"),
    [
        ("900100200", None, "31", "1"),
        ("79555444", "6", "31", "2"),
        ("1020304050", None, "13", "2"),
        ("222222222222", None, "13", "2"),
    ],
)
def test_kind_of_an_identification_is_inferred_and_said_so(
    tmp_path: Path, number: str, dv: str | None, kind: str, organization: str
) -> None:
    row = a_row(Identificación=number, DV=dv)
    path = write_xlsx(tmp_path / "a.xlsx", a_table(row, without=("Tipo identificación",)))
    customer = read(path, "invoice.issue")[0]["customer"]
    assert (customer["identification_document_code"], customer["legal_organization_code"]) == (kind, organization)
    assert "SHT-104" in [one["rule"] for one in checked(path)["warnings"]]


def test_form_that_settles_nothing_is_a_fault(tmp_path: Path) -> None:
    path = write_xlsx(
        tmp_path / "a.xlsx", a_table(a_row(Identificación="512345678", DV=None), without=("Tipo identificación",))
    )
    assert [rule for _, rule in errors(path)] == ["SHT-020"]


SIIGO = (
    "Tipo de comprobante", "Consecutivo", "Identificación tercero", "Fecha de elaboración  ", "Nombre contacto",
    "Email Contacto", "Código producto", "Descripción producto", "Cantidad producto", "Valor unitario",
    "Valor Descuento", "Código impuesto cargo", "Fecha Vencimiento", "Observaciones",
)  # fmt: skip


def siigo(**changes: Any) -> list[list[Any]]:
    row = dict(zip(SIIGO, ("FV-1", 123, 900100200, "30/11/2026", "La Sabana SAS", "f@lasabana.example", "A1", "Resma",
                           "2,00", "25.000,50", "0", "IVA 19%", "31/12/2026", ""), strict=True))  # fmt: skip
    return [list(SIIGO), [*{**row, **changes}.values()]]


def test_export_of_siigo(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", siigo(), encoding="cp1252")
    (payload,) = read(path, "invoice.issue", profile="siigo")
    assert payload["reference_code"] == "FV-1-123"
    assert payload["customer"]["company"] == "La Sabana SAS"
    assert payload["items"][0]["price"] == "25000.50"
    assert payload["payment_details"][0]["payment_form"] == "2"
    assert errors(path, "--profile", "siigo") == []


def test_tax_code_of_siigo_is_no_rate(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", siigo(**{"Código impuesto cargo": "1"}))
    assert [rule for _, rule in errors(path, "--profile", "siigo")] == ["SHT-021"]


WORLD_OFFICE = (
    "Encab: Prefijo", "Encab: Documento Número", "Encab: Tercero Externo", "Encab: Nota", "Encab: FormaPago",
    "Detalle: Producto", "Detalle: Nota", "Detalle: UnidadDeMedida", "Detalle: Cantidad", "Detalle: IVA",
    "Detalle: Valor Unitario", "Detalle: Descuento", "Detalle: Vencimiento", "Nombre",
)  # fmt: skip


def world_office(**changes: Any) -> list[list[Any]]:
    row = dict(zip(WORLD_OFFICE, ("FE", "77", "900100200", "Pedido", "Contado", "A1", "Resma", "Und.", "2", "0,19",
                                  "25000", "0", "", "La Sabana SAS"), strict=True))  # fmt: skip
    return [list(WORLD_OFFICE), [*{**row, **changes}.values()]]


def test_export_of_world_office(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", world_office(), encoding="cp1252")
    (payload,) = read(path, "invoice.issue", profile="world-office")
    assert payload["reference_code"] == "FE-77"
    assert payload["items"][0]["taxes"] == [{"code": "01", "rate": "19.00"}]
    assert payload["items"][0]["unit_measure_code"] == "94"


def test_discount_of_which_nobody_knows_what_it_is_has_to_be_named(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", world_office(**{"Detalle: Descuento": "10"}))
    assert "SHT-021" in [rule for _, rule in errors(path, "--profile", "world-office")]
    mapped = ("--profile", "world-office", "--map", "Descuento %=Detalle: Descuento")
    assert "SHT-021" not in [rule for _, rule in errors(path, *mapped)]


@pytest.mark.parametrize(("family", "name"), [("debit_note", "Descuento"), ("support_document", "INC")])
def test_money_that_a_document_cannot_have_is_not_left_out_silently(tmp_path: Path, family: str, name: str) -> None:
    more = ("Factura", "Concepto", name) if family == "debit_note" else (name,)
    path = write_xlsx(tmp_path / "a.xlsx", a_table(a_row(**NOTE, Concepto="1", **{name: 500}), more=more))
    assert "SHT-021" in [rule for _, rule in errors(path, "--type", f"{family}.issue")]
    path = write_xlsx(tmp_path / "b.xlsx", a_table(a_row(**NOTE, Concepto="1", **{name: 0}), more=more))
    assert "SHT-021" not in [rule for _, rule in errors(path, "--type", f"{family}.issue")]
