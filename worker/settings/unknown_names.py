"""
Names that mean nothing here, told with the one that may have been meant.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def told_unknown(name: str, known: Iterable[str]) -> str:
    """One sentence about *name*, with the nearest of the *known* ones where one is near."""
    close = nearest(name, known)
    return f"{name} is no setting" + (f"; did you mean {close}?" if close else "")


def nearest(name: str, known: Iterable[str]) -> str:
    """Which of the *known* ones may be meant by *name*; empty where none is near."""
    # What all of them begin with says nothing of which is meant.
    own = {one.removeprefix("FACTUS_").upper(): one for one in known}
    close = get_close_matches(name.upper().removeprefix("FACTUS").lstrip("_-"), own, n=1, cutoff=0.6)
    return own[close[0]] if close else ""
