"""
What a viewer does not see: names, identifications, addresses, e-mails and telephones of people. Pure.

Whatever stands in an object that is about somebody is masked, but for codes of the tables; elsewhere what bears the
name of such a value. What only its producer can know (``metadata``) and what leads to the document is masked whole.
"""

from __future__ import annotations

import re
from typing import Any, Final

MASK: Final = "•••"
_SOMEBODY: Final = frozenset(
    {
        *("customer", "provider", "supplier", "worker", "employee", "person", "acquirer", "adquirer", "establishment"),
        *("mandate", "seller", "patient", "contact", "payer", "company"),
    }
)
_PERSONAL: Final = re.compile(
    r"(^|_)(identification|identification_number|dv|nit|names?|first_name|last_name|surname|trade_name|company|address"
    r"|emails?|phones?|telephones?|mobile|account_number)$"
)
_PUBLIC_NAMES: Final = frozenset({"event_name", "file_name", "name"})
"""``name`` alone is that of a thing (an item, a tax), unless it stands in what is about somebody."""
_WHOLE: Final = frozenset({"metadata", "qr", "qr_image", "public_url"})
_CODES: Final = re.compile(r"(^|_)(code|id)$")


def masked(value: Any, *, key: str = "", of_somebody: bool = False) -> Any:
    """The same value, as a viewer may see it."""
    if isinstance(value, dict):
        if key in _WHOLE:
            return dict.fromkeys(value, MASK)
        inside = of_somebody or key in _SOMEBODY
        return {name: masked(one, key=name, of_somebody=inside) for name, one in value.items()}
    if isinstance(value, list):
        return [masked(one, key=key, of_somebody=of_somebody) for one in value]
    if value is None or isinstance(value, bool):
        return value
    is_personal = of_somebody and not _CODES.search(key)
    is_personal = is_personal or (key not in _PUBLIC_NAMES and bool(_PERSONAL.search(key)))
    return MASK if is_personal or key in _WHOLE else value
