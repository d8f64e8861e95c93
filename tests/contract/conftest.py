"""
The service in one process for a test of the contract, with Factus in memory.

``pytest.mark.service(...)`` says what is special about it, as arguments of
:func:`tests.service_in_process.services_on`; a test's own marks go before its module's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from arq.connections import ArqRedis

from tests.fakes import FakeFactus
from tests.service_in_process import ServiceInProcess, running, services_on


@pytest.fixture
def factus() -> FakeFactus:
    return FakeFactus()


@pytest.fixture
async def rig(
    request: pytest.FixtureRequest, redis: ArqRedis, namespace: str, factus: FakeFactus
) -> AsyncIterator[ServiceInProcess]:
    """The service, running, on the imitation of Redis and on the real one."""
    accounts: tuple[Any, ...] = ()
    given: dict[str, Any] = {"gateway": factus}
    for mark in reversed([*request.node.iter_markers("service")]):
        accounts, given = mark.args or accounts, {**given, **mark.kwargs}
    async with running(services_on(redis, namespace, *accounts, **given)) as found:
        yield found
