"""
The alerts of ``deploy/alerts.yaml``, evaluated here: as much of Prometheus's language as they use.

What it says is held against promtool by ``deploy/alerts_test.yaml``, which both of them run (``tests/test_alerts.py``,
``make deep``).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from prometheus_client.parser import text_string_to_metric_families

RULES: Final = Path(__file__).resolve().parents[1] / "deploy" / "alerts.yaml"
NAME: Final = "__name__"
STALE_S: Final = 300.0
"""For so long a series counts that no scrape has shown any more; one that a scrape left out counts no more at once."""

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
Value = float | Vector
_OPERATORS: Final[dict[str, Callable[[float, float], Any]]] = {
    "==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
}  # fmt: skip
_COMPARES: Final = frozenset({"==", "!=", ">=", "<=", ">", "<"})
_BINDS: Final = {"or": 1, "and": 2, **dict.fromkeys(_COMPARES, 3), "+": 4, "-": 4, "*": 5, "/": 5}
_FOLDS: Final[dict[str, Callable[[Iterable[float]], float]]] = {"max": max, "min": min, "sum": sum}
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d+)?(?![\w.]))|(?P<range>\[\d+[smhd]\])|(?P<text>"(?:[^"\\]|\\.)*")|(?P<name>[a-zA-Z_]\w*)"""
    r"""|(?P<sign>==|!=|=~|!~|>=|<=|[-+*/<>=(){},]))"""
)
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(text: str) -> float:
    """``5m`` in seconds."""
    return int(text[:-1]) * _UNITS[text[-1]]


def scraped(text: str, job: str = "factus", instance: str = "w1") -> Vector:
    """The samples of a scrape, with the labels that Prometheus puts on them; empty text: nobody answered."""
    target = {("job", job), ("instance", instance)}
    found: Vector = {frozenset({*target, (NAME, "up")}): float(bool(text))}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            found[frozenset({*target, (NAME, one.name), *one.labels.items()})] = one.value
    return {frozenset(pair for pair in labels if pair[1]): value for labels, value in found.items()}


@dataclass
class History:
    """Scrapes one after the other; instants are seconds since 1970."""

    scrapes: list[tuple[float, Vector]] = field(default_factory=list)

    def add(self, at_s: float, *found: Vector) -> None:
        """The scrapes of one moment, one of each target."""
        self.scrapes.append((at_s, {labels: value for one in found for labels, value in one.items()}))

    def at(self, at_s: float) -> Vector:
        """The newest scrape of that moment."""
        found = [vector for when, vector in self.scrapes if at_s - STALE_S < when <= at_s]
        return found[-1] if found else {}

    def within(self, at_s: float, length_s: float) -> dict[Labels, list[float]]:
        """Every value of each series in the time before."""
        found: dict[Labels, list[float]] = {}
        for when, vector in self.scrapes:
            if at_s - length_s < when <= at_s:
                for labels, value in vector.items():
                    found.setdefault(labels, []).append(value)
        return found


class _Reading:
    """Reads an expression and reckons it in one go."""

    def __init__(self, text: str, history: History, at_s: float) -> None:
        self._tokens = _tokens(text)
        self._place = 0
        self._history = history
        self._at_s = at_s

    def value(self) -> Value:
        found = self._binary(0)
        assert self._peek() == "", f"not understood: {self._tokens[self._place :]}"
        return found

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _next(self, wanted: str = "") -> str:
        token = self._peek()
        assert token, "the expression ends too soon"
        assert wanted in ("", token), f"{token!r} in place of {wanted!r}"
        self._place += 1
        return token

    def _binary(self, least: int) -> Value:
        left = self._unary()
        while (sign := self._peek()) in _BINDS and _BINDS[sign] > least:
            self._next()
            left = _joined(sign, left, self._binary(_BINDS[sign]))
        return left

    def _unary(self) -> Value:
        token = self._next()
        if token == "(":
            found = self._binary(0)
            self._next(")")
            return found
        if token[0].isdigit():
            return float(token)
        if token == "time":
            self._next("(")
            self._next(")")
            return float(self._at_s)
        if token == "absent":
            found = self._argument()
            assert isinstance(found, dict)
            return {} if found else {frozenset(): 1.0}
        if token in _FOLDS or token == "count":
            return self._folded(token)
        if match := re.fullmatch(r"(max|min)_over_time", token):
            return self._over_time(_FOLDS[match[1]])
        return self._selected(self._history.at(self._at_s), token)

    def _argument(self) -> Value:
        self._next("(")
        found = self._binary(0)
        self._next(")")
        return found

    def _folded(self, how: str) -> Vector:
        by: set[str] = set()
        if self._peek() == "by":
            self._next()
            self._next("(")
            while (label := self._next()) != ")":
                by |= {label} - {","}
        found = self._argument()
        assert isinstance(found, dict)
        groups: dict[Labels, list[float]] = {}
        for labels, value in found.items():
            groups.setdefault(frozenset(pair for pair in labels if pair[0] in by), []).append(value)
        fold = _FOLDS.get(how, lambda values: float(len([*values])))
        return {labels: fold(values) for labels, values in groups.items()}

    def _over_time(self, fold: Callable[[Iterable[float]], float]) -> Vector:
        self._next("(")
        name, start = self._next(), self._place
        self._selected({}, name)  # to find its range
        after, length_s = self._place + 1, seconds(self._next()[1:-1])
        self._place = start
        values = self._history.within(self._at_s, length_s)
        chosen = self._selected(dict.fromkeys(values, 0.0), name, keeps_name=True)
        self._place = after
        self._next(")")
        return {_unnamed(labels): fold(values[labels]) for labels in chosen}

    def _selected(self, vector: Vector, name: str, *, keeps_name: bool = False) -> Vector:
        tests: list[Callable[[Mapping[str, str]], bool]] = [lambda labels: labels.get(NAME) == name]
        if self._peek() == "{":
            self._next()
            while self._peek() != "}":
                tests.append(_matcher(self._next(), self._next(), self._next()[1:-1]))
                if self._peek() == ",":
                    self._next()
            self._next("}")
        found = {labels: value for labels, value in vector.items() if all(test(dict(labels)) for test in tests)}
        return found if keeps_name else {_unnamed(labels): value for labels, value in found.items()}


