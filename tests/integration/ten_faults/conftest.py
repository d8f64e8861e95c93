"""The running set, for one test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.door_in_process import write_files
from tests.integration.ten_faults.running_set import (
    Receiver,
    RunningSet,
    a_server,
    log_in,
    write_accounts,
    write_endpoints,
)
from tests.service_processes import ROOT, start_sandbox, stop_processes
from worker.settings.environment import environment_for_child


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
