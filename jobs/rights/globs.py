"""
Globs of ``*`` alone: what a token grants, and what a key lets it grant.

Anchored at both ends and case-sensitive; every other character stands for itself (no ``?``, no ``[a-z]``).
"""

from __future__ import annotations

from collections.abc import Iterable


def matches(glob: str, name: str) -> bool:
    """Whether a glob fits a whole name. Takes time in proportion to both, whatever stands in them."""
    first, *rest = glob.split("*")
    if not rest:
        return glob == name
    *middle, last = rest
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for part in middle:  # the first place where a part fits leaves the most room for those behind it
        at = name.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def any_matches(globs: Iterable[str], name: str) -> bool:
    """Whether one of several globs fits a whole name."""
    return any(matches(glob, name) for glob in globs)
