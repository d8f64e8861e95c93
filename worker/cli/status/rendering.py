"""
``status`` on the screen: everything at a glance, one document, one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Final

from schemas.names import issues
from worker.cli.console import emit, show_fields, show_table
from worker.speech import Speech, clock, span
from worker.status.problems import Problem, problem_lines
from worker.status.state_words import lacks, lane_words
from worker.status.webhook_problems import answer_words

if TYPE_CHECKING:
    from worker.status.batch import BatchSeen
    from worker.status.explain import Explanation
    from worker.status.explain_follow_ups import Part
    from worker.status.facts import AccountSeen, Hold, LaneSeen, Overview

_NAMES: Final = {
    "production": ("producción", "production"),
    "sandbox": ("pruebas, sin validez fiscal", "sandbox, without fiscal validity"),
    "local": ("local, sin validez fiscal", "local, without fiscal validity"),
}


# -- at a glance -------------------------------------------------------------------------------------------------------
def show_overview(seen: Overview, found: Sequence[Problem], zone: tzinfo, speech: Speech) -> None:
    """What needs a person first, with the mend; then the lanes by what they lack; then all else."""
    say = speech.say
    _show_problems(seen, found, zone, speech)
    headers = [
        say("carril", "lane"),
        say("esperan", "waiting"),
        say("más tarde", "later"),
        say("en curso", "in flight"),
    ]
    headers += [say("por qué espera", "stands"), say("se mira", "next look"), say("falta", "backlog needs")]
    _section(say("Carriles", "Lanes"), headers, _lane_rows(seen, zone, speech), say("nada espera", "nothing waits"),
             right=(1, 3))  # fmt: skip
    headers = [
        say("trabajador", "worker"),
        say("versión", "version"),
        say("en curso", "running"),
        say("hechos", "done"),
    ]
    _section(say("Trabajadores", "Workers"), [*headers, say("señal hace", "last sign")], _worker_rows(seen, speech),
             _nobody_words(seen, speech), right=(2, 3))  # fmt: skip
    intake = [
        [
            one.stream,
            speech.count(one.n_pushed),
            speech.count(one.n_pending),
            seen.intake_leader or say("nadie", "nobody"),
        ]
        for one in seen.intakes
    ]
    headers = [say("cola", "stream"), say("por recibir", "not taken in"), say("en manos", "in hand")]
    _section(say("Entrada", "Intake"), [*headers, say("recibe", "taken in by")], intake, "", right=(1, 2))
    headers = [
        say("cuenta", "account"),
        "Factus",
        say("cupo usado", "allowance used"),
        say("detenida", "on hold"),
        "429",
    ]
    _section(say("Cuentas", "Accounts"), [*headers, "token"], _account_rows(seen, zone, speech),
             say("ninguna configurada aquí, y no hay trabajadores", "none is configured here, and no worker runs"),
             right=(4,))  # fmt: skip
    groups = [[one.stream, one.name, speech.count(one.n_unread), speech.count(one.n_pending)] for one in seen.groups]
    headers = [
        say("cola", "stream"),
        say("grupo", "group"),
        say("sin leer", "not read"),
        say("sin confirmar", "not acked"),
    ]
    _section(say("Grupos de consumidores", "Consumer groups"), headers, groups, say("ninguno", "none"), right=(2, 3))
    _show_webhooks(seen, zone, speech)
    _show_radian(seen, speech)
    _show_letters(seen, speech)
    _show_sum(found, speech)


def _section(title: str, headers: list[str], rows: list[list[str]], empty: str, *, right: Sequence[int] = ()) -> None:
    emit(f"{title}: {len(rows)}" if rows else f"{title}: {empty}", "bold")
    if rows:
        show_table(headers, rows, right=right)
    emit("")


def _nobody_words(seen: Overview, speech: Speech) -> str:
    """Where no worker gives a sign of life; while Redis takes no writes nobody can."""
    if seen.writes_refused is not None:
        return speech.say("no se sabe mientras Redis no acepta escrituras", "not known while Redis takes no writes")
    return speech.say("ninguno está en marcha", "none is running")


def _worker_rows(seen: Overview, speech: Speech) -> list[list[str]]:
    return [
        [one.id, one.version, str(one.n_running), speech.count(one.n_run), span(one.seen_ms_ago / 1000)]
        for one in seen.workers
    ]


def _lane_rows(seen: Overview, zone: tzinfo, speech: Speech) -> list[list[str]]:
    accounts = {account.name: account for account in seen.accounts}
    rows = []
    for lane in sorted(seen.lanes, key=lambda lane: lacks(lane, accounts[lane.account])):
        words = lane_words(lane, accounts[lane.account], seen.now_ms, zone, speech) or "-"
        later = speech.count(lane.n_later) + (f" ({lane.n_tracking} RADIAN)" if lane.n_tracking else "")
        needs = _needs(lane, accounts[lane.account], seen, speech)
        look = clock(lane.next_look_ms, zone)
        n_waiting, n_in_flight = speech.count(lane.n_waiting), speech.count(lane.n_in_flight)
        rows.append([lane.name, n_waiting, later, n_in_flight, words, look, needs])
    return rows


def _needs(lane: LaneSeen, account: AccountSeen, seen: Overview, speech: Speech) -> str:
    """How long a backlog needs: not known while something holds it of which nobody knows when it ends."""
    if not lane.n_waiting:
        return "-"
    holds = [hold for hold in (lane.hold, account.hold) if hold and hold.reason != "factus.throttled"]
    if holds or not seen.workers:
        return speech.say("no se sabe", "unknown")
    if not lane.backlog_s:
        return speech.say("nada", "no wait")
    return speech.say("unos ", "about ") + span(lane.backlog_s)


def _account_rows(seen: Overview, zone: tzinfo, speech: Speech) -> list[list[str]]:
    say, rows = speech.say, []
    for one in seen.accounts:
        left = span(one.token_life_s)
        token = (
            say(f"n.º {one.token_generation}, le quedan {left}", f"no. {one.token_generation}, {left} left")
            if one.token_life_s
            else say("no hay", "none")
        )
        used = say(
            f"{one.n_used} de {one.limit} en {one.window_s:g} s", f"{one.n_used} of {one.limit} in {one.window_s:g} s"
        )
        hold = _hold_words(one.hold, seen.now_ms, zone, speech)
        rows.append([one.name, environment_words(one, speech), used, hold, str(one.n_throttled), token])
    return rows


def environment_words(one: AccountSeen, speech: Speech) -> str:
    """Which Factus an account is of, and its address: nobody shall issue for a week without one legal invoice."""
    if one.environment is None:
        return speech.say("no se sabe: sin configurar aquí", "unknown: not configured here")
    name = speech.say(*_NAMES[one.environment])
    return f"{name} ({one.base_url})" if one.base_url else name


def _hold_words(hold: Hold | None, now_ms: int, zone: tzinfo, speech: Speech) -> str:
    from worker.status.causes import cause

    if hold is None:
        return "-"
    until = clock(hold.until_ms, zone)
    at = speech.say(f" (se pregunta {until})", f" (asked at {until})") if hold.until_ms > now_ms else ""
    return cause(hold, speech) + at


def _show_radian(seen: Overview, speech: Speech) -> None:
    """How many watched bills are due; nothing where none is watched."""
    radian, count = seen.radian, speech.count
    is_watching = any(lane.n_tracking for lane in seen.lanes)
    if not (is_watching or radian.due_today or radian.due_tomorrow or radian.due_before):
        return
    today, tomorrow, before = count(radian.due_today), count(radian.due_tomorrow), count(radian.due_before)
    told = speech.say(f"vencen hoy {today}, mañana {tomorrow}", f"due today {today}, tomorrow {tomorrow}")
    if radian.due_before:
        told += speech.say(
            f"; de antes, sin aceptación ni reclamo {before}", f"; before, not accepted nor claimed {before}"
        )
    emit(speech.say("Plazos RADIAN: ", "RADIAN terms: ") + told, "bold")


def _show_letters(seen: Overview, speech: Speech) -> None:
    letters, say = seen.letters, speech.say
    told = say("Trabajos apartados", "Dead letters") + f": {speech.count(letters.n)}"
    if letters.n_producer:
        n = speech.count(letters.n_producer)
        told += say(f" ({n} los corrige quien los envió)", f" ({n} for their producers to correct)")
    emit(told, "bold")


def _show_webhooks(seen: Overview, zone: tzinfo, speech: Speech) -> None:
    """The endpoints, where there are any."""
    if not seen.endpoints:
        return
    say = speech.say
    rows = []
    for one in seen.endpoints:
        state = say("activa", "on")
        if one.is_disabled:
            state = say("desactivada", "disabled")
        elif one.failing_since_ms:
            state = say("falla: ", "fails: ") + answer_words(one, speech)
        rows.append([one.name, state, speech.count(one.n_waiting), clock(one.last_success_ms, zone)])
    headers = [say("dirección", "endpoint"), say("estado", "state"), say("esperan", "waiting")]
    _section("Webhooks", [*headers, say("última entrega", "last success")], rows, "", right=(2,))


def _show_problems(seen: Overview, found: Sequence[Problem], zone: tzinfo, speech: Speech) -> None:
    for one in found:
        first, *more = problem_lines(one, zone, seen.now_ms, speech)
        style = "bold red" if one.severity == "failure" else "bold yellow"
        emit(speech.say("Problema: ", "Problem: ") + first, style, hanging=2)
        for line in more:
            emit(line, indent=2, hanging=2)
    if found:
        emit("")


def _show_sum(found: Sequence[Problem], speech: Speech) -> None:
    """The last line: whoever has scrolled past the problems learns that there are some above."""
    emit("")
    if not found:
        emit(speech.say("Todo en orden.", "All is well."), "green")
        return
    n = speech.of(len(found), ("problema", "problem"), ("problemas", "problems"))
    emit(speech.say(f"{n}, arriba con qué hacer.", f"{n}, above with the mend."), "bold red")


# -- one document ------------------------------------------------------------------------------------------------------
def show_explanation(one: Explanation, speech: Speech) -> None:
    error, say = one.last_error or {}, speech.say
    field = f" ({error['field']})" if error.get("field") else ""
    rule = say(f" [regla {one.rule}]", f" [rule {one.rule}]") if one.rule else ""
    kind = one.family if issues(one.job_type) else None
    show_fields(
        [
            (say("referencia", "reference"), f"{one.reference_code or '-'}  ({one.account}, {kind or one.job_type})"),
            (say("trabajo", "job"), one.job_id),
            (say("dónde", "where"), one.where),
            (say("por qué", "why"), one.why),
            (say("qué sigue", "next"), one.next),
            (say("desde", "since"), _time(one.since)),
            (say("número", "number"), one.number or ""),
            (say("intentos", "attempts"), str(one.attempts)),
            (say("error", "last error"), f"{error['code']}: {error['message']}{field}{rule}" if error else ""),
            (say("se intenta hasta", "tried until"), _time(one.tried_until)),
        ]
    )
    for part in one.follows:
        _show_part(part, speech)
    emit("")


def _time(text: str | None) -> str:
    """An instant of the JSON in the one form of the screens."""
    return f"{text[:10]} {text[11:19]} {text[-6:]}" if text else ""


_STATES: Final = {
    "later": ("después", "later"),
    "pending": ("pendiente", "pending"),
    "done": ("hecho", "done"),
    "failed": ("falló", "failed"),
    "unknown": ("no se sabe", "unknown"),
}


def _show_part(part: Part, speech: Speech) -> None:
    name = speech.say("archivo", "archive") if part.name == "archive" else part.name
    rows: list[tuple[str, str]] = [(name, f"{speech.say(*_STATES[part.state])}: {part.why}")]
    if part.next:
        rows.append((speech.say("  qué sigue", "  next"), part.next))
    rows += [(speech.say("  plazo", "  term"), line) for line in part.clock_words]
    show_fields(rows)
    for document in part.documents:
        emit(f"{document['kind']:<9}{speech.count(document['bytes']):>9} bytes  {document['uri']}", indent=4, hanging=4)
    for event in part.events:
        emit(f"{event['event_code']}  {_time(event['occurred_at']) or '-'}  {event['event_name']}", indent=4, hanging=4)


# -- one batch ---------------------------------------------------------------------------------------------------------
def show_batch(one: BatchSeen, speech: Speech) -> None:
    say = speech.say
    size = speech.count(one.size) if one.size else say("no la dijo nadie (batch_size)", "nobody stated it (batch_size)")
    left = "-" if one.left is None else speech.jobs(one.left)
    numbers = " - ".join(dict.fromkeys(number for number in (one.first_number, one.last_number) if number))
    show_fields(
        [
            (say("lote", "batch"), f"{one.batch}  ({one.account})"),
            (say("tamaño", "size"), size),
            (say("terminados", "final"), speech.count(one.n_final)),
            (say("faltan", "left"), left),
            (say("listo", "done"), clock(one.done_ms, one.zone) if one.done_ms else "-"),
            (say("por minuto", "per minute"), f"{one.pace_per_minute:.0f}" if one.done_ms else "-"),
            (say("en riesgo", "at risk"), speech.jobs(one.at_risk) if one.at_risk else "-"),
            (say("total validado", "total validated"), speech.money(one.total)),
            (say("números", "numbers"), numbers),
            (say("estado", "state"), say("cerrado", "closed") if one.is_closed else say("abierto", "open")),
        ]
    )
    counts = [[name, speech.count(n)] for name, n in one.counts.items()]
    if counts:
        show_table([say("resultado", "outcome"), say("trabajos", "jobs")], counts, right=(1,))
    for failure in one.failures:
        place = failure.get("reference_code") or failure.get("job_id") or "-"
        known = "".join(f" [{failure[name]}]" for name in ("number", "rule") if failure.get(name))
        emit(f"{place}  {failure.get('code') or '-'}  {failure.get('message') or ''}{known}", indent=2, hanging=2)