def _unnamed(labels: Labels) -> Labels:
    return frozenset(pair for pair in labels if pair[0] != NAME)


def _matcher(label: str, sign: str, wanted: str) -> Callable[[Mapping[str, str]], bool]:
    if sign in ("=", "!="):
        return lambda labels: (labels.get(label, "") == wanted) is (sign == "=")
    pattern = re.compile(wanted)
    return lambda labels: bool(pattern.fullmatch(labels.get(label, ""))) is (sign == "=~")


def _joined(sign: str, left: Value, right: Value) -> Value:
    if sign == "or":
        assert isinstance(left, dict)
        assert isinstance(right, dict)
        return {**right, **left}
    do = _OPERATORS[sign]
    if isinstance(left, float) and isinstance(right, float):
        return float(do(left, right))
    if isinstance(left, float):
        assert isinstance(right, dict)
        assert sign not in _COMPARES
        return {labels: do(left, value) for labels, value in right.items()}
    pairs = (
        [(labels, value, right) for labels, value in left.items()]
        if isinstance(right, float)
        else [(labels, value, right[labels]) for labels, value in left.items() if labels in right]
    )
    if sign in _COMPARES:
        return {labels: value for labels, value, other in pairs if do(value, other)}
    return {labels: do(value, other) for labels, value, other in pairs}


@cache
def _tokens(text: str) -> tuple[str, ...]:
    found, place = [], 0
    while place < len(text.rstrip()):
        match = _TOKEN.match(text, place)
        assert match, f"not understood: {text[place:]}"
        found.append(match[0].strip())
        place = match.end()
    return tuple(found)


def evaluated(expr: str, history: History, at_s: float) -> Vector:
    """An expression at one moment: the series for which it holds."""
    found = _Reading(expr, history, at_s).value()
    assert isinstance(found, dict)
    return found


# -- alerts ------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Firing:
    """One alert that fires, with its words."""

    name: str
    labels: dict[str, str]
    annotations: dict[str, str]


@dataclass(frozen=True)
class Rule:
    """One alert as it is written."""

    name: str
    expr: str
    for_s: float
    severity: str
    annotations: dict[str, str]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Ids of problems of ``status``, or else of checks of ``doctor`` or of an event."""
        return tuple(self.annotations.get("kind", "").split(", "))

    def firing(self, history: History, at_s: float) -> list[Firing]:
        """What fires at a moment: what has held at each scrape for as long as it has to, and still does."""
        found = evaluated(self.expr, history, at_s)
        if not found:
            return []
        earlier = [when for when, _ in history.scrapes if when <= at_s - self.for_s]
        moments = [when for when, _ in history.scrapes if earlier and earlier[-1] <= when <= at_s]
        seen = [evaluated(self.expr, history, when) for when in moments]
        held = [labels for labels in found if seen and all(labels in one for one in seen)]
        return [
            Firing(self.name, {"severity": self.severity, **dict(labels)}, self._words(dict(labels), found[labels]))
            for labels in sorted(held, key=sorted)
        ]

    def _words(self, labels: Mapping[str, str], value: float) -> dict[str, str]:
        def filled(match: re.Match[str]) -> str:
            return labels.get(match[1], "") if match[1] else f"{value:g}"

        pattern = re.compile(r"\{\{ (?:\$labels\.(\w+)|\$value) \}\}")
        return {name: pattern.sub(filled, text) for name, text in self.annotations.items()}


@cache
def rules() -> tuple[Rule, ...]:
    """The alerts of the file, in its order."""
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return tuple(
        Rule(one["alert"], one["expr"], seconds(one["for"]), one["labels"]["severity"], one["annotations"])
        for one in group["rules"]
    )


def firing(history: History, at_s: float) -> list[Firing]:
    """All that fires at a moment."""
    return [one for rule in rules() for one in rule.firing(history, at_s)]


def standing(found: Sequence[Vector], at_s: float, *, for_s: float = 900.0, every_s: float = 60.0) -> History:
    """A history in which one state has been scraped again and again for some time."""
    history = History()
    for n in range(int(for_s // every_s) + 1):
        history.add(at_s - for_s + n * every_s, *found)
    return history


# -- the page ----------------------------------------------------------------------------------------------------------
_AFTER: Final = {0.0: "at once"}


def table() -> list[str]:
    """The table of docs/operations.md, one line each."""
    lines = ["| alert | kind | when | after | what to do |", "|---|---|---|---|---|"]
    for rule in rules():
        when, what = (_plain(rule.annotations[name]) for name in ("summary", "mend"))
        named = ", ".join(f"`{kind}`" for kind in rule.kinds if kind.strip("-"))
        kinds = "any other" if rule.kinds == ("*",) else named
        after = _AFTER.get(rule.for_s) or (f"{rule.for_s:g} s" if rule.for_s < 60 else f"{rule.for_s / 60:g} min")
        lines.append(f"| `{rule.name}` ({rule.severity}) | {kinds} | {when} | {after} | {what} |")
    return lines


def _plain(text: str) -> str:
    """With a label's name in its place."""
    return re.sub(r"\{\{ \$(?:labels\.)?(\w+) \}\}", lambda match: match[1].upper(), text)


if __name__ == "__main__":
    print("\n".join(table()))
