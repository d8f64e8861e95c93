"""
What Factus saw: the counts and documents of every account.

A test compares the service with this, not with what the service believes about itself.
"""

from collections import Counter
from typing import Any, Final

from sandbox.families.families import FAMILIES, Family
from sandbox.families.response_parts import money
from sandbox.state.accounts import Account
from sandbox.state.sandbox_state import SandboxState
from sandbox.state.store import Document, FamilyStore, State

_SHOWN_CONTENTS: Final = 20
_ACCOUNT_COUNTS: Final = ("tokens_issued", "unauthorized", "rate_limited", "dropped")
_FAMILY_COUNTS: Final = (
    "creates_posted",
    "repeated",
    "refused",
    "conflicts",
    "stored",
    "validated",
    "rejections",
    "rejected",
    "pending",
)


def report(state: SandboxState) -> dict[str, Any]:
    accounts = {account.user: _account(account) for account in state.accounts.all()}
    return {
        "seed": state.config.seed,
        "totals": _sum(accounts),
        "accounts": accounts,
        "edge_refusals": state.n_edge_refusals,
        "unidentified_401": state.n_unidentified,
        "unidentified_logins": state.n_bad_logins,
        "faults": state.plan.counts(),
    }


def _account(account: Account) -> dict[str, Any]:
    return {
        "requests": dict(account.requests),
        "tokens_issued": account.n_tokens_issued,
        "unauthorized": account.answers[401],
        "rate_limited": account.answers[429],
        "dropped": account.answers[0],
        "answers": {str(status): count for status, count in sorted(account.answers.items()) if status},
        "limit": account.window.limit,
        "window_s": account.window.window_s,
        "max_in_sliding_window": account.busiest.most_sliding,
        "max_in_fixed_window": account.busiest.most_fixed,
        "operations": dict(account.operations),
        "changes": {operation: dict(targets) for operation, targets in account.changes.items()},
        "families": {family.name: _family(account, family) for family in FAMILIES},
    }


def _family(account: Account, family: Family) -> dict[str, Any]:
    shelf = account.shelf(family.name)
    creates = account.creates.get(family.name, Counter())
    deletes = account.deletes.get(family.name, Counter())
    states = Counter(document.state for document in shelf.unvalidated())
    return {
        "creates_posted": creates["posted"],
        "repeated": creates["repeated"],
        "refused": creates["refused"],
        "conflicts": creates["conflicts"],
        "stored": shelf.n_stored,
        "validated": sum(shelf.validations.values()),
        "rejections": shelf.n_rejections,
        "rejected": states[State.REJECTED],
        "pending": states[State.PENDING] + states[State.SENDING],
        "deletes": {what: deletes[what] for what in ("rejected", "forbidden", "refused", "unknown")},
        "forbidden_deletes": shelf.deleted_forbidden,
        "duplicates": _duplicates(shelf),
    }


def _duplicates(shelf: FamilyStore) -> dict[str, Any]:
    """References validated more than once, and groups of references with the same party, total and deed."""
    contents = [references for references in shelf.validated_contents.values() if len(references) > 1]
    return {
        "references": sorted(reference for reference, count in shelf.validations.items() if count > 1),
        "n_same_content": sum(len(references) - 1 for references in contents),
        "same_content": [references[:_SHOWN_CONTENTS] for references in contents[:_SHOWN_CONTENTS]],
    }


def _sum(accounts: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Every count is there before the first request too: as zero."""
    families = [family for account in accounts.values() for family in account["families"].values()]
    return {
        **{name: sum(account[name] for account in accounts.values()) for name in _ACCOUNT_COUNTS},
        "requests": sum(sum(account["requests"].values()) for account in accounts.values()),
        **{name: sum(family[name] for family in families) for name in _FAMILY_COUNTS},
        "forbidden_deletes": sum(len(family["forbidden_deletes"]) for family in families),
        "duplicate_references": sum(len(family["duplicates"]["references"]) for family in families),
    }


def documents(account: Account, family: Family, state_name: str | None) -> list[dict[str, Any]]:
    """Everything on a shelf, oldest first."""
    shelf = account.shelf(family.name)
    listed = [_document(document) for document in shelf.newest_first()]
    listed.reverse()
    return [document for document in listed if state_name in (None, document["state"])]


def _document(document: Document) -> dict[str, Any]:
    return {
        "reference_code": document.reference,
        "number": document.number,
        "total": money(document.total),
        "customer": document.identification,
        "state": document.state.value,
        "errors": document.errors,
        "times_posted": document.n_posted,
        "is_foreign": document.is_foreign,
        "code": document.code,
        "events": [event["event_code"] for event in document.events],
    }
