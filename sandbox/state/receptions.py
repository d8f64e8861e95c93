"""
Bills that suppliers issued to an account: found at DIAN by their CUFE, and what the account said about them.

Any CUFE of 96 hexadecimal digits is a bill of somebody; what it says follows from the seed and the CUFE. One that is
a single digit all along is known to nobody.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from sandbox.state.radian import LAST_WORDS, codes_of
from sandbox.values.seeded_random import draw

_CUFE: Final = re.compile(r"[0-9a-f]{96}", re.ASCII)
_NOT_BEFORE: Final = datetime(2026, 1, 1, tzinfo=UTC)


def is_cufe(code: object) -> bool:
    return isinstance(code, str) and _CUFE.fullmatch(code) is not None


def is_known_to_dian(cufe: str) -> bool:
    return len(set(cufe)) > 1


@dataclass(slots=True, eq=False)
class ReceivedBill:
    id: int
    cufe: str
    number: str
    issued_at: float
    company_nit: str
    company_name: str
    is_on_credit: bool
    total: Decimal
    created_at: float
    claim_concept: str | None = None
    events: list[dict[str, str]] = field(default_factory=list)

    @property
    def is_completed(self) -> bool:
        return bool(codes_of(self.events) & LAST_WORDS)


class ReceivedBills:
    """Those of one account, in the order in which they were uploaded."""

    def __init__(self) -> None:
        self._by_cufe: dict[str, ReceivedBill] = {}

    def find(self, cufe: str) -> ReceivedBill | None:
        return self._by_cufe.get(cufe)

    def find_id(self, key: str) -> ReceivedBill | None:
        return next((bill for bill in self._by_cufe.values() if str(bill.id) == key), None)

    def newest_first(self) -> list[ReceivedBill]:
        return list(reversed(self._by_cufe.values()))

    def upload(self, cufe: str, seed: int, now: float) -> ReceivedBill:
        issued_at = (_NOT_BEFORE + timedelta(seconds=int(draw(seed, cufe, "issued") * 15_000_000))).timestamp()
        nit = str(800_000_000 + int(draw(seed, cufe, "nit") * 100_000_000))
        bill = ReceivedBill(
            id=len(self._by_cufe) + 1,
            cufe=cufe,
            number=f"FE{1 + int(draw(seed, cufe, 'number') * 99_999)}",
            issued_at=issued_at,
            company_nit=nit,
            company_name=f"Proveedor {nit} S.A.S.",
            is_on_credit=draw(seed, cufe, "form") < 0.8,
            total=Decimal(int(draw(seed, cufe, "total") * 100_000_000)) / 100,
            created_at=now,
        )
        self._by_cufe[cufe] = bill
        return bill
