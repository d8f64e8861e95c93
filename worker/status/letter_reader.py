"""The dead letters by who acts on them."""

from __future__ import annotations

from collections import Counter
from typing import Final

from schemas.contract.error_codes import ERROR_CODES
from worker.status.facts import LettersSeen
from worker.status.stored import Asker, text
from worker.store.inquiry import Inquiry
from worker.store.keys import Keys

_MOST_BYTES: Final = 32 * 1024 * 1024
"""Letters hold the bytes of their jobs: after so many the newest have been looked at, and that is enough."""

_FIRST_PAGE: Final = 20
_LARGEST_PAGE: Final = 1_000
_BYTES_A_PAGE: Final = 2 * 1024 * 1024

_ACTS: Final = {row.code: row.acts for row in ERROR_CODES}


def letters_seen(asker: Asker, keys: Keys) -> Inquiry[LettersSeen]:
    """All of them, or the newest where they are many."""
    (n,) = yield from asker.ask(("XLEN", keys.dead()))
    if not n:
        return LettersSeen()
    reasons: Counter[str] = Counter()
    end, n_bytes, n_read, most = "+", 0, 0, _FIRST_PAGE
    while n_bytes < _MOST_BYTES:
        (page,) = yield from asker.ask(("XREVRANGE", keys.dead(), end, "-", "COUNT", most))
        for _, fields in page or ():
            reasons[_reason(fields)] += 1
            n_bytes += sum(map(len, fields[1::2]))
        if not page or len(page) < most:
            break
        n_read += len(page)
        end = f"({text(page[-1][0])}"
        # As many as fit into a page, by the size of those that were read.
        most = max(min(_BYTES_A_PAGE * n_read // max(n_bytes, 1), _LARGEST_PAGE), _FIRST_PAGE)
    return _by_actor(n, reasons)


def _reason(fields: list[bytes]) -> str:
    return next((text(value) for name, value in zip(fields[::2], fields[1::2], strict=True) if name == b"reason"), "")


def _by_actor(n: int, reasons: Counter[str]) -> LettersSeen:
    by_actor: Counter[str] = Counter()
    for code, n_code in reasons.items():
        by_actor[_ACTS.get(code, "operator")] += n_code
    ours = [(code, n_code) for code, n_code in reasons.most_common() if _ACTS.get(code, "operator") != "producer"]
    return LettersSeen(n, by_actor["producer"], by_actor["operator"], by_actor["developers"], tuple(ours))
