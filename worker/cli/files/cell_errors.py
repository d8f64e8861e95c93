"""
An error of which the cell is known: what ``check`` and ``submit`` show of spreadsheets.
"""

from __future__ import annotations

from schemas.contract.event import ErrorDetail


class CellError(ErrorDetail):
    """An error or warning of which the cell is known."""

    file: str
    sheet: str
    cell: str
    heading: str
    value: str | None
    reference: str = ""

    @property
    def row(self) -> int:
        """Its row; 1 for the sheet as a whole."""
        return int("".join(char for char in self.cell if char.isdigit()) or "1")

    @property
    def place(self) -> str:
        """``Facturas!F12``."""
        return f"{self.sheet}!{self.cell}" if self.sheet and self.cell else self.sheet or self.file
