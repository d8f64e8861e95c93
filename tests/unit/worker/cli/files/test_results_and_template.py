"""What goes out: results that lose and run nothing, rows to correct that say the same alone, valid templates."""

from __future__ import annotations

import csv
import json
import shlex
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner

from schemas.sheets.cells import letters
from schemas.sheets.fields import FAMILIES, fields_of, sheet_name
from tests.sheet_files import a_row, a_table, write_csv, write_xlsx
from worker.cli.check.command import command as check
from worker.cli.files.all_files import read_rows
from worker.cli.files.inert import inert
from worker.cli.files.job_files import Defaults, Row, jobs_of
from worker.cli.files.spreadsheets import SheetRow
from worker.cli.submit.command import command as submit
from worker.cli.submit.push import Outcome, Pushed
from worker.cli.submit.reading import Reading
from worker.cli.submit.results_file import HEADINGS, default_paths, row_left_out, row_of, write_results
from worker.cli.submit.run import Run
from worker.speech import SPANISH

CUFE = "4e" + "0123456789" * 9 + "e5ff"
HOSTILE = ["=1+1", "+57 300", "-1", "@SUM(A1)", "\tx", '=HYPERLINK("http://x","y")', "0900100200", "1E5"]


def rows_of(path: str) -> list[Row]:
    return [row for row in read_rows(path, None) if isinstance(row, Row)]


def pushed(path: str, *outcomes: Outcome | None) -> list[Pushed]:
    jobs = jobs_of(rows_of(path), Defaults(), "x")
    return [Pushed(job, "1-0", outcome) for job, outcome in zip(jobs, outcomes, strict=True)]


def validated(number: str = "SETP1") -> Outcome:
    return Outcome("invoice.validated", True, number, Decimal(119000), event={"data": {"cufe": CUFE}, "errors": None})


def rejected(message: str = "Fecha inválida", rule: str = "FAD09e") -> Outcome:
    error = {"code": "dian.rejected", "message": message, "rule": rule}
    return Outcome("invoice.rejected", False, code="dian.rejected", event={"data": None, "errors": [error]})


def cells(path: str, sheet: str) -> list[list[Any]]:
    return [[cell.value for cell in row] for row in openpyxl.load_workbook(path)[sheet]]


def test_results_have_a_row_for_each_reference_and_the_rows_to_correct(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "ventas.xlsx", a_table(a_row(), a_row(Referencia="F-2"), a_row(Referencia="F-3")))
    told = [row_of(one) for one in pushed(path, validated(), rejected(), None)]
    out = default_paths([path])[path]
    assert Path(out).name == "ventas.resultado.xlsx"
    write_results(out, told)
    head, *rows = cells(out, "Resultados")
    assert tuple(head) == HEADINGS
    found = [dict(zip(head, row, strict=True)) for row in rows]
    assert [(one["Referencia"], one["Resultado"]) for one in found] == [
        ("F-1", "Validado"), ("F-2", "Rechazado"), ("F-3", "En espera"),
    ]  # fmt: skip
    assert (found[0]["Número"], found[0]["CUFE"]) == ("SETP1", CUFE)
    assert (found[1]["Regla"], found[1]["Motivo"]) == ("FAD09e", "Fecha inválida")
    assert found[1]["Qué hacer"]
    headings, *lines = cells(out, "Por corregir")
    assert headings == a_table()[0]
    assert [line[0] for line in lines] == ["F-2"]


def test_every_cell_is_text_for_another_reader_too(tmp_path: Path) -> None:
    rows = [a_row(Referencia=f"F-{n}", Descripción=text, Código=text) for n, text in enumerate(HOSTILE) if text.strip()]
    path = write_xlsx(tmp_path / "a.xlsx", a_table(*rows), then=_as_text)
    outcomes = [rejected(message=text) for text in HOSTILE if text.strip()]
    out = str(tmp_path / "r.xlsx")
    write_results(out, [row_of(one) for one in pushed(path, *outcomes)])
    for page in openpyxl.load_workbook(out):
        for row in page.iter_rows():
            assert {cell.data_type for cell in row if cell.value is not None} == {"s"}


def _as_text(page: Any) -> None:
    for row in page.iter_rows(min_row=2):
        for cell in row:
            if isinstance(cell.value, str):
                cell.data_type = "s"


