"""What needs a person, and what will miss its day, in words. Pure."""

from __future__ import annotations

from schemas.factus import BOGOTA
from worker.http.page.eyes import Eyes
from worker.http.page.seen import DayAtRisk
from worker.http.page.shown import DayShown, ProblemShown, Rows
from worker.http.page.text import minutes, moment, on_its_own, today
from worker.speech import SPANISH
from worker.status.problem import Problem

count = SPANISH.count


def problem_shown(one: Problem, now_ms: int, eyes: Eyes) -> ProblemShown:
    following = one.next
    if following and one.next_ms:
        following += f", a las {moment(one.next_ms, BOGOTA, now_ms)}"
    return ProblemShown(
        kind=one.id,
        severity=one.severity,
        what=on_its_own(eyes.sentence(one.what)),
        mend=on_its_own(eyes.sentence(one.mend)),
        since=moment(one.since_ms, BOGOTA, now_ms),
        holder=eyes.name(one.holder),
        next=on_its_own(eyes.sentence(following)),
    )


def urgency(one: DayAtRisk) -> tuple[int, int]:
    return one.ends_ms, -one.will_miss


def day_shown(one: DayAtRisk, now_ms: int, eyes: Eyes) -> DayShown:
    zone = eyes.zone(one.account)
    references = [eyes.reference(one.account, family, code) for family, code in one.references]
    first = references[: eyes.bounds.references]
    return DayShown(
        account=eyes.name(one.account),
        day="hoy" if one.day == today(now_ms, zone) else one.day,
        will_miss=count(one.will_miss),
        n_waiting=count(one.n_waiting),
        expected=moment(one.expected_ms or 0, zone, now_ms),
        ends=minutes((one.ends_ms - now_ms) / 1000),
        references=Rows(tuple(first), max(one.will_miss - len(first), 0)),
    )
