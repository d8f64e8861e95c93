"""How endpoints look on a terminal, in a pipe and as JSON. No secret and no path of a URL stands in any of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from schemas.factus import BOGOTA
from worker.addresses import endpoint_address
from worker.cli.console import emit, show_fields, show_table
from worker.speech import Speech, clock, iso
from worker.status.webhook_problems import answer_words, disabled_words

if TYPE_CHECKING:
    from jobs.webhooks.endpoint import Endpoint
    from worker.status.facts import EndpointSeen
    from worker.webhooks.book import DeliveryRecord
    from worker.webhooks.rotation import Rotation

_STATES: Final = {"on": ("activa", "on"), "failing": ("falla", "failing"), "disabled": ("desactivada", "disabled")}


def state_of(state: EndpointSeen) -> str:
    """``on``, ``failing`` (the last attempt was no success) or ``disabled``."""
    if state.is_disabled:
        return "disabled"
    return "failing" if state.failing_since_ms else "on"


def overview_json(
    endpoints: Mapping[str, Endpoint], states: Mapping[str, EndpointSeen], n_processes: int
) -> dict[str, Any]:
    return {
        "processes": n_processes,
        "endpoints": [_row_json(endpoint, states[name]) for name, endpoint in endpoints.items()],
    }


def show_overview(
    endpoints: Mapping[str, Endpoint], states: Mapping[str, EndpointSeen], n_processes: int, speech: Speech
) -> None:
    say = speech.say
    heads = [
        say("dirección", "endpoint"),
        say("estado", "state"),
        say("esperan", "waiting"),
        say("última entrega", "last success"),
        say("último fallo", "last failure"),
    ]
    rows = []
    for name in endpoints:
        state = states[name]
        why = disabled_words(state.disabled_why, speech) if state.is_disabled else ""
        told = say(*_STATES[state_of(state)]) + (f" ({why})" if why else "")
        failure = clock(state.last_failure_ms, BOGOTA)
        if state.failing_since_ms:
            failure = f"{failure}: {answer_words(state, speech)}"
        rows.append([name, told, speech.count(state.n_waiting), clock(state.last_success_ms, BOGOTA), failure])
    show_table(heads, rows, right=[2], more=say("... y {} más", "... and {} more"))
    for name in endpoints:
        for line in _remarks(states[name], speech):
            emit(f"{name}: {line}", hanging=2)
    if not n_processes:
        emit(
            say(
                "No hay ningún proceso que entregue: inicie factus-worker webhooks.",
                "No process delivers: start factus-worker webhooks.",
            ),
            err=True,
        )


def endpoint_json(endpoint: Endpoint, state: EndpointSeen, waiting: Sequence[Any], rotation: Any) -> dict[str, Any]:
    return {
        **_row_json(endpoint, state),
        "types": list(endpoint.types),
        "accounts": list(endpoint.accounts),
        "omit": [".".join(place) for place in endpoint.omit],
        "timeout_s": endpoint.timeout_s,
        "concurrency": endpoint.concurrency,
        "allow_networks": [str(network) for network in endpoint.allow_networks],
        "start": endpoint.start,
        "secrets_leave_at": iso(_leave_at(endpoint, rotation), BOGOTA),
        "next": [
            {
                "id": row.id,
                "type": row.type,
                "account": row.account or None,
                "reference_code": row.reference or None,
                "attempts": row.n_failures,
                "last_status": row.last_status or None,
                "next_at": iso(row.next_at_ms, BOGOTA),
            }
            for row in waiting
        ],
    }


def show_endpoint(
    endpoint: Endpoint, state: EndpointSeen, waiting: Sequence[Any], rotation: Any, speech: Speech, *, now_ms: float
) -> None:
    say = speech.say
    leave_at = _leave_at(endpoint, rotation)
    secrets = speech.count(len(endpoint.secrets))
    if leave_at:
        secrets += say(
            f" (los viejos firman hasta {clock(leave_at, BOGOTA)})",
            f" (older ones sign until {clock(leave_at, BOGOTA)})",
        )
    show_fields(
        [
            (say("dirección", "endpoint"), endpoint.name),
            (say("servidor", "server"), _server(endpoint)),
            (say("estado", "state"), say(*_STATES[state_of(state)])),
            (say("tipos", "types"), ", ".join(endpoint.types)),
            (say("cuentas", "accounts"), ", ".join(endpoint.accounts)),
            (say("sin", "without"), ", ".join(".".join(place) for place in endpoint.omit)),
            (say("secretos", "secrets"), secrets),
            (say("a la vez", "at once"), speech.count(endpoint.concurrency)),
            (say("esperan", "waiting"), speech.count(state.n_waiting)),
            (say("en curso", "under way"), speech.count(state.n_under_way)),
            (say("entregadas", "delivered"), speech.count(state.n_delivered)),
            (say("agotadas", "exhausted"), speech.count(state.n_exhausted)),
            (say("última entrega", "last success"), clock(state.last_success_ms, BOGOTA)),
            (say("último fallo", "last failure"), clock(state.last_failure_ms, BOGOTA)),
            (
                say("falla desde", "failing since"),
                clock(state.failing_since_ms, BOGOTA) if state.failing_since_ms else "",
            ),
            (say("por qué", "why"), answer_words(state, speech) if state.failing_since_ms else ""),
        ]
    )
    for line in _remarks(state, speech):
        emit(line, hanging=2)
    if waiting:
        emit("")
        emit(say("Próximas entregas:", "Next deliveries:"))
        show_table(
            [
                say("evento", "event"),
                say("referencia", "reference"),
                say("intentos", "attempts"),
                say("próximo", "next"),
            ],
            [_waiting_row(row, speech, now_ms) for row in waiting],
            right=[2],
        )


def _waiting_row(row: DeliveryRecord, speech: Speech, now_ms: float) -> list[str]:
    is_due = row.next_at_ms <= now_ms
    at = speech.say("ahora", "now") if is_due else clock(row.next_at_ms, BOGOTA)
    return [row.type, row.reference or "-", speech.count(row.n_failures), at]


def _remarks(state: EndpointSeen, speech: Speech) -> list[str]:
    found = []
    if state.is_disabled:
        at = clock(state.disabled_at_ms, BOGOTA)
        found.append(
            speech.say(
                f"desactivada desde {at}; lo que llegue espera hasta: webhooks enable {state.name}",
                f"disabled since {at}; what comes waits until: webhooks enable {state.name}",
            )
        )
    if state.n_gone:
        n = speech.count(state.n_gone)
        at = clock(state.gone_at_ms, BOGOTA)
        found.append(
            speech.say(
                f"se perdieron {n} entradas, recortadas antes de leerlas ({at}): suba FACTUS_RESULTS_MAXLEN",
                f"{n} entries were trimmed before they were read ({at}): raise FACTUS_RESULTS_MAXLEN",
            )
        )
    return found


def _row_json(endpoint: Endpoint, state: EndpointSeen) -> dict[str, Any]:
    return {
        "name": endpoint.name,
        "server": _server(endpoint),
        "state": state_of(state),
        "waiting": state.n_waiting,
        "under_way": state.n_under_way,
        "delivered": state.n_delivered,
        "exhausted": state.n_exhausted,
        "last_success_at": iso(state.last_success_ms, BOGOTA),
        "last_failure_at": iso(state.last_failure_ms, BOGOTA),
        "last_status": state.last_status or None,
        "last_fault": state.last_fault or None,
        "failing_since": iso(state.failing_since_ms, BOGOTA),
        "disabled_at": iso(state.disabled_at_ms, BOGOTA),
        "disabled_why": state.disabled_why or None,
        "trimmed_unread": state.n_gone,
        "secrets": len(endpoint.secrets),
    }


def _leave_at(endpoint: Endpoint, rotation: Rotation | None) -> int:
    from worker.webhooks.signer import digest

    if rotation is None:
        return 0
    times = [rotation.leave_at_ms.get(digest(secret), 0) for secret in endpoint.secrets[1:]]
    return max(times, default=0)


def _server(endpoint: Endpoint) -> str:
    """Scheme and host: a path may hold a token."""
    place = endpoint_address(endpoint.url, may_be_http=True)
    return f"{place.scheme}://{place.authority}"
