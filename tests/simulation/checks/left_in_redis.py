"""What must be gone from Redis when all is done."""

from __future__ import annotations

from collections.abc import Iterable

_EMPTY_AT_THE_END = (
    ":waiting",
    ":later",
    ":flight",
    ":joined",
    ":lanes",
    ":lanes:due",
    ":deadlines",
    ":terms",
    ":arq:queue",
    ":lock",
)


def leftover_keys(keys: Iterable[str], namespace: str) -> list[str]:
    """Keys that must be gone when all is done: lanes, deadlines, joined jobs, arq's books."""
    return [
        f"{key} still exists"
        for key in keys
        if (key.startswith(f"{namespace}:") and key.endswith(_EMPTY_AT_THE_END))
        # arq's count of tries of a killed worker's run ends by itself, after a day.
        or (key.startswith("arq:") and f":{namespace}:" in key and not key.startswith("arq:retry:"))
    ]
