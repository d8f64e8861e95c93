"""
What ``doctor`` sees of Redis. Nothing is written: whether writes are taken is asked with a command that would change a
key only if it were there, and it never is.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from worker.doctor.patience import ASK_S
from worker.doctor.redis_facts import RedisSeen, Refusal, Rights, Unreachable
from worker.guard import redis_word
from worker.store.connection import command, words_of
from worker.store.keys import Keys

_RIGHTS: Final = """
if not redis.acl_check_cmd then return {'unknown'} end
local denied = {}
for _, line in ipairs(ARGV) do
  local parts = {}
  for part in string.gmatch(line, '%S+') do parts[#parts + 1] = part end
  local known, may = pcall(redis.acl_check_cmd, unpack(parts))
  if known and not may then denied[#denied + 1] = parts[1] end
end
return {'known', redis.acl_check_cmd('flushall') and 1 or 0, unpack(denied)}
"""
"""Asks for rights and uses none. Redis 6.2 has no such question."""


def _needed(keys: Keys) -> list[str]:
    """What a worker does, one command of each kind, on keys of each kind."""
    job, token = keys.job("doctor", "0"), keys.token("doctor")
    return [
        f"hgetall {job}", f"hset {job} f v", f"hdel {job} f", f"del {job}", f"pexpire {job} 1", f"hset {token} f v",
        f"hget {token} f", f"zadd {keys.lanes_due()} 1 m", f"zrem {keys.lanes_due()} m", f"sadd {keys.lanes()} m",
        f"srem {keys.lanes()} m", f"lpush {keys.grants('doctor')} 1", f"ltrim {keys.grants('doctor')} 0 1",
        f"xadd {keys.results()} * f v", f"xadd {keys.dead()} * f v", f"xack {keys.jobs()} g 1-1",
        f"xdel {keys.jobs()} 1-1", f"xinfo groups {keys.jobs()}", f"xautoclaim {keys.jobs()} g c 1 0",
        f"set {keys.leader('doctor')} 1", f"publish {keys.wake()} m", f"subscribe {keys.wake()}", "script load x",
    ]  # fmt: skip


async def read_redis(client: Redis, keys: Keys) -> RedisSeen | Unreachable:
    """All that is asked of the server itself; never raises for what it answers, or does not."""
    try:
        await _greet(client)
        return RedisSeen(
            info=await _info(client),
            clock_off_ms=await _clock_off_ms(client),
            appendfsync=await _config(client, "appendfsync"),
            min_replicas=await _config(client, "min-replicas-to-write"),
            refusal=await _refusal(client, keys),
            rights=await _rights(client, keys),
        )
    except (RedisError, OSError, TimeoutError) as exc:
        return Unreachable(words_of(exc), is_login=_is_about_login(exc), is_loading=redis_word(exc) == "LOADING")


async def _greet(client: Redis) -> None:
    """
    One answer of any kind. A refusal is one: a server that cannot write to its disk refuses even PING.

    Raises:
        RedisError: No answer, or that of a server that answers nobody (it loads its data, or refuses the login).
    """
    try:
        async with asyncio.timeout(ASK_S):
            await command(client, "PING")
    except ResponseError as exc:
        if _is_about_login(exc) or redis_word(exc) in ("LOADING", "BUSY"):
            raise


def _is_about_login(exc: BaseException) -> bool:
    """redis-py tells a wrong password while it connects as a ConnectionError, with Redis's own words."""
    return redis_word(exc) in ("NOAUTH", "WRONGPASS") or "username-password pair" in str(exc)


async def _asked(client: Redis, *parts: str | int) -> Any:
    """The answer; None where this user may not ask, or the server does not know the question."""
    try:
        async with asyncio.timeout(ASK_S):
            return await command(client, *parts)
    except NoPermissionError:
        return None
    except ResponseError as exc:
        if redis_word(exc) in ("ERR", "NOPERM"):
            return None
        raise


async def _info(client: Redis) -> Mapping[str, Any] | None:
    found = await _asked(client, "INFO")
    return found if isinstance(found, Mapping) else None


async def _config(client: Redis, name: str) -> str | None:
    found = await _asked(client, "CONFIG", "GET", name)
    return _text(found[1]) if found else None


async def _clock_off_ms(client: Redis) -> float | None:
    """By how much the server's clock is ahead of ours, ms; the half of the way there and back is not known."""
    before = time.time()
    found = await _asked(client, "TIME")
    after = time.time()
    if not found:
        return None
    return (int(found[0]) + int(found[1]) / 1_000_000 - (before + after) / 2) * 1000


async def _refusal(client: Redis, keys: Keys) -> Refusal | None:
    """Why a write would be refused; None when it would be taken."""
    try:
        async with asyncio.timeout(ASK_S):
            await command(client, "SET", keys.write_probe(f"doctor-{secrets.token_hex(6)}"), "1", "XX", "PX", 1)
    except ResponseError as exc:
        return Refusal(redis_word(exc), words_of(exc))
    return None


async def _rights(client: Redis, keys: Keys) -> Rights:
    user = await _asked(client, "ACL", "WHOAMI")
    name = _text(user) if user is not None else ""
    try:
        async with asyncio.timeout(ASK_S):
            word, *rest = await command(client, "EVAL", _RIGHTS, 0, *_needed(keys))
    except NoPermissionError:
        return Rights(name, missing=("eval",))
    except ResponseError as exc:
        return Rights(name, is_known=False, why=words_of(exc))
    if _text(word) != "known":
        return Rights(name, is_known=False)
    missing = tuple(dict.fromkeys(_text(one) for one in rest[1:]))
    return Rights(name, missing=missing, may_flush=rest[0] == 1)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
