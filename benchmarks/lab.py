"""
The bench under every benchmark: a real Valkey in a temporary folder, sandbox and workers as processes of their own.

Everything that is started is ended by its process id when the block ends, also after Ctrl-C or an error. Reads
``/proc``, so Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from arq.connections import ArqRedis

from tests.builders import a_bill
from tests.service_processes import ROOT, start_process, start_sandbox, stop_processes, until
from worker import event_loop
from worker.settings.environment import environment_for_child
from worker.store import connection, embedded_binary, embedded_server
from worker.store.keys import Keys

_DOOR_STARTED: Final = re.compile(r'"url": ?"http://([^:"]+):(\d+)"')
KEYS: Final = Keys("factus")
UNLIMITED: Final = 100_000
"""An allowance that no run comes near, for questions that are not about the allowance."""

_READY_S: Final = 120.0
_END_S: Final = 35.0  # a worker drains for 30 s at most
_LIBRARIES: Final = ("factus-worker", "arq", "redis", "httpx", "pydantic", "uvicorn")


@dataclass(frozen=True)
class Outcome:
    """One event of the results stream, as far as a benchmark asks."""

    type: str
    account: str
    reference_code: str


class Lab:
    """What one run has started. Use :func:`open_lab`."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        server = embedded_server.start(folder / "valkey")
        stack.callback(embedded_server.stop, server)
        self.redis_url = server.url()
        self.valkey_pid = server.pid
        self.sandbox_pid = 0
        self.worker_pids: list[int] = []
        self._n_workers = 0

    def connect(self) -> ArqRedis:
        """A client for the benchmark itself; the caller closes it inside the event loop."""
        return connection.connect(self.redis_url, blocking=True)

    def sandbox(self, **options: str | float) -> str:
        """Start a local Factus; options as ``rate_limit=0``. Returns its address."""
        flags = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
        process, url = start_sandbox(self.folder, *flags)
        self._stack.callback(stop_processes, [process])
        self.sandbox_pid = process.pid
        return url

    def accounts_file(self, names: Sequence[str], base_url: str, *, limit: int, window: str = "60s") -> Path:
        """An accounts file in which each account's user has the account's name."""
        path = self.folder / "accounts.toml"
        path.write_text(
            "".join(
                f'[accounts.{name}]\nclient_id = "x"\nclient_secret = "x"\nusername = "{name}"\npassword = "x"\n'
                f'base_url = "{base_url}"\nrate_limit = {limit}\nrate_window = "{window}"\n\n'
                for name in names
            )
        )
        return path

    def worker(self, accounts: Path, **settings: str) -> int:
        """Start ``factus-worker run``; settings as ``concurrency="8"``. Returns its process id, once it is up."""
        self._n_workers += 1
        log = self.folder / f"worker-{self._n_workers}.log"
        told = self._environment(accounts, **settings)
        process = start_process("worker", "run", folder=self.folder, log=log, env=told)
        self._stack.callback(stop_processes, [process], grace_s=_END_S)
        asyncio.run(self._wait_for_heartbeat(process))
        self.worker_pids.append(process.pid)
        return process.pid

    @contextmanager
    def door(self, files: Mapping[str, Path]) -> Iterator[tuple[int, str, int]]:
        """
        A ``serve`` process that has just started: its id, host and port.

        Args:
            files: By setting, as ``users_file``.
        """
        settings = {f"FACTUS_{name.upper()}": str(path) for name, path in files.items()}
        env = environment_for_child(
            FACTUS_REDIS_URL=self.redis_url, FACTUS_HTTP_PORT="0", FACTUS_LOG_FORMAT="json", **settings
        )
        log = self.folder / "door.log"
        log.unlink(missing_ok=True)
        process = start_process("worker", "serve", folder=self.folder, log=log, env=env)
        try:
            until(lambda: "door.started" in log.read_text(), timeout_s=60, what=log.read_text)
            found = _DOOR_STARTED.search(log.read_text())
            assert found
            yield process.pid, found[1], int(found[2])
        finally:
            stop_processes([process])

    def command(self, accounts: Path, *arguments: str) -> str:
        """What ``factus-worker`` with these arguments prints; its exit status is not looked at."""
        return subprocess.run(
            [sys.executable, "-m", "worker", *arguments],
            cwd=self.folder,
            env=self._environment(accounts),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        ).stdout

    def _environment(self, accounts: Path, **settings: str) -> dict[str, str]:
        told = {"FACTUS_REDIS_URL": self.redis_url, "FACTUS_ACCOUNTS_FILE": str(accounts), "FACTUS_LOG_FORMAT": "json"}
        told |= {f"FACTUS_{name.upper()}": value for name, value in settings.items()}
        return environment_for_child(PYTHONPATH=str(ROOT), **told)

    async def _wait_for_heartbeat(self, process: subprocess.Popen[bytes]) -> None:
        redis = self.connect()
        try:
            deadline = time.monotonic() + _READY_S
            while not await redis.keys(f"{KEYS.worker('')}*-{process.pid}-*"):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"a worker did not start: {self._logs()}")
                await asyncio.sleep(0.02)
        finally:
            await connection.close(redis)

    def _logs(self) -> str:
        return "\n".join(path.read_text()[-2000:] for path in sorted(self.folder.glob("*.log")))


@contextmanager
def open_lab(folder: Path | None = None) -> Iterator[Lab]:
    """A lab for as long as the block lasts. *folder*: where its data go, for another disk than the temporary one."""
    # Both signals end as one KeyboardInterrupt, which asyncio turns into an orderly end; also where a shell has
    # ignored SIGINT for what it started in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    with ExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="factus-bench-", dir=folder))
        try:
            yield Lab(Path(place), stack)
        except KeyboardInterrupt:
            raise SystemExit(130) from None


