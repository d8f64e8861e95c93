"""Wrong passwords are counted by name and by address."""

from __future__ import annotations

import asyncio

import pytest

from worker.http.answers import Refusal
from worker.http.passwords import MOST_WAITING, MOST_WRONG, WINDOW_S, Passwords, WrongPasswords, network_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wrong(clock: Clock) -> WrongPasswords:
    return WrongPasswords(clock)


def miss(wrong: WrongPasswords, name: str = "ana", address: str = "10.0.0.1") -> None:
    with wrong.attempt(name, address):
        pass


def test_the_sixth_is_told_when_it_may_come_again(wrong: WrongPasswords, clock: Clock) -> None:
    for n in range(MOST_WRONG):
        clock.now = float(n)
        miss(wrong)
    with pytest.raises(Refusal) as refused:
        miss(wrong)
    assert refused.value.status == 429
    assert int(refused.value.headers["Retry-After"]) == WINDOW_S - (MOST_WRONG - 1)
    clock.now = WINDOW_S
    miss(wrong)


def test_name_and_address_count_each_for_itself(wrong: WrongPasswords) -> None:
    for n in range(MOST_WRONG):
        miss(wrong, name=f"user-{n}")
    with pytest.raises(Refusal):
        miss(wrong, name="another")
    miss(wrong, name="another", address="10.0.0.2")
    for n in range(MOST_WRONG - 1):
        miss(wrong, name="another", address=f"10.0.1.{n}")
    with pytest.raises(Refusal):
        miss(wrong, name="another", address="10.0.9.9")


def test_right_ones_do_not_count(wrong: WrongPasswords) -> None:
    for _ in range(50):
        with wrong.attempt("ana", "10.0.0.1") as right:
            right()
    assert not any(wrong._seen.values())


def test_attempts_that_are_under_way_count(wrong: WrongPasswords) -> None:
    under_way = [wrong.attempt("ana", "10.0.0.1") for _ in range(MOST_WRONG)]
    for one in under_way:
        one.__enter__()
    with pytest.raises(Refusal):
        miss(wrong)


def test_what_is_remembered_has_a_bound(wrong: WrongPasswords) -> None:
    for n in range(12_000):
        miss(wrong, name=f"n{n}", address=f"2001:db8:{n // 256:x}:{n % 256:x}::1")
    assert len(wrong._seen) <= 10_000


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9%eth0", "2001:db8:1:2::/64"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("no address", "no address"),
    ],
)
def test_of_ipv6_the_network_counts(address: str, network: str) -> None:
    assert network_of(address) == network


async def test_who_comes_when_too_many_wait_is_not_told_of_wrong_passwords() -> None:
    passwords = Passwords()
    try:
        waiting = [asyncio.create_task(passwords.is_right("no hash", "x")) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)  # all of them stand in the queue
        with pytest.raises(Refusal) as refused:
            await passwords.is_right("no hash", "x")
        assert refused.value.status == 429
        assert "muchos ingresos" in refused.value.errors[0]["message"]
        assert await asyncio.gather(*waiting) == [False] * MOST_WAITING
    finally:
        passwords.close()
