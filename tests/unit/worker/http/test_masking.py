"""What a viewer sees of people: nothing."""

from __future__ import annotations

import json

import pytest

from schemas import strict_json
from worker.cli.contract.messages import example_event_rows
from worker.http.masking import MASK, masked, unsaid


def test_no_example_event_shows_a_person_to_a_viewer() -> None:
    """Every type of event, with what Factus would answer: names, numbers and addresses of people are gone."""
    for event in example_event_rows():
        shown = json.loads(strict_json.dump(masked(strict_json.parse(event.to_json()))))
        text = json.dumps(shown.get("data"), ensure_ascii=False)
        # An elimination names the payroll that it eliminates, by its number: no person.
        for told in ("@",) if event.type.startswith("payroll_adjustment") else ("900100200", "@"):
            assert told not in text, event.type
        for told in ("Sabana", "Andina", "860900100"):
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


def test_free_texts_of_the_producer_and_of_mails_are_masked_whole() -> None:
    """The subject of an e-mail of Factus is the NIT and the name of who sends it; its attachment is the document."""
    factus = {
        "subject": "52123456;Ana Pérez;SETP990000203;01;Ana Pérez",
        "attached_document": "UEsDBAo=",
        "observation": "Para Ana",
        "items": [{"name": "Café", "note": "de Ana", "additional_properties": [{"name": "Para", "value": "Ana"}]}],
        "credit_note": "NC1",
    }
    assert masked({"type": "invoice.email_content.completed", "data": {"factus": factus}})["data"]["factus"] == {
        "subject": MASK,
        "attached_document": MASK,
        "observation": MASK,
        "items": [{"name": "Café", "note": MASK, "additional_properties": [{"name": MASK, "value": MASK}]}],
        "credit_note": "NC1",
    }


def test_a_name_beside_what_only_somebody_has_is_that_of_somebody() -> None:
    """As `acquirer.get` answers; a place keeps its name, and so does a plan."""
    assert masked({"factus": {"name": "Ana Pérez", "email": "ana@example.com"}}) == {
        "factus": {"name": MASK, "email": MASK}
    }
    company = {"nit": "900100200", "name": "Ana Pérez", "municipality": {"code": "05001", "name": "Medellín"}}
    assert masked(company) == {**company, "nit": MASK, "name": MASK}
    assert masked({"items": [{"name": "Facturación", "is_active": True}]})["items"][0]["name"] == "Facturación"


def test_who_is_insured_and_who_is_paid_for_is_somebody() -> None:
    seen = masked(
        {
            "surnames": "Pérez",
            "health": {"coverage_code": "10", "policy_number": "77", "contract_number": "C-9"},
            "beneficiary": {"identification_document_code": "CC", "names": "Ana", "surnames": "Pérez"},
        }
    )
    assert seen == {
        "surnames": MASK,
        "health": {"coverage_code": "10", "policy_number": MASK, "contract_number": MASK},
        "beneficiary": {"identification_document_code": "CC", "names": MASK, "surnames": MASK},
    }


SAID = "El NIT 9001002001 de «Ana Pérez», ana@example.com no está en el RUT; corrija y envíe hasta 2026-11-30"
TOLD = "El NIT ••• de •••, ••• no está en el RUT; corrija y envíe hasta 2026-11-30"


def test_sentences_tell_a_viewer_no_people_wherever_they_stand() -> None:
    """Our rules quote a NIT, Factus and the DIAN what they like: as texts, in lists, by rule and by field."""
    detail = {"code": "payload.invalid", "field": "customer.dv", "rule": "CUS-004", "retryable": False}
    seen = masked(
        {
            "message": SAID,
            "errors": [{**detail, "message": SAID}],
            "last_error": {**detail, "message": SAID},
            "why": SAID,
            "follows": [{"name": "radian", "why": SAID, "next": SAID, "clock_words": [SAID]}],
            "data": {
                "warnings": [{**detail, "message": SAID}],
                "notifications": [{"rule": "FAJ43b", "message": SAID}],
                "factus": {"bill": {"errors": {"FAJ43b": SAID, "customer.dv": [SAID]}}, "errors": [SAID]},
            },
            "id": "1764589509000-0",
            "number": "SETP990000203",
        }
    )
    assert seen == {
        "message": TOLD,
        "errors": [{**detail, "message": TOLD}],
        "last_error": {**detail, "message": TOLD},
        "why": TOLD,
        "follows": [{"name": "radian", "why": TOLD, "next": TOLD, "clock_words": [TOLD]}],
        "data": {
            "warnings": [{**detail, "message": TOLD}],
            "notifications": [{"rule": "FAJ43b", "message": TOLD}],
            "factus": {"bill": {"errors": {"FAJ43b": TOLD, "customer.dv": [TOLD]}}, "errors": [TOLD]},
        },
        "id": "1764589509000-0",
        "number": "SETP990000203",
    }


def test_a_million_quotations_that_do_not_end_take_no_time() -> None:
    assert unsaid("«" * 1_000_000) == MASK


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("El correo ana@example.com no es válido", "El correo ••• no es válido"),
        ("El NIT 900123456 no está en el RUT", "El NIT ••• no está en el RUT"),
        ("Llame al +57 300 123 4567", "Llame al •••"),
        ("No se conoce «Ana Pérez» en la DIAN", "No se conoce ••• en la DIAN"),
        ('El nombre "Ana" no', "El nombre ••• no"),
        ("No se conoce «Ana Pér…", "No se conoce •••"),
        ("Factura SETP990000203 validada", "Factura SETP990000203 validada"),
        ("debe llevar la fecha 2026-11-30", "debe llevar la fecha 2026-11-30"),
        ("3 de 45 documentos", "3 de 45 documentos"),
    ],
)
def test_a_viewer_reads_no_people_in_a_sentence(text: str, told: str) -> None:
    assert unsaid(text) == told
