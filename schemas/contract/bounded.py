"""
Foreign JSON cut to a size: what Factus gave goes into events, and an event is read into memory by everybody who follows
the stream.

The small parts of an object stay whole and the large ones are shortened, at their end, so that the total is kept. Each
place where something was cut is named.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from pydantic_core import PydanticSerializationError, to_json

MOST_BYTES: Final = 512 * 1024
"""Of what Factus gave, in one event. A document of 800 lines has less."""

_MOST_PLACES: Final = 20
_LONGEST_PLACE: Final = 100
_MOST_MEMBERS: Final = 2000
_DEEPEST: Final = 4  # what is too large deeper down is left out whole: each level measures what lies below it
_SLICE: Final = 500
_FEW: Final = 8
_LEAST: Final = 64  # below it nothing readable is left of a text or an object
_measure: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False, default=str).encode


def bounded(value: Any, most_bytes: int = MOST_BYTES) -> tuple[Any, list[str]]:
    """
    A value in at most *most_bytes* of JSON.

    Returns:
        The value, the very same when it fits, and the dotted places of what was shortened or left out (20 at most).
    """
    size = _size(value)
    if size <= most_bytes:
        return value, []
    places: dict[str, None] = {}
    return _fit(value, size, most_bytes, "", 0, places), [*places][:_MOST_PLACES]


def _fit(value: Any, size: int, room: int, place: str, depth: int, places: dict[str, None]) -> Any:
    if size <= room:
        return value
    if room < _LEAST or depth > _DEEPEST or not isinstance(value, (str, list, dict)):
        places[place] = None
        return None
    if isinstance(value, str):
        places[place] = None
        # A character takes six bytes at most (a control character); the quotes and the ellipsis stand beside.
        wide = value[: room // 2 - 4]
        return f"{wide if _size(wide) <= room - 8 else value[: room // 6 - 2]}…"
    return (
        _first_items(value, size, room, place, depth, places)
        if isinstance(value, list)
        else _members(value, size, room, place, depth, places)
    )


def _first_items(items: list[Any], size: int, room: int, place: str, depth: int, places: dict[str, None]) -> list[Any]:
    """
    The first ones that fit. One that is alone too large is shortened itself.

    Slices double while they fit, and are single items once one did not: a large item is measured twice at most.
    """
    n_kept, left, step, longest = 0, room - 2, 1, _SLICE
    of_slice = _first_size(items, size)
    while n_kept < len(items):
        if n_kept:
            of_slice = _size(items[n_kept : n_kept + step]) - 1
        if of_slice <= left:
            n_kept += step
            left -= of_slice
            step = min(step * 2, longest)
        elif step > 1 and n_kept + 1 < len(items):
            step = longest = 1
        else:
            break
    if n_kept < len(items) and (n_kept or len(items) > 1):
        places[place] = None
    if n_kept or not items:
        return items[:n_kept]
    return [_fit(items[0], of_slice - 1, left - 1, _inside(place, "0"), depth + 1, places)]


def _first_size(items: list[Any], size: int) -> int:
    """Bytes of the first item and its comma: of a large one among a few, what the others leave."""
    others = items[1:]
    if len(others) < _FEW and all(_extent(other) <= _extent(items[0]) for other in others):
        return size - 1 - (_size(others) - 1 if others else 0)
    return _size(items[:1]) - 1


def _members(
    members: Mapping[str, Any], size: int, room: int, place: str, depth: int, places: dict[str, None]
) -> dict[str, Any]:
    """Every member gets an equal share; what a small one leaves goes to the larger ones."""
    held = dict(islice(members.items(), _MOST_MEMBERS))
    is_whole = len(held) == len(members)
    if not is_whole:
        places[place] = None
    sizes = _sizes(held, size if is_whole else None)
    left, n_left = room - 2, len(held)
    kept: dict[str, Any] = {}
    for key in sorted(held, key=lambda key: sum(sizes[key])):
        share = left // n_left
        n_left -= 1
        of_key, of_item = sizes[key]
        if of_key + min(of_item, 4) > share:
            places[place] = None
            continue  # even its name is too long for what is left
        kept[key] = _fit(held[key], of_item, share - of_key, _inside(place, key), depth + 1, places)
        left -= of_key + (of_item if kept[key] is held[key] else _size(kept[key]))
    return {key: kept[key] for key in held if key in kept}


def _sizes(members: Mapping[str, Any], size: int | None) -> dict[str, tuple[int, int]]:
    """
    Bytes of each name, with what stands beside it, and of each value.

    Where the *size* of all is known, the value that seems the largest is not measured: it is what the others leave. An
    answer that is one object in another is then measured once, not once for each level.
    """
    sizes = {key: (_size(key) + 2, 0) for key in members}
    largest = max(members, key=lambda key: _extent(members[key]), default=None) if size is not None else None
    for key, item in members.items():
        if key != largest:
            sizes[key] = (sizes[key][0], _size(item))
    if largest is not None and size is not None:
        others = sum(map(sum, sizes.values()))
        sizes[largest] = (sizes[largest][0], max(size - 1 - others, 1))  # 1: two braces, and a comma less than members
    return sizes


def _extent(item: Any) -> int:
    """How large a value seems, at a glance: objects and lists before texts."""
    if isinstance(item, (dict, list)):
        return 1_000_000_000 + len(item)
    return len(item) if isinstance(item, str) else 0


def _inside(place: str, name: str) -> str:
    return f"{place}.{name}"[-_LONGEST_PLACE:] if place else name[:_LONGEST_PLACE]


def _size(value: Any) -> int:
    """Bytes of the JSON; of a decimal two more, which is no matter."""
    try:
        return len(to_json(value))
    except (PydanticSerializationError, ValueError):  # a lone surrogate has no UTF-8 form; and some values are too deep
        return len(_measure(value).encode("utf-8", "surrogatepass"))