def test_csv_of_results_runs_nothing(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", a_table())
    out = str(tmp_path / "r.csv")
    written = write_results(out, [row_of(one) for one in pushed(path, rejected(message="=cmd|' /C calc'!A0"))])
    assert written == [out, str(tmp_path / "r.por-corregir.csv")]
    for name in written:
        with Path(name).open(encoding="utf-8-sig", newline="") as file:
            assert not [cell for row in csv.reader(file, delimiter=";") for cell in row if cell[:1] in set("=+-@\t\r")]
    assert [inert(text)[0] for text in HOSTILE[:6]] == ["'"] * 6


@pytest.mark.parametrize("kind", [".xlsx", ".csv"])
def test_rows_to_correct_say_alone_what_they_said_in_their_column(tmp_path: Path, kind: str) -> None:
    """1.234 was settled by another row, 0.19 by all of them, 5001 by the table: read again they are the same."""
    rows = [
        a_row(Precio="1.234", IVA=0.19, Municipio=5001, Vencimiento=date(2027, 4, 3), **{"Forma de pago": "crédito"}),
        a_row(Referencia="F-2", Precio="10,50", IVA=0.05),
    ]
    path = write_xlsx(tmp_path / "ventas.xlsx", a_table(*rows))
    before = rows_of(path)[0].value
    out = str(tmp_path / f"r{kind}")
    written = write_results(out, [row_of(one) for one in pushed(path, rejected(), validated())])
    assert rows_of(written[-1])[0].value == before


def two_files(folder: Path) -> list[str]:
    """Of different columns: what is to be corrected has headings of its own."""
    bogota = write_xlsx(folder / "bogota.xlsx", a_table(a_row(), a_row(Referencia="F-2")))
    cali = write_csv(folder / "cali.csv", a_table(a_row(Referencia="C-1"), without=["Teléfono"]))
    return [bogota, cali]


def test_no_correction_of_several_files_is_lost(tmp_path: Path) -> None:
    """Beside a .csv stood those of the first file only; the others' documents had to be looked for by hand."""
    files = two_files(tmp_path)
    before = {row.value["reference_code"]: row.value for path in files for row in rows_of(path)}
    first, second = files
    told = [row_of(one) for one in (*pushed(first, validated(), rejected()), *pushed(second, rejected()))]
    written = write_results(str(tmp_path / "r.csv"), told)
    assert [Path(one).name for one in written] == ["r.csv", "r.por-corregir-1.csv", "r.por-corregir-2.csv"]
    assert [[row.value for row in rows_of(one)] for one in written[1:]] == [[before["F-2"]], [before["C-1"]]]
    book = str(tmp_path / "r.xlsx")
    assert write_results(book, told) == [book]
    assert [[line[0] for line in cells(book, f"Por corregir {n}")[1:]] for n in (1, 2)] == [["F-2"], ["C-1"]]


TWO_SHEETS = "; ".join(f'factus-worker submit r.xlsx --sheet "Por corregir {n}" --wait' for n in (1, 2))


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (
            ".csv",
            ["Por corregir: 2 documentos, en r.por-corregir-1.csv, r.por-corregir-2.csv.",
             "factus-worker submit r.por-corregir-1.csv r.por-corregir-2.csv --wait"],
        ),
        (
            ".xlsx",
            ["Por corregir: 2 documentos, en r.xlsx (Por corregir 1, Por corregir 2).", TWO_SHEETS],
        ),
    ],
)  # fmt: skip
def test_the_command_that_is_told_takes_all_that_was_corrected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str, told: list[str]
) -> None:
    """Of a workbook with two sheets of documents none is read without --sheet."""
    monkeypatch.chdir(tmp_path)
    two_files(tmp_path)
    run = Run(Reading([]), SPANISH, None, {"": f"r{kind}"}, as_json=False)
    run.pushed = [*pushed("bogota.xlsx", validated(), rejected()), *pushed("cali.csv", rejected())]
    run._write_results()
    said = " ".join(capsys.readouterr().out.split())
    assert [words for words in told if words not in said] == [], said
    for command in told[1].split("; "):
        _, _, *arguments = shlex.split(command)
        done = CliRunner().invoke(check, [one for one in arguments if one != "--wait"])
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize("kind", [".xlsx", ".csv"])
def test_rows_to_correct_keep_texts_that_begin_as_a_formula_does(tmp_path: Path, kind: str) -> None:
    """The apostrophe that keeps a spreadsheet from running them is the file's: it must not come onto the invoice."""
    texts = {"Teléfono": "+57 300 123 4567", "Descripción": "-Servicio", "Código": "'=A1", "Dirección": "@ Calle 1"}
    path = write_xlsx(tmp_path / "ventas.xlsx", a_table(a_row(**texts)), then=_as_text)
    before = rows_of(path)[0].value
    assert before["customer"]["phone"] == "+57 300 123 4567"
    written = write_results(str(tmp_path / f"r{kind}"), [row_of(one) for one in pushed(path, rejected())])
    assert rows_of(written[-1])[0].value == before


