"""Changes of examples: any single member replaced or left out, for tests that try many."""

import copy
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.sandbox.api import example

VALUES = st.sampled_from(
    [..., "", "x", "99", 0, 1, -1, 2.5, True, [], {}, "2026-1-1", "25:00:00", "-5.00", "1e3", " 1"]
)
TEXTS = st.text(max_size=40) | st.sampled_from(["\x00", "\ufffe", "]]>", "(\\", "\n", "٣", "²", "1" * 40])


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of every member and element in a body."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    found = []
    for key, value in inner:
        found += [(*path, key), *places(value, (*path, key))]
    return found


def changed(name: str, place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    body: dict[str, Any] = copy.deepcopy(example(name))
    holder: Any = body
    for key in place[:-1]:
        holder = holder[key]
    if value is not ...:
        holder[place[-1]] = value
    elif isinstance(holder, dict):
        del holder[place[-1]]
    return body


def with_decimals(node: Any) -> Any:
    """Numbers as the server reads them: decimals, never binary floats."""
    if isinstance(node, float):
        return Decimal(str(node))
    if isinstance(node, dict):
        return {key: with_decimals(value) for key, value in node.items()}
    return [with_decimals(value) for value in node] if isinstance(node, list) else node
