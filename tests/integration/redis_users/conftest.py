"""A real server with the users of ``deploy/users.acl``."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.integration.redis_users.users import USERS, Connect, client, servers
from tests.patience import PATIENCE_S
from tests.service_processes import ROOT, until


@pytest.fixture(scope="module", params=servers(), ids=lambda binary: binary.name)
def socket(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A real server with our configuration and users; the password of each is its name."""
    folder = tmp_path_factory.mktemp("acl")
    of_account = (ROOT / "deploy" / "users-of-account.acl").read_text()
    of_account = of_account.replace("_ACCOUNT_SHA256", "-ACME_SHA256").replace("ACCOUNT", "acme")
    users = (ROOT / "deploy" / "users.acl").read_text() + of_account
    for name in USERS:
        users = users.replace(f"#{name.upper()}_SHA256", f"#{hashlib.sha256(name.encode()).hexdigest()}")
    (folder / "users.acl").write_text(users)
    socket = folder / "s"
    options = ["--port", "0", "--dir", folder, "--unixsocket", socket, "--aclfile", folder / "users.acl"]
    server = subprocess.Popen([request.param, ROOT / "deploy" / "redis.conf", *options, "--logfile", "log"])
    until(lambda: _answers(socket, server), what=(folder / "log").read_text)
    yield socket
    server.terminate()
    server.wait(PATIENCE_S)


def _answers(socket: Path, server: subprocess.Popen[bytes]) -> bool:
    assert server.poll() is None, "the server ended"
    try:
        return bool(client(socket, "admin").ping())
    except redis.ConnectionError:
        return False


@pytest.fixture(scope="module")
def connect(socket: Path) -> Connect:
    return lambda user: client(socket, user)
