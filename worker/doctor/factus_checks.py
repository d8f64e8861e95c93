"""What the answers of Factus mean, for one account. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from jobs import answers
from jobs.answers import Answer
from schemas.factus import figure
from schemas.names import in_account
from worker.doctor.checks import CALL_IDS, Check, Status, skipped
from worker.doctor.factus_facts import FactusSeen, Pending
from worker.doctor.redis_checks import clock_verdict
from worker.speech import Speech
from worker.status.causes import cause, mend
from worker.status.facts import Hold, RangeSeen
from worker.status.range_problems import range_problem

_OTHERS: Final = 5
"""So many calls more than ours, in one window, are somebody else's."""

_DAYS_FORMS: Final = ("%Y-%m-%d", "%d-%m-%Y")
_LONGEST_WORDS: Final = 200


def factus_checks(seen: FactusSeen, today: date, speech: Speech) -> list[Check]:
    """
    All that concerns one account at Factus.

    Args:
        today: In the account's time zone.
    """
    if seen.why_not or not seen.was_asked:
        why = seen.why_not or speech.say("Factus no respondió a tiempo", "Factus did not answer in time")
        return skipped(CALL_IDS, seen.account, why)
    credentials = _credentials(seen, speech)
    if credentials.status != "ok":
        why = speech.say("sin token no se pregunta (factus.credentials)", "nothing is asked without a token (factus.credentials)")  # fmt: skip  # noqa: E501
        rest = [id_ for id_ in CALL_IDS if id_ not in ("factus.credentials", "factus.clock")]
        return [credentials, *skipped(rest, seen.account, why), _clock(seen, speech)]
    return [
        credentials,
        _version(seen, speech),
        _allowance(seen, speech),
        *_pending(seen, speech),
        *_ranges(seen, today, speech),
        _clock(seen, speech),
    ]


def _credentials(seen: FactusSeen, speech: Speech) -> Check:
    refused = seen.token or (seen.ranges if isinstance(seen.ranges, answers.CredentialsRefused) else None)
    if refused is None:
        found = speech.say("el token se obtuvo y sirve", "a token was given, and it serves")
        return Check("factus.credentials", "ok", seen.account, found)
    return Check("factus.credentials", "failure", seen.account, *_refusal(refused, seen.account, speech))


def _refusal(answer: Answer, account: str, speech: Speech) -> tuple[str, str]:
    """What an answer that is none of the good ones is, and what helps."""
    match answer:
        case answers.CredentialsRefused(message):
            return _held("factus.credentials", message, account, speech)
        case answers.PaymentRequired(message):
            return _held("factus.payment_required", message, account, speech)
        case answers.Denied(_, message):
            return _held("factus.denied", message, account, speech)
        case answers.Misrouted(status):
            return (
                speech.say(f"en esa dirección no están las rutas de Factus ({status})", f"Factus's routes are not at that address ({status})"),  # noqa: E501
                speech.say("revise FACTUS_BASE_URL (o base_url de la cuenta), y el proxy si hay uno", "check FACTUS_BASE_URL (or the account's base_url), and the proxy if there is one"),  # noqa: E501
            )  # fmt: skip
        case answers.Throttled():
            return _held("factus.throttled", "", account, speech)
        case answers.NotSent(reason) | answers.NoToken(reason) | answers.Unknown(reason):
            return _held("factus.unavailable", reason, account, speech)
        case _:
            return _held("factus.unavailable", str(getattr(answer, "message", "")), account, speech)


def _held(reason: str, said: str, account: str, speech: Speech) -> tuple[str, str]:
    hold = Hold(reason, 0)
    told = said[:_LONGEST_WORDS].rstrip(".")
    return cause(hold, speech) + (f": {told}" if told else ""), mend(hold, account, speech)


def _version(seen: FactusSeen, speech: Speech) -> Check:
    match seen.ranges:
        case answers.Replied():
            found = speech.say("la versión 2 está habilitada", "version 2 is enabled")
            return Check("factus.version", "ok", seen.account, found)
        case answers.NoPermit() | None:
            return _not_asked("factus.version", seen, speech)
        case answers.Denied(kind, message):
            found, mends = _refusal(seen.ranges, seen.account, speech)
            told = {"version": speech.say("la versión 2 no está habilitada", "version 2 is not enabled"),
                    "edge": speech.say("el borde de Factus no deja pasar a este equipo", "Factus's edge does not let this machine pass")}  # noqa: E501  # fmt: skip
            text = f"{told[kind]}: {message[:_LONGEST_WORDS]}" if kind in told else found
            return Check("factus.version", "failure", seen.account, text, mends)
        case answer:
            return Check("factus.version", "failure", seen.account, *_refusal(answer, seen.account, speech))


def _not_asked(id_: str, seen: FactusSeen, speech: Speech) -> Check:
    why = speech.say("el cupo lo usan los documentos, que van antes", "documents use the allowance, and go first")
    return Check(id_, "skipped", seen.account, why)


