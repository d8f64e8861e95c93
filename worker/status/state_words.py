"""
Where a job stands, why, what happens next and when, in words for a person. Pure.

Messages that came from Factus, DIAN or our rules stay in the Spanish they were given in.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import Final, NamedTuple

from schemas.names import ending_of
from schemas.records import JobRecord, JobState, SendState, WaitReason
from worker.speech import Speech, clock
from worker.status.causes import NEEDS_A_PERSON, cause, holder, mend
from worker.status.facts import AccountSeen, Hold, LaneSeen
from worker.status.lookup import JobSnapshot


class Situation(NamedTuple):
    """Where, why, what next, and when that is (ms, 0 when no instant is known)."""

    where: str
    why: str
    next: str
    next_ms: int = 0


_NOTHING: Final = ("nada", "nothing")
_AFTER: Final = {
    "validated": (
        "nada: la DIAN lo validó; si se envía otra vez igual, se responde enseguida",
        "nothing: DIAN has validated it; pushed again with the same payload it is answered at once",
    ),
    "completed": _NOTHING,
    "refused": ("nada por sí solo: corríjalo y envíelo otra vez", "nothing by itself: correct it and push it again"),
    "rejected": (
        "nada por sí solo: corríjalo y envíelo otra vez con la misma referencia",
        "nothing by itself: correct it and push it again with the same reference",
    ),
    "failed": (
        "nada por sí solo: corrija la causa y envíelo otra vez; el nuevo intento mira primero en Factus",
        "nothing by itself: mend the cause and push it again; the new attempt looks at Factus first",
    ),
    "archived": _NOTHING,
}
"""What follows an end, by the last part of its event's type; of a document."""

_AFTER_CALL: Final = {
    **_AFTER,
    "failed": (
        "nada por sí solo: corrija la causa y envíelo otra vez (factus-worker dead list lo tiene)",
        "nothing by itself: mend the cause and push it again (factus-worker dead list has its letter)",
    ),
}


def after(event_type: str, speech: Speech, *, is_call: bool = False) -> str:
    """What follows a final event."""
    return speech.say(*(_AFTER_CALL if is_call else _AFTER).get(ending_of(event_type), _NOTHING))


def finished(event_type: str, speech: Speech) -> str:
    return speech.say(f"terminado: {event_type}", f"finished: {event_type}")


def situation(found: JobSnapshot, zone: tzinfo, speech: Speech) -> Situation:
    """Say where a job stands."""
    job = found.job
    match job.state:
        case JobState.FINAL:
            return _final(job, speech)
        case JobState.JOINED:
            return Situation(
                speech.say("espera a otro trabajo", "waits for another job"),
                speech.say(
                    f"el trabajo {found.issued_by} emite el mismo documento",
                    f"job {found.issued_by} issues the same document",
                ),
                speech.say("recibe el mismo resultado cuando aquel termine", "gets the same result when that job ends"),
            )
        case JobState.INFLIGHT:
            return _in_flight(job, speech)
        case JobState.WAITING:
            return _waiting(found, zone, speech)


def _final(job: JobRecord, speech: Speech) -> Situation:
    error = (job.parsed_last_error or {}).get("message", "")
    number = speech.say(f"número {job.number}", f"number {job.number}") if job.number else ""
    why = error or number
    return Situation(finished(job.final_type, speech), why, after(job.final_type, speech, is_call=not job.issues))


def _in_flight(job: JobRecord, speech: Speech) -> Situation:
    following = speech.say(
        "su respuesta termina el intento; si el trabajador muere, otro lo retoma en unos 5 segundos",
        "its answer ends the attempt; if the worker dies, another takes it up within about 5 seconds",
    )
    match job.sent:
        case SendState.SENDING:
            return Situation(
                speech.say("se está enviando", "being sent"),
                speech.say(
                    "la solicitud va camino a Factus y no ha llegado la respuesta",
                    "the request to Factus is under way, its answer is not in yet",
                ),
                following,
            )
        case SendState.UNKNOWN:
            again = ("se envía otra vez solo si Factus no lo tiene", "sent again only if Factus does not have it")
            once = ("se repite solo si no se hizo", "done again only if it was not")
            return Situation(
                speech.say("se está consultando", "being looked up"),
                speech.say("un envío anterior no tuvo respuesta", "an earlier sending has an unknown outcome"),
                speech.say(*(again if job.issues else once)),
            )
        case SendState.DELETING:
            return Situation(
                speech.say("se está eliminando", "being removed"),
                speech.say("la DIAN lo rechazó", "DIAN rejected it"),
                speech.say(
                    "termina como rechazado cuando ya no esté en Factus", "ends as rejected when it is gone at Factus"
                ),
            )
        case _:
            return Situation(
                speech.say("se está trabajando", "being worked on"),
                speech.say("es su turno", "it is its turn"),
                following,
            )


