"""
What a viewer does not see: names, identifications, addresses, e-mails and telephones of people. Pure.

Whatever stands in an object that is about somebody is masked, but for codes of the tables; elsewhere what bears the
name of such a value. What only its producer can know (``metadata``, notes), the subject of an e-mail, and what leads to
the document or is it, is masked whole.
Sentences are told without what they may say of people: our own rules quote a NIT, and Factus and the DIAN write names.
"""

from __future__ import annotations

import re
from typing import Any, Final

MASK: Final = "•••"
_SOMEBODY: Final = frozenset(
    {
        *("customer", "provider", "supplier", "worker", "employee", "person", "acquirer", "adquirer", "establishment"),
        *("mandate", "seller", "patient", "contact", "payer", "company", "beneficiary"),
    }
)
_PERSONAL: Final = re.compile(
    r"(^|_)(identification|identification_number|dv|nit|names?|first_name|last_name|surnames?|trade_name|company|address"
    r"|emails?|phones?|phone_number|telephones?|mobile|account_number|policy_number|contract_number)$"
)
_PUBLIC_NAMES: Final = frozenset({"event_name", "file_name", "name"})
"""``name`` alone is that of a thing (an item, a tax), unless it stands in what is about somebody, or beside what is."""
_BESIDE: Final = frozenset({"identification", "identification_number", "nit", "email"})
"""No thing has these: Factus answers who an acquirer is with a name and an e-mail, in an object that bears no name."""
_WHOLE: Final = frozenset(
    {
        *("metadata", "additional_properties", "note", "notes", "observation", "observations", "subject"),
        *("qr", "qr_image", "public_url", "attached_document"),
    }
)
_CODES: Final = re.compile(r"(^|_)(code|id)$")
_WORDS: Final = frozenset(
    {
        *("message", "messages", "error", "errors", "last_error", "warnings", "notifications"),
        *("where", "why", "next", "clock_words", "reason", "mend"),
    }
)
"""What holds sentences, itself or further in: Factus tells errors as texts, as lists, and by the rule or the field."""

_EMAIL: Final = re.compile(r"[^\s@<>\"'«»]{1,64}@[^\s@<>\"'«»]{1,190}")
_DIGITS: Final = re.compile(r"(?<![\w-])\+?\d(?:[ .-]?\d){5,}(?![\w-])")
# A quotation that does not end goes to the end of the text: it may be cut off, and thousands of them cost one look.
_QUOTED: Final = re.compile(r"«[^»]*(?:»|\Z)|“[^”]*(?:”|\Z)|\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d|\d\d-\d\d-\d{4}")


def masked(value: Any, *, key: str = "", of_somebody: bool = False, in_words: bool = False) -> Any:
    """The same value, as a viewer may see it."""
    in_words = in_words or key in _WORDS
    if isinstance(value, dict):
        if key in _WHOLE:
            return dict.fromkeys(value, MASK)
        inside = of_somebody or key in _SOMEBODY
        is_name_of_somebody = inside or not _BESIDE.isdisjoint(value)
        return {
            name: masked(
                one,
                key=name,
                of_somebody=is_name_of_somebody if name == "name" else inside,
                in_words=in_words,
            )
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [masked(one, key=key, of_somebody=of_somebody, in_words=in_words) for one in value]
    if value is None or isinstance(value, bool):
        return value
    is_personal = of_somebody and not _CODES.search(key)
    is_personal = is_personal or (key not in _PUBLIC_NAMES and bool(_PERSONAL.search(key)))
    if is_personal or key in _WHOLE:
        return MASK
    return unsaid(value) if in_words and isinstance(value, str) else value


def unsaid(text: str) -> str:
    """
    The words of others without what they may say of people: e-mails, long numbers, and whatever they quote.

    What a field holds is masked by its name; a sentence has no names, so more goes than must.
    """
    dates = _DATE.findall(text)
    kept = _DATE.sub("\0", text)
    for pattern in (_QUOTED, _EMAIL, _DIGITS):
        kept = pattern.sub(MASK, kept)
    for date in dates:
        kept = kept.replace("\0", date, 1)
    return kept.replace("\0", MASK)
