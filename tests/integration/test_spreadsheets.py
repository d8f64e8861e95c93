"""
A month of invoices from a spreadsheet, as an accountant does it: fill in, check, correct, submit, correct, submit.

Real processes: the commands, a worker, an embedded server and the local Factus on a socket.
"""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from schemas.sheets.cells import letters
from tests import processes
from tests.patience import PATIENCE_S
from tests.service_processes import start_process, start_sandbox, stop_processes, until
from tests.unit.schemas.version_1.test_convert import a_body
from worker.settings.environment import environment_for_child

pytestmark = pytest.mark.timeout(300)
N_INVOICES = 30
REJECTED = "FV-017"


@dataclass
class Desk:
    """A folder in which commands are run, and the Factus that they reach."""

    folder: Path
    variables: dict[str, str]
    url: str

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return processes.run("worker", *arguments, folder=self.folder, env=self.variables, timeout_s=240)

    def at_factus(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/_sandbox/{path}") as answer:
            return json.load(answer)

    def fault(self, **rule: Any) -> None:
        body = json.dumps({"rules": [rule]}).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox/faults", body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request).close()

    @contextmanager
    def worker(self) -> Iterator[None]:
        log = self.folder / "worker.log"
        process = start_process("worker", "run", folder=self.folder, log=log, env=self.variables)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    sandbox, url = start_sandbox(tmp_path, "--latency", "10ms", "--seed", "3")
    ours = {
        "FACTUS_REDIS_URL": "embedded:data",
        "FACTUS_BASE_URL": url,
        "FACTUS_CLIENT_ID": "x",
        "FACTUS_CLIENT_SECRET": "x",
        "FACTUS_USERNAME": "acme",
        "FACTUS_PASSWORD": "x",
    }
    yield Desk(tmp_path, environment_for_child(**ours), url)
    stop_processes([sandbox])


MISTAKES: dict[int, tuple[str, Any]] = {
    2: ("Identificación", "9,00100E+08"),
    4: ("Municipio", "Macondo"),
    6: ("Correo", "sin arroba"),
    9: ("Precio", "1.234"),
    11: ("Cantidad", None),
    14: ("IVA", "diecinueve"),
    18: ("DV", "7"),
    21: ("Vencimiento", "pronto"),
    25: ("Total", 1),
    28: ("Precio", "#DIV/0!"),
}
"""Row of the invoice (from 0), the column, and what stands there."""


def fill(path: Path, *, with_mistakes: bool) -> dict[str, int]:
    """Thirty invoices in place of the template's examples; the columns by their headings."""
    book = openpyxl.load_workbook(path)
    page = book["Facturas"]
    columns = {cell.value: cell.column for cell in page[1]}
    page.delete_rows(2, page.max_row)
    for n in range(N_INVOICES):
        row = {
            "Referencia": f"FV-{n:03}",
            "Tipo identificación": "NIT",
            "Identificación": "900100200",
            "DV": "0",
            "Nombre": "Comercializadora La Sabana SAS",
            "Correo": "facturas@lasabana.example",
            "Dirección": "Carrera 7 # 71-21",
            "Municipio": "Bogotá",
            "Forma de pago": "contado",
            "Medio de pago": "Efectivo",
            "Código": f"A{n}",
            "Descripción": "Resma de papel",
            "Cantidad": 1 + n % 3,
            "Precio": 10_000,
            "IVA": "19%",
        }
        if with_mistakes and n in MISTAKES:
            name, value = MISTAKES[n]
            row[name] = value
        for name, value in row.items():
            page.cell(n + 2, columns[name]).value = value
    book.save(path)
    return columns


def test_thirty_invoices_from_template_to_validation(desk: Desk) -> None:
    path = desk.folder / "noviembre.xlsx"
    assert desk.run("submit", "--template", path.name).returncode == 0
    columns = fill(path, with_mistakes=True)

    # Every mistake is told at its cell, in one pass; and nothing is sent while there is one.
    checked = desk.run("check", path.name, "--json")
    assert checked.returncode == 1
    told = {error["cell"] for error in json.loads(checked.stdout)["errors"]}
    assert told == {f"{letters(columns[name] - 1)}{n + 2}" for n, (name, _) in MISTAKES.items()}
    shown = desk.run("check", path.name)
    assert all(f"Facturas!{cell}" in shown.stdout for cell in told)
    refused = desk.run("submit", path.name, "--wait")
    assert refused.returncode == 1
    assert "No se envió nada: hay 10 errores" in refused.stderr

    # Ctrl-C while nothing issues yet: what was pushed stays, and the command says how to look again.
    fill(path, with_mistakes=False)
    desk.fault(
        on="create", reference=REJECTED, attempt=1,
        effect={"kind": "reject", "rules": {"FAK21": "Regla: FAK21, Rechazo: el correo del adquiriente no existe"}},
    )  # fmt: skip
    shown = desk.folder / "shown.txt"
    command = ("worker", "submit", path.name, "--wait")
    waiting = start_process(*command, folder=desk.folder, log=shown, env=desk.variables)
    until(lambda: "0 de 30" in shown.read_text())
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(PATIENCE_S) == 1
    out = shown.read_text()
    assert "30 siguen en cola y SE VAN A EMITIR" in out
    assert "la misma orden otra vez" in out
    assert desk.at_factus("documents?account=acme") == []

    with desk.worker():
        # The same command goes on: nothing is pushed twice.
        first = desk.run("submit", path.name, "--wait")
        assert first.returncode == 1, first.stdout + first.stderr
        assert "Validados invoice: 29" in first.stdout
        assert "FAK21" in first.stdout or "el correo del adquiriente" in first.stdout

        results = desk.folder / "noviembre.resultado.xlsx"
        assert f"factus-worker submit {results.name} --wait" in first.stdout
        rows = rows_of(results, "Resultados")
        assert sorted(row["Resultado"] for row in rows) == ["Rechazado"] + ["Validado"] * 29
        (rejected,) = [row for row in rows if row["Resultado"] == "Rechazado"]
        assert (rejected["Referencia"], rejected["Regla"]) == (REJECTED, "FAK21")
        assert all(len(row["CUFE"]) == 96 for row in rows if row["Resultado"] == "Validado")
        to_correct = rows_of(results, "Por corregir")
        assert [row["Referencia"] for row in to_correct] == [REJECTED]

        correct(results, "Correo", "tesoreria@lasabana.example")
        second = desk.run("submit", results.name, "--wait")
        assert second.returncode == 0, second.stdout + second.stderr
        assert "Validados invoice: 1" in second.stdout

        # Sent once more, nothing of it is new.
        n_posted = posted(desk)
        desk.run("submit", path.name, "--wait")
        assert posted(desk) == n_posted == N_INVOICES + 1

    documents = desk.at_factus("documents?account=acme")
    assert sorted(one["reference_code"] for one in documents) == [f"FV-{n:03}" for n in range(N_INVOICES)]
    assert {one["state"] for one in documents} == {"validated"}


def posted(desk: Desk) -> int:
    """How many creates of bills Factus has processed."""
    report = desk.at_factus("report")
    return int(report["accounts"]["acme"]["families"]["bills"]["creates_posted"])


def rows_of(path: Path, sheet: str) -> list[dict[str, Any]]:
    head, *rows = openpyxl.load_workbook(path)[sheet].iter_rows(values_only=True)
    return [dict(zip(head, row, strict=True)) for row in rows]


def correct(path: Path, heading: str, value: str) -> None:
    book = openpyxl.load_workbook(path)
    page = book["Por corregir"]
    column = next(cell.column for cell in page[1] if cell.value == heading)
    page.cell(2, column).value = value
    book.save(path)


def test_part_of_a_file_and_answers_for_programs(desk: Desk) -> None:
    path = desk.folder / "diciembre.xlsx"
    desk.run("submit", "--template", path.name)
    fill(path, with_mistakes=True)
    with desk.worker():
        done = desk.run("submit", path.name, "--partial", "--wait", "--json", "--results", "fin.csv")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["pushed"] == N_INVOICES - len(MISTAKES)
    assert len(told["errors"]) == len(MISTAKES)
    assert {one["success"] for one in told["results"]} == {True}
    assert all(len(one["cufe"]) == 96 for one in told["results"])
    lines = (desk.folder / "fin.csv").read_text(encoding="utf-8-sig").splitlines()
    assert sum('"No enviado"' in line for line in lines) == len(MISTAKES)
    assert len((desk.folder / "fin.por-corregir.csv").read_text(encoding="utf-8-sig").splitlines()) == 1 + len(MISTAKES)


def test_bodies_of_version_1_are_issued_and_reported(desk: Desk) -> None:
    path = desk.folder / "v1.jsonl"
    bad = a_body(reference_code="V1-2")
    bad["customer"]["municipality_id"] = 1123
    path.write_text("\n".join(json.dumps(one) for one in (a_body(reference_code="V1-1"), bad)), encoding="utf-8")
    assert "customer.municipality_id" in desk.run("submit", path.name, "--from", "v1").stdout
    path.write_text(json.dumps(without_range(a_body(reference_code="V1-1"))), encoding="utf-8")
    with desk.worker():
        done = desk.run("submit", path.name, "--from", "v1", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    (event,) = [json.loads(line) for line in desk.run("results", "--json").stdout.splitlines()]
    assert [one["code"] for one in event["data"]["warnings"]] == ["payload.converted"]
    assert "San Gil" in event["data"]["warnings"][0]["message"]
    converted = desk.run("convert", path.name, "--out", "v2.json")
    assert converted.returncode == 0
    assert "municipio 980" in converted.stderr
    assert desk.run("check", "v2.json").returncode == 0


def without_range(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != "numbering_range_id"}
