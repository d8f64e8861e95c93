"""
Every command's screen on a running set: at 80 and at 120 columns, in both languages, no line is wider than the
terminal, no word is broken, and nothing is missing that the same command says in a pipe.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from jobs import answers
from jobs.families import FAMILIES
from schemas.factus import Remark
from tests.builders import a_bill
from tests.fakes import FakeFactus
from tests.service_in_process import ServiceInProcess, an_account, running, services_on
from tests.webhooks_rig import SECRET
from worker.cli import console
from worker.cli.group import run

LONG_NAME = "ferreteria-el-tornillo-de-oro-sas"
SENTENCE = "Nombre informado no corresponde al registrado en el RUT con respecto al Nit suministrado por el adquiriente"
HEADS = {"stays", "está", "file:line", "archivo:línea", "Celda", "Cell", "Clase", "Family", "Número", "Number"}
"""Headings of first columns, which head the blocks of a narrow terminal without being named."""

PROGRESS = ("listas de Factus leídas", "lists of Factus read")
"""In lines that are told only where it takes long."""

ANSI = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
SIX_MIN_MS = 360_000


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    """What the service logs would stand between the lines of the commands."""
    with capture_logs():
        yield


@asynccontextmanager
async def service(redis: Any, namespace: str) -> AsyncIterator[ServiceInProcess]:
    """Two accounts: one that waits for the DIAN, after a rejection; one with a long name that Factus refuses."""
    gateway = FakeFactus(replies={f"GET {family.collection}": [listing()] for family in FAMILIES.values()})
    row = {
        "reference_code": "AJENA",
        "is_validated": True,
        "total": "119000.00",
        "created_at": "15-01-2026 08:00:00 AM",
    }
    bills = listing(*({**row, "number": f"FE{n}", "reference_code": f"AJENA-{n}"} for n in (1, 2, 5)))
    gateway.replies["GET /v2/bills"] = [bills]
    made = services_on(
        redis, namespace, an_account(), an_account(LONG_NAME), gateway=gateway, backoff_base=200.0, backoff_max=300.0
    )
    async with running(made) as rig:
        await rig.push_bill("FV-2026-0001", batch="cierre-de-noviembre")
        await rig.events(1)
        gateway.script.append(
            answers.RulesRefused((Remark(f"Regla: FAJ43b, Rechazo: {SENTENCE}", "FAJ43b"),), number="SETP7")
        )
        await rig.push_bill("FV-2026-0005", batch="cierre-de-noviembre")
        await rig.events(1)
        await rig.push_bill("FV-2026-0002", payload={**a_bill(reference_code="FV-2026-0002"), "descuento": 1})
        await rig.events(1)
        gateway.script.append(answers.Acknowledged())
        await rig.push_bill("FV-2026-0003", batch="cierre-de-noviembre")
        await held(rig, rig.services.keys.lane("acme/invoice"))
        await rig.push_bill("FV-2026-0004", batch="cierre-de-noviembre", batch_size=900)
        gateway.script.append(answers.CredentialsRefused("The user credentials were incorrect, said the server."))
        await rig.push_bill("TOR-2026-0001", account=LONG_NAME)
        await held(rig, rig.services.keys.account(LONG_NAME))
        await redis.hincrby(rig.services.keys.lane("acme/invoice"), "held_since", -SIX_MIN_MS)
        for reason, code in (("internal", "internal"), ("factus.unavailable", "x")):
            await redis.xadd(rig.services.keys.dead(), {"reason": reason, "raw": json.dumps({"a": code})})
        yield rig


def listing(*rows: dict[str, Any]) -> answers.Answer:
    return answers.Replied({"data": {"data": [*rows], "pagination": {"last_page": 1, "total": len(rows)}}})


async def held(rig: ServiceInProcess, place: str) -> None:
    while not await rig.services.redis.hget(place, "held_since"):
        await rig.services.redis.ping()


def words(text: str) -> set[str]:
    """The words without numbers: times and counts go on while the screens are made."""
    lines = (line for line in ANSI.sub("", text).splitlines() if not any(one in line for one in PROGRESS))
    found = (word.strip(":") for line in lines for word in line.split())
    return {word for word in found if word and not any(char.isdigit() for char in word)}


def broken(text: str, columns: int) -> list[str]:
    """Lines that are too long, where it is not for a single word; a job's original bytes are shown as they are."""
    lines = [line for line in ANSI.sub("", text).splitlines() if not line.startswith("{")]
    return [line for line in lines if len(line) > columns and " " in line.strip()]


