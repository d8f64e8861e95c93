"""
The day that a document carries: Factus dates it when it is sent, and some rules look at that day.

A job is judged as of the first day on which it may go out. One that goes out later, because it waited for its turn,
for Factus or for a person, is judged again as of the day of its sending (business rule STA-011). Pure.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from jobs.outcomes import Ending, Finished
from schemas import strict_json
from schemas.contract.event import ErrorDetail
from schemas.factus import BOGOTA
from schemas.payload.spec import PayloadSpec
from schemas.payload.validate import validate
from schemas.records import JobRecord, pushed_at_ms


def day_bounds_ms(day: str, zone: ZoneInfo) -> tuple[int, int]:
    """First ms of a day and first ms after it, in the account's zone."""
    midnight = datetime.combine(datetime.fromisoformat(day).date(), time.min, tzinfo=zone)
    following = datetime.combine(midnight.date() + timedelta(days=1), time.min, tzinfo=zone)
    return int(midnight.timestamp() * 1000), int(following.timestamp() * 1000)


def start_window_ms(record: JobRecord, zone: ZoneInfo) -> tuple[int, int]:
    """The first instant at which a job may be begun, and the first at which it no longer may; 0 for unbounded."""
    if not record.issue_on:
        return record.start_at, record.expires_at
    day_starts_ms, day_ends_ms = day_bounds_ms(record.issue_on, zone)
    ends = [end for end in (record.expires_at, day_ends_ms) if end]
    return max(day_starts_ms, record.start_at), min(ends)


def tried_until_ms(record: JobRecord, zone: ZoneInfo) -> int:
    """
    Until when a job is tried: its deadline, and before it the end of the day that it must carry. One that Factus has
    keeps the date of its sending; one that has begun expires no more.
    """
    ends = [record.deadline_at]
    if not record.pending_since:
        if record.issue_on:
            ends.append(day_bounds_ms(record.issue_on, zone)[1])
        if record.expires_at and not record.attempts:
            ends.append(record.expires_at)
    return min(ends)


def first_day(issue_on: str, start_at_ms: int, now_ms: int) -> date:
    """The first day on which a job may be sent: the one that it must carry, or that of its ``not_before``, or today."""
    return date.fromisoformat(issue_on) if issue_on else _day_in_bogota(max(start_at_ms, now_ms))


def day_of_push(entry_id: str, start_at_ms: int, now_ms: int, zone: ZoneInfo) -> date:
    """
    The day on which a job was pushed, in the account's zone: that of its stream entry, or of its ``not_before``.

    Args:
        entry_id: Of the stream; an invented one, of the future or from before 2025, counts as of *now_ms*.
        start_at_ms: Its ``not_before``; 0 for none.
    """
    return datetime.fromtimestamp(max(pushed_at_ms(entry_id, now_ms), start_at_ms) / 1000, zone).date()


def told_if_moved(job: JobRecord, ending: Ending, sent_ms: tuple[int, int], zone: ZoneInfo) -> Ending:
    """
    The end of an attempt: a document that was sent on a later day than it was pushed, or than it had to carry, has one
    warning more.

    Args:
        sent_ms: Between which instants it was sent; 0 where this service has sent none.
    """
    if not isinstance(ending, Finished) or ending.state != "validated" or ending.data is None:
        return ending
    if not all(sent_ms):
        return ending
    sent_on = _sent_on(sent_ms, ending.data.get("issued_at"), zone)
    if job.issue_on:
        wanted_on = date.fromisoformat(job.issue_on)
        text = f"Debía llevar la fecha del {wanted_on} (issue_on), pero llegó a Factus el {sent_on}: lleva esa fecha."
    else:
        wanted_on = day_of_push(job.entry, job.start_at, job.accepted_at or sent_ms[0], zone)
        text = f"Se envió a Factus el {sent_on}, y no el {wanted_on}, cuando se entregó: lleva la fecha del envío."
    if sent_on <= wanted_on:
        return ending
    warning = ErrorDetail(code="date.moved", message=text)
    return replace(ending, data={**ending.data, "warnings": [*ending.data["warnings"], warning.model_dump()]})


def _sent_on(sent_ms: tuple[int, int], issued_at: str | None, zone: ZoneInfo) -> date:
    """The day of the sending; where midnight fell into it, what Factus has dated it decides."""
    first, last = (datetime.fromtimestamp(at_ms / 1000, zone).date() for at_ms in sent_ms)
    issued_on = datetime.fromisoformat(issued_at).astimezone(zone).date() if issued_at else last
    return min(max(issued_on, first), last)


def revalidate_for_today(job: JobRecord, payload: PayloadSpec, now_ms: int) -> JobRecord | Finished:
    """
    The job as of today: with the warnings that the day adds, or refused by a rule that held on the day it was judged.

    What may be at Factus already is never refused: its fate is decided there.
    """
    today = _day_in_bogota(now_ms)
    if not job.accepted_at or today == first_day(job.issue_on, job.start_at, job.accepted_at):
        return job
    validated = validate(payload, job.parse_payload(), today=today)
    if validated.errors:
        is_untouched = not (job.attempts or job.sent or job.pending_since)
        text = f"Trabajo no enviado el {today}: {validated.errors[0].message}"
        return Finished("refused", text, errors=validated.errors) if is_untouched else job
    known = {(warning["rule"], warning["field"]) for warning in job.parsed_warnings}
    fresh = [one.model_dump() for one in validated.warnings if (one.rule, one.field) not in known]
    return replace(job, warnings=strict_json.dump([*job.parsed_warnings, *fresh])) if fresh else job


def _day_in_bogota(at_ms: int) -> date:
    # The rules follow Factus's own calendar, whatever the account's.
    return datetime.fromtimestamp(at_ms / 1000, BOGOTA).date()
