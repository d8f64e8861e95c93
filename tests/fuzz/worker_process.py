"""
``python -m tests.fuzz.worker_process``: a worker under watch.

The real one under a limit of memory, with shorter pauses, and with every callback of its event loop timed: what held
the loop for too long is written, a line for each, to the file that ``FUZZ_HOLDS`` names.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from jobs.patience import PatiencePolicy
from tests import worker_process
from worker.bootstrap import Policies
from worker.intake.policy import IntakePolicy
from worker.queue.sweep import SweepPolicy

_TOLD_FROM_S: Final = 0.1
_LOOK_EVERY_S: Final = 0.05
_PROJECT: Final = Path(__file__).parents[2]
_ABOVE: Final = (Path(__file__).parent, _PROJECT / "tests" / "worker_process.py")
"""What stands above every task says nothing of any."""
POLICIES: Final = Policies(
    # Nobody serves the accounts that a producer invents, and there is no other worker to wait for.
    intake=IntakePolicy(grace_ms=0),
    patience=PatiencePolicy(account_pause_s=1.0, foreign_ms=2000),
    sweep=SweepPolicy(every_s=2.0, deadlines_every_s=0.5),
    defect_pause_s=0.5,
)


class Watch:
    """Times every callback, by the clock and by this thread's processor time: a busy machine is nobody's fault."""

    def __init__(self, told: Path) -> None:
        self._told = told
        self._began = 0.0
        self._place = ""
        self._main = threading.get_ident()

    def install(self) -> None:
        run = asyncio.Handle._run
        clock, used = time.perf_counter, time.thread_time

        def timed(handle: asyncio.Handle) -> None:
            used_before = used()
            self._began = began = clock()
            run(handle)
            held = clock() - began
            self._began = 0.0
            if held >= _TOLD_FROM_S:
                self._tell(held, used() - used_before, handle)

        asyncio.Handle._run = timed  # each callback of the loop passes here; asyncio offers no hook
        threading.Thread(target=self._look, name="watch", daemon=True).start()

    def _look(self) -> None:
        """Where the loop stands while it is held: the callback's name alone says only which task it was."""
        while True:
            time.sleep(_LOOK_EVERY_S)
            began = self._began
            if began and time.perf_counter() - began > _TOLD_FROM_S:
                self._place = _innermost(sys._current_frames().get(self._main))

    def _tell(self, held: float, used: float, handle: asyncio.Handle) -> None:
        place, self._place = self._place, ""
        line = {"held_ms": round(held * 1000), "used_ms": round(used * 1000), "place": place or repr(handle)[:200]}
        with self._told.open("a") as file:
            file.write(json.dumps(line) + "\n")


def _innermost(frame: Any) -> str:
    """The places of the project on a stack, innermost first; of a deep one the first few and the last."""
    found: list[str] = []
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(_PROJECT) and ".venv" not in path.parts and not {path, path.parent} & {*_ABOVE}:
            found.append(f"{path.relative_to(_PROJECT)}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return " < ".join(found if len(found) <= 5 else [*found[:4], found[-1]])


def run() -> None:
    if limit := int(os.environ.get("FUZZ_MEMORY_LIMIT", "0")):
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    Watch(Path(os.environ["FUZZ_HOLDS"])).install()
    # uvloop runs callbacks where nobody can time them one by one.
    worker_process.run(POLICIES, loop_factory=asyncio.new_event_loop)


if __name__ == "__main__":
    run()
