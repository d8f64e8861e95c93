"""
Events as they are published: what each says, and in which order its fields count.

Pure: the time is an argument. Shapes are docs/contract.md, section 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from jobs.families import FAMILIES
from jobs.outcomes import Block, Ending, Finished, News, scope_of
from schemas import names
from schemas.contract.bounded import MOST_BYTES, bounded
from schemas.contract.envelope import PartialEnvelope
from schemas.contract.event import ErrorDetail, Event
from schemas.factus import DocumentView, amount, instant
from schemas.records import JobRecord

_LONGEST_CODE: Final = 2000

MOST_LIST_BYTES: Final = 1024 * 1024
"""Of the rows of a list, in one event: pages are read until there is as much (``jobs/pagination.py``)."""


def validated_data(job: JobRecord, document: DocumentView, environment: str) -> dict[str, Any]:
    """
    ``data`` of a validated document. DIAN's code stands under the family's own name: cufe, cude, cuds or cune.

    A document is validated whether or not its answer has a number that can be read: then it is the one that an earlier
    answer had, or null.

    Args:
        environment: Which Factus it is: what a sandbox validates is no legal document.
    """
    raw, family = document.raw, FAMILIES[job.family]
    totals = raw["totals"] if isinstance(raw.get("totals"), dict) else {}
    links = raw["links"] if isinstance(raw.get("links"), dict) else {}
    return {
        "number": document.number or job.number or None,
        "reference_code": document.reference_code or job.reference_code,
        family.unique_code: _named(raw.get(family.unique_code)),
        "qr": _named(links.get("qr") or raw.get("qr")),
        "public_url": _named(links.get("public_url")),
        "issued_at": instant(raw.get("created_at")),
        "validated_at": instant(raw.get("validated_at")),
        "total": _money(family.total_of(raw)),
        "tax_amount": _money(totals.get("tax_amount")),
        "notifications": [{"rule": remark.rule, "message": remark.words} for remark in document.remarks],
        "warnings": [dict(warning) for warning in job.parsed_warnings],
        "documents": [],
        "replayed": False,
        "environment": environment,
        "factus": dict(raw),
    }


FOREIGN: Final = ("factus", "items", "events")
"""The members of an event's ``data`` that hold what Factus gave."""


def within_bounds(data: dict[str, Any] | None) -> dict[str, Any] | None:
    """
    ``data`` that everybody who follows the stream can read: foreign parts beyond the limit are cut, and it says where.

    ``factus_truncated`` stands only then: the places, dotted, from ``data`` on.
    """
    if data is None:
        return None
    found, cut = dict(data), []
    for name in FOREIGN:
        if name in data:
            found[name], places = bounded(data[name], MOST_BYTES if name == "factus" else MOST_LIST_BYTES)
            cut += [f"{name}.{place}" if place else name for place in places]
    return {**found, "factus_truncated": cut} if cut else data


def final_event(job: JobRecord, final: Finished, *, attempts: int, now: datetime) -> Event:
    """The one final event of a job that was accepted."""
    return _of_job(
        job,
        seq=job.seq + 1,
        type_=_final_type(job, final),
        now=now,
        attempts=attempts,
        success=final.state in ("validated", "completed"),
        message=final.message,
        data=within_bounds(final.data),
        errors=final.errors or None,
    )


_OF_THE_PUSH: Final = frozenset({"option.unavailable", "payload.converted"})
"""Warnings about how a job was pushed; all others are about its document."""


def _data_for(job: JobRecord, data: dict[str, Any]) -> dict[str, Any]:
    """What another job tells of the document, with this one's own warnings about its push."""
    if "warnings" not in data:  # of what was rejected nothing but its number is told
        return data
    others, of_document = _of_the_push(data["warnings"])
    own, _ = _of_the_push(job.parsed_warnings)
    return data if own == others else {**data, "warnings": [*own, *of_document]}


