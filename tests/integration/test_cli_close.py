"""``factus-worker close`` as it is typed beside a running service: the screen, the files, and ``close verify``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from click.testing import CliRunner, Result

from tests.integration.families import FAMILY_CASES
from tests.integration.service import Live, TestedAccount
from tests.integration.service import live as running
from tests.integration.test_closing import issue, rejected, sha256_of, today
from worker.cli.files.workbooks import SheetOptions, read_sheet
from worker.cli.group import cli

BILLS = FAMILY_CASES["invoice"]
Run = Callable[..., Result]
CERTIFICATE = {"account": "acme", "day": "2026-11-25", "previous_sha256": None}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Iterator[Live]:
    with running(tmp_path_factory.mktemp("cli_close"), valkey_url, "cliclose") as found:
        yield found


@pytest.fixture
def run(valkey_url: str, tenant: TestedAccount, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setenv("FACTUS_REDIS_URL", valkey_url)
    monkeypatch.setenv("FACTUS_NAMESPACE", "cliclose")
    monkeypatch.chdir(tmp_path)

    def typed(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["close", *arguments])

    return typed


def shown(found: Result) -> Any:
    """The JSON of a command: the service beside it, in this process, may log into what is captured."""
    return json.JSONDecoder().raw_decode(found.output, found.output.index("{\n"))[0]


def cells(path: Path, sheet: str) -> list[str]:
    """All texts of a sheet, read back by the service's own reader."""
    table = read_sheet(str(path), lambda _: 0, SheetOptions(sheet=sheet))
    return [str(value) for _, row in table.rows for value in row if value is not None]


def test_a_good_day_is_shown_and_written(run: Run, tenant: TestedAccount, tmp_path: Path) -> None:
    (document,) = issue(tenant)
    rejected(tenant)
    issue(tenant)
    found = run("hoy", "--account", tenant.name, "--out", "cierres")
    assert found.exit_code == 0, found.output
    assert "Todos los números están explicados" in found.output
    assert "Provisional" in found.output
    base = tmp_path / "cierres" / f"cierre-{tenant.name}-{today()}"
    certificate = json.loads(base.with_suffix(".json").read_text(encoding="utf-8"))
    assert certificate["sha256"] == sha256_of(certificate)
    page = base.with_suffix(".html").read_text(encoding="utf-8")
    assert document["number"] in page
    assert "FAK24" in page
    assert not any(word in page for word in ("http:", "https:", "src=", "href=", "<script", "@import", "url("))
    assert certificate["sha256"] in cells(base.with_suffix(".xlsx"), "Resumen")
    assert sorted(path.name for path in base.parent.iterdir()) == [f"{base.name}.{e}" for e in ("html", "json", "xlsx")]


def test_a_hole_is_1_and_named(run: Run, tenant: TestedAccount) -> None:
    (document,) = issue(tenant)
    at = int(document["number"].removeprefix("SETP"))
    assert tenant.ask("PATCH", "/v2/numbering-ranges/389/current", json={"current": at + 2}).status_code == 200
    issue(tenant)
    found = run(today(), "--account", tenant.name)
    assert found.exit_code == 1
    assert "1 número sin explicar" in found.output
    assert f"SETP{at + 1}" in found.output
    as_json = run(today(), "--account", tenant.name, "--json")
    assert as_json.exit_code == 1
    assert shown(as_json)["prefixes"][0]["unexplained"] == 1


@pytest.mark.parametrize("ending", ["csv", "xlsx", "json"])
def test_control_files_are_compared(run: Run, tenant: TestedAccount, tmp_path: Path, ending: str) -> None:
    (document,) = issue(tenant)
    file = tmp_path / f"totales.{ending}"
    heads = ["Clase", "Prefijo", "Cantidad", "Total", "IVA"]
    row = ["Factura", "SETP", "1", document["total"].replace(".", ","), document["tax_amount"].replace(".", ",")]
    if ending == "csv":
        file.write_text("\n".join(";".join(one) for one in (heads, row)), encoding="cp1252")
    elif ending == "xlsx":
        book = xlsxwriter.Workbook(str(file))
        sheet = book.add_worksheet("Totales")
        sheet.write_row(0, 0, heads)
        sheet.write_row(1, 0, ["Factura", "SETP", 1, float(document["total"]), float(document["tax_amount"])])
        book.close()
    else:
        control = {"family": "invoice", "prefix": "SETP", "count": 1, "total": document["total"]}
        file.write_text(json.dumps([control]), encoding="utf-8")
    found = run("hoy", "--account", tenant.name, "--control", str(file))
    assert (found.exit_code, "los totales de control cuadran" in found.output) == (0, True), found.output


def test_a_control_total_off_by_a_cent_is_1(run: Run, tenant: TestedAccount, tmp_path: Path) -> None:
    issue(tenant)
    file = tmp_path / "totales.csv"
    file.write_text("familia,prefijo,total\nfactura,SETP,83300.01\n", encoding="utf-8")
    found = run("hoy", "--account", tenant.name, "--control", str(file))
    assert found.exit_code == 1
    assert "1 diferencia con el control" in found.output
    assert "83.300,01" in found.output
    assert "83.300,00" in found.output


def test_a_faulty_cell_is_named_and_nothing_is_pushed(run: Run, tenant: TestedAccount, tmp_path: Path) -> None:
    file = tmp_path / "totales.csv"
    file.write_text(
        "familia;prefijo;cantidad;total\nfactura;SETP;1;1.234\nrecibo;X;1;2,00\nfactura;FE;;3,00\nfactura;A;1;mil\n",
        encoding="utf-8",
    )
    found = run("hoy", "--account", tenant.name, "--control", str(file), "--json")
    assert found.exit_code == 1
    told = {(one["cell"], one["rule"]) for one in shown(found)["errors"]}
    assert told == {("A3", "SHT-014"), ("C4", "SHT-008"), ("D5", "SHT-010")}
    assert not tenant.seen(), "nothing was asked of Factus"


