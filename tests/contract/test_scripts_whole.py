"""
Every script does all of its work or nothing, whatever its keys hold.

Recorded calls (``script_samples.py``) are made again with each key of a wrong type, and with numbers replaced by what
is none: an error comes before the first write.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Any

import fakeredis
import pytest
import redis as sync_redis

from tests.contract.script_samples import EVERY, NAMESPACE, Dump, Sample, dump, fill, record, restore
from worker.guard import redis_key, redis_word
from worker.store.scripts import source

PLAIN = {
    "claim_pending",
    "entry_part",
    "hand_over",
    "acquire_leadership",
    "mark_deleting",
    "read_claimed",
    "release_leadership",
    "token_refused",
}
"""They touch one key, or write nothing before they have read it: Redis's own error, which names no key, will do."""

GARBAGE = (b"abc", b"1e+99", b"99999999999999999999", b"1.5", b"nan")

Spoilt = dict[bytes, tuple[str, Any]]


@pytest.fixture(scope="module")
def recorded() -> list[Sample]:
    return asyncio.run(record())


@pytest.fixture
def samples(recorded, script) -> list[Sample]:
    return [sample for sample in recorded if sample.name == script]


# The imitation takes three minutes of a processor for what the server does in one.
@pytest.fixture(params=[pytest.param("fake", marks=pytest.mark.deep), "valkey"])
def client(request):
    if request.param == "fake":
        yield fakeredis.FakeStrictRedis(server=fakeredis.FakeServer())
        return
    found = sync_redis.Redis.from_url(request.getfixturevalue("valkey_url"))
    yield found
    for key in found.scan_iter(f"*{NAMESPACE}:*"):
        found.delete(key)
    found.close()


def test_every_script_was_recorded(recorded):
    assert sorted({sample.name for sample in recorded}) == EVERY


def attempt(client: sync_redis.Redis, sample: Sample, held: Dump, spoilt: Spoilt) -> Exception | None:
    """
    Run a sample with other values under some keys: with an error nothing may have changed. All is as before after it.

    Args:
        held: What Redis holds, without what is spoilt.
    """
    pipe = client.pipeline(transaction=True)
    for key, (kind, value) in spoilt.items():
        restore(pipe, key, kind, value)
    pipe.execute()
    found = None
    try:
        client.eval(source(sample.name), len(sample.keys), *sample.keys, *sample.args)
    except sync_redis.ResponseError as exc:
        found = exc
    if found:
        expected = held | {key: (kind, value, False) for key, (kind, value) in spoilt.items()}
        assert dump(client) == expected, f"{sample.name} failed after its first write: {found}"
    fill(client, sample.before)
    return found


def filled(client: sync_redis.Redis, sample: Sample) -> Dump:
    fill(client, sample.before)
    return dump(client)


def wrong_for(kind: str) -> tuple[str, Any]:
    return ("list", [b"x", b"y"]) if kind != "list" else ("hash", {b"wrong": b"1"})


@pytest.mark.parametrize("script", EVERY)
def test_a_key_of_a_wrong_type_is_an_error_before_the_first_write(samples, client):
    """Told with the key's name, or it does not matter to the script at all."""
    for sample in samples:
        held = filled(client, sample)
        named = {key.encode() if isinstance(key, str) else key for key in sample.keys}
        n_told = 0
        for key in sorted(named | {key for key in held if b":acme" in key or b":batch:" in key}):
            exc = attempt(client, sample, held, {key: wrong_for(held.get(key, ("",))[0])})
            if exc:
                n_told += 1
                assert redis_word(exc) == "WRONGTYPE", (sample.name, key, exc)
                assert sample.name in PLAIN or redis_key(exc), (sample.name, key, exc)
        assert n_told, sample.name


def numbers_of(held: Dump, keys: Iterable[bytes]) -> list[tuple[bytes, Any]]:
    """Where numbers stand that a script may read: a hash's field, a list's first."""
    found: list[tuple[bytes, Any]] = []
    for key in keys:
        kind, value, _ = held.get(key, ("", None, False))
        if kind == "hash" and b":worker:" not in key:
            found += [(key, name) for name in value if value[name].isdigit()]
        elif kind == "list":
            found.append((key, 0))
    return found


def spoil(held: Dump, places: Iterable[tuple[bytes, Any]], draw: Callable[[], bytes]) -> Spoilt:
    """Other values there."""
    spoilt: Spoilt = {}
    for key, place in places:
        kind, value, _ = held[key]
        one = spoilt.setdefault(key, (kind, value.copy()))[1]
        one[place] = draw()
    return spoilt


@pytest.mark.parametrize("script", EVERY)
def test_no_number_that_is_none_is_an_error(samples, client, script):
    """Each number of a key that the script names alone, then many at once; which garbage it is, a seed says."""
    chance = random.Random(script)
    for sample in samples:
        held = filled(client, sample)
        named = {key.encode() if isinstance(key, str) else key for key in sample.keys}
        everywhere = numbers_of(held, held)
        trials = [[place] for place in numbers_of(held, sorted(named))]
        trials += [everywhere] + [[place for place in everywhere if chance.random() < 0.2] for _ in range(4)]
        for places in trials:
            spoilt = spoil(held, places, lambda: chance.choice(GARBAGE))
            exc = attempt(client, sample, held, spoilt)
            assert exc is None, (sample.name, spoilt, exc)
        for one in GARBAGE:
            spoilt = spoil(held, everywhere, lambda one=one: one)
            exc = attempt(client, sample, held, spoilt)
            assert exc is None, (sample.name, one, exc)
