"""
One document of a sheet: its rows become a payload, and every cell that cannot be read a fault.

A document with faults still gives the payload of what could be read, so that the validation can tell what else is wrong
with it in the same pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from schemas.money import render
from schemas.sheets.faults import Problem, empty, too_large, unlike_total
from schemas.sheets.lines import Priced, agree, item_of, net_price, taxes_of, total_of
from schemas.sheets.parties import party_of
from schemas.sheets.reading import DocumentReader, SheetDocument
from schemas.sheets.sheet import Sheet

_CASH: Final = "1"
_CREDIT: Final = "2"
_UNDEFINED_METHOD: Final = "1"
_STAND_IN: Final = Decimal(1)
_OPERATIONS: Final = {"credit_note": "20", "debit_note": "30"}


def documents(sheet: Sheet) -> Iterator[SheetDocument]:
    """The documents of a sheet, made one at a time."""
    for reference, positions in sheet.groups.items():
        found = SheetDocument(sheet, reference, positions)
        _Maker(found).make()
        yield found


class _Maker:
    """Makes the payload of one document."""

    def __init__(self, document: SheetDocument) -> None:
        self.document = document
        self.sheet = document.sheet
        self.family = document.sheet.family
        self.cells = DocumentReader(document)

    def make(self) -> None:
        payload: dict[str, Any] = {"reference_code": self.document.reference}
        if not self.cells.load():
            self.document.payload, self.document.is_unread = payload, True
            self.cells.tell(self.document.positions[0], "reference_code", too_large(len(self.document.positions)))
            return
        if self.family in _OPERATIONS:
            payload["customization_id"] = _OPERATIONS[self.family]
        for key in ("bill_number", "correction_concept_code", "observation"):
            if read := self.cells.header(key):
                payload[key] = read
        if (number := self.cells.whole("numbering_range_id")) is not None:
            payload["numbering_range_id"] = number
        payment = self._payment()
        party = party_of(self.cells)
        payload["provider" if self.family == "support_document" else "customer"] = party
        items, are_sound = self._items()
        payload["items"] = items
        total = total_of(items)
        payment["amount"] = render(total)
        if are_sound:
            self._compare_total(total, items)
        payload["payment_details"] = [payment]
        self.document.payload = payload

    def _payment(self) -> dict[str, Any]:
        due_date = self.cells.header("due_date")
        form = self.cells.header("payment_form")
        if not form and not self.cells.is_filled("payment_form"):
            form = _CREDIT if due_date and self.sheet.profile else _CASH
            told = "crédito, porque hay vencimiento" if form == _CREDIT else "contado"
            self.cells.infer("payment_form", f"Sin forma de pago: {told}.")
        method = self.cells.header("payment_method_code")
        if not method and not self.cells.is_filled("payment_method_code"):
            method = _UNDEFINED_METHOD
            self.cells.infer("payment_method_code", "Sin medio de pago: no definido (1).")
        payment: dict[str, Any] = {"payment_form": form, "payment_method_code": method}
        if due_date and (form == _CREDIT or not self.sheet.profile):
            payment["due_date"] = due_date
        return {key: value for key, value in payment.items() if value}

    # -- the lines -----------------------------------------------------------------------------------------------------
    def _items(self) -> tuple[list[dict[str, Any]], bool]:
        """The lines, and whether all of them could be read."""
        found = [self._item(position) for position in self.document.positions]
        return [item for item, _ in found], all(is_sound for _, is_sound in found)

    def _item(self, position: int) -> tuple[dict[str, Any], bool]:
        """
        A line, and whether it could be read.

        What could not has a stand-in, so that the validation speaks of nothing but the rest.
        """
        before = len(self.document.faults)
        texts = {
            key: self.cells.line_text(position, key) for key in ("code_reference", "item_name", "unit_measure_code")
        }
        if self.sheet.has("item_note"):
            texts["item_note"] = self.cells.line_text(position, "item_note")
        quantity = self.cells.number(position, "quantity")
        iva, inc = self.cells.tax(position, "iva"), self.cells.tax(position, "inc")
        taxes = taxes_of(iva, inc)
        if not (iva or inc) and self.sheet.has("iva") and not self._is_told(position, ("iva", "inc"), before):
            self.cells.tell(position, "iva", empty("la tarifa de IVA (19%, 5%, exento o excluido)"))
        priced = self._priced(position, quantity, taxes)
        is_sound = quantity is not None and priced is not None and bool(taxes)
        line = item_of(
            self.family,
            texts,
            _STAND_IN if quantity is None else quantity,
            priced or Priced(_STAND_IN),
            taxes or taxes_of("19.00", ""),
        )
        return line, is_sound

    def _is_told(self, position: int, keys: Sequence[str], since: int) -> bool:
        """Whether a cell has a fault already, or its column."""
        columns = {self.sheet.headings.columns.get(key) for key in keys}
        row = self.sheet.row(position)
        told = any(one.row == row and one.column in columns for one in self.document.faults[since:])
        return told or any(key in self.sheet.styles and self.sheet.styles[key].unusable is not None for key in keys)

    def _priced(self, position: int, quantity: Decimal | None, taxes: Sequence[dict[str, Any]]) -> Priced | None:
        before = self.document.n_faults
        gross = (
            self.cells.number(position, "price_with_tax", is_needed=False) if self.sheet.has("price_with_tax") else None
        )
        is_gross = self.cells.value(position, "price_with_tax") is not None
        key = "price" if self.sheet.has("price") or not self.sheet.has("price_with_tax") else "price_with_tax"
        price = self.cells.number(position, "price", is_needed=not is_gross and key == "price")
        if key == "price_with_tax" and not is_gross:
            self.cells.tell(position, key, empty("el precio"))
        rate = (
            self.cells.number(position, "discount_rate", is_needed=False) if self.sheet.has("discount_rate") else None
        )
        amount = (
            self.cells.number(position, "discount_amount", is_needed=False)
            if self.sheet.has("discount_amount")
            else None
        )
        if rate and amount:
            self.cells.tell(
                position, "discount_amount", Problem("SHT-019", "Hay dos descuentos: deje Descuento o Descuento %.")
            )
        if self.document.n_faults > before or (price is None and gross is None):
            return None
        if price is not None:
            if gross is not None and taxes and not agree(price, gross, taxes):
                text = "Precio y Precio con IVA no son el mismo precio: deje uno de los dos."
                self.cells.tell(position, "price_with_tax", Problem("SHT-018", text))
                return None
            return Priced(price, rate or None, amount or None)
        assert gross is not None  # one of the two is there
        if quantity is None or not taxes:
            return None
        found = net_price(gross, quantity, taxes, rate, amount, self.family)
        if isinstance(found, Problem):
            told = "discount_amount" if found.rule == "SHT-019" else "price_with_tax"
            self.cells.tell(position, told, found)
            return None
        return found

    # -- the total -----------------------------------------------------------------------------------------------------
    def _compare_total(self, total: Decimal, items: Sequence[dict[str, Any]]) -> None:
        """What a column of totals says: the document's on its rows, or each line's own."""
        if not self.sheet.has("total"):
            return
        stated = [
            (position, found)
            for position in self.document.positions
            if (found := self.cells.number(position, "total", is_needed=False)) is not None
        ]
        wrong = next((one for one in stated if one[1] != total), None)
        if wrong is None or _are_of_lines(stated, items):
            return
        self.cells.tell(wrong[0], "total", unlike_total(wrong[1], total))


def _are_of_lines(stated: Sequence[tuple[int, Decimal]], items: Sequence[dict[str, Any]]) -> bool:
    """Whether each row states the total of its own line, to the cent."""
    return len(stated) == len(items) > 1 and all(
        total_of([item]) == amount for item, (_, amount) in zip(items, stated, strict=True)
    )
