"""
RADIAN's clock over ten years of 10,000 bills a year: nothing early, nothing twice, nothing silent, and what it costs.

The pure clock alone, played by the pauses that it asks for: what Factus shows, and when, is drawn (late, twice, in
another order, lost answers, a Factus that declares 034 by itself). Then how many calls each course of events costs, and
what 100,000 tracked bills of one account need of its allowance, with the nearest dates first where it does not suffice.
"""

from __future__ import annotations

import argparse
import heapq
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from jobs.radian.clock import Clock
from jobs.radian.evidence import evidence
from jobs.radian.state import ClockState
from jobs.radian_policy import DAY_MS, RadianPolicy, instant, ms
from schemas.factus import BOGOTA
from schemas.records import JobRecord
from tests.unit.jobs.radian.lives import AtFactus, Life, live

_YEARS = range(2026, 2036)
_COURSES = {
    "the buyer says nothing, we declare 034": 0.40,
    "the buyer accepts (033)": 0.25,
    "the buyer claims (031)": 0.08,
    "nothing ever happens": 0.10,
    "Factus declares 034 itself": 0.07,
    "032 comes after ten days": 0.05,
    "the answer to 034 is lost, and it is there": 0.03,
    "034 shows after two hours": 0.01,
    "034 never shows": 0.01,
}


