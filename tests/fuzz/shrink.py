"""
From a run that broke a promise to the smallest case that still breaks it: fewer actions, fewer answers, smaller ones.

Delta debugging: whatever can be left out without the harm going away is left out. A trial plays the case on a service
of its own, so trials are few and the time for them is bounded.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from tests.fuzz.actions import Action, Add, Answer, Case
from tests.fuzz.course import Seen

T = TypeVar("T")
Fails = Callable[[Case], bool]
_MADE: Final = re.compile(rb"[A-Z]*\d+\.\d+-\d+")
"""What the references of a run look like (``entries.py``); others are numbers of Factus's, which no push names."""
_END_OF_HEAD: Final = b"\r\n\r\n"


@dataclass
class Shrinker:
    """
    Makes cases smaller.

    Attributes:
        fails: Whether a case still breaks the same promise.
        budget_s: No trial begins later.
        clock: For tests.
    """

    fails: Fails
    budget_s: float
    clock: Callable[[], float] = time.monotonic
    n_trials: int = 0
    _ends_at: float = field(init=False, default=0.0)

    def shrink(self, case: Case, *, seen: Seen | None = None) -> Case | None:
        """
        The smallest case found; None when it does not break the promise again.

        Args:
            seen: What had been going on; None when that is not known.
        """
        self._ends_at = self.clock() + self.budget_s
        start = next((tried for tried in _starts(case, seen or Seen()) if self._has_time and self._tried(tried)), None)
        if start is None:
            return None
        case = start
        actions = self._fewer(case.actions, lambda kept: _about(replace(case, actions=tuple(kept))))
        case = _about(replace(case, actions=tuple(actions)))
        names = self._fewer(list(case.answers), lambda kept: replace(case, answers={n: case.answers[n] for n in kept}))
        case = replace(case, answers={name: case.answers[name] for name in names})
        case = self._smaller_actions(case)
        return self._smaller_answers(case)

    @property
    def _has_time(self) -> bool:
        return self.clock() < self._ends_at

    def _tried(self, case: Case) -> bool:
        self.n_trials += 1
        return self.fails(case)

    def _fewer(self, rows: Sequence[T], case_of: Callable[[Sequence[T]], Case]) -> list[T]:
        """Delta debugging over a list: halves, quarters ... of it are left out as long as the harm stays."""
        kept, n_parts = list(rows), 2
        while len(kept) > 1 and self._has_time:
            size = -(-len(kept) // n_parts)
            for at in range(0, len(kept), size):
                rest = kept[:at] + kept[at + size :]
                if self._has_time and self._tried(case_of(rest)):
                    kept, n_parts = rest, max(n_parts - 1, 2)
                    break
            else:
                if size == 1:
                    break
                n_parts = min(n_parts * 2, len(kept))
        return kept

    def _smaller_actions(self, case: Case) -> Case:
        for n, action in enumerate(case.actions):
            if isinstance(action, Add):
                case = self._smaller_add(case, n, action)
        return case

    def _smaller_add(self, case: Case, n: int, add: Add) -> Case:
        def with_add(changed: Add) -> Case:
            actions: list[Action] = list(case.actions)
            actions[n] = changed
            return replace(case, actions=tuple(actions))

        while add.times > 1 and self._has_time:
            fewer = replace(add, times=add.times // 2)
            if not self._tried(with_add(fewer)):
                break
            add = fewer
        if len(add.fields) > 1:
            fields = self._fewer(add.fields, lambda kept: with_add(replace(add, fields=tuple(kept))))
            add = replace(add, fields=tuple(fields))
        for at, (_, value) in enumerate(add.fields):
            found = self._smaller_bytes(value, lambda changed, at=at, add=add: with_add(_with_value(add, at, changed)))
            add = _with_value(add, at, found)
        return with_add(add)

    def _smaller_answers(self, case: Case) -> Case:
        for key in list(case.answers):
            # The last answer goes on for ever: one is enough more often than not.
            for few in (case.answers[key][:1], case.answers[key][-1:]):
                smaller = replace(case, answers={**case.answers, key: tuple(few)})
                if len(case.answers[key]) > 1 and self._has_time and self._tried(smaller):
                    case = smaller
            for at, answer in enumerate(case.answers[key]):
                case = self._smaller_answer(case, key, at, answer)
        return case

    def _smaller_answer(self, case: Case, key: str, at: int, answer: Answer) -> Case:
        head, mark, body = answer.raw.partition(_END_OF_HEAD)
        if not mark:
            return case

        def with_body(changed: bytes) -> Case:
            rows = [row for row in head.split(b"\r\n") if not row.lower().startswith(b"content-length:")]
            told = b"\r\n".join([*rows, b"Content-Length: %d" % len(changed)])
            answers = list(case.answers[key])
            answers[at] = replace(answer, raw=told + mark + changed)
            return replace(case, answers={**case.answers, key: tuple(answers)})

        if not (self._has_time and self._tried(with_body(body))):
            return case  # what it says of its length is part of the harm
        return with_body(self._smaller_bytes(body, with_body))

    def _smaller_bytes(self, value: bytes, case_of: Callable[[bytes], Case]) -> bytes:
        """JSON loses keys, members and letters; what is no JSON loses bytes."""
        try:
            tree = json.loads(value, parse_float=_Verbatim, parse_int=_Verbatim)
            at_first = _text(tree)  # deeper than Python writes, it is made smaller as text
        except (ValueError, RecursionError):
            return self._shorter(value, case_of)
        if not (self._has_time and self._tried(case_of(at_first))):
            return self._shorter(value, case_of)  # the spelling matters: a repeated key, an escape
        progress = True
        while progress and self._has_time:
            progress = False
            for smaller in _smaller_trees(tree):
                if not self._has_time:
                    break
                if self._tried(case_of(_text(smaller))):
                    tree, progress = smaller, True
                    break
        return _text(tree)

    def _shorter(self, value: bytes, case_of: Callable[[bytes], Case]) -> bytes:
        size = len(value) // 2
        while size >= max(len(value) // 64, 1) and self._has_time:
            for at in range(0, len(value), size):
                rest = value[:at] + value[at + size :]
                if not self._has_time:
                    break
                if self._tried(case_of(rest)):
                    value = rest
                    break
            else:
                size //= 2
        return value


def _starts(case: Case, seen: Seen) -> Iterator[Case]:
    """Where to begin: what came last is most often enough, and most harm needs either pushes or answers."""
    bare = replace(case, answers={})
    if seen.subject:
        about = tuple(action for action in case.actions if _names(action, seen.subject.encode()))
        names = [name for name in case.answers if any(_names(action, _reference(name)) for action in about)]
        answers = {name: case.answers[name] for name in names}
        yield replace(bare, actions=about)
        if answers:
            yield replace(case, actions=about, answers=answers)
    tails = [case.actions[max(seen.n_done - n, 0) : seen.n_done] for n in (20, 100, 400) if seen.n_done]
    for tail in tails[:2]:
        yield replace(bare, actions=tail)
    for n in (5, 20, 100, 400) if seen.recent else ():
        recent = [name for name in seen.recent[:n] if name in case.answers]
        asked = tuple(action for action in case.actions if _asks_for(action, recent))
        yield replace(case, actions=asked, answers={name: case.answers[name] for name in recent})
    for tail in tails[2:]:
        yield replace(bare, actions=tail)
    yield bare
    if case.answers:
        yield case


def _names(action: Action, subject: bytes) -> bool:
    return isinstance(action, Add) and any(subject in raw for raw in action.raws)


def _asks_for(action: Action, names: Sequence[str]) -> bool:
    """Whether one of these requests is about what was pushed, as far as a reference tells."""
    made = [found for found in map(_reference, names) if _MADE.fullmatch(found)]
    return any(_names(action, reference) for reference in made or map(_reference, names))


def _about(case: Case) -> Case:
    """Without the answers to what nothing in the case asks for any more."""
    raws = [raw for action in case.actions if isinstance(action, Add) for raw in action.raws]
    names = [name for name in case.answers if not _MADE.fullmatch(_reference(name)) or _is_in(raws, _reference(name))]
    return replace(case, answers={name: case.answers[name] for name in names})


def _is_in(raws: Sequence[bytes], reference: bytes) -> bool:
    return any(reference in raw for raw in raws)


def _reference(name: str) -> bytes:
    """What a request is about: the last word or part of its name, as it stands in the job's bytes."""
    return re.split(r"[ /=]", name.replace("%2F", "/"))[-1].encode()


def _with_value(add: Add, at: int, value: bytes) -> Add:
    return replace(add, fields=(*add.fields[:at], (add.fields[at][0], value), *add.fields[at + 1 :]))


class _Verbatim(str):
    """A number as it was written."""

    __slots__ = ()


def _text(value: Any) -> bytes:
    return _written(value).encode("utf-8", "surrogatepass")


def _written(value: Any) -> str:
    if isinstance(value, _Verbatim):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value)  # escaped, so that a lone surrogate stays what it was


def _smaller_trees(node: Any) -> Iterator[Any]:
    """Trees a step smaller, the largest steps first."""
    if isinstance(node, dict):
        keys = list(node)
        for size in _sizes(len(keys)):
            for at in range(0, len(keys), size):
                yield {key: node[key] for key in keys[:at] + keys[at + size :]}
        for key in keys:
            for smaller in _smaller_trees(node[key]):
                yield {**node, key: smaller}
    elif isinstance(node, list):
        for size in _sizes(len(node)):
            for at in range(0, len(node), size):
                yield node[:at] + node[at + size :]
        for n, item in enumerate(node[:20]):
            for smaller in _smaller_trees(item):
                yield [*node[:n], smaller, *node[n + 1 :]]
    elif isinstance(node, str) and len(node) > 12:
        kind = type(node)
        yield kind(node[: len(node) // 2])
        yield kind(node[len(node) // 2 :])


def _sizes(n: int) -> Iterator[int]:
    """Half of it, a quarter ... down to one; few steps, because each is a trial."""
    size = n // 2
    while size > 1:
        yield size
        size //= 4
    if n:
        yield 1
