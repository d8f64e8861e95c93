"""What the demo shows: how it goes on, and what came of it. Readable on 100 columns, with or without a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from schemas.names import ending_of, subject_of
from worker.cli.bilingual import say
from worker.cli.console import NARROW, clean, console, emit, is_terminal, show_table, width, wrapped
from worker.language import language_of_help
from worker.speech import Speech

if TYPE_CHECKING:
    from worker.cli.demo.by_http import Answer, Receiver
    from worker.cli.demo.factus_view import FactusSaw
    from worker.cli.demo.jobs import DemoJob
    from worker.cli.demo.run import Run
    from worker.cli.submit.push import Pushed

_WIDTH: Final = 100
_CODES: Final = ("cufe", "cude", "cuds", "cune")
_SHOWN_CODE: Final = 18
_SHOWN_ID: Final = 16


# -- while it runs -----------------------------------------------------------------------------------------------------
@contextmanager
def progress(jobs: list[DemoJob]) -> Iterator[Callable[[dict[str, Any], Pushed], None]]:
    """Something to call with every event: bars on a terminal, else now and then a line."""
    if not is_terminal():
        yield _Lines(len(jobs))
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from worker.cli.demo.jobs import n_jobs_by_account

    columns: list[Any] = [TextColumn("{task.fields[label]:<12}"), BarColumn(), MofNCompleteColumn()]
    with Progress(*columns, TextColumn("{task.description}"), console=console()) as bars:
        counts = {**n_jobs_by_account(jobs), "refused": sum(bool(one.expected_code) for one in jobs)}
        labels = {"refused": say("no aceptados", "refused")}
        tasks = {name: bars.add_task("", total=n, label=labels.get(name, name)) for name, n in counts.items()}

        def tell(event: dict[str, Any], _one: Pushed) -> None:
            name = event["account"] if event["success"] else "refused"
            number = (event["data"] or {}).get("number")
            told = f"{number or ''} {event['message']}"[:44]
            bars.update(tasks[name], advance=int(_is_end(event)), description=clean(told))

        yield tell


class _Lines:
    """Progress where nobody watches: every tenth end, and whatever is not an invoice."""

    def __init__(self, n_jobs: int) -> None:
        self._n_jobs = n_jobs
        self._n_told = 0

    def __call__(self, event: dict[str, Any], one: Pushed) -> None:
        self._n_told += _is_end(event)
        is_plain = event["type"] in ("invoice.validated", "job.refused")
        if is_plain and self._n_told % 10 and self._n_told != self._n_jobs:
            return
        data = event["data"] or {}
        what = data.get("number") or (event["errors"] or [{}])[0].get("code", "") or event["message"]
        event_code = f" {data['event_code']}" if event["type"] == "radian.event" else ""
        name = one.job.reference or str(one.job.id)
        click.echo(clean(f"{self._n_told:>3}/{self._n_jobs}  {name:<25}{event['type']:<31}{what}{event_code}"))


def _is_end(event: dict[str, Any]) -> bool:
    from worker.cli.submit.push import is_final

    return is_final(event["type"])


# -- at the end --------------------------------------------------------------------------------------------------------
def show(run: Run, answer: Answer, receiver: Receiver, saw: FactusSaw, differences: list[str], folder: Path) -> None:
    """Everything that came of it, and whether Factus agrees."""
    _heading(
        say(
            "Documentos que la DIAN validó, como los cuenta el servicio",
            "Documents that DIAN has validated, as the service tells it",
        )
    )
    _show_documents(run)
    _heading(say("Llamadas que no emiten nada", "Calls that issue nothing"))
    rows = [
        [one.job.type, one.job.reference or str(one.job.id), one.outcome.message]
        for one in run.pushed
        if one.outcome and ending_of(one.outcome.type) == "completed"
    ]
    show_table([say("llamada", "call"), say("sobre", "about"), say("respuesta", "answer")], rows)
    _heading(
        say(
            "Archivos guardados después de validar, en llamadas que ceden el paso a los documentos",
            "Files archived after validation, in calls that give way to documents",
        )
    )
    _show_files(run.archived, folder)
    _heading(
        say(
            "Eventos RADIAN de la factura a crédito, como se encontraron",
            "RADIAN events of the bill on credit, as they were found",
        )
    )
    _show_radian(run.radian)
    _heading(
        say(
            "Por la puerta HTTP, y contado por un webhook firmado",
            "Through the HTTP door, and told by a signed webhook",
        )
    )
    _show_by_http(answer, receiver)
    _heading(say("No aceptados antes de toda llamada, como debe ser", "Refused before any call, as it must be"))
    _show_refused(run)
    _heading(say("Lo que vio Factus", "What Factus saw"))
    _show_comparison(run, saw)
    for difference in differences:
        emit(say(f"Distinto: {difference}", f"Differs: {difference}"), "red")
    if differences:
        emit(say(f"{len(differences)} diferencias.", f"{len(differences)} differences."), "red")
    else:
        emit(
            say(
                "Coinciden en cada número y cada total, en todas las clases de documento.",
                "Both agree on every number and total, in all families.",
            ),
            "green",
        )


def _heading(title: str) -> None:
    emit("")
    emit(title, "bold")
    emit("-" * min(len(title), width()))


def _show_documents(run: Run) -> None:
    story = {step.id for step in run.story.steps}
    # One of each family first, then the many invoices.
    rows = [
        [
            subject_of(one.outcome.type),
            one.job.reference,
            one.outcome.number,
            _money(one.outcome.total),
            _code_of(one.outcome.event),
            _seconds(run, one),
        ]
        for one in sorted(run.pushed, key=lambda one: one.job.id not in story)
        if one.outcome and ending_of(one.outcome.type) == "validated"
    ]
    headers = [say("clase", "family"), say("referencia", "reference"), say("número", "number"), "total"]
    headers += ["CUFE/CUDE/CUDS/CUNE", say("seg", "secs")]
    if width() < NARROW:  # without the codes 60 rows are a table on 80 columns too
        headers, rows = [*headers[:4], headers[5]], [[*row[:4], row[5]] for row in rows]
    show_table(headers, rows, right=(3, len(headers) - 1))
    emit(
        say(
            "seg: del XADD al evento. Las dos cuentas son dos empresas: cada una tiene sus números.",
            "secs: from XADD to the event. The two accounts are two companies: each has its own numbers.",
        )
    )


def _code_of(event: dict[str, Any] | None) -> str:
    """The code under which DIAN knows a document: each family has its own name for it."""
    data = (event or {}).get("data") or {}
    code = next((str(data[name]) for name in _CODES if data.get(name)), "")
    return f"{code[:_SHOWN_CODE]}…" if code else ""


def _seconds(run: Run, one: Pushed) -> str:
    """From XADD to the event, by the server's clock and the worker's, which are one here."""
    at = run.finished.get(one.entry)
    return _speech().money(Decimal(str(at.timestamp() - int(one.entry.partition("-")[0]) / 1000))) if at else ""


def _show_files(events: list[dict[str, Any]], folder: Path) -> None:
    base = folder.as_uri() + "/"
    rows = [
        [event["reference_code"], file["kind"], _speech().count(file["bytes"]), file["uri"].removeprefix(base)]
        for event in events
        if event["success"]
        for file in event["data"]["documents"]
    ]
    headers = [say("documento", "document"), say("tipo", "kind"), "bytes"]
    show_table([*headers, say(f"archivo en {folder.name}/", f"file in {folder.name}/")], rows, right=(2,))


def _show_radian(events: list[dict[str, Any]]) -> None:
    rows = [
        [event["reference_code"], event["data"]["number"], event["data"]["event_code"], event["data"]["event_name"]]
        for event in events
        if event["type"] == "radian.event"
    ]
    headers = [say("documento", "document"), say("número", "number"), say("evento", "event"), say("nombre", "name")]
    show_table(headers, rows)
    for event in events:
        if event["type"] == "radian.clock":
            _show_clock(event["data"])


def _show_clock(data: dict[str, Any]) -> None:
    """When a bill counts as accepted: the dates, and the days that do not count."""
    until, day = f"{data['claim_until'][:10]} {data['claim_until'][11:16]}", data["accepts_from"][:10]
    number, received = data["number"], data["received_at"][:10]
    emit("")
    _tell(
        say(
            f"El reloj de {number}: recibida el {received}, el comprador puede reclamar hasta {until}; sin reclamo, la "
            f"aceptación tácita (034) puede declararse desde el {day}.",
            f"The clock of {number}: received on {received}, the buyer may claim until {until}; without a claim the "
            f"tacit acceptance (034) may be declared from {day}.",
        )
    )
    left_out = ", ".join(f"{one['date']} ({one['reason']})" for one in data["calendar"])
    if left_out:
        _tell(say(f"No cuentan: {left_out}.", f"Days that do not count: {left_out}."))


def _tell(text: str) -> None:
    for line in wrapped(clean(text), min(width(), _WIDTH), indent=0):
        click.echo(line)


def _show_by_http(answer: Answer, receiver: Receiver) -> None:
    """The push with its answer, and the webhook with what its receiver made of the signature."""
    from worker.cli.demo.by_http import REFERENCE

    event, told = answer.event or {}, receiver.of_the_door
    number = (event.get("data") or {}).get("number", "")
    took = _speech().money(Decimal(str(answer.seconds)))
    rows = [["POST /api/v1/jobs", REFERENCE, f"{answer.status} {event.get('type', '')} {number}, {took} s".strip()]]
    if told is not None:
        verified = say("firma verificada", "signature verified")
        rows.append([f"{told.id[:_SHOWN_ID]}…", told.reference, f"{told.type}, {verified}"])
    show_table([say("vía", "by"), say("referencia", "reference"), say("respuesta", "answer")], rows)
    n_verified = sum(one.is_ours for one in receiver.deliveries)
    emit(say(f"Webhooks recibidos: {len(receiver.deliveries)}, verificados: {n_verified}.",
             f"Webhooks received: {len(receiver.deliveries)}, verified: {n_verified}."))  # fmt: skip


def _show_refused(run: Run) -> None:
    """Messages are long and the point of it: each on lines of its own."""
    for one in run.pushed:
        if one.outcome and one.outcome.type == "job.refused":
            field = ((one.outcome.event or {}).get("errors") or [{}])[0].get("field")
            click.echo(clean(f"{one.job.reference:<25}{one.outcome.code:<18}{field or ''}").rstrip())
            for line in wrapped(clean(one.outcome.message), min(width(), _WIDTH), indent=4):
                click.echo(line)


def _show_comparison(run: Run, saw: FactusSaw) -> None:
    from worker.cli.demo.factus_view import agreements

    rows = [
        [
            one.family,
            str(one.n_told),
            str(one.n_seen),
            _money(one.told_total),
            _money(one.seen_total),
            say("sí", "yes") if one.agrees else "NO",
        ]
        for one in agreements(run.told(), saw)
    ]
    headers = [say("clase", "family"), say("contados", "told"), say("en Factus", "at Factus")]
    headers += [say("total contado", "total told"), say("total en Factus", "total at Factus"), say("igual", "agree")]
    show_table(headers, rows, right=(1, 2, 3, 4))
    n_calls = sum(bool(one.outcome and ending_of(one.outcome.type) == "completed") for one in run.pushed)
    n_refused = sum(bool(one.outcome and one.outcome.type == "job.refused") for one in run.pushed)
    totals = saw.totals
    emit("")
    emit(
        say(
            f"Enviados {len(run.pushed)}: {len(run.told())} validados, {n_calls} llamadas hechas, {n_refused} no "
            "aceptados antes de toda llamada.",
            f"Pushed {len(run.pushed)}: {len(run.told())} validated, {n_calls} calls completed, "
            f"{n_refused} refused before any call.",
        )
    )
    emit(
        say(
            f"Factus vio {totals['creates_posted']} emisiones: {totals['validated']} validadas, {totals['stored']} "
            f"guardadas, {totals['duplicate_references']} duplicadas, {totals['refused']} rechazadas,",
            f"Factus saw {totals['creates_posted']} creates: {totals['validated']} validated, {totals['stored']} "
            f"stored, {totals['duplicate_references']} duplicated, {totals['refused']} refused,",
        )
    )
    calls = ", ".join(f"{account} {n}" for account, n in saw.n_calls.items())
    emit(
        say(
            f"{totals['conflicts']} x 409, {totals['rate_limited']} x 429, {totals['tokens_issued']} tokens; "
            f"llamadas de {calls}, de 80 por minuto cada una.",
            f"{totals['conflicts']} x 409, {totals['rate_limited']} x 429, {totals['tokens_issued']} tokens; "
            f"calls of {calls}, of 80 a minute each.",
        )
    )


def _speech() -> Speech:
    return Speech(language_of_help())


def _money(amount: Decimal | None) -> str:
    return "" if amount is None else _speech().money(amount)
