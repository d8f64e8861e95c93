"""Fixtures that all tests share: servers, each test's own namespace, a local Factus."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final

import fakeredis
import pytest
import structlog
from arq.connections import ArqRedis
from hypothesis import settings

from tests import processes
from tests.patient_redis import PatientRedis
from worker import event_loop
from worker.store import connection, embedded_server

_namespaces = itertools.count(1)

# The same examples in every run: a search that finds something new belongs to whoever is searching, not to a change
# that has nothing to do with it. HYPOTHESIS_PROFILE=default searches.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# The default shows the local variables of every frame: seconds for a planned exception, and no reader.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


# What meets the network, a signal or the loop's own clock holds on the loop of a worker process as on asyncio's own.
ON_BOTH_LOOPS: Final = (
    "unit/worker",
    "contract/test_cut_connections.py",
    "contract/test_entry_reader.py",
    "integration/test_answers_end_to_end.py",
    "integration/test_hostile_answers.py",
    "integration/test_redis_tls.py",
    "integration/test_transport.py",
    "integration/test_webhook_sender.py",
)
_TESTS: Final = Path(__file__).parent


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loops on which a test runs."""
    found: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if any(item.path.is_relative_to(_TESTS / place) for place in ON_BOTH_LOOPS):
        found["worker"] = event_loop.loop_factory()
    return found


def pytest_configure() -> None:
    processes.fork_from_now_on()


@pytest.fixture(autouse=True)
def logs_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """
    A command that a test runs in this process sets up the logs of all: undone after it, and no logger is kept.

    One that is kept writes to the captured output of that test for ever, which is closed by then: every line of a
    later test is an error.
    """
    before, configure = structlog.get_config(), structlog.configure
    monkeypatch.setattr(
        structlog, "configure", lambda **parts: configure(**parts | {"cache_logger_on_first_use": False})
    )
    yield
    configure(**before)


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server with persistence, for the whole run."""
    server = embedded_server.start(Path(tmp_path_factory.mktemp("valkey")))
    yield server.url()
    embedded_server.stop(server)


@pytest.fixture
def namespace() -> str:
    """A prefix of its own, so that no test needs an empty server and files can run side by side."""
    return f"t{next(_namespaces)}"


@pytest.fixture
async def real_redis(valkey_url: str) -> AsyncIterator[ArqRedis]:
    client = connection.connect(valkey_url)
    yield client
    await connection.close(client)


@pytest.fixture
async def fake_redis() -> AsyncIterator[ArqRedis]:
    fake = fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer())
    client = PatientRedis(pool_or_conn=fake.connection_pool)
    yield client
    await connection.close(client)


@pytest.fixture(params=["fake", "valkey"])
def redis(request: pytest.FixtureRequest) -> ArqRedis:
    """The same test on the imitation and on the real thing: quick, and proof."""
    found: ArqRedis = request.getfixturevalue("fake_redis" if request.param == "fake" else "real_redis")
    return found
