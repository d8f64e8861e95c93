"""Answers of Factus, in every shape that was recorded."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from schemas.factus import DocumentView, Remark, amount, instant, is_dian_refusal, message_of, remarks

OBSERVED = Path(__file__).parents[3] / "sandbox" / "facts" / "examples" / "observed"


def observed(name):
    return json.loads((OBSERVED / f"{name}.json").read_text())


@pytest.mark.parametrize(
    ("errors", "texts"),
    [
        ({"FAK24": "Regla: FAK24, Rechazo: x"}, ["Regla: FAK24, Rechazo: x"]),
        ({"items.0.price": ["a", "b"]}, ["a", "b"]),
        (["a", "b"], ["a", "b"]),
        ([{"code": 409, "message": "pendiente"}], ["pendiente"]),
        ({}, []),
        ([], []),
        (None, []),
        (7, []),
    ],
)
@pytest.mark.parametrize("nested", [True, False])
def test_errors_are_flattened_wherever_and_however_they_stand(errors, texts, nested):
    body = {"data": {"errors": errors}} if nested else {"errors": errors}
    assert [remark.text for remark in remarks(body)] == texts


@pytest.mark.parametrize("body", [None, [], "text", 7, {"data": []}, {"data": "x"}])
def test_what_is_no_answer_has_no_errors_and_no_message(body):
    assert remarks(body) == ()
    assert message_of(body) == ""


@pytest.mark.parametrize(
    ("text", "is_rejection", "is_processed_before", "rule", "words"),
    [
        ("Regla: FAK24, Rechazo: No está informado el DV", True, False, "FAK24", "No está informado el DV"),
        ("Regla: RUT01, Notificación: se validará: después", False, False, "RUT01", "se validará: después"),
        ("Regla: RUT01, Notificacion: un rechazo no es", False, False, "RUT01", "un rechazo no es"),
        (
            "Regla: 90, Rechazo: Documento procesado anteriormente.",
            True,
            True,
            "90",
            "Documento procesado anteriormente.",
        ),
        ("El campo x es inválido.", False, False, None, "El campo x es inválido."),
    ],
)
def test_the_word_decides_and_never_the_code(text, is_rejection, is_processed_before, rule, words):
    remark = Remark(text)
    assert (remark.is_rejection, remark.is_processed_before, remark.rule, remark.words) == (
        is_rejection,
        is_processed_before,
        rule,
        words,
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("error-422-dian-rule-map", True),
        ("error-422-dian-rule-90-array", True),
        ("error-422-payload-validation", False),
        ("error-422-no-field-detail", False),
    ],
)
def test_the_two_kinds_of_422(name, expected):
    assert is_dian_refusal(observed(name)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("13-05-2026 08:21:47 AM", "2026-05-13T08:21:47-05:00"),
        ("13-05-2026 08:21:47 PM", "2026-05-13T20:21:47-05:00"),
        ("13-05-2026 12:00:00 AM", "2026-05-13T00:00:00-05:00"),
        ("13-05-2026 12:00:00 PM", "2026-05-13T12:00:00-05:00"),
        ("13-05-2026 20:21:47 PM", "2026-05-13T20:21:47-05:00"),
        ("13-05-2026 20:21:47", "2026-05-13T20:21:47-05:00"),
        ("31-02-2026 08:21:47 AM", None),
        ("2026-05-13", None),
        ("<DD-MM-YYYY hh:mm:ss AM|PM>", None),
        (None, None),
        (True, None),
    ],
)
def test_dates_of_twelve_and_of_twenty_four_hours(text, expected):
    assert instant(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("83300.00", Decimal("83300.00")),
        (83300, Decimal(83300)),
        ("x", None),
        ("NaN", None),
        (True, None),
        (None, None),
    ],
)
def test_amounts(value, expected):
    assert amount(value) == expected


def test_a_row_and_a_document_are_read_alike():
    row = observed("bill-list-one")["data"]["data"][0]
    assert DocumentView(row).reference_code == row["reference_code"]
    assert DocumentView({"is_validated": "true"}).is_validated is False


@pytest.mark.parametrize(
    "told", ["1e300000000", "1e-300000000", "9" * 41, "9" * 100_000, "NaN", "Infinity", "", True, None, [], 1.5]
)
def test_an_amount_that_could_not_be_written_out_is_none(told):
    assert amount(told) is None
    assert amount(Decimal("1e300")) is None
    assert amount("1e6") == Decimal(1_000_000)


@pytest.mark.parametrize(("errors", "rule"), [
    ({"FAK24": "Rechazo: sin DV"}, "FAK24"),
    ({"FAJ43b": ["Rechazo: nombre"]}, "FAJ43b"),
    ([{"code": "FAK24", "message": "Rechazo: sin DV"}], "FAK24"),
    ({"FAK24": "Regla: FAD09e, Rechazo: hora"}, "FAD09e"),
    ({"customer.dv": ["Rechazo del DV"]}, None),
    ({"items": ["Rechazo"]}, None),
    (["Rechazo: sin regla"], None),
])  # fmt: skip
def test_a_rule_is_found_in_the_text_or_beside_it(errors, rule):
    assert [remark.rule for remark in remarks({"errors": errors})] == [rule]


def test_foreign_texts_are_as_long_and_as_many_as_a_person_reads():
    body = {"message": "x" * 10**6, "errors": {"k" * 10**6: ["y" * 10**6] * 1000}}
    assert len(message_of(body)) == 1001
    assert (len(remarks(body)), len(remarks(body)[0].text), len(remarks(body)[0].key)) == (100, 1001, 1000)


@pytest.mark.parametrize(
    ("told", "number"),
    [
        *(("SETP1", "SETP1"), (990000203, "990000203"), (0, "0"), ("x" * 255, "x" * 255)),
        *((odd, None) for odd in (None, "", True, -1, 2**53, ["SETP1"], {"number": "SETP1"}, "x" * 256, Decimal(7))),
    ],
)
def test_a_number_is_a_text_or_none(told, number):
    assert DocumentView({"number": told}).number == number
