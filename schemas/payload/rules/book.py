"""
What a rule is, and what it can say: rules are data with an id, a level, a source and a check.

A rule book holds the rules about one kind of node (the customer, each item ...). Checks see values of the right type
only: what the shape stage refused has been taken out, so a check treats an absent value as somebody else's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, TypeAlias

from schemas.payload.findings import Level, Place, Violation, dotted
from schemas.payload.totals import Amounts

Node: TypeAlias = dict[str, Any]


class Finding(NamedTuple):
    """What a check found: a place below its node ("" for the node itself), and a message."""

    field: str
    message: str
    level: Level | None = None
    """Where it differs from the rule's own level."""
    rests_on: str = ""
    """Another place below its node: when what stood there was refused, nobody knows whether this is so."""


@dataclass(slots=True)
class Document:
    """A payload under examination, as the checks see it."""

    root: Node
    today: str
    """YYYY-MM-DD in Bogotá, whose day the DIAN goes by; dates in payloads have the same form, so texts compare."""
    operation: str | None
    """The operation type; None when what stands there is unusable, and rules that depend on it are skipped."""
    amounts: Amounts | None
    """None when a value that counts is missing or unusable."""
    is_final_consumer: bool = False


Findings: TypeAlias = Sequence[Finding]
Check: TypeAlias = Callable[[Node, Document], Findings]
NO_FINDINGS: Final[Findings] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the business rules."""

    id: str
    level: Level
    source: str
    check: Check | None
    """None: the shape stage finds it (types, forms, tables, missing and unknown keys)."""


@dataclass(slots=True)
class RuleBook:
    """The rules about one kind of node, in the order in which they are checked."""

    at: tuple[str, ...]
    """Keys from the root to the node; "*" stands for every element of a list."""
    operations: frozenset[str] | None
    """The operation types that the rules are for; None for any."""
    rules: list[Rule] = field(default_factory=list)
    checks: list[tuple[Rule, Check]] = field(default_factory=list)
    """The rules that have a check: what is run."""

    @classmethod
    def about(cls, path: str, operations: Iterable[str] | None = None) -> RuleBook:
        """
        Start a book.

        Args:
            path: Dotted, as in ``items.*.taxes.*``; empty for the root.
            operations: Where given, the book is opened for these operation types only.
        """
        at = tuple(path.split(".")) if path else ()
        return cls(at, None if operations is None else frozenset(operations))

    def within(self, operations: Iterable[str]) -> RuleBook:
        """The same rules, opened for these operation types only."""
        return replace(self, operations=frozenset(operations))

    def error(self, rule_id: str, source: str) -> Callable[[Check], Check]:
        return self._rule(rule_id, Level.ERROR, source)

    def warning(self, rule_id: str, source: str) -> Callable[[Check], Check]:
        return self._rule(rule_id, Level.WARNING, source)

    def by_shape(self, rule_ids: str, source: str = "D", level: Level = Level.ERROR) -> None:
        """Name the rules (space between them) that the shape stage finds in this kind of node."""
        self.rules.extend(Rule(rule_id, level, source, None) for rule_id in rule_ids.split())

    def _rule(self, rule_id: str, level: Level, source: str) -> Callable[[Check], Check]:
        def add(check: Check) -> Check:
            rule = Rule(rule_id, level, source, check)
            self.rules.append(rule)
            self.checks.append((rule, check))
            return check

        return add


def finding(place: str, message: str, level: Level | None = None, *, rests_on: str = "") -> Findings:
    """The one finding of a check."""
    return (Finding(place, message, level, rests_on),)


def has_text(node: Node, key: str) -> bool:
    """Whether an optional text says something; Factus takes "" for absent in official examples."""
    value = node.get(key)
    return isinstance(value, str) and bool(value.strip())


def _below(above: str, place: str) -> str:
    return f"{above}.{place}" if above and place else above or place


@dataclass(slots=True)
class FindingCollector:
    """
    Collects faults, and leaves alone the fields that the shape stage has refused.

    Errors end the examination at the limit. Warnings never do: an error behind many of them must still be found.
    """

    faults: list[Violation]
    limit: int
    refused: frozenset[str] = frozenset()
    n_errors: int = 0
    is_full: bool = False
    warned: dict[tuple[str, str], int] = field(default_factory=dict)
    """How often each warning was given, by rule and message: five hundred lines may deserve the same remark."""

    def add(self, rule: Rule, at: Place, findings: Findings) -> None:
        above = dotted(at)
        for place, message, level, rests_on in findings:
            path = _below(above, place)
            # A value that was taken out is absent for the checks; it must not be called missing as well.
            if path not in self.refused and not (rests_on and _below(above, rests_on) in self.refused):
                self._keep(Violation(rule.id, path, message, level or rule.level))

    def _keep(self, fault: Violation) -> None:
        if fault.level is Level.ERROR:
            self.n_errors += 1
            self.is_full = self.n_errors >= self.limit
            self.faults.append(fault)
            return
        remark = (fault.rule, fault.message)
        n_before = self.warned.get(remark, 0)
        if n_before or len(self.warned) < self.limit:
            self.warned[remark] = n_before + 1
        if not n_before and len(self.warned) <= self.limit:
            self.faults.append(fault)

    def told(self) -> list[Violation]:
        """What was found, each warning once and with the number of its places."""
        return counted(self.faults, self.warned) if self.warned else self.faults


def counted(faults: Iterable[Violation], warned: Mapping[tuple[str, str], int]) -> list[Violation]:
    """The same faults; warnings that were given more than once say so."""
    return [
        fault._replace(message=f"{fault.message} (En {n} lugares; este es el primero.)")
        if fault.level is Level.WARNING and (n := warned.get((fault.rule, fault.message), 1)) > 1
        else fault
        for fault in faults
    ]


@dataclass(slots=True)
class CheckTree:
    """All that is to be checked of one kind of node and of the nodes below it, so that each is visited once."""

    checks: list[tuple[Rule, Check]] = field(default_factory=list)
    below: dict[str, CheckTree] = field(default_factory=dict)

    @classmethod
    def of(cls, books: Iterable[RuleBook], operation: str | None) -> CheckTree:
        """Lay the books that are for an operation type one over the other."""
        root = cls()
        for book in books:
            if book.checks and (book.operations is None or operation in book.operations):
                plan = root
                for step in book.at:
                    plan = plan.below.setdefault(step, cls())
                plan.checks += book.checks
        return root


def run_checks(plan: CheckTree, node: Any, document: Document, collector: FindingCollector, at: Place = None) -> None:
    """Run every check on every node it is about, until the collector is full."""
    if type(node) is list:
        every = plan.below["*"]
        for position, element in enumerate(node):
            run_checks(every, element, document, collector, (at, position))
        return
    # An element that is no object was refused before; None keeps its place.
    if type(node) is not dict or collector.is_full:
        return
    for rule, check in plan.checks:
        if findings := check(node, document):
            collector.add(rule, at, findings)
    for step, below in plan.below.items():
        child = node.get(step)
        if child:
            run_checks(below, child, document, collector, (at, step))
