"""
The stage of the demo: its folder, and the processes that it starts and stops.

Nothing here reaches beyond this machine: the children get no ``FACTUS_`` variable of the caller and run in the demo's
folder, where no ``.env`` of his is read, so that production credentials cannot take part by accident.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from jobs.errors import ConfigurationError, ServiceError
from worker.cli.bilingual import say
from worker.settings.environment import environment_for_child
from worker.store import embedded_server

MARK: Final = ".factus-demo"
ACCOUNTS: Final = ("andina", "caribe")
ARCHIVE: Final = "archive"
"""The folder in the demo's folder to which files are archived."""

_STOP_S: Final = 35.0
"""Longer than a worker's drain."""

_SANDBOX: Final = "sandbox"
_LISTENING: Final = re.compile(r"sandbox listening on (http://\S+)")
_DOOR_OPEN: Final = re.compile(r'"url": "(http://[^"]+)"')


@contextmanager
def demo_folder(folder: Path) -> Iterator[Path]:
    """
    The folder, empty and ours while the block lasts. What an earlier demo left in it is wiped.

    Raises:
        ConfigurationError: It is no demo's folder, or a demo, worker or server is using it.
    """
    folder = folder.absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigurationError(
            say(
                f"La carpeta {folder} no se puede crear: {exc.strerror}. Escoja otra: --folder",
                f"The folder {folder} cannot be made: {exc.strerror}. Choose another: --folder",
            )
        ) from exc
    handle = os.open(folder, os.O_RDONLY)
    try:
        if not _lock(handle):
            raise ConfigurationError(
                say(
                    f"Ya hay una demostración en marcha en {folder}. Espérela, o escoja otra --folder",
                    f"A demo is running in {folder} already. Wait for it, or choose another --folder",
                )
            )
        if any(folder.iterdir()) and not (folder / MARK).exists():
            raise ConfigurationError(
                say(
                    f"{folder} tiene otras cosas que una demostración, y se deja como está. Escoja otra --folder",
                    f"{folder} holds other things than a demo and is left alone. Choose another --folder",
                )
            )
        _clear(folder)
        (folder / MARK).write_text(
            "Made by factus-worker demo, which wipes this folder at its start.\n", encoding="utf-8"
        )
        yield folder
    finally:
        os.close(handle)


def _clear(folder: Path) -> None:
    if (folder / "users.lock").exists():
        with (folder / "users.lock").open("ab") as users:
            if not _lock(users.fileno()):
                raise ConfigurationError(
                    say(
                        f"Un proceso usa el servidor integrado de {folder}. Deténgalo, o escoja otra --folder",
                        f"A process is working on the embedded server in {folder}. Stop it, or choose another --folder",
                    )
                )
        if _lives(folder):
            embedded_server.stop(embedded_server.start(folder))  # left behind by processes that were killed
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _lives(folder: Path) -> bool:
    with (folder / "server.lock").open("ab") as server:
        return not _lock(server.fileno())


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_accounts(folder: Path, base_url: str) -> Path:
    """The accounts file of the demo. Limits are Factus's own: 80 calls in 60 s."""
    tables = [
        f'[accounts.{name}]\nclient_id = "demo"\nclient_secret = "demo"\nusername = "{user_of(name)}"\n'
        f'password = "demo"\nbase_url = "{base_url}"\nrate_limit = 80\nrate_window = "60s"\n'
        for name in ACCOUNTS
    ]
    path = folder / "accounts.toml"
    path.write_text("\n".join(tables), encoding="utf-8")
    path.chmod(0o600)
    return path


def user_of(account: str) -> str:
    """The user name of a demo account at the sandbox."""
    return f"{account}@demo.example"


@dataclass(slots=True)
class Child:
    """A process that we started, with its output in a file of the folder."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """
        Raises:
            ServiceError: It has ended by itself; its last words are in the message.
        """
        if self.process.poll() is not None:
            raise ServiceError(f"{self.name} ended with {self.process.returncode}: {_last_words(self.log)}")

    def ask_to_stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """SIGTERM, a wait as long as a drain may take, SIGKILL."""
        self.ask_to_stop()
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(slots=True)
class Stage:
    """Starts the processes of one demo, and stops every one of them when closed."""

    folder: Path
    children: list[Child] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_exc: object) -> None:
        # The workers are asked all at once; the sandbox last, because calls under way still need it.
        for child in self.children:
            if child.name != _SANDBOX:
                child.ask_to_stop()
        self._stack.close()

    def start_sandbox(self, *, seed: int, latency: str) -> str:
        """Start the local Factus; its base URL, once it listens. Blocks for about a second."""
        arguments = ["-m", "sandbox", "--port", "0", "--seed", str(seed), "--latency", latency]
        child = self._start(_SANDBOX, arguments, {})
        return self._wait_for_url(child, _LISTENING)

    def start_worker(self, number: int, variables: dict[str, str]) -> Child:
        """Start a worker process; it works as soon as it is up."""
        return self._start(f"worker-{number}", ["-m", "worker", "run"], variables)

    def start_webhooks(self, variables: dict[str, str]) -> Child:
        """Start the process that delivers webhooks."""
        return self._start("webhooks", ["-m", "worker", "webhooks"], variables)

    def start_door(self, variables: dict[str, str]) -> Child:
        """Start the HTTP door; its address is known once it is open (:meth:`door_url`)."""
        return self._start("door", ["-m", "worker", "serve"], variables)

    def door_url(self, door: Child) -> str:
        """The address of the door, once it is open. Blocks until then."""
        return self._wait_for_url(door, _DOOR_OPEN)

    def check(self) -> None:
        """Raises ServiceError when a process has ended by itself."""
        for child in self.children:
            child.check()

    def _start(self, name: str, arguments: Sequence[str], variables: dict[str, str]) -> Child:
        log = self.folder / f"{name}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=self.folder,
                env=environment_for_child(**variables),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                # Ctrl-C in the terminal is ours to handle: children are stopped in order, not all at once.
                start_new_session=True,
            )
        child = Child(name, process, log)
        self.children.append(child)
        self._stack.callback(child.stop)
        return child

    def _wait_for_url(self, child: Child, said: re.Pattern[str]) -> str:
        for _ in range(600):
            found = said.search(child.log.read_text(encoding="utf-8", errors="replace"))
            if found:
                return found[1]
            child.check()
            try:
                child.process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        raise ServiceError(f"{child.name} does not listen after 30 s: {_last_words(child.log)}")


def worker_variables(folder: Path, accounts: Path) -> dict[str, str]:
    """The settings of the demo's workers."""
    return {
        "FACTUS_REDIS_URL": f"embedded:{folder}",
        "FACTUS_ACCOUNTS_FILE": str(accounts),
        "FACTUS_LOG_FORMAT": "json",
        "FACTUS_ARCHIVE_URL": (folder / ARCHIVE).as_uri(),
        # Four hours in earnest: here somebody watches.
        "FACTUS_RADIAN_INTERVAL": "1s",
    }


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return " / ".join(lines[-3:]) or "it said nothing"
