"""
The examination: what is read in which order, what is left out where an earlier part failed, and the time each may take.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from jobs.errors import ConfigurationError, ServiceError
from jobs.rights.keys import Algorithm
from worker.addresses import redis_address, shown
from worker.doctor import host_checks, host_reader, redis_checks, service_checks
from worker.doctor.checks import CALL_IDS, IDS, Check, in_order, skipped
from worker.doctor.host_facts import ArchiveSeen
from worker.doctor.patience import ASK_S, PART_S, in_thread
from worker.doctor.redis_facts import RedisPlace, RedisSeen, Unreachable
from worker.doctor.redis_reader import read_redis
from worker.doctor.service_checks import Signing, WebhookFile
from worker.rights.trust_files import TrustFiles
from worker.settings.account import Account
from worker.settings.model import Settings
from worker.speech import Speech
from worker.status.facts import Overview
from worker.status.problems import problems
from worker.status.reader import StatusReader
from worker.store import connection
from worker.store.keys import Keys
from worker.webhooks.endpoints_file import read_endpoints


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for. ``account``: this one only; ``calls``: Factus is asked too."""

    account: str | None = None
    calls: bool = False


def examine_bad_settings(fault: str, speech: Speech) -> list[Check]:
    """Settings that cannot be used: one line, and all that hangs on it."""
    why = speech.say("los ajustes no se pueden usar (settings)", "the settings cannot be used (settings)")
    (check,) = host_checks.settings_check(None, fault, {}, speech)
    return in_order([check, *skipped((id_ for id_ in IDS if id_ != "settings"), "-", why)])


async def examine(settings: Settings, wanted: Wanted, unknown: Mapping[str, str], speech: Speech) -> list[Check]:
    """
    Everything. Never raises for what is found.

    Args:
        unknown: Names of settings that mean nothing, and the nearest that does, or nothing.
    """
    accounts, fault = _accounts(settings, wanted.account)
    signing = await _signing(settings)
    checks = [
        *host_checks.settings_check(settings, "", unknown, speech),
        *await _secret_files(settings, bool(signing.private), speech),
        host_checks.archive_check(await _archive(settings, wanted.calls), speech),
        *host_checks.calendar_checks(settings.calendar, datetime.now(UTC).date(), speech),
    ]
    file = await _webhook_file(settings)
    place = _place(settings)
    async with _redis(settings, speech) as client:
        seen = client if isinstance(client, Unreachable) else await _server(client, settings)
        if isinstance(seen, Unreachable):
            checks += redis_checks.unreachable_checks(seen, place, speech)
            overview: Overview | str = speech.say("Redis no responde (redis.reachable)", "Redis does not answer (redis.reachable)")  # fmt: skip  # noqa: E501
        else:
            checks += redis_checks.redis_checks(seen, place, speech)
            assert isinstance(client, Redis)
            overview = _with_refusal(await _overview(client, settings, accounts or {}, speech), seen)
        checks += _of_service(overview, accounts, fault, signing, file, wanted, speech)
        if wanted.calls:
            checks += await _calls(client, settings, accounts or {}, overview, speech)
    return in_order(checks)


def _accounts(settings: Settings, only: str | None) -> tuple[dict[str, Account] | None, str]:
    try:
        found = settings.accounts()
    except ConfigurationError as exc:
        return None, str(exc)
    return {name: account for name, account in found.items() if only in (None, name)}, ""


async def _signing(settings: Settings) -> Signing:
    keys_file, revoked = settings.jobs_keys, settings.jobs_revoked
    if not settings.jobs_signed:
        return Signing()
    if keys_file is None:
        return Signing(is_on=True, fault="FACTUS_JOBS_SIGNED needs FACTUS_JOBS_KEYS")
    try:
        trust = await in_thread(lambda: TrustFiles(keys_file, revoked))
    except TimeoutError:
        return Signing(is_on=True, fault=f"FACTUS_JOBS_KEYS: {ASK_S:g} s")
    except ConfigurationError as exc:
        return Signing(is_on=True, fault=str(exc))
    keys = trust.trust.keys.values()
    return Signing(
        True,
        len(keys),
        tuple(sorted(key.kid for key in keys if key.is_private)),
        tuple(sorted(key.kid for key in keys if key.algorithm is Algorithm.HS256 and not key.bounds.is_whole)),
    )


async def _webhook_file(settings: Settings) -> WebhookFile:
    path = settings.webhooks_file
    if path is None:
        return WebhookFile()
    try:
        return WebhookFile(True, len(await in_thread(lambda: read_endpoints(path))))
    except TimeoutError:
        return WebhookFile(True, fault=f"FACTUS_WEBHOOKS_FILE: {path}: {ASK_S:g} s")
    except ConfigurationError as exc:
        return WebhookFile(True, fault=str(exc))


async def _secret_files(settings: Settings, private_keys: bool, speech: Speech) -> list[Check]:
    files = await host_reader.read_secret_files(settings, private_keys)
    return host_checks.secrets_checks(files, speech)


async def _archive(settings: Settings, may_call: bool) -> ArchiveSeen:
    try:
        async with asyncio.timeout(PART_S + ASK_S):
            return await host_reader.read_archive(settings.archive_url, may_call=may_call)
    except TimeoutError:
        return ArchiveSeen("FACTUS_ARCHIVE_URL", fault=f"{PART_S + ASK_S:g} s")


