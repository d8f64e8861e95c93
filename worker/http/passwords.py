"""
Passwords: looked at off the event loop, a few at a time, and not without end.

Argon2id takes a tenth of a second and 64 MiB by design. So many attempts may wait; more are told to come later.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from worker.http.answers import limited

AT_ONCE: Final = 2
MOST_WAITING: Final = 16
MOST_WRONG: Final = 5
WINDOW_S: Final = 60.0
_MOST_REMEMBERED: Final = 10_000
_TOO_MANY: Final = "Demasiadas claves equivocadas. Espere antes de intentar otra vez."
_BUSY: Final = "Hay muchos ingresos a la vez. Intente otra vez en unos segundos."


class Passwords:
    """Checks passwords against their hashes."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
        self._n_waiting = 0

    async def is_right(self, hashed: str, password: str) -> bool:
        """
        Whether it is the password of a hash.

        Raises:
            Refusal: 429, too many wait already.
        """
        if self._n_waiting >= MOST_WAITING:
            raise limited(_BUSY, 2)
        self._n_waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, _verify, hashed, password)
        finally:
            self._n_waiting -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _verify(hashed: str, password: str) -> bool:
    try:
        return PasswordHasher().verify(hashed, password.encode())
    except (Argon2Error, InvalidHashError):
        return False


@dataclass(slots=True)
class WrongPasswords:
    """
    Who has typed how many wrong passwords in the last minute: by name and by address, in this process alone.

    An attempt counts as wrong until it turns out right: those that are under way at once cannot slip through together.
    """

    clock: Callable[[], float] = monotonic
    _seen: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict, init=False)

    @contextmanager
    def attempt(self, name: str, address: str) -> Iterator[Callable[[], None]]:
        """
        Around an attempt; call what is given when the password was right.

        Raises:
            Refusal: 429, with the time until the next attempt.
        """
        keys = (f"name:{name}", f"address:{network_of(address)}")
        waits = [self._wait_s(key) for key in keys]
        if max(waits) > 0:
            raise limited(_TOO_MANY, round(max(waits) + 0.5))
        at = self.clock()
        for key in keys:
            self._of(key).append(at)

        def right() -> None:
            for key in keys:
                if at in (times := self._of(key)):
                    times.remove(at)

        yield right

    def _of(self, key: str) -> deque[float]:
        if key not in self._seen:
            self._seen[key] = deque()
            while len(self._seen) > _MOST_REMEMBERED:
                self._seen.popitem(last=False)
        self._seen.move_to_end(key)
        return self._seen[key]

    def _wait_s(self, key: str) -> float:
        times = self._seen.get(key)
        if not times:
            return 0.0
        now = self.clock()
        while times and times[0] <= now - WINDOW_S:
            times.popleft()
        if not times:
            del self._seen[key]
        return times[-MOST_WRONG] + WINDOW_S - now if len(times) >= MOST_WRONG else 0.0


def network_of(address: str) -> str:
    """What stands for an address: of IPv6 its network of 64 bits, of which one machine has all."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
