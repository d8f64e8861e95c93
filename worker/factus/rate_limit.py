"""
One allowance per account for all processes together: at most N requests in any window, counted where they are sent.

A ring of the last N grants in Redis, on the server's own clock, with the window widened by a margin: Factus counts when
a request arrives, we count when it leaves, and the difference varies (docs/decisions/0004). Where somebody else uses
the account's user too, what Factus says with each answer is counted as well (docs/decisions/0026). Fails closed: no
Redis, no permit.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Final, Literal

import structlog
from redis.exceptions import RedisError

from jobs.errors import LeaseLost, LedgerUnavailable
from worker.settings.account import Account
from worker.store.keys import Keys
from worker.store.scripts import Arg, Key, Scripts

log = structlog.get_logger()

LARGEST_FIRST_MARGIN_MS: Final = 250
_LEAST_MARGIN_MS: Final = 50
_MARGINS_A_WINDOW: Final = 240
_MARGIN_STEP_MS: Final = 250
_LARGEST_MARGIN_MS: Final = 3000
LONGEST_HOLD_S: Final = 120.0


def limit_window_ms(account: Account) -> int:
    """The window in which grants are counted: the account's, and the margin that it has before any 429."""
    window_ms = round(account.rate_window * 1000)
    return window_ms + min(max(window_ms // _MARGINS_A_WINDOW, _LEAST_MARGIN_MS), LARGEST_FIRST_MARGIN_MS)


@dataclass(frozen=True, slots=True)
class Granted:
    """
    A permit. ``n_used`` is the number of grants in the ring, this one included; ``asked_at`` is this process's
    monotonic clock before Redis was asked; ``is_shared`` is whether somebody else uses the account's user too.
    """

    at_ms: int
    n_used: int
    asked_at: float
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class NoPermitYet:
    """No place in the allowance for another *wait_s* seconds."""

    wait_s: float


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The latest instant for sending is over, or the document to be removed is issued again by now."""


@dataclass(frozen=True, slots=True)
class SendMark:
    """
    The job that the permit is for: its record becomes ``sending`` with it, and without the job there is none.

    ``latest_ms`` 0 means any time. ``what`` is ``deleting`` for the removal of a document (``document_key``): the
    DELETE may take what bears its reference, which is not free for ``settle_ms``. Where the document is the job's own
    (``is_own``) its record has the instant as well.
    """

    job_key: str
    fence: int
    latest_ms: int = 0
    what: Literal["sending", "deleting"] = "sending"
    document_key: str = ""
    settle_ms: int = 0
    is_own: bool = True

    @property
    def keys(self) -> dict[str, Key]:
        document: dict[str, Key] = {"document": self.document_key} if self.document_key else {}
        return {"job": self.job_key, **document}

    @property
    def arguments(self) -> dict[str, Arg]:
        return {
            "fence": self.fence,
            "latest_ms": self.latest_ms,
            "what": self.what,
            "settle_ms": self.settle_ms,
            "is_own": int(self.is_own),
        }


class RateLimit:
    """The allowance of one account."""

    def __init__(
        self, scripts: Scripts, keys: Keys, account: Account, *, longest_hold_s: float = LONGEST_HOLD_S
    ) -> None:
        self._longest_hold_s = min(longest_hold_s, LONGEST_HOLD_S)
        self._scripts = scripts
        self._account = account
        self._grants = keys.grants(account.name)
        self._state = keys.account(account.name)

    async def acquire(
        self, *, patience_s: float, mark: SendMark | None = None
    ) -> Granted | NoPermitYet | DeadlinePassed:
        """
        Take a permit, waiting at most *patience_s* for one.

        With *mark* the permit and the record's ``sending`` are one step.

        Raises:
            LeaseLost: The marked job is another worker's by now.
            LedgerUnavailable: No answer from Redis; a permit may be used up, nothing may be sent.
        """
        gives_up_at = time.monotonic() + patience_s
        while True:
            found = await self._try(mark)
            if not isinstance(found, NoPermitYet) or time.monotonic() + found.wait_s > gives_up_at:
                return found
            await asyncio.sleep(found.wait_s)

    async def _try(self, mark: SendMark | None) -> Granted | NoPermitYet | DeadlinePassed:
        keys: dict[str, Key] = {"grants": self._grants, "account": self._state}
        args = self._window
        if mark:
            keys |= mark.keys
            args |= mark.arguments
        asked_at = time.monotonic()
        try:
            # What is marked is sent next, and nothing of it may be forgotten then, whatever becomes of the server.
            word, *numbers = await self._scripts.run("permit", keys, args, confirmed=mark is not None)
        except RedisError as exc:
            raise LedgerUnavailable("no permit: Redis does not answer") from exc
        match word:
            case b"granted":
                return Granted(int(numbers[0]), int(numbers[1]), asked_at, is_shared=int(numbers[2]) == 1)
            case b"wait":
                return NoPermitYet(max(float(numbers[0]), 1.0) / 1000)
            case b"late":
                return DeadlinePassed()
            case _:
                raise LeaseLost("another worker took the job over before it was sent")

    async def throttled(self, retry_after_s: float | None) -> float:
        """
        Factus answered 429: hold the account for everybody.

        Returns:
            Seconds of the hold: Factus's word (two minutes at most, and no more than FACTUS_BACKOFF_MAX), jittered
            upwards so that workers do not return all at once; a sixth of the window when it said nothing.
        """
        asked_s = self._account.rate_window / 6 if retry_after_s is None else retry_after_s
        hold_s = min(max(asked_s, 0.5), self._longest_hold_s) + random.uniform(0.05, 0.5)
        args = self._window | {
            "hold_ms": round(hold_s * 1000),
            "margin_step_ms": _MARGIN_STEP_MS,
            "largest_margin_ms": _LARGEST_MARGIN_MS,
        }
        try:
            _, is_shared = await self._scripts.run(
                "hold_account", {"account": self._state, "grants": self._grants}, args
            )
        except RedisError as exc:
            raise LedgerUnavailable("a hold could not be written") from exc
        log.warning("factus.throttled", account=self._account.name, hold_s=round(hold_s, 1), is_shared=bool(is_shared))
        return hold_s

    async def note_usage(self, n_used_by_factus: int, granted: Granted) -> int:
        """
        Take note of how much of the allowance Factus counts as used, said with the answer to the request *granted*.

        Returns:
            How many of them somebody else has made, as far as is known; 0 when Redis is silent, because the answer in
            hand is worth more than the count.
        """
        keys = {"grants": self._grants, "account": self._state}
        args = self._window | {"used": n_used_by_factus, "granted_at": granted.at_ms}
        try:
            return int(await self._scripts.run("note_usage", keys, args))
        except RedisError:
            return 0

    @property
    def _window(self) -> dict[str, Arg]:
        return {"limit": self._account.rate_limit, "window_ms": limit_window_ms(self._account)}
