"""
A file that is one array of JSON, taken apart into its elements: each is held to the bounds of a job, the file is not.

Nothing is built here: brackets and texts are counted, in one pass over the bytes that never goes back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from schemas.strict_json import MAX_MARKS

MOST_ELEMENT_BYTES: Final = 16 * 1024 * 1024
"""Of one element as it is written. A job has 1 MiB at most, without the blanks and escapes that a file may have."""

_MOST_BRACKETS: Final = 10 * MAX_MARKS
"""Of one element. Of a job that has a few too many the end is found, and what is behind it is read."""

_BLANK: Final = re.compile(rb"[ \t\r\n]*+")
# Possessive, so that no input makes the search go back over what it has read. Texts are looked over whole.
_BETWEEN_BRACKETS: Final = re.compile(rb'(?:[^][{}"]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_SCALAR: Final = re.compile(rb'(?:[^][{}",]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_OPENING: Final = b"[{"
_BRACKETS: Final = b"[]{}"


@dataclass(frozen=True, slots=True)
class Element:
    """Where an element stands, its end not included."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An element that begins and has no end, up to the end of the file."""

    start: int


@dataclass(frozen=True, slots=True)
class TooLong:
    """An element of more than :data:`MOST_ELEMENT_BYTES`, or all brackets; where it ends was not looked for."""

    start: int


@dataclass(frozen=True, slots=True)
class Broken:
    """What is no array at this place; ``fault`` is the word of Python's own reader for it."""

    at: int
    fault: str


Part = Element | Unfinished | TooLong | Broken


def is_array(data: bytes) -> bool:
    return data.startswith(b"[", _after_blank(data, 0))


def parts_of(data: bytes, *, most: int = MOST_ELEMENT_BYTES) -> Iterator[Part]:
    """
    The elements of an array, in order. What is no :class:`Element` is the last part.

    Args:
        data: Bytes of which :func:`is_array` is true.
    """
    at = _after_blank(data, _after_blank(data, 0) + 1)
    if data.startswith(b"]", at):
        yield from _rest(data, at + 1)
        return
    while True:
        if at == len(data):
            yield Broken(at, "Expecting value")
            return
        end = _end_of(data, at, most)
        if isinstance(end, Unfinished | TooLong):
            yield end
            return
        if end == at:
            yield Broken(at, "Expecting value")
            return
        yield Element(at, end)
        behind = _after_blank(data, end)
        if data.startswith(b"]", behind):
            yield from _rest(data, behind + 1)
            return
        if not data.startswith(b",", behind):
            yield Broken(behind, "Expecting ',' delimiter")
            return
        at = _after_blank(data, behind + 1)
        if data.startswith(b"]", at):
            yield Broken(behind, "Illegal trailing comma before end of array")
            return


def _rest(data: bytes, at: int) -> Iterator[Part]:
    at = _after_blank(data, at)
    if at < len(data):
        yield Broken(at, "Extra data")


def _end_of(data: bytes, start: int, most: int) -> int | Unfinished | TooLong:
    """Behind the last byte of an element, where that is found within *most* bytes."""
    stop = min(start + most, len(data))
    endless = TooLong(start) if stop < len(data) else Unfinished(start)
    if data[start : start + 1] not in (b"[", b"{"):
        end = _matched(_SCALAR, data, start, stop)
        # A text that nobody closes stops the search at its quote.
        return endless if end == stop or data.startswith(b'"', end) else end
    at, depth = start, 0
    for _ in range(_MOST_BRACKETS):
        if at >= stop or data[at] not in _BRACKETS:
            return endless
        depth += 1 if data[at] in _OPENING else -1
        at += 1
        if not depth:
            return at
        at = _matched(_BETWEEN_BRACKETS, data, at, stop)
    return TooLong(start)


def _matched(pattern: re.Pattern[bytes], data: bytes, at: int, stop: int) -> int:
    found = pattern.match(data, at, stop)
    assert found is not None, "it fits nothing at all too"
    return found.end()


def _after_blank(data: bytes, at: int) -> int:
    return _matched(_BLANK, data, at, len(data))
