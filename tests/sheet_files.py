"""Spreadsheets made for a test: rows by the headings of the contract, as .csv, .xlsx or .xls."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import xlwt

HEADINGS = (
    "Referencia", "Tipo identificación", "Identificación", "DV", "Nombre", "Correo", "Teléfono", "Dirección",
    "Municipio", "Forma de pago", "Medio de pago", "Vencimiento", "Código", "Descripción", "Cantidad", "Precio", "IVA",
)  # fmt: skip
GOOD = {
    "Referencia": "F-1",
    "Tipo identificación": "NIT",
    "Identificación": "900100200",
    "DV": "0",
    "Nombre": "Comercializadora La Sabana SAS",
    "Correo": "facturas@lasabana.example",
    "Teléfono": "6013456789",
    "Dirección": "Carrera 7 # 71-21",
    "Municipio": "11001",
    "Forma de pago": "contado",
    "Medio de pago": "Efectivo",
    "Vencimiento": None,
    "Código": "RES-A4",
    "Descripción": "Resma de papel",
    "Cantidad": 4,
    "Precio": 25000,
    "IVA": 19,
}

Cells = Sequence[Sequence[Any]]


def a_row(**changes: Any) -> dict[str, Any]:
    """A good row; headings that are no names of Python are given as ``**{"Forma de pago": ...}``."""
    return {**GOOD, **changes}


def a_table(*rows: dict[str, Any], more: Sequence[str] = (), without: Sequence[str] = ()) -> list[list[Any]]:
    """Headings and rows, with further columns, or without some."""
    headings = [heading for heading in (*HEADINGS, *more) if heading not in without]
    return [headings, *([row.get(heading) for heading in headings] for row in rows or (GOOD,))]


def write_xlsx(path: Path, table: Cells, sheet: str = "Facturas", then: Any = None) -> str:
    """*then* may change the sheet before it is written."""
    book = openpyxl.Workbook()
    page = book.active
    page.title = sheet
    for row in table:
        page.append(list(row))
    if then:
        then(page)
    book.save(path)
    return str(path)


def write_xls(path: Path, table: Cells, sheet: str = "Facturas") -> str:
    book = xlwt.Workbook()
    page = book.add_sheet(sheet)
    for n, row in enumerate(table):
        for column, value in enumerate(row):
            if value is not None:
                page.write(n, column, value)
    book.save(str(path))
    return str(path)


def write_csv(path: Path, table: Cells, separator: str = ";", encoding: str = "utf-8", end: str = "\r\n") -> str:
    lines = [separator.join("" if cell is None else str(cell) for cell in row) for row in table]
    path.write_bytes((end.join(lines) + end).encode(encoding))
    return str(path)


_SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)


def write_raw_xlsx(path: Path, sheet_data: str | bytes, **parts: str | bytes) -> str:
    """A workbook of one sheet with the elements of *sheet_data*, as a hostile program would write it."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    content = sheet_data.decode() if isinstance(sheet_data, bytes) else sheet_data
    files: dict[str, str | bytes] = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{package}"><Relationship Id="a" Type="{office}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="Facturas" sheetId="1" '
        'r:id="b"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}"><Relationship Id="b" '
        f'Type="{office}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="c" '
        f'Type="{office}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": _SHEET.format(content),
        **parts,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return str(path)


def inline(reference: str, text: str) -> str:
    return f'<c r="{reference}" t="inlineStr"><is><t>{text}</t></is></c>'
