"""
Ten faults, planted one after the other on a running set of processes: a worker, the door with its page, a process that
delivers webhooks, Redis, and a Factus on a socket. Of each the page, ``status``, ``doctor``, the metrics and the alert
say the same and the right thing within a minute, with the mend, and none of them when it is over.

What takes hours is brought forward where it is kept: since when something lasts.
"""

from __future__ import annotations

import json
import re
import resource
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import redis

from tests.alert_rules import Vector, firing, scraped, standing
from tests.builders import a_bill
from tests.commands import Typed, typed
from tests.door_in_process import PASSWORD, write_files
from tests.patience import PATIENCE_S
from tests.processes import Process
from tests.service_processes import ROOT, post_json, start_process, start_sandbox, stop_processes, until
from tests.ten_faults import FAULTS, Fault, table
from tests.webhooks_rig import SECRET
from worker.settings.environment import environment_for_child
from worker.store import embedded_binary
from worker.store.keys import Keys

pytestmark = pytest.mark.timeout(900)

ACCOUNTS: Final = ("password", "payment", "foreign", "dian", "webhook", "range", "worker")
"""An account for each fault that is one's: what one has met says nothing of the next."""

SIX_MIN_MS, TWELVE_MIN_MS = 360_000, 720_000
A_MINUTE_S: Final = 60.0
KEYS: Final = Keys("factus")
BILLS: Final = 389
"""The id of the sandbox's range of bills."""


# -- the running set ---------------------------------------------------------------------------------------------------
class Receiver:
    """An endpoint of webhooks that answers as it is told."""

    def __init__(self) -> None:
        receiver = self
        self.status = 200
        self.n_received = 0

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                receiver.n_received += 1
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class RunningSet:
    """The processes, and the ways to each of them."""

    folder: Path
    env: dict[str, str]
    redis: redis.Redis
    server: subprocess.Popen[bytes]
    factus_url: str
    receiver: Receiver
    page: httpx.Client
    processes: dict[str, Process] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    references: dict[str, int] = field(default_factory=dict)

    def start(self, name: str, *arguments: str) -> None:
        """A process of the service, scraped on a port of its own."""
        self.ports.setdefault(name, free_port())
        env = self.env | {"FACTUS_METRICS_PORT": str(self.ports[name])}
        log = self.folder / f"{name}.log"
        self.processes[name] = start_process("worker", *arguments, folder=self.folder, log=log, env=env)
        until(lambda: bool(self.scrape(name)), what=log.read_text)

    def scrape(self, name: str) -> str:
        """What a process exposes; empty where it does not answer, as Prometheus has it."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports[name]}/metrics", timeout=PATIENCE_S, trust_env=False).text
        except httpx.HTTPError:
            return ""

    def typed(self, *arguments: str) -> Typed:
        return typed(*arguments, env=self.env, folder=self.folder)

    def control(self, path: str, **body: Any) -> None:
        post_json(f"{self.factus_url}/_sandbox/{path}", body)

    def push_bill(self, account: str) -> str:
        """The reference of a bill that is pushed."""
        n = self.references[account] = self.references.get(account, 0) + 1
        code = f"{account}-{n:04}"
        job = {"type": "invoice.issue", "account": account, "payload": a_bill(reference_code=code)}
        self.redis.xadd(KEYS.jobs(), {"job": json.dumps(job, default=str)})
        return code

    def until_validated(self, code: str) -> None:
        until(lambda: self._is_validated(code), what=lambda: f"{code} is not validated")

    def _is_validated(self, code: str) -> bool:
        return any(
            fields["type"] == "invoice.validated" and fields["reference_code"] == code
            for _, fields in self.redis.xrevrange(KEYS.results(), count=50)
            if "type" in fields
        )

    def until_held(self, place: str, field: str = "held_since") -> None:
        until(lambda: bool(self.redis.hget(place, field)), what=lambda: f"{place} is not held")

    def ago(self, place: str, *fields: str, ms: int = SIX_MIN_MS) -> None:
        for name in fields:
            self.redis.hincrby(place, name, -ms)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def a_server(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], redis.Redis]]:
    """
    A server whose log may be stopped from growing. It leaves the signal of that limit alone, as it inherits, and does
    not end of a failing write: with ``appendfsync always`` it would (the fault is then "Redis does not answer").
    """
    folder.mkdir()
    options = ["--port", "0", "--dir", folder, "--unixsocket", folder / "s", "--appendonly", "yes", "--logfile", "log"]
    options += ["--appendfsync", "everysec", "--save", "", "--auto-aof-rewrite-percentage", "0"]
    assert signal.getsignal(signal.SIGXFSZ) == signal.SIG_IGN
    process = subprocess.Popen([embedded_binary.find_binary(), *options], restore_signals=False)
    client = redis.Redis(unix_socket_path=str(folder / "s"), decode_responses=True, socket_timeout=PATIENCE_S)

    def answers_now() -> bool:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False

    try:
        until(answers_now)
        with client:
            yield process, client
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)


def write_accounts(file: Path, url: str) -> None:
    rows = (
        f'[accounts.{name}]\nclient_id = "c"\nclient_secret = "s"\nusername = "{name}"\npassword = "p"\n'
        f'base_url = "{url}"\n'
        for name in ACCOUNTS
    )
    file.write_text("".join(rows))


def write_endpoints(file: Path, port: int) -> None:
    file.write_text(
        f'[endpoints.tienda]\nurl = "http://127.0.0.1:{port}/hook"\nsecrets = ["{SECRET}"]\nallow_http = true\n'
        'allow_networks = ["127.0.0.0/8"]\n'
    )


def log_in(folder: Path) -> httpx.Client:
    """A browser of the operator's, once the door listens."""
    log = folder / "serve.log"
    until(lambda: '"door.started"' in log.read_text(), what=log.read_text)
    lines = [line for line in log.read_text().splitlines() if '"door.started"' in line]
    page = httpx.Client(base_url=json.loads(lines[-1])["url"], timeout=PATIENCE_S, trust_env=False)
    assert page.post("/login", data={"username": "olga", "password": PASSWORD, "next": "/"}).status_code == 303
    return page


