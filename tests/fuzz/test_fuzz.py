"""
The fuzzer's short form: what was found once, then a few hundred new entries of one seed. Long runs are `make fuzz`.

Not timed: what a busy machine can break by itself is judged in runs of their own.
"""

from __future__ import annotations

import random

import pytest

from tests.fuzz import corpus
from tests.fuzz.actions import Action, Add
from tests.fuzz.course import Course
from tests.fuzz.entries import Producer
from tests.fuzz.promises import TIMED
from tests.fuzz.pure import PureIntake, quiet_log
from tests.fuzz.service import SHORT_DEADLINE_S, Service

SEED = 7
CASES = corpus.cases()


def together() -> list[list[str]]:
    """The cases in as few runs as can be: no two of one run have an answer to one request."""
    groups: list[tuple[set[str], list[str]]] = []
    for name, case in CASES.items():
        keys, names = next((one for one in groups if not one[0] & set(case.answers)), (set[str](), list[str]()))
        if not names:
            groups.append((keys, names))
        keys |= set(case.answers)
        names.append(name)
    return [names for _, names in groups]


def play(course: Course, actions: list[Action]) -> list[str]:
    """What was broken, as told."""
    try:
        course.play(actions)
        course.finish()
    finally:
        course.service.close()
    return [f"{found.kind}: {found.text}" for found in course.violations if found.kind not in TIMED]


@pytest.fixture
def pure() -> PureIntake:
    quiet_log()
    return PureIntake()


@pytest.mark.parametrize("name", CASES)
def test_what_was_found_passes_the_pure_half(pure, name):
    adds = [action for action in CASES[name].actions if isinstance(action, Add)]
    assert [found for add in adds for found in pure.try_add(add) if found.kind not in TIMED] == []


@pytest.mark.parametrize("names", together(), ids=lambda names: names[0] if len(names) == 1 else f"{len(names)} cases")
def test_what_was_found_hurts_no_more(names):
    """An honest job after each case."""
    producer = Producer(random.Random(SEED), "corpus")
    cases = [CASES[name] for name in names]
    actions = [action for case in cases for action in (*case.actions, producer.good())]
    answers = {key: found for case in cases for key, found in case.answers.items()}
    assert play(Course(Service(None, answers, deadline_s=SHORT_DEADLINE_S)), actions) == []


def test_hundreds_of_entries_pass_the_pure_half(pure):
    producer = Producer(random.Random(SEED), "pure", scale=0.1)
    adds = [action for _ in range(4) for action in producer.round(150) if isinstance(action, Add)]
    assert [found for add in adds for found in pure.try_add(add) if found.kind not in TIMED] == []


def test_hostile_entries_and_answers_stop_nobody():
    """A real worker, a real server, a Factus that answers anything: every entry gets its end, honest jobs are done."""
    producer = Producer(random.Random(SEED), "short", scale=0.05)
    themes = ("mixed", "big", "flood", "batches", "lists", "ids", "hands", "trims", "numbers")
    actions = [action for theme in themes for action in producer.round(10, theme, n_good=2)]
    course = Course(Service(str(SEED), deadline_s=SHORT_DEADLINE_S))
    assert play(course, actions) == []
    # About ninety; on a busy machine a trim takes more of them before they are read.
    assert course.book.n_finals > 60
    assert len(course.book.waits_s) > len(themes) // 2, "but for those that a trim took"
