"""
What a new account begins with on request: the documents that public examples name, and the rights of the user that
Factus's public sandbox lends to everybody.
"""

from collections.abc import Mapping
from typing import Final

from sandbox.families.draft import draft_of_somebody_else
from sandbox.families.families import FAMILIES
from sandbox.routes.store_document import document_of
from sandbox.state.accounts import Account
from sandbox.state.sandbox_state import SandboxState

NUMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "bills": ("SETP990000049", "SETP990000203", "SETP990001298", "SETP990002519"),
    "credit-notes": ("NC856",),
    "support-documents": ("SEDS984000021", "SEDS984000129"),
    "adjustment-notes": ("NDS3",),
    "payrolls": ("990000070", "NEF110"),
    "adjustment-payrolls": ("NADJ1",),
}
"""The documents of each family, by number: from the official pages and from the tests of public SDKs."""

RECEIVED: Final = "79760c1d956a143a1076c9d06808b0916f90eb3eec5d34697fd875a2f4be1c3c18ae583d902671161d443c5dfbd48a4d"
"""CUFE of a supplier's bill that examples download."""

DENIED: Final = (
    "POST bills.email",
    "POST credit-notes.email",
    "numbering-ranges.show",
    "numbering-ranges.add",
    "numbering-ranges.renumber",
    "numbering-ranges.toggle",
    "numbering-ranges.delete",
    "receptions.upload",
    "companies.update",
    "companies.logo",
)
"""What the public sandbox refuses to its user (asserted by the tests of an SDK; the answers were not recorded)."""


def prepare(state: SandboxState, account: Account) -> None:
    """As the configuration has it, when an account is opened."""
    if state.config.has_examples:
        add_examples(state, account)
    if state.config.is_shared:
        account.forbidden = DENIED


def add_examples(state: SandboxState, account: Account) -> list[str]:
    """
    Put the documents onto their shelves, validated, each under its number as its reference. What is there stays.

    Returns:
        The numbers that were added.
    """
    added = []
    for family in FAMILIES:
        shelf = account.shelf(family.name)
        for number in NUMBERS.get(family.name, ()):
            if shelf.find(number) is not None or shelf.find_number(number) is not None:
                continue
            if (draft := draft_of_somebody_else(account, family, number)) is not None:
                shelf.add_example(document_of(state, account, family, draft, number), state.now())
                added.append(number)
    if account.received.find(RECEIVED) is None:
        account.received.upload(RECEIVED, state.config.seed, state.now())
        added.append(RECEIVED)
    return added
