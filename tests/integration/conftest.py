"""A running service on a Factus on a socket, for each file that wants one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.integration.live import Live, Tenant
from tests.integration.live import live as running

_namespaces = itertools.count(1)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Iterator[Live]:
    """The service with everything real, shared by the tests of a file."""
    with running(tmp_path_factory.mktemp("live"), valkey_url, f"live{next(_namespaces)}") as found:
        yield found


@pytest.fixture
def tenant(live: Live) -> Tenant:
    """An account of the test's own."""
    return live.account()
