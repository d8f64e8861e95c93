"""Accounts: their allowance, what holds them, how long their token lasts. The text of a token is never asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import SecretStr
from redis.exceptions import NoPermissionError

from worker.factus.rate_limit import limit_window_ms
from worker.settings.account import Account
from worker.status.facts import AccountSeen, Block
from worker.status.hold_reader import hold_of
from worker.status.stored import Asker, text_hash, whole
from worker.store.exchange import Command
from worker.store.inquiry import Inquiry
from worker.store.keys import Keys


@dataclass(frozen=True, slots=True)
class KnownAccounts:
    """
    The accounts that are configured here, and the allowance that any other is taken to have (``window_s`` in seconds).
    """

    configured: Mapping[str, Account]
    limit: int
    window_s: float

    def settings(self, name: str) -> Account:
        """An account; one that is not configured here is taken to have the allowance of those that are."""
        if name in self.configured:
            return self.configured[name]
        nothing = SecretStr("")
        return Account.model_construct(
            name=name,
            client_id=nothing,
            client_secret=nothing,
            username=nothing,
            password=nothing,
            base_url="",
            rate_limit=self.limit,
            rate_window=self.window_s,
            concurrency=1,
        )


def account_seen(
    asker: Asker, keys: Keys, known: KnownAccounts, name: str, now_ms: int, environments: Mapping[str, str]
) -> Inquiry[AccountSeen]:
    """
    One account.

    Args:
        environments: Which Factus the running workers ask, for accounts that are not configured here.
    """
    own = known.configured.get(name)
    limit = own.rate_limit if own else known.limit
    window_s = own.rate_window if own else known.window_s
    commands: tuple[Command, ...] = (
        ("HGETALL", keys.account(name)),
        ("LRANGE", keys.grants(name), 0, limit - 1),
        ("HMGET", keys.token(name), "generation", "expires_at"),
    )
    replies = list((yield commands))
    if isinstance(replies[2], NoPermissionError):
        replies[2] = None  # the users of a viewer and an operator may not come near it
    stored, grants, token = (asker.settled(*one) for one in zip(commands, replies, strict=True))
    state = text_hash(stored)
    counted_ms = (limit_window_ms(own) if own else round(window_s * 1000)) + whole(state.get("margin_ms"))
    generation, expires_at = token or (None, None)
    found = AccountSeen(
        name=name,
        is_configured=own is not None,
        limit=limit,
        window_s=window_s,
        n_used=sum(whole(at) > now_ms - counted_ms for at in grants or ()),
        hold=None,
        n_throttled=whole(state.get("n_throttled")),
        token_generation=whole(generation),
        token_life_s=max(whole(expires_at) - now_ms, 0) / 1000,
        environment=own.environment if own else environments.get(name),
        blocks=tuple(
            Block(field.removeprefix("blocked:"), whole(since))
            for field, since in sorted(state.items())
            if field.startswith("blocked:")
        ),
        base_url=own.base_url if own else None,
    )
    hold = yield from hold_of(asker, keys, name, state, now_ms)
    return replace(found, hold=hold)
