"""
What operators are told of endpoints: ``webhook.failing``, ``.exhausted``, ``.disabled``, ``.enabled``, and the event
that ``webhooks test`` sends. Pure: the time is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

from jobs.events import operator_event
from jobs.webhooks.verdict import Answer
from schemas.contract.event import ErrorDetail, Event

FAILING: Final = "webhook.failing"
EXHAUSTED: Final = "webhook.exhausted"
DISABLED: Final = "webhook.disabled"
ENABLED: Final = "webhook.enabled"
TEST: Final = "webhook.test"

_WHY_DISABLED: Final = {
    "gone": "respondió 410 (ya no existe)",
    "failing": "solo ha fallado durante 120 horas",
    "operator": "un operador lo desactivó",
}
_FAULTS: Final = {
    "address": "su dirección no está permitida",
    "name": "su nombre no lleva a ninguna dirección",
    "connection": "no hay conexión",
    "tls": "no hay conexión segura (TLS) con ese nombre",
    "timeout": "no respondió a tiempo",
    "protocol": "lo que respondió no es HTTP",
    "lost": "la conexión se cortó antes de la respuesta",
}


@dataclass(frozen=True, slots=True)
class About:
    """What an event says of an endpoint. ``last_status`` is 0 where no status came."""

    endpoint: str
    since_ms: int
    """Since when it has only failed; of ``webhook.enabled`` since when it had been disabled."""

    waiting: int
    last_status: int

    def data(self, zone: tzinfo | None) -> dict[str, Any]:
        since = datetime.fromtimestamp(self.since_ms / 1000, zone).isoformat(timespec="seconds")
        return {
            "endpoint": self.endpoint,
            "since": since if self.since_ms else None,
            "waiting": self.waiting,
            "last_status": self.last_status or None,
        }


def what_came(answer: Answer) -> str:
    """An answer in words, Spanish: for people, without a word of the endpoint's own."""
    return f"respondió {answer.status}" if answer.status else _FAULTS.get(answer.fault, "no respondió")


def failing_event(about: About, answer: Answer, *, message: str, attempts: int, now: datetime) -> Event:
    """The fourth failure of a delivery (*message* is its ``webhook-id``)."""
    text = f"El webhook {about.endpoint} falla: {what_came(answer)} ({attempts} intentos de una entrega)."
    return _event(FAILING, about, text, f"{message}/{about.since_ms}", now)


def exhausted_event(about: About, answer: Answer, *, message: str, attempts: int, now: datetime) -> Event:
    """A delivery has had its last attempt."""
    text = (
        f"Una entrega del webhook {about.endpoint} se agotó tras {attempts} intentos: {what_came(answer)}. "
        f"Para repetir las agotadas: factus-worker webhooks replay {about.endpoint} --failed --since CUÁNDO."
    )
    return _event(EXHAUSTED, about, text, f"{message}/{about.since_ms}", now)


def disabled_event(about: About, why: str, *, now: datetime) -> Event:
    """
    An endpoint gets nothing more until somebody enables it; what comes meanwhile waits.

    Args:
        why: ``gone``, ``failing`` or ``operator``.
    """
    text = (
        f"El webhook {about.endpoint} quedó desactivado: {_WHY_DISABLED[why]}. Lo que llegue espera hasta "
        f"factus-worker webhooks enable {about.endpoint}."
    )
    return _event(DISABLED, about, text, str(int(now.timestamp() * 1000)), now)


def enabled_event(about: About, *, now: datetime) -> Event:
    """An operator has enabled it again."""
    text = f"El webhook {about.endpoint} volvió a activarse; lo que esperaba se entrega ya."
    return _event(ENABLED, about, text, str(int(now.timestamp() * 1000)), now)


def test_event(endpoint: str, *, now: datetime) -> Event:
    """What ``webhooks test`` sends; it is published nowhere."""
    about = About(endpoint, 0, 0, 0)
    return _event(TEST, about, f"Prueba del webhook {endpoint}", str(int(now.timestamp() * 1000)), now)


def _event(type_: str, about: About, text: str, by: str, now: datetime) -> Event:
    errors = (ErrorDetail(code=type_, message=text),) if type_ in (FAILING, EXHAUSTED, DISABLED) else None
    id_ = f"webhook/{about.endpoint}/{type_}/{by}"
    return operator_event(id_, type_, None, now, text, about.data(now.tzinfo), errors)
