"""
The full form: real worker processes, a real server with its data on disk, the sandbox on a socket, and kill -9.

A seeded plan decides the faults of Factus and the kills. It is written beside the logs, in a folder that is named at
the end. The course of a run is in ``full_run.py``, the people around it in ``actors.py``, the table in
``metrics_table.py``.
"""

from __future__ import annotations

import json
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sandbox.state.bill_life import CONFLICT, REGISTERED, REGISTERS, WANTS_PERSON
from schemas.factus import BOGOTA
from tests.service_processes import SECRETS, plant, post_json, until
from tests.simulation.calls import a_call
from tests.simulation.checker import judge
from tests.simulation.checks.left_in_redis import leftover_keys
from tests.simulation.factus_side import OverHttp
from tests.simulation.fault_plan import full_plan
from tests.simulation.full_run import ACCOUNTS, OWN_STREAMS, Run
from tests.simulation.history import Evidence, Verdict, kind_of
from tests.simulation.hostile import SpoilingProxy
from tests.simulation.metrics_table import Figures, waits_in
from tests.simulation.radian_times import PERSON
from tests.simulation.workload import KEPT, Workload

TIMEOUT_S = 2.0
WINDOW_S = 10.0
RATE_LIMIT = 400
_KEEP_SHARE = 0.008
_SPOIL_SHARE = 0.02
_LONGEST_LEASE_S = 6.0
_EMITS_SHARE = 0.3
_ODD_LIST_SHARE = 0.3


def run_full(
    seed: int,
    n_jobs: int,
    *,
    minutes: float,
    say: Callable[[str], None],
    rate_limit: int = RATE_LIMIT,
    lane_width: int = 1,
    takes_at_once: int = 1,
) -> Figures:
    """
    One run.

    Args:
        minutes: Longest time until everything must have ended.
        rate_limit: Requests per account in ten seconds; raised, so that thousands of invoices take minutes.
        lane_width: How many creates of a family an account tries at once.
        takes_at_once: How many Factus takes.
    """
    chance = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix=f"factus-simulation-{seed}-"))
    plan = {"rules": full_plan(chance, TIMEOUT_S, kept=KEPT)}
    persons, lives = with_person(seed), lives_of(seed)
    (folder / "plan.json").write_text(
        json.dumps({"seed": seed, "jobs": n_jobs, "persons": sorted(persons), "lives": lives, **plan}, indent=1)
    )
    accounts, storm = folder / "accounts.toml", folder / "storm"
    accounts.write_text("".join(_account(name, rate_limit, lane_width, name in persons) for name in ACCOUNTS))
    storm.touch()
    arguments = ["--seed", str(seed), "--latency", "5ms-30ms", "--rate-limit", str(rate_limit)]
    arguments += ["--rate-window", f"{WINDOW_S:g}s", "--lane-width", str(takes_at_once)]
    env = {"FACTUS_ACCOUNTS_FILE": str(accounts), "FACTUS_TIMEOUT": f"{TIMEOUT_S:g}s", "FACTUS_LOG_FORMAT": "json"}
    env |= {"FACTUS_RADIAN_INTERVAL": "3s", "FACTUS_ARCHIVE_URL": f"file://{folder}/archive"}
    with plant(folder, *arguments, **env, SIMULATION_STORM=str(storm)) as works:
        for name in SECRETS:
            works.env.pop(name, None)
        proxy = SpoilingProxy(works.sandbox_url, seed, _SPOIL_SHARE)
        works.env["FACTUS_BASE_URL"] = proxy.url
        side = OverHttp(works.sandbox_url, rate_limit, WINDOW_S)
        cargo = Workload(chance, ACCOUNTS, datetime.now(BOGOTA), 0.0, side, has_times=False, keep_share=_KEEP_SHARE)
        cargo.own_streams = OWN_STREAMS
        pushes = cargo.make(n_jobs, a_call)
        say(f"{len(side.stocked)} documents are there before")
        side.rest()
        post_json(f"{works.sandbox_url}/_sandbox/faults", plan)
        for name, life in lives.items():
            post_json(f"{works.sandbox_url}/_sandbox/radian", {"account": name, **life})
        started = time.monotonic()
        before = _n_requests(works.report())
        run = Run(seed, works, pushes, side, storm, started + minutes * 60, say, chance, proxy, lane_width)
        run.play()
        seconds = time.monotonic() - started
        verdict = _verdict(run)
        verdict.counts["requests"] -= before
        waits = waits_in(folder.glob("worker-*.log"))
        proxy.close()
    widths = f" ARGS='--lane-width {lane_width} --takes {takes_at_once}'" if lane_width > 1 else ""
    repeat = f"make simulate SEED={seed} JOBS={n_jobs}{widths}"
    return Figures(seed, folder, verdict, run.facts, run.takeovers_s, waits, seconds, repeat)


def _n_requests(report: dict[str, Any]) -> int:
    return sum(sum(found["requests"].values()) for found in report["accounts"].values())


def with_person(seed: int) -> frozenset[str]:
    """
    The accounts that have somebody who declares tacit acceptances: two of the three. Drawn apart, so that all else that
    a seed means stays as it was.
    """
    return frozenset(random.Random(f"persons of {seed}").sample(ACCOUNTS, 2))


