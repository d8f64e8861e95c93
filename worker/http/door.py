"""
What a door is made of: everything that its routes use, put together once for a process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from arq.connections import ArqRedis

from jobs.errors import ConfigurationError
from jobs.rights.keys import KeyInvalid, signing_key_of
from schemas import strict_json
from worker.archive.archive import Archive, open_archive
from worker.bounded_files import FileUnusable, read_whole
from worker.guard import Guards
from worker.http.accounts import KnownAccounts
from worker.http.callers import DoorKey, Gate
from worker.http.feed import Feed
from worker.http.passwords import Passwords, WrongPasswords
from worker.http.places import Places, Room
from worker.http.policy import DoorPolicy
from worker.http.pusher import Pusher
from worker.http.users import UsersFile
from worker.http.waits import Waits
from worker.rights.trust_files import TrustFiles
from worker.settings.model import Settings
from worker.status.final_events import FinalEvents
from worker.status.lookup import JobLookup
from worker.status.reader import StatusReader
from worker.store import connection
from worker.store.failover import following
from worker.store.keys import Keys

_KEY: Final = "FACTUS_HTTP_KEY"
_MOST_OF_A_KEY: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Documents:
    """What a door shows of itself, written elsewhere, when somebody asks: two documents, JSON."""

    openapi: Callable[[], str]
    asyncapi: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Door:
    """The parts of one door."""

    settings: Settings
    policy: DoorPolicy
    keys: Keys
    redis: ArqRedis
    accounts: KnownAccounts
    finder: JobLookup
    finals: FinalEvents
    feed: Feed
    pusher: Pusher
    waits: Waits
    archive: Archive
    gate: Gate
    key: DoorKey | None
    users: UsersFile | None
    trust: TrustFiles | None
    stopping: asyncio.Event
    guards: Guards
    waiting: Places
    listening: Places
    bodies: Room
    reads: asyncio.Semaphore
    passwords: Passwords = field(default_factory=Passwords)
    wrong: WrongPasswords = field(default_factory=WrongPasswords)

    @property
    def streams(self) -> list[str]:
        """Those that consumers read."""
        return self.keys.outcomes(sorted(self.accounts.own_streams))

    async def run(self) -> None:
        """What goes on beside the requests, until the end."""
        tasks = [self.feed.run(self.stopping)]
        if self.trust:
            tasks.append(self.trust.follow(self.stopping, self.guards.of("jobs_keys")))
        if self.users:
            tasks.append(self.users.follow(self.stopping, self.guards.of("users")))
        await asyncio.gather(*tasks)


def check_rights(settings: Settings) -> tuple[TrustFiles | None, DoorKey | None, UsersFile | None]:
    """
    The files that say who may come in.

    Raises:
        ConfigurationError: One cannot be used, or is missing beside another.
    """
    trust = TrustFiles(settings.jobs_keys, settings.jobs_revoked) if settings.jobs_keys else None
    if settings.jobs_signed and trust is None:
        raise ConfigurationError("FACTUS_JOBS_SIGNED needs FACTUS_JOBS_KEYS, a JWK Set file")
    key = _door_key(settings.http_key, settings.namespace) if settings.http_key else None
    users = UsersFile(settings.users_file) if settings.users_file else None
    if users and key is None:
        raise ConfigurationError(
            f"FACTUS_USERS_FILE needs {_KEY}, the private JWK that signs logins: "
            "factus-worker token key new --kid door --out door.jwk"
        )
    if settings.jobs_signed and users and trust and key and key.public.kid not in trust.trust.keys:
        raise ConfigurationError(
            f"{_KEY}: the public part of {key.public.kid} must stand in FACTUS_JOBS_KEYS: jobs are signed, and the "
            "door signs those of FACTUS_USERS_FILE"
        )
    return trust, key, users


def _door_key(path: Path, namespace: str) -> DoorKey:
    try:
        jwk: Any = strict_json.parse(read_whole(path, most=_MOST_OF_A_KEY))
        signing_key_of(jwk)
    except (FileUnusable, KeyInvalid) as exc:
        raise ConfigurationError(f"{_KEY}: {path}: {exc}") from None
    except strict_json.JsonRefused:
        raise ConfigurationError(f"{_KEY}: {path}: it is not JSON") from None
    return DoorKey(jwk, namespace)


@asynccontextmanager
async def opened(settings: Settings, policy: DoorPolicy, redis_url: str) -> AsyncIterator[Door]:
    """
    A door with its connections, while the block lasts. Redis need not answer yet.

    Raises:
        ConfigurationError: A setting or a file cannot be used.
    """
    trust, key, users = await asyncio.to_thread(check_rights, settings)
    configured = settings.accounts()
    redis = connection.connect(redis_url, impatient=True, impatience_s=policy.redis_s)
    blocking = connection.connect(redis_url, blocking=True)
    keys, guards = Keys(settings.namespace), Guards()
    reader = StatusReader(
        redis,
        keys,
        configured,
        limit=settings.rate_limit,
        window_s=settings.rate_window,
        results_maxlen=settings.results_maxlen,
    )
    accounts = KnownAccounts(configured, reader)
    own = sorted(accounts.own_streams)
    feed = Feed(blocking, keys.outcomes(own), guards.of("feed"))
    finals = FinalEvents(redis, keys)
    door = Door(
        settings=settings,
        policy=policy,
        keys=keys,
        redis=redis,
        accounts=accounts,
        finder=JobLookup(redis, keys, reader, own),
        finals=finals,
        feed=feed,
        pusher=Pusher(redis),
        waits=Waits(redis, keys, feed, finals),
        archive=open_archive(settings.archive_url),
        gate=Gate(settings.namespace, trust, key, users),
        key=key,
        users=users,
        trust=trust,
        stopping=asyncio.Event(),
        guards=guards,
        waiting=Places(policy.most_waits, policy.most_waits_each),
        listening=Places(policy.most_streams, policy.most_streams_each),
        bodies=Room(policy.most_bodies),
        reads=asyncio.Semaphore(policy.most_reads),
    )
    try:
        async with following(redis, blocking):
            yield door
    finally:
        door.passwords.close()
        await connection.close(redis)
        await connection.close(blocking)
