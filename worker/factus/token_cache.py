"""
One access token per account, shared by all workers through Redis; many callers, one request for a new one.

A token has a generation. A 401 names the generation it saw, so a hundred workers with one dead token cause one
refresh; a put is fenced by generation and by the leader's lock. Before a token dies one caller renews it while the
others keep the old one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Final, Protocol

from redis.exceptions import RedisError

from jobs import answers
from jobs.answers import Answer
from jobs.errors import LedgerUnavailable
from schemas import strict_json
from worker.store.keys import Keys
from worker.store.scripts import Scripts

LOCK_MS: Final = 5000

_REFUSED_MS: Final = 500
"""For how long those who waited for a token that was refused find that out, instead of each asking again."""

_TOLD: Final[Mapping[str, Callable[..., Answer]]] = {
    kind.__name__: kind
    for kind in (
        answers.CredentialsRefused,
        answers.NoToken,
        answers.Misrouted,
        answers.NotSent,
        answers.PaymentRequired,
        answers.Denied,
    )
}

_LEAST_LIFE_MS: Final = 10_000
_RENEW_EARLY_MS: Final = 120_000
_LONGEST_POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Token:
    """An access token as handed out. The text never appears in a ``repr``."""

    access: str = field(repr=False)
    generation: int
    dies_at_s: float
    """On this process's monotonic clock, from the life that Redis stated: wall clocks of workers differ."""

    is_new: bool = False
    """Fetched for the caller this very moment, not taken from the cache."""

    renew_at_s: float = 0.0
    """From then on the shared cache is asked: somebody renews it."""

    def is_fresh(self, refused_generation: int) -> bool:
        return self.generation > refused_generation and time.monotonic() < self.renew_at_s


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token as Factus gave it."""

    access: str = field(repr=False)
    expires_in_s: int


Fetch = Callable[[], Awaitable[Issued | Answer]]


class Tokens(Protocol):
    """Where the client has its token from."""

    async def get(self, fetch: Fetch, *, refused_generation: int = 0) -> Token | Answer:
        """As :meth:`TokenCache.get`."""
        ...


class TokenCache:
    """The token of one account in one process, backed by the shared one."""

    def __init__(self, scripts: Scripts, keys: Keys, account: str, worker_id: str, *, lock_ms: int = LOCK_MS) -> None:
        self._scripts = scripts
        self._token_key, self._lock_key = keys.token(account), keys.token_lock(account)
        self._refused_key = keys.token_refused(account)
        self._worker_id = worker_id
        self._lock_ms = lock_ms
        self._held: Token | None = None
        self._asking = asyncio.Lock()
        self._refused: tuple[float, Answer] | None = None

    async def get(self, fetch: Fetch, *, refused_generation: int = 0) -> Token | Answer:
        """
        A token that Factus has not refused.

        Args:
            fetch: Asks Factus for a new one; called by one caller over all processes.
            refused_generation: The generation that was answered with 401; 0 for none.

        Returns:
            The token, or what was seen instead of one (credentials refused, network).

        Raises:
            LedgerUnavailable: Redis does not answer.
        """
        if self._held and self._held.is_fresh(refused_generation):
            return self._held
        asked_at = time.monotonic()
        async with self._asking:
            if self._held and self._held.is_fresh(refused_generation):
                return self._held
            if self._refused and self._refused[0] >= asked_at:
                return self._refused[1]  # whoever asked for all of us while we waited was refused
            try:
                found = await self._shared(fetch, refused_generation)
            except RedisError as exc:
                raise LedgerUnavailable("no token: Redis does not answer") from exc
            self._refused = None if isinstance(found, Token) else (time.monotonic(), found)
            return found

    async def _shared(self, fetch: Fetch, refused_generation: int) -> Token | Answer:
        has_waited = False
        while True:
            word, *rest = await self._scripts.run(
                "token_get",
                {"token": self._token_key, "lock": self._lock_key, "seen": self._refused_key},
                {
                    "worker": self._worker_id,
                    "lock_ms": self._lock_ms,
                    "refused": refused_generation,
                    "least_ms": _LEAST_LIFE_MS,
                    "early_ms": _RENEW_EARLY_MS,
                    "has_waited": int(has_waited),
                },
            )
            has_waited = True
            match word:
                case b"token":
                    self._held = _token(rest[0].decode(), rest[1], rest[2], rest[3])
                    return self._held
                case b"refused":
                    seen = _seen_from_json(rest[0])
                    if seen is not None:
                        return seen
                    has_waited = False
                case b"lead":
                    found = await self._lead(fetch, int(rest[0]))
                    if found is not None:
                        return found
                case _:
                    await asyncio.sleep(min(int(rest[0]) / 1000, _LONGEST_POLL_S))

    async def _lead(self, fetch: Fetch, generation: int) -> Token | Answer | None:
        keeping = asyncio.create_task(self._keep_lead())
        try:
            issued = await fetch()
        except BaseException:
            await self._resign()
            raise
        finally:
            keeping.cancel()
        if not isinstance(issued, Issued) and type(issued).__name__ in _TOLD:
            # Told to all who wait; an older token that is still good serves meanwhile.
            await self._scripts.run(
                "token_refused",
                {"lock": self._lock_key, "seen": self._refused_key},
                {"worker": self._worker_id, "seen": _seen_to_json(issued), "told_ms": _REFUSED_MS},
            )
            return None
        if not isinstance(issued, Issued):
            await self._resign()
            return issued
        reply = await self._scripts.run(
            "token_put",
            {"token": self._token_key, "lock": self._lock_key},
            {
                "worker": self._worker_id,
                "generation": generation,
                "access": issued.access,
                "life_ms": max(issued.expires_in_s, 1) * 1000,
            },
        )
        if not reply:
            return None  # the lock ran out and somebody else was quicker: theirs is as good
        self._held = _token(issued.access, reply[0], reply[1], reply[1])
        return replace(self._held, is_new=True)

    async def _keep_lead(self) -> None:
        """The lock is short, so that a killed leader holds nobody up for long, and renewed while its request lasts."""
        while True:
            await asyncio.sleep(self._lock_ms / 3000)
            try:
                await self._scripts.run(
                    "acquire_leadership",
                    {"leader": self._lock_key},
                    {"worker": self._worker_id, "lease_ms": self._lock_ms},
                )
            except RedisError:
                continue  # the put is fenced: whoever leads by then has its own

    async def _resign(self) -> None:
        await self._scripts.run("release_leadership", {"leader": self._lock_key}, {"worker": self._worker_id})


def _seen_to_json(seen: Answer) -> str:
    return strict_json.dump([type(seen).__name__, asdict(seen)])


def _seen_from_json(text: bytes) -> Answer | None:
    """None for what no worker of this version has written: the token endpoint is asked anew then."""
    try:
        name, fields = strict_json.parse(text)
        return _TOLD[name](**fields)
    except (LookupError, TypeError, ValueError):  # JsonRefused is a ValueError
        return None


def _token(access: str, generation: bytes, life_ms: bytes, whole_ms: bytes) -> Token:
    dies_at_s = time.monotonic() + float(life_ms) / 1000
    early_s = min(_RENEW_EARLY_MS, float(whole_ms) / 5) / 1000
    return Token(access, int(generation), dies_at_s, renew_at_s=dies_at_s - early_s)