@pytest.fixture
def running_set(tmp_path: Path) -> Iterator[RunningSet]:
    files = write_files(tmp_path)
    receiver = Receiver()
    sandbox, factus_url = start_sandbox(tmp_path, "--quiet", "--rate-limit", "0")
    write_accounts(files["accounts_file"], factus_url)
    files["webhooks_file"] = tmp_path / "webhooks.toml"
    write_endpoints(files["webhooks_file"], receiver.port)
    for path in files.values():
        path.chmod(0o600)
    with a_server(tmp_path / "server") as (server, client):
        env = environment_for_child(
            PYTHONPATH=str(ROOT),
            FACTUS_REDIS_URL=f"unix://{tmp_path}/server/s",
            FACTUS_ARCHIVE_URL=(tmp_path / "archive").as_uri(),
            FACTUS_LOG_FORMAT="json",
            FACTUS_HTTP_PORT="0",
            # A hold lasts until somebody resumes it.
            FACTUS_BACKOFF_BASE="200s",
            FACTUS_BACKOFF_MAX="300s",
            FACTUS_RATE_LIMIT="100000",
            **{f"FACTUS_{name.upper()}": str(path) for name, path in files.items()},
        )
        found = RunningSet(tmp_path, env, client, server, factus_url, receiver, httpx.Client())
        try:
            found.start("worker", "run")
            found.start("serve", "serve")
            found.start("webhooks", "webhooks")
            found.page.close()
            found.page = log_in(tmp_path)
            yield found
        finally:
            found.page.close()
            stop_processes([*found.processes.values(), sandbox])
            receiver.close()


# -- the faults --------------------------------------------------------------------------------------------------------
Plant = Callable[[RunningSet], AbstractContextManager[None]]


