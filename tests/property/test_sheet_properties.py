"""
A random document written as a spreadsheet and read back is the same payload.

Whatever the order of its columns, the spelling of its numbers and dates, the kind of file, the encoding and separator.
"""

from __future__ import annotations

import csv
import tempfile
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.check_digit import check_digit
from schemas.sheets import numbers
from schemas.sheets.columns import Style
from schemas.sheets.faults import Problem
from schemas.sheets.numbers import Reason
from schemas.sheets.values import amount
from tests.sheet_files import write_csv, write_xls, write_xlsx
from worker.cli.files.all_files import read_rows
from worker.cli.files.delimited import Delimited
from worker.cli.files.job_files import Row
from worker.cli.submit.results_file import write_lines

TODAY = date(2026, 11, 30)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]

words = st.text(st.sampled_from("abcdefghijklmnñopqrstuvwxyzáéíóúüABCÑ "), min_size=1, max_size=20).map(
    lambda text: f"x{' '.join(text.split())}"
)
codes = st.text(st.sampled_from("ABCDEF0123456789-"), min_size=1, max_size=8).map(lambda text: f"C{text}")
cents = st.integers(1, 10**9).map(lambda n: Decimal(n) / 100)


def grouped(amount: Decimal, thousands: str, decimal: str) -> str:
    return f"{amount:,.2f}".translate(str.maketrans(",.", f"\x01{decimal}")).replace("\x01", thousands)


SPELLINGS = [
    lambda amount: f"{amount:.2f}",
    lambda amount: f"{amount:.2f}".replace(".", ","),
    lambda amount: grouped(amount, ".", ","),
    lambda amount: grouped(amount, ",", "."),
    lambda amount: f"$ {grouped(amount, '.', ',')}",
    lambda amount: grouped(amount, " ", ","),
]
DATES = [
    lambda day: f"{day:%d/%m/%Y}",
    lambda day: f"{day:%Y-%m-%d}",
    lambda day: f"{day:%d-%m-%Y}",
    lambda day: f"{day:%Y%m%d}",
    lambda day: f"{day.day}/{day.month}/{day.year}",
]
RATES = [lambda rate: f"{rate}%", lambda rate: str(rate), lambda rate: f"IVA {rate}%", lambda rate: f"{rate} %"]


@st.composite
def invoices(draw: st.DrawFn) -> dict[str, Any]:
    nit = str(draw(st.integers(800_000_000, 999_999_999)))
    is_credit = draw(st.booleans())
    return {
        "reference": draw(codes),
        "nit": nit,
        "dv": check_digit(nit),
        "name": draw(words),
        "municipality": draw(st.sampled_from(["05001", "11001", "76001", "08001"])),
        "due": TODAY + timedelta(days=draw(st.integers(0, 700))) if is_credit else None,
        "lines": draw(
            st.lists(
                st.tuples(
                    codes, words, cents.map(lambda n: min(n, Decimal(99999))), cents, st.sampled_from([0, 5, 19, None])
                ),
                min_size=1,
                max_size=4,
            )
        ),
    }


def payload_of(invoice: dict[str, Any]) -> dict[str, Any]:
    """What the document is in version 2, but for the sum of its payment: written down here, not read."""
    payment: dict[str, Any] = {"payment_form": "1", "payment_method_code": "10"}
    if invoice["due"]:
        payment |= {"payment_form": "2", "due_date": invoice["due"].isoformat()}
    return {
        "reference_code": invoice["reference"],
        "customer": {
            "identification_document_code": "31",
            "identification": invoice["nit"],
            "dv": invoice["dv"],
            "legal_organization_code": "1",
            "tribute_code": "ZZ",
            "responsibilities": ["R-99-PN"],
            "company": invoice["name"],
            "municipality_code": invoice["municipality"],
            "country_code": "CO",
        },
        "items": [
            {
                "code_reference": code,
                "name": name,
                "quantity": f"{quantity:.2f}",
                "price": f"{price:.2f}",
                "unit_measure_code": "94",
                "standard_code": "999",
                "taxes": [{"is_excluded": True}] if rate is None else [{"code": "01", "rate": f"{rate}.00"}],
            }
            for code, name, quantity, price, rate in invoice["lines"]
        ],
        "payment_details": [payment],
    }