# -- Redis -------------------------------------------------------------------------------------------------------------
def _place(settings: Settings) -> RedisPlace:
    address = redis_address(settings.redis_url)
    is_own = address.scheme in ("unix", "embedded") or (
        address.scheme != "sentinel" and all(host in ("localhost", "127.0.0.1", "::1") for host, _ in address.hosts)
    )
    return RedisPlace(shown(settings.redis_url), address.scheme == "sentinel", is_own)


@asynccontextmanager
async def _redis(settings: Settings, speech: Speech) -> AsyncIterator[Redis | Unreachable]:
    """A client that gives up soon; an embedded folder without data is not made into a server."""
    url = settings.redis_url
    folder = url.removeprefix(connection.EMBEDDED) if url.startswith(connection.EMBEDDED) else ""
    if folder and not await in_thread(Path(folder, "appendonlydir").exists):
        yield Unreachable(
            speech.say("en esa carpeta nunca corrió un servidor integrado", "no embedded server has ever run there"),
            mend=speech.say("inicie un trabajador, o ponga su carpeta en FACTUS_REDIS_URL",
                            "start a worker, or set its folder in FACTUS_REDIS_URL"),
        )  # fmt: skip
        return
    async with AsyncExitStack() as stack:
        try:
            found = await stack.enter_async_context(connection.server_url(url))
            client = connection.connect(found, impatient=True)
            stack.push_async_callback(connection.close, client)
        except (ConfigurationError, ServiceError) as exc:
            yield Unreachable(str(exc))
            return
        yield client


async def _server(client: Redis, settings: Settings) -> RedisSeen | Unreachable:
    try:
        async with asyncio.timeout(PART_S):
            return await read_redis(client, Keys(settings.namespace))
    except TimeoutError:
        return Unreachable(f"TimeoutError: {PART_S:g} s")


async def _overview(client: Redis, settings: Settings, accounts: dict[str, Account], speech: Speech) -> Overview | str:
    """What ``status`` sees, without its try of a write; or why it cannot be seen."""
    reader = StatusReader(
        client,
        Keys(settings.namespace),
        accounts,
        limit=settings.rate_limit,
        window_s=settings.rate_window,
        results_maxlen=settings.results_maxlen,
    )
    try:
        async with asyncio.timeout(PART_S):
            return await reader.overview(tries_a_write=False)
    except TimeoutError:
        return speech.say(f"no terminó en {PART_S:g} s", f"it did not end within {PART_S:g} s")
    except NoPermissionError as exc:
        words = connection.words_of(exc)
        return speech.say(
            f"este usuario de Redis no puede verlo ({words})", f"this user of Redis may not see it ({words})"
        )
    except RedisError as exc:
        return connection.words_of(exc)


def _with_refusal(overview: Overview | str, seen: RedisSeen) -> Overview | str:
    """What is seen of the service, and that nobody can write: signs of life then say nothing."""
    refusal = seen.refusal
    if isinstance(overview, str) or refusal is None or refusal.word == "NOPERM":
        return overview
    return replace(overview, writes_word=refusal.word, writes_refused=refusal.words)


# -- the service -------------------------------------------------------------------------------------------------------
def _of_service(
    overview: Overview | str,
    accounts: dict[str, Account] | None,
    fault: str,
    signing: Signing,
    file: WebhookFile,
    wanted: Wanted,
    speech: Speech,
) -> list[Check]:
    seen = None if isinstance(overview, str) else overview
    of = service_checks.of_problems(problems(seen, speech) if seen else (), wanted.account)
    why = overview if isinstance(overview, str) else ""
    checks = [
        *service_checks.account_checks(accounts, fault, of.get("accounts", ()), why, speech),
        *service_checks.signing_checks(signing, of.get("jobs.keys", ()), speech),
        *service_checks.webhook_checks(file, seen, of.get("webhooks", ()), speech),
    ]
    if seen is None:
        return [*checks, *skipped(service_checks.OF_SERVICE, "-", why)]
    return [
        *checks,
        *service_checks.worker_checks(seen, accounts or {}, of.get("workers", ()), speech),
        *service_checks.intake_checks(seen, of.get("intake", ()), speech),
    ]


async def _calls(
    client: Redis | Unreachable,
    settings: Settings,
    accounts: dict[str, Account],
    overview: Overview | str,
    speech: Speech,
) -> list[Check]:
    """Factus, account by account."""
    # Here, because without --calls nothing that speaks HTTP has to be loaded.
    from worker.doctor.factus_checks import factus_checks
    from worker.doctor.factus_reader import read_factus

    checks: list[Check] = []
    for name, account in accounts.items():
        if isinstance(client, Unreachable) or isinstance(overview, str):
            why = speech.say("sin Redis no hay cupo del cual tomar", "without Redis there is no allowance to take of")
            checks += skipped(CALL_IDS, name, why)
            continue
        hold = next((one.hold for one in overview.accounts if one.name == name), None)
        is_throttled = hold is not None and hold.reason == "factus.throttled"
        seen = await read_factus(
            client, Keys(settings.namespace), account, settings, overview.lanes, speech, is_throttled=is_throttled
        )
        checks += factus_checks(seen, datetime.now(account.zone).date(), speech)
    return checks
