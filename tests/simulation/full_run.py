"""A run of the full form while it runs: pushes, kills of workers and of the server, and what is read meanwhile."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from redis.exceptions import ResponseError

from schemas.factus import BOGOTA
from tests.service_processes import Plant, post_json
from tests.simulation.actors import People
from tests.simulation.bodies import AT_FACTUS
from tests.simulation.buyers import Buyers
from tests.simulation.factus_side import OverHttp
from tests.simulation.full_options import ACCOUNTS, OWN_STREAMS, FullOptions
from tests.simulation.history import expected_jobs, is_final, tracked_bills
from tests.simulation.hostile import SpoilingProxy
from tests.simulation.outside import Outside, chosen
from tests.simulation.workload import Push, Workload
from worker.store.keys import Keys

_BACKLOG = 600
_PUSHED_AT_ONCE = 100
_LANES = (*AT_FACTUS, "calls")
_CALM_AT = 0.97
"""Share of the jobs that have ended when the faults stop."""

_TICK_MS = 20


@dataclass
class Takeover:
    """A job that a killed worker had in flight."""

    key: str
    fence: int
    killed_at: float


@dataclass
class Run:
    """One run while it runs."""

    options: FullOptions
    works: Plant
    pushes: list[Push]
    side: OverHttp
    storm: Path
    """As long as this file is there, the storage fails."""
    gives_up_at: float
    say: Callable[[str], None]
    chance: random.Random
    proxy: SpoilingProxy
    facts: Counter[str] = field(default_factory=Counter)
    takeovers_s: list[float] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    radian: list[dict[str, Any]] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    is_calm: bool = False
    _open: list[Takeover] = field(default_factory=list)
    _last: dict[str, str] = field(default_factory=dict)
    finals: dict[str, dict[str, Any]] = field(default_factory=dict)
    _tracked: set[tuple[str, str]] = field(default_factory=set)
    extra: list[Push] = field(default_factory=list)
    n_pushed: int = 0
    _last_entry: tuple[int, int] = (0, 0)
    _due: list[tuple[float, str]] = field(default_factory=list)
    living: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    _n_wanted: int = 0
    _began_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.keys = Keys("factus")
        self.redis = self.works.redis
        for n, push in enumerate(self.pushes):
            push.entry = f"planned-{n}"
        wanted = expected_jobs(self.pushes)
        self._n_wanted = len(wanted)
        self._tracking = {job_id: entry for job_id, entry in wanted.items() if entry[0].tracks and entry[0].id}
        url = self.works.sandbox_url
        cargo = Workload(
            self.chance, ACCOUNTS, datetime.now(BOGOTA), 0.0, self.side, own_streams=OWN_STREAMS, prefix="op"
        )
        self.people = People(url, self.chance, ACCOUNTS, cargo, self._push_extra, self.facts)
        self.buyers = Buyers(self.side, self.chance, self.facts)
        # Drawn apart: all else that a seed means stays as it was.
        apart = random.Random(f"outside of {self.options.seed}")
        self.outside = Outside(self.works, apart, self.facts)
        self._by_http = chosen(self.pushes, apart)
        self._server_kills = sorted(self.chance.uniform(0.1, 0.9) for _ in range(self.chance.randint(2, 3)))

    # -- the course ------------------------------------------------------------------------------------------------
    def play(self) -> None:
        """Push, disturb, watch; until everything has ended or the time is up."""
        for _ in range(self.options.n_workers):
            self._start_worker()
        self.outside.start()
        now = time.monotonic()
        self._plan(now, "outside", 5, 12)
        self._plan(now, "disturb", 2, 5)
        self._plan(now, "revoke", 5, 15)
        self._plan(now, "say", 5, 5)
        self._plan(now, "operate", 1, 1)
        self._plan(now, "buy", 0.2, 0.5)
        self._plan(now, "shut", 8, 20)
        while not self.is_done():
            now = time.monotonic()
            if now > self.gives_up_at:
                self.say("time is up")
                return
            self._push_some()
            self._read_events()
            self.people.reopen(now)
            self._watch_takeovers(now)
            self._look_after_workers()
            self._do_what_is_due(now)
            self._kill_server_sometimes()
            if not self.is_calm and self.share_done >= _CALM_AT:
                self._calm()
            self._wait_for_news()

    @property
    def share_done(self) -> float:
        return len(self.finals) / self._n_wanted

    def is_done(self) -> bool:
        if not self.is_calm or self.n_pushed < len(self.pushes):
            return False
        if len(self.finals) < self._n_wanted or self.buyers.accept_all(self._tracked):
            return False
        client = self.redis
        return not (client.zcard(self.keys.arq_queue()) or client.scard(self.keys.lanes()))

    def _push_some(self) -> None:
        if self.n_pushed == len(self.pushes):
            return
        if self.n_pushed - len(self.finals) > _BACKLOG + self.n_pushed // 10:
            return
        places = range(self.n_pushed, min(self.n_pushed + _PUSHED_AT_ONCE, len(self.pushes)))
        for n in self._by_http.intersection(places):
            self.outside.push(self.pushes[n])
        batch = [self.pushes[n] for n in places if n not in self._by_http]
        pipe = self.redis.pipeline(transaction=False)
        for push in batch:
            self._add(pipe, push)
        for push, entry in zip(batch, pipe.execute(raise_on_error=False), strict=True):
            while isinstance(entry, ResponseError):  # the door has pushed since, and its ids are the server's
                entry = self._add(self.redis, push)
            push.entry = entry.decode()
            if push.tracks and not push.id:
                self._tracking[push.entry] = (push, frozenset())
        self.n_pushed += len(places)

    def _add(self, redis: Any, push: Push) -> Any:
        try:
            return redis.xadd(self.keys.jobs(push.owner), {"job": push.raw}, id=self._next_entry())
        except ResponseError as exc:
            if "equal or smaller" not in str(exc):
                raise
            time.sleep(0.002)
            return exc

    def _next_entry(self) -> str:
        """No two streams have one id: it names jobs that have no other, and here accounts share the names."""
        ms = max(int(time.time() * 1000), self._last_entry[0])
        self._last_entry = (ms, self._last_entry[1] + 1 if ms == self._last_entry[0] else 0)
        return f"{ms}-{self._last_entry[1]}"

    def _push_extra(self, push: Push) -> None:
        """What the operator pushes meanwhile."""
        while isinstance(entry := self._add(self.redis, push), ResponseError):
            pass
        push.entry = entry.decode()
        self.extra.append(push)
        self._n_wanted += 1

    def _read_events(self) -> None:
        for owner in (None, *OWN_STREAMS):
            fresh = self._read(self.keys.results(owner))
            self.events += fresh
            told = self._read(self.keys.radian(owner))
            self.buyers.hear(told)
            self.radian += told
            self.finals |= {event["job_id"]: event for event in fresh if is_final(event)}
            self._tracked |= tracked_bills(self._tracking, fresh)

    def _wait_for_news(self) -> None:
        """Until something is published, and no longer than troubles, which come by the clock, can wait."""
        stream = self.keys.results()
        self.redis.xread({stream: self._last.get(stream, "0-0")}, count=1, block=_TICK_MS)

    def _read(self, stream: str) -> list[dict[str, Any]]:
        found = []
        for entry, fields in self.redis.xrange(stream, f"({self._last.get(stream, '0-0')}", "+", count=2000):
            self._last[stream] = entry.decode()
            event = json.loads(fields[b"event"])
            if event["data"]:
                for bulky in ("factus", "items"):
                    event["data"].pop(bulky, None)
            found.append(event)
        return found

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
                case "outside" if not self.is_calm:
                    self.outside.disturb()
                    self._plan(now, what, 8, 20)
                case "start" if len(self.living) < self.options.n_workers:
                    self._start_worker()
                case "revoke" if not self.is_calm:
                    post_json(
                        f"{self.works.sandbox_url}/_sandbox/tokens/revoke", {"account": self.chance.choice(ACCOUNTS)}
                    )
                    self.facts["revoke"] += 1
                    self._plan(now, what, 5, 20)
                case "operate":
                    self.people.clear_up(self.finals)
                    self._plan(now, what, 1, 1)
                case "buy":
                    self.buyers.buy(self._tracked)
                    self._plan(now, what, 0.02, 0.2)
                case "shut" if not self.is_calm:
                    self.people.shut(now)
                    self._plan(now, what, 8, 20)
                case "say":
                    self.say(
                        f"{now - self._began_at:4.0f} s  pushed {self.n_pushed}, ended {len(self.finals)}, "
                        f"workers {len(self.living)}, kills {self.facts['kill']}"
                    )
                    self._plan(now, what, 5, 5)

    def _start_worker(self) -> None:
        process = self.works.start("tests.simulation.worker_process")
        self.living[process.pid] = process

    def _disturb_worker(self) -> None:
        if not self.living:
            return
        pid = self._choose_victim()
        process = self.living.pop(pid)
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
        busy = [pid for pid in sorted(self.living) if any(True for _ in self._in_flight_of(pid))]
        return self.chance.choice(busy if busy and self.chance.random() < 0.75 else sorted(self.living))

    def _in_flight_of(self, pid: int) -> Iterator[Takeover]:
        """The jobs whose attempt the dead process was running, by the mark of its lease."""
        now = time.monotonic()
        for account in ACCOUNTS:
            for lane in _LANES:
                for raw in self.redis.zrange(self.keys.in_flight(f"{account}/{lane}"), 0, -1):
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
        for pid, process in list(self.living.items()):
            if process.poll() is not None:
                self.defects.append(f"worker {pid} ended by itself with {process.returncode}")
                del self.living[pid]
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

    def _calm(self) -> None:
        self.is_calm = True
        self.storm.unlink()
        self.proxy.calm()
        self.facts["answers spoilt"] = self.proxy.n_spoilt
        self.people.reopen(float("inf"))
        report = self.works.report()
        self.facts["creates"] = sum(found["requests"].get("create", 0) for found in report["accounts"].values())
        self.facts["answers lost after commit"] = sum(
            rule["fired"] for rule in report["faults"] if (rule["on"], rule["effect"]) == ("create", "drop_after")
        )
        request = f"{self.works.sandbox_url}/_sandbox/faults"
        _delete(request)
        post_json(f"{self.works.sandbox_url}/_sandbox/dian", {"up": True})
        while len(self.living) < self.options.n_workers:
            self._start_worker()
        self.say("the storm is over")

    def stop_workers(self) -> None:
        """And read what they still had to say."""
        for process in self.living.values():
            process.terminate()
        for process in self.living.values():
            process.wait(40)
        n_before = -1
        while n_before != len(self.events):
            n_before = len(self.events)
            self._read_events()


def _delete(url: str) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=10):
        pass