@st.composite
def tables(draw: st.DrawFn, invoice: dict[str, Any]) -> list[list[str]]:
    """Its rows under headings in any order, each value in an allowed spelling; the head on the first row or on all."""
    spell = draw(st.sampled_from(SPELLINGS))
    spell_date, spell_rate = draw(st.sampled_from(DATES)), draw(st.sampled_from(RATES))
    repeats = draw(st.booleans())
    nit = draw(st.sampled_from([invoice["nit"], f"{int(invoice['nit']):,}".replace(",", ".")]))
    head = {
        "Tipo identificación": draw(st.sampled_from(["NIT", "31", "nit"])),
        "IDENTIFICACION": nit,
        "D.V.".replace(".", ""): invoice["dv"],
        "Razón social": invoice["name"],
        "ciudad": invoice["municipality"],
        "Forma de pago": ("crédito" if invoice["due"] else draw(st.sampled_from(["contado", "1"]))),
        "Medio de pago": draw(st.sampled_from(["Efectivo", "10"])),
        "Vencimiento": spell_date(invoice["due"]) if invoice["due"] else "",
    }
    rows = [
        {
            "Referencia": invoice["reference"],
            **(head if n == 0 or repeats else {}),
            "Código": code,
            "Descripción": name,
            "Cantidad": spell(quantity),
            "Precio": spell(price),
            "IVA": "excluido" if rate is None else spell_rate(rate),
        }
        for n, (code, name, quantity, price, rate) in enumerate(invoice["lines"])
    ]
    order = draw(st.permutations(list(rows[0])))
    return [list(order), *([row.get(name, "") for name in order] for row in rows)]


def read(path: str) -> dict[str, Any]:
    (row,) = [one for one in read_rows(path, None) if isinstance(one, Row)]
    assert row.told(()) == ()
    found = {**row.value, "payment_details": [{**row.value["payment_details"][0]}]}
    del found["payment_details"][0]["amount"]
    return found


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
def test_document_written_as_a_spreadsheet_is_read_back(data: st.DataObject) -> None:
    invoice = data.draw(invoices())
    table = data.draw(tables(invoice))
    kind = data.draw(st.sampled_from(["csv", "csv", "xlsx", "xls"]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a.{kind}")
        if kind == "csv":
            separator = data.draw(st.sampled_from([";", "\t", "|"]))
            write_csv(path, table, separator, data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])))
        else:
            (write_xlsx if kind == "xlsx" else write_xls)(path, table)
        assert read(str(path)) == payload_of(invoice)


@given(cents, st.sampled_from(SPELLINGS))
@settings(deadline=None)
def test_every_spelling_of_an_amount_is_the_amount(value: Decimal, spell: Any) -> None:
    assert amount(spell(value), Style()) == value


@given(st.integers(0, 10**14), st.integers(1, 9), st.integers(3, 6), st.booleans())
@settings(deadline=None)
def test_no_decimal_behind_the_second_is_rounded_away(n: int, digit: int, places: int, is_negative: bool) -> None:
    """Whatever the size of the amount; for a cell that holds a number as far as Excel shows it."""
    number = (Decimal(n) / 100 + Decimal(digit).scaleb(-places)) * (-1 if is_negative else 1)
    assert isinstance(amount(str(number).replace(".", ","), Style(",")), Problem)
    if len(number.as_tuple().digits) <= 15:
        assert isinstance(amount(number, Style()), Problem)


@given(st.integers(1, 10**14), st.sampled_from(["{!r}", "{:.17g}"]))
@settings(deadline=None)
def test_what_excel_stores_of_an_amount_is_the_amount(n: int, form: str) -> None:
    """It writes the seventeen digits of a double."""
    value = Decimal(n) / 100
    assert amount(Decimal(form.format(float(value))), Style()) == value


@given(st.lists(cents, min_size=1, max_size=40))
@settings(deadline=None)
def test_what_excel_adds_up_is_the_sum(values: list[Decimal]) -> None:
    assert amount(Decimal(repr(sum(map(float, values)))), Style()) == sum(values)


@given(st.text(st.sampled_from("0123456789.,' -$()eE+%xñ"), max_size=14), st.sampled_from(["", ",", "."]))
@settings(max_examples=1_000, deadline=None)
def test_no_text_raises_and_none_is_read_a_thousandfold_differently(text: str, mark: str) -> None:
    """What is read without knowing the decimal mark is the same when it is known, or no number at all."""
    found = numbers.parse(text, mark)
    free = numbers.parse(text)
    assert isinstance(found, Decimal | Reason)
    if isinstance(free, Decimal) and isinstance(found, Decimal):
        assert found == free
    assert numbers.mark_shown(text) in ("", ",", ".")


fields = st.builds(
    "{}{}".format,
    st.text(st.sampled_from("'=+-@\t\r\n\" ;"), max_size=5),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0#"), max_size=20),
).filter(str.strip)


@settings(deadline=None)
@given(table=st.lists(st.lists(fields, min_size=1, max_size=4), min_size=1, max_size=6))
def test_texts_written_for_a_spreadsheet_run_nothing_and_are_read_as_they_were(table: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.por-corregir.csv"
        write_lines(path, [["Referencia", "Código"], *table])
        with path.open(encoding="utf-8-sig", newline="") as file:
            assert not [text for row in csv.reader(file, delimiter=";") for text in row if text[0] in "=+-@\t\r"]
        with path.open("rb") as file:
            book = Delimited(str(path), file, "", lambda cells: cells.count("Referencia"))
            (sheet,) = book.sheets()
            rows = [list(cells) for _, cells in book.read(sheet.name).rows]
    assert rows == [["Referencia", "Código"], *table]
