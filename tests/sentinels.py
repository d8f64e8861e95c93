"""
A Redis that fails over, on loopback: a primary, replicas that may take its place, and three sentinels.

Each is a process of the bundled binary, stopped by its id. Five seconds of a real failover are half a second here.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import redis
from redis.exceptions import RedisError

from tests.service_processes import stop_processes, until
from worker.store.embedded_binary import find_binary

SERVICE: Final = "bills"
_SERVER: Final = (
    *("--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", "always", "--save", ""),
    *("--min-replicas-max-lag", "10", "--repl-diskless-sync-delay", "0"),
)
_SENTINEL: Final = """port {port}
bind 127.0.0.1
dir {folder}
sentinel monitor {service} 127.0.0.1 {primary} 2
sentinel down-after-milliseconds {service} 500
sentinel failover-timeout {service} 3000
"""


@dataclass
class Node:
    """One of the servers."""

    port: int
    folder: Path
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    def client(self) -> redis.Redis:
        """Straight to it, whoever the primary is."""
        return redis.Redis(port=self.port, socket_timeout=5, decode_responses=True)

    def start(self, *options: str) -> None:
        self.folder.mkdir(exist_ok=True)
        place = ("--port", str(self.port), "--dir", str(self.folder))
        self.process = _start([str(find_binary()), *place, *_SERVER, *self.options, *options], self.folder / "log")
        until(lambda: _answers(self.port), what=(self.folder / "log").read_text)

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self.process
        self.process.wait()

    @property
    def role(self) -> str:
        with self.client() as client:
            role: list[Any] = client.role()
            return str(role[0])


@dataclass
class Group:
    """The servers, and what watches over them."""

    nodes: list[Node]
    sentinels: list[int]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return "sentinel://" + ",".join(f"127.0.0.1:{port}" for port in self.sentinels) + f"/{SERVICE}"

    def primary_port(self) -> int:
        """Who the primary is, as most of the sentinels say."""
        votes = [self._ask(port) for port in self.sentinels]
        return max(votes, key=votes.count)

    @staticmethod
    def _ask(port: int) -> int:
        with redis.Redis(port=port, socket_timeout=5) as sentinel:
            found = sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
            return int(found[1])

    @property
    def primary(self) -> Node:
        port = self.primary_port()
        return next(node for node in self.nodes if node.port == port)

    def wait_for_failover(self, former: Node) -> None:
        """Until all sentinels name another primary and it takes writes."""

        def is_over() -> bool:
            return all(self._ask(port) != former.port for port in self.sentinels) and self.primary.role == "master"

        until(is_over)

    def wait_for_replicas(self, n: int) -> None:
        """Until so many servers follow the primary, and it knows."""

        def follows() -> bool:
            with self.primary.client() as client:
                facts: dict[str, Any] = client.info("replication")
            online = [one for one in facts.values() if isinstance(one, dict) and one.get("state") == "online"]
            return len(online) == n

        until(lambda: _tried(follows))

    def stop(self) -> None:
        running = [node.process for node in self.nodes if node.process and node.process.poll() is None]
        for process in running:
            os.kill(process.pid, signal.SIGCONT)
        stop_processes([*self.processes, *running])


@contextmanager
def failing_over(folder: Path, *, n_replicas: int = 1, least_replicas: int = 0) -> Iterator[Group]:
    """
    Start all of it; every process is stopped at the end.

    Args:
        least_replicas: ``min-replicas-to-write``.
    """
    ports = free_ports(1 + n_replicas + 3)
    options = ("--min-replicas-to-write", str(least_replicas))
    nodes = [Node(port, folder / f"server-{port}", options) for port in ports[:-3]]
    group = Group(nodes, ports[-3:])
    with ExitStack() as stack:
        stack.callback(group.stop)
        first, *replicas = group.nodes
        first.start()
        for one in replicas:
            one.start("--replicaof", "127.0.0.1", str(first.port))
        for port in group.sentinels:
            place = folder / f"sentinel-{port}"
            place.mkdir()
            text = _SENTINEL.format(port=port, folder=place, service=SERVICE, primary=first.port)
            (place / "conf").write_text(text)
            group.processes.append(_start([str(find_binary()), str(place / "conf"), "--sentinel"], place / "log"))
        for port in group.sentinels:
            until(lambda port=port: _tried(lambda: _knows_all(port, n_replicas)))
        group.wait_for_replicas(n_replicas)
        yield group


def free_ports(n: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _start(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)


def _answers(port: int) -> bool:
    with redis.Redis(port=port, socket_timeout=5) as client:
        return _tried(lambda: bool(client.ping()))


def _tried(ask: Any) -> bool:
    try:
        return bool(ask())
    except RedisError:
        return False


def _knows_all(port: int, n_replicas: int) -> bool:
    """Whether a sentinel knows the replicas and the two others, without whom it promotes nobody."""
    with redis.Redis(port=port, socket_timeout=5, decode_responses=True) as sentinel:
        facts: dict[str, Any] = sentinel.sentinel_masters()[SERVICE]
    return bool(facts["num-slaves"] == n_replicas and facts["num-other-sentinels"] == 2)
