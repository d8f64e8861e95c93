"""
How much of Factus's allowance is used by two worker processes that always have work, and is it ever overdrawn?

The sandbox counts as Laravel does: the first request opens a fixed window, the 81st in it is a 429. *Ideal* is the
limit times the number of windows, a part of one counted as that part, from the first request on. Two figures: what
passed in a whole number of windows; and the pace in the long run, from the first request to the opening of the last
window, which also sees what the first hides (a window may close with its allowance used up long before).

With ``--others N`` somebody else makes N requests in each window with the same user: the first 429 tells us of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import lab

from tests.service_in_process import an_account
from worker.factus.rate_limit import limit_window_ms

_LIMIT = 80
_AIM = 0.995
_LOOK_S = 0.05


@dataclass(frozen=True)
class Plan:
    """Windows of ``window_s``, ``n_windows`` of them, and how long a create takes: most of a window's share."""

    window_s: float
    n_windows: int
    latency_ms: int
    n_others: int = 0


SHORT = Plan(6.0, 10, 40)
FULL = Plan(60.0, 5, 600)
HOUR = Plan(60.0, 60, 600)


@dataclass(frozen=True, slots=True)
class Look:
    """The sandbox's counts at an instant."""

    at: float
    n_passed: int
    n_refused: int


async def main(bench: lab.Lab, url: str, plan: Plan) -> None:
    redis = bench.connect()
    n = _LIMIT * (plan.n_windows + 1)
    await lab.push(redis, [lab.job(f"R-{number}", "acme") for number in range(n)])
    others = asyncio.create_task(somebody_else(url, plan)) if plan.n_others else None
    looks = await watch(url, plan)
    await redis.aclose()
    n_others = n_refused_others = 0
    if others:
        others.cancel()
        n_others, n_refused_others = await others
    began_at = looks[0].at
    end = looks[-1]
    ideal = _LIMIT * plan.n_windows
    share = end.n_passed / ideal
    pace = long_run(looks, plan)
    is_calm = end.n_refused - n_refused_others <= (1 if plan.n_others else 0)
    lab.show(f"passed in {plan.n_windows} windows", f"{end.n_passed} of {ideal}: {share:.1%}", f"{_AIM:.0%}")
    lab.show("pace in the long run", f"{pace:.2%}", f"{_AIM:.0%}", is_met=min(share, pace) >= _AIM)
    if plan.n_others:
        lab.show("answers 429 to us", str(end.n_refused - n_refused_others), "1, the first", is_met=is_calm)
        lab.show("answers 429 to the others", f"{n_refused_others} of {n_others}")
    else:
        lab.show("answers 429", str(end.n_refused), "0", is_met=is_calm)
    margin_s = limit_window_ms(an_account(rate_window=plan.window_s)) / 1000 - plan.window_s
    print(
        f"  over {end.at - began_at:.1f} s; windows of {plan.window_s:g} s are counted {margin_s:g} s longer, ", end=""
    )
    print(f"so {plan.window_s / (plan.window_s + margin_s):.2%} is the most that the long run can give")


async def somebody_else(url: str, plan: Plan) -> tuple[int, int]:
    """Requests of another program at even distances until it is cancelled: how many, and how many were answered 429."""
    given = {"grant_type": "password", "client_id": "x", "client_secret": "x", "username": "acme", "password": "x"}
    n, n_refused, token = 0, 0, ""
    try:
        while True:
            await asyncio.sleep(plan.window_s / plan.n_others)
            status, answer = await asyncio.to_thread(_ask, url, token, given)
            n, n_refused = n + 1, n_refused + (status == 429)
            token = answer.get("access_token", token)
    except asyncio.CancelledError:
        return n, n_refused


def _ask(url: str, token: str, given: dict[str, str]) -> tuple[int, dict[str, str]]:
    path, body = ("/v2/bills", None) if token else ("/oauth/token", json.dumps(given).encode())
    headers = {"Accept": "application/json", "Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(url + path, data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, {}


async def watch(url: str, plan: Plan) -> list[Look]:
    """Look at the sandbox's counts from the first request until all windows are over."""
    looks: list[Look] = []
    deadline = time.monotonic() + 30
    while not looks or looks[-1].at < looks[0].at + plan.n_windows * plan.window_s - _LOOK_S:
        report = await asyncio.to_thread(lab.ask, url, "report")
        account = report["accounts"].get("acme")
        if account:
            n_refused = account["rate_limited"]
            looks.append(Look(time.monotonic(), sum(account["requests"].values()) - n_refused, n_refused))
        elif time.monotonic() > deadline:
            raise SystemExit("no request came")
        await asyncio.sleep(_LOOK_S)
    return looks


def long_run(looks: Sequence[Look], plan: Plan) -> float:
    """Requests over the ideal, from the first request to the last time that a multiple of the limit was passed."""
    began_at, pace = looks[0].at, 0.0
    for before, after in pairwise(looks):
        n_whole = before.n_passed // _LIMIT * _LIMIT
        if n_whole and before.n_passed == n_whole and after.n_passed > n_whole:
            pace = n_whole / _LIMIT * plan.window_s / (after.at - began_at)
    return pace


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--hour", action="store_true", help="60 windows of 60 s")
    parser.add_argument("--others", type=int, default=0, metavar="N", help="requests of somebody else in each window")
    parser.add_argument("--window", type=float, help="seconds of a window")
    parser.add_argument("--windows", type=int, help="how many")


def plan_of(given: argparse.Namespace) -> Plan:
    plan = HOUR if given.hour else FULL if given.full else SHORT
    window_s, n_windows = given.window or plan.window_s, given.windows or plan.n_windows
    return Plan(window_s, n_windows, plan.latency_ms, given.others)


if __name__ == "__main__":
    given = lab.arguments(__doc__, options)
    plan = plan_of(given)
    with lab.open_lab(given.folder) as bench:
        beside = f", {plan.n_others} of somebody else" if plan.n_others else ""
        shape = f"{_LIMIT} in {plan.window_s:g} s{beside}, {plan.n_windows} windows, backlog"
        lab.announce(bench, f"2 worker processes, {shape}")
        window = f"{plan.window_s:g}s"
        address = bench.sandbox(rate_limit=_LIMIT, rate_window=window, latency=f"{plan.latency_ms}ms")
        accounts = bench.accounts_file(["acme"], address, limit=_LIMIT, window=window)
        for _ in range(2):
            bench.worker(accounts)
        lab.run(main(bench, address, plan))
