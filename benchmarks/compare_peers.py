"""
The same evening with what one would take instead, each as its own documentation shows (benchmarks/peers/README.md).

Sandbox, options, jobs and server are those of bench_evening.py, with fewer invoices. Three runs for each:

- *evening*: three companies push all invoices at once, a till sells; time over what the allowance itself takes.
- *till*: behind 1,000 invoices of one company, five sales.
- *faults*: 5 % of the answers to creates are lost after Factus has stored the document, and when a third is issued
  everything that the contestant runs is killed by -9 and started again.

A run ends when all is issued and told ("done"), when Factus has heard nothing for 25 s ("silent"), or at its bound.
*Missing* is then what Factus does not have; *unknown* what it has and the contestant does not know of; *doubled* a
reference that was validated twice; *sent again* what was posted although Factus had it.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import lab
import traffic
from peers.contestants import COMPANIES, LIMIT, PEERS, WINDOW_S, Job, Ours, Peer, Program

from tests.service_processes import post_json

_SILENT_S: Final = 25.0
_N_SALES: Final = 5
_LONGEST_WAIT_S: Final = 60.0
_LOST: Final = {"rules": [{"on": "create", "share": 0.05, "effect": "drop_after"}]}
_LATENCY: Final = "40ms-120ms"
_PYTHON: Final = Path(".tools/peers/bin/python")


@dataclass
class Seen:
    """One run of one contestant, as Factus saw it."""

    n_jobs: int
    ended: str = ""
    sent_at: dict[str, float] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    creates: list[traffic.Create] = field(default_factory=list)
    stored: dict[str, str] = field(default_factory=dict)
    """Reference to state."""
    known: set[str] = field(default_factory=set)

    @property
    def totals(self) -> Mapping[str, int]:
        return self.report["totals"]

    @property
    def n_validated(self) -> int:
        return sum(state == "validated" for state in self.stored.values())

    @property
    def took_s(self) -> float:
        good = [create.ended_at for create in self.creates if create.status == 201]
        return max(good, default=time.time()) - min(self.sent_at.values())

    @property
    def calls_each(self) -> float:
        n_tokens = sum(account["requests"].get("token", 0) for account in self.report["accounts"].values())
        return (self.totals["requests"] - n_tokens) / max(self.n_validated, 1)


def own_time_s(n_calls: int) -> float:
    return n_calls / LIMIT * WINDOW_S


class Run:
    """A lab with a contestant in it, for one scenario."""

    def __init__(self, bench: lab.Lab, contestant: Ours | Program, url: str) -> None:
        self.bench, self.contestant, self.url = bench, contestant, url

    def evening(self, n_each: int) -> Seen:
        jobs = [Job(name, f"E-{name}-{number:05}") for number in range(n_each) for name in COMPANIES]
        seen = Seen(len(jobs))
        seen.sent_at = self.contestant.push(jobs)
        sales, at = [], time.time() + 1
        while at < time.time() + own_time_s(n_each) * 0.9:
            sales.append(at)
            at += random.uniform(0.2, 0.6) * WINDOW_S
        seen.n_jobs += len(sales)

        def sell() -> None:
            if sales and time.time() >= sales[0]:
                sales.pop(0)
                seen.sent_at |= self.contestant.push([Job(COMPANIES[0], f"S-{len(sales):04}", is_urgent=True)])

        return self._finish(seen, 3 * own_time_s(n_each), meanwhile=sell)

    def till(self, n_behind: int) -> Seen:
        seen = Seen(n_behind + _N_SALES)
        self.contestant.push([Job(COMPANIES[0], f"B-{number:05}") for number in range(n_behind)])
        for number in range(_N_SALES):
            time.sleep(random.uniform(0.1, 0.3) * WINDOW_S)
            seen.sent_at |= self.contestant.push([Job(COMPANIES[0], f"S-{number:04}", is_urgent=True)])
        deadline = time.monotonic() + _LONGEST_WAIT_S
        while time.monotonic() < deadline and not set(seen.sent_at) <= self._begun():
            time.sleep(0.5)
        return self._look(seen)

    def faults(self, n_each: int) -> Seen:
        post_json(f"{self.url}/_sandbox/faults", _LOST)
        jobs = [Job(name, f"F-{name}-{number:05}") for number in range(n_each) for name in COMPANIES]
        seen = Seen(len(jobs))
        seen.sent_at = self.contestant.push(jobs)
        is_killed = False

        def kill() -> None:
            nonlocal is_killed
            if not is_killed and 3 * self._validated() >= len(jobs):
                is_killed = True
                self.contestant.kill_and_start()

        return self._finish(seen, 6 * own_time_s(n_each), meanwhile=kill)

    def _finish(self, seen: Seen, bound_s: float, *, meanwhile: Callable[[], None]) -> Seen:
        gives_up_at, heard, heard_at = time.monotonic() + bound_s, -1, time.monotonic()
        while not seen.ended:
            meanwhile()
            totals = lab.ask(self.url, "report")["totals"]
            if totals["requests"] != heard:
                heard, heard_at = totals["requests"], time.monotonic()
            if totals["validated"] >= seen.n_jobs and len(self.contestant.known()) >= seen.n_jobs:
                seen.ended = "done"
            elif time.monotonic() > gives_up_at:
                seen.ended = "bound"
            elif time.monotonic() > heard_at + _SILENT_S:
                seen.ended = "silent"
            time.sleep(0.2)
        return self._look(seen)

    def _look(self, seen: Seen) -> Seen:
        seen.known = self.contestant.known()
        seen.report = lab.ask(self.url, "report")
        for name in seen.report["accounts"]:
            for document in lab.ask(self.url, f"documents?account={name}"):
                seen.stored[document["reference_code"]] = document["state"]
        seen.creates = traffic.creates(self.bench.folder)
        return seen

    def _begun(self) -> set[str]:
        return {create.reference_code for create in traffic.creates(self.bench.folder)}

    def _validated(self) -> int:
        return int(lab.ask(self.url, "report")["totals"]["validated"])


# -- what is shown -------------------------------------------------------------------------------------------------
def evening_cells(seen: Seen, n_each: int) -> list[str]:
    n_sales = seen.n_jobs - n_each * len(COMPANIES)
    own_s = own_time_s(n_each + n_sales + 1)
    is_done = seen.ended == "done"
    if is_done:
        time_told = f"{seen.took_s / own_s:.2f}"
    else:
        time_told = f"{seen.n_validated} of {seen.n_jobs} at {(time.time() - min(seen.sent_at.values())) / own_s:.1f}"
    return [time_told, f"{seen.totals['rate_limited']}", f"{seen.totals['conflicts']}", f"{seen.calls_each:.2f}"]


def till_cell(seen: Seen) -> str:
    told = {name: traffic.wait_of(name, at, seen.creates) for name, at in seen.sent_at.items()}
    waits = sorted(one for one in told.values() if one)
    text = f"{waits[len(waits) // 2][0]:.1f} / {waits[-1][0]:.1f} s, {max(n for _, n in waits)}" if waits else ""
    if n_missing := len(told) - len(waits):
        text += f"{', ' if text else ''}{n_missing} of {len(told)} not begun after {_LONGEST_WAIT_S:g} s"
    return text


def fault_cells(seen: Seen) -> list[str]:
    family = [account["families"]["bills"] for account in seen.report["accounts"].values()]
    validated = {reference for reference, state in seen.stored.items() if state == "validated"}
    n_missing = seen.n_jobs - len(validated)
    again = sum(one["repeated"] for one in family)
    doubled = sum(len(one["duplicates"]["references"]) for one in family)
    return [f"{n_missing}{'' if seen.ended == 'done' else f' ({seen.ended})'}", str(doubled),
            str(len(validated - seen.known)), str(again)]  # fmt: skip


_HEADS: Final = (
    "", "time over the allowance's own", "429", "409", "calls for each invoice",
    "till behind 1,000: median / slowest, calls before it", "missing", "doubled", "unknown", "sent again",
    "load, and how much of the time the sandbox waited for a processor",
)  # fmt: skip


def measure(who: Peer | None, given: argparse.Namespace) -> list[str]:
    """A row of the table."""

    shares = []

    def run(scenario: Callable[[Run], Seen]) -> Seen:
        with lab.open_lab(given.folder) as bench:
            url = bench.sandbox(rate_limit=LIMIT, rate_window=f"{WINDOW_S:g}s", latency=_LATENCY)
            contestant = Ours(bench, url) if who is None else Program(who, given.python.absolute(), bench, url)
            try:
                contestant.start()
                began_at, waited_s = time.monotonic(), lab.waited_s(bench.sandbox_pid)
                seen = scenario(Run(bench, contestant, url))
                shares.append((lab.waited_s(bench.sandbox_pid) - waited_s) / (time.monotonic() - began_at))
                return seen
            finally:
                contestant.stop()
                if given.logs:
                    _keep_logs(bench.folder, given.logs / contestant.name.replace(" ", "-"))

    name = Ours.name if who is None else who.name
    evening = run(lambda one: one.evening(given.each))
    cells = [name, *evening_cells(evening, given.each)]
    print(f"  {name}: evening {cells[1:]} {evening.ended}, load {lab.load():.1f}", flush=True)
    cells.append(till_cell(run(lambda one: one.till(given.behind))))
    print(f"  {name}: till {cells[-1]}, load {lab.load():.1f}", flush=True)
    cells += fault_cells(run(lambda one: one.faults(given.each // 2)))
    print(f"  {name}: faults {cells[-4:]}, load {lab.load():.1f}", flush=True)
    return [*cells, f"{lab.load():.1f}, {max(shares):.0%}"]


def _keep_logs(folder: Path, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    for log in folder.glob("*.log"):
        (into / f"{time.time():.0f}-{log.name}").write_bytes(log.read_bytes())


def versions(python: Path) -> str:
    """Releases that the peers run on; the service's own stand in the line before."""
    names = sorted({name for peer in PEERS for name in peer.packages if not peer.is_at_home} | {"redis"})
    told = subprocess.run(
        [python, "-c", f"from importlib.metadata import version\nfor n in {names}: print(n, version(n))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return ", ".join(told.stdout.splitlines())


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--each", type=int, default=200, help="invoices of each company (%(default)s)")
    parser.add_argument("--behind", type=int, default=1000, help="invoices before the till (%(default)s)")
    parser.add_argument("--only", help="a part of the names of those to run; 'factus' is the service")
    parser.add_argument("--python", type=Path, default=_PYTHON, help="of the peers' environment (%(default)s)")
    parser.add_argument("--logs", type=Path, help="keep what the processes said in this folder")


if __name__ == "__main__":
    given = lab.arguments(__doc__, options)
    if not given.python.exists():
        raise SystemExit(f"{given.python} is not there: make peers makes it")
    with lab.open_lab(given.folder) as bench:
        lab.announce(
            bench,
            f"{3 * given.each} invoices of 3 accounts and a till; {given.behind} of one; {3 * (given.each // 2)} with "
            f"faults; {LIMIT} calls in {WINDOW_S:g} s, a create {_LATENCY}, one contestant after the other",
        )
    print(f"peers     {versions(given.python)}")
    names = {Ours.name: None} | {peer.name: peer for peer in PEERS}
    rows = [measure(who, given) for name, who in names.items() if (given.only or "") in name]
    print()
    for cells in (_HEADS, ["---"] * len(_HEADS), *rows):
        print(f"| {' | '.join(cells)} |")
