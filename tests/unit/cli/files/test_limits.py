"""Files that would kill, hang or fill a process: each is refused with its number, quickly and in little memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import xlwt

from tests.sheet_files import a_table, inline, write_csv, write_raw_xlsx

MOST_KB = 200 * 1024
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


def check(path: str) -> tuple[int, str]:
    """The exit status of ``check`` and what it said; memory and processor time are bounded for each."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FACTUS_", "COV"))}
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, path], capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["kb"] < MOST_KB, told
    # Of the processor, not of the clock: a busy machine makes no file slow. An idle one takes less than half of it.
    assert told["cpu_s"] < 10, told
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
    assert "8 MB" in told


def test_text_of_one_cell(tmp_path: Path) -> None:
    """No tag is long, and what a cell holds is held no longer than a cell can be."""
    text = "a>" * 45_000_000
    path = write_raw_xlsx(tmp_path / "a.xlsx", f'{headings()}<row r="2">{inline("A2", text)}</row>')
    code, told = check(path)
    assert code == 1
    assert "SHT-012" in told
