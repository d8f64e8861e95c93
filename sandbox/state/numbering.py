"""
The numbering ranges of one account: who counts what under which prefix, and which of them a create may use.

Starts with the ranges of Factus's public sandbox, by the ids that its examples name. Where examples name the same range
by several ids, those of version 1 among them, the others are aliases.
"""

from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from typing import Final

from sandbox.values import datetimes
from sandbox.values.fields import Errors, invalid, missing

PAYROLL_DOCUMENTS: Final = frozenset({"26", "27"})
_FOR_EVER: Final = date(2030, 1, 19)
_ALIASES: Final[dict[int | str, int | str]] = {4: 389, 8: 389, 9: 1776, 390: 1776, 148: 2058}
"""Other ids that public examples name a range of bills, credit notes or support documents by."""
_ULID_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(slots=True, eq=False)
class NumberingRange:
    """
    One range.

    Args:
        document: Code of what it numbers: 21 bills, 22 credit notes, and so on.
        current: The next number to issue.
        n_issued: Documents that took their number from it.
        freed: Numbers of removed documents that are given again, where Factus is played so.
    """

    id: int | str
    document: str
    prefix: str
    current: int
    first: int = 1
    last: int = 16_000_000
    resolution_number: str | None = None
    start: date = date(2019, 1, 19)
    end: date = _FOR_EVER
    technical_key: str | None = None
    is_active: bool = True
    created_at: float = 1_685_606_438.0
    updated_at: float = 1_685_606_438.0
    n_issued: int = 0
    freed: list[int] = field(default_factory=list)

    def take(self) -> str:
        self.n_issued += 1
        if self.freed:
            return f"{self.prefix}{self.freed.pop(0)}"
        number = f"{self.prefix}{self.current}"
        self.current += 1
        return number

    def give_back(self, number: str) -> None:
        """The number of a removed document is given to the next one."""
        self.freed = sorted({*self.freed, int(number.removeprefix(self.prefix))})

    def is_expired(self, now: float) -> bool:
        return datetimes.at(now).date() > self.end

    def is_usable(self, now: float) -> bool:
        return self.is_active and self.current <= self.last and not self.is_expired(now)


def _first_ranges() -> list[NumberingRange]:
    key = "fc8eac422eba16e22ffd8c6f94b3f40a6e38162c"
    return [
        NumberingRange(
            389, "21", "SETP", 990_000_001, 990_000_000, 995_000_000, "18760000001", technical_key=key, n_issued=1
        ),
        NumberingRange(1776, "22", "NC", 1),
        NumberingRange(6, "23", "ND", 1),
        NumberingRange(2058, "24", "SEDS", 984_000_001, 984_000_000, 985_000_000, "18760000003", n_issued=1),
        NumberingRange(149, "25", "NA", 1),
        NumberingRange("01kpdv25zepw0vzn39th90h1a7", "26", "NEF", 1),
        NumberingRange("01kpdv25zj3f7sd5sedemgbnx9", "27", "NAN", 1),
    ]


class RangeBook:
    """The ranges of an account by id."""

    def __init__(self) -> None:
        self._ranges: dict[int | str, NumberingRange] = {one.id: one for one in _first_ranges()}
        self._aliases = dict(_ALIASES)
        self._n_added = 0

    def all(self, of_payroll: bool) -> list[NumberingRange]:
        return [one for one in self._ranges.values() if (one.document in PAYROLL_DOCUMENTS) is of_payroll]

    def find(self, key: int | str) -> NumberingRange | None:
        return self._ranges.get(self._aliases.get(key, key))

    def add(self, added: NumberingRange) -> None:
        self._ranges[added.id] = added

    def remove(self, removed: NumberingRange) -> None:
        del self._ranges[removed.id]

    def next_id(self, of_payroll: bool, seed: int) -> int | str:
        """Integers for invoicing, ULIDs for payroll; the same ones for the same seed."""
        self._n_added += 1
        if not of_payroll:
            return max(key for key in self._ranges if isinstance(key, int)) + 1
        digits = sha256(f"{seed}|{self._n_added}".encode()).digest()
        return "01" + "".join(_ULID_ALPHABET[byte % 32] for byte in digits[:24])

    def bill_ids(self) -> list[int]:
        """Every id, aliases too, that a bill may name."""
        named = {one.id for one in self._ranges.values() if one.document == "21"}
        return sorted(int(key) for key in named | {alias for alias, key in self._aliases.items() if key in named})

    def rename_bill_range(self, ids: list[int]) -> None:
        """Let the range of bills go by these ids alone; without any, the account has none."""
        kept = self.find(self.bill_ids()[0]) if self.bill_ids() else _first_ranges()[0]
        self._ranges = {key: one for key, one in self._ranges.items() if one.document != "21"}
        self._aliases = {alias: key for alias, key in self._aliases.items() if key in self._ranges}
        if kept is not None and ids:
            kept.id, *others = ids
            self._ranges[kept.id] = kept
            self._aliases |= dict.fromkeys(others, kept.id)

    def choose(
        self, documents: tuple[str, ...], key: int | str | None, now: float, errors: Errors
    ) -> NumberingRange | None:
        """
        The range that a create numbers from: the one it names, else the only active one of the first of *documents*.

        None without an error means that there is no active one at all.
        """
        if key is not None:
            named = self.find(key)
            if named is not None and named.document in documents and named.is_usable(now):
                return named
            invalid("numbering_range_id", errors)
            return None
        active = [one for one in self._ranges.values() if one.document == documents[0] and one.is_usable(now)]
        if len(active) > 1:
            missing("numbering_range_id", errors)
        return active[0] if len(active) == 1 else None

    def any_of(self, documents: tuple[str, ...]) -> NumberingRange | None:
        return next((one for one in self._ranges.values() if one.document in documents), None)