@pytest.mark.parametrize("kind", [".xlsx", ".csv"])
def test_a_formula_without_a_value_stays_a_fault_among_the_rows_to_correct(tmp_path: Path, kind: str) -> None:
    """As a text it would be sound, and stand on the invoice."""
    path = write_csv(tmp_path / "ventas.csv", a_table(a_row(Descripción="=A1&B1")))
    (row,) = rows_of(path)
    assert isinstance(row, SheetRow)
    left_out = row_left_out(row.document, (), row.place)
    written = write_results(str(tmp_path / f"r{kind}"), [left_out])
    done = CliRunner().invoke(check, [written[-1], "--json"])
    assert done.exit_code == 1, done.output
    assert [one["heading"] for one in json.loads(done.stdout)["errors"]] == ["Descripción"]


def test_former_results_are_kept(tmp_path: Path) -> None:
    """Somebody may have begun to correct them."""
    path = write_xlsx(tmp_path / "ventas.xlsx", a_table())
    out = default_paths([path])[path]
    write_results(out, [row_of(one) for one in pushed(path, rejected())])
    write_results(out, [row_of(one) for one in pushed(path, validated())])
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "ventas.resultado.anterior.xlsx", "ventas.resultado.xlsx", "ventas.xlsx",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [".xlsx", ".csv"])
def test_no_run_destroys_the_results_of_an_earlier_one(tmp_path: Path, kind: str) -> None:
    """The results of the first run went when the third one kept those of the second under the same name."""
    path = write_xlsx(tmp_path / "ventas.xlsx", a_table())
    rows = [row_of(one) for one in pushed(path, rejected())]
    out = tmp_path / f"r{kind}"
    for n in range(4):
        write_results(str(out), rows)
        out.write_text(f"run {n}")
    kept = [tmp_path / f"r.anterior{mark}{kind}" for mark in ("", "-2", "-3")]
    assert [one.read_text() for one in (*kept, out)] == [f"run {n}" for n in range(4)]


def test_what_bears_the_name_of_former_results_is_left_as_it_is(tmp_path: Path) -> None:
    """A folder, or a link to where nothing is just now: both are somebody's."""
    path = write_xlsx(tmp_path / "ventas.xlsx", a_table())
    rows = [row_of(one) for one in pushed(path, rejected())]
    (tmp_path / "r.anterior.xlsx").mkdir()
    (tmp_path / "r.anterior-2.xlsx").symlink_to(tmp_path / "nowhere")
    for _ in range(2):
        write_results(str(tmp_path / "r.xlsx"), rows)
    assert (tmp_path / "r.anterior.xlsx").is_dir()
    assert (tmp_path / "r.anterior-2.xlsx").is_symlink()
    assert (tmp_path / "r.anterior-3.xlsx").is_file()


def test_corrections_beside_a_csv_are_kept_too(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "ventas.xlsx", a_table())
    rows = [row_of(one) for one in pushed(path, rejected())]
    _, beside = write_results(str(tmp_path / "r.csv"), rows)
    Path(beside).write_text("corregido")
    write_results(str(tmp_path / "r.csv"), rows)
    assert (tmp_path / "r.por-corregir.anterior.csv").read_text() == "corregido"


def test_each_file_has_results_of_its_own() -> None:
    """Of two with one name the second would take the place of the first, and the next run that of the corrections."""
    assert default_paths(["a/ventas.csv", "b/ventas.csv", "c.xlsx", "c.xlsx"]) == {
        "a/ventas.csv": "a/ventas.resultado.xlsx",
        "b/ventas.csv": "b/ventas.resultado.xlsx",
        "c.xlsx": "c.resultado.xlsx",
    }
    assert default_paths(["ventas.csv", "ventas.xlsx", "mayo.xlsx"]) == {
        "ventas.csv": "ventas.csv.resultado.xlsx",
        "ventas.xlsx": "ventas.xlsx.resultado.xlsx",
        "mayo.xlsx": "mayo.resultado.xlsx",
    }


@pytest.mark.parametrize(
    "files",
    [
        ["ventas.xlsx", "ventas.resultado.xlsx"],
        ["ventas.csv", "ventas.xlsx", "ventas.csv.xlsx"],
        ["ventas.csv.xlsx", "ventas.csv", "ventas.xlsx"],
        ["ventas.csv", "ventas.xlsx", "ventas.csv.resultado.xlsx"],
        ["ventas.xlsx", "./ventas.xlsx"],
        ["ventas.csv", "Ventas.xlsx"],
    ],
)
def test_no_results_take_the_place_of_others_or_of_what_is_submitted(files: list[str]) -> None:
    names = [str(Path(one)).casefold() for one in default_paths(files).values()]
    assert len({*names, *(str(Path(one)).casefold() for one in files)}) == len(names) + len(
        {str(Path(one)).casefold() for one in files}
    )


