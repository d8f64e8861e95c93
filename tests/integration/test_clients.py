"""
The programs of docs/clients, run as they stand in the pages: they push, read, go on after a crash, and tell a webhook
that is not ours.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import redis

from tests.patience import PATIENCE_S
from tests.service_processes import until
from worker.store import embedded_server

PAGES = Path(__file__).resolve().parents[2] / "docs" / "clients"
TITLES = ("Push by Redis", "Push by HTTP", "Read as a group", "Verify a webhook")
LONGEST = 60
TOKEN = "a.producer.token"
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


def programs(page: str) -> dict[str, str]:
    """The programs of a page by the title above each."""
    parts = re.split(r"(?m)^## (.+)$", (PAGES / f"{page}.md").read_text(encoding="utf-8"))[1:]
    found = {}
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        (found[title],) = re.findall(r"(?ms)^```\w+\n(.*?)^```$", text)
    return found


@pytest.mark.parametrize("page", ["python", "node", "php", "redis-cli", "csharp", "java"])
def test_each_page_has_the_four_programs_and_none_is_long(page: str) -> None:
    found = programs(page)
    assert tuple(found) == TITLES
    assert all(text.count("\n") <= LONGEST for text in found.values())


def test_the_overview_leads_to_every_page() -> None:
    overview = (PAGES.parent / "clients.md").read_text(encoding="utf-8")
    assert {f"clients/{path.name}" for path in PAGES.glob("*.md")} == set(
        re.findall(r"\((clients/[a-z-]+\.md)\)", overview)
    )


# -- running them ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Language:
    """How the programs of a page are run."""

    page: str
    file: str
    command: tuple[str, ...]

    def missing(self, title: str, folder: Path) -> str:
        """What is not here for one of its programs; empty when all is."""
        if shutil.which(self.command[0]) is None:
            return self.command[0]
        speaks_redis = title in ("Push by Redis", "Read as a group")
        match self.page:
            case "php" if speaks_redis:
                modules = subprocess.run(["php", "-m"], capture_output=True, text=True).stdout
                return "" if "redis" in modules else "php's extension redis"
            case "redis-cli":
                needed = {"Push by HTTP": "curl", "Verify a webhook": "openssl"}.get(title, "redis-cli")
                return "" if shutil.which(needed) else needed
            case "node" if speaks_redis:
                return _npm_install(folder)
            case _:
                return ""

    def program(self, title: str, folder: Path) -> list[str]:
        """Write one of them down; its command. Skips, naming what is missing."""
        if missing := self.missing(title, folder):
            pytest.skip(f"{missing} is not here")
        (folder / self.file).write_text(programs(self.page)[title], encoding="utf-8")
        return [*self.command, self.file]


def _npm_install(folder: Path) -> str:
    if shutil.which("npm") is None:
        return "npm"
    (folder / "package.json").write_text('{"type": "module", "dependencies": {"redis": "5.12.1"}}')
    done = subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True)
    return f"redis for node ({done.stderr[-200:]})" if done.returncode else ""


LANGUAGES = {
    "python": Language("python", "client.py", (sys.executable, "-u")),
    "node": Language("node", "client.mjs", ("node",)),
    "php": Language("php", "client.php", ("php",)),
    "redis-cli": Language("redis-cli", "client.sh", ("sh",)),
}
SLOW = {"node"}
"""What npm has to fetch first is looked at in the deep run."""

every_language = pytest.mark.parametrize(
    "language", [pytest.param(one, marks=pytest.mark.deep) if name in SLOW else one for name, one in LANGUAGES.items()],
    ids=list(LANGUAGES),
)  # fmt: skip
without_packages = pytest.mark.parametrize("language", LANGUAGES.values(), ids=list(LANGUAGES))


def done(
    command: list[str], folder: Path, stdin: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, **environment}
    return subprocess.run(command, cwd=folder, env=env, input=stdin, capture_output=True, timeout=PATIENCE_S)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[redis.Redis]:
    """A server of the test's own: the programs speak of the namespace `factus`."""
    running = embedded_server.start(tmp_path / "data")
    with redis.Redis(unix_socket_path=str(running.socket_path), decode_responses=True) as client:
        client.execute_command("CONFIG", "SET", "port", str(_free_port()))
        yield client
    embedded_server.stop(running)


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def url_of(server: redis.Redis) -> str:
    return f"redis://127.0.0.1:{server.config_get('port')['port']}"