def _allowance(seen: FactusSeen, speech: Speech) -> Check:
    told = [one for one in seen.heard if one.limit is not None and one.n_remaining is not None]
    if not told:
        found = speech.say("Factus no dice el cupo en sus respuestas", "Factus tells no allowance with its answers")
        return Check("factus.allowance", "skipped", seen.account, found)
    limit, n_remaining = told[-1].limit or 0, told[-1].n_remaining or 0
    n_others = limit - n_remaining - seen.n_used - seen.n_calls
    if seen.limit > limit:
        return Check(
            "factus.allowance", "failure", seen.account,
            speech.say(f"aquí se usan {seen.limit} por ventana y Factus da {limit}",
                       f"{seen.limit} a window are used here, and Factus gives {limit}"),
            speech.say(f"ponga FACTUS_RATE_LIMIT={limit} (o rate_limit de la cuenta)",
                       f"set FACTUS_RATE_LIMIT={limit} (or the account's rate_limit)"),
        )  # fmt: skip
    if n_others >= _OTHERS:
        return Check(
            "factus.allowance", "warning", seen.account,
            speech.say(f"otro programa usa esta cuenta: {n_others} solicitudes que no son nuestras",
                       f"another program uses this account: {n_others} calls that are not ours"),
            speech.say("baje rate_limit de la cuenta en lo que el otro necesita, o dele un usuario propio",
                       "lower the account's rate_limit by what the other one needs, or give it a user of its own"),
        )  # fmt: skip
    found = speech.say(f"quedan {n_remaining} de {limit}", f"{n_remaining} of {limit} left")
    return Check("factus.allowance", "ok", seen.account, found)


def _pending(seen: FactusSeen, speech: Speech) -> list[Check]:
    found = [_pending_check(seen.account, one, speech) for one in seen.pending]
    asked = [family for family, answer in seen.looks if isinstance(answer, answers.Absent | answers.DocumentSeen)]
    if found:
        return found
    if not asked:
        return [_not_asked("factus.pending", seen, speech)]
    names = ", ".join(asked)
    told = speech.say(f"nada sin validar: {names}", f"nothing that is not validated: {names}")
    return [Check("factus.pending", "ok", seen.account, told)]


def _pending_check(account: str, one: Pending, speech: Speech) -> Check:
    name = " ".join(
        filter(None, (one.document.reference_code, f"({one.document.number})" if one.document.number else ""))
    )
    subject = in_account(account, one.family)
    if one.is_ours:
        found = speech.say(
            f"{name or '?'} espera a la DIAN, y es nuestro", f"{name or '?'} waits for DIAN, and is ours"
        )
        return Check("factus.pending", "warning", subject, found, mend(Hold("dian.pending", 0), account, speech))
    found = speech.say(
        f"un documento que no es de este servicio bloquea la familia: {name or '?'}",
        f"a document that is not of this service bars the family: {name or '?'}",
    )
    return Check("factus.pending", "failure", subject, found, mend(Hold("factus.conflict", 0), account, speech))


# -- ranges ------------------------------------------------------------------------------------------------------------
def _ranges(seen: FactusSeen, today: date, speech: Speech) -> list[Check]:
    if not isinstance(seen.ranges, answers.Replied):
        why = speech.say(
            "Factus no mostró los rangos (factus.version)", "Factus did not show the ranges (factus.version)"
        )
        return skipped(["factus.ranges"], seen.account, why)
    rows = ranges_of(seen.account, seen.ranges.body, today)
    told = [problem for row in rows if (problem := range_problem(row, speech))]
    if told:
        return [Check("factus.ranges", one.severity, one.subject, one.what, one.mend) for one in told]
    if not rows:
        what = speech.say("ningún rango activo", "no active range")
        mends = speech.say("active uno en Factus (numbering_range.set_status)", "switch one on at Factus (numbering_range.set_status)")  # fmt: skip  # noqa: E501
        return [Check("factus.ranges", "warning", seen.account, what, mends)]
    n = speech.of(len(rows), ("rango activo", "active range"), ("rangos activos", "active ranges"))
    return [
        Check(
            "factus.ranges", "ok", seen.account, speech.say(f"{n}, con plazo y números", f"{n}, with time and numbers")
        )
    ]


def ranges_of(account: str, body: Any, today: date) -> list[RangeSeen]:
    """The active ranges of a list as Factus shows it; rows that cannot be read are left out."""
    data = body.get("data") if isinstance(body, Mapping) else None
    rows = data.get("data") if isinstance(data, Mapping) else data
    found = [_range(account, row, today) for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    return [row for row in found if row is not None]


def _range(account: str, row: Mapping[str, Any], today: date) -> RangeSeen | None:
    first, last, current = (figure(row.get(name)) for name in ("from", "to", "current"))
    if first is None or last is None or current is None or row.get("is_active") in (0, False, "0", None):
        return None
    # Only a resolution of DIAN's bounds the time: of notes Factus shows dates too, and they mean nothing.
    ends_on = _day(row.get("end_date")) if row.get("resolution_number") else None
    return RangeSeen(
        account=account,
        document=str(row.get("document_name") or row.get("document") or "?"),
        prefix=str(row.get("prefix") or "-"),
        n_left=max(last - current + 1, 0),
        n_numbers=last - first + 1,
        ends_on=ends_on,
        days_left=(ends_on - today).days if ends_on else 0,
        is_expired=bool(ends_on) and row.get("is_expired") is True,
    )


def _day(text: Any) -> date | None:
    for form in _DAYS_FORMS:
        try:
            return datetime.strptime(str(text)[:10], form).date()  # noqa: DTZ007 - a day, without a time of day
        except ValueError:
            continue
    return None


def _clock(seen: FactusSeen, speech: Speech) -> Check:
    offs = [one.off_ms for one in seen.heard if one.off_ms is not None]
    if not offs:
        found = speech.say("Factus no dice la hora en sus respuestas", "Factus tells no time with its answers")
        return Check("factus.clock", "skipped", seen.account, found)
    # The one of the quickest way there and back says most; the smallest is a good stand-in.
    status: Status
    status, found, mends = clock_verdict(min(offs, key=abs), "Factus", speech)
    return Check("factus.clock", status, seen.account, found, mends)
