"""
What must hold whatever is pushed and answered, and the book of what is still owed.

Knows nothing of how a run goes: it is told of pushes, events and figures, and says what they break.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NoReturn

from jsonschema import Draft202012Validator

from tests.fuzz.actions import Add
from tests.simulation.history import is_final
from worker.cli.contract.asyncapi import document

LOOP_BUDGET_MS: Final = 250
"""How long one step may hold the event loop, of its own processor time."""
BLOCKED_MS: Final = 2000
"""The same by the clock: waiting inside a step is no better, but a busy machine is not the service's fault."""
LARGEST_EVENT: Final = 4 * 1024 * 1024
TIMED: Final = frozenset({"loop held", "script held", "honest job late"})
"""What a busy machine can break by itself: judged in runs of their own, not among other tests."""
_LONGEST_NUMBER: Final = 400
_LOOKED_AT: Final = 1024 * 1024
_RENAMED: Final = re.compile(r"\d+-\d+\.\d+")
_ID: Final = re.compile(rb'"id"\s*:\s*"([A-Za-z0-9._:-]{1,128})"')


@dataclass(frozen=True)
class Violation:
    """A broken promise. ``sign`` tells one cause from another, as far as that can be seen from outside."""

    kind: str
    sign: str
    text: str
    subject: str = ""
    """The reference or id of the job concerned, where one is."""

    @property
    def name(self) -> tuple[str, str]:
        return self.kind, self.sign


@dataclass(eq=False)
class Owed:
    """An entry that the server has taken: one final event must come, under one of its names."""

    entry: str
    owner: str
    names: frozenset[str]
    at: float
    size: int
    is_good: bool


def names_of(add: Add, entry: str) -> frozenset[str]:
    """Under which job ids the answer may come: the entry's own, or any that can be read in the bytes."""
    found = {entry}
    for raw in add.raws:
        found |= {match.decode() for match in _ID.findall(raw[:_LOOKED_AT])}
        if len(raw) <= _LOOKED_AT:
            found |= _read_id(raw)
    return frozenset(found)


def _read_id(raw: bytes) -> set[str]:
    """The id as a JSON reader sees it: escapes are no disguise."""
    try:
        parsed = json.loads(raw)
    except (ValueError, RecursionError):
        return set()
    id_ = parsed.get("id") if isinstance(parsed, dict) else None
    return {id_} if isinstance(id_, str) else set()


@dataclass
class Book:
    """Every entry and every final event of a run."""

    open: dict[str, list[Owed]] = field(default_factory=lambda: defaultdict(list))
    waits_s: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    may_fail_within: bool = False
    """Somebody has spoilt our own keys: `internal` is the honest word then, and a defect of ours otherwise."""
    n_owed: int = 0
    n_finals: int = 0
    _finals: Counter[tuple[str, str | None, str]] = field(default_factory=Counter)
    _events: set[str] = field(default_factory=set)
    _told: set[str] = field(default_factory=set)
    """Names that have had their final event."""

    def owe(self, owed: Owed) -> None:
        self.n_owed += 1
        # A repetition of what is final already has no event of its own: the same id, and the same content.
        if (owed.names - {owed.entry}) & self._told:
            return
        for name in owed.names:
            self.open[name].append(owed)

    def forgive(self, entry: str) -> None:
        """Somebody deleted the entry, perhaps before it was read."""
        for owed in list(self.open.get(entry, ())):
            self._settle(owed)

    def _settle(self, owed: Owed) -> None:
        for name in owed.names:
            rows = self.open.get(name)
            if rows and owed in rows:
                rows.remove(owed)
                if not rows:
                    del self.open[name]

    def all_open(self) -> list[Owed]:
        return [*{id(owed): owed for rows in self.open.values() for owed in rows}.values()]

    def receive(self, stream: str, raw: bytes, now: float, secrets: Iterable[bytes]) -> list[Violation]:
        """One published event; what it breaks."""
        found = [
            Violation("secret", "event", f"{secret.decode()} stands in an event: {raw[:300]!r}")
            for secret in secrets
            if secret in raw
        ]
        if len(raw) > LARGEST_EVENT:
            found.append(Violation("shape", "size", f"an event of {len(raw)} bytes: {raw[:300]!r}"))
        try:
            event = _parse(raw)
        except (ValueError, RecursionError) as exc:
            return [*found, Violation("shape", "json", f"an event is no JSON ({type(exc).__name__}): {raw[:300]!r}")]
        found += [
            Violation("shape", fault.partition(" ")[0], f"{fault}: {raw[:600]!r}", _subject(event))
            for fault in faults_of(event)
        ]
        if not {"id", "type", "job_id", "account", "errors"} <= event.keys():
            return found
        if event["id"] in self._events:
            found.append(Violation("two finals", "event id", f"{event['id']} was published twice"))
        self._events.add(event["id"])
        return found + (self._final(stream, event, now) if is_final(event) else [])

    def _final(self, stream: str, event: Mapping[str, Any], now: float) -> list[Violation]:
        found: list[Violation] = []
        self.n_finals += 1
        codes = [error["code"] for error in event["errors"] or ()]
        kind = "refused" if event["type"] == "job.refused" else event["type"].rpartition(".")[2]
        self.outcomes[f"{kind} {codes[0]}" if codes else kind] += 1
        job_id = event["job_id"]
        key = (stream, event["account"], job_id)
        self._finals[key] += 1
        if self._finals[key] > 1:
            found.append(Violation("two finals", "job", f"{key} has {self._finals[key]} final events"))
        if "internal" in codes and not self.may_fail_within:
            words = event["errors"][0]["message"]
            text = f"{key} {kind} as internal: {words}"
            found.append(Violation("defect", f"{kind} {words[:80]}", text, _subject(event)))
        self._told.add(job_id)
        # An entry whose id another had before is answered under the next name: 5-0, 5-0.2 ...
        name = job_id.partition(".")[0] if _RENAMED.fullmatch(job_id) else job_id
        for owed in list(self.open.get(name, ())):
            self._settle(owed)
            if owed.is_good:
                self.waits_s.append(now - owed.at)
                if kind not in ("validated", "completed"):
                    is_late = kind == "failed" and codes == ["factus.unavailable"]
                    text = f"an honest job ended as {kind} {event['errors']}"
                    found.append(Violation("honest job late" if is_late else "honest job", f"{kind} {codes}", text))
        return found