@contextmanager
def redis_read_only(at: RunningSet) -> Iterator[None]:
    at.redis.replicaof("127.0.0.1", "1")
    try:
        yield
    finally:
        at.redis.replicaof("NO", "ONE")


@contextmanager
def disk_full(at: RunningSet) -> Iterator[None]:
    """The log may grow no further: the kernel refuses the write, as on a full disk."""

    def last_write() -> str:
        return str(at.redis.info("persistence")["aof_last_write_status"])

    def is_refused() -> bool:
        try:
            at.redis.set("some", "x" * 100)
        except redis.ResponseError:
            pass
        return last_write() == "err"

    size = max(path.stat().st_size for path in (at.folder / "server" / "appendonlydir").iterdir())
    resource.prlimit(at.server.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        until(is_refused)
        yield
    finally:
        resource.prlimit(at.server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        until(lambda: last_write() == "ok")


@contextmanager
def held(at: RunningSet, account: str, place: str, mend: Callable[[], None]) -> Iterator[None]:
    """A bill that is pushed meets a hold, until the mend is done and said to the service."""
    code = at.push_bill(account)
    at.until_held(place)
    yield
    mend()
    assert at.typed("resume", account).status == 0
    at.until_validated(code)


@contextmanager
def wrong_password(at: RunningSet) -> Iterator[None]:
    at.control("accounts/password", refused=True)
    with held(at, "password", KEYS.account("password"), lambda: at.control("accounts/password", refused=False)):
        yield


@contextmanager
def payment_required(at: RunningSet) -> Iterator[None]:
    at.control("accounts/payment", paid=False)
    with held(at, "payment", KEYS.account("payment"), lambda: at.control("accounts/payment", paid=True)):
        yield


@contextmanager
def foreign_document(at: RunningSet) -> Iterator[None]:
    """Somebody else's document, for twelve minutes: the operator has been told (``account.blocked``)."""
    named = {"account": "foreign", "reference": "POS-77"}
    at.control("documents/foreign", **named)
    lane = KEYS.lane("foreign/invoice")
    with held(at, "foreign", lane, lambda: at.control("documents/settle", **named)):
        at.ago(lane, "held_since", "conflict_since", ms=TWELVE_MIN_MS)
        at.redis.hset(lane, "hold_until", "0")
        at.redis.zadd(KEYS.lanes_due(), {"foreign/invoice": 0})
        at.until_held(KEYS.account("foreign"), "blocked:invoice")
        yield


@contextmanager
def dian_silent(at: RunningSet) -> Iterator[None]:
    rule = {"on": "create", "account": "dian", "times": 1, "effect": {"kind": "pending"}}
    at.control("faults", rules=[rule])
    lane = KEYS.lane("dian/invoice")
    settled = {"account": "dian", "reference": "dian-0001"}
    with held(at, "dian", lane, lambda: at.control("documents/settle", **settled)):
        at.ago(lane, "held_since")
        yield


@contextmanager
def consumer_lags(at: RunningSet) -> Iterator[None]:
    """Its group has read nothing of a stream that is cut; webhooks have had all of it."""
    at.redis.xgroup_create(KEYS.results(), "erp", id="0")
    n_before = at.receiver.n_received
    at.until_validated(at.push_bill("worker"))
    until(lambda: at.receiver.n_received > n_before)
    at.redis.xtrim(KEYS.results(), maxlen=1, approximate=False)
    yield
    at.redis.xgroup_destroy(KEYS.results(), "erp")


@contextmanager
def endpoint_dead(at: RunningSet) -> Iterator[None]:
    """It answers 503 since six minutes."""
    at.receiver.status = 503
    at.until_validated(at.push_bill("webhook"))
    at.until_held(KEYS.hook("tienda"), "failing_since")
    at.ago(KEYS.hook("tienda"), "failing_since")
    yield
    at.receiver.status = 200
    assert at.typed("webhooks", "test", "tienda").status == 0
    at.redis.zadd(KEYS.hook("tienda", "due"), dict.fromkeys(at.redis.zrange(KEYS.hook("tienda", "due"), 0, -1), 0))
    until(lambda: not at.redis.zcard(KEYS.hook("tienda", "order")))


@contextmanager
def range_at_its_end(at: RunningSet) -> Iterator[None]:
    """Twenty numbers are left, which the next bill shows."""
    with httpx.Client(base_url=at.factus_url, headers={"User-Agent": "a-person/1"}, trust_env=False) as person:
        form = {"grant_type": "password", "client_id": "c", "client_secret": "s", "username": "range", "password": "p"}
        token = person.post("/oauth/token", data=form).json()["access_token"]
        person.headers["Authorization"] = f"Bearer {token}"
        listed = person.get("/v2/numbering-ranges").json()["data"]["data"]
        (bills,) = [one for one in listed if one["id"] == BILLS]

        def move(current: int) -> None:
            answer = person.patch(f"/v2/numbering-ranges/{BILLS}/current", json={"current": current})
            assert answer.status_code == 200, answer.text
            at.until_validated(at.push_bill("range"))

        move(bills["to"] - 20)
        yield
        # The worker notes a range that documents move on every thirty seconds.
        at.redis.delete(KEYS.ranges("range"))
        move(bills["current"])


@contextmanager
def worker_dead(at: RunningSet) -> Iterator[None]:
    """Killed, and nobody gives a sign of life any more."""
    at.processes["worker"].kill()
    at.processes["worker"].wait(PATIENCE_S)
    yield
    at.start("worker", "run")


PLANTS: Final[dict[str, Plant]] = {
    "redis.read_only": redis_read_only, "redis.disk": disk_full, "password": wrong_password,
    "payment": payment_required, "foreign": foreign_document, "dian": dian_silent, "group.lost": consumer_lags,
    "webhook.failing": endpoint_dead, "range": range_at_its_end, "workers.none": worker_dead,
}  # fmt: skip
"""In the order of ``FAULTS``."""


# -- the eyes ----------------------------------------------------------------------------------------------------------
Eye = Callable[[RunningSet, Fault], str]
"""What is not as it should be while the fault lasts; empty when all is well told."""


def has(text: str, *words: str) -> list[str]:
    """Which of the words are missing. Lines may be broken, and a first letter may have become a capital."""
    line = " ".join(text.split())
    return [word for word in words if word[1:] not in line]


def in_status(at: RunningSet, fault: Fault) -> str:
    shown, found = at.typed("status"), at.typed("status", "--json")
    if shown.status != 1 or has(shown.out, fault.cause, fault.mend):
        return shown.out
    told = [one for one in json.loads(found.out)["problems"] if one["id"] == fault.kind]
    is_told = any(not has(f"{one['message']} {one['mend']}", fault.cause, fault.mend) for one in told)
    return "" if is_told else f"problems: {told}"


def in_doctor(at: RunningSet, fault: Fault) -> str:
    options = [*(["--calls"] if fault.calls else []), *(["--account", fault.account] if fault.account else [])]
    checks = json.loads(at.typed("doctor", "--json", *options).out)["checks"]
    told = [one for one in checks if one["id"] == fault.check and one["status"] in ("warning", "failure")]
    is_told = any(not has(f"{one['found']} {one['mend']}", fault.cause, fault.mend) for one in told)
    return "" if is_told else f"checks: {[one for one in checks if one['id'] == fault.check]}"


def cards(at: RunningSet) -> list[tuple[str, str]]:
    """Kind and text of what needs a person, as the page has it."""
    answer = at.page.get("/")
    assert answer.status_code == 200, answer.text
    found = re.findall(r'<li class="card [^"]*" data-kind="([^"]+)">(.*?)</li>', answer.text, re.DOTALL)
    return [(kind, " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())) for kind, html in found]


def on_the_page(at: RunningSet, fault: Fault) -> str:
    shown = cards(at)
    is_told = any(kind == fault.kind and not has(text, fault.cause, fault.mend) for kind, text in shown)
    return "" if is_told else f"cards: {shown}"


def scrapes(at: RunningSet) -> list[Vector]:
    """What Prometheus would have of all processes."""
    return [scraped(at.scrape(name), instance=name) for name in at.processes]


def series_of(text: str) -> set[tuple[str, str]]:
    name, _, matchers = text.rstrip("}").partition("{")
    return {("__name__", name), *re.findall(r'(\w+)="([^"]*)"', matchers)}


def in_the_metrics(at: RunningSet, fault: Fault) -> str:
    """Every process that is there tells the same; the one that died has gone."""
    wanted = series_of(fault.series)
    for name, vector in zip(at.processes, scrapes(at), strict=True):
        if at.processes[name].poll() is not None:
            continue
        kinds = {dict(one)["kind"] for one in vector if ("__name__", "factus_problems") in one}
        if fault.kind not in kinds:
            return f"{name}: kinds {kinds}"
        if not any(wanted <= one for one in vector):
            return f"{name}: no {fault.series}"
    return ""


def in_the_alert(at: RunningSet, fault: Fault) -> str:
    """After what it sees has stood for as long as each alert waits. Who has ended has left the list of targets."""
    now_s = time.time()
    there = [scraped(at.scrape(name), instance=name) for name, one in at.processes.items() if one.poll() is None]
    found = firing(standing(there, now_s), now_s)
    told = [one for one in found if one.name == fault.alert]
    if not told or has(told[0].annotations["mend"], fault.in_english):
        return f"alerts: {[(one.name, one.annotations) for one in found]}"
    if fault.kind not in told[0].annotations["kind"]:
        return f"kind: {told[0].annotations}"
    others = {one.name for one in found} - {fault.alert} - fault.besides
    return f"and {others}" if others else ""


EYES: Final[dict[str, Eye]] = {
    "status": in_status, "doctor": in_doctor, "the page": on_the_page, "the metrics": in_the_metrics,
    "the alert": in_the_alert,
}  # fmt: skip


def what_is_left(at: RunningSet) -> list[str]:
    """What is told of a set on which no fault is planted."""
    now_s = time.time()
    status = {one["id"] for one in json.loads(at.typed("status", "--json").out)["problems"]}
    doctor = [one for one in json.loads(at.typed("doctor", "--json").out)["checks"] if one["status"] == "failure"]
    metrics = {dict(one)["kind"] for vector in scrapes(at) for one in vector if ("__name__", "factus_problems") in one}
    page = {kind for kind, _ in cards(at)}
    alerts = {one.name for one in firing(standing(scrapes(at), now_s), now_s)}
    told = status | metrics | page | (alerts - {"FactusWorkerLost"})
    return [*sorted(told), *(f"{one['id']}: {one['found']}" for one in doctor)]


def test_each_of_ten_faults_is_told_by_all_with_the_mend(running_set: RunningSet) -> None:
    """One set for all of them, which has to be well again after each."""
    until_well(running_set, "the start")
    for fault, plant in zip(FAULTS, PLANTS.values(), strict=True):
        with plant(running_set):
            ends_at = time.monotonic() + A_MINUTE_S
            for name, eye in EYES.items():
                while wrong := eye(running_set, fault):
                    assert time.monotonic() < ends_at, f"{fault.name}, in {name}: {wrong}"
                    time.sleep(0.2)
        until_well(running_set, fault.name)


def until_well(at: RunningSet, after: str) -> None:
    """Nothing needs a person any more: the first signs of life come a moment after a process has started."""
    ends_at = time.monotonic() + A_MINUTE_S
    while left := what_is_left(at):
        assert time.monotonic() < ends_at, f"after {after}: {left}"
        time.sleep(0.2)


def test_the_table_of_the_page_is_this_list() -> None:
    """``python -m tests.ten_faults`` writes it."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert "\n".join(table()) in page
