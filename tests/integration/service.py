"""
The whole service on a Factus on a socket, in a thread of its own: pushed to by XADD, read from its streams.

What Factus saw is asked of the sandbox. Every account is a world of its own there, so each test takes a fresh one.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

import httpx
import redis

from jobs.radian_policy import RadianTimes
from sandbox.server import serve
from sandbox.state.config import SandboxConfig
from tests.patience import PATIENCE_S
from tests.service_in_process import quick
from worker.bootstrap import services
from worker.process import run_tasks
from worker.settings.model import Settings

N_ACCOUNTS = 300
AGENT = {"User-Agent": "erp-test/1.0"}
_ENVELOPE = {
    *("id", "seq", "type", "time", "job_id", "job_type", "account", "reference_code", "batch", "metadata"),
    *("attempts", "success", "message", "data", "errors"),
}
_ERROR = {"code", "message", "field", "rule", "retryable"}
_NOT_FINAL = (".pending", ".archived")

Event = dict[str, Any]
_references = itertools.count(1)


def new_reference(prefix: str = "R") -> str:
    return f"{prefix}-{next(_references)}"


_SETTLE_MS: Final = 2000
"""What was sent and is not there is not sent again for so long."""

_PERSON = (
    'radian_person = {identification_document_code = "13", identification = "1088888888", first_name = "Ana", '
    'last_name = "Gómez"}\n'
)


class Live:
    """A running service: its streams, its Factus, its archive."""

    def __init__(self, folder: Path, redis_url: str, namespace: str, settings: Mapping[str, Any]) -> None:
        self.archive = folder / "archive"
        self.redis = redis.Redis.from_url(redis_url, socket_timeout=PATIENCE_S)
        self.namespace = namespace
        self.url = ""
        self._names = iter(self._write_accounts(folder / "accounts.toml"))
        self._settings = {
            "redis_url": redis_url,
            "namespace": namespace,
            "accounts_file": folder / "accounts.toml",
            "archive_url": self.archive.as_uri(),
            "rate_limit": 100_000,
            "backoff_base": 0.02,
            "backoff_max": 0.1,
            "radian_interval": 0.05,
            # A busy machine answers late: what is to be cut off here is cut off by the sandbox.
            "timeout": PATIENCE_S,
            "log_format": "json",
            **settings,
        }
        self._events: dict[tuple[str, str | None], list[Event]] = defaultdict(list)
        self._news: dict[tuple[str, str | None], list[Event]] = defaultdict(list)
        self._last = {f"{namespace}:results": "0-0", f"{namespace}:radian": "0-0"}
        self._ready = threading.Event()
        self._stop: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    @staticmethod
    def _write_accounts(file: Path) -> list[str]:
        names = [f"a{n}" for n in range(N_ACCOUNTS)]
        rows = (
            f'[accounts.{name}]\nclient_id = "x"\nclient_secret = "x"\nusername = "{name}"\npassword = "x"\n{_PERSON}'
            for name in names
        )
        file.write_text("".join(rows), encoding="utf-8")
        return names

    async def _serve(self) -> None:
        async with serve(SandboxConfig(rate_limit=0, notice_share=0.0)) as self.url:
            settings = Settings(base_url=self.url, **self._settings)
            # 034 goes out at any hour here, and is looked for at once.
            hours = RadianTimes(emit_from_hour=0, emit_until_hour=24, confirm_s=0.05)
            async with services(settings, quick(radian=hours, settle_ms=_SETTLE_MS)) as built:
                stopping, loop = asyncio.Event(), asyncio.get_running_loop()
                self._stop = lambda: loop.call_soon_threadsafe(stopping.set)
                self._ready.set()
                await run_tasks(built, stopping)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(PATIENCE_S), "the service did not start"
        self.http = httpx.Client(base_url=self.url, headers=AGENT, timeout=PATIENCE_S, trust_env=False)

    def stop(self) -> None:
        self.http.close()
        self._stop()
        self._thread.join(20)
        self.redis.close()

    def account(self, *, keeps_others: bool = False) -> TestedAccount:
        """A fresh account, at a Factus that knows no other and has no faults; or one beside the others."""
        if not keeps_others:
            self.control("reset")
        return TestedAccount(next(self._names), self.http, live=self)

    def control(self, path: str, body: Any = None, method: str = "POST") -> Any:
        answer = self.http.request(method, f"/_sandbox/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def push(self, job: Mapping[str, Any]) -> None:
        self.redis.xadd(f"{self.namespace}:jobs", {"job": json.dumps(job)})

    def events(self, account: str, job_id: str | None) -> list[Event]:
        """What has been published about a job; with None the operator's events of the account."""
        self.read()
        return self._events[account, job_id]

    def news(self, account: str, job_id: str) -> list[Event]:
        """RADIAN events of a job's document."""
        return [event for event in self.clock(account, job_id) if event["type"] == "radian.event"]

    def clock(self, account: str, job_id: str) -> list[Event]:
        """The same with what its clock says."""
        self.read()
        return self._news[account, job_id]

    def told(self, account: str) -> dict[str | None, list[str]]:
        """Types of all events of an account by job: for a test that fails."""
        return {job: [one["type"] for one in told] for (owner, job), told in self._events.items() if owner == account}

    def read(self, wait_ms: int | None = None) -> None:
        """Take in what has been published since; at most so long until there is something."""
        for key, entries in self.redis.xread(self._last, block=wait_ms) or ():
            stream = key.decode()
            books = self._news if stream.endswith(":radian") else self._events
            for entry, fields in entries:
                self._last[stream] = entry.decode()
                event = json.loads(fields[b"event"])
                hold_against_contract(event, fields)
                books[event["account"], event["job_id"]].append(event)


