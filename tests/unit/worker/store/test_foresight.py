"""Whatever was asked the last time, an inquiry is sent its own replies; one that asks the same again is one step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.store.foresight import Foresight
from worker.store.inquiry import Inquiry

Steps = Sequence[Sequence[str]]
some_steps = st.lists(st.lists(st.sampled_from("abcdef"), max_size=4), max_size=5)


def asking(steps: Steps) -> Inquiry[list[Any]]:
    """Asks for these things step by step, and returns what it was sent."""
    found: list[Any] = []
    for names in steps:
        replies = yield [("GET", name) for name in names]
        found += [list(replies)]
    return found


def answered(inquiry: Inquiry[Any], time: int) -> tuple[Any, list[list[str]]]:
    """What an inquiry returns that is answered with the time, and what it has asked in each round trip."""
    steps: list[list[str]] = []
    try:
        commands = next(inquiry)
        while True:
            if commands:
                steps.append([str(name) for _, name in commands])
            commands = inquiry.send([(name, time) for _, name in commands])
    except StopIteration as done:
        return done.value, steps


@given(st.lists(some_steps, min_size=1, max_size=5))
def test_each_is_sent_what_it_asks_for_of_today_whatever_was_asked_before(many: list[Steps]) -> None:
    foresight = Foresight()
    for time, steps in enumerate(many):
        found, asked = answered(foresight.of(asking(steps)), time)
        assert found == [[(name, time) for name in names] for names in steps]
        assert len(asked) <= len(steps)


@given(some_steps)
def test_the_second_time_is_one_step_and_asks_nothing_else(steps: Steps) -> None:
    foresight = Foresight()
    _, first = answered(foresight.of(asking(steps)), 0)
    for time in (1, 2):
        _, asked = answered(foresight.of(asking(steps)), time)
        assert len(asked) <= 1
        assert {name for names in asked for name in names} == {name for names in first for name in names}


def test_what_is_asked_no_more_is_forgotten() -> None:
    foresight = Foresight()
    for steps in ([["a"], ["b"]], [["a"], ["c"]]):
        answered(foresight.of(asking(steps)), 0)
    assert answered(foresight.of(asking([["a"], ["c"]])), 0)[1] == [["a", "c"]]


def test_what_it_raises_costs_it_nothing_that_it_knew() -> None:
    def failing() -> Inquiry[None]:
        yield [("GET", "a")]
        raise ValueError("no")

    foresight = Foresight()
    answered(foresight.of(asking([["a"], ["b"]])), 0)
    with pytest.raises(ValueError, match="no"):
        answered(foresight.of(failing()), 0)
    assert answered(foresight.of(asking([["a"], ["b"]])), 0)[1] == [["a", "b"]]
