"""The commands as a user meets them: quick help, exit codes, plain lines in a pipe."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jobs.errors import ConfigurationError
from jobs.registry import JOB_TYPES
from tests.builders import a_bill
from worker.cli.commands import COMMANDS
from worker.cli.console import plain_lines
from worker.cli.demo.stage import MARK, demo_folder
from worker.cli.group import cli

_LOADED = """
import sys
from worker.cli.group import cli
try:
    cli(sys.argv[1:], prog_name="factus-worker")
except SystemExit:
    pass
heavy = {"pydantic", "redis", "arq", "rich", "httpx", "structlog"}
print("loaded:", *sorted(heavy & {name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""
_NAMED = ("submit", "check", "results", "status", "demo", "contract")


def run(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(cli, list(arguments), input=stdin)


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in _NAMED)])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    """A shell completion or a glance at the options must not wait for pydantic."""
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, *arguments, "--help"], capture_output=True, text=True, check=True
    )
    assert "Uso: factus-worker" in done.stdout
    assert done.stderr.strip() == "loaded:"


def test_help_names_every_command() -> None:
    shown = run("--help").output
    assert all(f"  {name} " in shown for name in COMMANDS)


def test_check_tells_errors_by_line_and_fails(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text(json.dumps(a_bill()) + "\n" + json.dumps(a_bill() | {"descuento": 1}), encoding="utf-8")
    done = run("check", str(path))
    assert done.exit_code == 1
    assert f"{path}:2" in done.output
    assert "\x1b" not in done.output
    found = json.loads(run("check", "--json", str(path)).output)
    assert found["checked"] == 2
    (error,) = found["errors"]
    assert error.pop("message")
    assert error == {
        "source": str(path),
        "line": 2,
        "index": None,
        "reference": "ERP-2026-000123",
        "code": "payload.invalid",
        "field": "descuento",
        "rule": "GEN-002",
        "retryable": False,
    }


def test_check_says_which_type_it_took_bare_payloads_for(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text(json.dumps({"catalog": "municipalities", "query": "bogota"}), encoding="utf-8")
    assert "se revisó como invoice.issue" in run("check", str(path)).output
    assert "se revisó como" not in run("check", "--type", "catalog.search", str(path)).output
    path.write_text(json.dumps({"type": "invoice.issue", "payload": {}}), encoding="utf-8")
    assert "se revisó como" not in run("check", str(path)).output


def test_check_says_how_many_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    warned = {"type": "invoice.issue", "options": {"track_radian": True}, "payload": a_bill(reference_code="W")}
    path.write_text(json.dumps([a_bill(), warned]), encoding="utf-8")
    done = run("check", str(path))
    assert done.exit_code == 0
    assert "2 trabajos: 1 bien, 1 solo con avisos, 0 con errores" in done.output


@pytest.mark.parametrize("name", ["check", "submit"])
def test_help_lists_every_job_type(name: str) -> None:
    shown = set(run(name, "--help").output.replace(":", " ").replace(",", " ").split())
    assert {part for job_type in JOB_TYPES for part in job_type.split(".")} <= shown


def test_check_reads_standard_input() -> None:
    assert run("check", "-", stdin=json.dumps(a_bill())).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["submit", "a.csv"], "a.csv: no existe"),
        (["submit", "missing.json"], "missing.json: no existe"),
        (["submit", "-"], "no tienen ningún trabajo"),
        (["submit", "-", "--timeout", "5"], "un tiempo es un número y"),
        (["submit", "-", "--issue-on", "30/11/2026"], "AAAA-MM-DD"),
        (["submit", "-", "--account", "Acme"], "a-z, 0-9"),
        (["results", "--since", "yesterday"], "un tiempo (10m)"),
        (["results", "--since", "99999999999999999999"], "el id de una entrada"),
        (["results", "--since", "18446744073709551616-0", "--follow"], "el id de una entrada"),
        (["results", "--since", "1-18446744073709551616"], "el id de una entrada"),
        (["results", "--since", "١٢٣"], "el id de una entrada"),
        (["webhooks", "replay", "shop", "--since", "١"], "el id de una entrada"),
        (["webhooks", "replay", "shop", "--since", "1h", "--until", "18446744073709551616"], "--until"),
        (["results", "--since", ""], "un tiempo (10m)"),
        (["dead", "list", "--since", ""], "un tiempo (10m)"),
        (["webhooks", "replay", "shop", "--since", "1h", "--until", ""], "--until"),
        (["results", "--since", "10m", "--group", "g"], "sigue desde donde quedó"),
        (["status", "--account", "acme"], "van con una REFERENCIA"),
        (["submit", "-", "--type", "invoice.mail"], "¿Quiso decir invoice.email"),
        (["check"], "Falta el argumento 'ARCHIVO...'"),
        (["check", "-"], "no tienen ningún trabajo"),
        (["check", "a.xlsx"], "a.xlsx: no existe"),
        (["check", "-", "--type", "invoice"], "no es un tipo de trabajo"),
    ],
)
def test_wrong_usage_is_2_and_names_what_is_wrong(arguments: list[str], word: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert word in done.output


def test_broken_file_is_named_and_nothing_is_pushed(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text('{"a": 1}\n{broken\n', encoding="utf-8")
    done = run("submit", str(path))
    assert done.exit_code == 2
    assert f"{path}:2: No es JSON" in done.output
    assert "No se envió nada" in done.output


def test_plain_lines_are_aligned_and_clean() -> None:
    assert plain_lines([["a", "n"], ["long one", "1"], ["b\x1b[2J", "22"]], right=(1,)) == [
        "a          n",
        "long one   1",
        "b [2J     22",
    ]


def test_demo_wipes_its_own_folder_and_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with demo_folder(folder):
        (folder / "left").mkdir()
        with pytest.raises(ConfigurationError, match="en marcha"), demo_folder(folder):
            pass
    with demo_folder(folder):
        assert [path.name for path in folder.iterdir()] == [MARK]
    with pytest.raises(ConfigurationError, match="se deja como está"), demo_folder(tmp_path):
        pass
    assert folder.exists()
