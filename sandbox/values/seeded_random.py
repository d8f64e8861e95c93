"""Chance that can be repeated: a draw is a function of the seed and of what it is drawn for, never of the order."""

from hashlib import blake2b
from typing import Final

_SCALE: Final = float(1 << 64)


def draw(seed: int, *what: object) -> float:
    """A number in [0, 1) that is always the same for the same seed and the same *what*."""
    text = "\x1f".join([str(seed), *map(str, what)])
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") / _SCALE
