"""Bodies of version 1 on the command line: payloads on one side, what was inferred on the other."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from tests.unit.schemas.version_1.test_convert import a_body
from worker.cli.check.command import command as check
from worker.cli.convert.command import command


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments])


def write(path: Path, *bodies: object) -> str:
    path.write_text("\n".join(json.dumps(body) for body in bodies), encoding="utf-8")
    return str(path)


def test_payloads_go_to_standard_output_and_the_report_does_not(tmp_path: Path) -> None:
    done = run(write(tmp_path / "a.jsonl", a_body(), a_body(reference_code="V1-2")))
    assert done.exit_code == 0
    assert [json.loads(line)["reference_code"] for line in done.stdout.splitlines()] == ["V1-1", "V1-2"]
    assert "municipio 980" in done.stderr
    assert "diferencia" in done.stderr


def test_converted_file_passes_the_check(tmp_path: Path) -> None:
    for name in ("b.json", "b.jsonl"):
        out = str(tmp_path / name)
        assert run(write(tmp_path / "a.jsonl", a_body(), a_body(reference_code="V1-2")), "--out", out).exit_code == 0
        assert CliRunner().invoke(check, [out]).exit_code == 0


def test_envelopes_stay_envelopes(tmp_path: Path) -> None:
    pushed = {"type": "invoice.issue", "id": "a", "payload_version": "v1", "payload": a_body()}
    (line,) = run(write(tmp_path / "a.jsonl", pushed)).stdout.splitlines()
    found = json.loads(line)
    assert (found["id"], "payload_version" in found, "payment_details" in found["payload"]) == ("a", False, True)


def test_what_cannot_be_said_is_named_and_the_rest_is_converted(tmp_path: Path) -> None:
    bad = a_body()
    bad["customer"]["municipality_id"] = 1123
    done = run(write(tmp_path / "a.jsonl", bad, a_body(reference_code="V1-2")))
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 1
    assert "customer.municipality_id" in done.stderr


def test_wrong_usage(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", a_body())
    assert run(path, "--out", "b.xlsx").exit_code == 2
    assert run(str(tmp_path / "a.csv")).exit_code == 2
    assert run(str(tmp_path / "none.json")).exit_code == 2
    assert run(write(tmp_path / "b.jsonl", [1])).exit_code == 2
