"""
The results of a ``submit`` as a file: a row for each reference, and a sheet of the rows to be corrected.

Text cells only: no identification, reference or CUFE loses a digit, and nothing that a customer or the DIAN has written
can run as a formula.
"""

from __future__ import annotations

import csv
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.money import render
from schemas.names import ending_of
from schemas.sheets import values
from schemas.sheets.cells import Broken, Value, at, shown
from schemas.sheets.faults import Problem
from schemas.sheets.fields import by_key
from worker.cli.bilingual import say
from worker.cli.files.inert import inert
from worker.cli.files.limits import FileRefused
from worker.cli.files.number_formats import text_value
from worker.cli.files.whole import write_whole
from worker.cli.submit.remedies import remedy

if TYPE_CHECKING:
    from schemas.contract.event import ErrorDetail
    from schemas.sheets.reading import SheetDocument
    from schemas.sheets.sheet import Sheet
    from worker.cli.submit.push import Pushed

RESULTS: Final = "Resultados"
TO_CORRECT: Final = "Por corregir"
HEADINGS: Final = (
    "Referencia",
    "Resultado",
    "Número",
    "CUFE",
    "Valor total",
    "Regla",
    "Motivo",
    "Qué hacer",
    "De la fila",
)
_ENDING: Final = ".resultado.xlsx"
_WIDTHS: Final = (20, 20, 18, 30, 16, 12, 60, 50, 20)
_CODES: Final = ("cufe", "cude", "cuds", "cune")
_LONGEST: Final = 32_000
_WORDS: Final = {
    "validated": "Validado",
    "rejected": "Rechazado",
    "refused": "No aceptado",
    "failed": "Fallido",
    "completed": "Hecho",
}
OPEN: Final = "En espera"
NOT_SENT: Final = "No enviado"


@dataclass(frozen=True, slots=True)
class ResultRow:
    """What is told of one reference."""

    reference: str
    outcome: str
    number: str = ""
    code: str = ""
    total: str = ""
    rule: str = ""
    reason: str = ""
    remedy: str = ""
    place: str = ""
    document: SheetDocument | None = None
    """The document to be corrected; None where there is nothing to correct."""

    def cells(self) -> tuple[str, ...]:
        told = (self.reference, self.outcome, self.number, self.code, self.total, self.rule, self.reason, self.remedy)
        return tuple(text[:_LONGEST] for text in (*told, self.place))


def row_of(one: Pushed) -> ResultRow:
    """The row of a job that was pushed."""
    document = getattr(one.job.row, "document", None)
    outcome = one.outcome
    reference = one.job.reference or str(one.job.id)
    if outcome is None:
        reason = "Sin respuesta todavía: sigue en la cola."
        told = "Envíe otra vez el mismo archivo con --wait para ver su fin; nada se emite dos veces."
        return ResultRow(reference, OPEN, reason=reason, remedy=told, place=one.job.place)
    word = _WORDS.get(ending_of(outcome.type), outcome.type)
    event = outcome.event or {}
    data = event.get("data") or {}
    if outcome.success:
        code = next((str(data[name]) for name in _CODES if data.get(name)), outcome.unique_code)
        total = "" if outcome.total is None else render(outcome.total)
        return ResultRow(reference, word, outcome.number, code, total, place=one.job.place)
    errors = event.get("errors") or []
    reasons = [str(error.get("message", "")) for error in errors] or [outcome.message]
    rules = [str(error["rule"]) for error in errors if error.get("rule")]
    return ResultRow(
        reference,
        word,
        outcome.number,
        rule=", ".join(dict.fromkeys(rules)) or outcome.code,
        reason=" ".join(reasons),
        remedy=remedy(outcome.code),
        place=one.job.place,
        document=document,
    )


def row_left_out(document: SheetDocument, errors: Sequence[ErrorDetail], place: str) -> ResultRow:
    """The row of a document that was not pushed, because of its errors or those of its columns."""
    rules = [one.rule for one in errors if one.rule]
    reasons = [f"{getattr(one, 'place', '')}: {one.message}".lstrip(": ") for one in errors]
    return ResultRow(
        document.reference,
        NOT_SENT,
        rule=", ".join(dict.fromkeys(rules)),
        reason=" ".join(reasons) or "Lo afecta un error de la hoja: una columna, o una fila vecina sin referencia.",
        remedy=remedy("payload.invalid"),
        place=place,
        document=document,
    )


def default_paths(sources: Iterable[str]) -> dict[str, str]:
    """
    Where the results of each file go: ``ventas.resultado.xlsx`` beside ``ventas.xlsx``.

    With its whole name, ``ventas.xlsx.resultado.xlsx``, where another file has that name for its results, or is it:
    none takes the place of another's, nor of what is submitted.
    """
    paths = {source: Path(source) for source in sources}
    taken = {_place(path) for path in paths.values()}
    short = {source: path.with_name(f"{path.stem}{_ENDING}") for source, path in paths.items()}
    n_of = Counter(map(_place, short.values()))
    found: dict[str, str] = {}
    for source, path in paths.items():
        whole = (path.with_name(f"{path.name}{n}{_ENDING}") for n in chain([""], (f".{n}" for n in count(2))))
        names = chain([short[source]] if n_of[_place(short[source])] == 1 else [], whole)
        chosen = next(one for one in names if _place(one) not in taken)
        taken.add(_place(chosen))
        found[source] = str(chosen)
    return found


