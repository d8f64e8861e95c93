"""
No payload trips its rules: each key of each job type, in its example and beside it, with a value of every wrong shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from jobs.example_payloads import example
from jobs.registry import JOB_TYPES
from schemas.payload.shape import Shape
from schemas.payload.validate import validate

TODAY = date(2026, 11, 29)
WRONG: tuple[Any, ...] = (
    *(None, True, -1, 10**30, 1.5, "x", "", [], {}, {"": 1}, {"a": {}}),
    *([element] for element in (None, 5, "x", [], [[]], {}, ["x"], {"a": []})),
)
Place = tuple[str | int, ...]


def places(shape: Shape | None, node: Any, at: Place = ()) -> Iterator[Place]:
    """Where something stands in a payload, and where its model would have something."""
    yield at
    if isinstance(node, dict):
        fields = shape.fields if shape else {}
        yield from ((*at, key) for key in fields.keys() - node.keys())
        for key, below in node.items():
            yield from places(fields[key].part if key in fields else None, below, (*at, key))
    elif isinstance(node, list) and node:
        yield from places(shape, node[0], (*at, 0))


def bent(node: Any, at: Place, value: Any) -> Any:
    """A copy in which *value* stands at a place."""
    if not at:
        return value
    step, *rest = at
    copy = list(node) if isinstance(node, list) else dict(node)
    copy[step] = bent(copy[step] if rest else None, tuple(rest), value)
    return copy


@pytest.mark.parametrize("name", JOB_TYPES)
def test_a_value_of_any_shape_is_told_and_trips_nobody(name: str) -> None:
    spec, payload = JOB_TYPES[name].payload, example(name)
    for at in places(spec.shape, payload):
        for value in WRONG:
            found = validate(spec, bent(payload, at, value), today=TODAY)
            assert all(error.message for error in found.errors)
