"""
The full form: real worker processes, a real server with its data on disk, the sandbox on a socket, and kill -9.

A seeded plan decides the faults of Factus and the kills. It is written beside the logs, in a folder that is named at
the end.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from schemas.factus import BOGOTA
from tests.processes import SECRETS, Plant, get_json, plant, post_json
from tests.simulation.cargo import Cargo, Push
from tests.simulation.verdict import Evidence, Verdict, expected_jobs, is_final, judge, leftover_keys
from tests.simulation.weather import full_plan
from worker.keys import Keys

ACCOUNTS = ("norte", "centro", "sur")
N_WORKERS = 3
TIMEOUT_S = 2.0
WINDOW_S = 10.0
RATE_LIMIT = 400
_BACKLOG = 600
_PUSHED_AT_ONCE = 100
_CALM_AT = 0.97
"""Share of the jobs that have ended when the faults stop."""


@dataclass
class Figures:
    """What a run came to."""

    seed: int
    folder: Path
    verdict: Verdict
    facts: Counter[str]
    takeovers_s: list[float]
    seconds: float
    repeat: str

    @property
    def is_clean(self) -> bool:
        return not any(self.verdict.forbidden.values())

    def table(self) -> str:
        """The figures as a text to print."""
        counts, facts = self.verdict.counts, self.facts
        takeovers, lost = sorted(self.takeovers_s), facts["answers lost after commit"]
        rows: list[tuple[str, Any]] = [
            ("pushed", counts["pushed"]),
            ("jobs (repeated ids count once)", counts["jobs"]),
            ("validated", counts["validated"]),
            ("  of these joined or replayed", counts["joined or replayed"]),
            ("rejected", counts["rejected"]),
            ("failed", counts["failed"]),
            ("refused", counts["refused"]),
            ("documents validated at Factus", counts["documents"]),
            ("calls per document", f"{counts['requests'] / max(counts['documents'], 1):.2f}"),
            ("answers lost after commit", f"{lost} ({100 * lost / max(facts['creates'], 1):.0f} % of the creates)"),
            ("kill -9 of workers", facts["kill"]),
            ("SIGTERM of workers", facts["term"]),
            ("kill -9 of the server", facts["server"]),
            ("token revocations", facts["revoke"]),
            ("429 (planned)", counts["429"]),
            ("takeovers seen", len(takeovers)),
            ("takeover p50 / max", f"{statistics.median(takeovers):.1f} / {takeovers[-1]:.1f} s" if takeovers else "-"),
            ("time", f"{self.seconds:.0f} s"),
            ("documents per second", f"{counts['documents'] / self.seconds:.1f}"),
        ]
        lines = [f"  {name:<34} {value}" for name, value in rows]
        lines.append("  -- must be zero " + "-" * 24)
        lines += [f"  {name:<34} {value}" for name, value in self.verdict.forbidden.items()]
        lines += [f"  {violation.column}: {violation.text}"[:400] for violation in self.verdict.violations[:20]]
        lines += [f"  logs and plan: {self.folder}", f"  repeat with: {self.repeat}"]
        return "\n".join(lines)


@dataclass
class Takeover:
    """A job that a killed worker had in flight."""

    key: str
    fence: int
    killed_at: float


@dataclass
class Run:
    """One run while it runs."""

    seed: int
    works: Plant
    pushes: list[Push]
    gives_up_at: float
    say: Callable[[str], None]
    chance: random.Random
    facts: Counter[str] = field(default_factory=Counter)
    takeovers_s: list[float] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    is_calm: bool = False
    _open: list[Takeover] = field(default_factory=list)
    _last_event: str = "0-0"
    _finals: set[str] = field(default_factory=set)
    _n_pushed: int = 0
    _due: list[tuple[float, str]] = field(default_factory=list)
    _living: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    _n_wanted: int = 0
    _began_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.keys = Keys("factus")
        self.redis = self.works.redis
        for n, push in enumerate(self.pushes):
            push.entry = f"planned-{n}"
        self._n_wanted = len(expected_jobs(self.pushes))
        self._server_kills = sorted(self.chance.uniform(0.1, 0.9) for _ in range(self.chance.randint(2, 3)))

    # -- the course ------------------------------------------------------------------------------------------------
    def play(self) -> None:
        """Push, disturb, watch; until everything has ended or the time is up."""
        for _ in range(N_WORKERS):
            self._start_worker()
        now = time.monotonic()
        self._plan(now, "disturb", 2, 5)
        self._plan(now, "revoke", 5, 15)
        self._plan(now, "say", 5, 5)
        self._plan(now, "operate", 2, 2)
        while not self._is_done():
            now = time.monotonic()
            if now > self.gives_up_at:
                self.say("time is up")
                return
            self._push_some()
            self._read_events()
            self._watch_takeovers(now)
            self._look_after_workers()
            self._do_what_is_due(now)
            self._kill_server_sometimes()
            if not self.is_calm and self.share_done >= _CALM_AT:
                self._calm()
            time.sleep(0.02)

    @property
    def share_done(self) -> float:
        return len(self._finals) / self._n_wanted

    def _is_done(self) -> bool:
        if not self.is_calm or self._n_pushed < len(self.pushes):
            return False
        if len(self._finals) < self._n_wanted:
            return False
        client = self.redis
        return not (client.zcard(self.keys.arq_queue()) or client.scard(self.keys.lanes()))

    def _push_some(self) -> None:
        if self._n_pushed == len(self.pushes):
            return
        if self._n_pushed - len(self._finals) > _BACKLOG + self._n_pushed // 10:
            return
        batch = self.pushes[self._n_pushed : self._n_pushed + _PUSHED_AT_ONCE]
        pipe = self.redis.pipeline(transaction=False)
        for push in batch:
            pipe.xadd(self.keys.jobs(), {"job": push.raw})
        for push, entry in zip(batch, pipe.execute(), strict=True):
            push.entry = entry.decode()
        self._n_pushed += len(batch)

    def _read_events(self) -> None:
        for entry, fields in self.redis.xrange(self.keys.results(), f"({self._last_event}", "+", count=2000):
            self._last_event = entry.decode()
            event = json.loads(fields[b"event"])
            if event["data"]:
                event["data"].pop("factus", None)
            self.events.append(event)
            if is_final(event):
                self._finals.add(event["job_id"])

    # -- trouble ---------------------------------------------------------------------------------------------------
    def _plan(self, now: float, what: str, least_s: float, most_s: float) -> None:
        self._due.append((now + self.chance.uniform(least_s, most_s), what))
        self._due.sort()

    def _do_what_is_due(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            _, what = self._due.pop(0)
            match what:
                case "disturb" if not self.is_calm:
                    self._disturb_worker()
                    self._plan(now, what, 3, 8)
                case "start" if len(self._living) < N_WORKERS:
                    self._start_worker()
                case "revoke" if not self.is_calm:
                    post_json(
                        f"{self.works.sandbox_url}/_sandbox/tokens/revoke", {"account": self.chance.choice(ACCOUNTS)}
                    )
                    self.facts["revoke"] += 1
                    self._plan(now, what, 5, 20)
                case "operate":
                    self._clear_processed_before()
                    self._plan(now, what, 2, 2)
                case "say":
                    self.say(
                        f"{now - self._began_at:4.0f} s  pushed {self._n_pushed}, ended {len(self._finals)}, "
                        f"workers {len(self._living)}, kills {self.facts['kill']}"
                    )
                    self._plan(now, what, 5, 5)

    def _start_worker(self) -> None:
        process = self.works.start_worker("--log-level", "info")
        self._living[process.pid] = process

    def _disturb_worker(self) -> None:
        if not self._living:
            return
        pid = self._choose_victim()
        process = self._living.pop(pid)
        if self.chance.random() < 0.2:
            self.facts["term"] += 1
            process.terminate()
        else:
            self.facts["kill"] += 1
            os.kill(pid, signal.SIGKILL)
            process.wait()
            self._open += self._in_flight_of(pid)
        self._plan(time.monotonic(), "start", 0.1, 1.5)

    def _choose_victim(self) -> int:
        """One that works, most often; else any, which may be one that has hardly started."""
        busy = [pid for pid in sorted(self._living) if any(True for _ in self._in_flight_of(pid))]
        return self.chance.choice(busy if busy and self.chance.random() < 0.75 else sorted(self._living))

    def _in_flight_of(self, pid: int) -> Iterator[Takeover]:
        """The jobs whose attempt the dead process was running, by the mark of its lease."""
        now = time.monotonic()
        for account in ACCOUNTS:
            for raw in self.redis.zrange(self.keys.flight(f"{account}/invoice"), 0, -1):
                key = self.keys.job(account, raw.decode())
                worker, fence, state = self.redis.hmget(key, "worker", "fence", "state")
                if worker and f"-{pid}-" in worker.decode() and state == b"inflight":
                    yield Takeover(key, int(fence), now)

    def _watch_takeovers(self, now: float) -> None:
        for open_ in list(self._open):
            fence = self.redis.hget(open_.key, "fence")
            if fence and int(fence) > open_.fence:
                self.takeovers_s.append(now - open_.killed_at)
                self._open.remove(open_)

    def _look_after_workers(self) -> None:
        for pid, process in list(self._living.items()):
            if process.poll() is not None:
                self.defects.append(f"worker {pid} ended by itself with {process.returncode}")
                del self._living[pid]
                self._plan(time.monotonic(), "start", 0.1, 0.5)

    def _kill_server_sometimes(self) -> None:
        if self.is_calm or not self._server_kills or self.share_done < self._server_kills[0]:
            return
        self._server_kills.pop(0)
        self.facts["server"] += 1
        self.works.kill_server()
        time.sleep(self.chance.uniform(0.2, 3))
        self.works.restart_server()
        self.redis = self.works.redis
        for open_ in self._open:
            open_.killed_at = max(open_.killed_at, time.monotonic())

    def _clear_processed_before(self) -> None:
        """The person who clears up with Factus what rule 90 left behind."""
        for account in ACCOUNTS:
            url = f"{self.works.sandbox_url}/_sandbox/documents?account={account}&state=rejected"
            for row in get_json(url):
                if "90" in row["errors"]:
                    body = {"account": account, "reference": row["reference_code"], "outcome": "gone"}
                    post_json(f"{self.works.sandbox_url}/_sandbox/documents/settle", body)

    def _calm(self) -> None:
        self.is_calm = True
        report = self.works.report()
        self.facts["creates"] = sum(found["requests"].get("create", 0) for found in report["accounts"].values())
        self.facts["answers lost after commit"] = sum(
            rule["fired"] for rule in report["faults"] if (rule["on"], rule["effect"]) == ("create", "drop_after")
        )
        request = f"{self.works.sandbox_url}/_sandbox/faults"
        _delete(request)
        post_json(f"{self.works.sandbox_url}/_sandbox/dian", {"up": True})
        while len(self._living) < N_WORKERS:
            self._start_worker()
        self.say("the storm is over")

    # -- the end ---------------------------------------------------------------------------------------------------
    def verdict(self) -> Verdict:
        """Stop the workers, then compare."""
        for process in self._living.values():
            process.terminate()
        for process in self._living.values():
            process.wait(40)
        self._read_to_the_end()
        rows = {
            account: get_json(f"{self.works.sandbox_url}/_sandbox/documents?account={account}") for account in ACCOUNTS
        }
        pushed = self.pushes[: self._n_pushed]
        found = judge(Evidence(pushed, self.events, rows, self.works.report(), frozenset({"dian.processed"})))
        for text in [*self.defects, *self._logged_defects()]:
            found.blame("defects", text)
        if not self._is_done():
            found.blame("lost", f"not finished in time: {len(self._finals)} jobs have ended")
            return found
        time.sleep(6)  # the longest lease of ours
        names = [raw.decode() for raw in self.redis.scan_iter("*", count=5000)]
        for text in leftover_keys(names, self.keys.namespace):
            found.blame("left in Redis", text)
        if self.redis.xlen(self.keys.jobs()) or self.redis.xpending(self.keys.jobs(), "intake")["pending"]:
            found.blame("left in Redis", "the intake stream or its pending list is not empty")
        return found

    def _read_to_the_end(self) -> None:
        n_before = -1
        while n_before != len(self.events):
            n_before = len(self.events)
            self._read_events()

    def _logged_defects(self) -> list[str]:
        wanted = ("attempt.defect", "intake.defect", "arq.run_failed", "Traceback")
        away = re.compile(r'"error": "(Connection|Timeout)Error"')
        found: list[str] = []
        for path in sorted(self.works.folder.glob("worker-*.log")):
            lines = path.read_text(errors="replace").splitlines()
            found += [
                f"{path.name}: {line[:300]}"
                for line in lines
                if any(word in line for word in wanted) and not away.search(line)
            ]
        return found


def _delete(url: str) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=10):
        pass


def run_full(
    seed: int, n_jobs: int, *, minutes: float, say: Callable[[str], None], rate_limit: int = RATE_LIMIT
) -> Figures:
    """
    One run.

    Args:
        minutes: Longest time until everything must have ended.
        rate_limit: Requests per account in ten seconds; raised, so that thousands of invoices take minutes.
    """
    chance = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix=f"factus-simulation-{seed}-"))
    pushes = Cargo(chance, ACCOUNTS, datetime.now(BOGOTA), 0.0, has_times=False).make(n_jobs)
    plan = folder / "plan.json"
    plan.write_text(json.dumps({"seed": seed, "jobs": n_jobs, "rules": full_plan(chance, TIMEOUT_S)}, indent=1))
    accounts = folder / "accounts.toml"
    accounts.write_text("".join(_account(name, rate_limit) for name in ACCOUNTS))
    arguments = ["--faults", str(plan), "--seed", str(seed), "--latency", "5ms-30ms", "--rate-limit", str(rate_limit)]
    arguments += ["--rate-window", f"{WINDOW_S:g}s"]
    started = time.monotonic()
    env = {"FACTUS_ACCOUNTS_FILE": str(accounts), "FACTUS_TIMEOUT": f"{TIMEOUT_S:g}s", "FACTUS_LOG_FORMAT": "json"}
    with plant(folder, *arguments, **env) as works:
        for name in SECRETS:
            works.env.pop(name, None)
        run = Run(seed, works, pushes, started + minutes * 60, say, chance)
        run.play()
        seconds = time.monotonic() - started
        verdict = run.verdict()
    repeat = f"make simulate SEED={seed} JOBS={n_jobs}"
    return Figures(seed, folder, verdict, run.facts, run.takeovers_s, seconds, repeat)


def _account(name: str, rate_limit: int) -> str:
    return (
        f'[accounts.{name}]\nclient_id = "x"\nclient_secret = "x"\nusername = "{name}"\npassword = "x"\n'
        f'rate_limit = {rate_limit}\nrate_window = "{WINDOW_S:g}s"\n\n'
    )