def _place(path: Path) -> str:
    """Where a file is, also for systems to which capitals are all one."""
    return str(path.resolve()).casefold()


def see_that_it_can_be_written(path: str) -> None:
    """
    See that there is a place for a file of results.

    Raises:
        FileRefused: Its folder does not exist or takes no files, or a folder bears its name.
    """
    is_folder = False
    with suppress(OSError):  # a name that is too long: the writing tells of it
        is_folder = Path(path).is_dir()
    if is_folder:
        raise FileRefused(f"{path}: {say('es una carpeta', 'it is a folder')}")
    folder = Path(path).parent
    told = say("la carpeta", "the folder") + f" {Path.cwd() if folder == Path() else folder}"
    try:
        # Tried, not asked for: rights alone do not tell of a medium that takes no writes, nor of one that is full.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except FileNotFoundError as exc:
        raise FileRefused(f"{told} {say('no existe', 'does not exist')}") from exc
    except NotADirectoryError as exc:
        raise FileRefused(f"{told} {say('no es una carpeta', 'is no folder')}") from exc
    except OSError as exc:
        why = exc.strerror or exc
        raise FileRefused(f"{say(f'en {told} no se puede escribir', f'{told} cannot be written')} ({why})") from exc


def write_results(path: str, rows: Sequence[ResultRow]) -> list[str]:
    """
    Write a file of results, ``.xlsx`` or ``.csv``; a former one of that name is kept as ``NAME.anterior.xlsx``, and
    where that is taken as ``NAME.anterior-2.xlsx`` and so on.

    Returns:
        The files that were written: beside a ``.csv`` stand others with the rows to be corrected, one for each sheet
        that they come from, since each has headings of its own.

    Raises:
        FileRefused: It cannot be written.
    """
    if Path(path).suffix.lower() == ".csv":
        return _write_csv(path, rows)
    _write(path, lambda made: _write_xlsx(made, rows))
    return [path]


def _write(path: str, write: Callable[[Path], None]) -> None:
    from xlsxwriter.exceptions import XlsxWriterException

    try:
        write_whole(Path(path), write, just_before=lambda: _keep_former(path))
    except (OSError, XlsxWriterException) as exc:
        # xlsxwriter wraps what the system said, which names the file beside: nobody has asked for that one.
        said = exc.args[0] if exc.args and isinstance(exc.args[0], OSError) else exc
        raise _unwritable(path, getattr(said, "strerror", None) or said) from exc


def _unwritable(path: str, why: object) -> FileRefused:
    return FileRefused(f"{path}: {say('no se puede escribir', 'cannot be written')} ({why})")


def _keep_former(path: str) -> None:
    """
    Somebody may have begun to correct it, and the third run must not take what the first one left: each is kept, and
    whoever wants none of them any more deletes them.
    """
    former = Path(path)
    if not former.is_file():
        return
    marks = chain([".anterior"], (f".anterior-{n}" for n in count(2)))
    names = (former.with_name(f"{former.stem}{mark}{former.suffix}") for mark in marks)
    # Not exists(): a link that leads nowhere is somebody's too.
    former.replace(next(name for name in names if not os.path.lexists(name)))


def _write_xlsx(path: Path, rows: Sequence[ResultRow]) -> None:
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book: Any = xlsxwriter.Workbook(str(path), options)
    text = book.add_format({"num_format": "@", "valign": "top"})
    wrapped = book.add_format({"num_format": "@", "valign": "top", "text_wrap": True})
    head = book.add_format({"bold": True, "bg_color": "#1F3864", "font_color": "white", "valign": "vcenter"})
    marks = {
        word: book.add_format({"num_format": "@", "valign": "top", "bg_color": color})
        for word, color in (("Validado", "#E2EFDA"), ("Hecho", "#E2EFDA"), (OPEN, "#FFF2CC"))
    }
    bad = book.add_format({"num_format": "@", "valign": "top", "bg_color": "#F8CBAD"})
    sheet = book.add_worksheet(RESULTS)
    _write_head(sheet, HEADINGS, _WIDTHS, head)
    for n, row in enumerate(rows, 1):
        for column, cell in enumerate(row.cells()):
            form = marks.get(row.outcome, bad) if column == 1 else wrapped if column in (6, 7) else text
            sheet.write_string(n, column, cell, form)
    sheet.autofilter(0, 0, max(len(rows), 1), len(HEADINGS) - 1)
    for name, headings, widths, lines in corrections(rows):
        sheet = book.add_worksheet(name)
        _write_head(sheet, headings, widths, head)
        for column, wide in enumerate(widths):
            sheet.set_column(column, column, wide, text)
        for n, cells in enumerate(lines, 1):
            for column, cell in enumerate(cells):
                if cell:
                    sheet.write_string(n, column, cell, text)
    book.close()


