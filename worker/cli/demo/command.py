"""``factus-worker demo``: everything at once on this machine, checked against what the local Factus saw."""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
from importlib.resources import files
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import click

from worker.cli.bilingual import command as spoken_command
from worker.cli.bilingual import option, say
from worker.cli.console import emit, open_redis

if TYPE_CHECKING:
    from worker.cli.demo.by_http import Answer, Receiver
    from worker.cli.demo.jobs import DemoJob
    from worker.cli.demo.run import Run
    from worker.cli.demo.stage import Child, Stage
    from worker.cli.demo.story import Story

_N_INVOICES: Final = 57
_LATENCY: Final = "120ms"
_WORKERS: Final = 2
_PATIENCE_S: Final = 120.0
_LOOK_S: Final = 0.05


_ES: Final = """Muestra todo en marcha: no necesita Redis, ni credenciales, ni red.

Enciende un Valkey integrado, un Factus local y dos trabajadores; envía los ejemplos oficiales, facturas
inventadas, un documento de cada clase y unos trabajos mal hechos, para dos cuentas; guarda archivos, vigila los
eventos RADIAN de una factura a crédito, hace unas llamadas; envía una factura por la puerta HTTP y recibe su
resultado como webhook firmado; muestra cada resultado, y compara con lo que Factus vio.

Código de salida: 0 todo como debe ser, 1 algo es distinto, 2 mal escrito.
"""


@spoken_command("demo", _ES)
@option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    named=("CARPETA", "DIRECTORY"),
    default=Path(".factus/demo"),
    show_default=True,
    told=(
        "Dónde guarda sus datos y registros; se vacía al empezar.",
        "Where the demo keeps its data and logs; wiped at each start.",
    ),
)
@option(
    "--seed",
    type=int,
    named=("N", "N"),
    default=7,
    show_default=True,
    told=("Decide las facturas inventadas.", "Decides the generated invoices."),
)
def command(folder: Path, seed: int) -> None:
    """See everything at work: needs no Redis, no credentials and no network.

    Starts an embedded Valkey, a local Factus and two workers; pushes the official examples, generated invoices, one
    document of each family and a few wrong jobs for two accounts; archives files, watches the RADIAN events of a bill
    on credit, makes a few calls; pushes an invoice through the HTTP door and gets its result as a signed webhook;
    shows every result, and compares with what Factus saw.

    Exit status: 0 all as it must be, 1 something differs, 2 wrong usage.
    """
    if not asyncio.run(_until_signal(folder, seed)):
        raise click.exceptions.Exit(1)


async def _until_signal(folder: Path, seed: int) -> bool:
    """SIGTERM and Ctrl-C end the demo by cancelling it, so that everything it started is stopped."""
    task, stopping = asyncio.current_task(), asyncio.Event()
    assert task is not None

    def stop() -> None:
        stopping.set()
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        return await _demo(folder, seed, stopping)
    except asyncio.CancelledError:
        emit(
            say(
                "Detenido; todo lo que la demostración encendió está apagado.",
                "Stopped; everything that the demo started is stopped too.",
            ),
            err=True,
        )
        raise click.Abort from None


async def _demo(folder: Path, seed: int, stopping: asyncio.Event) -> bool:
    from worker.cli.demo import by_http
    from worker.cli.demo.factus_view import differences, what_factus_saw
    from worker.cli.demo.report import progress, show
    from worker.cli.demo.run import Run, workers_up
    from worker.cli.demo.stage import ACCOUNTS, Stage, demo_folder, worker_variables, write_accounts
    from worker.settings.model import Settings

    began = monotonic()
    with demo_folder(folder) as place, by_http.listening() as receiver:
        settings = Settings(redis_url=f"embedded:{place}")
        async with open_redis(settings) as redis:
            with Stage(place) as stage:
                base_url = stage.start_sandbox(seed=seed, latency=_LATENCY)
                variables = worker_variables(place, write_accounts(place, base_url))
                for number in range(1, _WORKERS + 1):
                    stage.start_worker(number, variables)
                for_the_door, token = by_http.door_variables(place, ACCOUNTS[0])
                door = stage.start_door({**variables, **for_the_door})
                stage.start_webhooks({**variables, **by_http.webhooks_variables(place, receiver, ACCOUNTS[0])})
                _introduce(folder, base_url)
                await workers_up(redis, stage, _WORKERS, stopping)
                story, jobs, by_door = _story(), _jobs(seed), by_http.door_job(ACCOUNTS[0])
                first = [*story.begin(), *jobs]
                emit(
                    say(
                        f"Se envían {len(first)} trabajos ahora, cada uno con un XADD, uno por HTTP, y los demás "
                        "cuando se pueda",
                        f"Pushing {len(first)} jobs now, each with one XADD, one by HTTP, and the rest as it becomes "
                        "possible",
                    )
                )
                with progress([*jobs, by_door, *(step.job("") for step in story.steps)]) as tell:
                    run = Run(redis, base_url, story, tell)
                    pushing = asyncio.create_task(_through_the_door(stage, door, token, by_door, run))
                    try:
                        await run.play(stage, first, stopping, _PATIENCE_S)
                        answer = await pushing
                        await _told_by_webhook(stage, receiver, stopping)
                    finally:
                        pushing.cancel()
                saw = await what_factus_saw(base_url)
    found = [*run.surprises(), *by_http.surprises(answer, receiver), *differences(run.told(), saw)]
    show(run, answer, receiver, saw, found, place)
    emit(say(f"{monotonic() - began:.1f} s en total.", f"{monotonic() - began:.1f} s in all."))
    _show_what_is_left(folder, base_url)
    return not found