def main(n_a_year: int, n_tracked: int) -> int:
    draw = random.Random(13)
    began_at = time.process_time()
    faults: Counter[str] = Counter()
    calls: dict[str, list[int]] = {name: [] for name in _COURSES}
    told: Counter[str] = Counter()
    for year in _YEARS:
        for _ in range(n_a_year):
            name = draw.choices([*_COURSES], [*_COURSES.values()])[0]
            life = _life(name, _some_moment(year, draw), draw)
            calls[name].append(life.n_calls)
            told.update(life.told)
            faults.update(_faults(name, life))
    n = len(_YEARS) * n_a_year
    print(f"{n:,} bills in {len(_YEARS)} years, {time.process_time() - began_at:.0f} s of processor time")
    print(", ".join(f"{n:,} {type_}" for type_, n in sorted(told.items())), flush=True)
    for fault in ("early", "twice", "due date silent", "acceptance without evidence", "at night", "034 twice"):
        print(f"  {fault:<30}{faults[fault]:>8}")
    print(f"\n{'course of events':<46}{'bills':>8}{'calls':>8}{'most':>6}")
    for name, found in calls.items():
        if found:
            print(f"{name:<46}{len(found):>8,}{sum(found) / len(found):>8.1f}{max(found):>6}")
    ten_days = [
        live(AtFactus(), f"2026-11-23T{hour:02}:17", lasts_ms=10 * DAY_MS + DAY_MS // 2).n_calls for hour in range(24)
    ]
    print(f"{'ten days in which nothing happens':<46}{24:>8}{sum(ten_days) / 24:>8.1f}{max(ten_days):>6}")
    _crowd(n_tracked, draw)
    return 1 if faults else 0


def _some_moment(year: int, draw: random.Random) -> datetime:
    return datetime(year, 1, 1, tzinfo=BOGOTA) + timedelta(seconds=draw.randrange(365 * 86_400))


def _life(name: str, validated: datetime, draw: random.Random) -> Life:
    factus = AtFactus()
    received = validated + timedelta(hours=draw.uniform(2, 100))
    if name == "032 comes after ten days":
        received = validated + timedelta(days=draw.uniform(10.5, 40))
    late = timedelta(hours=draw.choice([0, 0, 0, draw.uniform(0, 40)]))
    if name != "nothing ever happens":
        factus.has("030", received, seen=received + late).has("032", received, seen=received + late)
    word = received + timedelta(hours=draw.uniform(1, 60))
    match name:
        case "the buyer accepts (033)":
            factus.has("033", word, seen=max(word, received + late))
        case "the buyer claims (031)":
            factus.has("031", word, seen=max(word, received + late))
        case "Factus declares 034 itself":
            at = received + timedelta(days=10)
            factus.has("034", at, seen=at)
        case "034 shows after two hours":
            factus.shows_after = timedelta(hours=2)
        case "034 never shows":
            factus.shows_after = None
        case "the answer to 034 is lost, and it is there":
            factus.shows_after = timedelta(seconds=90)
        case _:
            pass
    if draw.random() < 0.05:
        factus.shown += factus.shown
        draw.shuffle(factus.shown)
    emits = name not in ("Factus declares 034 itself", "nothing ever happens")
    return live(factus, validated, emits=emits, is_stored=False)


def _faults(name: str, life: Life) -> list[str]:
    found = []
    term = life.clock.term(life.state)
    if term and any(instant(at_ms) < term.accepts_from for at_ms in life.factus.sent_ms):
        found.append("early")
    if term and life.told["radian.due"] and life.at("radian.due") < term.accepts_from:
        found.append("early")
    if any(n > 1 for type_, n in life.told.items() if type_ != "radian.event"):
        found.append("twice")
    shown = {event.key: event.event_code for _, event in life.factus.shown}
    if [*shown.values()].count("034") > 1:
        found.append("034 twice")
    is_ended = life.state.last_word is not None
    is_over = bool(term) and instant(life.looks_ms[-1]) >= term.accepts_from
    if is_over and not is_ended and not life.told["radian.due"]:
        found.append("due date silent")
    if shown and not life.told["radian.clock"]:
        found.append("due date silent")
    if life.told["radian.accepted"] and not evidence(_JOB, life.clock, life.state):
        found.append("acceptance without evidence")
    if any(not 6 <= instant(at_ms).hour < 20 for at_ms in life.looks_ms):
        found.append("at night")
    return found


_JOB = JobRecord(account="acme", id="j~track", type="invoice.track", family="invoice", lane="acme/calls", entry="1-0")


@dataclass(order=True)
class _Turn:
    latest_ms: int
    n: int


def _crowd(n_tracked: int, draw: random.Random) -> None:
    """
    So many watches over bills of one account, an hour at a time: 60 calls a minute is what the allowance leaves low
    calls. A watch whose turn has come waits behind those whose dates are nearer.
    """
    print(f"\n{n_tracked:,} tracked bills of one account, 80 calls in 60 s (a quarter stays free for documents)")
    print(
        f"{'documents take':<16}{'calls a day':>12}{'longest queue':>15}{'due':>8}{'by 09:00':>10}{'latest look':>13}"
    )
    for share in (0.0, 0.5):
        _play_crowd(n_tracked, share, random.Random(draw.random()))


def _play_crowd(n_tracked: int, share: float, draw: random.Random) -> None:
    start = ms(datetime(2026, 11, 2, tzinfo=BOGOTA))
    clock = Clock(RadianPolicy(), start)
    states = [ClockState(number=str(n), n_looks=9, silent_at_ms=1) for n in range(n_tracked)]
    # One bill in twenty is received each day.
    receipts = [start + round(draw.uniform(0, 12) * DAY_MS) if draw.random() < 0.65 else 0 for _ in range(n_tracked)]
    later = [(start + round(draw.uniform(0, 2) * DAY_MS), n) for n in range(n_tracked)]
    heapq.heapify(later)
    waiting: list[_Turn] = []
    per_hour = round(3600 * (1 - share))
    n_calls = n_due = n_in_time = longest = 0
    worst_ms = 0
    planned = dict.fromkeys(range(n_tracked), 0)
    days = 14
    for hour in range(days * 24):
        now_ms = start + hour * 3_600_000
        while later and later[0][0] <= now_ms:
            at_ms, n = heapq.heappop(later)
            planned[n] = at_ms
            heapq.heappush(waiting, _Turn(clock.latest_ms(states[n], at_ms), n))
        longest = max(longest, len(waiting))
        if clock.policy.awake_ms(now_ms) > now_ms:
            continue
        for _ in range(min(per_hour, len(waiting))):
            n = heapq.heappop(waiting).n
            worst_ms = max(worst_ms, now_ms - planned[n])
            n_calls += 1
            factus = AtFactus()
            if receipts[n] and receipts[n] <= now_ms:
                factus.has("032", instant(receipts[n]))
            states[n], news = clock.after_look(states[n], factus.look(now_ms), now_ms)
            for one in news:
                if one.type == "radian.due":
                    n_due += 1
                    n_in_time += now_ms <= clock.accepts_from_ms(states[n]) + 9 * 3_600_000
                    receipts[n] = 0
            heapq.heappush(later, (max(clock.next_ms(states[n], now_ms), now_ms + 1), n))
    worst_h = worst_ms / 3_600_000
    told = f"{share:<16.0%}{n_calls / days:>12,.0f}{longest:>15,}{n_due:>8,}"
    print(f"{told}{n_in_time / max(n_due, 1):>10.1%}{worst_h:>10.0f} h", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bills", type=int, default=10_000, help="bills a year")
    parser.add_argument("--tracked", type=int, default=100_000)
    given = parser.parse_args()
    sys.exit(main(given.bills, given.tracked))
