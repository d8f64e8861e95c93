"""
What somebody sees of a look, in words: what needs a person first. Pure.

He sees the accounts that he is granted. What concerns the service as a whole and names others is for those who may see
all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol
from urllib.parse import quote
from zoneinfo import ZoneInfo

from jobs.families import FAMILIES
from jobs.fiscal_day import day_bounds_ms
from schemas.contract.error_codes import ERROR_CODES
from schemas.factus import BOGOTA
from schemas.names import account_of, ending_of
from worker.http.page.seen import DayAtRisk, Happened, LetterSeen, Looked
from worker.http.page.shown import (
    BOUNDS,
    AccountShown,
    BatchShown,
    Bounds,
    Clock,
    DayShown,
    EndpointShown,
    EventShown,
    LetterShown,
    ProblemShown,
    RangeShown,
    Reference,
    Rows,
    View,
    rows,
)
from worker.http.page.text import long_day, minutes, moment, shown, unsaid
from worker.speech import SPANISH
from worker.status.batch import BatchSeen
from worker.status.causes import cause
from worker.status.facts import AccountSeen, EndpointSeen, Hold, LaneSeen, LettersSeen, Overview, RangeSeen
from worker.status.problems import Problem, problems
from worker.status.range_problems import document_words, range_problem
from worker.status.state_words import lane_words

_OF_ALL: Final = frozenset({"redis.writes", "workers.none"})
"""Problems of the whole service that name nobody."""

_ENVIRONMENTS: Final = {"sandbox": "pruebas, sin validez fiscal", "local": "local, sin validez fiscal"}
_ACTS: Final = {
    "producer": "lo corrige quien lo envió",
    "operator": "lo mira un operador",
    "developers": "es un defecto",
}
_ACTOR: Final = {row.code: row.acts for row in ERROR_CODES}
_BAD: Final = frozenset({"rejected", "failed", "refused", "at_risk", "blocked", "failing", "exhausted", "disabled"})
_DISABLED: Final = {"gone": "respondió 410", "failing": "solo falló durante 120 h", "operator": "por un operador"}

count = SPANISH.count


class Sight(Protocol):
    """What somebody may see."""

    @property
    def is_masked(self) -> bool: ...
    def sees(self, account: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Eyes:
    """Whose page it is: what he sees, in which zones, and how much room there is."""

    sight: Sight
    zones: Mapping[str, ZoneInfo]
    bounds: Bounds = BOUNDS

    @property
    def sees_all(self) -> bool:
        return self.sight.sees("")

    def zone(self, account: str) -> ZoneInfo:
        return self.zones.get(account, BOGOTA)

    def name(self, text: str) -> str:
        return shown(text, self.bounds.name)

    def sentence(self, text: str) -> str:
        return shown(unsaid(text) if self.sight.is_masked else text, self.bounds.sentence)

    def reference(self, account: str, family: str, reference_code: str, otherwise: str = "") -> Reference:
        """A reference with the address of its story, where it has one."""
        if not reference_code or family not in FAMILIES:
            return Reference(self.name(reference_code or otherwise), "")
        return Reference(self.name(reference_code), story_path(account, family, reference_code))


def story_path(account: str, family: str, reference_code: str) -> str:
    """The address of the story of a document."""
    # What JSON can hold and UTF-8 cannot leads nowhere, and breaks nothing.
    code = quote(reference_code.encode("utf-8", "replace"), safe="")
    return f"/documents/{quote(family, safe='')}/{code}" + (f"?account={quote(account, safe='')}" if account else "")


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody may be told of the whole, with its problems: the same however much of it has room."""

    overview: Overview
    problems: tuple[Problem, ...]


def told_to(looked: Looked, eyes: Eyes) -> Told:
    """What is left of a look for one person."""
    seen = visible(looked.overview, eyes.sight)
    return Told(seen, tuple(one for one in problems(seen, SPANISH) if _may_be_told(one, eyes)))


