"""
Rows of Factus's lists as a closing needs them: read from an answer, and put aside in a small form until all are there.

A row has no tax and no CUFE (Factus API v2, lists; recorded answers). A tax that stands there all the same is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from jobs.day_facts import Row
from jobs.families import Family
from schemas import strict_json
from schemas.factus import DocumentView, amount, instant
from schemas.money import ZERO

_LONGEST_REASON: Final = 300


def row_of(family: Family, raw: Any) -> Row | None:
    """A row of a list; None for what names no document."""
    if not isinstance(raw, Mapping):
        return None
    document = DocumentView(raw)
    number, reference = plain(document.number or ""), plain(document.reference_code or "")
    if not (number or reference):
        return None
    created = instant(raw.get("created_at"))
    row = Row(
        number=number,
        reference_code=reference,
        is_validated=document.is_validated,
        total=family.total_of(raw) if family.total else ZERO,
        tax_amount=tax_of(raw) if family.has_taxes else ZERO,
        created_ms=int(datetime.fromisoformat(created).timestamp() * 1000) if created else 0,
    )
    return row if row.is_validated else _with_reason(row, document)


def tax_of(raw: Mapping[str, Any]) -> Decimal | None:
    """The tax of a document that is shown, or of a row; None when it does not tell it."""
    totals = raw.get("totals")
    return amount((totals if isinstance(totals, Mapping) else raw).get("tax_amount"))


def prefix_of(raw: Mapping[str, Any]) -> str:
    """The prefix of the range that numbered a document which is shown; empty when it does not tell it."""
    numbering = raw.get("numbering_range")
    found = numbering.get("prefix") if isinstance(numbering, Mapping) else None
    return plain(found)[:20] if isinstance(found, str) else ""


def _with_reason(row: Row, document: DocumentView) -> Row:
    said = [one for one in document.remarks if one.is_rejection] or list(document.remarks[:1])
    if not said:
        return row
    return replace(
        row,
        rule=plain(said[0].rule) if said[0].rule else None,
        reason=plain(said[0].words)[:_LONGEST_REASON],
        is_rejected=said[0].is_rejection and not said[0].is_processed_before,
    )


def packed(rows: list[Row]) -> str:
    """Rows as they are put aside."""
    return strict_json.dump([_to_list(row) for row in rows])


def unpacked(text: str) -> list[Row]:
    """
    Rows that were put aside; written by ourselves.

    Raises:
        JsonRefused: Damaged.
    """
    return [_from_list(one) for one in strict_json.parse_written(text)]


def _to_list(row: Row) -> list[Any]:
    short = [row.number, row.reference_code, row.is_validated, _text(row.total), _text(row.tax_amount), row.created_ms]
    return short if row.is_validated else [*short, row.rule, row.reason, row.is_rejected]


def _from_list(found: list[Any]) -> Row:
    number, reference, is_validated, total, tax, created_ms, *reason = found
    return Row(number, reference, is_validated, amount(total), amount(tax), created_ms, *reason)


def amounts_text(family: Family, raw: Mapping[str, Any]) -> str:
    """Total and tax of a document that is shown, in the form in which they are kept."""
    tax = tax_of(raw) if family.has_taxes else ZERO
    return strict_json.dump([_text(family.total_of(raw)), _text(tax)])


def with_amounts(row: Row, text: str | None) -> Row:
    """A row with the amounts that it lacks, where they are known."""
    if text is None or not row.lacks_amounts:
        return row
    total, tax = (amount(one) for one in strict_json.parse(text))
    return replace(
        row,
        total=total if row.total is None else row.total,
        tax_amount=tax if row.tax_amount is None else row.tax_amount,
    )


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def plain(text: str) -> str:
    """A foreign text that has bytes: a certificate is hashed as UTF-8."""
    return text.encode(errors="replace").decode()
