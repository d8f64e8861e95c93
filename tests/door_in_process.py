"""
A door on a real socket in a test's own event loop, with a key set, a users file, and callers who know the way.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import httpx
from argon2 import PasswordHasher

from tests.patience import PATIENCE_S
from tests.tokens import PRIVATE, PUBLIC, key_set, token
from worker.http.door import Documents, Door, opened
from worker.http.policy import POLICY, DoorPolicy
from worker.http.server import Certificate, serving
from worker.rights.signatures import new_key, public_part
from worker.settings.model import Settings

PASSWORD: Final = "una clave larga"
CALM: Final = replace(POLICY, redis_s=PATIENCE_S, read_queue_s=PATIENCE_S)
"""The door's policy, but for how soon it gives a busy machine up. What is asked of an outage takes :data:`POLICY`."""

_QUICK: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
DOOR_KEY: Final = new_key("door", "EdDSA")

ACCOUNTS: Final = """
[accounts.acme]
client_id = "x"
client_secret = "x"
username = "x"
password = "x"

[accounts.other]
client_id = "x"
client_secret = "x"
username = "x"
password = "x"

[accounts.own]
client_id = "x"
client_secret = "x"
username = "x"
password = "x"
own_streams = true
"""


def users_file(*, password: str = PASSWORD) -> str:
    hashed = _QUICK.hash(password)
    people = {"ana": ("producer", "acme"), "vera": ("viewer", "acme"), "olga": ("operator", "*")}
    return "\n".join(
        f'[users.{name}]\npassword = "{hashed}"\naccounts = ["{account}"]\ntypes = ["*"]\nrole = "{role}"'
        for name, (role, account) in people.items()
    )


def producer_token(namespace: str, **changed: Any) -> str:
    """A good token of a producer for this very moment; a changed claim that is None is left out."""
    now_s = int(time.time())
    claims = {
        "iss": "erp",
        "aud": namespace,
        "iat": now_s - 10,
        "exp": now_s + 3600,
        "accounts": ["acme"],
        "types": ["*"],
        **changed,
    }
    return token(PRIVATE, {name: value for name, value in claims.items() if value is not None})


@dataclass
class DoorInProcess:
    """A running door, and a client that is the producer of ``acme``."""

    door: Door
    url: str
    folder: Path
    http: httpx.AsyncClient
    namespace: str
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def bearer(self, **changed: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {producer_token(self.namespace, **changed)}"}

    async def login(self, name: str, password: str = PASSWORD) -> dict[str, str]:
        answer = await self.http.post(
            "/api/v1/auth/login", json={"username": name, "password": password}, headers={"Authorization": ""}
        )
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def post(self, job: Any, **headers: str) -> httpx.Response:
        content = job if isinstance(job, (bytes, str)) else json.dumps(job)
        return await self.http.post("/api/v1/jobs", content=content, headers=headers)

    async def get(self, path: str, headers: dict[str, str] | None = None, **params: Any) -> httpx.Response:
        return await self.http.get(f"/api/v1{path}", params=params, headers=headers)


def write_files(folder: Path) -> dict[str, Path]:
    """The files that the settings of a door name."""
    files = {
        "accounts_file": ("accounts.toml", ACCOUNTS),
        "jobs_keys": ("jobs.jwks", key_set(PUBLIC, public_part(DOOR_KEY)).decode()),
        "http_key": ("door.jwk", json.dumps(DOOR_KEY)),
        "users_file": ("users.toml", users_file()),
    }
    for name, text in files.values():
        (folder / name).write_text(text)
    return {setting: folder / name for setting, (name, _) in files.items()}


@asynccontextmanager
async def a_door(
    redis_url: str,
    namespace: str,
    folder: Path,
    *,
    policy: DoorPolicy = CALM,
    documents: Documents | None = None,
    **settings: Any,
) -> AsyncIterator[DoorInProcess]:
    """A door while the block lasts."""
    given: dict[str, Any] = {
        "redis_url": redis_url,
        "namespace": namespace,
        "http_port": 0,
        "archive_url": (folder / "archive").as_uri(),
        **write_files(folder),
        **settings,
    }
    built = Settings(**{name: value for name, value in given.items() if value is not None})
    shown = documents or Documents(lambda: '{"openapi":"3.1.0"}', lambda: '{"asyncapi":"3.0.0"}')
    certificate = Certificate.of(built)
    async with opened(built, policy, redis_url) as door:
        running = asyncio.create_task(door.run())
        try:
            async with serving(door, shown, certificate) as url:
                headers = {"Authorization": f"Bearer {producer_token(namespace)}"}
                verify = certificate is None
                async with httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S, verify=verify) as http:
                    yield DoorInProcess(door, url, folder, http, namespace, [running])
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
