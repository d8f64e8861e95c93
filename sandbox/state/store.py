"""
The documents of one account and family: by reference, by number, and which of them bars the way.

Owns numbering and the family lock. Knows nothing of HTTP, and leaves to `dian.py` when a document is validated.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from hashlib import sha256
from typing import Any, Final

from sandbox.state.numbering import NumberingRange

# What makes two documents of one family the same deed; a family that lacks one of these has nothing there.
_DEED: Final = ("items", "bill_number", "support_document_number", "payroll_number", "settlement_period", "accruals")
_PARTIES: Final = ("customer", "provider", "worker")


def party_of(fields: dict[str, Any]) -> dict[str, Any]:
    """The customer, provider or worker that a request names; empty where it names none."""
    return next((party for name in _PARTIES if (party := fields.get(name))), {})


class State(Enum):
    SENDING = "sending"
    PENDING = "pending"
    REJECTED = "rejected"
    VALIDATED = "validated"


@dataclass(slots=True)
class Wait:
    """
    Why a document waits for DIAN and when that ends.

    Args:
        polls_left: Questions still answered with "not yet"; None when it is not questions that end it.
        ends_at: Unix time from which on DIAN has answered, asked or not; None when it is not time that ends it.
        by_outage: Ends with the first question after DIAN's outage.
        rules: What DIAN says at last; empty for validated.
        acknowledged_with: HTTP status of the bare acknowledgement; None when the body is shown.
    """

    polls_left: int | None = None
    ends_at: float | None = None
    by_outage: bool = False
    rules: dict[str, str] = field(default_factory=dict)
    acknowledged_with: int | None = None


@dataclass(slots=True, eq=False)
class Document:
    """
    One stored document.

    Args:
        family: Name of its family.
        fields: The request as Factus kept it.
        amounts: What the family computed from it; the store looks at none of it.
        code: CUFE, CUDE, CUDS or CUNE.
        numbering: The range that numbered it.
        related: The document that it corrects or eliminates.
        notes: The documents that correct or eliminate this one.
        rejected_as: Shape in which a rejection is told: `map`, `list` or `body`.
    """

    family: str
    reference: str
    number: str
    fields: dict[str, Any]
    amounts: Any
    total: Decimal
    code: str
    created_at: float
    numbering: NumberingRange
    related: "Document | None" = field(default=None, repr=False)
    notes: "list[Document]" = field(default_factory=list, repr=False)
    state: State = State.SENDING
    validated_at: float | None = None
    errors: dict[str, str] = field(default_factory=dict)
    wait: Wait | None = None
    rejected_as: str = "map"
    n_posted: int = 1
    is_foreign: bool = False
    events: list[dict[str, str]] = field(default_factory=list)

    @property
    def is_validated(self) -> bool:
        return self.state is State.VALIDATED

    @property
    def party(self) -> dict[str, Any]:
        """Customer, provider or worker; of a note that names none, the one of the document that it is about."""
        return party_of(self.fields) or (self.related.party if self.related else {})

    @property
    def identification(self) -> str | None:
        party = self.party
        return party.get("identification") or party.get("identification_number")

    @property
    def content_key(self) -> str:
        """Equal for two documents that charge the same party the same total for the same deed."""
        content = (self.identification, str(self.total), *(repr(self.fields.get(name)) for name in _DEED))
        return sha256(repr(content).encode()).hexdigest()[:16]

    def notes_of(self, family: str) -> "list[Document]":
        """The validated notes of a family about this document."""
        return [note for note in self.notes if note.family == family and note.is_validated]


class FamilyStore:
    """All documents of one account and family, in the order of their numbers."""

    def __init__(self) -> None:
        self.under_way: set[str] = set()
        self.n_stored = 0
        self.n_rejections = 0
        self.validations: Counter[str] = Counter()
        self.validated_contents: dict[str, list[str]] = {}
        self.deleted_forbidden: list[str] = []
        self._by_reference: dict[str, Document] = {}
        self._by_number: dict[str, Document] = {}
        self._by_code: dict[str, Document] = {}
        self._unvalidated: dict[str, Document] = {}

    def __len__(self) -> int:
        return len(self._by_number)

    def find(self, reference: str) -> Document | None:
        return self._by_reference.get(reference)

    def find_number(self, number: str) -> Document | None:
        return self._by_number.get(number)

    def find_code(self, code: str) -> Document | None:
        return self._by_code.get(code)

    def newest_first(self) -> Iterable[Document]:
        return reversed(self._by_number.values())

    def unvalidated(self) -> list[Document]:
        return list(self._unvalidated.values())

    def blocker(self, reference: str) -> Document | None:
        """
        A stored document that is not validated, whose create is over, and that stands before the one of *reference*:
        where two were taken at once and DIAN has answered neither, the older one can be sent again.
        """
        for document in self._unvalidated.values():
            if document.reference == reference:
                return None
            if document.reference not in self.under_way:
                return document
        return None

    def next_number(self, numbering: NumberingRange) -> str:
        """The next one that is free: two ranges may share a prefix, and a range can be set back."""
        while (number := numbering.take()) in self._by_number:
            pass
        return number

    def add(self, document: Document) -> None:
        self._by_reference[document.reference] = document
        self._by_number[document.number] = document
        self._by_code[document.code] = document
        if document.related is not None:
            document.related.notes.append(document)
        self._unvalidated[document.reference] = document
        self.n_stored += 1

    def add_example(self, document: Document, now: float) -> None:
        """A validated document that nobody posted here: it is found, shown and named, and counts nowhere."""
        document.state, document.validated_at, document.is_foreign = State.VALIDATED, now, True
        self._by_reference[document.reference] = document
        self._by_number[document.number] = document
        self._by_code[document.code] = document

    def remove(self, document: Document) -> None:
        del self._by_reference[document.reference]
        del self._by_number[document.number]
        del self._by_code[document.code]
        if document.related is not None:
            document.related.notes.remove(document)
        self._unvalidated.pop(document.reference, None)

    def mark_validated(self, document: Document, now: float) -> None:
        document.state, document.validated_at, document.wait = State.VALIDATED, now, None
        self._unvalidated.pop(document.reference, None)
        self.validations[document.reference] += 1
        self.validated_contents.setdefault(document.content_key, []).append(document.reference)

    def mark_rejected(self, document: Document, rules: dict[str, str], shape: str) -> None:
        document.state, document.errors, document.wait = State.REJECTED, dict(rules), None
        document.rejected_as = shape
        self.n_rejections += 1

    def mark_pending(self, document: Document, wait: Wait) -> None:
        document.state, document.wait = State.PENDING, wait