async def _through_the_door(stage: Stage, door: Child, token: str, demo: DemoJob, run: Run) -> Answer:
    """Push an invoice by HTTP as soon as the door is open, and enter what came of it."""
    from worker.cli.demo import by_http

    answer = await by_http.push(await asyncio.to_thread(stage.door_url, door), token, demo)
    if answer.event is not None:
        await run.enter_by_http(demo, answer.event)
    return answer


async def _told_by_webhook(stage: Stage, receiver: Receiver, stopping: asyncio.Event) -> None:
    """Wait until the receiver has been told of the invoice that came through the door."""
    gives_up_at = monotonic() + _PATIENCE_S
    while receiver.of_the_door is None and monotonic() < gives_up_at:
        if stopping.is_set():
            raise asyncio.CancelledError
        stage.check()
        await asyncio.sleep(_LOOK_S)


def _introduce(folder: Path, base_url: str) -> None:
    emit(
        say(
            f"Valkey en {folder}, un Factus local en {base_url}, {_WORKERS} trabajadores, puerta y webhooks",
            f"Valkey in {folder}, a local Factus at {base_url}, {_WORKERS} workers, door and webhooks",
        )
    )
    emit(
        say(
            "Dos cuentas: andina vende; caribe además compra a campesinos y paga nómina",
            "Two accounts: andina sells, caribe also buys from farmers and pays wages",
        )
    )
    emit(
        say(
            "Los límites son los de Factus (80 llamadas en 60 s por cuenta); emitir tarda aquí 120 ms",
            "Limits are Factus's own (80 calls in 60 s for each account); a create takes 120 ms here",
        )
    )


def _story() -> Story:
    from datetime import datetime

    from schemas.factus import BOGOTA
    from worker.cli.demo.stage import ACCOUNTS
    from worker.cli.demo.story import story

    return story(*ACCOUNTS, datetime.now(BOGOTA).date())


def _jobs(seed: int) -> list[DemoJob]:
    """The official examples, generated invoices, and what is wrong on purpose."""
    from schemas import strict_json
    from worker.cli.demo.jobs import example_jobs, generated_jobs, is_create_body, wrong_jobs
    from worker.cli.demo.stage import ACCOUNTS

    bodies: dict[str, dict[str, Any]] = {}
    for path in files("sandbox").joinpath("facts", "examples", "bills").iterdir():
        if path.name.endswith(".request.json"):
            body = strict_json.parse(path.read_bytes())
            if is_create_body(body):
                bodies[path.name.removesuffix(".request.json")] = body
    # Half of the invoices for each account: with the story some 45 calls each, so that no quarter of the 80 is begun
    # that calls of low priority leave to documents.
    andina, caribe = ACCOUNTS
    n_generated = _N_INVOICES - len(bodies)
    n_andina = max(_N_INVOICES // 2 - len(bodies), 0)
    return [
        *example_jobs(bodies, andina),
        *generated_jobs(n_generated, {andina: n_andina, caribe: n_generated - n_andina}, seed=seed),
        *wrong_jobs(andina, seed=seed),
    ]


def _show_what_is_left(folder: Path, base_url: str) -> None:
    """Commands that work when pasted."""
    from worker.cli.demo.story import FIRST_REFERENCE, TRACKED

    program = shlex.quote(sys.argv[0]) if Path(sys.argv[0]).name == "factus-worker" else f"{sys.executable} -m worker"
    where = shlex.quote(str(folder))
    port = base_url.rpartition(":")[2]
    emit("")
    emit(
        say(
            f"Todo está apagado. Los datos y los registros de los procesos quedan en {folder}. Para mirarlos:",
            f"Everything is stopped. The data and the logs of the processes stay in {folder}. To look at them:",
        )
    )
    emit("")
    for line in (
        f"export FACTUS_REDIS_URL=embedded:{where} FACTUS_ACCOUNTS_FILE={where}/accounts.toml",
        f"{program} results",
        f"{program} results --radian",
        f"{program} status {FIRST_REFERENCE}",
        f"{program} status {TRACKED}",
        f"{program} status",
        f"{program} dead list",
    ):
        click.echo(f"  {line}")
    emit("")
    emit(
        say(
            "Para seguir trabajando con esto, en otras dos terminales (la segunda con el export de arriba):",
            "To go on working with it, in two other terminals (the second with the export above):",
        )
    )
    emit("")
    click.echo(f"  {program} sandbox --port {port}")
    click.echo(f"  {program} run")
