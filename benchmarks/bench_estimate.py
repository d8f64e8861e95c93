"""
At half time of a backlog, how far is the estimate off, as a share of the time that is then left?

A worker and the sandbox with a scaled allowance; the estimate is read as ``status`` reads it, four times a second, and
compared with what came when all was done. Backlogs: one family that its creates hold back, one that the allowance
does, three families, calls between, and a hold in the middle of which Factus has said when it ends.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import lab
from arq.connections import ArqRedis

from jobs.estimate.forecast import forecast
from tests.families import a_document_payload
from tests.service_in_process import an_account
from worker.queue.load_reader import LoadReader

_AIM = 0.10
_LOOK_S = 0.25
_LIMIT = 40


@dataclass(frozen=True)
class Plan:
    """A backlog: so many documents of each family; calls for each second, and the hold (from, for), seconds."""

    name: str
    families: tuple[str, ...]
    n_each: int
    latency: str
    calls_a_second: float = 0.0
    hold_s: tuple[float, float] | None = None


def plans(scale: int) -> list[Plan]:
    """Scaled: ten documents a second for each *scale* of 100 documents."""
    three = ("invoice", "credit_note", "support_document")
    return [
        Plan("one family, its creates", ("invoice",), scale, "200ms-400ms"),
        Plan("one family, the allowance", ("invoice",), 2 * scale, "20ms-60ms"),
        Plan("three families", three, scale, "20ms-60ms"),
        Plan("calls between", ("invoice",), 2 * scale, "20ms-60ms", calls_a_second=1.0),
        Plan("a hold in the middle", ("invoice",), 2 * scale, "20ms-60ms", hold_s=(scale / 20, scale / 15)),
    ]


@dataclass(frozen=True, slots=True)
class Look:
    """What was estimated at an instant: ms at which each lane would be done."""

    at_ms: float
    done_ms: dict[str, float]


def job(family: str, account: str, n: int) -> str:
    """A document of a family, as it is pushed."""
    payload = {**a_document_payload(family), "reference_code": f"{family}-{account}-{n}"}
    return json.dumps({"type": f"{family}.issue", "account": account, "payload": payload})


async def measure(redis: ArqRedis, plan: Plan, account: str, window_s: float) -> None:
    """One backlog from its push to its end."""
    settings = an_account(account, rate_limit=_LIMIT, rate_window=window_s)
    reader = LoadReader(redis, lab.KEYS)
    await lab.push(redis, [job(family, account, n) for n in range(plan.n_each) for family in plan.families])
    looks: list[Look] = []
    done: dict[str, float] = {}
    began, n_calls = time.monotonic(), 0
    lanes = [f"{account}/{family}" for family in plan.families]
    is_held = plan.hold_s is None
    while len(done) < len(lanes):
        seconds, micros = await redis.time()
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        reading = await reader.read(settings, now_ms)
        courses = forecast(reading.load)
        looks.append(Look(now_ms, {lane: courses[lane].done_ms or 0.0 for lane in lanes}))
        for one in reading.load.lanes:
            has_begun = len(looks) > 8
            if one.name in lanes and has_begun and not (one.n_waiting or one.n_in_flight or one.releases):
                done.setdefault(one.name, now_ms)
        elapsed_s = time.monotonic() - began
        while n_calls < plan.calls_a_second * elapsed_s:
            await lab.push(redis, [json.dumps({"type": "company.get", "account": account, "payload": {}})])
            n_calls += 1
        if plan.hold_s and not is_held and elapsed_s >= plan.hold_s[0]:
            is_held = True
            hold = {"hold_until": now_ms + round(plan.hold_s[1] * 1000), "hold_reason": "factus.throttled"}
            await redis.hset(lab.KEYS.account(account), mapping=hold)
        await asyncio.sleep(_LOOK_S)
    tell(plan, looks, done)


def tell(plan: Plan, looks: Sequence[Look], done: dict[str, float]) -> None:
    """The error of each lane at half time, and of the backlog as a whole."""
    began_ms = looks[0].at_ms
    errors = {}
    for lane, ended_ms in done.items():
        half = min(looks, key=lambda look: abs(look.at_ms - (began_ms + ended_ms) / 2))
        errors[lane] = (half.done_ms[lane] - ended_ms) / (ended_ms - half.at_ms)
    last = max(done, key=done.__getitem__)
    each = ", ".join(f"{lane.partition('/')[2]} {error:+.1%}" for lane, error in errors.items())
    took_s = (done[last] - began_ms) / 1000
    lab.show(
        plan.name, f"{errors[last]:+.1%} of {took_s / 2:.0f} s left", f"{_AIM:.0%}", is_met=abs(errors[last]) <= _AIM
    )
    if len(errors) > 1:
        print(f"  {each}")


async def main(bench: lab.Lab, given: Sequence[Plan], window_s: float) -> None:
    redis = bench.connect()
    for n, plan in enumerate(given):
        await measure(redis, plan, f"acme{n}", window_s)
    await redis.aclose()


if __name__ == "__main__":
    given = lab.arguments(
        __doc__, lambda parser: parser.add_argument("--only", type=int, help="this one of the five, from 0")
    )
    window_s = 4.0
    chosen = plans(400 if given.full else 120)
    if given.only is not None:
        chosen = [chosen[given.only]]
    for plan in chosen:  # each has creates of its own, and so a sandbox of its own
        with lab.open_lab(given.folder) as bench:
            lab.announce(bench, f"a worker, {_LIMIT} in {window_s:g} s, creates of {plan.latency}: {plan.name}")
            address = bench.sandbox(rate_limit=_LIMIT, rate_window=f"{window_s:g}s", latency=plan.latency)
            bench.worker(bench.accounts_file(["acme0"], address, limit=_LIMIT, window=f"{window_s:g}s"))
            lab.run(main(bench, [plan], window_s))
