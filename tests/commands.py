"""Commands as they are typed, in this process: a tenth of the time that a process of its own takes."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from worker.__main__ import main
from worker.settings.environment import environment_for_child


@dataclass(frozen=True)
class Typed:
    """What came of a command."""

    status: int
    out: str
    err: str

    @property
    def shown(self) -> str:
        return self.out + self.err


def typed(*arguments: str, env: Mapping[str, str], folder: Path, stdin: bytes = b"") -> Typed:
    """
    Run a command to its end, as the program would.

    Args:
        env: Its ``FACTUS_`` variables; it has no others.
        folder: Where it is typed.
    """
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        surroundings: dict[str, Any] = environment_for_child(**env)
        patch.setattr("os.environ", surroundings)
        patch.chdir(folder)
        patch.setattr("worker.uncaught.install", lambda: None)  # the hooks of this process are pytest's
        patch.setattr(sys, "argv", ["factus-worker", *arguments])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main()
    return Typed(int(ended.value.code or 0), out.getvalue(), err.getvalue())
