"""The commands against the real parts: embedded server, local Factus on a socket, worker processes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobs.example_payloads import example
from tests import processes
from tests.builders import a_bill
from tests.patience import PATIENCE_S
from tests.service_processes import start_process, start_sandbox, stop_processes
from worker.settings.environment import environment_for_child


@dataclass
class Place:
    """A folder with a server, accounts and a local Factus; runs commands there."""

    folder: Path
    variables: dict[str, str]

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return processes.run("worker", *arguments, folder=self.folder, env=self.variables, stdin=stdin)

    def file(self, name: str, *lines: object) -> str:
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        (self.folder / name).write_text(text, encoding="utf-8")
        return name


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("cli")
    sandbox, url = start_sandbox(folder, "--latency", "20ms", "--seed", "1")
    accounts = [
        f'[accounts.{name}]\nclient_id = "x"\nclient_secret = "x"\nusername = "{name}"\npassword = "x"\n{own}'
        for name, own in (("acme", ""), ("northwind", "own_streams = true\n"))
    ]
    (folder / "accounts.toml").write_text("\n".join(accounts), encoding="utf-8")
    ours = {"FACTUS_REDIS_URL": "embedded:data", "FACTUS_ACCOUNTS_FILE": "accounts.toml", "FACTUS_BASE_URL": url}
    yield Place(folder, environment_for_child(**ours))
    stop_processes([sandbox])


@pytest.fixture
def worker(place: Place) -> Iterator[None]:
    """A worker process while the test lasts."""
    log = place.folder / "worker.log"
    process = start_process("worker", "run", folder=place.folder, log=log, env=place.variables)
    yield
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0


def test_pushed_jobs_are_done_by_a_burst_and_explained(place: Place) -> None:
    """Push without a worker, work it off, read and explain: what a first user does."""
    assert place.run("status", "B-1").returncode == 1  # no server has ever run here
    jobs = [{"type": "invoice.issue", "id": f"b-{n}", "payload": a_bill(reference_code=f"B-{n}")} for n in (1, 2)]
    name = place.file("burst.json", json.dumps(jobs))
    assert place.run("submit", name, "--account", "acme", "--batch", "noche").returncode == 0
    assert "ningún trabajador lo ha recibido" in place.run("status", "B-1").stdout
    overview = place.run("status")
    assert (overview.returncode, "ningún trabajador está en marcha (2 trabajos abiertos)" in overview.stdout) == (
        1,
        True,
    )
    assert place.run("run", "--burst").returncode == 0
    events = [json.loads(line) for line in place.run("results", "--json").stdout.splitlines()]
    assert [(one["type"], one["job_id"], one["batch"]) for one in events] == [
        ("invoice.validated", "b-1", "noche"),
        ("invoice.validated", "b-2", "noche"),
        ("batch.completed", None, "noche"),
    ]
    told = place.run("status", "B-1")
    assert told.returncode == 0
    assert re.search(r"dónde: +terminado: invoice.validated", told.stdout)
    assert events[0]["data"]["number"] in told.stdout
    assert place.run("status", "NOBODY").returncode == 1
    grouped = [place.run("results", "--group", "erp", "--count", "1").stdout.count("validada") for _ in range(3)]
    assert grouped == [1, 1, 0]


def test_waiting_submit_reports_every_kind_of_end(place: Place, worker: None) -> None:
    """Common and own streams, a bare payload, a refusal; the failure is named with its reference and reason."""
    name = place.file(
        "mixed.jsonl",
        {"type": "invoice.issue", "account": "acme", "payload": a_bill(reference_code="W-1")},
        {"type": "invoice.issue", "account": "northwind", "payload": a_bill(reference_code="W-2")},
        a_bill(reference_code="W-3") | {"descuento": "1"},
        {"type": "invoice.issue", "account": "nobody", "payload": a_bill(reference_code="W-4")},
    )
    done = place.run("submit", name, "--account", "acme", "--wait", "--timeout", "90s")
    assert done.returncode == 1, done.stderr
    assert re.search(r"invoice.validated +2", done.stdout)
    assert re.search(r"W-3 +payload.invalid +La clave \"descuento\".* mixed.jsonl:3", done.stdout)
    assert re.search(r"W-4 +account.unknown", done.stdout)
    assert "Validados invoice: 2, por 166.600,00 en total, número" in done.stdout
    assert "\x1b" not in done.stdout
    again = place.run("submit", "-", "--wait", stdin=json.dumps({"id": "same", "account": "acme",
                      "payload": a_bill(reference_code="W-1")}))  # fmt: skip
    assert again.returncode == 0, again.stdout + again.stderr
    repeated = place.run("submit", "-", "--wait", "--timeout", "90s", stdin=json.dumps({"id": "same",
                         "account": "acme", "payload": a_bill(reference_code="W-1")}))  # fmt: skip
    assert repeated.returncode == 0, repeated.stdout + repeated.stderr
    assert place.run("results", "--account", "northwind", "--json").stdout.count("\n") == 1
    seen = json.loads(place.run("status", "--json").stdout)
    assert len(seen["workers"]) == 1
    assert seen["n_dead"] == 2
    assert "access" not in json.dumps(seen)


def test_families_calls_and_what_follows_are_told_apart(place: Place, worker: None) -> None:
    """What an ERP pushes in an evening: documents of several families with options, and calls."""
    credit = example("invoice.issue.credit") | {"reference_code": "F-1"}
    name = place.file(
        "evening.jsonl",
        {"type": "invoice.issue", "options": {"track_radian": True}, "payload": credit},
        {"type": "payroll.issue", "options": {"archive": ["xml"]}, "payload": example("payroll.issue")},
        {"type": "catalog.search", "payload": {"catalog": "municipalities", "query": "bogota"}},
        {"type": "invoice.get", "id": "look", "payload": {"number": "SETP1"}},
    )
    done = place.run("submit", name, "--account", "acme", "--wait", "--timeout", "90s")
    assert done.returncode == 1, done.stderr
    assert "Validados invoice: 1, por 386.750,00 en total, número SETP" in done.stdout
    assert "Validados payroll: 1, por 2.549.095,00 en total, número NEF" in done.stdout
    assert re.search(r"catalog.search +submit-\S+ +Filas encontradas: 1", done.stdout)
    assert re.search(r"SETP1 +factus.not_found", done.stdout)
    assert re.search(r"dónde: +terminado: invoice.get.failed", place.run("status", "look").stdout)
    told = place.run("status", "F-1").stdout
    assert re.search(
        r"radian: +pendiente: se vigila hasta .*; eventos vistos: ninguno todavía\n +qué sigue: +se mira otra vez ",
        told,
    )
    until = time.monotonic() + PATIENCE_S
    while not re.search("archivo: +hecho: xml", place.run("status", "NE-2026-0001").stdout):
        assert time.monotonic() < until
    overview = place.run("status").stdout
    assert re.search(r"acme/calls +0 +1 \(1 RADIAN\) +0 ", overview)
    assert place.run("results", "--radian").stderr == "No hay eventos.\n"
    assert place.run("results", "--type", "payroll.*", "--json").stdout.count("\n") == 2


def test_address_that_nobody_answers_is_one_clear_line(place: Place) -> None:
    place = Place(place.folder, {**place.variables, "FACTUS_REDIS_URL": "redis://u:secret@127.0.0.1:1/0"})
    done = place.run("status")
    assert done.returncode == 1
    assert "redis://127.0.0.1:1 " in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr
