"""What a seed of the full form means: always the same, all of it told, and derived from its options alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from pathlib import Path

from tests.simulation.full_options import ACCOUNTS, FullOptions
from tests.simulation.history import Verdict
from tests.simulation.metrics_table import Figures, Waits


def test_the_options_of_a_seed_are_always_the_same_and_told_with_its_failure() -> None:
    options = FullOptions.draw(7, 200)
    assert options == FullOptions.draw(7, 200)
    assert options.chance().random() == options.chance().random()
    verdict = Verdict()
    figures = Figures(options, Path("/logs"), verdict, Counter(), [], Waits(), 1.0)
    assert options.tell()[0] not in figures.table()
    verdict.blame("lost", "one job has no end")
    told = figures.table()
    assert all(line in told for line in options.tell())
    assert "make simulate SEED=7 JOBS=200" in told


def test_every_option_is_told() -> None:
    told = "\n".join(FullOptions.draw(7, 200).tell())
    alone = {one.name for one in fields(FullOptions)} - {"lives", "rules"}
    assert [name for name in alone if f"{name} = " not in told] == []
    assert told.count("\nrule ") == len(FullOptions.draw(7, 200).rules)
    assert [name for name in ACCOUNTS if f"life of {name}: " not in told] == []


def test_what_was_asked_for_is_asked_for_again() -> None:
    options = FullOptions.draw(7, 200, rate_limit=80, lane_width=3, takes_at_once=2)
    assert options.repeat() == "make simulate SEED=7 JOBS=200 ARGS='--rate-limit 80 --lane-width 3 --takes 2'"


def test_the_options_of_all_seeds_differ() -> None:
    drawn = [FullOptions.draw(seed, 200) for seed in range(50)]
    assert {name for options in drawn for name in options.persons} == {*ACCOUNTS}
    assert {life.emits for options in drawn for life in options.lives.values()} == {False, True}
    assert len({options.rules[0]["share"] for options in drawn}) > 20
