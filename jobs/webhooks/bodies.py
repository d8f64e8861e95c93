"""
The body of a delivery: an event's JSON without what its endpoint does not want. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from schemas import strict_json
from schemas.names import subject_of

_DECODER: Final = json.JSONDecoder(parse_float=Decimal)
"""Events are ours: their bounds are those of what they were made of, and are not measured again."""

Path = tuple[str, ...]


class UnreadableEvent(ValueError):
    """An entry of a result stream that is no event: somebody else wrote it."""


@dataclass(frozen=True, slots=True)
class EventHead:
    """What is asked of an event to know where it goes."""

    id: str
    type: str
    account: str
    job_id: str
    seq: int
    reference_code: str
    about: str
    """The endpoint that an event ``webhook.*`` is about; empty for others."""


def read_event(raw: bytes) -> tuple[EventHead, dict[str, Any]]:
    """
    An event as it was published: what is asked of it, and the whole.

    Raises:
        UnreadableEvent: It is none.
    """
    try:
        event = _DECODER.decode(raw.decode())
    except (ValueError, RecursionError, InvalidOperation) as exc:
        raise UnreadableEvent(type(exc).__name__) from exc
    if not isinstance(event, dict) or not isinstance(event.get("id"), str) or not isinstance(event.get("type"), str):
        raise UnreadableEvent("no id and type")
    seq, data = event.get("seq"), event.get("data")
    about = data.get("endpoint") if isinstance(data, dict) and subject_of(event["type"]) == "webhook" else None
    head = EventHead(
        id=event["id"],
        type=event["type"],
        account=_text(event.get("account")),
        job_id=_text(event.get("job_id")),
        seq=seq if isinstance(seq, int) else 0,
        reference_code=_text(event.get("reference_code")),
        about=_text(about),
    )
    return head, event


def body_of(raw: bytes, event: dict[str, Any], omit: Sequence[Path]) -> bytes:
    """
    The bytes that are sent: those that were published, where nothing is left out.

    Args:
        raw: The event as published.
        event: The same, read; it is not changed.
        omit: Places, from the top: ``("data", "factus")``. Through a list they go into each member.
    """
    found: Any = event
    for path in omit:
        found = _without(found, path)
    return raw if found is event else strict_json.dump(found).encode()


def _without(value: Any, path: Path) -> Any:
    """The value without the place; the same object when it is not there."""
    if isinstance(value, list):
        members = [_without(member, path) for member in value]
        return value if all(new is old for new, old in zip(members, value, strict=True)) else members
    if not isinstance(value, dict) or path[0] not in value:
        return value
    if len(path) == 1:
        return {key: member for key, member in value.items() if key != path[0]}
    inner = _without(value[path[0]], path[1:])
    return value if inner is value[path[0]] else {**value, path[0]: inner}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
