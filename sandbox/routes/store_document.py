"""How a draft becomes a stored document, for the account's own creates and for those that come from outside."""

from decimal import Decimal
from hashlib import sha384

from sandbox.families.draft import Draft, draft_of_somebody_else
from sandbox.families.families import Family
from sandbox.state.accounts import Account
from sandbox.state.sandbox_state import SandboxState
from sandbox.state.store import Document, Wait


def _unique_code(seed: int, account: str, number: str, created_at: float, total: Decimal) -> str:
    """A CUFE or its like: 96 hexadecimal digits, as DIAN's SHA-384 gives."""
    return sha384(f"{seed}|{account}|{number}|{created_at}|{total}".encode()).hexdigest()


def store_document(state: SandboxState, account: Account, family: Family, draft: Draft) -> Document:
    shelf = account.shelf(family.name)
    document = document_of(state, account, family, draft, shelf.next_number(draft.numbering))
    shelf.add(document)
    return document


def document_of(state: SandboxState, account: Account, family: Family, draft: Draft, number: str) -> Document:
    """The document that a draft becomes under a number; it is on no shelf yet."""
    now, total = state.now(), draft.amounts.total
    return Document(
        family=family.name,
        reference=draft.fields["reference_code"],
        number=number,
        fields=draft.fields,
        amounts=draft.amounts,
        total=total,
        code=_unique_code(state.config.seed, account.user, number, now, total),
        created_at=now,
        numbering=draft.numbering,
        related=draft.related,
    )


def add_foreign(
    state: SandboxState, account: Account, family: Family, reference: str, seconds: float | None
) -> Document | None:
    """
    Put a pending document of somebody else into the family; None when the reference is taken or empty.

    It bars the way until *seconds* have passed, or until it is settled or deleted through a control route.
    """
    shelf = account.shelf(family.name)
    if not reference or shelf.find(reference) is not None:
        return None
    draft = draft_of_somebody_else(account, family, reference)
    if draft is None:
        return None
    document = store_document(state, account, family, draft)
    document.is_foreign = True
    ends_at = None if seconds is None else state.now() + seconds
    shelf.mark_pending(document, Wait(ends_at=ends_at))
    return document
