"""How a checked body becomes a stored document, for the account's own creates and for those that come from outside."""

from typing import Any

from sandbox.accounts import Account
from sandbox.bill import unique_code
from sandbox.families import Family
from sandbox.state import SandboxState
from sandbox.store import Document, Wait


def store_document(
    state: SandboxState, account: Account, family: Family, fields: dict[str, Any], amounts: Any
) -> Document:
    shelf, now = account.shelf(family), state.now()
    number = shelf.next_number()
    document = Document(
        reference=fields["reference_code"],
        number=number,
        fields=fields,
        amounts=amounts,
        total=amounts.total,
        code=unique_code(state.config.seed, account.user, number, now, amounts.total),
        created_at=now,
    )
    shelf.add(document)
    return document


def add_foreign(
    state: SandboxState, account: Account, family: Family, reference: str, seconds: float | None
) -> Document | None:
    """
    Put a pending document of somebody else into the family; None when the reference is taken or empty.

    It bars the way until *seconds* have passed, or until it is settled or deleted through a control route.
    """
    shelf = account.shelf(family)
    if not reference or shelf.find(reference) is not None:
        return None
    fields, amounts = family.check({**family.sample, "reference_code": reference}, account.ranges, {})
    document = store_document(state, account, family, fields, amounts)
    document.is_foreign = True
    ends_at = None if seconds is None else state.now() + seconds
    shelf.mark_pending(document, Wait(ends_at=ends_at))
    return document
