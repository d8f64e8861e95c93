"""
A conversion from version 1 as producers read of it: a warning with the result, or the errors of a refusal.
"""

from __future__ import annotations

from typing import Final

from schemas.contract.event import ErrorDetail
from schemas.money import render
from schemas.version_1.convert import Converted, Unconvertible

_MOST_CHARACTERS: Final = 1_000
_MOST_ERRORS: Final = 100


def conversion_warning(converted: Converted) -> ErrorDetail:
    """What was inferred, a sentence for each, within what a text of an error may hold."""
    text = f"Convertido de la versión 1: {'; '.join(converted.inferred)}."
    if converted.difference:
        text = f"El total pasa de {render(converted.total_v1)} a {render(converted.total_v2)}. {text}"
    if len(text) > _MOST_CHARACTERS:
        text = f"{text[: _MOST_CHARACTERS - 1]}…"
    return ErrorDetail(code="payload.converted", message=text)


def unconvertible_errors(found: Unconvertible) -> tuple[ErrorDetail, ...]:
    """Each field that cannot be carried over, and why."""
    return tuple(
        ErrorDetail(code="payload.unconvertible", message=why, field=field or None)
        for field, why in found.faults[:_MOST_ERRORS]
    )
