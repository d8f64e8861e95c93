"""The filters of lists of documents, by the name in their query: each tells whether a document passes for a value."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from sandbox.families.payroll import worker_name
from sandbox.state.store import Document
from sandbox.values import datetimes
from sandbox.values.fields import Errors, invalid

Filter = Callable[[Document, str], bool]


def _has_number(document: Document, wanted: str) -> bool:
    return wanted in document.number


def _has_prefix(document: Document, wanted: str) -> bool:
    return document.number.rstrip("0123456789") == wanted


def _has_identification(document: Document, wanted: str) -> bool:
    return document.identification == wanted


def _has_names(document: Document, wanted: str) -> bool:
    party = document.party
    printed = party.get("company") or party.get("names") or worker_name(party)
    return wanted.casefold() in printed.casefold()


def _has_reference(document: Document, wanted: str) -> bool:
    return document.reference == wanted


def _has_status(document: Document, wanted: str) -> bool:
    return document.is_validated is (wanted == "1")


def _is_from(document: Document, wanted: str) -> bool:
    return datetimes.at(document.created_at).date() >= date.fromisoformat(wanted)


def _is_until(document: Document, wanted: str) -> bool:
    return datetimes.at(document.created_at).date() <= date.fromisoformat(wanted)


DOCUMENT_FILTERS: Final[Mapping[str, Filter]] = {
    "filter[identification]": _has_identification,
    "filter[names]": _has_names,
    "filter[number]": _has_number,
    "filter[prefix]": _has_prefix,
    "filter[reference_code]": _has_reference,
    "filter[status]": _has_status,
    "filter[created_at][start_date]": _is_from,
    "filter[created_at][end_date]": _is_until,
}
# Neither reference nor status nor dates, and no choice of the page's length.
PAYROLL_FILTERS: Final[Mapping[str, Filter]] = {
    "filter[identification_number]": _has_identification,
    "filter[number]": _has_number,
    "filter[names]": _has_names,
}


def check_value(name: str, value: str, errors: Errors) -> None:
    """Refuse a status that is none, and a date that is none."""
    if name == "filter[status]" and value not in ("0", "1"):
        invalid("filter.status", errors)
    if name.endswith("_date]"):
        try:
            date.fromisoformat(value)
        except ValueError:
            invalid(name, errors)
