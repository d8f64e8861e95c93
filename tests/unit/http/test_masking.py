"""What a viewer sees of people: nothing."""

from __future__ import annotations

import json

from schemas import strict_json
from worker.cli.contract.messages import example_event_rows
from worker.http.masking import MASK, masked


def test_no_example_event_shows_a_person_to_a_viewer() -> None:
    """Every type of event, with what Factus would answer: names, numbers and addresses of people are gone."""
    for event in example_event_rows():
        shown = json.loads(strict_json.dump(masked(strict_json.parse(event.to_json()))))
        text = json.dumps(shown.get("data"), ensure_ascii=False)
        # An elimination names the payroll that it eliminates, by its number: no person.
        for told in ("@",) if event.type.startswith("payroll_adjustment") else ("900100200", "@"):
            assert told not in text, event.type
        assert shown["type"] == event.type
        assert shown["reference_code"] == event.reference_code


def test_what_is_about_somebody_is_masked_and_things_are_not() -> None:
    seen = masked(
        {
            "customer": {
                "names": "Ana", "identification": "900", "address": "Calle 1", "phone": 300, "email": "a@b.co",
                "municipality": {"code": "05001", "name": "Medellín"}, "is_known": True,
            },
            "items": [{"code_reference": "C", "name": "Café", "price": "10.00"}],
            "totals": {"total": "11.90"},
            "metadata": {"note": "Ana"},
            "public_url": "https://example.com/x",
            "number": "SETP1",
        }
    )  # fmt: skip
    assert seen == {
        "customer": {
            "names": MASK, "identification": MASK, "address": MASK, "phone": MASK, "email": MASK,
            "municipality": {"code": "05001", "name": MASK}, "is_known": True,
        },
        "items": [{"code_reference": "C", "name": "Café", "price": "10.00"}],
        "totals": {"total": "11.90"},
        "metadata": {"note": MASK},
        "public_url": MASK,
        "number": "SETP1",
    }  # fmt: skip
