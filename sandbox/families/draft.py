"""
From the body of a create to a draft that only has to be stored: fields, days, range, and the related document.

Whatever is wrong here is a field 422: nothing is stored, and no number is taken.
"""

from dataclasses import dataclass
from typing import Any

from sandbox.families.families import Family
from sandbox.state.accounts import Account
from sandbox.state.dian import wrong_identification
from sandbox.state.numbering import NumberingRange
from sandbox.state.store import Document, party_of
from sandbox.values import datetimes
from sandbox.values.fields import Errors, invalid


@dataclass(frozen=True, slots=True)
class Draft:
    fields: dict[str, Any]
    amounts: Any
    numbering: NumberingRange
    related: Document | None = None


def draft(account: Account, family: Family, body: dict[str, Any], now: float, errors: Errors) -> Draft | None:
    """
    The draft of a body; None when it is refused.

    None without an error means that the account has no active numbering range, of which Factus gives no detail.
    """
    fields, amounts = family.check(body, errors)
    if amounts is not None and errors and wrong_identification(party_of(fields)):
        # Seen of the public sandbox: whom DIAN does not know is rejected and kept, whatever the payments add up to.
        errors.clear()
    if family.check_days is not None and not errors:
        family.check_days(fields, datetimes.at(now).date(), errors)
    numbering = None
    if "numbering_range_id" not in errors:
        numbering = account.ranges.choose(family.range_documents, fields.get("numbering_range_id"), now, errors)
    related = _related(account, family, fields, errors)
    return Draft(fields, amounts, numbering, related) if numbering is not None and not errors else None


def draft_of_somebody_else(account: Account, family: Family, reference: str) -> Draft | None:
    """The family's sample, about a document that this account does not know; None when it has no range at all."""
    fields, amounts = family.check({**family.sample, "reference_code": reference}, {})
    numbering = account.ranges.any_of(family.range_documents)
    return None if numbering is None else Draft(fields, amounts, numbering)


def _related(account: Account, family: Family, fields: dict[str, Any], errors: Errors) -> Document | None:
    """The validated document that a note names, if it still takes one. The texts of these refusals are not recorded."""
    relation = family.relation
    number = fields.get(relation.field) if relation else None
    if relation is None or not number or relation.field in errors:
        return None
    found = account.shelf(relation.family).find_number(number)
    if found is None or not found.is_validated:
        invalid(relation.field, errors)
    elif relation.is_spent(found):
        errors[relation.field] = [relation.spent]
    return found