def _waiting(found: JobSnapshot, zone: tzinfo, speech: Speech) -> Situation:
    job = found.job
    if job.start_at > found.now_ms:
        at = clock(job.start_at, zone)
        why = (
            speech.say(f"debe llevar la fecha {job.issue_on}", f"it must carry the date {job.issue_on}")
            if job.issue_on
            else speech.say("no ha llegado su not_before", "not_before has not come")
        )
        following = speech.say(f"entra a su carril a las {at}", f"joins its lane at {at}")
        held = Situation(speech.say("retenido hasta su hora", "held until its time"), why, following, job.start_at)
        return held if found.n_workers else _without_worker(held.where, speech)
    if found.rank is None and job.next_at > found.now_ms:
        following = _again_at(job.next_at, zone, speech)
        paused = Situation(speech.say("en pausa", "pauses"), _last_reason(job, speech), following, job.next_at)
        return paused if found.n_workers else _without_worker(paused.where, speech)
    where = _place(found, speech)
    if not found.n_workers:
        return _without_worker(where, speech)
    return Situation(where, *_obstacle(found, zone, speech))


def _without_worker(where: str, speech: Speech) -> Situation:
    return Situation(
        where,
        speech.say("ningún trabajador está en marcha", "no worker is running"),
        speech.say("comienza cuando haya uno: factus-worker run", "starts when a worker does: factus-worker run"),
    )


def _obstacle(found: JobSnapshot, zone: tzinfo, speech: Speech) -> tuple[str, str, int]:
    lane, account = found.lane, found.account
    if account.hold:
        why = speech.say(f"la cuenta {account.name} está detenida", f"account {account.name} is on hold")
        return _behind(account.hold, why, found, zone, speech)
    if lane and lane.hold:
        why = speech.say("su carril está detenido", "its lane is on hold")
        return _behind(lane.hold, why, found, zone, speech)
    turn = _turn(found, speech)
    if lane is None:
        return speech.say("nada lo impide", "nothing stands in its way"), turn, 0
    why = lane_reason(lane, account, zone, speech)
    return why or speech.say("nada lo impide", "nothing stands in its way"), turn, lane.next_look_ms


def _behind(hold: Hold, what: str, found: JobSnapshot, zone: tzinfo, speech: Speech) -> tuple[str, str, int]:
    """Why a job waits behind a hold, naming the document that met it, and what is done about it."""
    since = speech.say(" desde ", " since ") + clock(hold.since_ms, zone) if hold.since_ms else ""
    by = holder(hold) if hold.job_id != found.job.id else ""
    by = speech.say(f", por {by}", f", by {by}") if by else ""
    following = (
        _again_at(hold.until_ms, zone, speech)
        if hold.until_ms > found.now_ms
        else speech.say("se está preguntando ahora", "it is being asked now")
    )
    mends = mend(hold, found.account.name, speech)
    told = f"{following}; " + speech.say("qué hacer: ", "mend: ") + mends if mends else following
    return f"{what}{since}{by}: {cause(hold, speech)}", told, max(hold.until_ms, 0)


