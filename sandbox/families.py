"""
The families of documents that this sandbox serves: one row for each, with everything in which they differ.

Paths, texts and the three functions that know a family's fields. Creating, reading, deleting and listing are the same
code for all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.bill import show_bill, show_bill_row
from sandbox.bill_fields import SAMPLE_BILL, check_bill
from sandbox.company import Company
from sandbox.fields import Errors
from sandbox.store import Document

CheckBody = Callable[[dict[str, Any], frozenset[int], Errors], tuple[dict[str, Any], Any]]
Show = Callable[[Document, Company], dict[str, Any]]
ShowRow = Callable[[Document], dict[str, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """
    One family of documents.

    Args:
        path: Of the collection; a single document is one segment below it.
        delete_path: What stands before the reference code.
        conflict: Text of the 409 while another document of the family is not validated.
        file_letters: What the names of its files begin with: the document, and the AttachedDocument.
        has_email: Whether documents can be e-mailed.
        has_events: Whether they have RADIAN events.
        check: Returns the fields that Factus keeps and the amounts; fills in the errors.
        sample: A valid body without a reference code, for documents that are nobody's.
    """

    name: str
    path: str
    create_path: str
    delete_path: str
    conflict: str
    mailed: str
    type_code: str
    file_letters: tuple[str, str]
    has_email: bool
    has_events: bool
    check: CheckBody
    show: Show
    show_row: ShowRow
    sample: Mapping[str, Any]


BILLS = Family(
    name="bills",
    path="/v2/bills",
    create_path="/v2/bills/validate",
    delete_path="/v2/bills/destroy/reference",
    conflict="Se encontró una factura pendiente por enviar a la DIAN",
    mailed="Factura enviada al cliente con éxito",
    type_code="01",
    file_letters=("fv", "ad"),
    has_email=True,
    has_events=True,
    check=check_bill,
    show=show_bill,
    show_row=show_bill_row,
    sample=SAMPLE_BILL,
)

FAMILIES = (BILLS,)
