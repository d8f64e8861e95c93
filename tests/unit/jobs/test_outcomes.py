"""What the end of an attempt says of Factus: up, or nothing."""

from __future__ import annotations

import pytest

from jobs.outcomes import AttemptResult, Finished
from schemas.contract.error_codes import CODES
from schemas.contract.event import ErrorDetail

STILL = {"factus.credentials", "factus.payment_required", "factus.denied", "factus.unavailable", "factus.conflict"}


@pytest.mark.parametrize("code", [*CODES])
@pytest.mark.parametrize("n_calls", [0, 1])
def test_an_end_by_what_still_stands_in_the_way_is_no_news_of_a_mend(code: str, n_calls: int) -> None:
    ending = Finished("failed", "x", errors=(ErrorDetail(code=code, message="x"),))
    assert (AttemptResult(ending, 0, n_calls).health == "up") is (n_calls > 0 and code not in STILL)


def test_a_good_end_says_that_factus_is_up_where_it_was_asked() -> None:
    assert [AttemptResult(Finished("validated", "x"), 0, n).health for n in (0, 1)] == ["unknown", "up"]
