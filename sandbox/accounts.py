"""
The companies that use the sandbox, one per user name, entirely apart from each other.

An account is made when its user first asks for a token. It holds the shelves of its documents, its allowance of
requests and what was counted about it.
"""

from collections import Counter
from dataclasses import dataclass, field

from sandbox.company import DEFAULT_RANGES, RANGE, Company
from sandbox.families import Family
from sandbox.limits import BusiestWindow, FixedWindow
from sandbox.store import Shelf


@dataclass(slots=True)
class Account:
    """
    One company.

    Args:
        is_refused: Its credentials are wrong from now on; tokens that are out still work.
        has_product: Whether it may create documents; else 403.
        has_paid: Whether its plan has documents left; else creates answer 402.
        serves_v2: Else every v2 path answers 403.
    """

    user: str
    window: FixedWindow
    busiest: BusiestWindow
    company: Company = field(default_factory=Company)
    ranges: frozenset[int] = DEFAULT_RANGES
    is_refused: bool = False
    has_product: bool = True
    has_paid: bool = True
    serves_v2: bool = True
    n_tokens_issued: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    creates: dict[str, Counter[str]] = field(default_factory=dict)
    deletes: dict[str, Counter[str]] = field(default_factory=dict)
    shelves: dict[str, Shelf] = field(default_factory=dict)

    def shelf(self, family: Family) -> Shelf:
        shelf = self.shelves.get(family.name)
        if shelf is None:
            shelf = self.shelves[family.name] = Shelf(RANGE["prefix"])
        return shelf

    def count_create(self, family: Family, what: str) -> None:
        self.creates.setdefault(family.name, Counter())[what] += 1

    def count_delete(self, family: Family, what: str) -> None:
        self.deletes.setdefault(family.name, Counter())[what] += 1


class AccountBook:
    def __init__(self, rate_limit: int, rate_window_s: float) -> None:
        self._rate_limit = rate_limit
        self._rate_window_s = rate_window_s
        self._by_user: dict[str, Account] = {}

    def open(self, user: str) -> Account:
        """The account of a user, made if it is new."""
        account = self._by_user.get(user)
        if account is None:
            window = FixedWindow(self._rate_limit, self._rate_window_s)
            account = Account(user, window, BusiestWindow(self._rate_window_s))
            self._by_user[user] = account
        return account

    def all(self) -> list[Account]:
        return list(self._by_user.values())

    def clear(self) -> None:
        self._by_user.clear()