# -- the script ----------------------------------------------------------------------------------------------------
def arguments(text: str | None, add: Callable[[argparse.ArgumentParser], object] = lambda _: None) -> Any:
    """The options of a script: ``--full`` and ``--folder``, and those that *add* adds."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the run of the README; without it a short one")
    parser.add_argument("--folder", type=Path, help="where Valkey writes (default: the temporary folder)")
    add(parser)
    return parser.parse_args()


def announce(lab: Lab, method: str) -> None:
    """Print the machine, the versions and the method: a figure without them says nothing."""
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    print(
        f"machine   {model[1] if model else platform.machine()}, {os.cpu_count()} cores, "
        f"{int(memory[1]) / 1024**2 if memory else 0:.0f} GiB, {platform.system()} {platform.release()}, "
        f"load {load():.1f}, fdatasync {_sync_ms(lab.folder):.2f} ms"
    )
    valkey = subprocess.run([embedded_binary.find_binary(), "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"v=(\S+)", valkey.stdout)
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    print(f"versions  Python {platform.python_version()}, Valkey {found[1] if found else '?'}, {libraries}")
    print(f"method    {method}")


def load() -> float:
    """How many processes wanted a processor in the last minute, on average."""
    return os.getloadavg()[0]


def _sync_ms(folder: Path) -> float:
    """The median cost of one small synced write: ``appendfsync always`` pays it at every step."""
    times = []
    with (folder / "sync").open("wb") as file:
        for _ in range(100):
            file.write(bytes(500))
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def show(name: str, figure: str, aim: str = "", *, is_met: bool | None = None) -> None:
    """Print one figure beside its aim."""
    verdict = "" if is_met is None else ("  met" if is_met else "  MISSED")
    print(f"{name:<34}{figure:<26}{f'aim {aim}' if aim else ''}{verdict}")


def run(main: Coroutine[Any, Any, None], *, as_worker: bool = False) -> None:
    """Run the measuring part in an event loop; in that of a worker process where it runs parts of one itself."""
    (event_loop.run if as_worker else asyncio.run)(main)


# -- jobs and results ----------------------------------------------------------------------------------------------
def bill(reference_code: str, n_items: int = 2) -> dict[str, Any]:
    """A typical bill. Two items are the tests' own, which total 83300.00; else every item is one of 11900.00."""
    if n_items == 2:
        return a_bill(reference_code=reference_code)
    found = a_bill(reference_code=reference_code)
    found["items"] = [{**found["items"][0], "code_reference": f"PROD-{n}"} for n in range(n_items)]
    found["payment_details"][0]["amount"] = f"{11_900 * n_items}.00"
    return found


def job(reference_code: str, account: str, n_items: int = 2, **envelope: str) -> str:
    """The text of a job as a producer pushes it; more of its envelope as ``priority="high"``."""
    payload = bill(reference_code, n_items)
    return json.dumps({"type": "invoice.issue", "account": account, "payload": payload, **envelope})


async def push(redis: ArqRedis, jobs: Sequence[str]) -> None:
    """Push in order, pipelined."""
    for start in range(0, len(jobs), 500):
        async with redis.pipeline(transaction=False) as pipe:
            for text in jobs[start : start + 500]:
                pipe.xadd(KEYS.jobs(), {"job": text})
            await pipe.execute()


async def results(redis: ArqRedis, n: int, timeout_s: float) -> list[Outcome]:
    """The first *n* events of the results stream; fewer when *timeout_s* passes first."""
    found: list[Outcome] = []
    last: bytes | str = "0"
    deadline = time.monotonic() + timeout_s
    while len(found) < n and time.monotonic() < deadline:
        for _, entries in await redis.xread({KEYS.results(): last}, count=1000, block=200) or []:
            last = entries[-1][0]
            found += [_outcome(fields) for _, fields in entries]
    return found


async def results_after(redis: ArqRedis, n: int) -> list[Outcome]:
    """What came after the first *n* events of the results stream, without waiting."""
    return (await results(redis, n + 1, 0.5))[n:]


async def event_of(redis: ArqRedis, job_id: str, timeout_s: float) -> dict[str, Any]:
    """The final event of one job; empty when *timeout_s* passes first."""
    last: bytes | str = "0"
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        for _, entries in await redis.xread({KEYS.results(): last}, count=1000, block=200) or []:
            last = entries[-1][0]
            for _, fields in entries:
                if fields[b"job_id"].decode() == job_id:
                    return dict(json.loads(fields[b"event"]))
    return {}


def _outcome(fields: dict[bytes, bytes]) -> Outcome:
    return Outcome(*(fields[name].decode() for name in (b"type", b"account", b"reference_code")))


def ask(url: str, path: str) -> Any:
    """One of the sandbox's control routes. Blocks."""
    with urllib.request.urlopen(f"{url}/_sandbox/{path}", timeout=30) as answer:
        return json.load(answer)


# -- processes -----------------------------------------------------------------------------------------------------
def cpu_s(pid: int) -> float:
    """Processor time that a process has used, seconds; the kernel counts in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def waited_s(pid: int) -> float:
    """How long a process's main thread could run and had no processor, seconds: others' load, not its own."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def memory_mib(pid: int) -> tuple[float, float]:
    """Resident memory of a process now, and at most so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    now, most = (int(re.findall(rf"{name}:\s*(\d+) kB", status)[0]) for name in ("VmRSS", "VmHWM"))
    return now / 1024, most / 1024


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that *share* of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, round(share * len(ordered) + 0.5) - 1))]
