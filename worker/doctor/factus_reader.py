"""
What ``doctor --calls`` asks Factus: six calls for each account at most, each with a permit of the shared allowance and
behind what waits to be issued. Reads only; the token is its own and is not kept.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from jobs import answers
from jobs.answers import Answer
from jobs.factus_requests import get
from jobs.families import FAMILIES
from schemas.names import within_account
from worker.doctor.factus_facts import FactusSeen, Heard, Pending
from worker.doctor.patience import PART_S
from worker.factus.client import FactusClient
from worker.factus.http_answers import number
from worker.factus.rate_limit import Granted, NoPermitYet, RateLimit, SendMark, limit_window_ms
from worker.factus.token_cache import Fetch, Issued, Token
from worker.settings.account import Account
from worker.settings.model import Settings
from worker.speech import Speech
from worker.status.facts import LaneSeen
from worker.store.connection import command
from worker.store.keys import Keys
from worker.store.scripts import Key, Scripts

MOST_CALLS: Final = 6
RANGES: Final = "/v2/numbering-ranges"
_TURN_S: Final = 3.0
"""How long a call waits for its turn behind documents."""

_LOOK_S: Final = 0.2
_A_LIFE_S: Final = 3600.0


class ExaminationLimit(RateLimit):
    """
    The account's allowance for one examination: so many permits and no more, and none that a document waits for.

    A hold of the account does not bind it, but for Factus's own word to slow down: whoever asks whether the password is
    right now must not wait for the end of the hold that the wrong one has brought.
    """

    def __init__(
        self, redis: Redis, keys: Keys, account: Account, lanes: Sequence[LaneSeen], *, is_throttled: bool
    ) -> None:
        super().__init__(Scripts(redis), keys, account)
        self._redis = redis
        issuing = (lane for lane in lanes if lane.account == account.name and lane.issues and not lane.hold)
        self._n_documents = sum(lane.n_waiting for lane in issuing)
        self._place = keys.account(account.name) if is_throttled else keys.write_probe("doctor")
        self.n_taken = 0

    async def acquire(self, *, patience_s: float, mark: SendMark | None = None) -> Granted | NoPermitYet:
        if self.n_taken >= MOST_CALLS:
            return NoPermitYet(_A_LIFE_S)
        gives_up_at = time.monotonic() + _TURN_S
        while True:
            found = await self._ask()
            if isinstance(found, Granted):
                self.n_taken += 1
                return found
            if time.monotonic() + found.wait_s > gives_up_at:
                return found
            await asyncio.sleep(found.wait_s)

    async def _ask(self) -> Granted | NoPermitYet:
        limit, window_ms = self._account.rate_limit, limit_window_ms(self._account)
        seconds, micros = await self._redis.time()
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        grants = await command(self._redis, "LRANGE", self._grants, 0, limit - 1)
        n_used = sum(int(at) > now_ms - window_ms for at in grants)
        if n_used + self._n_documents >= limit:
            return NoPermitYet(_LOOK_S)
        keys: dict[str, Key] = {"grants": self._grants, "account": self._place}
        word, *numbers = await self._scripts.run("permit", keys, self._window)
        if word == b"granted":
            return Granted(int(numbers[0]), int(numbers[1]), time.monotonic())
        return NoPermitYet(max(float(numbers[0]), 1.0) / 1000)


class OwnToken:
    """A token for one examination: fetched once, held in memory alone. ``refused`` is what came in place of one."""

    def __init__(self) -> None:
        self._held: Token | None = None
        self.refused: Answer | None = None

    async def get(self, fetch: Fetch, *, refused_generation: int = 0) -> Token | Answer:
        if self._held is not None:
            if not refused_generation:
                return self._held
            # Refused as soon as it was given: asked for again it would be no better, and costs a call.
            return answers.CredentialsRefused("un token recién obtenido también fue rechazado (401)")
        found = await fetch()
        if isinstance(found, Issued):
            self._held = Token(found.access, 1, time.monotonic() + _A_LIFE_S, is_new=True)
            return self._held
        self.refused = found
        return found


async def read_factus(
    redis: Redis,
    keys: Keys,
    account: Account,
    settings: Settings,
    lanes: Sequence[LaneSeen],
    speech: Speech,
    *,
    is_throttled: bool,
) -> FactusSeen:
    """
    Ask Factus about one account. Never raises for what Factus, the network or Redis does.

    Args:
        lanes: Of all accounts: documents that wait go first.
        is_throttled: Factus has asked to slow down, and the time is not over.
    """
    limit = ExaminationLimit(redis, keys, account, lanes, is_throttled=is_throttled)
    tokens, heard = OwnToken(), list[Heard]()

    def hear(headers: Mapping[str, str], sent_s: float, received_s: float) -> None:
        heard.append(_heard(headers, sent_s, received_s))

    client = FactusClient(account, settings.api_limits, limit, tokens, keys, heard=hear)
    found = FactusSeen(account.name, account.rate_limit)
    try:
        async with asyncio.timeout(PART_S + settings.api_limits.read_timeout_s):
            n_used = await _n_used(redis, keys, account)
            ranges = await client.call(get(RANGES, {"filter[is_active]": "1"}))
            found = FactusSeen(account.name, account.rate_limit, n_used, True, tokens.refused, ranges)
            if tokens.refused is None and not isinstance(ranges, answers.NoPermit):
                n_left = max(MOST_CALLS - limit.n_taken, 0)
                looks = [(name, await client.find_unvalidated(name)) for name in _families(account, lanes)[:n_left]]
                pending = [
                    await _pending(redis, keys, account, name, seen)
                    for name, seen in looks
                    if isinstance(seen, answers.DocumentSeen)
                ]
                found = replace(found, looks=tuple(looks), pending=tuple(pending))
    except NoPermissionError:
        why = speech.say(
            "este usuario de Redis no puede tomar del cupo", "this user of Redis may not take of the allowance"
        )
        found = FactusSeen(account.name, account.rate_limit, why_not=why)
    except RedisError:
        why = speech.say("Redis dejó de responder", "Redis has ceased to answer")
        found = FactusSeen(account.name, account.rate_limit, why_not=why)
    except TimeoutError:
        pass  # what was seen until then is told
    finally:
        await client.close()
    return _with_heard(found, heard, limit.n_taken, speech)


def _with_heard(found: FactusSeen, heard: Sequence[Heard], n_calls: int, speech: Speech) -> FactusSeen:
    why = found.why_not
    if not why and isinstance(found.ranges or found.token, answers.NoPermit):
        why = speech.say("el cupo lo usan los documentos, que van antes", "documents use the allowance, and go first")
    return replace(found, heard=tuple(heard), n_calls=n_calls, why_not=why)


def _families(account: Account, lanes: Sequence[LaneSeen]) -> list[str]:
    """Families whose list can be asked for what is not validated: first those with work."""
    busy = [within_account(lane.name) for lane in lanes if lane.account == account.name and lane.issues]
    asked = [name for name, row in FAMILIES.items() if row.has_status_filter]
    return sorted(asked, key=lambda name: name not in busy)


async def _n_used(redis: Redis, keys: Keys, account: Account) -> int:
    seconds, _ = await redis.time()
    since_ms = int(seconds) * 1000 - round(account.rate_window * 1000)
    grants = await command(redis, "LRANGE", keys.grants(account.name), 0, account.rate_limit - 1)
    return sum(int(at) > since_ms for at in grants)


async def _pending(redis: Redis, keys: Keys, account: Account, family: str, seen: answers.DocumentSeen) -> Pending:
    reference = seen.document.reference_code
    is_ours = bool(reference) and await command(redis, "EXISTS", keys.document(account.name, family, reference or ""))
    return Pending(family, seen.document, bool(is_ours))


def _heard(headers: Mapping[str, Any], sent_s: float, received_s: float) -> Heard:
    off_ms = None
    try:
        told = parsedate_to_datetime(headers.get("Date", ""))
        # A whole second is told, and the half of it is meant.
        off_ms = (told.timestamp() + 0.5 - (sent_s + received_s) / 2) * 1000
    except (TypeError, ValueError):
        pass
    limit, remaining = headers.get("X-RateLimit-Limit"), headers.get("X-RateLimit-Remaining")
    return Heard(off_ms, number(limit), number(remaining))
