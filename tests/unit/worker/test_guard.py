"""No failure of one member ends a loop, keeps the others from their turn, or makes it spin."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from redis import exceptions
from redis._parsers.base import BaseParser

from worker.failures import Failures
from worker.guard import Guard, growing_s, is_server_state, redis_key, redis_word, shown

SERVER = [
    ("OOM command not allowed when used memory > 'maxmemory'.", "OOM"),
    ("OOM command not allowed when used memory > 'maxmemory'. script: ab12, on @user_script:3.", "OOM"),
    ("READONLY You can't write against a read only replica.", "READONLY"),
    ("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", "MISCONF"),
    ("LOADING Redis is loading the dataset in memory", "LOADING"),
    ("NOPERM User default has no permissions to run the 'evalsha' command", "NOPERM"),
    ("NOPERM No permissions to access a key script: ab12, on @user_script:9.", "NOPERM"),
    ("NOREPLICAS Not enough good replicas to write.", "NOREPLICAS"),
    ("NOAUTH Authentication required.", "NOAUTH"),
    ("WRONGPASS invalid username-password pair or user is disabled.", "NOAUTH"),
    ("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", "BUSY"),
    ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "MASTERDOWN"),
    ("NOSCRIPT No matching script. Please use EVAL.", "NOSCRIPT"),
    ("CLUSTERDOWN Hash slot not served", "CLUSTERDOWN"),
    ("TRYAGAIN Multiple keys request during rehashing of slot", "TRYAGAIN"),
    ("ERR Error running script (call to f_12): @user_script:3: -OOM command not allowed when", "OOM"),
    ("ERR Error running script (call to f_12): @user_script:3: @user_script: 3: -MISCONF Errors writing", "MISCONF"),
    ("ERR max number of clients reached", ""),
]
ENTRY = [
    ("WRONGTYPE Operation against a key holding the wrong kind of value", "WRONGTYPE"),
    ("WRONGTYPE Operation against a key holding the wrong kind of value script: ab, on @user_script:5.", "WRONGTYPE"),
    ("ERR Error running script (call to f_12): @user_script:3: WRONGTYPE Operation against a key", "WRONGTYPE"),
    ("ERR hash value is not an integer", "ERR"),
    ("ERR hash value is not an integer script: ab12, on @user_script:5.", "ERR"),
    ("ERR user_script:45: attempt to compare number with nil script: ab, on @user_script:45.", "ERR"),
    ("ERR increment or decrement would overflow", "ERR"),
    ("ERR value is not a valid float", "ERR"),
    ("ERR The stream has exhausted the last possible ID, unable to add more items", "ERR"),
    ("NOGROUP No such key or consumer group", "NOGROUP"),
    ("CROSSSLOT Keys in request don't hash to the same slot", "CROSSSLOT"),
    ("", "ERR"),
    ("something that nobody knows", "ERR"),
]


@pytest.mark.parametrize(("answer", "word"), SERVER)
def test_what_tells_how_the_server_stands(answer, word):
    exc = BaseParser.parse_error(answer)
    assert (is_server_state(exc), redis_word(exc)) == (True, word)


@pytest.mark.parametrize(("answer", "word"), ENTRY)
def test_what_tells_of_the_request(answer, word):
    exc = BaseParser.parse_error(answer)
    assert (is_server_state(exc), redis_word(exc)) == (False, word)


@pytest.mark.parametrize("answer", ["WRONGTYPE Operation against", "MISCONF Errors writing"])
def test_the_word_of_an_answer_in_a_pipeline(answer):
    text = f"Command # 2 (HSET k OOM v) of pipeline caused error: {answer}"
    assert redis_word(exceptions.ResponseError(text)) == answer.split()[0]


@pytest.mark.parametrize(
    ("exc", "is_state"),
    [
        (exceptions.ConnectionError("gone"), True),
        (exceptions.TimeoutError("slow"), True),
        (exceptions.InvalidResponse("?"), True),
        (OSError("gone"), True),
        (exceptions.DataError("not sendable"), False),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates"), False),
        (RecursionError(), False),
        (KeyError("x"), False),
    ],
    ids=repr,
)
def test_what_is_no_answer_of_redis(exc, is_state):
    assert (is_server_state(exc), redis_word(exc)) == (is_state, "")


def test_a_script_names_the_key():
    assert redis_key(exceptions.ResponseError("WRONGTYPE the key ns:a b:1 holds no hash")) == "ns:a b:1"
    assert redis_key(exceptions.ResponseError("WRONGTYPE Operation against a key")) == ""


@pytest.mark.parametrize(
    ("name", "text"),
    [("acme/b", "acme/b"), (b"acme/\xff", "acme/\\xff"), ("a\x1b[2J", "a\\x1b[2J"), ("\ud800", "\\ud800")],
)
def test_a_name_is_shown_as_text_that_does_nothing(name, text):
    assert shown(name) == text


def test_a_name_is_cut():
    assert len(shown("x" * 10_000)) == 200


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def guard(clock):
    return Guard("sweep", Failures(clock), clock)


def fail(guard, name=b"m", exc=None):
    with guard.member(name):
        raise exc or ValueError("secret words")


def test_a_member_that_fails_rests_longer_each_time_and_is_forgiven_when_it_works(guard, clock):
    rests = []
    for _ in range(9):
        fail(guard)
        rests.append(guard.rest_s(b"m"))
        clock.now += rests[-1]
        assert not guard.rest_s(b"m")
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert not guard.rest_s(b"other")
    with guard.member(b"m"):
        pass
    fail(guard)
    assert guard.rest_s(b"m") == 1
    assert guard.failed.total == {"sweep": 10}


def test_it_is_logged_with_its_place_and_without_its_words(guard):
    with structlog.testing.capture_logs() as lines:
        fail(guard, b"acme/\xff")
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("loop.member_failed", "error")
    assert (line["task"], line["member"], line["error"], line["hold_s"]) == ("sweep", "acme/\\xff", "ValueError", 1.0)
    assert isinstance(line.pop("exc_info"), ValueError), "worker/logs.py makes places of it"
    assert "secret" not in str(line)


@pytest.mark.parametrize("exc", [exceptions.ConnectionError(), exceptions.OutOfMemoryError("x")], ids=repr)
def test_the_server_s_state_is_no_matter_of_one_member(guard, exc):
    with pytest.raises(type(exc)):
        fail(guard, exc=exc)
    assert not guard.rest_s(b"m")


async def test_who_is_cancelled_is_cancelled(guard):
    for block in (guard.member(b"m"), guard.iteration()):
        with pytest.raises(asyncio.CancelledError), block:
            raise asyncio.CancelledError
    assert not guard.failed.total


def test_what_is_remembered_is_bounded(clock):
    guard = Guard("sweep", Failures(clock), clock, most_remembered=3)
    for n in range(10):
        fail(guard, str(n))
    assert len(guard._rests) == 3
    assert guard.rest_s("9")


def test_a_loop_pauses_after_a_turn_that_failed(guard):
    pauses = []
    for _ in range(6):
        with guard.iteration() as iteration:
            raise ValueError
        pauses.append(iteration.pause_s)
    assert pauses == [1, 2, 4, 8, 10, 10]
    with guard.iteration() as iteration:
        pass
    assert iteration.pause_s is None
    with guard.iteration() as iteration:
        raise exceptions.ReadOnlyError("You can't write against a read only replica.")
    assert iteration.pause_s == 1
    assert guard.failed.total == {"sweep": 6}


@pytest.mark.parametrize(
    ("exc", "is_told"),
    [
        (exceptions.ConnectionError("gone"), False),
        (exceptions.TimeoutError("late"), False),
        (exceptions.ReadOnlyError("You can't write against a read only replica."), False),
        (exceptions.ResponseError("MISCONF Errors writing to the AOF file"), False),
        (exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."), False),
        (exceptions.ResponseError("UNBLOCKED force unblock from blocking operation, instance state changed"), False),
        (exceptions.NoPermissionError("this user has no permissions to run the 'eval' command"), True),
        (exceptions.ResponseError("WRONGTYPE Operation against a key"), True),
        (ValueError(), True),
    ],
    ids=repr,
)
def test_an_outage_is_no_failure_of_a_loop_and_what_lasts_is_one(guard, exc, is_told):
    """``status`` tells failures for ten minutes; an outage is over when it is over."""
    with guard.iteration():
        raise exc
    assert bool(guard.failed.total) is is_told


def test_an_outage_is_logged_with_redis_s_word(guard):
    with structlog.testing.capture_logs() as lines, guard.iteration():
        raise exceptions.ResponseError("MISCONF Errors writing to the AOF file: values")
    assert lines == [
        {
            "event": "redis.unavailable",
            "log_level": "warning",
            "task": "sweep",
            "error": "ResponseError",
            "detail": "MISCONF",
        }
    ]


def test_no_number_of_failures_is_too_large():
    assert growing_s(10**9, 60.0) == 60.0
