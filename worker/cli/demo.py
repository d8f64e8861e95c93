"""``factus-worker demo``: everything at once on this machine, checked against what the local Factus saw."""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import click

from worker.cli.console import console, is_terminal, open_redis, show_table

if TYPE_CHECKING:
    from worker.operating.demo import FactusSaw, Stage
    from worker.operating.demo_jobs import DemoJob
    from worker.operating.submitting import Pushed

_N_GENERATED: Final = 60
_LATENCY: Final = "120ms"
_WORKERS: Final = 2
_PATIENCE_S: Final = 120.0
_LOOK_S: Final = 0.5


@click.command("demo")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".factus/demo"),
    show_default=True,
    help="Where the demo keeps its data and logs; wiped at each start.",
)
@click.option("--seed", type=int, default=7, show_default=True, help="Decides the generated invoices.")
def command(folder: Path, seed: int) -> None:
    """See everything at work: needs no Redis, no credentials and no network.

    Starts an embedded Valkey, a local Factus and two workers; pushes the official examples, generated invoices and a
    few wrong jobs for two accounts; shows every result, and compares with what Factus saw.

    \b
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
        click.echo("Stopped; everything that the demo started is stopped too.", err=True)
        raise click.Abort from None


async def _demo(folder: Path, seed: int, stopping: asyncio.Event) -> bool:
    from worker.operating.demo import Stage, demo_folder, worker_variables, write_accounts
    from worker.settings import Settings

    began = monotonic()
    with demo_folder(folder) as place:
        settings = Settings(_env_file=None, redis_url=f"embedded:{place}")
        async with open_redis(settings) as redis:
            with Stage(place) as stage:
                base_url = stage.start_sandbox(seed=seed, latency=_LATENCY)
                accounts = write_accounts(place, base_url)
                for number in range(1, _WORKERS + 1):
                    stage.start_worker(number, worker_variables(place, accounts))
                click.echo(
                    f"Valkey in {folder}, a local Factus at {base_url}, {_WORKERS} workers, accounts andina and caribe"
                )
                click.echo("Limits are Factus's own (80 calls in 60 s for each account); a create takes 120 ms here")
                jobs = _jobs(seed)
                pushed, times = await _push_and_wait(redis, stage, jobs, stopping)
                saw = await _look_at_factus(base_url)
    differences = _differences(jobs, pushed, saw)
    _show(jobs, pushed, times)
    _show_comparison(pushed, saw, differences, monotonic() - began)
    _show_what_is_left(folder, base_url)
    return not differences


def _jobs(seed: int) -> list[DemoJob]:
    from schemas import strict_json
    from worker.operating.demo_jobs import example_jobs, generated_jobs, is_create_body, wrong_jobs

    bodies: dict[str, dict[str, Any]] = {}
    for path in files("sandbox").joinpath("facts", "examples", "bills").iterdir():
        if path.name.endswith(".request.json"):
            body = strict_json.parse(path.read_bytes())
            if is_create_body(body):
                bodies[path.name.removesuffix(".request.json")] = body
    # Half of the documents for each account: some 40 calls and a token, far from the 80 that one minute allows.
    n_andina = (_N_GENERATED - len(bodies)) // 2
    shares = {"andina": n_andina, "caribe": _N_GENERATED - n_andina}
    return [
        *example_jobs(bodies, "andina"),
        *generated_jobs(_N_GENERATED, shares, seed=seed),
        *wrong_jobs("andina", seed=seed),
    ]


async def _push_and_wait(
    redis: Any, stage: Stage, jobs: list[DemoJob], stopping: asyncio.Event
) -> tuple[list[Pushed], dict[str, datetime]]:
    from worker.keys import Keys
    from worker.operating.submitting import Watch, ends_of, push

    keys = Keys("factus")
    places = await ends_of(redis, [keys.results()])
    pushed = await push(redis, keys, [one.job for one in jobs], frozenset())
    click.echo(f"Pushed {len(pushed)} jobs, each with one XADD")
    finished: dict[str, datetime] = {}
    with _progress(jobs) as tell:

        def take(event: dict[str, Any], one: Pushed) -> None:
            finished[one.entry] = datetime.fromisoformat(event["time"])
            tell(event, one)

        watch = Watch(redis, keys, pushed, places, take)
        waiting = asyncio.create_task(watch.run(_PATIENCE_S))
        try:
            while not waiting.done():
                # Asked as well as cancelled: redis-py can swallow a cancellation under Python 3.11.
                if stopping.is_set():
                    raise asyncio.CancelledError
                await asyncio.wait([waiting], timeout=_LOOK_S)
                stage.check()
        finally:
            waiting.cancel()
        waiting.result()
    return pushed, finished


async def _look_at_factus(base_url: str) -> FactusSaw:
    from worker.operating.demo import what_factus_saw

    return await what_factus_saw(base_url)


# -- while it runs -------------------------------------------------------------------------------------------------
@contextmanager
def _progress(jobs: list[DemoJob]) -> Iterator[Callable[[dict[str, Any], Pushed], None]]:
    if not is_terminal():
        yield _Lines(len(jobs))
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from worker.operating.demo_jobs import n_jobs_by_account

    columns: list[Any] = [TextColumn("{task.fields[label]:<8}"), BarColumn(), MofNCompleteColumn()]
    with Progress(*columns, TextColumn("{task.description}"), console=console()) as progress:
        counts = {**n_jobs_by_account(jobs), "refused": sum(bool(one.expected_code) for one in jobs)}
        tasks = {name: progress.add_task("", total=count, label=name) for name, count in counts.items()}

        def tell(event: dict[str, Any], _one: Pushed) -> None:
            name = event["account"] if event["success"] else "refused"
            number = (event["data"] or {}).get("number")
            progress.update(tasks[name], advance=1, description=f"{number or ''} {event['message']}"[:70])

        yield tell


class _Lines:
    """Progress where nobody watches: a line for every tenth result."""

    def __init__(self, n_jobs: int) -> None:
        self._n_jobs = n_jobs
        self._n_told = 0

    def __call__(self, event: dict[str, Any], one: Pushed) -> None:
        self._n_told += 1
        if self._n_told % 10 == 0 or self._n_told == self._n_jobs:
            number = (event["data"] or {}).get("number")
            what = number or (event["errors"] or [{}])[0].get("code", "")
            click.echo(f"{self._n_told}/{self._n_jobs}  {one.job.reference}  {event['type']}  {what}")


# -- at the end ----------------------------------------------------------------------------------------------------
def _show(jobs: list[DemoJob], pushed: list[Pushed], finished: dict[str, datetime]) -> None:
    rows = []
    for one in pushed:
        outcome, event = one.outcome, one.outcome.event if one.outcome else None
        data = (event and event["data"]) or {}
        total = f"{outcome.total:,.2f}" if outcome and outcome.total is not None else ""
        rows.append(
            [
                one.job.reference,
                outcome.number if outcome else "",
                total,
                f"{str(data['cufe'])[:12]}…" if data.get("cufe") else "",
                outcome.type if outcome else "no result",
                _seconds(one, finished),
            ]
        )
    show_table(["reference", "number", "total", "CUFE", "outcome", "time"], rows, right=(2, 5))
    wrong = [
        [one.job.reference, one.outcome.code, one.outcome.message]
        for demo, one in zip(jobs, pushed, strict=True)
        if one.outcome and not one.outcome.success
    ]
    if wrong:
        show_table(["refused", "code", "first error"], wrong)


def _seconds(one: Pushed, finished: dict[str, datetime]) -> str:
    """From XADD to the event, by the server's clock and the worker's, which are one here."""
    at = finished.get(one.entry)
    return f"{at.timestamp() - int(one.entry.partition('-')[0]) / 1000:.2f} s" if at else ""


def _differences(jobs: list[DemoJob], pushed: list[Pushed], saw: FactusSaw) -> list[str]:
    """Where an end is not what it had to be, or Factus saw something else than we were told."""
    found: list[str] = []
    told: dict[tuple[str, str], tuple[str, Any]] = {}
    for demo, one in zip(jobs, pushed, strict=True):
        code = one.outcome.code if one.outcome else "no result"
        if code != demo.expected_code:
            found.append(f"{one.job.reference}: {code or 'validated'} instead of {demo.expected_code or 'validated'}")
        if one.outcome and one.outcome.success:
            told[str(one.job.account), one.job.reference] = (one.outcome.number, one.outcome.total)
    for key in sorted(told.keys() | saw.documents.keys()):
        ours, theirs = told.get(key), saw.documents.get(key)
        if ours != theirs:
            found.append(f"{'/'.join(key)}: we say {ours}, Factus has {theirs}")
    found += [
        f"Factus counts {saw.totals[name]} {name}"
        for name in ("duplicate_references", "refused", "conflicts", "rate_limited", "forbidden_deletes")
        if saw.totals[name]
    ]
    if saw.totals["stored"] != len(told):
        found.append(f"Factus stored {saw.totals['stored']} documents, we say {len(told)}")
    return found


def _show_comparison(pushed: list[Pushed], saw: FactusSaw, differences: list[str], seconds: float) -> None:
    n_validated = sum(bool(one.outcome and one.outcome.success) for one in pushed)
    n_refused = sum(bool(one.outcome and one.outcome.type == "job.refused") for one in pushed)
    totals = saw.totals
    click.echo(
        f"Pushed {len(pushed)}: {n_validated} validated, {n_refused} refused before any call. "
        f"Factus saw {totals['creates_posted']} creates: {totals['validated']} validated, {totals['stored']} stored, "
        f"{totals['duplicate_references']} duplicated, {totals['refused']} refused, {totals['conflicts']} x 409, "
        f"{totals['rate_limited']} x 429, {totals['tokens_issued']} tokens."
    )
    for difference in differences:
        click.echo(f"Differs: {difference}")
    verdict = f"{len(differences)} differences" if differences else "Both agree on every number and total"
    click.echo(f"{verdict}. {seconds:.1f} s in all.")


def _show_what_is_left(folder: Path, base_url: str) -> None:
    """Commands that work when pasted."""
    from worker.operating.demo_jobs import FIRST_REFERENCE

    program = shlex.quote(sys.argv[0]) if Path(sys.argv[0]).name == "factus-worker" else f"{sys.executable} -m worker"
    where = shlex.quote(str(folder))
    port = base_url.rpartition(":")[2]
    click.echo(f"\nEverything is stopped. The data and the logs of the processes stay in {folder}. To look at them:\n")
    for line in (
        f"export FACTUS_REDIS_URL=embedded:{where} FACTUS_ACCOUNTS_FILE={where}/accounts.toml",
        f"{program} results",
        f"{program} status {FIRST_REFERENCE}",
        f"{program} status",
    ):
        click.echo(f"  {line}")
    click.echo("\nTo go on working with it, in two other terminals (the second with the export above):\n")
    click.echo(f"  {program} sandbox --port {port}")
    click.echo(f"  {program} run")
