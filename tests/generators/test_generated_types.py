"""
Types that public generators make of the AsyncAPI document: they compile, what they write passes `check`,
and what they read is told apart by its type.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from worker.cli.contract.formats import asyncapi_json
from worker.cli.contract.messages import event_messages

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
pytestmark = [pytest.mark.deep, pytest.mark.timeout(1200)]


def run(folder: Path, *command: str, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=600, env={**os.environ, **environment}
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generators of package.json and what they made of the document."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm and node are not here: the generators are npm packages (package.json)")
    folder = tmp_path_factory.mktemp("generated")
    for name in ("package.json", "generate.mjs", "first_job.ts"):
        shutil.copy(HERE / name, folder / name)
    installed = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder, capture_output=True, text=True
    )
    if installed.returncode:
        pytest.skip(f"npm cannot install the generators here: {installed.stderr.strip()[-300:]}")
    (folder / "asyncapi.json").write_text(asyncapi_json(), encoding="utf-8")
    run(folder, "node", "generate.mjs", "asyncapi.json")
    return folder


@pytest.fixture
def event() -> dict[str, Any]:
    found: dict[str, Any] = event_messages()["invoice.validated"]["examples"][0]["payload"]
    return found


def holds(folder: Path, written: str, event: dict[str, Any]) -> None:
    """The job that a program wrote is fine by `check`, and the program read the event's number and CUFE."""
    said = json.loads(written)
    assert said["told"] == f"{event['data']['number']} {event['data']['cufe']}"
    (folder / "job.json").write_text(json.dumps(said["job"]), encoding="utf-8")
    checked = json.loads(
        run(folder, sys.executable, "-m", "worker", "check", "--json", "job.json", PYTHONPATH=str(ROOT))
    )
    assert (checked["checked"], checked["errors"]) == (1, [])
    assert "null" not in json.dumps(said["job"])


def test_typescript_compiles_and_writes_what_check_takes(generated: Path, event: dict[str, Any]) -> None:
    compiler = ("node_modules/.bin/tsc", "--strict", "--target", "es2022", "--module", "nodenext")
    run(generated, *compiler, "--skipLibCheck", "false", "first_job.ts")
    holds(generated, run(generated, "node", "first_job.js", json.dumps(event)), event)


def test_typescript_has_one_type_for_each_schema(generated: Path) -> None:
    """A second one with a digit behind its name, or a nameless one, is a shape that the generator tripped over."""
    names = [line.split()[2] for line in (generated / "contract.ts").read_text().splitlines() if line[:7] == "export "]
    assert len(names) > 200
    assert not [name for name in names if not name.isascii() or name[-1].isdigit()]


def test_go_compiles_and_writes_what_check_takes(generated: Path, event: dict[str, Any]) -> None:
    if shutil.which("go") is None:
        pytest.skip("go is not here")
    folder = generated / "go"
    folder.mkdir()
    quicktype = (str(generated / "node_modules/.bin/quicktype"), "--src-lang", "schema", "--lang", "go")
    sources = [str(generated / f"{name}.json") for name in ("InvoiceIssueJob", "InvoiceValidatedEvent")]
    run(folder, *quicktype, "--package", "main", "--out", "contract.go", *sources)
    (folder / "go.mod").write_text("module firstjob\n\ngo 1.19\n")
    shutil.copy(HERE / "first_job.go.txt", folder / "main.go")
    run(folder, "go", "vet", ".", GOFLAGS="-mod=mod", GOTOOLCHAIN="local")
    holds(folder, run(folder, "go", "run", ".", json.dumps(event), GOFLAGS="-mod=mod", GOTOOLCHAIN="local"), event)
