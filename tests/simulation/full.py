"""
The full form: real worker processes, a real server with its data on disk, the sandbox on a socket, and kill -9.

What a seed decides beforehand is in ``full_options.py``; it is told at the start and with a failure, and the faults
are written beside the logs, in a folder that is named at the end. The course of a run is in ``full_run.py``, the people
around it in ``actors.py``, the table in ``metrics_table.py``.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sandbox.state.bill_life import REGISTERS
from schemas.factus import BOGOTA
from tests.service_processes import SECRETS, plant, post_json, until
from tests.simulation.calls import a_call
from tests.simulation.checker import judge
from tests.simulation.checks.left_in_redis import leftover_keys
from tests.simulation.factus_side import OverHttp
from tests.simulation.full_options import ACCOUNTS, OWN_STREAMS, FullOptions
from tests.simulation.full_run import Run
from tests.simulation.history import Evidence, Verdict, kind_of
from tests.simulation.hostile import SpoilingProxy
from tests.simulation.metrics_table import Figures, waits_in
from tests.simulation.radian_times import PERSON
from tests.simulation.workload import Workload

_LONGEST_LEASE_S: Final = 6.0


def run_full(options: FullOptions, *, minutes: float, say: Callable[[str], None]) -> Figures:
    """
    One run.

    Args:
        minutes: Longest time until everything must have ended.
    """
    seed, chance = options.seed, options.chance()
    say("\n".join(["options:", *(f"  {line}" for line in options.tell())]))
    folder = Path(tempfile.mkdtemp(prefix=f"factus-simulation-{seed}-"))
    plan = {"rules": [*options.rules]}
    lives = {name: life.to_json() for name, life in options.lives.items()}
    about = {"seed": seed, "jobs": options.n_jobs, "persons": sorted(options.persons), "lives": lives}
    (folder / "plan.json").write_text(json.dumps({**about, **plan}, indent=1))
    accounts, storm = folder / "accounts.toml", folder / "storm"
    accounts.write_text("".join(_account(name, options) for name in ACCOUNTS))
    storm.touch()
    window_s, timeout_s = options.rate_window_s, options.timeout_s
    arguments = ["--seed", str(seed), "--latency", options.latency, "--rate-limit", str(options.rate_limit)]
    arguments += ["--rate-window", f"{window_s:g}s", "--lane-width", str(options.takes_at_once)]
    env = {"FACTUS_ACCOUNTS_FILE": str(accounts), "FACTUS_TIMEOUT": f"{timeout_s:g}s", "FACTUS_LOG_FORMAT": "json"}
    env |= {"FACTUS_RADIAN_INTERVAL": "3s", "FACTUS_ARCHIVE_URL": f"file://{folder}/archive"}
    with plant(folder, *arguments, **env, SIMULATION_STORM=str(storm)) as works:
        for name in SECRETS:
            works.env.pop(name, None)
        proxy = SpoilingProxy(works.sandbox_url, seed, options.spoil_share)
        works.env["FACTUS_BASE_URL"] = proxy.url
        side = OverHttp(works.sandbox_url, options.rate_limit, window_s)
        keep_share = options.keep_share
        cargo = Workload(chance, ACCOUNTS, datetime.now(BOGOTA), 0.0, side, has_times=False, keep_share=keep_share)
        cargo.own_streams = OWN_STREAMS
        pushes = cargo.make(options.n_jobs, a_call)
        say(f"{len(side.stocked)} documents are there before")
        side.rest()
        post_json(f"{works.sandbox_url}/_sandbox/faults", plan)
        for name, life in lives.items():
            post_json(f"{works.sandbox_url}/_sandbox/radian", {"account": name, **life})
        started = time.monotonic()
        before = _n_requests(works.report())
        run = Run(options, works, pushes, side, storm, started + minutes * 60, say, chance, proxy)
        run.play()
        seconds = time.monotonic() - started
        verdict = _verdict(run)
        verdict.counts["requests"] -= before
        waits = waits_in(folder.glob("worker-*.log"))
        proxy.close()
    return Figures(options, folder, verdict, run.facts, run.takeovers_s, waits, seconds)


def _n_requests(report: dict[str, Any]) -> int:
    return sum(sum(found["requests"].values()) for found in report["accounts"].values())


def _account(name: str, options: FullOptions) -> str:
    own = str(name in OWN_STREAMS).lower()
    declares = name in options.persons
    person = "".join(f'radian_person.{key} = "{value}"\n' for key, value in PERSON.items()) if declares else ""
    return (
        f'[accounts.{name}]\nclient_id = "x"\nclient_secret = "x"\nusername = "{name}"\npassword = "x"\n'
        f'rate_limit = {options.rate_limit}\nrate_window = "{options.rate_window_s:g}s"\nown_streams = {own}\n'
        f"lane_width = {options.lane_width}\n{person}\n"
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
    lives = run.options.lives
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
        emitting=frozenset(name for name, life in lives.items() if life.emits),
        refusing=frozenset(name for name, life in lives.items() if life.answers != REGISTERS),
        one_at_a_time=run.options.lane_width == 1,
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