@dataclass
class FactusUser:
    """Somebody else who works with the same account at Factus."""

    name: str
    http: httpx.Client
    numbers: dict[str, str] = field(default_factory=dict)
    """Of documents that may be read and mailed by any number of tests, by family."""
    _headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Call Factus."""
        if not self._headers:
            form = {"grant_type": "password", "client_id": "x", "client_secret": "x", "password": "x"}
            answer = self.http.post("/oauth/token", data={**form, "username": self.name})
            self._headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        return self.http.request(method, path, headers=self._headers, **more)

    def data_at_factus(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    # -- control routes --------------------------------------------------------------------------------------------
    def fault(self, effect: Any, **rule: Any) -> None:
        """Disturb the account's requests; once, unless told otherwise."""
        self._control("faults", {"rules": [{"account": self.name, "times": 1, **rule, "effect": effect}]})

    def control(self, path: str, **body: Any) -> Any:
        return self._control(path, {"account": self.name, **body})

    def change_account(self, **changes: Any) -> None:
        self._control(f"accounts/{self.name}", changes)

    def documents(self, area: str) -> list[dict[str, Any]]:
        answer = self.http.get("/_sandbox/documents", params={"account": self.name, "family": area})
        return list(answer.json())

    def seen(self) -> dict[str, Any]:
        """What Factus saw of the account; empty when it never heard of it."""
        found: dict[str, Any] = self.http.get("/_sandbox/report").json()["accounts"].get(self.name, {})
        return found

    def n_changes(self, operation: str, seen: Mapping[str, Any] | None = None) -> int:
        """How often an operation other than a create has changed something at Factus."""
        return sum((seen or self.seen()).get("changes", {}).get(operation, {}).values())

    def _control(self, path: str, body: Any) -> Any:
        answer = self.http.post(f"/_sandbox/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@dataclass
class TestedAccount(FactusUser):
    """One account: its jobs and events here, its documents at Factus."""

    __test__: ClassVar[bool] = False  # its name begins as those of tests do, and modules of tests import it

    live: Live = field(kw_only=True)

    def push(self, job_type: str, payload: Mapping[str, Any], **envelope: Any) -> str:
        """Push a job; its id."""
        job = {"id": new_reference("job"), "type": job_type, "account": self.name, "payload": payload, **envelope}
        self.live.push(job)
        return str(job["id"])

    def run(self, job_type: str, payload: Mapping[str, Any], **envelope: Any) -> Event:
        """Push a job and wait for its final event."""
        return self.end_of(self.push(job_type, payload, **envelope))

    def end_of(self, job_id: str, *, timeout_s: float = PATIENCE_S) -> Event:
        return self.wait(lambda: self._final(job_id), f"the end of {job_id}", timeout_s)

    def story_of(self, job_id: str) -> list[str]:
        """Types of a job's events so far, in order."""
        return [event["type"] for event in self.live.events(self.name, job_id)]

    def event_of(self, job_id: str, event_type: str) -> Event:
        """Wait for an event of that type."""
        return self.wait(
            lambda: next((one for one in self.live.events(self.name, job_id) if one["type"] == event_type), None),
            f"{event_type} of {job_id}",
        )

    def told_operator(self, event_type: str, *, family: str | None) -> Event:
        """Wait for an operator's event about a family."""
        return self.wait(
            lambda: next(
                (
                    one
                    for one in self.live.events(self.name, None)
                    if one["type"] == event_type and one["data"]["family"] == family
                ),
                None,
            ),
            f"{event_type} of {family}",
        )

    def news_of(self, job_id: str, n: int) -> list[Event]:
        """The first *n* RADIAN events of a job's document."""
        self.wait(lambda: len(self.live.news(self.name, job_id)) >= n, f"RADIAN event {n} of {job_id}")
        return self.live.news(self.name, job_id)[:n]

    def clock_of(self, job_id: str, event_type: str) -> Event:
        """Wait for what the clock of a job's bill says."""
        return self.wait(
            lambda: next((one for one in self.live.clock(self.name, job_id) if one["type"] == event_type), None),
            f"{event_type} of {job_id}",
        )

    def wait(self, look: Callable[[], Any], what: str, timeout_s: float = PATIENCE_S) -> Any:
        gives_up_at = time.monotonic() + timeout_s
        while not (found := look()):
            assert time.monotonic() < gives_up_at, f"{what} did not come: {self.live.told(self.name)}"
            self.live.read(wait_ms=20)
        return found

    def _final(self, job_id: str) -> Event | None:
        told = self.live.events(self.name, job_id)
        return next((event for event in told if not event["type"].endswith(_NOT_FINAL)), None)


def hold_against_contract(event: Event, fields: Mapping[bytes, bytes]) -> None:
    """What every entry of both streams must be (docs/contract.md, section 2)."""
    assert set(event) == _ENVELOPE
    for name in ("type", "account", "job_id", "reference_code"):
        assert fields[name.encode()].decode() == (event[name] or ""), (name, event)
    assert bool(event["errors"]) is not event["success"], event
    is_numbered = event["type"].endswith(".rejected") and set(event["data"] or ()) == {"number"}
    assert event["success"] or event["job_id"] is None or event["data"] is None or is_numbered, event
    for error in event["errors"] or ():
        assert set(error) == _ERROR, error
        assert error["message"], error


@contextmanager
def live(folder: Path, redis_url: str, namespace: str, **settings: Any) -> Iterator[Live]:
    """Run the service and its Factus while the block lasts."""
    found = Live(folder, redis_url, namespace, settings)
    found.start()
    try:
        yield found
    finally:
        found.stop()