# -- push --------------------------------------------------------------------------------------------------------------
@every_language
@pytest.mark.parametrize("token", ["", TOKEN])
def test_a_job_is_pushed_with_its_id_and_its_token_beside_it(
    server: redis.Redis, tmp_path: Path, language: Language, token: str
) -> None:
    ended = done(language.program(TITLES[0], tmp_path), tmp_path, REDIS_URL=url_of(server), PRODUCER_TOKEN=token)
    assert ended.stdout.decode().strip() == "pushed", ended.stderr.decode()
    ((_, fields),) = server.xrange("factus:jobs")
    assert json.loads(fields.pop("job")) == {
        "id": "erp-1001",
        "type": "invoice.get",
        "payload": {"reference_code": "FV-0001"},
    }
    assert fields == ({"token": token} if token else {})


class _Door(BaseHTTPRequestHandler):
    """Answers as the contract says (section 10), and keeps what came."""

    seen: ClassVar[list[tuple[str, dict[str, str], Any]]] = []
    answer: ClassVar[tuple[int, dict[str, Any]]] = (200, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        status, data = self.answer
        text = json.dumps({"success": status < 400, "message": "x", "data": data, "errors": None}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Nothing: a test's output is its own."""


@contextmanager
def door() -> Iterator[str]:
    """The address of such a door, while the block lasts."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Door) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@without_packages
@pytest.mark.parametrize(("status", "told"), [(200, "invoice.get.completed"), (202, "erp-1001"), (422, "job.refused")])
def test_a_job_is_pushed_by_http(tmp_path: Path, language: Language, status: int, told: str) -> None:
    data = {"job_id": "erp-1001", "account": "acme", "href": "/"} if status == 202 else {"type": told}
    _Door.seen.clear()
    _Door.answer = (status, data)
    command = language.program(TITLES[1], tmp_path)
    with door() as url:
        ended = done(command, tmp_path, DOOR_URL=url, PRODUCER_TOKEN=TOKEN, NO_PROXY="*", no_proxy="*")
    said = ended.stdout.decode().strip()
    if language.page == "redis-cli":
        assert said == str(status), ended.stderr.decode()
        assert json.loads((tmp_path / "answer.json").read_text())["data"] == data
    else:
        assert said == f"{status} {told}", ended.stderr.decode()
    assert_pushed_once()


def assert_pushed_once() -> None:
    """What came to the door is what the page promises."""
    ((path, headers, body),) = _Door.seen
    assert path == "/api/v1/jobs"
    assert body == {"type": "invoice.get", "payload": {"reference_code": "FV-0001"}}
    wanted = {"authorization": f"Bearer {TOKEN}", "idempotency-key": "erp-1001", "prefer": "wait=30"}
    assert {name: headers[name] for name in wanted} == wanted
    assert headers["content-type"].startswith("application/json")


# -- read --------------------------------------------------------------------------------------------------------------
class Run:
    """A program that reads for ever, until it is killed."""

    def __init__(self, command: list[str], folder: Path, url: str) -> None:
        self.lines: list[str] = []
        self.said = ""
        self._process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "REDIS_URL": url}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self._threads = [threading.Thread(target=read, daemon=True) for read in (self._read, self._hear)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.strip())

    def _hear(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.said += line

    def kill(self) -> None:
        os.killpg(self._process.pid, 9)  # a shell has started others
        self._process.wait()
        for thread in self._threads:
            thread.join()
        for stream in (self._process.stdout, self._process.stderr):
            if stream:
                stream.close()


def publish(server: redis.Redis, n: int) -> None:
    event: dict[str, Any] = {"type": "invoice.validated", "job_id": f"job-{n}", "success": True}
    server.xadd("factus:results", {"event": json.dumps(event), "type": "invoice.validated", "job_id": f"job-{n}"})


def heard(run: Run, folder: Path) -> list[str]:
    """The jobs whose events a program has told of; the shell's writes them to a file."""
    stored = folder / "events.jsonl"
    if not stored.exists():
        return [line.split()[1] for line in run.lines]
    return [json.loads(line)["job_id"] for line in stored.read_text().splitlines()]


@every_language
def test_a_program_reads_each_event_once_and_goes_on_after_a_kill(
    server: redis.Redis, tmp_path: Path, language: Language
) -> None:
    command, url = language.program(TITLES[2], tmp_path), url_of(server)

    def has_acknowledged(run: Run) -> None:
        until(lambda: server.xpending("factus:results", "erp")["pending"] == 0, what=lambda: run.said)

    for n in range(3):
        publish(server, n)
    first = Run(command, tmp_path, url)
    try:
        until(lambda: len(heard(first, tmp_path)) >= 3, what=lambda: first.said)
        assert heard(first, tmp_path) == ["job-0", "job-1", "job-2"]
        has_acknowledged(first)
    finally:
        first.kill()
    # What it had got and not acknowledged when it was killed, and what came while it was dead.
    publish(server, 3)
    server.xreadgroup("erp", "erp-1", {"factus:results": ">"}, count=1)
    publish(server, 4)
    (tmp_path / "events.jsonl").unlink(missing_ok=True)
    second = Run(command, tmp_path, url)
    try:
        until(lambda: len(heard(second, tmp_path)) >= 2, what=lambda: second.said)
        assert heard(second, tmp_path) == ["job-3", "job-4"]
        has_acknowledged(second)
    finally:
        second.kill()


# -- verify ------------------------------------------------------------------------------------------------------------
BODY = json.dumps({"type": "invoice.validated", "message": "Factura validada, señor Ñ"}, ensure_ascii=False).encode()


def signed(
    body: bytes = BODY, *, secret: str = SECRET, at: int | None = None, message: str = "msg_1"
) -> dict[str, str]:
    """The headers of a message, as Standard Webhooks has them."""
    when = str(int(time.time()) if at is None else at)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message}.{when}.".encode() + body, hashlib.sha256).digest()
    value = "v1," + base64.b64encode(digest).decode()
    return {"webhook-id": message, "webhook-timestamp": when, "webhook-signature": value}


def verified(
    language: Language, folder: Path, headers: Mapping[str, str], body: bytes
) -> subprocess.CompletedProcess[bytes]:
    command = language.program(TITLES[3], folder)
    (folder / "body.json").write_bytes(body)
    own = {f"WEBHOOK_{name.removeprefix('webhook-').upper()}": value for name, value in headers.items()}
    return done(command, folder, body, WEBHOOK_SECRET=SECRET, WEBHOOK_HEADERS=json.dumps(headers), **own)


OTHER = "whsec_" + base64.b64encode(b"another secret of thirty-two byt").decode()


def good_ones() -> tuple[dict[str, str], ...]:
    """Signed just now, also by an older secret, and some minutes ago."""
    good, old = signed(), signed(secret=OTHER)
    rotated = {**good, "webhook-signature": f"{old['webhook-signature']} {good['webhook-signature']}"}
    return good, rotated, signed(at=int(time.time()) - 240)


@without_packages
def test_a_webhook_of_ours_is_known(tmp_path: Path, language: Language) -> None:
    for headers in good_ones():
        ended = verified(language, tmp_path, headers, BODY)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.decode().split()[0] == "msg_1"


BAD_ONES = (
    (signed(), BODY.replace(b"validada", b"anulada.")),
    (signed(secret=OTHER), BODY),
    ({**signed(), "webhook-id": "msg_2"}, BODY),
    ({**signed(), "webhook-timestamp": str(int(time.time()) + 5)}, BODY),
    ({**signed(), "webhook-signature": "v1,"}, BODY),
    ({**signed(), "webhook-signature": ""}, BODY),
    (signed(at=0), BODY),
    (signed(at=9_999_999_999), BODY),
)


@without_packages
@pytest.mark.parametrize(("headers", "body"), BAD_ONES)
def test_one_that_is_not_is_refused(tmp_path: Path, language: Language, headers: dict[str, str], body: bytes) -> None:
    ended = verified(language, tmp_path, headers, body)
    assert (ended.returncode, ended.stdout) == (1, b"")
    assert b"401" in ended.stderr


# -- Java: what needs no jar; the two programs that speak Redis want jedis, which Debian does not have -----------------
@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both programs, compiled."""
    if shutil.which("java") is None or shutil.which("javac") is None:
        pytest.skip("a JDK is not here")
    folder = tmp_path_factory.mktemp("java")
    for title, name in ((TITLES[1], "PushByHttp"), (TITLES[3], "Verify")):
        (folder / f"{name}.java").write_text(programs("java")[title], encoding="utf-8")
    subprocess.run(["javac", "-Xlint:all", "-Werror", "PushByHttp.java", "Verify.java"], cwd=folder, check=True)
    return folder


@pytest.mark.deep
@pytest.mark.parametrize("status", [200, 202, 422])
def test_the_java_program_pushes_by_http(java: Path, status: int) -> None:
    _Door.seen.clear()
    _Door.answer = (status, {"type": "invoice.get.completed"})
    with door() as url:
        ended = done(["java", "PushByHttp"], java, DOOR_URL=url, PRODUCER_TOKEN=TOKEN)
    said, _, answer = ended.stdout.decode().partition(" ")
    assert (said, json.loads(answer)["data"]) == (str(status), _Door.answer[1]), ended.stderr
    assert_pushed_once()


@pytest.mark.deep
def test_the_java_program_verifies(java: Path) -> None:
    good = [(headers, BODY) for headers in good_ones()]
    for (headers, body), status in ((one, int(one not in good)) for one in (*good, *BAD_ONES)):
        ended = done(["java", "Verify", *headers.values()], java, body, WEBHOOK_SECRET=SECRET)
        assert (ended.returncode, ended.stdout) == (status, b"" if status else b"msg_1\n"), (headers, ended.stderr)
