"""
The verb ``day.close``: reads the lists of the day a page a turn, asks the ledger, and makes the certificate.

Pages are put aside one by one, so that a job that is tried again goes on where it was and holds no more in its record
than where it stands. The lists are read before the ledger is: whatever Factus has shown by then, the ledger knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from jobs import answers
from jobs.calls import CallContext, data_of
from jobs.closing.certificate import Gathered, certificate_of
from jobs.closing.classes import FamilyDay, missing_in_list
from jobs.closing.course import UNDATED, ClosingProgress
from jobs.closing.days import day_of
from jobs.closing.numbers import Prefixes
from jobs.closing.rows import amounts_text, packed, row_of, unpacked, with_amounts
from jobs.day_facts import Day, KnownDocument, LedgerDay, Row
from jobs.factus_requests import get
from jobs.families import FAMILIES, Family
from jobs.outcomes import Ending, Finished
from jobs.ports import DayBook
from schemas.factus import figure, instant

MOST_FOREIGN_READ: Final = 200
"""Foreign documents whose amounts are asked for, one call each, because lists do not tell them. Of more of them none is
asked: whoever issues elsewhere has its taxes there."""

_MOST_PASSES: Final = 2


async def close_day(context: CallContext) -> Ending:
    book = context.day_book
    assert book is not None
    course = ClosingProgress.of(context.progress)
    if course.certificate is not None:
        return _closed(context, course.certificate)
    day = day_of(context.payload["day"], context.zone)
    if course.family is not None:
        left = await _read_page(context, book, course, course.family, day)
        return context.more(course.to_progress(), left)
    if course.unpriced:
        await _read_amounts(context, book, course)
        return context.more(course.to_progress(), "Faltaban los valores de documentos ajenos")
    facts = await _gathered(context, book, course, day)
    if _has_more_to_read(course, facts):
        return context.more(course.to_progress(), "Faltaba leer otra vez lo que cambió")
    certificate = await book.append(context.policy.job, certificate_of(facts), course.to_progress())
    return _closed(context, certificate)


def closed_late(context: CallContext, late: Finished) -> Finished:
    """A certificate that stands in the chain is published, also when the job's time is up."""
    certificate = context.progress.get("certificate")
    return late if certificate is None else _closed(context, certificate)


def _closed(context: CallContext, certificate: dict[str, Any]) -> Finished:
    prefixes, control = certificate["prefixes"], certificate["control"]
    n_issued, n_foreign, n_bare = (sum(row[name] for row in prefixes) for name in ("issued", "foreign", "unexplained"))
    text = f"Día {certificate['day']}: {n_issued} emitidos, {n_foreign} ajenos, {n_bare} números sin explicar."
    if control is not None:
        n = len(control["differences"])
        text += " Los totales de control cuadran." if not n else f" Los totales de control tienen {n} diferencias."
    return context.completed(text, certificate)


# -- pages -------------------------------------------------------------------------------------------------------------
async def _read_page(context: CallContext, book: DayBook, course: ClosingProgress, family: Family, day: Day) -> str:
    """Read one page of a list and put it aside; what is told if time runs out before the next one."""
    course.began.setdefault(family.name, context.policy.standing.now_ms)
    # The first page is the job's own call; all that follows is a part of it, and no attempt more.
    is_first = course.calls == 0
    seen = await context.ask(get(family.collection, course.params(family, day)), is_look_up=not is_first)
    course.calls += 1
    left = f"Faltaban listas de Factus por leer (desde {family.noun.lower()}, página {course.page})"
    match seen:
        case answers.Replied(body) if (raw := _raw_rows(body)) is not None:
            await _keep(context, book, course, family, day, raw)
            course.has_read(family, [_created_ms(one) for one in raw], _last_page(body), day)
        case answers.FieldsRefused() if course.per_page and family.has_day_filter:
            course.per_page = 0  # it takes no number of rows: as many as it likes
        case answers.Denied("product" | "permission", message) if _is_not_needed(course, family):
            course.denied.append(family.name)
            course.skip(family, message)
        case answers.NotFound(message):
            course.skip(family, message)
        case answers.Replied():
            raise context.stopped_by(answers.Done())
        case _:
            raise context.stopped_by(seen)
    return left


def _is_not_needed(course: ClosingProgress, family: Family) -> bool:
    """An account may lack the product of some families; one that may read none at all is held, as for any call."""
    is_last = family.name == [*FAMILIES][-1]
    return not (is_last and len(course.unread) == len(FAMILIES) - 1)


async def _keep(
    context: CallContext, book: DayBook, course: ClosingProgress, family: Family, day: Day, raw: list[Any]
) -> None:
    found = [row for one in raw if (row := row_of(family, one)) is not None]
    if not family.has_day_filter and any(not row.created_ms for row in found):
        course.unread[family.name] = UNDATED
    kept = [row for row in found if (day.has(row.created_ms) if row.created_ms else family.has_day_filter)]
    if kept:
        await book.keep_page(context.policy.job, course.name_of_page(family.name), packed(kept))


