"""
Rules of the reference that a payload alone cannot break, with the families they are for and what they would need.

Some are checked in part: what is missing is named. Of calls, the "families" are the names of their rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple


class NotChecked(NamedTuple):
    """Why a rule is not, or not wholly, among those of the families it is for."""

    families: frozenset[str]
    reason: str


_CUSTOMER: Final = frozenset({"invoice", "credit_note", "debit_note"})
_NOTES: Final = frozenset({"credit_note", "debit_note"})
_PROVIDER: Final = frozenset({"support_document", "adjustment_note"})
_PAID: Final = _CUSTOMER | _PROVIDER
_ALL: Final = _PAID | {"payroll", "payroll_adjustment"}

_STORE: Final = "own store"
_RANGES: Final = "ranges of the account"
_KNOWLEDGE: Final = "knowledge, no check"
_AFTER: Final = "after the call"
_EVENTS: Final = "events of the bill so far: Factus knows them, and says no"
_ATTEMPT: Final = "state of the account and of the attempt; the jobs see to it"


def _rows(families: Iterable[str], reason: str, rule_ids: str) -> dict[str, NotChecked]:
    return {rule_id: NotChecked(frozenset(families), reason) for rule_id in rule_ids.split()}


NOT_CHECKED: Final[Mapping[str, NotChecked]] = {
    **_rows(_PAID - {"credit_note"}, "only the later-than-now part: the day is known here, not the hour", "GEN-018"),
    **_rows(_ALL, _STORE, "REF-002 REF-003 REF-005"),
    **_rows(_ALL, _RANGES, "RNG-001 RNG-002 RNG-003"),
    **_rows({"payroll", "payroll_adjustment"}, "only the family of the range: " + _RANGES, "RNG-005"),
    **_rows(_ALL, "configuration of the account", "RNG-006"),
    **_rows({"invoice"}, _RANGES, "RNG-007"),
    **_rows(_PAID, _KNOWLEDGE, "SUM-007"),
    **_rows(_PAID, "the formulas themselves (totals.py); a difference shows as SUM-008 or SUM-009", "SUM-023"),
    **_rows(_PAID, _AFTER, "SUM-024"),
    **_rows(_CUSTOMER, "needs a call", "CUS-024"),
    **_rows(_PAID, "profile of the issuer", "ITM-019"),
    **_rows({"invoice", "credit_note"}, _KNOWLEDGE, "ITM-028"),
    **_rows({"invoice"}, "whether tacit acceptance is meant is not in the payload", "BILL-011"),
    **_rows(_NOTES, "only whether it is a known reference: " + _STORE, "NOTE-007"),
    **_rows(_NOTES, _STORE, "NOTE-008 NOTE-012"),
    **_rows({"credit_note"}, _STORE, "NOTE-014 NOTE-015 NOTE-016"),
    **_rows({"debit_note"}, _KNOWLEDGE, "NOTE-019"),
    **_rows(_NOTES, _KNOWLEDGE, "NOTE-023"),
    **_rows(_PROVIDER, _KNOWLEDGE, "DS-013"),
    **_rows({"adjustment_note"}, "only whether it is a support document of ours: " + _STORE, "DS-020"),
    **_rows({"adjustment_note"}, _STORE, "DS-022 DS-023 DS-024"),
    **_rows(
        {"payroll"}, "only whether the fund is due: the figure of the minimum salary is not in the payload", "PAY-027"
    ),
    **_rows({"payroll"}, _STORE, "PAY-032"),
    **_rows({"payroll"}, "what the account may issue", "PAY-033"),
    **_rows({"payroll"}, "data of the account", "PAY-034"),
    **_rows({"payroll_adjustment"}, "only whether it is a payroll of ours: " + _STORE, "PAY-035"),
    **_rows({"payroll_adjustment"}, _STORE, "PAY-036"),
    **_rows({"payroll"}, _AFTER, "PAY-038"),
    **_rows({"reception.emit_event"}, _EVENTS, "EVT-003"),
    **_rows({"accept"}, "the bill's payments; " + _EVENTS, "EVT-007"),
    **_rows({"by_reference"}, "state of the document at Factus; the job looks there before it deletes", "STA-012"),
    **_rows(
        _ALL,
        _ATTEMPT,
        "STA-001 STA-002 STA-003 STA-004 STA-005 STA-006 STA-007 STA-008 STA-009 STA-010 STA-011",
    ),
}
