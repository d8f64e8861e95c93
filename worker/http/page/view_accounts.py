"""Accounts in words: what each needs against what it has, and why it does not go on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

from jobs.fiscal_day import day_bounds_ms
from worker.http.page.eyes import Eyes
from worker.http.page.seen import DayAtRisk
from worker.http.page.shown import AccountShown, Rows, rows
from worker.http.page.text import minutes, on_its_own, today
from worker.speech import SPANISH
from worker.status.causes import cause
from worker.status.facts import AccountSeen, Hold, LaneSeen, Overview
from worker.status.state_words import lane_words

_ENVIRONMENTS: Final = {"sandbox": "pruebas, sin validez fiscal", "local": "local, sin validez fiscal"}

count = SPANISH.count


def accounts_shown(seen: Overview, days: Sequence[DayAtRisk], eyes: Eyes) -> Rows[AccountShown]:
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
    has_s = (day_bounds_ms(today(now_ms, zone), zone)[1] - now_ms) / 1000
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
        why=on_its_own(eyes.sentence(_why(one, lanes, seen, zone))),
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
