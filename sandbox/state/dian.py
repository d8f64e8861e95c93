"""
What DIAN says about a document: validated, rejected, or nothing yet.

Decides from the document itself (the check digit of a NIT), from the effects of the fault plan, and from whether DIAN
is up. It changes documents only through their shelf.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

from sandbox.state.faults import Effect, Effects
from sandbox.state.store import Document, FamilyStore, State, Wait
from sandbox.values.check_digit import check_digit
from sandbox.values.seeded_random import draw

NIT: Final = "31"
RULE_90: Final = {"90": "Regla: 90, Rechazo: Documento procesado anteriormente."}
NOTICE: Final = {
    "RUT01": "Regla: RUT01, Notificación: La validación del estado del RUT próximamente estará disponible."
}
DEFAULT_REJECTION: Final = {
    "FAJ43b": "Regla: FAJ43b, Rechazo: Nombre informado no corresponde al registrado en el RUT."
}
NO_NIT: Final = {"FAK24": "Regla: FAK24, Rechazo: El NIT informado tiene signos que no son dígitos"}
WRONG_DIGIT: Final = {"FAK24": "Regla: FAK24, Rechazo: El DV del NIT informado no es el que le corresponde al NIT"}


class Dian:
    """DIAN as one sandbox sees it; an outage is the same for all accounts."""

    def __init__(self, seed: int, notice_share: float) -> None:
        self._seed = seed
        self._notice_share = notice_share
        self._down_until = -math.inf

    def go_down(self, now: float, seconds: float | None) -> None:
        """No answers for that long, or until it is told to come up. A longer outage is not cut short."""
        self._down_until = max(self._down_until, math.inf if seconds is None else now + seconds)

    def come_up(self) -> None:
        self._down_until = -math.inf

    def is_up(self, now: float) -> bool:
        return now >= self._down_until

    def judge(self, document: Document, shelf: FamilyStore, effects: Effects, now: float) -> None:
        """DIAN's first word on a document that was just stored."""
        if found := effects.get("rule_90"):
            self._processed_before(document, shelf, found, now)
        elif not self.is_up(now):
            shelf.mark_pending(document, Wait(by_outage=True))
        elif wrong := wrong_identification(document.party):
            shelf.mark_rejected(document, wrong, "map")
        elif reject := effects.get("reject"):
            shelf.mark_rejected(document, rejection_rules(reject["rules"]), reject["shape"])
        elif pending := effects.get("pending"):
            shelf.mark_pending(document, _wait(pending, now))
        else:
            self._validate(document, shelf, now)

    def ask_again(self, document: Document, shelf: FamilyStore, now: float) -> None:
        """Somebody asks about a pending document; each question counts."""
        wait = document.wait
        if document.state is not State.PENDING or wait is None or not self.is_up(now):
            return
        if wait.polls_left is not None:
            wait.polls_left -= 1
        is_over = wait.by_outage or (wait.polls_left is not None and wait.polls_left <= 0)
        if is_over or self._has_ended(wait, now):
            self._conclude(document, shelf, wait, now)

    def look_up(self, document: Document | None, shelf: FamilyStore, now: float) -> None:
        """Somebody looks a document up by its reference: the only way to ask about one that was just acknowledged."""
        if document is not None and document.wait is not None and document.wait.acknowledged_with is not None:
            self.ask_again(document, shelf, now)

    def settle(self, document: Document, shelf: FamilyStore, now: float) -> None:
        """DIAN's answer that came by itself, with time."""
        wait = document.wait
        if document.state is State.PENDING and wait is not None and self._has_ended(wait, now):
            self._conclude(document, shelf, wait, now)

    def settle_all(self, shelf: FamilyStore, now: float) -> None:
        for document in shelf.unvalidated():
            self.settle(document, shelf, now)

    def _has_ended(self, wait: Wait, now: float) -> bool:
        return wait.ends_at is not None and now >= wait.ends_at and self.is_up(now)

    def _conclude(self, document: Document, shelf: FamilyStore, wait: Wait, now: float) -> None:
        if rules := wait.rules or wrong_identification(document.party):
            shelf.mark_rejected(document, rules, "map")
        else:
            self._validate(document, shelf, now)

    def _validate(self, document: Document, shelf: FamilyStore, now: float) -> None:
        if draw(self._seed, "notice", document.reference) < self._notice_share:
            document.errors = NOTICE
        shelf.mark_validated(document, now)

    def _processed_before(self, document: Document, shelf: FamilyStore, effect: Effect, now: float) -> None:
        if effect["found"] == "validated":
            self._validate(document, shelf, now)
        else:
            shelf.mark_rejected(document, RULE_90, "list")


def wrong_identification(party: Mapping[str, Any]) -> dict[str, str] | None:
    """
    DIAN's rule about a NIT that is none, of the customer or provider; None where there is nothing to say.

    FAK24 is what a customer's digit meets; of a provider, and of a NIT with other signs than digits, the words were not
    recorded.
    """
    identification, digit = str(party.get("identification", "")), party.get("dv")
    if party.get("identification_document_code") != NIT or not identification:
        return None
    if not identification.isdecimal():
        return NO_NIT
    return WRONG_DIGIT if digit and digit != check_digit(identification) else None


def rejection_rules(given: Any) -> dict[str, str]:
    """Rules of a plan as Factus words them: a text without the head `Regla: X, Rechazo: ` gets it."""
    if not given:
        return DEFAULT_REJECTION
    return {
        rule: text if str(text).startswith("Regla:") else f"Regla: {rule}, Rechazo: {text}"
        for rule, text in given.items()
    }


def _wait(pending: Effect, now: float) -> Wait:
    polls, seconds = pending["polls"], pending["seconds"]
    if polls is None and seconds is None:
        polls = 1
    status = int(pending["status"] or 202)
    return Wait(
        polls_left=None if polls is None else int(polls),
        ends_at=None if seconds is None else now + float(seconds),
        rules=DEFAULT_REJECTION if pending["then"] == "rejected" else {},
        acknowledged_with=status if pending["shape"] == "accepted" else None,
    )
