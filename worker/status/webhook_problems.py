"""What an operator has to mend, or has to know, of webhooks. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from worker.speech import Speech
from worker.status.facts import DelivererSeen, EndpointSeen, Overview
from worker.status.problem import Problem

Pair = tuple[str, str]

_WHY: Final[dict[str, Pair]] = {
    "gone": ("respondió 410: ya no existe", "it answered 410: it is gone"),
    "failing": ("solo falló durante 120 horas", "it only failed for 120 hours"),
    "operator": ("la desactivó un operador", "an operator has disabled it"),
}
_FAULTS: Final[dict[str, Pair]] = {
    "address": ("su dirección no está permitida (allow_networks)", "its address is not allowed (allow_networks)"),
    "name": ("su nombre no lleva a ninguna dirección", "its name leads to no address"),
    "connection": ("no hay conexión", "no connection"),
    "tls": ("no hay conexión segura (TLS) con ese nombre", "no secure connection (TLS) under that name"),
    "timeout": ("no responde a tiempo", "it does not answer in time"),
    "protocol": ("lo que responde no es HTTP", "what it answers is no HTTP"),
    "lost": ("corta la conexión antes de responder", "it cuts the connection before it answers"),
}


def of_webhooks(seen: Overview, patience_ms: int, remembered_ms: int, speech: Speech) -> Iterator[Problem]:
    """
    Of the processes that deliver, then of each endpoint.

    Args:
        patience_ms: How long an endpoint may fail, or a delivery wait, before somebody has to know.
        remembered_ms: How long it is told that something was lost.
    """
    if seen.n_delivering == 0 and seen.endpoints and seen.writes_refused is None:
        n = sum(one.n_waiting for one in seen.endpoints)
        waits = speech.of(n, ("entrega espera", "delivery waits"), ("entregas esperan", "deliveries wait"))
        what = speech.say("ningún proceso entrega los webhooks", "no process delivers webhooks") + (
            f" ({waits})" if n else ""
        )
        mends = speech.say(
            "inicie uno: factus-worker webhooks; lo que no se ha entregado se entrega entonces",
            "start one: factus-worker webhooks; what is not delivered is delivered then",
        )
        yield Problem("webhooks.none", "webhooks", what, mends)
    for process in seen.failing_deliverers:
        yield _of_process(process, speech)
    for one in seen.endpoints:
        yield from _of_endpoint(one, seen, patience_ms, remembered_ms, speech)


def answer_words(one: EndpointSeen, speech: Speech) -> str:
    """What the last attempt at an endpoint came back with."""
    if one.last_status:
        return speech.say(f"responde {one.last_status}", f"it answers {one.last_status}")
    return speech.say(*_FAULTS.get(one.last_fault, (one.last_fault or "no responde", one.last_fault or "no answer")))


def disabled_words(why: str, speech: Speech) -> str:
    """Why an endpoint is disabled."""
    return speech.say(*_WHY.get(why, (why, why)))


def _of_process(process: DelivererSeen, speech: Speech) -> Problem:
    what = speech.say(
        f"proceso de webhooks {process.id}: fallas en sus tareas en los últimos 10 minutos ({process.failed_lately}; "
        f"desde que inició {process.failed}); puede que no entregue",
        f"process of webhooks {process.id}: failures in its loops in the last 10 minutes ({process.failed_lately}; "
        f"since it started {process.failed}); it may deliver nothing",
    )
    mends = speech.say(
        "vea loop.member_failed, loop.turn_failed y redis.unavailable en su registro",
        "see loop.member_failed, loop.turn_failed and redis.unavailable in its log",
    )
    following = speech.say(
        "se deja de decir diez minutos después de la última", "it is told until ten minutes after the last one"
    )
    return Problem("webhooks.failures", process.id, what, mends, process.failing_since_ms, next=following)


def _of_endpoint(
    one: EndpointSeen, seen: Overview, patience_ms: int, remembered_ms: int, speech: Speech
) -> Iterator[Problem]:
    waits = speech.of(one.n_waiting, ("entrega espera", "delivery waits"), ("entregas esperan", "deliveries wait"))
    if one.is_disabled and (one.disabled_why != "operator" or one.n_waiting):
        yield _disabled(one, waits, speech)
    elif not one.is_disabled and one.failing_since_ms and seen.now_ms - one.failing_since_ms >= patience_ms:
        yield _failing(one, waits, speech)
    elif not one.is_disabled and seen.n_delivering and _is_behind(one, seen.now_ms, patience_ms):
        what = speech.say(f"webhook {one.name}: {waits} hace rato", f"webhook {one.name}: {waits} for long")
        mends = speech.say(
            "inicie otro proceso factus-worker webhooks, o suba concurrency de la dirección",
            "start another process factus-worker webhooks, or raise the endpoint's concurrency",
        )
        yield Problem("webhook.behind", one.name, what, mends, one.oldest_due_ms, is_passing=True)
    if one.n_gone and seen.now_ms - one.gone_at_ms < remembered_ms:
        n = speech.of(one.n_gone, ("entrada", "entry"), ("entradas", "entries"))
        what = speech.say(
            f"webhook {one.name}: se recortaron {n} de la cola antes de leerlas, y esos eventos no se entregan",
            f"webhook {one.name}: {n} trimmed from the stream before they were read: those events are not delivered",
        )
        mends = speech.say(
            "suba FACTUS_RESULTS_MAXLEN y no deje la dirección sin proceso; lo que aún está en la cola: "
            f"factus-worker webhooks replay {one.name}",
            "raise FACTUS_RESULTS_MAXLEN and do not leave the endpoint without a process; what is still in the stream: "
            f"factus-worker webhooks replay {one.name}",
        )
        yield Problem("webhook.lost", one.name, what, mends, one.gone_at_ms)


def _is_behind(one: EndpointSeen, now_ms: int, patience_ms: int) -> bool:
    return bool(one.oldest_due_ms) and now_ms - one.oldest_due_ms >= patience_ms


def _disabled(one: EndpointSeen, waits: str, speech: Speech) -> Problem:
    why = disabled_words(one.disabled_why, speech)
    what = speech.say(f"webhook {one.name} desactivado: {why}", f"webhook {one.name} is disabled: {why}")
    mends = speech.say(
        f"arregle el receptor y pruébelo: factus-worker webhooks test {one.name}; luego webhooks enable {one.name}",
        f"mend the receiver and try it: factus-worker webhooks test {one.name}; then webhooks enable {one.name}",
    )
    following = speech.say("lo que llegue espera hasta entonces", "what comes meanwhile waits")
    told = f"{what} ({waits})" if one.n_waiting else what
    return Problem("webhook.disabled", one.name, told, mends, one.disabled_at_ms, next=following)


def _failing(one: EndpointSeen, waits: str, speech: Speech) -> Problem:
    what = speech.say(f"webhook {one.name} falla: ", f"webhook {one.name} fails: ") + answer_words(one, speech)
    mends = speech.say(
        f"arregle el receptor y pruébelo: factus-worker webhooks test {one.name}",
        f"mend the receiver and try it: factus-worker webhooks test {one.name}",
    )
    following = speech.say(
        "se intenta otra vez solo, y se desactiva a las 120 horas de solo fallar",
        "it is tried again by itself, and disabled after 120 hours of nothing but failures",
    )
    told = f"{what} ({waits})" if one.n_waiting else what
    return Problem("webhook.failing", one.name, told, mends, one.failing_since_ms, next=following)
