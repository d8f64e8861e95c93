"""
What one call to Factus may come back with: a closed set, in our words.

The client translates HTTP into these; ``issue_policy.py`` and ``attempt_policy.py`` say what follows. The question
behind every one of them is *was the document issued?*
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from schemas.factus import DocumentView, Remark


@dataclass(frozen=True, slots=True)
class DocumentSeen:
    """2xx with a document; whether DIAN validated it stands in the document."""

    document: DocumentView


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """2xx ``Accepted`` without a document: Factus has it, DIAN has not answered."""


@dataclass(frozen=True, slots=True)
class Absent:
    """A look-up by reference code found nothing; a delete found nothing to delete."""


@dataclass(frozen=True, slots=True)
class Done:
    """2xx of a call that returns no document (delete)."""


@dataclass(frozen=True, slots=True)
class Replied:
    """2xx of a call that is not about one document of ours; ``body`` is None when it is not JSON."""

    body: Any


@dataclass(frozen=True, slots=True)
class FieldsRefused:
    """422 about fields: nothing is stored, no number consumed. Without remarks it names no field."""

    message: str
    remarks: tuple[Remark, ...]
    status: int = 422


@dataclass(frozen=True, slots=True)
class RulesRefused:
    """422 with rules of DIAN: the document is stored and blocks its family until it is deleted."""

    remarks: tuple[Remark, ...]
    message: str = ""
    number: str = ""
    """Of the document, where the answer tells it."""
    status: int = 422


@dataclass(frozen=True, slots=True)
class Conflicted:
    """409: some document of the family is stored and not validated, or its create is under way."""

    message: str
    status: int = 409


@dataclass(frozen=True, slots=True)
class NotFound:
    """404 in Factus's own words: what was named is not there. Any other 404 is :class:`Misrouted`."""

    message: str
    status: int = 404


@dataclass(frozen=True, slots=True)
class CredentialsRefused:
    """The token endpoint refused us, or a fresh token was refused as well."""

    message: str
    status: int = 401


@dataclass(frozen=True, slots=True)
class NoToken:
    """The token endpoint answered, and neither with a token nor about the credentials. Nothing was sent."""

    reason: str
    status: int = 0


@dataclass(frozen=True, slots=True)
class Misrouted:
    """
    No such route, or somebody else's answer: a wrong address, another version, a proxy's page. Nothing was done.

    ``at_token`` when it was the token endpoint.
    """

    status: int
    at_token: bool = False


@dataclass(frozen=True, slots=True)
class PaymentRequired:
    """402: plan or quota of documents."""

    message: str
    status: int = 402


DeniedKind = Literal["version", "product", "permission", "edge"]


@dataclass(frozen=True, slots=True)
class Denied:
    """403: wrong API version, product not contracted, no permission, or the edge (HTML)."""

    kind: DeniedKind
    message: str
    status: int = 403


@dataclass(frozen=True, slots=True)
class BadRequest:
    """Another 4xx: Factus did not take the request, and the same request will fare no better."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Throttled:
    """429: our count was wrong. The account is on hold already."""

    retry_after_s: float
    status: int = 429


@dataclass(frozen=True, slots=True)
class NotSent:
    """Surely not issued: no connection, no token because of the network."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Sent, and we do not know: timeout, lost connection, 5xx, unreadable success. ``status`` 0: no answer at all."""

    reason: str
    status: int = 0


@dataclass(frozen=True, slots=True)
class NoPermit:
    """The allowance has no place soon enough; nothing was sent."""

    wait_s: float


@dataclass(frozen=True, slots=True)
class TooLate:
    """The latest instant for sending passed before the permit came; nothing was sent."""


Answer = (
    DocumentSeen
    | Acknowledged
    | Absent
    | Done
    | Replied
    | FieldsRefused
    | RulesRefused
    | Conflicted
    | NotFound
    | CredentialsRefused
    | NoToken
    | Misrouted
    | PaymentRequired
    | Denied
    | BadRequest
    | Throttled
    | NotSent
    | Unknown
    | NoPermit
    | TooLate
)

_NOT_TAKEN: Final = (NotSent, NoPermit, TooLate, Throttled, Conflicted, CredentialsRefused, NoToken, Misrouted)


def counts_as_attempt(seen: Answer) -> bool:
    """Whether a call counts as an attempt (docs/contract.md): sent, and not refused for the account's state."""
    return not isinstance(seen, _NOT_TAKEN)


def status_of(seen: Answer) -> int:
    """The HTTP status that was seen, where it matters to a person; 0 for a success, and where there was none."""
    status: int = getattr(seen, "status", 0)
    return status
