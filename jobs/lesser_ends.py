"""
The end of an attempt when it cannot be written as it is: with less in it, and at last as a defect.

Whatever an answer held (text that has no bytes, nesting without end, numbers without measure), the job has an end that
can be written. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any, Final

from jobs.outcomes import Ending, Finished, Retry
from schemas import strict_json
from schemas.contract.event import ErrorDetail
from schemas.records import JobRecord

_MOST_LETTERS: Final = 2000
_MOST_DIGITS: Final = 100
_MOST_KEYS: Final = 200


def lesser_ends(job: JobRecord, ending: Ending) -> Iterator[tuple[JobRecord, Ending]]:
    """
    Ways to write an ending, the best first: as it is, without what may be unwritable in it, as a defect.

    A document that is validated stays so, with the plain values of its ``data``; what a call of any other kind brought
    back is its whole result, so that job ends as a defect rather than as a success that says nothing.
    """
    yield job, ending
    plain_job = plain(job)
    if isinstance(ending, Retry):
        yield plain_job, _plain_retry(ending)
        return
    if ending.state != "completed":
        yield plain_job, _plain_final(ending)
    yield plain_job, defect_end(plain_job, ending.number)


def plain(job: JobRecord) -> JobRecord:
    """A record whose texts can be written and read."""
    # A long one is only unreadable when it is cut: what is read again (JSON) is kept whole or not at all.
    texts: dict[str, Any] = {one.name: _writable(getattr(job, one.name)) for one in fields(job) if one.type == "str"}
    for name in ("metadata", "options"):
        if not _is_object(texts[name]):
            texts[name] = "{}"
    return replace(job, **texts)


def defect_end(job: JobRecord, number: str = "") -> Finished:
    """
    ``X.failed``, ``internal``: a defect of ours kept the job from any other end.

    What is known stands in it. The document's state in the ledger is ``failed``, so that whoever pushes it again looks
    at Factus first.
    """
    known = _text(number or job.number)
    text = "Defecto interno del servicio: el resultado no se pudo registrar."
    if known:
        text += f" Factus tiene el documento {known}: revíselo allí."
    elif job.issues and (job.sent or job.attempts):
        text += " Factus puede tener el documento: revíselo allí. Si se envía otra vez, primero se consulta."
    return Finished("failed", text, errors=(ErrorDetail(code="internal", message=text),), number=known)


def _plain_retry(ending: Retry) -> Retry:
    return replace(
        ending,
        reason=_plain_error(ending.reason),
        number=_text(ending.number),
        progress=None,
        news=(),
        block=replace(ending.block, error=_plain_error(ending.block.error)) if ending.block else None,
    )


def _plain_final(ending: Finished) -> Finished:
    return replace(
        ending,
        message=_text(ending.message),
        data=None if ending.data is None else _plain_data(ending.data),
        errors=tuple(_plain_error(error) for error in ending.errors[:_MOST_KEYS]),
        number=_text(ending.number),
        block=replace(ending.block, error=_plain_error(ending.block.error)) if ending.block else None,
        news=(),
        archived=(),
    )


def _plain_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """The plain values; of Factus's own object its plain values too, of other objects and lists none."""
    found: dict[str, Any] = {}
    for name, value in data.items():
        if name == "factus" and isinstance(value, Mapping):
            scalars = [(_text(key), value[key]) for key in list(value)[:_MOST_KEYS] if _is_scalar(value[key])]
            found[name] = {key: _scalar(one) for key, one in scalars}
        elif _is_scalar(value):
            found[_text(name)] = _scalar(value)
        else:
            found[_text(name)] = [] if isinstance(value, list | tuple) else {}
    return found


def _plain_error(error: ErrorDetail) -> ErrorDetail:
    return ErrorDetail(
        code=error.code,
        message=_text(error.message),
        field=None if error.field is None else _text(error.field),
        rule=None if error.rule is None else _text(error.rule),
        retryable=error.retryable,
    )


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | str | Decimal)


def _scalar(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool) or value is None:
        return value
    is_short = abs(value) < 10**_MOST_DIGITS if isinstance(value, int) else _is_short(value)
    return value if is_short else None


def _is_short(value: Decimal) -> bool:
    return value.is_finite() and abs(value.adjusted()) <= _MOST_DIGITS and len(value.as_tuple().digits) <= _MOST_DIGITS


def _text(value: str) -> str:
    """Text that has bytes, and an end."""
    return _writable(value)[:_MOST_LETTERS]


def _writable(value: str) -> str:
    return value.encode(errors="replace").decode()


def _is_object(text: str) -> bool:
    try:
        return isinstance(strict_json.parse(text), dict)
    except strict_json.JsonRefused:
        return False
