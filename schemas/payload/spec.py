"""
What validation knows of one kind of payload: its model, its rules, and where its total and its other party stand.

A row of data for each kind; nothing that differs between kinds is written anywhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from schemas.payload.fields import Part
from schemas.payload.rules.book import CheckTree, Node, Rule, RuleBook
from schemas.payload.shape import Shape, shape_of
from schemas.payload.totals import Arithmetic


class Operation(NamedTuple):
    """The root key whose code opens rule books, and the code that its absence stands for."""

    key: str
    usual: str


@dataclass(frozen=True, slots=True)
class PayloadSpec:
    """A kind of payload: a document to issue, or what another call takes."""

    name: str
    shape: Shape
    books: tuple[RuleBook, ...] = ()
    arithmetic: Arithmetic | None = None
    """How its documents add up; None when they hold no money."""
    party: tuple[str, ...] = ()
    """Keys from the root to the other party's identification; empty when the payload names none."""
    operation: Operation | None = None
    wrap_in_list: tuple[str, ...] = ()
    """Keys from the root to a list whose one element may stand without it; empty when there is none."""
    _plans: dict[str | None, CheckTree] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        name: str,
        model: type[Part],
        *books: Sequence[RuleBook],
        arithmetic: Arithmetic | None = None,
        party: tuple[str, ...] = (),
        operation: Operation | None = None,
        wrap_in_list: tuple[str, ...] = (),
    ) -> PayloadSpec:
        rules = tuple(chain.from_iterable(books))
        return cls(name, shape_of(model), rules, arithmetic, party, operation, wrap_in_list)

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(rule for book in self.books for rule in book.rules)

    def plan(self, operation: str | None) -> CheckTree:
        """What to check for an operation type (a code of the table, or None); made once for each."""
        if operation not in self._plans:
            self._plans[operation] = CheckTree.of(self.books, operation)
        return self._plans[operation]

    def operation_of(self, payload: Node, typed: Node) -> str | None:
        """The operation type of a payload; None when what stands there is unusable, or the family has none."""
        if self.operation is None:
            return None
        return typed.get(self.operation.key) if self.operation.key in payload else self.operation.usual

    def party_of(self, typed: Node) -> str:
        """The other party's identification; empty when the payload leaves it to Factus."""
        found: Node | str | None = typed if self.party else None
        for key in self.party:
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, str) else ""


def checked(name: str, model: type[Part], *books: RuleBook) -> PayloadSpec:
    """
    The row of a payload that is no document: only its shape is checked.

    Args:
        books: Where given, what ties its keys together: ``number`` or ``reference_code``, not both.
    """
    return PayloadSpec.of(name, model, books)
