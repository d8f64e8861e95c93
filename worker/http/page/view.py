"""What somebody sees of a look, in words: what needs a person first. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from jobs.fiscal_day import day_bounds_ms
from schemas.factus import BOGOTA
from worker.http.page.eyes import Eyes, Told, told_to
from worker.http.page.seen import DayAtRisk, Looked
from worker.http.page.shown import Clock, Rows, View, rows
from worker.http.page.text import long_day, today
from worker.http.page.view_accounts import accounts_shown
from worker.http.page.view_lists import (
    batches_shown,
    by_need,
    endpoint_shown,
    endpoints_line,
    events_shown,
    letter_shown,
    letters_line,
    n_letters_more,
    range_shown,
    ranges_line,
)
from worker.http.page.view_needs import day_shown, problem_shown, urgency
from worker.speech import SPANISH
from worker.status.range_problems import range_problem

count = SPANISH.count


def view_of(looked: Looked, eyes: Eyes, told: Told | None = None) -> View:
    """
    The page of one person.

    Args:
        told: As :func:`told_to` has it, where it is known already.
    """
    told = told or told_to(looked, eyes)
    seen, found, bounds = told.overview, told.problems, eyes.bounds
    now_ms = seen.now_ms
    days = sorted((one for one in looked.days if one.will_miss and eyes.sight.sees(one.account)), key=urgency)
    n_missing = sum(one.will_miss for one in days)
    letters = [one for one in looked.letters if eyes.sight.sees(one.account)]
    above = {(one.id, one.subject) for one in found[: bounds.problems]}
    endings = [(one, near) for one in seen.ranges if (near := range_problem(one, SPANISH))]
    return View(
        clock=_clock(now_ms),
        headline=_headline(len(found)),
        is_calm=not found,
        risk_line=_risk_line(n_missing, days, now_ms, eyes),
        is_at_risk=bool(n_missing),
        problems=rows(found, bounds.problems, lambda one: problem_shown(one, now_ms, eyes)),
        days=rows(days, bounds.days, lambda one: day_shown(one, now_ms, eyes)),
        n_days_left_out=count(looked.n_days_left_out) if looked.n_days_left_out and eyes.sees_all else "",
        accounts=accounts_shown(seen, days, eyes),
        batches=batches_shown(looked.batches, now_ms, eyes),
        letters=Rows(
            tuple(letter_shown(one, now_ms, eyes) for one in letters[: bounds.letters]),
            n_letters_more(letters, seen, eyes),
        ),
        letters_line=letters_line(seen, letters, eyes),
        endpoints=rows(by_need(seen.endpoints), bounds.endpoints, lambda one: endpoint_shown(one, now_ms, eyes, above)),
        endpoints_line=endpoints_line(seen, eyes),
        ranges=rows(endings, bounds.ranges, lambda pair: range_shown(*pair, eyes, above)),
        ranges_line="" if endings else ranges_line(seen),
        events=Rows(events_shown(looked.events, now_ms, eyes)),
        seen_at=f"{datetime.fromtimestamp(now_ms / 1000, BOGOTA):%H:%M:%S}",
    )


def _clock(now_ms: int) -> Clock:
    now = datetime.fromtimestamp(now_ms / 1000, BOGOTA)
    left_s = (day_bounds_ms(now.date().isoformat(), BOGOTA)[1] - now_ms) / 1000
    n_minutes = -int(-left_s // 60)
    if n_minutes <= 120:
        figure, unit = str(n_minutes), "minuto" if n_minutes == 1 else "minutos"
    else:
        figure, unit = f"{n_minutes // 60}:{n_minutes % 60:02d}", "horas"
    return Clock(figure, unit, long_day(now_ms, BOGOTA), f"{now:%H:%M}")


def _headline(n: int) -> str:
    if not n:
        return "Nada necesita a una persona."
    return "Una cosa necesita a una persona." if n == 1 else f"{count(n)} cosas necesitan a una persona."


def _risk_line(n_missing: int, days: Sequence[DayAtRisk], now_ms: int, eyes: Eyes) -> str:
    if not n_missing:
        return "Todo lo que lleva fecha alcanza a salir en su día."
    n_today = sum(one.will_miss for one in days if one.day == today(now_ms, eyes.zone(one.account)))
    n = n_today or n_missing
    text = SPANISH.documents(n) + (" no alcanza" if n == 1 else " no alcanzan")
    return f"{text} a salir {'hoy' if n_today else 'en su día'}."
