"""
The service in one process for a test of the contract, with Factus in memory.

``pytest.mark.service(...)`` says what is special about it, as arguments of
:func:`tests.service_in_process.services_on`; a test's own marks go before its module's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from arq.connections import ArqRedis
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.fakes import FakeFactus
from tests.service_in_process import ServiceInProcess, running, services_on
from worker.store.scripts import ScriptArgs, ScriptKeys, Scripts


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


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Mapping[str, int]]:
    """
    Cut the connection of every *nth* run of a script, *most* times, ``before`` or ``after`` the server ran it.

    Returns:
        Cuts so far, by the script's name.
    """
    run, n_runs = Scripts.run, Counter[str]()

    def arrange(name: str, moment: str, *, nth: int = 1, most: int = 1) -> Mapping[str, int]:
        n_cut = Counter[str]()

        async def cutting(self: Scripts, called: str, keys: ScriptKeys, args: ScriptArgs, **how: Any) -> Any:
            n_runs[called] += 1
            if called != name or n_runs[called] % nth or n_cut[name] >= most:
                return await run(self, called, keys, args, **how)
            n_cut[name] += 1
            if moment == "after":
                await run(self, called, keys, args, **how)
            raise RedisConnectionError("cut")

        monkeypatch.setattr(Scripts, "run", cutting)
        return n_cut

    return arrange
