"""What is said of a Redis error: its class and Redis's own words, never what was sent."""

from __future__ import annotations

import pytest
from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.connection import SSLConnection

from jobs.errors import ConfigurationError
from worker.guard import redis_word
from worker.store.connection import connect, words_of

QUOTED = "Command # 1 (XADD j * job Ana of pipeline caused error: Ana) of pipeline caused error: OOM too much"

IN_PIPELINE = "Command # 1 (HSET k a Ana) of pipeline caused error: ('MISCONF Errors writing to the AOF',)"
"""As redis-py 5.3.1 writes it."""


@pytest.mark.parametrize(
    ("kind", "said", "told", "word"),
    [
        ("NoPermissionError", "no permissions to run 'xadd'.", "no permissions to run 'xadd'", "NOPERM"),
        ("OutOfMemoryError", "command not allowed", "command not allowed", "OOM"),
        ("ReadOnlyError", "You can't write", "You can't write", "READONLY"),
        ("AuthenticationError", "invalid password", "invalid password", "NOAUTH"),
        ("ResponseError", "MISCONF Errors writing to the AOF", "MISCONF Errors writing to the AOF", "MISCONF"),
        ("ResponseError", "WRONGTYPE Operation against", "WRONGTYPE Operation against", "WRONGTYPE"),
        ("ResponseError", "NOREPLICAS Not enough", "NOREPLICAS Not enough", "NOREPLICAS"),
        ("ConnectionError", "", "", ""),
        ("ResponseError", QUOTED, "OOM too much", "OOM"),
        ("ResponseError", IN_PIPELINE, "MISCONF Errors writing to the AOF", "MISCONF"),
        ("ResponseError", "ERR unknown command 'x', with args beginning with: 'Ana'", "ERR unknown command 'x'", "ERR"),
        ("ResponseError", "ERR a\r\nb\x1b[2J\u202ec", "ERR a  b [2J c", "ERR"),
        ("ResponseError", "x" * 1000, "x" * 300, "ERR"),
    ],
)
def test_words_and_first_word(kind: str, said: str, told: str, word: str) -> None:
    error = getattr(exceptions, kind)(said)
    assert words_of(error) == f"{kind}: {told}".removesuffix(": ")
    assert redis_word(error) == word


def kwargs_of(client: Redis) -> dict[str, object]:
    return dict(client.connection_pool.connection_kwargs)


def test_tls_verifies_the_host_name_everywhere() -> None:
    direct = kwargs_of(connect("rediss://u:p@redis.example:6380/0"))
    assert (direct["ssl_cert_reqs"], direct["ssl_check_hostname"]) == ("required", True)
    client = connect("sentinel://a,b/main?ssl=true")
    master = kwargs_of(client)
    assert (master["ssl_cert_reqs"], master["ssl_check_hostname"]) == ("required", True)
    assert issubclass(client.connection_pool.connection_class, SSLConnection)
    for sentinel in client.connection_pool.sentinel_manager.sentinels:
        assert isinstance(sentinel.connection_pool.make_connection(), SSLConnection)
        assert kwargs_of(sentinel)["ssl_check_hostname"] is True
    assert not issubclass(connect("sentinel://a/main").connection_pool.connection_class, SSLConnection)


@pytest.mark.parametrize("option", ["ssl_check_hostname=false", "ssl_cert_reqs=none", "ssl_cert_reqs=optional", "x=1"])
def test_verification_cannot_be_switched_off(option: str) -> None:
    with pytest.raises(ConfigurationError, match="FACTUS_REDIS_URL: has an option"):
        connect(f"rediss://redis.example/0?{option}")


@pytest.mark.parametrize("name", ["ssl_ca_certs", "ssl_certfile"])
@pytest.mark.parametrize("path", ["/nowhere", "/", __file__])
def test_a_file_of_certificates_that_cannot_be_used_is_named_before_anything_is_sent(name: str, path: str) -> None:
    with pytest.raises(ConfigurationError, match=f"FACTUS_REDIS_URL: {name}="):
        connect(f"rediss://redis.example/0?{name}={path}")


async def test_redis_py_s_own_words_of_a_pipeline_are_understood(real_redis: Redis, namespace: str) -> None:
    """Whatever form a release of it gives them."""
    await real_redis.set(f"{namespace}:k", "no hash")
    pipe = real_redis.pipeline(transaction=False)
    pipe.hset(f"{namespace}:k", "name", "Ana")
    with pytest.raises(exceptions.ResponseError) as raised:
        await pipe.execute()
    assert redis_word(raised.value) == "WRONGTYPE"
    assert words_of(raised.value).startswith("ResponseError: WRONGTYPE Operation against a key")
    assert "Ana" not in words_of(raised.value)
