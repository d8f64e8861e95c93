"""
What each answer of Factus can mean, by route, status and who speaks in it: one closed table. Pure.

Nothing here ends a job; it says what may be believed. A verdict about a document follows from a readable word of Factus
alone: a status without one is said by whatever stands between, and means that the answer is lost or the address wrong.
``docs/lifecycle.md`` shows the same table, and a test tries every status with every voice on every route.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from schemas.factus import Word

Route: TypeAlias = Literal["token", "create", "look", "delete", "call"]
"""``look``: by reference or number, and the search for what bars a family. ``call``: all that issues nothing."""

Voice: TypeAlias = Word | Literal["oauth", "page", "empty", "cut"]
"""
Who speaks: a word of Factus (``schemas.factus.word_of``; ``oauth``: an error of the token route), another's JSON
(``stranger``), a page or text, nothing, or something broken off that nobody can read.
"""

Meaning: TypeAlias = Literal[
    "success",
    "expired",
    "credentials",
    "no_route",
    "no_token",
    "throttled",
    "payment",
    "denied",
    "not_there",
    "conflict",
    "rules",
    "fields",
    "unnamed",
    "refused",
    "lost",
]

ROUTES: Final[tuple[Route, ...]] = get_args(Route)
SPOKEN: Final[frozenset[Voice]] = frozenset({"rules", "fields", "message"})
"""The words of Factus that can decide something."""

_NOT_SPOKEN: Final[frozenset[Voice]] = frozenset({"route", "stranger", "page", "empty", "oauth"})
_TOLD: Final[frozenset[Voice]] = SPOKEN | {"oauth"}
_RULES: Final[frozenset[Voice]] = frozenset({"rules"})
_FIELDS: Final[frozenset[Voice]] = frozenset({"fields"})
_MESSAGE: Final[frozenset[Voice]] = frozenset({"message"})
_CUT: Final[frozenset[Voice]] = frozenset({"cut"})
_ANY: Final[frozenset[Voice]] = SPOKEN | _NOT_SPOKEN | _CUT


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """
    One row of the table.

    Attributes:
        statuses: First and last of each range.
        voices: Who speaks.
        token: What it means on the token route; ``other`` on all others.
    """

    statuses: tuple[tuple[int, int], ...]
    voices: frozenset[Voice]
    token: Meaning
    other: Meaning

    def holds_for(self, status: int, voice: Voice) -> bool:
        return voice in self.voices and any(first <= status <= last for first, last in self.statuses)


def _only(*statuses: int) -> tuple[tuple[int, int], ...]:
    return tuple((status, status) for status in statuses)


TABLE: Final = (
    AnswerRow(((200, 299),), _ANY, "success", "success"),
    AnswerRow(_only(429), _ANY, "throttled", "throttled"),
    AnswerRow(_only(401), _TOLD, "credentials", "expired"),
    AnswerRow(_only(401), _ANY, "no_token", "expired"),
    AnswerRow(_only(408, 421, 425), _ANY, "no_token", "lost"),
    AnswerRow(_only(405), _ANY, "no_route", "no_route"),
    AnswerRow(_only(404, 410), _CUT, "no_route", "lost"),
    AnswerRow(_only(404, 410), _NOT_SPOKEN, "no_route", "no_route"),
    AnswerRow(_only(404), SPOKEN, "no_route", "not_there"),
    AnswerRow(_only(410), SPOKEN, "no_route", "refused"),
    AnswerRow(_only(402), _TOLD, "payment", "payment"),
    AnswerRow(_only(402), _ANY, "no_token", "payment"),
    AnswerRow(_only(403), _TOLD, "denied", "denied"),
    AnswerRow(_only(403), _ANY, "no_token", "denied"),
    AnswerRow(_only(409), SPOKEN, "no_token", "conflict"),
    AnswerRow(_only(422), _RULES, "credentials", "rules"),
    AnswerRow(_only(422), _FIELDS, "credentials", "fields"),
    AnswerRow(_only(422), _MESSAGE, "credentials", "unnamed"),
    AnswerRow(_only(400, 422), frozenset({"oauth"}), "credentials", "lost"),
    AnswerRow(_only(409, 422), _ANY, "no_token", "lost"),
    AnswerRow(_only(400), SPOKEN, "credentials", "refused"),
    AnswerRow(((400, 499),), SPOKEN, "no_token", "refused"),
    AnswerRow(((400, 499),), _CUT, "no_token", "lost"),
    AnswerRow(((400, 499),), _NOT_SPOKEN, "no_token", "no_route"),
    AnswerRow(((0, 999),), _ANY, "no_token", "lost"),
)
"""The first row that holds decides."""


def meaning(route: Route, status: int, voice: Voice) -> Meaning:
    """
    What an answer means.

    Args:
        status: Any number; what is no status of HTTP is a lost answer.
    """
    for row in TABLE:
        if row.holds_for(status, voice):
            return row.token if route == "token" else row.other
    return "no_token" if route == "token" else "lost"
