"""
The half of the intake that needs no server, at thousands of entries a second: from an entry's bytes to the arguments of
the script. It never raises, never takes long, and what it hands over is bounded and exact.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import structlog
from pydantic import SecretStr
from redis.asyncio import Redis

from jobs.entry import Entry
from schemas.contract.envelope import MAX_JOB_BYTES
from tests.fuzz.actions import Add
from tests.fuzz.entries import CALM, OWN, WILD
from tests.fuzz.promises import LOOP_BUDGET_MS, Violation
from tests.service_in_process import an_account, some_settings
from worker.bootstrap import Services, build
from worker.intake.policy import IntakePolicy
from worker.intake.script_arguments import IntakeCommand

APART_MS: Final = 1000
_POLICY: Final = IntakePolicy()
_EXACT: Final = 2**53
_ROOM_BYTES: Final = 256 * 1024
_PROJECT: Final = Path(__file__).parents[2]


@dataclass
class PureIntake:
    """Examines entries as a worker does, without one."""

    n_entries: int = 0
    n_bytes: int = 0
    slowest: tuple[float, str] = (0.0, "")
    _writer: Any = field(init=False)

    def __post_init__(self) -> None:
        secret = SecretStr("x")
        accounts = {name: an_account(name, own_streams=name == OWN, client_id=secret) for name in (CALM, *WILD)}
        redis: Any = Redis()  # connects when it is asked something, which nothing here does

        async def parts() -> Services:
            return build(some_settings("fuzz"), accounts, redis, redis)

        built = asyncio.run(parts())  # where no loop runs, arq makes one and leaves it open
        self._keys, self._writer = built.keys, built.intake._writer

    def try_add(self, add: Add) -> list[Violation]:
        """What one push breaks on its way to the script; times and ids are the server's matter."""
        raws = add.raws
        raw = raws[0] if raws else None
        is_whole = raw is None or len(raw) <= MAX_JOB_BYTES
        kept = raw if raw is None or is_whole else raw[:MAX_JOB_BYTES]
        size = 0 if raw is None or is_whole else len(raw)
        stream = self._keys.jobs(add.owner or None)
        entry = Entry(stream, "1795000000000-0", kept, add.owner, len(raws), size, "0" * 64 if size else "")
        return self.validate(entry, add.size // add.times)

    def validate(self, entry: Entry, size: int) -> list[Violation]:
        self.n_entries += 1
        self.n_bytes += size
        began = time.thread_time()
        try:
            # As the writer prepares it, without the guard around: what that would catch is a defect all the same.
            command = self._writer._commands.validate(entry)
        except Exception as exc:  # noqa: BLE001 - that nothing raises is what is tried here
            return [_raised(exc)]
        used_ms = (time.thread_time() - began) * 1000
        self.slowest = max(self.slowest, (used_ms, f"{size} bytes: {(entry.raw or b'')[:120]!r}"))
        found = _defects(command)
        # Large ones are examined beside the event loop, one at a time.
        if used_ms > (LOOP_BUDGET_MS if size < _POLICY.apart_bytes else APART_MS):
            found.append(Violation("loop held", "intake", f"{used_ms:.0f} ms for an entry of {size} bytes"))
        total = sum(len(str(part)) for part in (*command.keys, *command.args))
        if total > 6 * size + _ROOM_BYTES:
            found.append(Violation("argument", "size", f"{size} bytes became {total}"))
        return found + _faults_of(command.args)


def _defects(command: IntakeCommand) -> list[Violation]:
    """What was refused because we failed, not the producer: caught, and a defect all the same."""
    words = [error.message for error in command.errors if error.code == "internal"]
    return [Violation("defect", words[0][:80], f"refused as internal: {words[0]}")] if words else []


def _raised(exc: Exception) -> Violation:
    frames = [frame for frame in traceback.extract_tb(exc.__traceback__) if _is_ours(frame.filename)]
    place = f"{Path(frames[-1].filename).relative_to(_PROJECT)} {frames[-1].name}" if frames else ""
    line = frames[-1].lineno if frames else 0
    return Violation("raised", f"{type(exc).__name__} {place}", f"{type(exc).__name__} at {place} (line {line})")


@cache
def _is_ours(name: str) -> bool:
    path = Path(name)
    return path.is_relative_to(_PROJECT) and ".venv" not in path.parts


def _faults_of(arguments: Sequence[Any]) -> list[Violation]:
    """What a script must not be given: numbers that Lua would round, and what is neither text nor number."""
    found: list[Violation] = []
    for value in arguments:
        match value:
            case bool():
                found.append(Violation("argument", "bool", "a truth value among the arguments"))
            case int() if abs(value) > _EXACT:
                found.append(Violation("argument", "inexact", f"{str(value)[:60]} is more than Lua holds exactly"))
            case float() if not abs(value) <= _EXACT:
                found.append(Violation("argument", "inexact", f"{value!r} is more than Lua holds exactly"))
            case str() | bytes() | int() | float():
                pass
            case _:
                found.append(Violation("argument", type(value).__name__, f"{type(value).__name__} among the arguments"))
    return found


def quiet_log() -> None:
    """The refusals of thousands of entries are no news here."""

    def drop(_logger: Any, _method: str, _event: Any) -> Any:
        raise structlog.DropEvent

    structlog.configure(processors=[drop], cache_logger_on_first_use=False)