@pytest.mark.parametrize("language", ["es", "en"])
async def test_every_screen_fits_its_terminal_and_says_all(
    real_redis: Any,
    valkey_url: str,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    language: str,
) -> None:
    monkeypatch.setenv("FACTUS_REDIS_URL", valkey_url)
    monkeypatch.setenv("FACTUS_NAMESPACE", namespace)
    monkeypatch.setenv("FACTUS_LANG", language)
    monkeypatch.delenv("NO_COLOR", raising=False)
    bad = {**a_bill(), "payment_details": [{"payment_form": "1", "payment_method_code": "10", "amount": "1.00"}]}
    bad["customer"] = {**bad["customer"], "names": "JosÃ© PÃ©rez", "email": "ana,b@x"}
    file = tmp_path / "cierre.json"
    file.write_text(json.dumps([bad, {**bad, "notas": "x"}]))
    totals = tmp_path / "totales.csv"
    totals.write_text("Familia;Prefijo;Cantidad;Total;IVA\nFactura;FE;2;238.000,00;38.000,00\n", encoding="utf-8")
    sheet = tmp_path / "ventas.csv"
    sheet.write_text("Referencia;Código;Precio\nFV-1;A;mil pesos\n", encoding="utf-8")

    hooks = tmp_path / "webhooks.toml"
    hooks.write_text(
        f'[endpoints.tienda]\nurl = "https://127.0.0.1:9/x"\nsecrets = ["{SECRET}"]\n'
        f'[endpoints.{LONG_NAME}]\nurl = "https://{LONG_NAME}.example/x"\nsecrets = ["{SECRET}"]\n'
    )
    monkeypatch.setenv("FACTUS_WEBHOOKS_FILE", str(hooks))

    async def typed(arguments: Sequence[str], columns: int) -> str:
        monkeypatch.setenv("COLUMNS", str(columns or 80))
        monkeypatch.setattr(console, "_is_watched", lambda _stream: bool(columns))
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setattr(sys, "argv", ["factus-worker", *arguments])
        out = io.StringIO()
        with redirect_stdout(out), redirect_stderr(out), pytest.raises(SystemExit):
            await asyncio.to_thread(run)
        return out.getvalue()

    async with service(real_redis, namespace) as rig:
        letters = [entry.decode() for entry, _ in await real_redis.xrange(rig.services.keys.dead())]
        screens = [
            ["status"], ["status", "--batch", "cierre-de-noviembre"], ["status", "--batch", "nada"],
            *(["status", name] for name in (f"FV-2026-{n:04}" for n in range(1, 6))),
            ["status", "TOR-2026-0001"], ["status", "NADA"], ["results"], ["results", "--type", "nada"],
            ["dead", "list"], *(["dead", "show", one] for one in letters), ["dead", "show", "1-1"],
            ["dead", "drop", "1-1"], ["dead", "retry", "1-1"], ["dead", "list", "--reason", "nada"],
            ["cancel", "FV-2026-0003"], ["cancel", "NADA"], ["cancel", "--batch", "nada"],
            ["resume", "nada"], ["doctor"], ["doctor", "--account", "nadie"], ["health"],
            ["close", "2026-01-15", "--account", "acme", "--out", str(tmp_path)],
            ["close", "2026-01-15", "--account", "acme", "--out", str(tmp_path), "--control", str(totals)],
            ["close", "verify", str(tmp_path)], ["close", "31/01/2026"], ["close", "verify", "nada"],
            ["close", "hoy", "--control", str(sheet)],
            ["health", "--webhooks"],
            ["webhooks", "list"], ["webhooks", "show", "tienda"],
            ["webhooks", "disable", "tienda"], ["webhooks", "enable", "tienda"], ["webhooks", "test", "tienda"],
            ["webhooks", "replay", "tienda", "--since", "1h"], ["webhooks", "replay", "tienda", "--since", "x"],
            ["check", str(file)], ["check", str(sheet)], ["submit", str(file)], ["submit", str(sheet)],
            ["statu"], ["status", "a", "b"], ["dead", "show", "x"], ["submit", "falta.json"], ["check", "x.doc"],
        ]  # fmt: skip
        for arguments in screens:
            in_pipe = await typed(arguments, 0)
            assert in_pipe.strip(), arguments
            for columns in (80, 120):
                text = await typed(arguments, columns)
                assert not broken(text, columns), (arguments, columns)
                # Only what the pipe says before and after: an age may become one of minutes in between.
                missing = (words(in_pipe) & words(await typed(arguments, 0))) - words(text) - HEADS
                assert not missing, (arguments, columns, missing)