@pytest.mark.parametrize("kind", [".xlsx", ".csv"])
def test_results_that_could_not_be_made_leave_the_former_ones_as_they_are(tmp_path: Path, kind: str) -> None:
    """Whatever ends the writing ends it beside their place: a kill leaves no half of a file there."""
    path = write_xlsx(tmp_path / "ventas.xlsx", a_table())
    rows = [row_of(one) for one in pushed(path, rejected())]
    out = tmp_path / f"r{kind}"
    written = write_results(str(out), rows)
    before = {one: Path(one).read_bytes() for one in written}
    names = sorted(tmp_path.iterdir())
    broken: Any = None
    with pytest.raises(AttributeError):
        write_results(str(out), [*rows, broken])
    assert {one: Path(one).read_bytes() for one in written} == before
    assert sorted(tmp_path.iterdir()) == names


def test_ids_follow_from_name_reference_and_content(tmp_path: Path) -> None:
    def ids(name: str, *rows: dict[str, Any], **defaults: Any) -> list[str | None]:
        path = write_xlsx(tmp_path / name, a_table(*rows))
        return [job.id for job in jobs_of(rows_of(path), Defaults(**defaults), "x")]

    one, two = a_row(), a_row(Referencia="F/2 ñ")
    first = ids("ventas.xlsx", one, two)
    assert first == ids("ventas.xlsx", one, two)
    assert ids("ventas.xlsx", two, one) == first[::-1]
    changed = ids("ventas.xlsx", one, {**two, "Precio": 1})
    assert changed[0] == first[0]
    assert changed[1] != first[1]
    assert ids("otra.xlsx", one)[0] != first[0]
    assert ids("ventas.xlsx", one, batch="noche")[0] != first[0]
    assert all(name and len(name) <= 128 and name.isascii() for name in first)


@pytest.mark.parametrize("family", FAMILIES)
def test_template_is_valid_as_it_is(tmp_path: Path, family: str) -> None:
    path = str(tmp_path / "plantilla.xlsx")
    made = CliRunner().invoke(submit, ["--template", path, "--type", f"{family}.issue"])
    assert made.exit_code == 0, made.output
    done = CliRunner().invoke(check, [path, "--type", f"{family}.issue"])
    assert done.exit_code == 0, done.output
    assert "2 trabajos: 2 bien, 0 solo con avisos" in done.output


@pytest.mark.parametrize("family", FAMILIES)
def test_template_is_made_for_people(tmp_path: Path, family: str) -> None:
    path = str(tmp_path / "plantilla.xlsx")
    CliRunner().invoke(submit, ["--template", path, "--type", f"{family}.issue"])
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Instrucciones", sheet_name(family), "Catálogos"]
    page = book[sheet_name(family)]
    assert page.freeze_panes == "B2"
    labels = [cell.value for cell in page[1]]
    assert labels == [one.label for one in fields_of(family) if one.in_template]
    for name in ("Identificación", "Municipio", "Código", "IVA"):
        at = labels.index(name)
        assert page.cell(2, at + 1).number_format == "@"
        assert page.column_dimensions[letters(at)].width >= 8
    lists = [one for one in page.data_validations.dataValidation if one.type == "list"]
    covered = {labels[next(iter(one.sqref.ranges)).min_col - 1] for one in lists}
    assert {"Tipo identificación", "Municipio", "Forma de pago", "Medio de pago", "Unidad", "IVA"} <= covered
    assert "Referencia" in [cell.value for cell in book["Instrucciones"]["A"]]
    for one in (page, book["Catálogos"]):
        widths = {
            at: dimension.width
            for dimension in one.column_dimensions.values()
            if dimension.min  # those of the file; asking for another makes one
            for at in range(dimension.min, dimension.max + 1)
        }
        for head in one[1]:  # broken between words at most: no word is cut
            longest = max(map(len, str(head.value or "").split()), default=0)
            assert longest + 1 <= widths[head.column], head.value
        if one is not page:
            assert all(len(head.value) < widths[head.column] for head in one[1] if head.value)


def test_template_is_for_documents_only(tmp_path: Path) -> None:
    done = CliRunner().invoke(submit, ["--template", str(tmp_path / "a.xlsx"), "--type", "payroll.issue"])
    assert done.exit_code == 2
    done = CliRunner().invoke(submit, ["--template", str(tmp_path / "a.csv")])
    assert done.exit_code == 2
