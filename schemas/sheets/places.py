"""
Which cell an error about a payload comes from: ``items.2.price`` is the price of the document's third row.
"""

from __future__ import annotations

from typing import Final

_OF_ITEMS: Final = {
    "code_reference": ("code_reference",),
    "name": ("item_name",),
    "quantity": ("quantity",),
    "price": ("price", "price_with_tax"),
    "discount_rate": ("discount_rate", "discount_amount"),
    "discount_amount": ("discount_amount", "discount_rate"),
    "taxes": ("iva", "inc"),
    "unit_measure_code": ("unit_measure_code",),
    "standard_code": ("code_reference",),
    "note": ("item_note",),
    "period": ("item_name",),
}
_OF_PAYMENTS: Final = {
    "payment_form": ("payment_form",),
    "payment_method_code": ("payment_method_code",),
    "due_date": ("due_date",),
    "amount": ("total", "price", "price_with_tax"),
}
_NAMES: Final = frozenset({"company", "names"})


def keys_of(field: str) -> tuple[int | None, tuple[str, ...]]:
    """
    The line of the document (from 0; None for the document itself) and the columns that a dotted field may stand in.

    The first of the columns that there is, and is filled, is the one.
    """
    steps = field.split(".")
    match steps:
        case ["items", position, key, *_] if position.isdigit():
            return int(position), _OF_ITEMS.get(key, ())
        case ["items", position] if position.isdigit():
            return int(position), ("item_name",)
        case ["items", *_]:
            return 0, ("item_name",)
        case ["customer" | "provider", key, *_]:
            return None, ("name",) if key in _NAMES else (key,)
        case ["customer" | "provider"]:
            return None, ("identification",)
        case ["payment_details", _, key, *_]:
            return None, _OF_PAYMENTS.get(key, ())
        case ["payment_details", *_]:
            return None, _OF_PAYMENTS["amount"]
        case [key, *_]:
            return None, (key,)
        case _:
            return None, ()