def _write_head(sheet: Any, headings: Sequence[str], widths: Sequence[float], form: Any) -> None:
    sheet.freeze_panes(1, 1)
    sheet.set_row(0, 24)
    for column, (heading, wide) in enumerate(zip(headings, widths, strict=True)):
        sheet.set_column(column, column, wide)
        sheet.write_string(0, column, heading, form)


def _write_csv(path: str, rows: Sequence[ResultRow]) -> list[str]:
    _write(path, lambda made: write_lines(made, [HEADINGS, *(row.cells() for row in rows)]))
    written = [path]
    for name, headings, _, lines in corrections(rows):
        mark = name.removeprefix(TO_CORRECT).replace(" ", "-")
        beside = str(Path(path).with_name(f"{Path(path).stem}.por-corregir{mark}.csv"))
        _write(beside, partial(write_lines, lines=[headings, *lines]))
        written.append(beside)
    return written


def write_lines(path: Path, lines: Iterable[Sequence[str]]) -> None:
    """Write a ``.csv`` whose fields are read again as they are, and run nowhere."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";", quoting=csv.QUOTE_ALL)
        writer.writerows([inert(cell) for cell in line] for line in lines)


# -- the rows to be corrected ------------------------------------------------------------------------------------------
Correction = tuple[str, list[str], list[float], list[list[str]]]


def corrections(rows: Sequence[ResultRow]) -> list[Correction]:
    """For each sheet that was read: a name, its own headings, their widths, and the rows to be corrected."""
    found: list[Correction] = []
    for name, documents in _to_correct(rows).items():
        sheet = documents[0].sheet
        n_columns = max(sheet.headings.texts, default=-1) + 1
        headings = [sheet.headings.texts.get(column, "") for column in range(n_columns)]
        lines = [_line(document, position, n_columns) for document in documents for position in document.positions]
        widths = [
            float(min(max([len(heading) + 2, 8, *(len(line[column]) + 1 for line in lines[:200])]), 44))
            for column, heading in enumerate(headings)
        ]
        found.append((name, headings, widths, lines))
    return found


def sheets_to_correct(rows: Sequence[ResultRow]) -> list[str]:
    """The names of what is to be corrected: none, one, or one for each sheet that was read."""
    return list(_to_correct(rows))


def _to_correct(rows: Sequence[ResultRow]) -> dict[str, list[SheetDocument]]:
    by_sheet: dict[int, list[SheetDocument]] = {}
    for row in rows:
        if row.document is not None:
            by_sheet.setdefault(id(row.document.sheet), []).append(row.document)
    if len(by_sheet) == 1:
        return {TO_CORRECT: next(iter(by_sheet.values()))}
    return {f"{TO_CORRECT} {n}": documents for n, documents in enumerate(by_sheet.values(), 1)}


def _line(document: SheetDocument, position: int, n_columns: int) -> list[str]:
    sheet = document.sheet
    cells = sheet.table.rows[position][1]
    keys = {column: key for key, column in sheet.headings.columns.items()}
    line = [steady(sheet, keys.get(column, ""), at(cells, column)) for column in range(n_columns)]
    column = sheet.headings.columns.get("reference_code")
    if column is not None and sheet.headings.prefix is None:
        line[column] = document.reference  # of merged cells only the first has it
    return line


def steady(sheet: Sheet, key: str, value: Value) -> str:
    """
    The text of a cell that says by itself what it said among the others of its column.

    1.234 that was a thousand and more is 1234.00 here, 0.19 is 19%, and a code has its zeros: alone, they could be read
    as something else.
    """
    if isinstance(value, Broken):
        # An error again when it is read: the words of a formula would be a sound text there, and be issued.
        is_error = isinstance(text_value(value.text), Broken)
        return value.text if is_error else "#¡FÓRMULA!" if value.kind == "formula" else "#¡VALOR!"
    if value is None or not key:
        return shown(value)
    field = by_key(sheet.family)[key]
    style = sheet.styles[key]
    read: object
    match field.kind:
        case "number":
            read = values.amount(value, style)
            return render(read) if isinstance(read, Decimal) else shown(value)
        case "percent":
            read = values.percent(value, style)
            return f"{render(read)}%" if isinstance(read, Decimal) else shown(value)
        case "tax":
            read = values.tax(value, style, sheet.profile)
            if isinstance(read, Problem):
                return shown(value)
            return "excluido" if read == values.EXCLUDED else f"{read.removesuffix('.00')}%"
        case "date":
            day = values.day(value)
            return shown(value) if isinstance(day, Problem) else day.value
        case "code":
            code = values.code(field, value, sheet.family)
            return code.value if isinstance(code, values.Read) and code.restored else shown(value)
        case _:
            return shown(value)
