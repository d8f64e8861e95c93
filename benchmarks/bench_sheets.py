"""
What does a spreadsheet cost, and do the files that break others end as the documents say?

``check`` of 10,000 rows of 20 columns, as .csv and .xlsx, in a process of its own each: seconds, and the most memory
that it had. Then one file for every way in which spreadsheets are known to break. Opens no server. ``--full`` adds
a file of as many rows as are taken at all, and more runs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import lab
import xlsxwriter

from tests.sheet_files import a_row, a_table, inline, write_csv, write_raw_xlsx, write_xlsx

ROOT: Final = Path(__file__).parents[1]
COLUMNS: Final = (
    "Referencia", "Tipo identificación", "Identificación", "DV", "Nombre", "Correo", "Teléfono", "Dirección",
    "Municipio", "Forma de pago", "Medio de pago", "Vencimiento", "Código", "Descripción", "Cantidad", "Precio",
    "Descuento %", "IVA", "Unidad", "Observaciones",
)  # fmt: skip
MEASURE: Final = """
import json, sys, time
began = time.monotonic()
sys.argv = ["factus-worker", "check", *sys.argv[1:]]
from worker.__main__ import main
code = 0
try:
    main()
except SystemExit as done:
    code = done.code
told = dict(line.split(":", 1) for line in open("/proc/self/status"))
used = {"code": code, "mib": int(told["VmHWM"].split()[0]) / 1024}
print(json.dumps({**used, "s": time.monotonic() - began, "cpu_s": time.process_time()}), file=sys.stderr)
"""


def main(*, is_full: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for n_rows in (10_000, 199_999) if is_full else (10_000,):
            for kind, write in (("csv", _write_csv), ("xlsx", _write_xlsx)):
                path = folder / f"a{n_rows}.{kind}"
                write(path, n_rows)
                _measure(path, n_rows, 5 if is_full and n_rows == 10_000 else 1)
        _nasty(folder)


def _measure(path: Path, n_rows: int, n_runs: int) -> None:
    runs = [_check(path) for _ in range(n_runs)]
    assert all(run["code"] == 0 for run in runs), runs
    seconds = sorted(run["s"] for run in runs)
    most = max(run["mib"] for run in runs)
    size = path.stat().st_size // 1024
    cpu = statistics.median(run["cpu_s"] for run in runs)
    print(
        f"check of {n_rows:,} rows of {len(COLUMNS)} columns, .{path.suffix[1:]} ({size:,} kB): "
        f"{statistics.median(seconds):.2f} s (best {seconds[0]:.2f}), {cpu:.2f} s of a processor, {most:.0f} MiB"
    )


def _check(path: Path, *options: str) -> dict[str, Any]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FACTUS_")}
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path), *options], capture_output=True, text=True, cwd=ROOT, env=clean
    )
    return {**json.loads(done.stderr.splitlines()[-1]), "told": done.stdout + done.stderr}


def _row(n: int) -> list[Any]:
    return [
        f"FV-{n // 2:06}", "NIT", "900100200", "0", "Comercializadora La Sabana SAS", f"c{n // 2}@lasabana.example",
        "6013456789", "Carrera 7 # 71-21", "11001", "contado", "Efectivo", "", f"A{n % 500}", f"Producto {n % 500}",
        1 + n % 9, 1000 + n % 5000, "10%", "19%", "unidad", f"Pedido {n // 2}",
    ]  # fmt: skip


def _write_csv(path: Path, n_rows: int) -> None:
    write_csv(path, [COLUMNS, *(_row(n) for n in range(n_rows))])


def _write_xlsx(path: Path, n_rows: int) -> None:
    book = xlsxwriter.Workbook(str(path), {"constant_memory": n_rows > 50_000})
    page = book.add_worksheet("Facturas")
    page.write_row(0, 0, COLUMNS)
    for n in range(n_rows):
        page.write_row(n + 1, 0, _row(n))
    book.close()


# -- what breaks others ------------------------------------------------------------------------------------------------
Case = tuple[str, Callable[[Path], str], tuple[str, ...], int, str]


def _table(**changes: Any) -> Callable[[Path], str]:
    return lambda folder: write_xlsx(folder / "n.xlsx", a_table(a_row(**changes)))


def _raw(data: str) -> Callable[[Path], str]:
    heads = "".join(inline(f"{chr(65 + n)}1", text) for n, text in enumerate(a_table()[0]))
    return lambda folder: write_raw_xlsx(folder / "n.xlsx", f'<row r="1">{heads}</row>{data}')


def _hidden(page: Any) -> None:
    page.row_dimensions[2].hidden = True


def _titled(page: Any) -> None:
    page.insert_rows(1, 4)
    page["A1"] = "Informe"


def _html(folder: Path) -> str:
    (folder / "n.xls").write_text("<html><table><tr><td>Referencia</td></tr></table></html>")
    return str(folder / "n.xls")


def _half(folder: Path) -> str:
    path = Path(write_xlsx(folder / "n.xlsx", a_table()))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return str(path)


def _mixed(folder: Path) -> str:
    return write_xlsx(folder / "n.xlsx", a_table(a_row(IVA=0.19), a_row(Referencia="F-2", IVA=19)))


_BLANKS: Final = "".join(f'<row r="{n}"><c r="A{n}" s="1"/></row>' for n in range(2, 210_000))
CASES: Final[tuple[Case, ...]] = (
    ("NIT as a number", _table(Identificación=900100200.0), (), 0, "1 bien"),
    ("NIT as a text with the zero of a float", _table(Identificación="900100200.0"), (), 0, "1 bien"),
    ("NIT whose points separate no thousands", _table(Identificación="90010020.05"), (), 1, "SHT-010"),
    ("identification of 19 digits as a number", _table(Identificación=1234567890123456789), (), 1, "SHT-011"),
    ("9,00123E+08 as text", _table(Identificación="9,00123E+08"), (), 1, "SHT-011"),
    ("municipality without its zero", _table(Municipio=5001), (), 0, "05001"),
    ("0.19 and 19 in one column", _mixed, (), 1, "SHT-013"),
    ("#DIV/0!", _table(Precio="#DIV/0!"), (), 1, "SHT-006"),
    ("formula without a value", _table(Precio="=1+1"), (), 1, "SHT-007"),
    ("empty price", _table(Precio=None), (), 1, "SHT-008"),
    ("1.234", _table(Precio="1.234"), (), 1, "--decimal"),
    ("1.234 with --decimal ,", _table(Precio="1.234"), ("--decimal", ","), 0, "1 bien"),
    ("month before day", _table(Vencimiento="03/31/2027"), (), 1, "SHT-016"),
    ("hidden rows", lambda f: write_xlsx(f / "n.xlsx", a_table(), then=_hidden), (), 0, "oculta"),
    ("title rows", lambda f: write_xlsx(f / "n.xlsx", a_table(), then=_titled), (), 0, "1 bien"),
    ("two columns for one field", lambda f: write_xlsx(f / "n.xlsx", a_table(more=("NIT",))), (), 1, "SHT-003"),
    ("HTML called .xls", _html, (), 2, "HTML"),
    ("half a workbook", _half, (), 2, "dañado"),
    ("UTF-16 without its mark", lambda f: write_csv(f / "n.csv", a_table(), encoding="utf-16-le"), (), 2, "--encoding"),
    ("cp850", lambda f: write_csv(f / "n.csv", a_table(a_row(Descripción="Café")), encoding="cp850"), (), 1, "cp850"),
    ("a cell at XFD1048576", _raw('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'), (), 2, "XFD1048576"),
    ("blanks to row 210,000", _raw(_BLANKS), (), 2, "200.000"),
    ("5.1 million cells", _raw(("<row>" + "<c><v>1</v></c>" * 510 + "</row>") * 10_000), (), 2, "5.000.000"),
)


def _nasty(folder: Path) -> None:
    good = 0
    slowest, largest = 0.0, 0.0
    for what, make, options, code, word in CASES:
        began = time.monotonic()
        run = _check(Path(make(folder)), *options)
        ends_well = run["code"] == code and word in run["told"]
        good += ends_well
        if code == 2:
            slowest = max(slowest, run["cpu_s"])
        largest = max(largest, run["mib"])
        if not ends_well:
            print(f"  NOT as documented: {what}: {run} after {time.monotonic() - began:.1f} s")
    print(f"files that break others: {good} of {len(CASES)} end as documented; {largest:.0f} MiB at most")
    print(f"slowest refusal: {slowest:.2f} s of a processor, the start of the program included")


if __name__ == "__main__":
    given = lab.arguments(__doc__)
    with lab.open_lab(given.folder) as bench:
        lab.announce(bench, "check of files in processes of their own; no server takes part")
    main(is_full=given.full)