def view_of(looked: Looked, eyes: Eyes, told: Told | None = None) -> View:
    """
    The page of one person.

    Args:
        told: As :func:`told_to` has it, where it is known already.
    """
    told = told or told_to(looked, eyes)
    seen, found, bounds = told.overview, told.problems, eyes.bounds
    now_ms = seen.now_ms
    days = sorted((one for one in looked.days if one.will_miss and eyes.sight.sees(one.account)), key=_urgency)
    n_missing = sum(one.will_miss for one in days)
    letters = [one for one in looked.letters if eyes.sight.sees(one.account)]
    endings = [(one, near) for one in seen.ranges if (near := range_problem(one, SPANISH))]
    return View(
        clock=_clock(now_ms),
        headline=_headline(len(found)),
        is_calm=not found,
        risk_line=_risk_line(n_missing, days, now_ms, eyes),
        is_at_risk=bool(n_missing),
        problems=rows(found, bounds.problems, lambda one: _problem(one, now_ms, eyes)),
        days=rows(days, bounds.days, lambda one: _day(one, now_ms, eyes)),
        n_days_left_out=count(looked.n_days_left_out) if looked.n_days_left_out and eyes.sees_all else "",
        accounts=_accounts(seen, days, eyes),
        batches=_batches(looked.batches, now_ms, eyes),
        letters=Rows(
            tuple(_letter(one, now_ms, eyes) for one in letters[: bounds.letters]), _n_more(letters, seen, eyes)
        ),
        letters_line=_letters_line(seen, letters, eyes),
        endpoints=rows(_by_need(seen.endpoints), bounds.endpoints, lambda one: _endpoint(one, now_ms, eyes)),
        endpoints_line=_endpoints_line(seen, eyes),
        ranges=rows(endings, bounds.ranges, lambda pair: _range(*pair, eyes)),
        ranges_line="" if endings else _ranges_line(seen),
        events=Rows(_events(looked.events, now_ms, eyes)),
        seen_at=f"{datetime.fromtimestamp(now_ms / 1000, BOGOTA):%H:%M:%S}",
    )


# -- who sees what -----------------------------------------------------------------------------------------------------
def visible(seen: Overview, sight: Sight) -> Overview:
    """What somebody may be told of the whole: of others not even that they are there."""
    if sight.sees(""):
        return seen
    return replace(
        seen,
        workers=tuple(
            replace(
                worker,
                accounts=tuple(filter(sight.sees, worker.accounts)),
                environments={name: one for name, one in worker.environments.items() if sight.sees(name)},
                failed="",
                failed_lately="",
                keys_fault="",
            )
            for worker in seen.workers
        ),
        intakes=(),
        lanes=tuple(lane for lane in seen.lanes if sight.sees(lane.account)),
        accounts=tuple(account for account in seen.accounts if sight.sees(account.name)),
        n_dead=0,
        groups=(),
        damaged=(),
        n_letters_gone=0,
        letters=LettersSeen(),
        endpoints=(),
        n_delivering=None,
        ranges=tuple(one for one in seen.ranges if sight.sees(one.account)),
    )


def _may_be_told(one: Problem, eyes: Eyes) -> bool:
    return eyes.sees_all or one.id in _OF_ALL or eyes.sight.sees(account_of(one.subject))


# -- the head ----------------------------------------------------------------------------------------------------------
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
    today = sum(one.will_miss for one in days if one.day == _today(now_ms, eyes.zone(one.account)))
    text = _documents(today or n_missing) + (" no alcanza" if (today or n_missing) == 1 else " no alcanzan")
    return f"{text} a salir {'hoy' if today else 'en su día'}."


def _documents(n: int) -> str:
    return SPANISH.documents(n)


