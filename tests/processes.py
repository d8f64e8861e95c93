"""
Python processes of a test: ``python -m module``, forked from one that has imported the service already.

To import the service costs a process a second or two, and the suite starts a few hundred. Under pytest they are forks
of a server (``multiprocessing``'s own) that has loaded ``tests/preloaded.py``; what they do from then on, their
signals, descriptors, environment and end are those of a process of its own. What a start itself does is tried where
real ones are started: the demo, the first steps, the simulation, the fuzzer.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from functools import cache
from multiprocessing.context import ForkServerContext
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import IO, Any, Final, Protocol

_MAIN: Final = "__main__"


_is_forking = [False]


def fork_from_now_on() -> None:
    """Processes of ``tests/service_processes.py`` are forks in this run: for pytest, not for what measures."""
    _is_forking[0] = True


def are_forked() -> bool:
    return _is_forking[0]


class Process(Protocol):
    """What a test does with a process: the part of ``subprocess.Popen`` that a fork has too."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: int, /) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class Fork:
    """A running fork; see :func:`start`."""

    def __init__(self, module: str, arguments: tuple[str, ...], child: dict[str, Any]) -> None:
        self._command = (module, *arguments)
        self._process = _context().Process(target=_run, args=(module, arguments), kwargs=child, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Exit status, negative for a signal. Raises TimeoutExpired."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._command, timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    module: str,
    *arguments: str,
    folder: Path,
    env: Mapping[str, str],
    out: IO[Any] | int,
    err: IO[Any] | int | None = None,
) -> Fork:
    """
    ``python -m module`` in *folder* and a session of its own, without input.

    Args:
        env: All of its environment.
        out: A file that it writes to.
        err: Another for its errors; the same unless given.
    """
    with Path(os.devnull).open("rb") as nothing:
        return _forked(module, arguments, folder, env, nothing, out, err)


def run(
    module: str,
    *arguments: str,
    folder: Path,
    env: Mapping[str, str],
    stdin: str | bytes = "",
    timeout_s: float = 60,
) -> subprocess.CompletedProcess[str]:
    """
    Run ``python -m module`` in *folder* to its end.

    Raises:
        TimeoutExpired: It has been killed.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin.encode() if isinstance(stdin, str) else stdin)
        given.seek(0)
        fork = _forked(module, arguments, folder, env, given, out, err)
        try:
            code = fork.wait(timeout_s)
        except subprocess.TimeoutExpired:
            fork.kill()
            fork.wait()
            raise
        return subprocess.CompletedProcess((module, *arguments), code, _text(out), _text(err))


def _forked(
    module: str,
    arguments: tuple[str, ...],
    folder: Path,
    env: Mapping[str, str],
    given: IO[Any] | int,
    out: IO[Any] | int,
    err: IO[Any] | int | None,
) -> Fork:
    files = [given, out, out if err is None else err]
    numbers = [file if isinstance(file, int) else file.fileno() for file in files]
    return Fork(module, arguments, {"folder": str(folder), "env": dict(env), "files": _Files(numbers)})


class _Files:
    """Descriptors on their way to a fork: duplicated while it is started, which is when it is pickled."""

    def __init__(self, numbers: list[int]) -> None:
        self._numbers = numbers

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, tuple(DupFd(number) for number in self._numbers)


def _received(*dups: Any) -> list[int]:
    return [dup.detach() for dup in dups]


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.preloaded"])
    return context


def _run(module: str, arguments: tuple[str, ...], *, folder: str, env: dict[str, str], files: list[int]) -> None:
    """In the fork: what ``python -m`` does between its start and its end."""
    os.setsid()
    os.chdir(folder)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)  # the outputs write to these numbers already
    os.environ.clear()
    os.environ.update(env)
    sys.argv[1:] = arguments
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.current_thread().name = "MainThread"
    try:
        runpy.run_module(module, run_name=_MAIN, alter_sys=True)
    except SystemExit:
        raise
    except BaseException:  # noqa: BLE001 - whatever ends a process
        sys.excepthook(*sys.exc_info())  # ours, once the command has set it; multiprocessing would print its own
        sys.exit(1)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()
