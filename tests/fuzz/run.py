"""
A fuzzing run: epochs of a few rounds, each on a service of its own, until the time is up.

An epoch follows from the seed and its number alone; what it breaks is shrunk and kept before the next one begins.
"""

from __future__ import annotations

import random
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.fuzz import corpus
from tests.fuzz.actions import Action, Add, Case
from tests.fuzz.course import Course, Seen, replay
from tests.fuzz.entries import Producer
from tests.fuzz.promises import Violation
from tests.fuzz.pure import PureIntake, quiet_log
from tests.fuzz.service import Service
from tests.fuzz.shrink import Shrinker

ROUNDS: Final = 6
ENTRIES: Final = 150
_KILL_SHARE: Final = 0.1
_SAID_EVERY_S: Final = 10.0
_SHOWN_BYTES: Final = 300
_SHOWN_LINES: Final = 12

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is asked for."""

    seed: int
    seconds: float
    first_epoch: int = 0
    scale: float = 1.0
    shrink_s: float = 120.0
    theme: str = ""
    corpus_folder: Path = corpus.FOLDER
    memory_limit: int = 0
    """Bytes that the worker may ask for (RLIMIT_DATA); 0 for no limit."""

    def repeat(self, epoch: int) -> str:
        more = f" --theme {self.theme}" if self.theme else ""
        return f'make fuzz SEED={self.seed} SECONDS=1 ARGS="--epoch {epoch}{more}"'


@dataclass
class Figures:
    """What a run came to."""

    seed: int
    n_epochs: int = 0
    n_entries: int = 0
    n_bytes: int = 0
    n_requests: int = 0
    n_finals: int = 0
    n_deaths: int = 0
    n_kills: int = 0
    script_ms: int = 0
    peak: int = 0
    longest: dict[str, Any] = field(default_factory=lambda: {"held_ms": 0, "used_ms": 0, "place": ""})
    waits_s: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    found: dict[tuple[str, str], Violation] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, course: Course) -> None:
        self.n_epochs += 1
        self.n_entries += course.book.n_owed
        self.n_bytes += course.n_bytes
        self.n_requests += course.service.side.n_requests.total()
        self.n_finals += course.book.n_finals
        self.n_deaths += course.n_deaths
        self.n_kills += course.n_kills
        self.script_ms = max(self.script_ms, course.longest_script_ms)
        self.peak = max(self.peak, course.service.memory_peak())
        self.longest = max(self.longest, course.longest, key=lambda hold: hold["used_ms"])
        self.waits_s += course.book.waits_s
        self.outcomes += course.book.outcomes

    def table(self) -> str:
        longest, waits = self.longest, sorted(self.waits_s) or [0.0]
        rows = [
            ("seed", self.seed),
            ("time", f"{self.seconds:.0f} s, {self.n_epochs} epochs"),
            ("entries", f"{self.n_entries:,} ({self.n_bytes / 2**20:,.0f} MiB)"),
            ("requests to Factus's side", f"{self.n_requests:,}"),
            ("final events", f"{self.n_finals:,}"),
            ("deaths", self.n_deaths),
            ("kills (-9)", self.n_kills),
            (
                "longest hold of the loop",
                f"{longest['used_ms']} ms of processor time, {longest['held_ms']} by the clock",
            ),
            ("longest script", f"{self.script_ms} ms" if self.script_ms else "below 100 ms"),
            ("peak memory of the worker", f"{self.peak / 2**20:.0f} MiB"),
            ("honest jobs", f"{len(self.waits_s):,}; p50 {statistics.median(waits):.2f} s, most {waits[-1]:.2f} s"),
            *((f"  {name}", f"{count:,}") for name, count in self.outcomes.most_common()),
            ("promises broken", len(self.found)),
            *(
                (f"! {kind}", text.partition("\n")[0][:200])
                for (kind, _), violation in self.found.items()
                for text in [violation.text]
            ),
        ]
        return "\n".join(f"  {name:<34} {value}" for name, value in rows)


def run(plan: Plan, say: Say) -> Figures:
    """Epochs on real services until the time is up."""
    figures = Figures(plan.seed)
    began = time.monotonic()
    epoch = plan.first_epoch
    while epoch == plan.first_epoch or time.monotonic() - began < plan.seconds:
        course, case = play_epoch(plan, epoch, lambda line: say(f"{time.monotonic() - began:5.0f} s  {line}"))
        figures.add(course)
        fresh = [violation for violation in course.violations if violation.name not in figures.found]
        figures.found |= {violation.name: violation for violation in fresh}
        _tell_all(plan, epoch, fresh, course, case, say)
        epoch += 1
        figures.seconds = time.monotonic() - began
    return figures


def play_epoch(plan: Plan, epoch: int, say: Say) -> tuple[Course, Case]:
    """One epoch, and what was done and answered in it."""
    service = Service(f"{plan.seed}:{epoch}", memory_limit=plan.memory_limit)
    course = Course(service)
    done: list[Action] = []
    said_at = 0.0
    try:
        for n in range(ROUNDS):
            chance = random.Random(f"{plan.seed}:{epoch}:{n}")
            producer = Producer(chance, f"{epoch}.{n}", scale=plan.scale)
            actions = producer.round(ENTRIES, plan.theme)
            done += actions
            middle = chance.randrange(len(actions)) if chance.random() < _KILL_SHARE else len(actions)
            course.play(actions[:middle])
            if middle < len(actions):
                course.kill_worker()
            course.play(actions[middle:])
            course.wait(course.honest_jobs_done)
            if time.monotonic() - said_at > _SAID_EVERY_S:
                said_at = time.monotonic()
                say(_news(epoch, course))
            if course.is_over:
                break
        course.finish()
    finally:
        service.close()
    return course, Case(tuple(done), {name: tuple(found) for name, found in service.side.sent.items()})


def _news(epoch: int, course: Course) -> str:
    return (
        f"epoch {epoch}: {course.book.n_owed} entries, {course.book.n_finals} final events, "
        f"{course.service.memory_peak() >> 20} MiB, longest {course.longest['used_ms']} ms, "
        f"broken: {len(course.violations)}"
    )


def _tell_all(plan: Plan, epoch: int, found: list[Violation], course: Course, case: Case, say: Say) -> None:
    """What the half without a server shows as well is made smaller there: a trial costs a thousandth."""
    for violation in found:
        say(f"! {violation.kind}: {violation.text}\n  repeat with: {plan.repeat(epoch)}")
    if not found or plan.shrink_s <= 0:
        return
    quiet_log()
    intake, causes = PureIntake(), dict[tuple[str, str], Violation]()
    for action in case.actions:
        for cause in intake.try_add(action) if isinstance(action, Add) else ():
            if cause.name not in causes:
                causes[cause.name] = cause
                _tell_pure(plan, epoch, cause, action, intake, say)
    for violation in found:
        if not any(_explains(cause, violation) for cause in causes.values()):
            _tell(plan, violation, case, course.seen[violation.name], say)


def _explains(cause: Violation, violation: Violation) -> bool:
    """Whether what was seen on the service is what the half without one shows."""
    if violation.kind == "loop held":
        return cause.kind == "loop held" and "intake" in violation.sign
    return violation.kind in ("death", "defect") and bool(cause.sign) and cause.sign in violation.sign


def _tell(plan: Plan, violation: Violation, case: Case, seen: Seen, say: Say) -> None:
    """Make what was found smaller, and keep it."""

    def fails(smaller: Case) -> bool:
        return any(found.name == violation.name for found in replay(smaller, until=violation.name).violations)

    began = time.monotonic()
    shrinker = Shrinker(fails, plan.shrink_s)
    small = shrinker.shrink(case, seen=seen)
    if small is None:
        say(f"  {violation.kind} ({violation.sign}): it did not happen again when the same was played: not shrunk")
        return
    about = f"{violation.kind}: {violation.text.partition(chr(10))[0]}"
    small = Case(small.actions, small.answers, about[:500], violation.kind)
    path = corpus.keep(small, f"{violation.kind}-{violation.sign}"[:90], plan.corpus_folder)
    cost = f"{shrinker.n_trials} trials, {time.monotonic() - began:.0f} s"
    say(f"  {violation.kind} ({violation.sign}): shrunk in {cost}, kept as {path.name}:")
    for line in shown(small)[:_SHOWN_LINES]:
        say(f"    {line}")


def shown(case: Case) -> list[str]:
    """A case for people; long bytes are cut."""
    found = []
    for action in case.actions:
        if isinstance(action, Add):
            fields = ", ".join(
                f"{name.decode('latin-1')}={value[:_SHOWN_BYTES]!r} ({len(value)} bytes)"
                for name, value in action.fields
            )
            more = "".join(
                f" {name}={getattr(action, name)}"
                for name in ("owner", "id", "maxlen", "times")
                if getattr(action, name) != getattr(Add(()), name)
            )
            found.append(f"XADD{more} {fields}")
        else:
            found.append(str(action))
    for key, answers in case.answers.items():
        found += [
            f"{key} -> {answer.raw[:_SHOWN_BYTES]!r} ({len(answer.raw)} bytes) + {answer.times} x {len(answer.filler)}"
            for answer in answers
        ]
    return found


def run_pure(plan: Plan, say: Say) -> Figures:
    """The half without a server."""
    quiet_log()
    figures, intake = Figures(plan.seed), PureIntake()
    began = said_at = time.monotonic()
    epoch = plan.first_epoch
    while time.monotonic() - began < plan.seconds:
        producer = Producer(random.Random(f"{plan.seed}:{epoch}"), f"{epoch}", scale=0.1)
        for action in producer.round(200, plan.theme, n_good=0):
            for violation in intake.try_add(action) if isinstance(action, Add) else ():
                if violation.name not in figures.found:
                    figures.found[violation.name] = violation
                    _tell_pure(plan, epoch, violation, action, intake, say)
        epoch += 1
        if time.monotonic() - said_at > _SAID_EVERY_S:
            said_at = time.monotonic()
            say(f"{said_at - began:5.0f} s  {intake.n_entries:,} entries, slowest {intake.slowest[0]:.0f} ms")
    figures.n_entries, figures.n_bytes, figures.n_epochs = intake.n_entries, intake.n_bytes, epoch - plan.first_epoch
    figures.longest = {
        "used_ms": round(intake.slowest[0]),
        "held_ms": round(intake.slowest[0]),
        "place": intake.slowest[1],
    }
    figures.seconds = time.monotonic() - began
    return figures


def _tell_pure(plan: Plan, epoch: int, violation: Violation, action: Action, intake: PureIntake, say: Say) -> None:
    say(f"! {violation.kind}: {violation.text}\n  seed {plan.seed}, epoch {epoch}, without a server")

    def fails(case: Case) -> bool:
        tried = [found for one in case.actions if isinstance(one, Add) for found in intake.try_add(one)]
        return any(found.name == violation.name for found in tried)

    small = Shrinker(fails, min(plan.shrink_s, 10.0)).shrink(Case((action,), {}, violation.text[:500], violation.kind))
    if small is not None:
        path = corpus.keep(small, f"{violation.kind}-{violation.sign}"[:90], plan.corpus_folder)
        say(f"  kept as {path.name}:")
        for line in shown(small):
            say(f"    {line}")
