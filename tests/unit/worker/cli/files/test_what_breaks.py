"""Every way in which spreadsheets are known to break, each with a file of its own, and what must come of it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from tests.commands import typed
from tests.sheet_files import GOOD, a_row, a_table, inline, write_csv, write_raw_xlsx, write_xls, write_xlsx
from worker.cli.check.command import command
from worker.cli.close.control_file import read_control_file
from worker.cli.files.all_files import read_rows
from worker.cli.files.job_files import Defaults, Row, jobs_of
from worker.cli.files.limits import FileRefused
from worker.cli.files.spreadsheets import SheetRow

KEYS = {"file", "sheet", "cell", "heading", "value", "code", "rule", "message"}
CREDIT = {"Forma de pago": "crédito", "Medio de pago": "47"}


def checked(path: str, *options: str) -> dict[str, Any]:
    done = CliRunner().invoke(command, [path, "--json", *options])
    assert done.exit_code in (0, 1), done.output
    found: dict[str, Any] = json.loads(done.stdout)
    assert (done.exit_code == 1) == bool(found["errors"])
    assert all(set(one) == KEYS for one in (*found["errors"], *found["warnings"]))
    return found


def errors(path: str, *options: str) -> list[tuple[str, str]]:
    return [(one["cell"], one["rule"]) for one in checked(path, *options)["errors"]]


def warnings(path: str, *options: str) -> list[str]:
    return [one["rule"] for one in checked(path, *options)["warnings"]]


def refused(path: str, *options: str) -> str:
    done = CliRunner().invoke(command, [path, *options])
    assert done.exit_code == 2, done.output
    return done.output


def payloads(path: str, *, job_type: str = "invoice.issue") -> list[dict[str, Any]]:
    return [row.value for row in read_rows(path, None, job_type) if isinstance(row, Row)]


def cell(name: str, row: int = 2, **table: Any) -> str:
    from schemas.sheets.cells import address

    return address(row, a_table(**table)[0].index(name))


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., str]:
    def made(*rows: dict[str, Any], then: Any = None, **table: Any) -> str:
        return write_xlsx(tmp_path / "ventas.xlsx", a_table(*rows, **table), then=then)

    return made


def test_good_file_of_each_kind_is_valid(tmp_path: Path) -> None:
    table = a_table(a_row(), a_row(Código="LIB", IVA="excluido"), a_row(Referencia="F-2", IVA="exento"))
    for path in (
        write_xlsx(tmp_path / "a.xlsx", table),
        write_xls(tmp_path / "a.xls", table),
        write_csv(tmp_path / "a.csv", table),
    ):
        found = checked(path)
        assert (found["checked"], found["fine"], found["errors"]) == (2, 2, [])
        first, second = payloads(path)
        assert [item["taxes"] for item in first["items"]] == [
            [{"code": "01", "rate": "19.00"}],
            [{"is_excluded": True}],
        ]
        assert first["payment_details"][0]["amount"] == "219000.00"
        assert second["items"][0]["taxes"] == [{"code": "01", "rate": "0.00"}]


class TestNumbersThatAreNames:
    """An identification is no number, and a spreadsheet that made one of it may have lost digits."""

    @pytest.mark.parametrize(
        "value",
        [
            900100200, 9.001002e8, "900100200", "900.100.200", "900,100,200", "900 100 200", "900100200-0",
            "900.100.200-0", " 900100200 ", "900100200.0", "900100200,00",
        ],
        ids=repr,
    )  # fmt: skip
    def test_nit_keeps_its_digits(self, make: Callable[..., str], value: Any) -> None:
        assert payloads(make(a_row(Identificación=value)))[0]["customer"]["identification"] == "900100200"

    @pytest.mark.parametrize("value", [1234567890123456789, "9,00123E+08", "9.00123E+08", 12345678901234567])
    def test_lost_digits_are_refused(self, make: Callable[..., str], value: Any) -> None:
        assert errors(make(a_row(Identificación=value))) == [(cell("Identificación"), "SHT-011")]

    @pytest.mark.parametrize("value", ["9001002.00.1", "900.10.0200", "90010020.05", 900100200.5, -900100200], ids=repr)
    def test_separators_that_separate_no_thousands_are_refused(self, make: Callable[..., str], value: Any) -> None:
        """Taken out they would make another number, and its check digit would be worked out as well."""
        assert errors(make(a_row(Identificación=value, DV=None))) == [(cell("Identificación"), "SHT-010")]

    def test_telephone_as_a_number(self, make: Callable[..., str]) -> None:
        assert payloads(make(a_row(Teléfono=6013456789.0)))[0]["customer"]["phone"] == "6013456789"

    def test_reference_that_excel_made_a_date_is_refused(self, make: Callable[..., str]) -> None:
        assert errors(make(a_row(Código=date(2026, 5, 1)))) == [(cell("Código"), "SHT-010")]

    def test_missing_check_digit_is_worked_out(self, make: Callable[..., str]) -> None:
        assert payloads(make(a_row(DV=None)))[0]["customer"]["dv"] == "0"

    def test_wrong_check_digit_is_told_at_its_cell(self, make: Callable[..., str]) -> None:
        assert errors(make(a_row(DV=5))) == [(cell("DV"), "CUS-006")]


class TestCodes:
    def test_zeros_of_a_municipality_are_restored_and_said_so(self, make: Callable[..., str]) -> None:
        path = make(a_row(Municipio=5001))
        assert payloads(path)[0]["customer"]["municipality_code"] == "05001"
        assert warnings(path) == ["SHT-103"]

    def test_code_that_is_shown_with_its_zeros_is_taken_as_shown(self, make: Callable[..., str]) -> None:
        def format_it(page: Any) -> None:
            page[cell("Municipio")].number_format = "00000"

        path = make(a_row(Municipio=5001), then=format_it)
        assert payloads(path)[0]["customer"]["municipality_code"] == "05001"
        assert warnings(path) == []

    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("Bogotá", "11001"),
            ("BOGOTA D.C.", "11001"),
            ("medellin", "05001"),
            ("Armenia, Quindío", "63001"),
            (8001, "08001"),
        ],
    )
    def test_municipality_by_name(self, make: Callable[..., str], name: Any, code: str) -> None:
        assert payloads(make(a_row(Municipio=name)))[0]["customer"]["municipality_code"] == code

    @pytest.mark.parametrize("name", ["Armenia", "Macondo", 99999])
    def test_name_of_several_or_of_none_is_refused(self, make: Callable[..., str], name: Any) -> None:
        assert errors(make(a_row(Municipio=name))) == [(cell("Municipio"), "SHT-014")]

    @pytest.mark.parametrize("form", ["contado", "Contado", "1", 1, "Pago de contado"], ids=repr)
    def test_forms_of_payment(self, make: Callable[..., str], form: Any) -> None:
        assert payloads(make(a_row(**{"Forma de pago": form})))[0]["payment_details"][0]["payment_form"] == "1"

    def test_kg_is_a_kilogram_and_no_keg(self, make: Callable[..., str]) -> None:
        found = payloads(make(a_row(Unidad="KG"), more=("Unidad",)))
        assert found[0]["items"][0]["unit_measure_code"] == "KGM"


class TestTaxes:
    @pytest.mark.parametrize("value", [19, "19", "19%", "19 %", "IVA 19%", "19,00", "19.0"], ids=repr)
    def test_rate_in_any_spelling(self, make: Callable[..., str], value: Any) -> None:
        assert payloads(make(a_row(IVA=value)))[0]["items"][0]["taxes"] == [{"code": "01", "rate": "19.00"}]

    def test_cell_in_the_format_of_percentages(self, make: Callable[..., str]) -> None:
        def format_it(page: Any) -> None:
            page[cell("IVA")].number_format = "0%"

        assert payloads(make(a_row(IVA=0.19), then=format_it))[0]["items"][0]["taxes"][0]["rate"] == "19.00"

    def test_column_of_fractions(self, make: Callable[..., str]) -> None:
        found = payloads(
            make(a_row(IVA=0.19), a_row(Referencia="F-2", IVA=0.05), a_row(Referencia="F-3", IVA="excluido"))
        )
        assert [one["items"][0]["taxes"][0].get("rate") for one in found] == ["19.00", "5.00", None]

    def test_column_of_both_is_refused_with_both_rows(self, make: Callable[..., str]) -> None:
        found = checked(make(a_row(IVA=0.19), a_row(Referencia="F-2", IVA=19)))
        (error,) = found["errors"]
        assert (error["rule"], error["cell"]) == ("SHT-013", cell("IVA", 3))
        assert "fila 2" in error["message"]
        assert "fila 3" in error["message"]

    def test_empty_rate_is_a_fault_and_no_zero(self, make: Callable[..., str]) -> None:
        assert errors(make(a_row(IVA=None))) == [(cell("IVA"), "SHT-008")]

    def test_consumption_tax_stands_alone(self, make: Callable[..., str]) -> None:
        found = payloads(make(a_row(IVA=None, INC=8), more=("INC",)))
        assert found[0]["items"][0]["taxes"] == [{"code": "04", "rate": "8.00"}]


class TestCellsWithoutAValue:
    @pytest.mark.parametrize("text", ["#DIV/0!", "#REF!", "#N/A", "#¡VALOR!"])
    def test_error_cell_is_a_fault(self, make: Callable[..., str], text: str) -> None:
        assert errors(make(a_row(Precio=text))) == [(cell("Precio"), "SHT-006")]

    def test_formula_without_a_value_is_a_fault(self, make: Callable[..., str]) -> None:
        found = checked(make(a_row(Precio="=O2*2")))["errors"]
        assert [(one["cell"], one["rule"]) for one in found] == [(cell("Precio"), "SHT-007")]
        assert "guárdelo" in found[0]["message"]

    @pytest.mark.parametrize("name", ["Precio", "Cantidad"])
    def test_empty_amount_is_a_fault_and_no_zero(self, make: Callable[..., str], name: str) -> None:
        assert errors(make(a_row(**{name: None}))) == [(cell(name), "SHT-008")]

    def test_formula_with_a_value_is_its_value(self, tmp_path: Path) -> None:
        heads = "".join(inline(f"{chr(65 + n)}1", text) for n, text in enumerate(a_table()[0]))
        cells = "".join(
            inline(f"{chr(65 + n)}2", str(value)) for n, value in enumerate(a_table()[1][:15]) if value is not None
        )
        price = '<c r="P2"><f>5000*5</f><v>25000</v></c>'
        path = write_raw_xlsx(
            tmp_path / "f.xlsx", f'<row r="1">{heads}</row><row r="2">{cells}{price}{inline("Q2", "19")}</row>'
        )
        assert payloads(path)[0]["items"][0]["price"] == "25000.00"


class TestRows:
    def test_rows_of_one_reference_are_one_document_also_apart(self, make: Callable[..., str]) -> None:
        found = payloads(make(a_row(), a_row(Referencia="F-2"), a_row(Código="OTRO")))
        assert [(one["reference_code"], len(one["items"])) for one in found] == [("F-1", 2), ("F-2", 1)]

    def test_empty_cells_of_the_head_inherit(self, make: Callable[..., str]) -> None:
        bare = dict.fromkeys(["Tipo identificación", "Identificación", "DV", "Nombre", "Correo", "Municipio"])
        found = payloads(make(a_row(**bare), a_row(Código="B")))
        assert found[0]["customer"]["company"] == GOOD["Nombre"]

    def test_rows_that_contradict_each_other_are_named(self, make: Callable[..., str]) -> None:
        (error,) = checked(make(a_row(), a_row(Nombre="Otra SAS")))["errors"]
        assert (error["cell"], error["rule"], error["value"]) == (cell("Nombre", 3), "SHT-005", "Otra SAS")
        assert "fila 3" in error["message"]
        assert "fila 2" in error["message"]

    def test_merged_reference_goes_down_and_merged_money_does_not(self, make: Callable[..., str]) -> None:
        def merge(page: Any) -> None:
            page.merge_cells("A2:A3")
            page.merge_cells(f"{cell('Precio')}:{cell('Precio', 3)}")

        assert errors(make(a_row(), a_row(Código="B"), then=merge)) == [(cell("Precio", 3), "SHT-008")]

    def test_row_without_reference_is_a_fault(self, make: Callable[..., str]) -> None:
        assert errors(make(a_row(), a_row(Referencia=None))) == [("A3", "SHT-004")]

    def test_what_may_miss_a_line_is_no_part_that_is_sent(self, make: Callable[..., str]) -> None:
        """A row without reference may be a line of its neighbour: sent without it, the invoice would be too small."""
        path = make(a_row(), a_row(Referencia=None), a_row(Referencia="F-2"), a_row(Referencia="F-3"))
        rows = [row for row in read_rows(path, None) if isinstance(row, SheetRow)]
        assert [row.is_sound for row in rows] == [False, False, True]

    def test_hidden_rows_are_counted(self, make: Callable[..., str]) -> None:
        def hide(page: Any) -> None:
            for row in (2, 3, 9):
                page.row_dimensions[row].hidden = True

        found = checked(make(a_row(), a_row(Referencia="F-2"), a_row(Referencia="F-3"), then=hide))
        (warning,) = found["warnings"]
        assert warning["rule"] == "SHT-101"
        assert "2 filas ocultas" in warning["message"]

    def test_blank_rows_with_a_format_do_not_count(self, make: Callable[..., str]) -> None:
        def format_them(page: Any) -> None:
            for row in range(3, 200):
                page.cell(row, 1).number_format = "@"

        assert checked(make(then=format_them))["checked"] == 1

    def test_merged_titles_and_groups_above_the_headings(self, make: Callable[..., str]) -> None:
        def group(page: Any) -> None:
            page.insert_rows(1)
            page["A1"], page["C1"], page["M1"] = "Documento", "Cliente", "Línea"
            for one in ("A1:B1", "C1:I1", "M1:Q1"):
                page.merge_cells(one)

        assert errors(make(then=group)) == []

    def test_title_rows_above_the_headings(self, make: Callable[..., str]) -> None:
        def title(page: Any) -> None:
            page.insert_rows(1, 3)
            page["A1"] = "Facturas de noviembre"
            page["A2"] = "Cliente"

        assert errors(make(a_row(Precio=None), then=title)) == [(cell("Precio", 5), "SHT-008")]

    def test_blank_rows_do_not_count(self, make: Callable[..., str]) -> None:
        assert len(payloads(make(a_row(), {}, a_row(Referencia="F-2")))) == 2


class TestSheets:
    def test_only_visible_sheet_with_headings_is_read(self, tmp_path: Path) -> None:
        path = write_xlsx(tmp_path / "a.xlsx", a_table())
        book = openpyxl.load_workbook(path)
        book.create_sheet("Notas", 0).append(["Nada"])
        hidden = book.create_sheet("Vieja")
        hidden.append(a_table()[0])
        hidden.sheet_state = "hidden"
        book.save(path)
        assert checked(path)["fine"] == 1

    def test_two_that_fit_ask_for_a_choice(self, tmp_path: Path) -> None:
        path = write_xlsx(tmp_path / "a.xlsx", a_table())
        book = openpyxl.load_workbook(path)
        other = book.create_sheet("Otra")
        for row in a_table(a_row(), a_row(Referencia="F-2")):
            other.append(row)
        book.save(path)
        assert "--sheet" in refused(path)
        assert checked(path, "--sheet", "otra")["checked"] == 2
        assert "no tiene la hoja" in refused(path, "--sheet", "Nada")

    def test_no_headings_say_what_was_read(self, make: Callable[..., str]) -> None:
        (error,) = checked(make(then=lambda page: page.delete_rows(1)))["errors"]
        assert error["rule"] == "SHT-001"
        assert "--template" in error["message"]


class TestHeadings:
    def test_case_accents_spaces_and_punctuation_do_not_count(self, make: Callable[..., str]) -> None:
        def shout(page: Any) -> None:
            page["A1"], page["B1"] = "  REFERENCIA ", "Tipo_Identificacion:"

        assert errors(make(then=shout)) == []

    def test_english(self, make: Callable[..., str]) -> None:
        names = dict(zip(a_table()[0], (
            "Reference", "ID type", "Identification", "Check digit", "Name", "Email", "Phone", "Address", "City",
            "Payment form", "Payment method", "Due date", "Item code", "Description", "Quantity", "Unit price", "VAT",
        ), strict=True))  # fmt: skip

        def translate(page: Any) -> None:
            for one in page[1]:
                one.value = names[one.value]

        assert errors(make(then=translate)) == []

    def test_missing_column_is_one_fault(self, make: Callable[..., str]) -> None:
        rows = [a_row(Referencia=f"F-{n}") for n in range(5)]
        found = checked(make(*rows, without=("Cantidad",)))["errors"]
        assert [one["rule"] for one in found] == ["SHT-002"]
        assert "Cantidad" in found[0]["message"]

    def test_two_columns_for_one_field_fail(self, make: Callable[..., str]) -> None:
        found = errors(make(more=("NIT",)))
        assert [rule for _, rule in found] == ["SHT-003"]

    def test_unknown_ones_are_listed(self, make: Callable[..., str]) -> None:
        (warning,) = checked(make(more=("Vendedor", "Zona")))["warnings"]
        assert warning["rule"] == "SHT-102"
        assert "Vendedor, Zona" in warning["message"]

    def test_map_names_a_heading(self, make: Callable[..., str]) -> None:
        path = make(a_row(Vlr=25000), more=("Vlr",), without=("Precio",))
        assert [rule for _, rule in errors(path)] == ["SHT-002"]
        for name in ("precio", "Precio", "price", "item.price"):
            assert errors(path, "--map", f"{name}=Vlr") == []
        assert "CAMPO=ENCABEZADO" in refused(path, "--map", "nada=Vlr")
        assert [rule for _, rule in errors(path, "--map", "precio=No está")] == ["SHT-002", "SHT-002"]


class TestSpellings:
    @pytest.mark.parametrize(
        ("text", "price"),
        [
            ("25000", "25000.00"), ("25.000,50", "25000.50"), ("25,000.50", "25000.50"), ("$ 25.000,50", "25000.50"),
            ("1.025.000", "1025000.00"), ("25000,5", "25000.50"), ("25 000,50", "25000.50"),
            ("1'025.000,50", "1025000.50"),
        ],
    )  # fmt: skip
    def test_numbers_that_say_one_thing(self, make: Callable[..., str], text: str, price: str) -> None:
        assert payloads(make(a_row(Precio=text)))[0]["items"][0]["price"] == price

    def test_one_that_says_two_is_refused_and_names_the_option(self, make: Callable[..., str]) -> None:
        path = make(a_row(Precio="1.234"))
        (error,) = checked(path)["errors"]
        assert (error["cell"], error["rule"], error["value"]) == (cell("Precio"), "SHT-009", "1.234")
        assert "--decimal" in error["message"]
        assert errors(path, "--decimal", ",") == []
        assert errors(path, "--decimal", ".") == [(cell("Precio"), "SHT-012")]

    def test_its_column_settles_it(self, make: Callable[..., str]) -> None:
        found = payloads(make(a_row(Precio="1.234"), a_row(Referencia="F-2", Precio="10,50")))
        assert found[0]["items"][0]["price"] == "1234.00"

    def test_column_that_contradicts_itself_settles_nothing(self, make: Callable[..., str]) -> None:
        path = make(
            a_row(Precio="1.234"), a_row(Referencia="F-2", Precio="10,50"), a_row(Referencia="F-3", Precio="9.50")
        )
        assert errors(path) == [(cell("Precio"), "SHT-009")]

    @pytest.mark.parametrize("text", ["(1.000)", "100-", "12,34,5", "mil", "1.005", 25000.125])
    def test_no_number_is_refused(self, make: Callable[..., str], text: Any) -> None:
        assert [at for at, _ in errors(make(a_row(Precio=text)))] == [cell("Precio")]

    @pytest.mark.parametrize(
        ("number", "price"),
        [
            (0.1 + 0.2, "0.30"),
            (sum([0.1] * 100), "10.00"),
            (1234567.89 - 1234567, "0.89"),
            (1e9 / 7 * 7 + 0.1 + 0.2, "1000000000.30"),
        ],
    )
    def test_what_a_spreadsheet_adds_in_binary_is_what_it_means(
        self, make: Callable[..., str], number: float, price: str
    ) -> None:
        assert payloads(make(a_row(Precio=number)))[0]["items"][0]["price"] == price

    @pytest.mark.parametrize(
        "value",
        [
            "10.000.000,009",
            "10.000.000,0001",
            "0,30000000000000004",
            "99.999.999.999.999,999",
            10000000.009,
            8403361.344537815,
            123456789.0001,
            100000000000.001,
        ],
    )
    def test_a_third_decimal_is_refused_however_large_the_amount(self, make: Callable[..., str], value: Any) -> None:
        """It was rounded where it was less than a billionth: from five million pesos on, in texts as well."""
        assert errors(make(a_row(Precio=value, Cantidad=1))) == [(cell("Precio"), "SHT-012")]

    @pytest.mark.parametrize(
        "day", [date(2026, 12, 31), "31/12/2026", "31-12-2026", "2026-12-31", "20261231", "31/12/26"]
    )
    def test_dates(self, make: Callable[..., str], day: Any) -> None:
        assert payloads(make(a_row(**CREDIT, Vencimiento=day)))[0]["payment_details"][0]["due_date"] == "2026-12-31"

    def test_date_of_a_workbook_that_counts_from_1904(self, make: Callable[..., str]) -> None:
        def count_from_1904(page: Any) -> None:
            page.parent.epoch = CALENDAR_MAC_1904

        path = make(a_row(**CREDIT, Vencimiento=date(2027, 1, 31)), then=count_from_1904)
        assert payloads(path)[0]["payment_details"][0]["due_date"] == "2027-01-31"

    def test_serial_number_in_a_cell_without_format(self, make: Callable[..., str]) -> None:
        (error,) = checked(make(a_row(**CREDIT, Vencimiento=46400)))["errors"]
        assert (error["cell"], error["rule"]) == (cell("Vencimiento"), "SHT-015")
        assert "formato de fecha" in error["message"]

    def test_day_stands_first(self, make: Callable[..., str]) -> None:
        found = payloads(make(a_row(**CREDIT, Vencimiento="03/04/2027")))
        assert found[0]["payment_details"][0]["due_date"] == "2027-04-03"

    def test_month_first_refuses_the_column(self, make: Callable[..., str]) -> None:
        path = make(
            a_row(**CREDIT, Vencimiento="03/04/2027"), a_row(Referencia="F-2", **CREDIT, Vencimiento="03/31/2027")
        )
        assert (cell("Vencimiento", 3), "SHT-016") in errors(path)

    def test_all_faults_come_in_one_pass(self, make: Callable[..., str]) -> None:
        path = make(
            a_row(Precio="1.234", Correo="malo", Municipio="Macondo"),
            a_row(Referencia="F-2", Cantidad=None, DV=3),
        )
        assert {at for at, _ in errors(path)} == {
            cell("Precio"), cell("Correo"), cell("Municipio"), cell("Cantidad", 3), cell("DV", 3),
        }  # fmt: skip


class TestMoney:
    def test_total_is_compared_to_the_cent(self, make: Callable[..., str]) -> None:
        assert errors(make(a_row(Total=119000), more=("Total",))) == []
        assert [rule for _, rule in errors(make(a_row(Total=119000.01), more=("Total",)))] == ["SHT-017"]

    def test_total_is_the_documents_on_each_of_its_rows(self, make: Callable[..., str]) -> None:
        rows = [a_row(Total="238.000,00"), a_row(Código="B", Total="238.000,00")]
        assert errors(make(*rows, more=("Total",))) == []

    def test_price_with_tax_keeps_the_total(self, make: Callable[..., str]) -> None:
        row = {**a_row(**{"Precio con IVA": 50000, "Descuento %": "20%", "Cantidad": 1})}
        found = payloads(make(row, more=("Precio con IVA", "Descuento %"), without=("Precio",)))
        assert abs(Decimal(found[0]["payment_details"][0]["amount"]) - 40000) <= Decimal("0.01")
        assert found[0]["items"][0]["discount_amount"] == "8403.36"

    def test_two_prices_that_disagree_are_refused(self, make: Callable[..., str]) -> None:
        table = {"more": ("Precio con IVA",)}
        assert errors(make(a_row(**{"Precio con IVA": 29750}), **table)) == []
        assert [rule for _, rule in errors(make(a_row(**{"Precio con IVA": 30000}), **table))] == ["SHT-018"]

    @pytest.mark.parametrize(
        "odd",
        [
            {"IVA": -100},
            {"IVA": -150},
            {"Cantidad": -1},
            {"Precio con IVA": -29750},
            {"Descuento %": 150},
            {"Descuento %": -5},
        ],
    )
    def test_a_price_that_cannot_be_parted_from_its_tax_is_told(
        self, make: Callable[..., str], odd: dict[str, Any]
    ) -> None:
        row = a_row(**{"Precio con IVA": 29750, **odd})
        table = {"more": ("Precio con IVA", "Descuento %"), "without": ("Precio",)}
        assert (cell("Precio con IVA", **table), "SHT-018") in errors(make(row, **table))

    def test_discount_is_one(self, make: Callable[..., str]) -> None:
        more = ("Descuento %", "Descuento")
        found = payloads(make(a_row(**{"Descuento %": 10}), a_row(Referencia="F-2", Descuento=500), more=more))
        assert found[0]["items"][0]["discount_rate"] == "10.00"
        assert found[1]["items"][0]["discount_amount"] == "500.00"
        assert [rule for _, rule in errors(make(a_row(**{"Descuento %": 10, "Descuento": 500}), more=more))] == [
            "SHT-019"
        ]
        assert [rule for _, rule in errors(make(a_row(**{"Descuento %": 0.1}), more=more))] == ["SHT-010"]


def test_csv_and_its_twin_give_the_same_jobs(tmp_path: Path) -> None:
    """Windows-1252, semicolons and decimal commas on the one side, cells of Excel on the other: byte for byte."""
    rows = [a_row(Precio=1234.5, Descripción="Café"), a_row(Código="B", Precio=99.99), a_row(Referencia="F-2")]
    texts = [{**row, "Precio": str(row["Precio"]).replace(".", ",")} for row in rows]
    one = write_csv(tmp_path / "ventas.csv", a_table(*texts), encoding="cp1252")
    other = write_xlsx(tmp_path / "ventas.xlsx", a_table(*rows))
    jobs = [
        [job.text for job in jobs_of([row for row in read_rows(path, None) if isinstance(row, Row)], Defaults(), "x")]
        for path in (one, other)
    ]
    assert jobs[0] == jobs[1]
    assert "Café" in jobs[0][0]


class TestCsv:
    @pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
    def test_separators_and_encodings(self, tmp_path: Path, separator: str, encoding: str) -> None:
        path = write_csv(tmp_path / "a.csv", a_table(a_row(Descripción="Añejo")), separator, encoding)
        assert payloads(path)[0]["items"][0]["name"] == "Añejo"

    @pytest.mark.parametrize("encoding", ["cp850", "mac_roman"])
    def test_old_encodings_are_named(self, tmp_path: Path, encoding: str) -> None:
        path = write_csv(tmp_path / "a.csv", a_table(a_row(Descripción="Café añejo")), encoding=encoding)
        done = CliRunner().invoke(command, [path, "--json"])
        assert done.exit_code in (1, 2)
        assert f"--encoding {encoding}" in done.output.replace("\\u00a0", " ")
        assert payloads_with(path, encoding)[0]["items"][0]["name"] == "Café añejo"

    def test_line_of_excel_that_names_the_separator(self, tmp_path: Path) -> None:
        path = write_csv(tmp_path / "a.csv", [["sep=,"], *a_table()], ",")
        assert errors(path) == []

    def test_cells_are_numbered_as_a_spreadsheet_shows_them(self, tmp_path: Path) -> None:
        path = write_csv(tmp_path / "a.csv", a_table(a_row(Descripción='"a\nb"'), a_row(Referencia="F-2", Precio="x")))
        assert errors(path) == [(cell("Precio", 3), "SHT-010")]

    def test_quoted_text_of_excel(self, tmp_path: Path) -> None:
        path = write_csv(tmp_path / "a.csv", a_table(a_row(Municipio='="05001"')))
        assert payloads(path)[0]["customer"]["municipality_code"] == "05001"

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1", "cp850", "utf-8-sig"])
    def test_encoding_that_is_named(self, tmp_path: Path, encoding: str) -> None:
        path = write_csv(tmp_path / "a.csv", a_table(a_row(Descripción="Café")), encoding=encoding)
        assert errors(path, "--encoding", encoding) == []

    def test_unknown_encoding_is_wrong_usage(self, tmp_path: Path) -> None:
        assert "codificación" in refused(write_csv(tmp_path / "a.csv", a_table()), "--encoding", "nada")

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "ascii", "utf-16"])
    @pytest.mark.parametrize("name", ["check", "submit"])
    @pytest.mark.parametrize("odd", [0, 1, 150, 1_000], ids="row-{}".format)
    def test_one_that_does_not_fit_is_wrong_usage_wherever_it_shows(
        self, tmp_path: Path, name: str, odd: int, encoding: str
    ) -> None:
        """Text is decoded some KiB ahead: an odd letter was met before the first row, outside of what refuses it."""
        lines = [b"Referencia;Nombre", *(b"F-%d;Comercializadora La Sabana SAS" % n for n in range(1, 1_200))]
        lines[odd] += ";Identificación".encode("cp1252")
        (tmp_path / "a.csv").write_bytes(b"\r\n".join(lines))
        found = typed(name, "a.csv", "--encoding", encoding, env={"FACTUS_LANG": "es"}, folder=tmp_path)
        assert (found.status, f"a.csv: no está en {encoding}" in found.shown) == (2, True), found.shown

    @pytest.mark.parametrize("odd", [0, 150, 1_000], ids="row-{}".format)
    def test_one_that_a_mark_promises_and_the_text_does_not_have(self, tmp_path: Path, odd: int) -> None:
        """As ``close --control`` meets it, which takes no encoding: half a pair of UTF-16."""
        lines = ["familia;total", *("factura;100" for _ in range(1_200))]
        lines[odd] += "\ud800"
        (tmp_path / "a.csv").write_bytes("\r\n".join(lines).encode("utf-16", "surrogatepass"))
        with pytest.raises(FileRefused, match="no está en utf-16"):
            read_control_file(str(tmp_path / "a.csv"))


def payloads_with(path: str, encoding: str) -> list[dict[str, Any]]:
    from worker.cli.files.workbooks import SheetOptions

    found = read_rows(path, None, how=SheetOptions(encoding=encoding))
    return [row.value for row in found if isinstance(row, Row)]


class TestKindsOfFiles:
    """The content decides, not the name."""

    def test_workbook_called_csv(self, tmp_path: Path) -> None:
        path = Path(write_xlsx(tmp_path / "a.xlsx", a_table())).rename(tmp_path / "b.csv")
        assert errors(str(path)) == []

    def test_text_called_xlsx(self, tmp_path: Path) -> None:
        assert errors(write_csv(tmp_path / "a.xlsx", a_table())) == []

    def test_workbook_called_xls(self, tmp_path: Path) -> None:
        path = Path(write_xlsx(tmp_path / "a.xlsx", a_table())).rename(tmp_path / "b.xls")
        assert errors(str(path)) == []

    @pytest.mark.parametrize(
        ("content", "word"),
        [
            (b"<html><table><tr><td>Referencia</td></tr></table></html>", "HTML"),
            (b"<table><tr><td>Referencia</td></tr></table>", "HTML"),
            (b"\xef\xbb\xbf<html><body><table><tr><td>Referencia</td></tr></table></body></html>", "HTML"),
            (b"MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n\r\n<html>", "archivada"),
            ("Referencia;Nombre".encode("utf-16-le"), "--encoding utf-16-le"),
            ("Referencia;Nombre".encode("utf-16-be"), "--encoding utf-16-be"),
            (b"%PDF-1.7 ...", "PDF"),
            (b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>', "2003"),
            (b"\x00\x01\x02\x03" * 100, "no es un archivo de texto"),
            (b"", "vacío"),
            (b"PK\x03\x04" + b"\x00" * 100, "dañado"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 2000, "dañado"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "contraseña"),
        ],
    )
    def test_what_is_none_is_told(self, tmp_path: Path, content: bytes, word: str) -> None:
        (tmp_path / "a.xls").write_bytes(content)
        assert word in refused(str(tmp_path / "a.xls"))

    def test_sheet_of_libreoffice(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "a.ods", "w") as archive:
            archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
            archive.writestr("content.xml", "<x/>")
        assert "LibreOffice" in refused(str(tmp_path / "a.ods"))
        (tmp_path / "b.xlsx").write_bytes((tmp_path / "a.ods").read_bytes())
        assert "LibreOffice" in refused(str(tmp_path / "b.xlsx"))

    def test_half_a_workbook(self, tmp_path: Path) -> None:
        path = Path(write_xlsx(tmp_path / "a.xlsx", a_table()))
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert "dañado" in refused(str(path))

    def test_old_workbook_called_xlsx_and_one_with_macros(self, tmp_path: Path) -> None:
        old = Path(write_xls(tmp_path / "a.xls", a_table())).rename(tmp_path / "b.xlsx")
        macros = Path(write_xlsx(tmp_path / "a.xlsx", a_table())).rename(tmp_path / "c.xlsm")
        assert errors(str(old)) == errors(str(macros)) == []

    def test_another_job_type_has_no_sheets(self, make: Callable[..., str]) -> None:
        assert "hoja de cálculo sirve para" in refused(make(), "--type", "payroll.issue")
