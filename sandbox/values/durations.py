"""Durations as people write them on a command line: `250ms`, `60s`, `5m`; and ranges of them."""

import re
from dataclasses import dataclass
from typing import Final

_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_duration_s(text: str) -> float:
    """Seconds in a text such as `250ms`; a bare `0` needs no unit. Raises ValueError for anything else."""
    if text == "0":
        return 0.0
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"not a duration: {text!r} (write for instance 250ms, 60s or 5m)")
    return float(match[1]) * _UNIT_S[match[2]]


@dataclass(frozen=True, slots=True)
class Latency:
    """A uniform range of seconds; low and high are equal for a fixed latency."""

    low_s: float = 0.0
    high_s: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Latency":
        low, dash, high = text.partition("-")
        low_s = parse_duration_s(low)
        high_s = parse_duration_s(high) if dash else low_s
        if high_s < low_s:
            raise ValueError(f"not a range: {text!r} (the first duration is the longer one)")
        return cls(low_s, high_s)

    def scaled(self, factor: float) -> "Latency":
        return Latency(self.low_s * factor, self.high_s * factor)
