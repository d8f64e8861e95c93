"""What goes out and what is left lying, in words: batches, dead letters, webhooks, ranges, events. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from schemas.contract.error_codes import ERROR_CODES
from schemas.factus import BOGOTA
from schemas.names import ending_of, family_of
from worker.http.page.eyes import Eyes
from worker.http.page.seen import Happened, LetterSeen
from worker.http.page.shown import BatchShown, EndpointShown, EventShown, LetterShown, RangeShown, Rows, rows
from worker.http.page.text import moment, on_its_own
from worker.speech import SPANISH
from worker.status.batch import BatchSeen
from worker.status.facts import EndpointSeen, Overview, RangeSeen
from worker.status.problem import Problem
from worker.status.range_problems import document_words

_ACTS: Final = {
    "producer": "lo corrige quien lo envió",
    "operator": "lo mira un operador",
    "developers": "es un defecto",
}
_ACTOR: Final = {row.code: row.acts for row in ERROR_CODES}
_BAD: Final = frozenset({"rejected", "failed", "refused", "at_risk", "blocked", "failing", "exhausted", "disabled"})
_DISABLED: Final = {"gone": "respondió 410", "failing": "solo falló durante 120 h", "operator": "por un operador"}

Place = tuple[str, str]
"""The kind of a problem, and what it is about."""

count = SPANISH.count


# -- batches -----------------------------------------------------------------------------------------------------------
def batches_shown(found: Sequence[BatchSeen], now_ms: int, eyes: Eyes) -> Rows[BatchShown]:
    mine = [one for one in found if eyes.sight.sees(one.account)]
    mine.sort(key=lambda one: (one.is_closed, -one.at_risk, -(one.left or 0), one.batch))
    return rows(mine, eyes.bounds.batches, lambda one: _batch(one, now_ms, eyes))


def _batch(one: BatchSeen, now_ms: int, eyes: Eyes) -> BatchShown:
    n_bad = sum(n for name, n in one.counts.items() if ending_of(name) in ("rejected", "failed", "refused"))
    if one.is_closed:
        state = "cerrado"
    elif one.done_ms:
        state = f"listo hacia las {moment(one.done_ms, eyes.zone(one.account), now_ms)}"
    else:
        state = "abierto"
    return BatchShown(
        name=eyes.name(one.batch),
        account=eyes.name(one.account),
        done=count(one.n_final) + (f" de {count(one.size)}" if one.size else " terminados"),
        share=min(round(100 * one.n_final / one.size), 100) if one.size else 0,
        state=state,
        bad=f"{count(n_bad)} sin éxito" if n_bad else "",
        at_risk=f"{count(one.at_risk)} en riesgo" if one.at_risk else "",
    )


# -- letters, webhooks, ranges -----------------------------------------------------------------------------------------
def n_letters_more(letters: Sequence[LetterSeen], seen: Overview, eyes: Eyes) -> int:
    n = max(seen.n_dead, len(letters)) if eyes.sees_all else len(letters)
    return max(n - min(len(letters), eyes.bounds.letters), 0)


def letters_line(seen: Overview, letters: Sequence[LetterSeen], eyes: Eyes) -> str:
    if not letters and not seen.n_dead:
        return "Ninguno."
    if not eyes.sees_all:
        return ""
    held = seen.letters
    parts = [
        (held.n_producer, "los corrige quien los envió"),
        (held.n_operator, "los mira un operador"),
        (held.n_developers, "son defectos"),
    ]
    return "; ".join(f"{count(n)} {words}" for n, words in parts if n)


def letter_shown(one: LetterSeen, now_ms: int, eyes: Eyes) -> LetterShown:
    family = family_of(one.job_type)
    return LetterShown(
        time=moment(one.at_ms, BOGOTA, now_ms),
        reason=eyes.name(one.reason),
        account=eyes.name(one.account),
        reference=eyes.reference(one.account, family, one.reference_code, one.job_id),
        message=eyes.sentence(one.message),
        acts=_ACTS.get(_ACTOR.get(one.reason, "operator"), _ACTS["operator"]),
    )


def by_need(endpoints: Sequence[EndpointSeen]) -> list[EndpointSeen]:
    return sorted(endpoints, key=lambda one: (not one.is_disabled, not one.failing_since_ms, -one.n_waiting, one.name))


def endpoint_shown(one: EndpointSeen, now_ms: int, eyes: Eyes, above: Collection[Place]) -> EndpointShown:
    """
    One endpoint.

    Args:
        above: The problems that stand above with their mend; it is not said again.
    """
    state, mend = "activa", ""
    if one.is_disabled:
        why = _DISABLED.get(one.disabled_why, "")
        state = "desactivada" + (f", {why}" if why else "")
        is_told = ("webhook.disabled", one.name) in above
        mend = "" if is_told else f"factus-worker webhooks enable {one.name}"
    elif one.failing_since_ms:
        last = f", responde {one.last_status}" if one.last_status else ", no responde"
        state = f"falla desde las {moment(one.failing_since_ms, BOGOTA, now_ms)}{last}"
    told = [f"última entrega {moment(one.last_success_ms, BOGOTA, now_ms)}"] if one.last_success_ms else []
    if one.n_exhausted:
        told.append(f"{count(one.n_exhausted)} agotadas")
    return EndpointShown(
        name=eyes.name(one.name),
        state=state,
        is_bad=one.is_disabled or bool(one.failing_since_ms),
        waiting=count(one.n_waiting),
        told="; ".join(told),
        mend=eyes.name(mend),
    )


def endpoints_line(seen: Overview, eyes: Eyes) -> str:
    if not eyes.sees_all:
        return "Los ve quien puede ver todas las cuentas."
    if seen.n_delivering is None:
        return "El usuario de Redis de esta puerta no los puede leer (deploy/users.acl)."
    if not seen.endpoints:
        return "No hay ninguno."
    return "" if seen.n_delivering else "Ningún proceso entrega: inicie factus-worker webhooks."


def range_shown(one: RangeSeen, found: Problem, eyes: Eyes, above: Collection[Place]) -> RangeShown:
    """A range that is near its end; *above* as :func:`endpoint_shown` has it."""
    told = found.what.partition(": ")[2] or found.what
    name = f"{one.prefix} · {document_words(one.document, SPANISH)} · {one.account}"
    mend = "" if (found.id, found.subject) in above else found.mend
    return RangeShown(eyes.name(name), on_its_own(eyes.sentence(told)), on_its_own(eyes.sentence(mend)))


def ranges_line(seen: Overview) -> str:
    return "Ninguno está por terminar." if seen.ranges else "Todavía no se sabe de ninguno."


# -- events ------------------------------------------------------------------------------------------------------------
def events_shown(found: Sequence[Happened], now_ms: int, eyes: Eyes) -> tuple[EventShown, ...]:
    mine = [one for one in found if eyes.sight.sees(one.account)][: eyes.bounds.events]
    return tuple(
        EventShown(
            time=moment(one.at_ms, eyes.zone(one.account), now_ms),
            type=eyes.name(one.type),
            is_bad=not one.success or ending_of(one.type) in _BAD,
            account=eyes.name(one.account),
            reference=eyes.reference(one.account, family_of(one.job_type), one.reference_code, one.job_id),
            message=eyes.sentence(one.message),
        )
        for one in mine
    )