def lives_of(seed: int) -> dict[str, dict[str, Any]]:
    """
    How Factus is about the bills of each account: whether it declares the tacit acceptance by itself, how it answers
    who does, and how it lists what has happened. Drawn apart, as the persons are.
    """
    chance = random.Random(f"lives of {seed}")
    return {
        name: {
            "answers": chance.choice([REGISTERS, REGISTERS, WANTS_PERSON, CONFLICT, REGISTERED]),
            "emits": chance.random() < _EMITS_SHARE,
            "doubled": chance.random() < _ODD_LIST_SHARE,
            "reversed": chance.random() < _ODD_LIST_SHARE,
        }
        for name in ACCOUNTS
    }


def _account(name: str, rate_limit: int, lane_width: int, has_person: bool) -> str:
    own = str(name in OWN_STREAMS).lower()
    person = "".join(f'radian_person.{key} = "{value}"\n' for key, value in PERSON.items()) if has_person else ""
    return (
        f'[accounts.{name}]\nclient_id = "x"\nclient_secret = "x"\nusername = "{name}"\npassword = "x"\n'
        f'rate_limit = {rate_limit}\nrate_window = "{WINDOW_S:g}s"\nown_streams = {own}\n'
        f"lane_width = {lane_width}\n{person}\n"
    )


# -- the end -----------------------------------------------------------------------------------------------------------
def _verdict(run: Run) -> Verdict:
    """Stop the workers, then compare."""
    run.stop_workers()
    found = judge(_evidence(run))
    run.outside.finish([*run.events, *run.radian], found)
    for text in [*run.defects, *_logged_defects(run)]:
        found.blame("defects", text)
    longest_ms = 0.0
    for line in _holds(run):
        longest_ms = max(longest_ms, line["busy_ms"])
        if line["busy_ms"] > HELD_MS:
            found.blame("loop held", f"{line['busy_ms']} ms at {line['places']}")
    found.counts["longest hold, ms"] = round(longest_ms)
    if not run.is_done():
        found.blame("lost", f"not finished in time: {len(run.finals)} jobs have ended")
        return found
    try:
        # What killed workers left behind ends with its lease, and not a moment later.
        until(lambda: not _leftovers(run), timeout_s=_LONGEST_LEASE_S)
    except AssertionError:
        for text in _leftovers(run):
            found.blame("left in Redis", text)
    for owner in (None, *OWN_STREAMS):
        stream = run.keys.jobs(owner)
        if run.redis.xlen(stream) or run.redis.xpending(stream, "intake")["pending"]:
            found.blame("left in Redis", f"{stream} or its pending list is not empty")
    return found


def _leftovers(run: Run) -> list[str]:
    return leftover_keys([raw.decode() for raw in run.redis.scan_iter("*", count=5000)], run.keys.namespace)


def _evidence(run: Run) -> Evidence:
    report, rows, side = run.works.report(), run.side.rows(), run.side
    lives = lives_of(run.seed)
    side.look_on(ACCOUNTS)
    numbers = {(event["account"], event["data"]["number"]) for event in run.finals.values() if _is_bill(event)}
    pushes = [*run.pushes[: run.n_pushed], *run.extra]
    numbers |= {(push.account, push.target.partition("/")[0]) for push in pushes if push.type == "invoice.accept"}
    archive = run.works.folder / "archive"
    return Evidence(
        pushes,
        run.events,
        rows,
        report,
        frozenset({"dian.processed"}),
        stocked=frozenset(side.stocked),
        radian=run.radian,
        emitting=frozenset(name for name, life in lives.items() if life["emits"]),
        refusing=frozenset(name for name, life in lives.items() if life["answers"] != REGISTERS),
        one_at_a_time=run.lane_width == 1,
        radian_at_factus={(account, number): side.radian(account, number) for account, number in numbers},
        files={path.as_uri(): path.read_bytes() for path in archive.rglob("*") if path.is_file()},
        served=side.file,
        active_ranges={
            (account, key): is_active for account in ACCOUNTS for key, is_active in side.active_ranges(account).items()
        },
    )


HELD_MS: Final = 250
"""What nothing may hold an event loop for, processor time: that others had the machine is nobody's fault."""


def _holds(run: Run) -> Iterator[dict[str, Any]]:
    """What the workers' own watchdogs have seen."""
    for path in sorted(run.works.folder.glob("worker-*.log")):
        for line in path.read_text(errors="replace").splitlines():
            if '"loop.held"' in line:
                yield json.loads(line)


def _logged_defects(run: Run) -> list[str]:
    wanted = ("attempt.defect", "intake.defect", "arq.run_failed", "Traceback")
    away = re.compile(r'"error": "(Connection|Timeout)Error"')
    found: list[str] = []
    for path in sorted(run.works.folder.glob("worker-*.log")):
        lines = path.read_text(errors="replace").splitlines()
        found += [
            f"{path.name}: {line[:300]}"
            for line in lines
            if any(word in line for word in wanted) and not away.search(line)
        ]
    return found


def _is_bill(event: dict[str, Any]) -> bool:
    return kind_of(event) == "validated" and event["type"].startswith("invoice.")
