"""Files that would kill, hang or fill a process: each is refused with its number, quickly and in little memory."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import xlwt
from xlwt.CompoundDoc import XlsDoc

from tests.sheet_files import HEADINGS, a_row, a_table, inline, write_csv, write_raw_xlsx

pytestmark = pytest.mark.timeout(300)
MOST_KB = 190 * 1024
_MEASURE = """
import json, sys, time
began = time.process_time()
sys.argv = ["factus-worker", "check", sys.argv[1]]
from worker.__main__ import main
try:
    main()
except SystemExit as done:
    code = done.code
else:
    code = 0
# Of this program alone: the largest size that getrusage tells is that of the process which started it as well.
used = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
print(json.dumps({"code": code, "kb": used, "cpu_s": time.process_time() - began}), file=sys.stdout)
"""


def check(path: str, most_s: float = 10) -> tuple[int, str]:
    """The exit status of ``check`` and what it said; memory and processor time are bounded for each."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FACTUS_", "COV"))}
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, path],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["kb"] < MOST_KB, told
    # Of the processor, not of the clock: a busy machine makes no file slow. An idle one takes less than half of it.
    assert told["cpu_s"] < most_s, told
    assert "Traceback" not in done.stderr
    return told["code"], done.stdout + done.stderr


def headings(row: int = 1) -> str:
    return f'<row r="{row}">{"".join(inline(f"{chr(65 + n)}{row}", text) for n, text in enumerate(a_table()[0]))}</row>'


def test_one_cell_far_out(tmp_path: Path) -> None:
    """5 KB that make readers allocate rows times columns: 549 GB."""
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    code, told = check(write_raw_xlsx(tmp_path / "a.xlsx", headings() + far))
    assert code == 2
    assert "Facturas!XFD1048576" in told
    assert "1.048.576" in told


def test_one_far_cell_in_a_row_that_is_used(tmp_path: Path) -> None:
    rows = "".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c></row>' for n in range(2, 2000))
    code, told = check(
        write_raw_xlsx(tmp_path / "a.xlsx", f'{headings()}{rows}<row r="2000"><c r="XFD2000"><v>1</v></c></row>')
    )
    assert code == 2
    assert "XFD2000" in told


def test_far_cell_of_the_old_format(tmp_path: Path) -> None:
    book = xlwt.Workbook()
    page = book.add_sheet("Facturas")
    for n, text in enumerate(a_table()[0]):
        page.write(0, n, text)
    page.write(65_535, 255, 1)
    book.save(str(tmp_path / "a.xls"))
    code, told = check(str(tmp_path / "a.xls"))
    assert code == 2
    assert "IV65536" in told


def test_blanks_to_the_last_row(tmp_path: Path) -> None:
    rows = "".join(f'<row r="{n}"><c r="A{n}" s="1"/></row>' for n in range(2, 250_002))
    code, told = check(write_raw_xlsx(tmp_path / "a.xlsx", headings() + rows))
    assert code == 2
    assert "200.000" in told


def test_too_many_cells(tmp_path: Path) -> None:
    row = "".join("<c><v>1</v></c>" for _ in range(510))
    code, told = check(write_raw_xlsx(tmp_path / "a.xlsx", headings() + f"<row>{row}</row>" * 10_000))
    assert code == 2
    assert "5.000.000" in told


def test_archive_that_unpacks_to_more_than_is_taken(tmp_path: Path) -> None:
    path = write_raw_xlsx(tmp_path / "a.xlsx", headings())
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("xl/media/image1.png", "w") as file,
    ):
        for _ in range(301):
            file.write(b" " * (1024 * 1024))
    assert Path(path).stat().st_size < 2_000_000
    code, told = check(path)
    assert code == 2
    assert "300 MB" in told


def test_more_rows_of_text_than_are_taken(tmp_path: Path) -> None:
    table = a_table()
    path = write_csv(tmp_path / "a.csv", [table[0], *([table[1]] * 200_001)])
    code, told = check(path)
    assert code == 2
    assert "200.000" in told


def test_text_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.truncate(301 * 1024 * 1024)
    code, told = check(str(path))
    assert code == 2
    assert "300 MB" in told


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><worksheet>&b;</worksheet>',
        "<worksheet><sheetData><row r=\"1\"><c r=\"A1\"",
        "<worksheet " + "a" * 3_000_000,
        "<worksheet><sheetData>" + "<row>" * 200_000,
        "not xml at all",
        "",
    ],
    ids=["entities", "cut", "tag without end", "nested rows", "text", "empty"],
)  # fmt: skip
def test_sheet_that_is_no_sheet(tmp_path: Path, text: str) -> None:
    path = write_raw_xlsx(tmp_path / "a.xlsx", "", **{"xl/worksheets/sheet1.xml": text})
    code, told = check(path)
    assert code in (1, 2)
    assert "dañado" in told or "encabezados" in told or "filas" in told


def test_numbers_that_explode(tmp_path: Path) -> None:
    cells = "".join(
        f'<c r="{chr(65 + n)}2"><v>{value}</v></c>'
        for n, value in enumerate(["1E+999999", "NaN", "9" * 5000, "-1E-999999", "1e400", "", "0x10"] * 2)
    )
    code, told = check(write_raw_xlsx(tmp_path / "a.xlsx", f'{headings()}<row r="2">{cells}</row>'))
    assert code == 1
    assert "Facturas!" in told


def test_shared_texts_that_are_not_there(tmp_path: Path) -> None:
    cells = "".join(
        f'<c r="{chr(65 + n)}2" t="s"><v>{value}</v></c>' for n, value in enumerate(["5", "-1", "x", "99999999999"])
    )
    code, _ = check(write_raw_xlsx(tmp_path / "a.xlsx", f'{headings()}<row r="2">{cells}</row>'))
    assert code == 1