def lane_reason(lane: LaneSeen, account: AccountSeen, zone: tzinfo, speech: Speech) -> str:
    """Why a lane that nothing holds starts no more, as its dispatcher has noted it; empty when nothing waits."""
    if not lane.n_waiting:
        return ""
    until = clock(lane.next_look_ms, zone) if lane.next_look_ms else ""
    match lane.wait_reason:
        case WaitReason.WIDTH if lane.issues and lane.width == 1:
            return speech.say(
                "los documentos de una familia se emiten de a uno", "documents of a family are issued one at a time"
            )
        case WaitReason.WIDTH:
            return speech.say("ya hay tantas en curso como se permite", "as many are under way as may be")
        case WaitReason.ALLOWANCE:
            used = speech.say(
                f"{account.n_used} de {account.limit} solicitudes en {account.window_s:g} s",
                f"{account.n_used} of {account.limit} calls in {account.window_s:g} s",
            )
            text = speech.say(f"el cupo está usado ({used})", f"the allowance is used up ({used})")
            return text + (speech.say(f", sigue {until}", f", goes on {until}") if until else "")
        case WaitReason.PRECEDENCE if lane.n_ahead:
            ahead = speech.documents(lane.n_ahead)
            return speech.say(f"los documentos van antes: {ahead}", f"behind issuing: {ahead} ahead")
        case WaitReason.PRECEDENCE:
            return speech.say(
                "se deja libre una cuarta parte del cupo para documentos",
                "calls of low priority leave a quarter of the allowance free for documents",
            )
        case WaitReason.PROBE:
            return speech.say(
                "Factus no respondía: un solo intento pregunta si ya responde",
                "Factus did not answer: a single attempt asks whether it does",
            )
        case WaitReason.HOLD:
            return speech.say("la cuenta o el carril estaba detenido", "account or lane was on hold")
        case WaitReason.NOTHING:
            return ""


def lane_words(lane: LaneSeen, account: AccountSeen, now_ms: int, zone: tzinfo, speech: Speech) -> str:
    """Why a lane stands; empty when it moves, or has nothing to do."""
    if lane.hold:
        by = holder(lane.hold)
        told = cause(lane.hold, speech) + (f" [{by}]" if by else "")
        return told if lane.hold.until_ms <= now_ms else f"{told}; {_again_at(lane.hold.until_ms, zone, speech)}"
    if not lane.n_waiting:
        return ""
    if account.hold and (lane.issues or lane.is_calls):
        return speech.say("su cuenta está detenida", "its account is on hold")
    return lane_reason(lane, account, zone, speech)


_LACKS: Final = (
    WaitReason.PROBE,
    WaitReason.HOLD,
    WaitReason.ALLOWANCE,
    WaitReason.PRECEDENCE,
    WaitReason.WIDTH,
)
"""What a lane that nothing holds waits for, the worst first."""


def lacks(lane: LaneSeen, account: AccountSeen) -> tuple[int, float]:
    """
    Sort key of a lane by what it lacks: first held for a person, then held for Factus or the DIAN, then by its wait
    reason, each by how long its backlog needs; last what lacks nothing.
    """
    hold = account.hold if account.hold and lane.n_waiting else lane.hold
    if hold:
        return (0 if hold.reason in NEEDS_A_PERSON else 1), -lane.backlog_s
    if not lane.n_waiting:
        return len(_LACKS) + 3, 0.0
    at = _LACKS.index(lane.wait_reason) if lane.wait_reason in _LACKS else len(_LACKS)
    return 2 + at, -lane.backlog_s


def _again_at(at_ms: int, zone: tzinfo, speech: Speech) -> str:
    return speech.say("se intenta otra vez ", "tried again at ") + clock(at_ms, zone)


def _turn(found: JobSnapshot, speech: Speech) -> str:
    if not found.rank:
        return speech.say("es el siguiente", "starts next")
    return speech.say(
        f"comienza después de {speech.jobs(found.rank)}", f"starts after the {speech.count(found.rank)} before it"
    )


def _place(found: JobSnapshot, speech: Speech) -> str:
    if found.lane is None or found.rank is None:
        return speech.say("espera", "waits")
    n, of = speech.count(found.rank + 1), speech.count(found.lane.n_waiting)
    name = found.lane.name
    return speech.say(f"espera en el carril {name}, número {n} de {of}", f"waits in lane {name}, number {n} of {of}")


def _last_reason(job: JobRecord, speech: Speech) -> str:
    if not job.parsed_last_error:
        return speech.say(
            "un trabajo anterior eliminó esta referencia en Factus y no supo si llegó: aún podría llevarse uno nuevo",
            "an earlier job removed this reference at Factus without an answer: it could still take a new document",
        )
    error = job.parsed_last_error
    told = f"{error.get('code')}: {error.get('message')}"
    return speech.say(f"el último intento terminó con {told}", f"the last attempt ended with {told}")