@pytest.mark.parametrize(
    "arguments",
    [
        ["ayer", "otra"],
        ["2026-02-30"],
        ["mañana"],
        ["2999-01-01"],
        ["verify"],
        ["verify", "nada.json"],
        ["hoy", "--control", "falta.csv"],
    ],
)
def test_wrong_usage_is_2(run: Run, arguments: list[str]) -> None:
    found = run(*arguments)
    assert found.exit_code == 2, found.output


@pytest.mark.parametrize(
    "content",
    ["[]", '{"control": []}', "[{}]", '{"control": [{}, {}]}', '[{"family": null, "total": null}]', "{}", "null"],
)
def test_a_control_file_without_totals_is_2_and_no_day_is_closed(
    run: Run, tenant: TestedAccount, tmp_path: Path, content: str
) -> None:
    """An empty list in a job is a job without totals: compared with nothing, the day looked like one that agrees."""
    file = tmp_path / "totales.json"
    file.write_text(content, encoding="utf-8")
    found = run("hoy", "--account", tenant.name, "--control", str(file))
    assert found.exit_code == 2, found.output
    assert "totales.json" in found.output
    assert not list(tmp_path.glob("cierre-*"))


def test_a_closing_that_is_refused_is_1_with_its_reason(run: Run, tenant: TestedAccount, tmp_path: Path) -> None:
    file = tmp_path / "totales.json"
    file.write_text('[{"family": "recibo", "total": "1.00"}]', encoding="utf-8")
    found = run("hoy", "--account", tenant.name, "--control", str(file))
    assert found.exit_code == 1
    assert "control.0.family" in found.output


def test_verify_follows_the_chain_and_finds_what_was_changed(run: Run, tenant: TestedAccount, tmp_path: Path) -> None:
    issue(tenant)
    for _ in range(3):
        assert run("hoy", "--account", tenant.name, "--out", "c").exit_code == 0
    folder = tmp_path / "c"
    certificates = sorted(folder.glob("*.json"))
    assert len(certificates) == 3, "a former one of the day stays, for the chain"
    good = run("verify", "c")
    assert (good.exit_code, "3 certificados de 1 cuenta: las huellas y la cadena están bien" in good.output) == (
        0,
        True,
    )
    last = folder / f"cierre-{tenant.name}-{today()}.json"
    alone = run("verify", str(last))
    assert (alone.exit_code, "el anterior no está aquí" in alone.output) == (0, True)
    text = last.read_text(encoding="utf-8")
    last.write_text(text.replace('"83300.00"', '"83300.01"'), encoding="utf-8")
    changed = run("verify", "c", "--json")
    assert changed.exit_code == 1
    assert [one["what"] for one in shown(changed)["flaws"]] == ["changed"]
    last.write_text(text, encoding="utf-8")
    middle = next(
        path for path in certificates if json.loads(path.read_text())["sha256"] == json.loads(text)["previous_sha256"]
    )
    middle.unlink()
    gap = run("verify", "c")
    assert (gap.exit_code, "falta el certificado anterior" in gap.output) == (1, True)


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "{",
        "[]",
        '{"sha256": "%s"}' % ("a" * 64),
        json.dumps({**CERTIFICATE, "sha256": sha256_of(CERTIFICATE).upper()}),
    ],
)
def test_verify_tells_a_certificate_that_can_no_longer_be_read(run: Run, tmp_path: Path, damaged: str) -> None:
    """Nothing else tells of the last one: the chain before it is whole, and a foreign file beside it is no fault."""
    whole = {**CERTIFICATE, "sha256": sha256_of(CERTIFICATE)}
    (tmp_path / "cierre-acme-2026-11-25.json").write_text(json.dumps(whole), encoding="utf-8")
    (tmp_path / "otro.json").write_text("{", encoding="utf-8")
    assert run("verify", str(tmp_path)).exit_code == 0
    last = tmp_path / "cierre-acme-2026-11-26.json"
    last.write_text(damaged, encoding="utf-8")
    found = run("verify", str(tmp_path), "--json")
    assert found.exit_code == 1, found.output
    told = shown(found)
    assert [(one["what"], one["file"]) for one in told["flaws"]] == [("changed", str(last))]
    assert not told["is_sound"]
    assert "no están como se hicieron" in run("verify", str(tmp_path)).output


def test_what_others_wrote_is_inert_in_the_files(run: Run, tenant: TestedAccount, tmp_path: Path) -> None:
    body = BILLS.body(tenant, "=HYPERLINK(1)<script>alert(1)</script>")
    BILLS.at_factus(tenant, body)
    assert run("hoy", "--account", tenant.name).exit_code == 0
    base = tmp_path / f"cierre-{tenant.name}-{today()}"
    page = base.with_suffix(".html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert body["reference_code"] in cells(base.with_suffix(".xlsx"), "Números no emitidos aquí")


def test_without_a_worker_it_is_told_that_it_stays_pushed(
    run: Run, monkeypatch: pytest.MonkeyPatch, real_redis: Any, namespace: str
) -> None:
    monkeypatch.setenv("FACTUS_NAMESPACE", namespace)
    found = run("hoy", "--account", "acme", "--timeout", "1ms")
    assert found.exit_code == 1
    assert "No llegó respuesta a tiempo" in found.output