def test_text_of_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        for _ in range(150):
            file.write(b"x" * (1024 * 1024))
    code, told = check(str(path))
    assert code == 2
    assert "2 MB" in told


def test_text_of_one_cell(tmp_path: Path) -> None:
    """No tag is long, and what a cell holds is held no longer than a cell can be."""
    text = "a>" * 45_000_000
    path = write_raw_xlsx(tmp_path / "a.xlsx", f'{headings()}<row r="2">{inline("A2", text)}</row>')
    code, told = check(path)
    assert code == 1
    assert "SHT-012" in told


def rows_of_text(path: Path, n_rows: int, **changes: object) -> str:
    """A file of many rows of one kind; ``{n}`` in a value is the number of its row."""
    row = a_row(**changes)
    line = ";".join("" if row.get(name) is None else str(row[name]) for name in HEADINGS)
    with path.open("w", encoding="utf-8") as file:
        file.write(";".join(HEADINGS) + "\n")
        file.writelines(f"{line.replace('{n}', str(n))}\n" for n in range(n_rows))
    return str(path)


def test_rows_of_nothing_but_faults(tmp_path: Path) -> None:
    """Each has three, and a name that no table has: they are counted, and the first thousands told."""
    path = rows_of_text(tmp_path / "a.csv", 4_000, Referencia="F-{n}", Municipio="Macondo {n}", Precio="x", IVA="y")
    code, told = check(path, most_s=60)
    assert code == 1
    assert "12.000 errores" in told


def test_rows_without_reference(tmp_path: Path) -> None:
    path = rows_of_text(tmp_path / "a.csv", 60_000, Referencia=None)
    code, told = check(path, most_s=30)
    assert code == 1
    assert "60.000 errores" in told


def test_one_document_of_all_rows(tmp_path: Path) -> None:
    path = rows_of_text(tmp_path / "a.csv", 60_000)
    code, told = check(path, most_s=30)
    assert code == 1
    assert "SHT-023" in told
    assert "60.000 líneas" in told


def test_one_document_of_all_text(tmp_path: Path) -> None:
    """Few lines, each as long as a cell can be: packed they are nothing, and read they would be gigabytes."""
    path = rows_of_text(tmp_path / "a.csv", 3_000, Descripción="x" * 30_000)
    code, told = check(path, most_s=30)
    assert code == 1
    assert "SHT-023" in told


def test_lines_that_one_quote_holds_together(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    field = b'"' + b"x\n" * 250_000 + b'";'
    with path.open("wb") as file:
        file.write(";".join(HEADINGS).encode() + b"\n")
        for _ in range(200):
            file.write(field)
    code, told = check(str(path))
    assert code == 2
    assert "2 MB" in told


@pytest.mark.deep
def test_texts_that_are_all_different(tmp_path: Path) -> None:
    """Shared texts that no packing makes small."""
    lines = ["".join(f'<c t="s"><v>{n * 500 + m}</v></c>' for m in range(500)) for n in range(800)]
    rows = "".join(f'<row r="{n}">{line}</row>' for n, line in enumerate(lines, 2))
    texts = "".join(f"<si><t>{hashlib.sha256(str(n).encode()).hexdigest()}</t></si>" for n in range(400_000))
    path = write_raw_xlsx(tmp_path / "a.xlsx", headings() + rows, **{"xl/sharedStrings.xml": f"<sst>{texts}</sst>"})
    code, told = check(path, most_s=60)
    assert code in (1, 2)
    assert "MB" in told or "SHT-" in told


def test_old_format_full_of_numbers(tmp_path: Path) -> None:
    """30 MB of it are five million numbers, and each would be an object."""
    code, told = check(old_workbook(tmp_path / "a.xls", n_rows=30_000, n_columns=75))
    assert code == 2
    assert "1.500.000" in told


def old_workbook(path: Path, n_rows: int, n_columns: int) -> str:
    """A workbook of the old format whose rows are one record of numbers each, as Excel writes them."""

    def record(kind: int, data: bytes) -> bytes:
        return struct.pack("<HH", kind, len(data)) + data

    def begin(kind: int) -> bytes:
        return record(0x809, struct.pack("<HHHHII", 0x600, kind, 0x0DBB, 0x07CC, 0, 6))

    name = b"Facturas"
    at = len(begin(5)) + 4 + 8 + len(name) + 4
    head = begin(5) + record(0x85, struct.pack("<IBBBB", at, 0, 0, len(name), 0) + name) + record(0x0A, b"")
    numbers = b"".join(struct.pack("<HI", 0, (n << 2) | 2) for n in range(n_columns))
    rows = b"".join(
        record(0xBD, struct.pack("<HH", row, 0) + numbers + struct.pack("<H", n_columns - 1)) for row in range(n_rows)
    )
    XlsDoc().save(str(path), head + begin(0x10) + rows + record(0x0A, b""))
    return str(path)


@pytest.mark.parametrize("text", ["_xD83D_", "_xDE00__xD83D_", "_x0000_", "_xFFFF_"])
def test_characters_that_are_none(tmp_path: Path, text: str) -> None:
    """Halves of characters have no UTF-8 form: nothing may end with a traceback because of one."""
    values = [text if name == "Descripción" else value for name, value in zip(HEADINGS, a_table()[1], strict=True)]
    cells = "".join(inline(f"{chr(65 + n)}2", str(one)) for n, one in enumerate(values) if one is not None)
    code, told = check(write_raw_xlsx(tmp_path / "a.xlsx", f'{headings()}<row r="2">{cells}</row>'))
    assert code in (0, 1)
    assert "1 trabajo" in told
