"""What Factus gave, cut to a size: small things stay whole, large ones are shortened, and each place is named."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from schemas import strict_json
from schemas.contract.bounded import MOST_BYTES, bounded


def nested(depth, value):
    for _ in range(depth):
        value = {"a": value}
    return value


CASES = {
    "a long list of lines": ({"number": "S1", "items": [{"code": "x" * 200, "n": n} for n in range(8000)]}, ["items"]),
    "a long text": ({"number": "S1", "observation": "ñ" * 1_000_000}, ["observation"]),
    "both": ({"number": "S1", "items": ["y" * 900_000], "o": "x" * 900_000}, ["o", "items.0"]),
    "control characters": ({"number": "S1", "o": "\x01" * 500_000}, ["o"]),
    "many keys": ({"number": "S1", **{f"k{n}": n for n in range(100_000)}}, [""]),
    "a long key": ({"number": "S1", "k" * 1_000_000: 1}, [""]),
    "deep": ({"number": "S1", "deep": nested(28, "x" * 1_000_000)}, ["deep.a.a.a.a"]),
    "decimals": ({"number": "S1", "items": [{"price": Decimal("1.50"), "n": n} for n in range(60_000)]}, ["items"]),
}


@pytest.mark.parametrize("name", CASES)
def test_it_fits_keeps_what_is_small_and_names_the_places(name):
    value, expected = CASES[name]
    began = time.process_time()
    found, places = bounded(value)
    assert time.process_time() - began < 2.0
    assert len(strict_json.dump(found).encode()) <= MOST_BYTES
    assert found["number"] == "S1"
    assert sorted(places) == sorted(expected)


def test_what_fits_is_the_very_same():
    value = {"a": [1, Decimal("1.50")], "b": "x" * 1000}
    assert bounded(value) == (value, [])
    assert bounded(value)[0] is value


def test_the_first_lines_stay_in_order():
    found, _ = bounded([{"n": n} for n in range(1000)], 5000)
    assert [row["n"] for row in found] == list(range(len(found)))
    assert len(found) > 300