def _raw_rows(body: Any) -> list[Any] | None:
    rows = data_of(body).get("data") if isinstance(body, Mapping) else None
    return rows if isinstance(rows, list) else None


def _last_page(body: Any) -> int | None:
    pagination = data_of(body).get("pagination")
    return figure(pagination.get("last_page")) if isinstance(pagination, Mapping) else None


def _created_ms(raw: Any) -> int:
    created = instant(raw.get("created_at")) if isinstance(raw, Mapping) else None
    return int(datetime.fromisoformat(created).timestamp() * 1000) if created else 0


# -- amounts of what is not ours --------------------------------------------------------------------------------------
async def _read_amounts(context: CallContext, book: DayBook, course: ClosingProgress) -> None:
    name, number = course.unpriced[0]
    family = FAMILIES[name]
    seen = await context.ask(get(family.show(number)), is_look_up=True)
    course.calls += 1
    match seen:
        case answers.Replied(body) if isinstance(body, Mapping):
            text = amounts_text(family, data_of(body))
            await book.keep_foreign_amounts(context.policy.job.account, f"{name}/{number}", text)
        case answers.NotFound() | answers.Denied("product" | "permission"):
            pass  # the certificate says that nobody tells it
        case _:
            raise context.stopped_by(seen)
    course.unpriced = course.unpriced[1:]


def _has_more_to_read(course: ClosingProgress, facts: Gathered) -> bool:
    """Whether a list moved while it was read, or amounts are still to be asked for; written into the course."""
    for family in facts.families:
        if missing_in_list(family, facts.day) and course.passes.get(family.family, 0) + 1 < _MOST_PASSES:
            course.began[family.family] = facts.made_ms
            course.read_again(family.family)
            return True
    if course.has_asked:
        return False
    course.has_asked = True
    unpriced = [
        [family.family, row.number]
        for family in facts.families
        for row in family.rows
        if row.lacks_amounts and not _is_known(family, row)
    ]
    course.unpriced = unpriced if len(unpriced) <= MOST_FOREIGN_READ else []
    return bool(course.unpriced)


def _is_known(family: FamilyDay, row: Row) -> bool:
    """Whether the ledger has what the list does not tell."""
    known = family.known.get(row.reference_code)
    if known is None:
        return False
    return (row.total or known.asked_total) is not None and (row.tax_amount or known.tax_amount) is not None


# -- gathering ---------------------------------------------------------------------------------------------------------
async def _gathered(context: CallContext, book: DayBook, course: ClosingProgress, day: Day) -> Gathered:
    job, now_ms = context.policy.job, context.policy.standing.now_ms
    pages = await book.pages(job)
    amounts = await book.foreign_amounts(job.account)
    ledger = await book.ledger_day(job.account, day, now_ms)
    families = []
    for name in FAMILIES:
        rows = _rows(pages, course, name, amounts)
        families.append(await _family_day(context, book, course, name, rows, ledger))
    return Gathered(
        account=job.account,
        day=day,
        zone=context.zone,
        made_ms=now_ms,
        families=families,
        ledger=ledger,
        control=context.payload.get("control"),
        calls=course.calls,
        unread={
            name: why for name, why in course.unread.items() if _is_missed(name, ledger) or name not in course.denied
        },
    )


def _is_missed(family: str, ledger: LedgerDay) -> bool:
    """A product that the account lacks, and has issued nothing with, needs no word."""
    return family in {job.family for job in ledger.ended} | {job.family for job in ledger.open}


def _rows(pages: Mapping[str, str], course: ClosingProgress, family: str, amounts: Mapping[str, str]) -> list[Row]:
    """What Factus lists of a family: each once, as it was read last, with the amounts that were asked for."""
    found: dict[str, Row] = {}
    names = [name for name in pages if name.partition("/")[0] == family and course.is_current(name)]
    for name in sorted(names, key=lambda one: int(one.rpartition("/")[2])):
        for row in unpacked(pages[name]):
            key = row.number or f"/{row.reference_code}"
            if key not in found or row.is_validated:
                found[key] = row
    return [with_amounts(row, amounts.get(f"{family}/{row.number}")) for row in found.values()]


async def _family_day(
    context: CallContext, book: DayBook, course: ClosingProgress, family: str, rows: list[Row], ledger: LedgerDay
) -> FamilyDay:
    ended = [job for job in ledger.ended if job.family == family]
    named = [row.reference_code for row in rows] + [job.reference_code for job in ended if job.ending != "validated"]
    references = [*dict.fromkeys(reference for reference in named if reference)]
    known: Mapping[str, KnownDocument] = await book.known(context.policy.job.account, family, references)
    return FamilyDay(
        family=family,
        rows=rows,
        known=known,
        ended=ended,
        open=[job for job in ledger.open if job.family == family],
        prefixes=Prefixes([*(one.prefix for one in known.values()), *(job.prefix for job in ended)]),
        read_from_ms=course.began.get(family, 0),
    )