def _subject(event: Mapping[str, Any]) -> str:
    return str(event.get("reference_code") or event.get("job_id") or "")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _bounded_int(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("a number without a bound")
    return int(text)


def _bounded_float(text: str) -> float:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("a number without a bound")
    return float(text)


def _parse(raw: bytes) -> dict[str, Any]:
    found = json.loads(
        raw.decode("utf-8"), parse_constant=_no_constant, parse_int=_bounded_int, parse_float=_bounded_float
    )
    return found if isinstance(found, dict) else {}


@cache
def _components() -> dict[str, Any]:
    found: dict[str, Any] = document()["components"]
    return found


@cache
def _validator(type_: str) -> Draft202012Validator | None:
    message = _components()["messages"].get(type_.replace(".", "_"))
    return Draft202012Validator({**message["payload"], "components": _components()}) if message else None


def faults_of(event: Mapping[str, Any]) -> list[str]:
    """Where an event is not what the contract's document says of it."""
    type_ = event.get("type")
    validator = _validator(type_) if isinstance(type_, str) else None
    if validator is None:
        return [f"no such type of event: {str(type_)[:80]}"]
    return [f"{fault.json_path} {fault.message[:200]}" for fault in validator.iter_errors(event)][:3]


def held_too_long(hold: Mapping[str, Any]) -> Violation | None:
    """Whether a step of the event loop broke its budget."""
    if hold["used_ms"] <= LOOP_BUDGET_MS and hold["held_ms"] <= BLOCKED_MS:
        return None
    # By the task that held it, its outermost place: where a look from outside meets it inside is chance.
    place = re.sub(r":\d+", "", hold["place"].split(" < ")[-1])
    return Violation(
        "loop held", place, f"{hold['held_ms']} ms ({hold['used_ms']} of processor time) at {hold['place']}"
    )


def death(status: int, log: str) -> Violation:
    """A worker that ended by itself. Its last words in the log tell one cause from another."""
    places = re.findall(r'File "[^"]*/((?:worker|jobs|schemas)/\w+\.py)", line (\d+), in (\w+)', log)
    errors = re.findall(r"^(\w[\w.]*(?:Error|Exception|Interrupt|Killed)\w*)(?::.*)?$", log, re.MULTILINE)
    last = f"{places[-1][0]} {places[-1][2]}" if places else ""
    words = f"{errors[-1]} " if errors else ""
    line = f" (line {places[-1][1]})" if places else ""
    return Violation(
        "death", f"{words}{last}", f"the worker ended with {status}: {words}at {last}{line}\n{log[-1500:]}"
    )
