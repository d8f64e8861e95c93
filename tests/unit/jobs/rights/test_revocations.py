"""What is taken back, and the forms in which it is said."""

from __future__ import annotations

import pytest

from jobs.rights.revocations import Revocations, RevocationsInvalid, revocations_of


def test_both_parts_may_be_left_out() -> None:
    assert revocations_of(b"{}") == Revocations()
    assert revocations_of(b'{"kids": ["k"]}').revokes_key("k")
    assert not revocations_of(b'{"kids": ["k"]}').revokes_key("kk")


def test_a_producers_tokens_of_before_an_instant() -> None:
    found = revocations_of(b'{"producers": [{"iss": "erp", "before": 1000}, {"iss": "pos"}]}')
    assert found.revokes_token("erp", 999)
    assert not found.revokes_token("erp", 1000)
    assert found.revokes_token("erp", None), "who does not say when it was issued cannot show that it is a later one"
    assert found.revokes_token("pos", 10**12)
    assert not found.revokes_token("other", 1)


def test_an_instant_may_be_a_time_and_the_latest_counts() -> None:
    found = revocations_of(
        b'{"producers": [{"iss": "erp", "before": "1970-01-01T00:16:40Z"}, {"iss": "erp", "before": 500}]}'
    )
    assert found.revokes_token("erp", 999)
    assert not found.revokes_token("erp", 1000)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"kid": ["k"]}',
        b'{"kids": "k"}',
        b'{"kids": [1]}',
        b'{"producers": {"iss": "erp"}}',
        b'{"producers": ["erp"]}',
        b'{"producers": [{"before": 5}]}',
        b'{"producers": [{"iss": "erp", "after": 5}]}',
        b'{"producers": [{"iss": "erp", "before": true}]}',
        b'{"producers": [{"iss": "erp", "before": 5.5}]}',
        b'{"producers": [{"iss": "erp", "before": "2026-12-01T00:00:00"}]}',
        b'{"producers": [{"iss": "erp", "before": "yesterday"}]}',
        b'{"kids": [], "kids": ["k"]}',
    ],
)
def test_what_is_misspelt_is_refused(content: bytes) -> None:
    """It would revoke nothing, and nobody would notice."""
    with pytest.raises(RevocationsInvalid):
        revocations_of(content)