def _today(now_ms: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(now_ms / 1000, zone).date().isoformat()


# -- what needs a person -----------------------------------------------------------------------------------------------
def _problem(one: Problem, now_ms: int, eyes: Eyes) -> ProblemShown:
    following = one.next
    if following and one.next_ms:
        following += f", a las {moment(one.next_ms, BOGOTA, now_ms)}"
    return ProblemShown(
        what=_sentence_of(eyes.sentence(one.what)),
        mend=_sentence_of(eyes.sentence(one.mend)),
        since=moment(one.since_ms, BOGOTA, now_ms),
        holder=eyes.name(one.holder),
        next=_sentence_of(eyes.sentence(following)),
    )


def _sentence_of(text: str) -> str:
    """A text with a capital, so that it stands for itself; a name of a command stays as it is typed."""
    if not text or text.startswith("factus-"):
        return text
    return text[0].upper() + text[1:]


def _urgency(one: DayAtRisk) -> tuple[int, int]:
    return one.ends_ms, -one.will_miss


def _day(one: DayAtRisk, now_ms: int, eyes: Eyes) -> DayShown:
    zone = eyes.zone(one.account)
    references = [eyes.reference(one.account, family, code) for family, code in one.references]
    first = references[: eyes.bounds.references]
    return DayShown(
        account=eyes.name(one.account),
        day="hoy" if one.day == _today(now_ms, zone) else one.day,
        will_miss=count(one.will_miss),
        n_waiting=count(one.n_waiting),
        expected=moment(one.expected_ms or 0, zone, now_ms),
        ends=minutes((one.ends_ms - now_ms) / 1000),
        references=Rows(tuple(first), max(one.will_miss - len(first), 0)),
    )


# -- accounts ----------------------------------------------------------------------------------------------------------
def _accounts(seen: Overview, days: Sequence[DayAtRisk], eyes: Eyes) -> Rows[AccountShown]:
    lanes: dict[str, list[LaneSeen]] = {}
    for lane in seen.lanes:
        lanes.setdefault(lane.account, []).append(lane)
    late = {one.account for one in days}
    ranked = sorted(seen.accounts, key=lambda one: _rank(one, lanes.get(one.name, []), late, seen))
    return rows(ranked, eyes.bounds.accounts, lambda one: _account(one, lanes.get(one.name, []), seen, eyes))


def _rank(account: AccountSeen, lanes: Sequence[LaneSeen], late: set[str], seen: Overview) -> tuple[int, float, str]:
    """Who needs somebody first, then who has most to do."""
    is_stopped = _is_stopped(account, lanes)
    need_s = _need_s(account, lanes, seen)
    group = 0 if account.name in late else 1 if is_stopped else 2
    n_open = sum(lane.n_open for lane in lanes)
    return group, -(need_s if need_s is not None else n_open), account.name


def _is_stopped(account: AccountSeen, lanes: Sequence[LaneSeen]) -> bool:
    return _holds(account.hold) or bool(account.blocks) or any(_holds(lane.hold) for lane in lanes)


def _holds(hold: Hold | None) -> bool:
    """Whether nobody knows when it ends: Factus's own pause has an end."""
    return hold is not None and hold.reason != "factus.throttled"


def _need_s(account: AccountSeen, lanes: Sequence[LaneSeen], seen: Overview) -> float | None:
    """How long the backlog of an account needs, seconds; None where nobody knows."""
    busy = [lane for lane in lanes if lane.n_waiting]
    if not busy:
        return 0.0
    if not seen.workers or _holds(account.hold) or any(_holds(lane.hold) for lane in busy):
        return None
    return max(lane.backlog_s for lane in busy)


def _account(one: AccountSeen, lanes: Sequence[LaneSeen], seen: Overview, eyes: Eyes) -> AccountShown:
    zone, now_ms = eyes.zone(one.name), seen.now_ms
    has_s = (day_bounds_ms(_today(now_ms, zone), zone)[1] - now_ms) / 1000
    n_waiting, n_later = sum(lane.n_waiting for lane in lanes), sum(lane.n_later for lane in lanes)
    need_s = _need_s(one, lanes, seen)
    is_late = need_s is not None and need_s > has_s
    state = "stopped" if _is_stopped(one, lanes) else "late" if is_late else "busy" if n_waiting else "calm"
    left = max(one.limit - one.n_used, 0)
    room = left + int(has_s // max(one.window_s, 1)) * one.limit
    return AccountShown(
        name=eyes.name(one.name),
        state=state,
        waiting=count(n_waiting),
        later=count(n_later) if n_later else "",
        need="no se sabe" if need_s is None else minutes(need_s),
        has=minutes(has_s),
        need_share=0 if not need_s else min(round(100 * need_s / has_s), 100),
        allowance=f"{count(one.n_used)} de {count(one.limit)} en {one.window_s:g} s",
        allowance_share=min(round(100 * one.n_used / max(one.limit, 1)), 100),
        room=count(room),
        why=_sentence_of(eyes.sentence(_why(one, lanes, seen, zone))),
        environment=_ENVIRONMENTS.get(one.environment or "", ""),
    )


def _why(one: AccountSeen, lanes: Sequence[LaneSeen], seen: Overview, zone: ZoneInfo) -> str:
    """Why it does not go on, or goes on slowly: of its fullest lane. What holds it stands among the problems."""
    if one.hold:
        return "" if _holds(one.hold) else cause(one.hold, SPANISH)
    for lane in sorted(lanes, key=lambda lane: -lane.n_waiting):
        if not lane.hold and (words := lane_words(lane, one, seen.now_ms, zone, SPANISH)):
            return words
    return ""


# -- batches -----------------------------------------------------------------------------------------------------------
def _batches(found: Sequence[BatchSeen], now_ms: int, eyes: Eyes) -> Rows[BatchShown]:
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
def _n_more(letters: Sequence[LetterSeen], seen: Overview, eyes: Eyes) -> int:
    n = max(seen.n_dead, len(letters)) if eyes.sees_all else len(letters)
    return max(n - min(len(letters), eyes.bounds.letters), 0)


def _letters_line(seen: Overview, letters: Sequence[LetterSeen], eyes: Eyes) -> str:
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


def _letter(one: LetterSeen, now_ms: int, eyes: Eyes) -> LetterShown:
    family = one.job_type.partition(".")[0]
    return LetterShown(
        time=moment(one.at_ms, BOGOTA, now_ms),
        reason=eyes.name(one.reason),
        account=eyes.name(one.account),
        reference=eyes.reference(one.account, family, one.reference_code, one.job_id),
        message=eyes.sentence(one.message),
        acts=_ACTS.get(_ACTOR.get(one.reason, "operator"), _ACTS["operator"]),
    )


def _by_need(endpoints: Sequence[EndpointSeen]) -> list[EndpointSeen]:
    return sorted(endpoints, key=lambda one: (not one.is_disabled, not one.failing_since_ms, -one.n_waiting, one.name))


def _endpoint(one: EndpointSeen, now_ms: int, eyes: Eyes) -> EndpointShown:
    state, mend = "activa", ""
    if one.is_disabled:
        why = _DISABLED.get(one.disabled_why, "")
        state = "desactivada" + (f", {why}" if why else "")
        mend = f"factus-worker webhooks enable {one.name}"
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


def _endpoints_line(seen: Overview, eyes: Eyes) -> str:
    if not eyes.sees_all:
        return "Los ve quien puede ver todas las cuentas."
    if seen.n_delivering is None:
        return "El usuario de Redis de esta puerta no los puede leer (deploy/users.acl)."
    if not seen.endpoints:
        return "No hay ninguno."
    return "" if seen.n_delivering else "Ningún proceso entrega: inicie factus-worker webhooks."


def _range(one: RangeSeen, found: Problem, eyes: Eyes) -> RangeShown:
    told = found.what.partition(": ")[2] or found.what
    name = f"{one.prefix} · {document_words(one.document, SPANISH)} · {one.account}"
    return RangeShown(eyes.name(name), _sentence_of(eyes.sentence(told)), _sentence_of(eyes.sentence(found.mend)))


def _ranges_line(seen: Overview) -> str:
    return "Ninguno está por terminar." if seen.ranges else "Todavía no se sabe de ninguno."


# -- events ------------------------------------------------------------------------------------------------------------
def _events(found: Sequence[Happened], now_ms: int, eyes: Eyes) -> tuple[EventShown, ...]:
    mine = [one for one in found if eyes.sight.sees(one.account)][: eyes.bounds.events]
    return tuple(
        EventShown(
            time=moment(one.at_ms, eyes.zone(one.account), now_ms),
            type=eyes.name(one.type),
            is_bad=not one.success or ending_of(one.type) in _BAD,
            account=eyes.name(one.account),
            reference=eyes.reference(one.account, one.job_type.partition(".")[0], one.reference_code, one.job_id),
            message=eyes.sentence(one.message),
        )
        for one in mine
    )
