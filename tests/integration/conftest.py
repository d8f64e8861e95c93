"""A running service on a Factus on a socket, for each file that wants one; and a client that blocks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.integration.service import Live, TestedAccount
from tests.integration.service import live as running

_namespaces = itertools.count(1)
_HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Iterator[Live]:
    """The service with everything real, shared by the tests of a file."""
    with running(tmp_path_factory.mktemp("live"), valkey_url, f"live{next(_namespaces)}") as found:
        yield found


@pytest.fixture
def tenant(live: Live) -> TestedAccount:
    """An account of the test's own."""
    return live.account()


@pytest.fixture
def client(valkey_url: str) -> Iterator[redis.Redis]:
    """A client that blocks, for tests that type commands and have no event loop."""
    with redis.Redis.from_url(valkey_url) as found:
        yield found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    More time for what starts processes: each takes half a second, and many times that on a busy machine.

    A time-out ends the whole process of tests, so it is for what would never end.
    """
    for item in items:
        if item.path.is_relative_to(_HERE) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(400))
