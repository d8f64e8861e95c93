"""Every job type has an example that could be pushed as it stands."""

from __future__ import annotations

from datetime import date

import pytest

from jobs.example_payloads import MORE, example
from jobs.registry import JOB_TYPES
from schemas.payload.validate import validate

TODAY = date(2026, 11, 30)
NAMES = [*JOB_TYPES, *(name for names in MORE.values() for name in names)]


def payload_of(name: str):
    family, verb = name.split(".")[:2]
    found = JOB_TYPES[f"{family}.{verb}"].payload
    assert found is not None
    return found


@pytest.mark.parametrize("name", NAMES)
def test_an_example_passes_without_a_warning(name: str) -> None:
    found = validate(payload_of(name), example(name), today=TODAY)
    assert (found.errors, found.warnings) == ((), ())


def test_examples_of_a_family_are_about_one_document() -> None:
    issued = example("credit_note.issue")["reference_code"]
    for verb in ("get", "download", "delete", "email", "email_content"):
        assert example(f"credit_note.{verb}")["reference_code"] == issued


def test_an_example_may_be_changed_by_whoever_took_it() -> None:
    example("invoice.issue")["items"][0]["price"] = "1.00"
    assert example("invoice.issue")["items"][0]["price"] != "1.00"


def test_there_is_an_invoice_on_credit_and_a_note_on_a_bill() -> None:
    assert example("invoice.issue.credit")["payment_details"][0]["payment_form"] == "2"
    assert example("credit_note.issue")["bill_number"]
