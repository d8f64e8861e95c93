"""The page of the door, followed as it stands, with curl; and its process: how it starts, how it is killed."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.builders import a_bill
from tests.commands import typed
from tests.door_in_process import producer_token, write_files
from tests.integration.test_first_steps import Reader, blocks_of
from tests.patience import PATIENCE_S
from tests.service_processes import start_process, until
from worker.settings.environment import environment_for_child
from worker.store import embedded_server

PAGE = "docs/puerta-http.md"
STARTED = re.compile(r'"url": ?"(https?://[^"]+)"')


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_the_page_leads_to_a_pdf_a_webhook_and_a_closed_door(tmp_path: Path) -> None:
    reader = Reader(tmp_path, "8080", "3900")

    def types(section: str) -> subprocess.CompletedProcess[str]:
        return reader.types("".join(blocks_of(PAGE, section)))

    prepared = types("1. La llave de un productor")
    assert prepared.returncode == 0, prepared
    with (tmp_path / ".env").open("a") as env:
        env.write(f"FACTUS_HTTP_PORT={reader.ports['8080']}\n")
    sandbox, worker, door = blocks_of(PAGE, "2. Encender")
    with (
        reader.leaves_running(sandbox, "sandbox listening"),
        reader.leaves_running(worker, "worker.started"),
        reader.leaves_running(door, "door.started"),
    ):
        for _ in range(2):  # the same command again issues nothing twice
            pushed = types("3. Enviar y esperar")
            assert pushed.returncode == 0, pushed
            told = json.loads(pushed.stdout)
            assert (told["success"], told["data"]["data"]["number"]) == (True, "SETP990000001")
        looked = types("4. El PDF, y la historia")
        assert looked.returncode == 0, looked
        assert json.loads(looked.stdout)["data"]["found"][0]["outcome"] == "invoice.validated"
        assert (tmp_path / "factura.pdf").read_bytes().startswith(b"%PDF")
        listened = types("5. Los eventos")
        assert "invoice.validated" in listened.stdout
        assert "\nid: " in listened.stdout
        prepare, receiver, webhooks = blocks_of(PAGE, "6. Un webhook, verificado")
        assert reader.types(prepare).returncode == 0
        with reader.leaves_running(receiver, "escucha"), reader.leaves_running(webhooks, "webhooks.started"):
            told = tmp_path / "escucha.log"
            until(lambda: "verificado: invoice.validated FV-0001" in told.read_text(), what=told.read_text)
        closed = types("7. Cerrarle la puerta")
        assert closed.stdout.strip() == "401", closed
        assert json.loads((tmp_path / "rechazo.json").read_text())["errors"][0]["code"] == "auth.denied"


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_the_readme_leads_to_a_pdf_a_webhook_and_a_closed_door(tmp_path: Path) -> None:
    """Where the first steps end, as they do: the same folder, the same local Factus and worker."""
    reader = Reader(tmp_path, "8080", "3900")
    files, sandbox, worker, _ = blocks_of("README.md", "Push your first job")
    prepare, door, push, receiver, receive, webhooks, revoke = blocks_of("README.md", "By HTTP, with curl alone")
    assert reader.types(files).returncode == 0
    with reader.leaves_running(sandbox, "sandbox listening"), reader.leaves_running(worker, "worker.started"):
        prepared = reader.types(prepare)
        assert prepared.returncode == 0, prepared
        with (tmp_path / ".env").open("a") as env:
            env.write(f"FACTUS_HTTP_PORT={reader.ports['8080']}\n")
        with reader.leaves_running(door, "door.started"):
            pushed = reader.types(push)
            assert pushed.returncode == 0, pushed
            assert '"type":"invoice.validated"' in pushed.stdout
            assert (tmp_path / "invoice.pdf").read_bytes().startswith(b"%PDF")
            told = tmp_path / "told.txt"
            assert reader.types(receiver).returncode == 0
            with (
                reader.leaves_running(f"{receive.strip()} > told.txt", ""),
                reader.leaves_running(webhooks, "webhooks.started"),
            ):
                until(
                    lambda: told.is_file() and "verified: invoice.validated FV-0002" in told.read_text(),
                    what=lambda: told.read_text() if told.is_file() else "nothing",
                )
            refused = reader.types(revoke)
            assert refused.stdout.strip() == "401", refused
            assert json.loads((tmp_path / "refused.json").read_text())["errors"][0]["code"] == "auth.denied"


class Process:
    """``factus-worker serve`` as a process of its own."""

    def __init__(self, folder: Path, redis_url: str, **settings: str) -> None:
        files = {f"FACTUS_{name.upper()}": str(path) for name, path in write_files(folder).items()}
        self.env = environment_for_child(
            FACTUS_REDIS_URL=redis_url, FACTUS_HTTP_PORT="0", FACTUS_LOG_FORMAT="json", **files, **settings
        )
        self.folder = folder
        self.log = folder / "door.log"

    def start(self) -> tuple[subprocess.Popen[bytes], str]:
        self.log.unlink(missing_ok=True)
        process = start_process("worker", "serve", folder=self.folder, log=self.log, env=self.env)
        until(lambda: "door.started" in self.log.read_text(), what=self.log.read_text)
        found = STARTED.search(self.log.read_text())
        assert found
        return process, found[1]

    def fails(self) -> str:
        """What is said where it does not open; in this process, and to its end all the same."""
        done = typed("serve", env=self.env, folder=self.folder)
        assert done.status == 1, done
        return done.err


def ask(url: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    sent = {"Authorization": f"Bearer {producer_token('factus')}", **headers}
    request = urllib.request.Request(url, json.dumps(body).encode() if body is not None else None, sent)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


class TestProcess:
    def test_a_door_that_is_killed_while_somebody_waits_has_lost_nothing(self, tmp_path: Path) -> None:
        """What was pushed is in the stream; another door knows as much as the first."""
        server = embedded_server.start(tmp_path / "redis")
        door = Process(tmp_path, server.url())
        try:
            process, url = door.start()
            job = {"type": "invoice.issue", "account": "acme", "payload": a_bill(reference_code="K-1")}
            key = {"Idempotency-Key": "k-1", "Prefer": "wait=60"}
            cut: list[BaseException] = []

            def push() -> None:
                try:
                    ask(f"{url}/api/v1/jobs", job, **key)
                except (OSError, ValueError) as exc:
                    cut.append(exc)

            waiting = threading.Thread(target=push)
            waiting.start()
            url_of_job = "/api/v1/jobs/k-1?account=acme"
            until(lambda: ask(url + url_of_job)[0] == 200, what=door.log.read_text)
            process.send_signal(signal.SIGKILL)
            process.wait(PATIENCE_S)
            waiting.join(PATIENCE_S)
            assert cut
            again, url = door.start()
            status, told = ask(url + url_of_job)
            assert (status, told["data"]["state"]) == (200, "pushed")
            again.send_signal(signal.SIGTERM)
            assert again.wait(PATIENCE_S) == 0
            log = door.log.read_text()
            assert "door.stopped" in log
            assert "k-1" not in log
            assert "Bearer" not in log
        finally:
            embedded_server.stop(server)

    @pytest.mark.parametrize(
        ("settings", "told"),
        [
            ({"FACTUS_HTTP_HOST": "0.0.0.0"}, "FACTUS_HTTP_CERT"),
            ({"FACTUS_HTTP_CERT": "missing.pem"}, "FACTUS_HTTP_CERT_KEY"),
            ({"FACTUS_HTTP_CERT": "missing.pem", "FACTUS_HTTP_CERT_KEY": "missing.key"}, "FACTUS_HTTP_CERT"),
            ({"FACTUS_HTTP_KEY": ""}, "FACTUS_HTTP_KEY"),
            ({"FACTUS_USERS_FILE": "missing.toml"}, "FACTUS_USERS_FILE"),
            ({"FACTUS_JOBS_KEYS": "missing.jwks"}, "FACTUS_JOBS_KEYS"),
            ({"FACTUS_HTTP_PORT": "70000"}, "FACTUS_HTTP_PORT"),
        ],
    )
    def test_what_is_set_wrong_stops_the_start_and_is_named(
        self, tmp_path: Path, settings: dict[str, str], told: str
    ) -> None:
        door = Process(tmp_path, "redis://127.0.0.1:1/0")
        door.env |= settings
        said = door.fails()
        assert told in said, said
        assert "Traceback" not in said
        assert len(said.strip().splitlines()) == 1

    def test_a_port_that_is_taken_is_named(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            door = Process(tmp_path, "redis://127.0.0.1:1/0")
            door.env |= {"FACTUS_HTTP_PORT": str(taken.getsockname()[1])}
            assert "FACTUS_HTTP_PORT" in door.fails()


def test_user_hash_makes_a_line_of_the_users_file(tmp_path: Path) -> None:
    env = {"FACTUS_LANG": "en"}
    made = typed("user", "hash", env=env, folder=tmp_path, stdin=b"a long password\n")
    assert made.out.startswith("$argon2id$")
    assert made.out.count("\n") == 1
    short = typed("user", "hash", env=env, folder=tmp_path, stdin=b"short\n")
    assert (short.status, short.out) == (1, "")
    assert "12" in short.err
