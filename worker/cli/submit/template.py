"""
The template for a family's documents: instructions, a sheet to fill in with lists to choose from, and the codes.

Codes and identifications are formatted as text, so that Excel keeps their zeros; what the lists do not have may be
written all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from schemas.names import ISSUE, job_type_of
from schemas.sheets.cells import Value
from schemas.sheets.fields import Field, sheet_name
from schemas.sheets.template_rows import catalog_rows, choices, columns_of, example_rows
from worker.cli.files.limits import FileRefused

INSTRUCTIONS: Final = "Instrucciones"
CATALOGS: Final = "Catálogos"
_ROWS: Final = 5_000
"""Rows below the headings in which something can be chosen."""

_LEAST_WIDTH: Final = 8
_WIDEST_NAMES: Final = 64
_TEXTS: Final = frozenset({"text", "digits", "code", "list"})
_NAVY: Final = "#1F3864"
_SKY: Final = "#D9E2F3"
_GREY: Final = "#F2F2F2"
_LINE: Final = "#BFBFBF"
_FONT: Final = {"font_name": "Calibri", "font_size": 11}
_TITLES: Final = {
    "invoice": ("Facturas de venta", "factura", "cliente"),
    "credit_note": ("Notas crédito", "nota", "cliente"),
    "debit_note": ("Notas débito", "nota", "cliente"),
    "support_document": ("Documentos soporte", "documento", "proveedor"),
}


def write_template(path: str, family: str, today: date) -> None:
    """
    Write the template of a family.

    Raises:
        FileRefused: The file cannot be written.
    """
    import xlsxwriter
    from xlsxwriter.exceptions import XlsxWriterException

    book: Any = xlsxwriter.Workbook(path, {"strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"title": f"Plantilla: {_TITLES[family][0]}", "company": "factus-worker"})
    columns = columns_of(family)
    texts = book.add_worksheet(INSTRUCTIONS)
    rows = book.add_worksheet(sheet_name(family))
    codes = book.add_worksheet(CATALOGS)
    ranges = _write_catalogs(book, codes, columns, family)
    _write_documents(book, rows, columns, family, ranges, today)
    _write_instructions(book, texts, columns, family)
    rows.activate()
    try:
        book.close()
    except (XlsxWriterException, OSError) as exc:
        raise FileRefused(f"{path}: no se puede escribir ({exc})") from exc


def _write_documents(
    book: Any, sheet: Any, columns: Sequence[Field], family: str, ranges: dict[str, str], today: date
) -> None:
    head = {**_FONT, "bold": True, "text_wrap": True, "valign": "vcenter", "align": "center", "border": 1}
    required = book.add_format({**head, "bg_color": _NAVY, "font_color": "white", "border_color": _LINE})
    optional = book.add_format({**head, "bg_color": _SKY, "font_color": _NAVY, "border_color": _LINE})
    formats = {
        "text": book.add_format({**_FONT, "num_format": "@"}),
        "short": book.add_format({**_FONT, "num_format": "@", "align": "center"}),
        "number": book.add_format({**_FONT, "num_format": "#,##0.00"}),
        "date": book.add_format({**_FONT, "num_format": "dd/mm/yyyy", "align": "left"}),
    }
    sheet.freeze_panes(1, 1)
    sheet.set_row(0, 33)
    for at, one in enumerate(columns):
        form = formats[_format_of(one)]
        sheet.set_column(at, at, max(one.width, _LEAST_WIDTH), form)
        sheet.write_string(0, at, one.label, required if _is_required(one) else optional)
        _add_list(sheet, at, one, family, ranges)
    for n, cells in enumerate(example_rows(family, today), 1):
        for at, value in enumerate(cells):
            _write(sheet, n, at, value, formats[_format_of(columns[at])])
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)


def _format_of(field: Field) -> str:
    if field.kind in ("tax", "percent") or field.key == "dv":
        return "short"
    return "text" if field.kind in _TEXTS else "date" if field.kind == "date" else "number"


def _is_required(field: Field) -> bool:
    return field.is_required or field.key == "price"


def _write(sheet: Any, row: int, column: int, value: Value, form: Any) -> None:
    match value:
        case str():
            sheet.write_string(row, column, value, form)
        case Decimal():
            sheet.write_number(row, column, float(value), form)
        case date():
            sheet.write_datetime(row, column, datetime(value.year, value.month, value.day), form)  # noqa: DTZ001 a day
        case _:
            sheet.write_blank(row, column, None, form)


def _add_list(sheet: Any, at: int, field: Field, family: str, ranges: dict[str, str]) -> None:
    """What can be chosen, and the help that shows beside a chosen cell. Codes may be typed as well."""
    told = {"input_title": field.label[:32], "input_message": _help_of(field, family)[:255], "ignore_blank": True}
    source = ranges.get(field.key) or (choices(field, family) or None)
    if source is None:
        sheet.data_validation(1, at, _ROWS, at, {"validate": "any", **told})
        return
    sheet.data_validation(1, at, _ROWS, at, {"validate": "list", "source": source, "show_error": False, **told})


def _help_of(field: Field, family: str) -> str:
    return field.help.replace("cliente", _TITLES[family][2])


def _write_catalogs(book: Any, sheet: Any, columns: Sequence[Field], family: str) -> dict[str, str]:
    """A pair of columns for each table: the names to choose from, and the codes. The ranges of the names."""
    head = book.add_format({**_FONT, "bold": True, "bg_color": _NAVY, "font_color": "white", "valign": "vcenter"})
    text = book.add_format({**_FONT, "num_format": "@"})
    muted = book.add_format({**_FONT, "num_format": "@", "font_color": "#595959", "align": "center"})
    sheet.freeze_panes(1, 0)
    sheet.set_row(0, 24)
    ranges: dict[str, str] = {}
    at = 0
    for one in (one for one in columns if one.table):
        rows = catalog_rows(one, family)
        usual = choices(one, family) if one.key == "unit_measure_code" else []
        rows = sorted(rows, key=lambda row: usual.index(row[0]) if row[0] in usual else len(usual))
        title = f"{one.label}: nombres"
        sheet.set_column(at, at, min(max(len(title), *(len(name) for name, _ in rows)) + 2, _WIDEST_NAMES))
        sheet.set_column(at + 1, at + 1, 9)
        sheet.set_column(at + 2, at + 2, 3)
        sheet.write_string(0, at, title, head)
        sheet.write_string(0, at + 1, "Códigos", head)
        for n, (name, code) in enumerate(rows, 1):
            sheet.write_string(n, at, name, text)
            sheet.write_string(n, at + 1, code, muted)
        if one.key not in ("payment_form", "unit_measure_code"):
            ranges[one.key] = f"='{CATALOGS}'!${_letters(at)}$2:${_letters(at)}${len(rows) + 1}"
        elif usual:
            ranges[one.key] = f"='{CATALOGS}'!${_letters(at)}$2:${_letters(at)}${len(usual) + 1}"
        at += 3
    return ranges


def _letters(column: int) -> str:
    from schemas.sheets.cells import letters

    return letters(column)


def _write_instructions(book: Any, sheet: Any, columns: Sequence[Field], family: str) -> None:
    title, one, _ = _TITLES[family]
    big = book.add_format({**_FONT, "bold": True, "font_size": 18, "font_color": _NAVY})
    strong = book.add_format({**_FONT, "bold": True, "font_size": 12, "font_color": _NAVY})
    plain = book.add_format({**_FONT, "text_wrap": True, "valign": "top"})
    head = book.add_format({**_FONT, "bold": True, "bg_color": _NAVY, "font_color": "white", "border": 1})
    cell = book.add_format({**_FONT, "text_wrap": True, "valign": "top", "border": 1, "border_color": _LINE})
    mark = book.add_format(
        {**_FONT, "bold": True, "valign": "top", "border": 1, "border_color": _LINE, "bg_color": _GREY}
    )
    sheet.hide_gridlines(2)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 1)
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 13)
    sheet.set_column(2, 2, 92)
    sheet.set_row(0, 30)
    sheet.write_string(0, 0, f"{title}: cómo llenar esta plantilla", big)
    steps = _steps(family, one)
    for n, text in enumerate(steps, 2):
        sheet.merge_range(n, 0, n, 2, "", plain)
        sheet.write_string(n, 0, text, plain)
        sheet.set_row(n, 15.75 * (1 + len(text) // 125))
    start = len(steps) + 3
    sheet.write_string(start, 0, "Las columnas", strong)
    for at, text in enumerate(("Columna", "¿Obligatoria?", "Qué se escribe")):
        sheet.write_string(start + 1, at, text, head)
    for n, field in enumerate(columns, start + 2):
        sheet.write_string(n, 0, field.label, mark)
        sheet.write_string(n, 1, "Sí" if field.is_required else _or_other(field), cell)
        help_text = _help_of(field, family)
        sheet.write_string(n, 2, help_text, cell)
        sheet.set_row(n, 15.75 * (1 + len(help_text) // 108))


def _or_other(field: Field) -> str:
    if field.key in ("price", "price_with_tax"):
        return "Uno de los dos"
    return "A crédito" if field.key == "due_date" else "No"


_STEPS: Final = (
    (
        "1.  Escriba sus documentos en la hoja {sheet} y borre los dos ejemplos. Cada fila es una línea; las filas con "
        "la misma Referencia son un solo documento, y los datos de su cabeza basta escribirlos en la primera."
    ),
    (
        "2.  Los encabezados azul oscuro son obligatorios. Puede cambiar el orden de las columnas, y quitar las claras "
        "que no use. No escriba nada encima de los encabezados."
    ),
    (
        "3.  Los códigos, la identificación y las tarifas tienen formato de texto: así Excel no les quita ceros ni "
        "cifras. Al pegar desde otro archivo use Pegado especial > Valores."
    ),
    (
        "4.  Donde hay una lista, elija de ella o escriba el código. La hoja Catálogos tiene todos los nombres con sus "
        "códigos."
    ),
    "5.  Revise:  factus-worker check {option}ARCHIVO.xlsx   Dice todo lo que falta, celda por celda, sin enviar nada.",
    (
        "6.  Envíe:  factus-worker submit {option}ARCHIVO.xlsx --wait   Espera las respuestas y deja "
        "ARCHIVO.resultado.xlsx, con una hoja Por corregir: corrija en ella lo rechazado y envíe ese archivo."
    ),
    "7.  Enviar otra vez el mismo archivo no emite nada dos veces: cada {one} se conoce por su Referencia.",
)


def _steps(family: str, one: str) -> list[str]:
    option = "" if family == "invoice" else f"--type {job_type_of(family, ISSUE)} "
    return [text.format(sheet=sheet_name(family), one=one, option=option) for text in _STEPS]
