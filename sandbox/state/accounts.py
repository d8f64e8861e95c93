"""
The companies that use the sandbox, one per user name, entirely apart from each other.

An account is made when its user first asks for a token. It holds the shelves of its documents, its allowance of
requests and what was counted about it.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from sandbox.state.bill_life import BillLife
from sandbox.state.company import Company
from sandbox.state.limits import BusiestWindow, FixedWindow
from sandbox.state.numbering import RangeBook
from sandbox.state.receptions import ReceivedBills
from sandbox.state.store import Document, FamilyStore


@dataclass(slots=True)
class Account:
    """
    One company.

    Args:
        is_refused: Its credentials are wrong from now on; tokens that are out still work.
        has_product: Whether it may create documents; else 403.
        has_paid: Whether its plan has documents left; else creates answer 402.
        serves_v2: Else every v2 path answers 403.
        reuses_numbers: The number of a removed document is given to the next one.
        forbidden: Globs of operations, such as `payrolls.*`, `*.toggle` or `POST bills.email`, that answer 403.
        operations: Every request that was processed, by operation.
        changes: Successful changes that are no create, by operation and by what was changed.
    """

    user: str
    window: FixedWindow
    busiest: BusiestWindow
    company: Company = field(default_factory=Company)
    ranges: RangeBook = field(default_factory=RangeBook)
    received: ReceivedBills = field(default_factory=ReceivedBills)
    life: BillLife = field(default_factory=BillLife)
    is_refused: bool = False
    has_product: bool = True
    has_paid: bool = True
    serves_v2: bool = True
    reuses_numbers: bool = False
    forbidden: tuple[str, ...] = ()
    n_tokens_issued: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    changes: dict[str, Counter[str]] = field(default_factory=dict)
    creates: dict[str, Counter[str]] = field(default_factory=dict)
    deletes: dict[str, Counter[str]] = field(default_factory=dict)
    shelves: dict[str, FamilyStore] = field(default_factory=dict)

    def shelf(self, family: str) -> FamilyStore:
        """The documents of a family, by its name."""
        shelf = self.shelves.get(family)
        if shelf is None:
            shelf = self.shelves[family] = FamilyStore()
        return shelf

    def remove(self, family: str, document: Document) -> None:
        self.shelf(family).remove(document)
        if self.reuses_numbers:
            document.numbering.give_back(document.number)

    def find_code(self, code: str) -> Document | None:
        """A document of any family by its CUFE, CUDE, CUDS or CUNE."""
        found = (shelf.find_code(code) for shelf in self.shelves.values())
        return next((document for document in found if document is not None), None)

    def forbids(self, method: str, operation: str) -> bool:
        """A glob may begin with a method: `POST bills.email` sends none, and the content can be read."""
        names = (operation, f"{method} {operation}")
        return any(fnmatchcase(name, glob) for name in names for glob in self.forbidden)

    def count_create(self, family: str, what: str) -> None:
        self.creates.setdefault(family, Counter())[what] += 1

    def count_delete(self, family: str, what: str) -> None:
        self.deletes.setdefault(family, Counter())[what] += 1

    def count_change(self, operation: str, target: str) -> None:
        self.changes.setdefault(operation, Counter())[target] += 1


class AccountBook:
    def __init__(
        self, rate_limit: int, rate_window_s: float, prepare: Callable[[Account], None], *, reuses_numbers: bool
    ) -> None:
        self._prepare = prepare
        self._reuses_numbers = reuses_numbers
        self._rate_limit = rate_limit
        self._rate_window_s = rate_window_s
        self._by_user: dict[str, Account] = {}

    def open(self, user: str) -> Account:
        """The account of a user, made if it is new."""
        account = self._by_user.get(user)
        if account is None:
            window = FixedWindow(self._rate_limit, self._rate_window_s)
            busiest = BusiestWindow(self._rate_window_s)
            account = Account(user, window, busiest, reuses_numbers=self._reuses_numbers)
            self._by_user[user] = account
            self._prepare(account)
        return account

    def all(self) -> list[Account]:
        return list(self._by_user.values())

    def clear(self) -> None:
        self._by_user.clear()