def _of_the_push(
    warnings: Sequence[Mapping[str, Any]],
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Warnings about the push, and all others."""
    of_it = [one for one in warnings if one["code"] in _OF_THE_PUSH]
    return of_it, [one for one in warnings if one["code"] not in _OF_THE_PUSH]


def joined_event(job: JobRecord, first: dict[str, Any], *, now: datetime) -> Event:
    """
    The final event of a job whose document another job issued: the same result, no call of its own.

    Args:
        first: The final event of that job.
    """
    return _of_job(
        job,
        seq=job.seq + 1,
        type_=first["type"],
        now=now,
        attempts=0,
        success=first["success"],
        message=first["message"],
        data=_data_for(job, first["data"]) if first["data"] else first["data"],
        errors=tuple(ErrorDetail(**error) for error in first["errors"]) if first["errors"] else None,
    )


def events_of(job: JobRecord, ending: Ending, *, attempts: int, now_ms: int, now: datetime) -> tuple[Event, ...]:
    """What the end of an attempt has to tell: nothing, news on the way, or the job's final event."""
    if job.is_tracking:
        return tuple(radian_event(job, news, seq=job.seq + n, now=now) for n, news in enumerate(ending.news, 1))
    if isinstance(ending, Finished):
        return (final_event(job, ending, attempts=attempts, now=now),)
    if not ending.pending or job.pending_since:
        return ()
    since = datetime.fromtimestamp(now_ms / 1000, now.tzinfo)
    return (pending_event(job, attempts=attempts, number=ending.number, since=since, now=now),)


def radian_event(job: JobRecord, news: News, *, seq: int, now: datetime) -> Event:
    """What a watch over a bill has found, or its clock says; published to the radian stream."""
    return _of_job(
        job,
        seq=seq,
        type_=news.type,
        now=now,
        attempts=0,
        success=True,
        message=_radian_message(news),
        data=news.data,
        errors=None,
    )


def _radian_message(news: News) -> str:
    data = news.data
    match news.type:
        case "radian.event":
            name = f": {data['event_name']}" if data["event_name"] else ""
            return f"Evento RADIAN {data['event_code']}{name}"
        case "radian.clock":
            return (
                f"Factura {data['number']}: recibida el {data['received_at'][:10]}; el comprador puede "
                f"reclamar hasta el {data['claim_until'][:10]} a las {data['claim_until'][11:16]}."
            )
        case "radian.due":
            what = "el servicio declara la aceptación tácita (034)" if data["emits"] else "puede declararse la 034"
            return f"Factura {data['number']}: pasaron los tres días hábiles sin aceptación ni reclamo; {what}."
        case "radian.claimed":
            return f"Factura {data['number']}: el comprador reclamó (031); no habrá aceptación tácita."
        case "radian.accepted":
            kind = "expresa (033)" if data["kind"] == "express" else "tácita (034)"
            return f"Factura {data['number']}: aceptación {kind}; es título valor y no admite más notas."
        case "radian.silent":
            return f"Factura {data['number']}: sin recibo de la mercancía (032) desde el {data['since'][:10]}."
        case _:
            return f"Factura {data['number']}: sin confirmar la aceptación tácita (034). {data['reason']}"


def pending_event(job: JobRecord, *, attempts: int, number: str, since: datetime, now: datetime) -> Event:
    """Factus has the document, DIAN has not answered."""
    return _of_job(
        job,
        seq=job.seq + 1,
        type_=names.event_type_of(job.family, "pending"),
        now=now,
        attempts=attempts,
        success=True,
        message="Factus tiene el documento; la DIAN no ha respondido todavía.",
        data={
            "reference_code": job.reference_code,
            "number": number or None,
            "since": since.isoformat(timespec="seconds"),
        },
        errors=None,
    )


def replayed_event(job: JobRecord, first: dict[str, Any], documents: list[Any], *, now: datetime) -> Event:
    """
    A push of a document that is validated already, answered from the ledger.

    Args:
        first: The final event of the job that issued it.
        documents: What has been archived of it since.
    """
    return _of_job(
        job,
        seq=1,
        type_=first["type"],
        now=now,
        attempts=0,
        success=True,
        message=first["message"],
        data={**_data_for(job, first["data"]), "documents": documents, "replayed": True},
        errors=None,
    )


def _how_many_more(errors: Sequence[ErrorDetail]) -> str:
    """For whoever reads messages only: mending the first error would bring the next."""
    n_more = len(errors) - 1
    return "" if not n_more else f" (y {n_more} error más)" if n_more == 1 else f" (y {n_more} errores más)"


def refused_event(remains: PartialEnvelope, errors: tuple[ErrorDetail, ...], *, job_id: str, now: datetime) -> Event:
    """We said no, before any call."""
    return Event(
        id=event_id(remains.account, job_id, 1),
        seq=1,
        type="job.refused",
        time=now,
        job_id=job_id,
        job_type=remains.job_type,
        account=remains.account,
        reference_code=remains.reference_code,
        batch=remains.batch,
        metadata=remains.metadata,
        attempts=0,
        success=False,
        message=f"Trabajo no aceptado: {errors[0].message}{_how_many_more(errors)}",
        data=None,
        errors=errors,
    )


_MEND: Final = {
    "factus.credentials": "Revise usuario, clave y credenciales de la cuenta en Factus y en la configuración; "
    "al reiniciar el servicio con otras se pregunta enseguida.",
    "factus.payment_required": "Renueve el plan o compre un paquete de documentos en Factus.",
    "factus.denied": "Pida a Factus que habilite la versión, el producto o el permiso para esta cuenta.",
    "factus.conflict": "Valide o elimine en Factus el documento ajeno que quedó sin validar.",
    "dian.rejected": "Elimine en Factus el documento rechazado, o envíe los trabajos sin delete_rejected: false.",
}


def mend_of(account: str, code: str, mend: str = "") -> str:
    """
    What a person does about a block.

    Args:
        code: Its cause.
        mend: What helps, where the cause does not say.
    """
    text = mend or _MEND.get(code, "Revise la cuenta en Factus.")
    return f"{text} Para no esperar la próxima consulta: factus-worker resume {account}."


def blocked_event(account: str, block: Block, *, n_waiting: int, since: datetime, now: datetime, by: str) -> Event:
    """Only a person can mend it: what stops, since when, how much waits, and what to do."""
    data = {
        "family": block.family,
        "since": since.isoformat(timespec="seconds"),
        "jobs_waiting": n_waiting,
        "mend": mend_of(account, block.error.code, block.mend),
    }
    if block.job_type:
        what = f"Los trabajos {_kind_of(block.job_type)} de la cuenta {account} están detenidos"
        why = block.error.message.rstrip(".")
        message = f"{what}: {why}. La emisión de documentos y los demás trabajos siguen."
    else:
        what = f"La familia {block.family} de la cuenta" if block.family else "La cuenta"
        message = f"{what} {account} está bloqueada: {block.error.message}"
    return operator_event(
        _account_event_id(account, block.scope, "account.blocked", now, by),
        "account.blocked",
        account,
        now,
        message,
        data,
        (block.error,),
    )


def resumed_event(
    account: str, family: str | None, *, since: datetime, now: datetime, by: str, job_type: str = ""
) -> Event:
    """What blocked the account, or the family (the jobs of that type alone, with *job_type*), is over."""
    data = {"family": family, "since": since.isoformat(timespec="seconds"), "jobs_waiting": None, "mend": None}
    if job_type:
        message = f"Los trabajos {_kind_of(job_type)} de la cuenta {account} volvieron a funcionar."
    else:
        what = f"La familia {family} de la cuenta" if family else "La cuenta"
        message = f"{what} {account} volvió a funcionar."
    id_ = _account_event_id(account, scope_of(family, job_type), "account.resumed", now, by)
    return operator_event(id_, "account.resumed", account, now, message, data, None)


def _kind_of(job_type: str) -> str:
    """Jobs of a type that does not issue, as their producer knows them: what follows a document is an option there."""
    family, verb = names.family_of(job_type), names.verb_of(job_type)
    option = {"archive": "archive", "track": "track_radian"}.get(verb)
    return f"que siguen a los documentos {family} (options.{option})" if option else f"de tipo {job_type}"


def operator_event(
    id_: str,
    type_: str,
    account: str | None,
    now: datetime,
    message: str,
    data: dict[str, Any],
    errors: tuple[ErrorDetail, ...] | None,
    *,
    batch: str | None = None,
) -> Event:
    """An event of no job: its job fields are null, and it is a success when it has no errors."""
    return Event(
        id=id_,
        seq=None,
        type=type_,
        time=now,
        job_id=None,
        job_type=None,
        account=account,
        reference_code=None,
        batch=batch,
        metadata={},
        attempts=None,
        success=errors is None,
        message=message,
        data=data,
        errors=errors,
    )


def _account_event_id(account: str, scope: str, type_: str, at: datetime, by: str) -> str:
    # By scope: a family's issuing and its calls of any type may be blocked, and go on, in the same millisecond.
    # By the job that saw it: of two that began in the same millisecond one may see it after the other's block is over.
    return f"{account}/{scope}/{type_}/{int(at.timestamp() * 1000)}/{by}"


def event_id(account: str | None, job_id: str, seq: int) -> str:
    """Stable: the same event has the same id however often it is built."""
    return f"{account or '?'}/{job_id}/{seq}"


def is_of_another_push(event_id: str, known: Iterable[str]) -> bool:
    """
    Whether an event is the denial of somebody else's push: it names the job's id, as that push did, and its own id
    names the entry (:func:`event_id`). Who waits for the job must not take it for the job's end.

    Args:
        known: The ids under which whoever waits knows the job, its entry's among them.
    """
    named = event_id.rpartition("/")[0].partition("/")[2]
    return not any(named == one or named.startswith(f"{one}.") for one in known)


def _final_type(job: JobRecord, final: Finished) -> str:
    """Documents end by what became of them, other jobs by their own name."""
    if job.parent:
        return names.event_type_of(job.family, "archived")
    if final.state == "refused":
        return "job.refused"
    subject = job.type if final.state == "completed" or not job.issues else job.family
    return names.event_type_of(subject, final.state)


def _of_job(
    job: JobRecord,
    *,
    seq: int,
    type_: str,
    now: datetime,
    attempts: int,
    success: bool,
    message: str,
    data: dict[str, Any] | None,
    errors: tuple[ErrorDetail, ...] | None,
) -> Event:
    return Event(
        id=event_id(job.account, job.parent or job.id, seq),
        seq=seq,
        type=type_,
        time=now,
        # A follow-up publishes under the id and the type of the job that issued its document.
        job_id=job.parent or job.id,
        job_type=names.job_type_of(job.family, names.ISSUE) if job.parent else job.type,
        account=job.account,
        reference_code=job.reference_code or None,
        batch=job.batch or None,
        metadata=dict(job.parsed_metadata),
        attempts=attempts,
        success=success,
        message=message,
        data=data,
        errors=errors,
    )


def _named(value: Any) -> str | None:
    """A code or address of Factus; what is no text, or longer than any, is none."""
    return value if isinstance(value, str) and len(value) <= _LONGEST_CODE else None


def _money(value: Any) -> str | None:
    found = amount(value)
    return None if found is None else f"{found:.2f}"
