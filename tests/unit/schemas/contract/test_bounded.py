"""What Factus gave, cut to a size: small things stay whole, large ones are shortened, and each place is named."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import pytest

from schemas import strict_json
from schemas.contract import bounded as bounded_module
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


def _chain(inner: Any, level: int) -> Any:
    return inner if level == 0 else {"note": "x", "data": _chain(inner, level - 1)}


NESTED = {
    "objects in objects": _chain([{"x": "é" * 50, "y": n} for n in range(4000)], 5),
    "lists in lists": [[[[["y" * 900_000], 1], 2], 3], 4],
    "a large item behind small ones": [*range(700), "y" * 900_000],
    "large items among small ones": [{"n": n, "of": "y" * (300_000 if n % 100 == 99 else 3)} for n in range(500)],
}


@pytest.mark.parametrize("value", NESTED.values(), ids=NESTED)
def test_what_is_nested_is_not_measured_anew_at_each_level(value, monkeypatch):
    """Megabytes were measured once for each level that they lay deep, and held the event loop for 290 ms."""
    measured: list[int] = []

    def measure(one: Any) -> str:
        text = json.dumps(one, ensure_ascii=False, separators=(",", ":"))
        measured.append(len(text.encode()))
        return text

    monkeypatch.setattr(bounded_module, "_measure", measure)
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    found, places = bounded(value, 100_000)
    assert places
    assert len(json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()) <= 100_000
    assert sum(measured) <= 3 * size + 3 * 100_000
