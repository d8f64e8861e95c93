"""
What hostile hands do to the service, as values: pushes, deletions, planted keys; and how a case is written down.

A case holds the bytes themselves, not the chance that made them: it says the same whatever becomes of the generator.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_LONGEST_PLAIN: Final = 2000


@dataclass(frozen=True)
class Add:
    """One XADD, or *times* equal ones."""

    fields: tuple[tuple[bytes, bytes], ...]
    owner: str = ""
    """The account into whose own stream it goes; empty for the common one."""
    id: str = "*"
    maxlen: int | None = None
    times: int = 1
    is_good: bool = False
    """An honest job of an account that Factus serves well: it must be done, and in time."""

    @property
    def size(self) -> int:
        return self.times * sum(len(name) + len(value) for name, value in self.fields)

    @property
    def raws(self) -> list[bytes]:
        return [value for name, value in self.fields if name == b"job"]


@dataclass(frozen=True)
class Delete:
    """XDEL of the entry that was pushed *back* pushes before."""

    back: int


@dataclass(frozen=True)
class Plant:
    """A key of another kind where the service wants its own; *name* is what follows the namespace."""

    name: str
    kind: str


Action = Add | Delete | Plant


@dataclass(frozen=True)
class Answer:
    """What Factus's side sends for one request: bytes as they stand on the wire, and how."""

    raw: bytes
    filler: bytes = b""
    """Sent *times* times behind *raw*."""
    times: int = 0
    chunk: int = 0
    """Bytes at once, with *pause_s* between; 0 for all at once."""
    pause_s: float = 0.0
    wait_s: float = 0.0
    """Before the first byte."""


@dataclass(frozen=True)
class Case:
    """Something to be played again: the actions in their order, and Factus's answers by request."""

    actions: tuple[Action, ...]
    answers: Mapping[str, Sequence[Answer]] = field(default_factory=dict)
    about: str = ""
    violates: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "about": self.about,
            "violates": self.violates,
            "actions": [_action(action) for action in self.actions],
            "answers": {name: [_answer(one) for one in found] for name, found in self.answers.items()},
        }

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> Case:
        answers = {name: tuple(_read_answer(one) for one in found) for name, found in raw["answers"].items()}
        actions = tuple(_read_action(action) for action in raw["actions"])
        return Case(actions, answers, raw["about"], raw["violates"])


def _action(action: Action) -> dict[str, Any]:
    match action:
        case Add():
            told: dict[str, Any] = {"fields": [[_bytes(name), _bytes(value)] for name, value in action.fields]}
            told |= {name: getattr(action, name) for name in ("owner", "id", "maxlen", "times", "is_good")}
            return {name: value for name, value in told.items() if value != getattr(Add(()), name)}
        case Delete(back):
            return {"delete": back}
        case Plant(name, kind):
            return {"plant": name, "kind": kind}


def _read_action(raw: Mapping[str, Any]) -> Action:
    if "delete" in raw:
        return Delete(raw["delete"])
    if "plant" in raw:
        return Plant(raw["plant"], raw["kind"])
    fields = tuple((_read_bytes(name), _read_bytes(value)) for name, value in raw.get("fields", ()))
    return Add(fields, **{name: value for name, value in raw.items() if name != "fields"})


def _answer(answer: Answer) -> dict[str, Any]:
    told = {"raw": _bytes(answer.raw), "filler": _bytes(answer.filler)}
    told |= {name: getattr(answer, name) for name in ("times", "chunk", "pause_s", "wait_s")}
    return {name: value for name, value in told.items() if value}


def _read_answer(raw: Mapping[str, Any]) -> Answer:
    found = dict(raw)
    return Answer(_read_bytes(found.pop("raw", "")), _read_bytes(found.pop("filler", "")), **found)


def _bytes(value: bytes) -> str | dict[str, str]:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if len(value) <= _LONGEST_PLAIN and (text or not value):
        return text
    return {"z": base64.b64encode(zlib.compress(value, 9)).decode()}


def _read_bytes(value: str | Mapping[str, str]) -> bytes:
    return value.encode() if isinstance(value, str) else zlib.decompress(base64.b64decode(value["z"]))
