"""``close --control``: cells that are wrong are told as ``check`` tells them, and nothing is asked of Redis."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from worker.cli.group import cli


@pytest.fixture
def control(tmp_path: Path) -> str:
    path = tmp_path / "control.csv"
    path.write_text("Familia;Prefijo;Cantidad;Total\nfactura;SETP;muchas;10\n", encoding="utf-8")
    return str(path)


def test_a_wrong_cell_is_shown_with_its_rule_and_ends_with_1(control: str) -> None:
    found = CliRunner().invoke(cli, ["close", "hoy", "--control", control])
    assert found.exit_code == 1, found.output
    for word in ("Celda", "Qué hacer", "C2", "Cantidad", "muchas", "["):
        assert word in found.output


def test_a_wrong_cell_has_eight_keys_for_programs(control: str) -> None:
    found = CliRunner().invoke(cli, ["close", "hoy", "--control", control, "--json"])
    assert found.exit_code == 1, found.output
    (error,) = json.loads(found.stdout)["errors"]
    assert [*error] == ["file", "sheet", "cell", "heading", "value", "code", "rule", "message"]
    assert (error["cell"], error["value"], error["code"]) == ("C2", "muchas", "payload.invalid")
