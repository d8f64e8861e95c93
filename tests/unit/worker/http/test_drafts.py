"""From a request to the bytes that are pushed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from worker.http.answers import Refusal
from worker.http.drafts import draft_of_envelope, draft_of_payload, idempotency_key, wait_of

SEARCH = {"type": "catalog.search", "account": "acme", "payload": {"catalog": "taxes"}}


def raw(job: Any) -> bytes:
    return json.dumps(job, indent=1).encode()


def test_what_lacks_nothing_is_pushed_to_the_letter() -> None:
    sent = raw(SEARCH)
    assert draft_of_envelope(sent, None).to_push("acme") is sent
    assert draft_of_envelope(raw({**SEARCH, "id": "own"}), "key").envelope.id == "own"


@pytest.mark.parametrize("empty", [{}, {"id": None}])
def test_a_key_is_the_id_of_a_job_that_has_none(empty: dict[str, Any]) -> None:
    pushed = json.loads(draft_of_envelope(raw({**SEARCH, **empty}), "key").to_push("acme"))
    assert pushed["id"] == "key"


def test_an_account_that_was_looked_at_is_written_down() -> None:
    """Whose the job is was decided here: another default in the meantime must not make it another's."""
    nameless = {key: value for key, value in SEARCH.items() if key != "account"}
    assert json.loads(draft_of_envelope(raw(nameless), None).to_push("acme"))["account"] == "acme"


def test_numbers_keep_their_digits_where_the_job_is_written_again() -> None:
    sent = b'{"type":"catalog.search","payload":{"catalog":"taxes"},"metadata":{"n":0.10,"big":12345678901234567890.5}}'
    pushed = draft_of_envelope(sent, "k").to_push("acme")
    assert b'"n":0.10' in pushed
    assert b"12345678901234567890.5" in pushed


def test_what_grows_beyond_a_job_is_too_large() -> None:
    payload = b'{"catalog":"' + b"a" * (1024 * 1024 - 20) + b'"}'
    with pytest.raises(Refusal) as refused:
        draft_of_payload("catalog.search", payload, {"account": "acme"}, None).to_push("acme")
    assert refused.value.status == 413


@pytest.mark.parametrize(
    ("name", "text", "field"),
    [
        ("token", "x", "envelope.token"),
        ("type", "x", "envelope.type"),
        ("payload", "{}", "envelope.payload"),
        ("nonsense", "x", "envelope.nonsense"),
        ("options", "{", "envelope.options"),
        ("metadata", "[1]", "envelope.metadata"),
        ("batch_size", "x", "envelope.batch_size"),
        ("not_before", "tomorrow", "envelope.not_before"),
    ],
)
def test_a_parameter_that_is_no_field_is_refused_by_name(name: str, text: str, field: str) -> None:
    with pytest.raises(Refusal) as refused:
        draft_of_payload("catalog.search", b"{}", {name: text}, None)
    assert (refused.value.status, refused.value.errors[0]["field"]) == (422, field)


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ([], 0),
        (["wait=10"], 10),
        (["respond-async, wait=10"], 10),
        (["respond-async", 'Wait = "7"'], 7),
        (["wait=3600"], 60),
        (["wait=0"], 0),
        (["wait=-1"], 0),
        (["wait=1.5"], 0),
        (["await=5"], 0),
        (["wait"], 0),
        (["wait=99999999999999999999"], 0),
    ],
)
def test_prefer_is_read_leniently_and_bounded(prefer: list[str], seconds: int) -> None:
    assert wait_of(prefer, 60) == seconds


def test_a_key_may_stand_in_quotes_as_its_draft_has_it() -> None:
    assert idempotency_key(['"8e03978e-40d5"']) == idempotency_key(["8e03978e-40d5"]) == "8e03978e-40d5"
    assert idempotency_key([]) is None
    for bad in (['"'], [""], ["a", "a"], ["a\nb"], ["x" * 129]):
        with pytest.raises(Refusal):
            idempotency_key(bad)
