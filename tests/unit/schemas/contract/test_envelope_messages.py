"""What a producer reads about a wrong field of the envelope: not only that it is wrong, but what would be right."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.contract.envelope import Envelope, envelope_errors

JOB: dict[str, Any] = {"type": "invoice.get", "payload": {}}


def told(**fields: Any) -> list[tuple[str | None, str]]:
    with pytest.raises(ValidationError) as caught:
        Envelope.model_validate({**JOB, **fields})
    return [(error.field, error.message) for error in envelope_errors(caught.value)]


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"priority": "urgente"}, "envelope.priority", "'high', 'normal' o 'low'"),
        ({"options": {"archive": ["zip"]}}, "envelope.options.archive.0", "'pdf', 'xml' o 'attached'"),
        ({"id": "FV 1"}, "envelope.id", "letras sin tilde, dígitos o signos . _ : -"),
        ({"account": "Acme"}, "envelope.account", "letras minúsculas"),
        ({"traceparent": "x"}, "envelope.traceparent", "W3C, como 00-"),
    ],
)
def test_it_says_what_is_allowed(fields: dict[str, Any], field: str, words: str) -> None:
    ((where, message),) = told(**fields)
    assert where == field
    assert words in message


def test_the_example_of_a_traceparent_is_one() -> None:
    (message,) = (message for _, message in told(traceparent="x"))
    Envelope.model_validate({**JOB, "traceparent": message.rpartition(" ")[2].rstrip(".")})
