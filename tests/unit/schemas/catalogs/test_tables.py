"""Tables of codes, check digits and money: the small exact things."""

from __future__ import annotations

from decimal import Decimal

import pytest

from schemas.catalogs import tables
from schemas.check_digit import check_digit
from schemas.money import Wrong, normal, parse, render, round2, spell


def test_codes_and_names_are_found() -> None:
    assert {"01", "04", "35"} == tables.codes("taxes")
    assert "05001" in tables.codes("municipalities")
    assert tables.name_of("payment-forms", "2") == "Pago a crédito"
    assert tables.name_of("payment-forms", "9") is None


def test_a_repeated_code_keeps_its_first_name() -> None:
    assert tables.name_of("unit-measures", "MGM") == "miligramo"


def test_an_unknown_table_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        tables.codes("colores")


@pytest.mark.parametrize(
    ("nit", "digit"),
    [
        ("900825759", "7"),
        ("123456789", "6"),
        ("1000789002", "2"),
        ("2343543", "7"),
        ("800197268", "4"),
        ("899999063", "3"),
    ],
)
def test_check_digit_of_published_nits(nit: str, digit: str) -> None:
    assert check_digit(nit) == digit


@pytest.mark.parametrize("nit", ["", "1" * 16, "900.825", "٣٣٣", "-1", " 1"])
def test_what_is_no_nit_has_no_check_digit(nit: str) -> None:
    assert check_digit(nit) is None


@pytest.mark.parametrize(
    "value", ["0", "19", "19.0", "19.00", "-14.81", 19, Decimal("19.00"), "007", "9" * 15], ids=repr
)
def test_decimals_are_read(value: object) -> None:
    assert parse(value) == Decimal(str(value))


@pytest.mark.parametrize(
    ("number", "spelt"),
    [("1E+4", "10000"), ("1.9E1", "19"), ("10000.000", "10000.00"), ("0E+999999", "0"), ("0E-999999", "0")],
)
def test_a_json_number_counts_by_what_it_is_worth(number: str, spelt: str) -> None:
    read = parse(Decimal(number))
    assert isinstance(read, Decimal)
    assert (read, spell(read)) == (Decimal(spelt), spelt)


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("1,5", Wrong.FORM),
        ("1.", Wrong.FORM),
        (".5", Wrong.FORM),
        ("+1", Wrong.FORM),
        ("1e3", Wrong.FORM),
        ("1_000", Wrong.FORM),
        ("1\n", Wrong.FORM),
        (" 1", Wrong.FORM),
        ("٣", Wrong.FORM),
        ("", Wrong.FORM),
        ("NaN", Wrong.FORM),
        (True, Wrong.FORM),
        (None, Wrong.FORM),
        (1.5, Wrong.FORM),
        (Decimal("NaN"), Wrong.FORM),
        (Decimal("Infinity"), Wrong.FORM),
        (Decimal("1E+999999"), Wrong.SIZE),
        (Decimal("1E+15"), Wrong.SIZE),
        (Decimal("1E-999999"), Wrong.PLACES),
        (Decimal("1.234"), Wrong.PLACES),
        ("1.234", Wrong.PLACES),
        ("1" * 16, Wrong.SIZE),
        (10**15, Wrong.SIZE),
        (-(10**15), Wrong.SIZE),
        (Decimal("1" * 16 + ".5"), Wrong.SIZE),
    ],
    ids=repr,
)
def test_other_spellings_are_refused(value: object, wrong: Wrong) -> None:
    assert parse(value) is wrong


@pytest.mark.parametrize(
    ("exact", "rounded"), [("0.125", "0.12"), ("0.135", "0.14"), ("0.1251", "0.13"), ("-0.125", "-0.12")]
)
def test_half_goes_to_even(exact: str, rounded: str) -> None:
    assert str(round2(Decimal(exact))) == rounded


def test_rendering() -> None:
    assert render(Decimal("83300")) == "83300.00"
    assert render(Decimal("-0.001")) == "0.00"
    assert render(Decimal("1E+5")) == "100000.00"
    assert {str(normal(Decimal(text))) for text in ("19.00", "19.0", "19", "019")} == {"19"}
    assert str(normal(Decimal("-0.00"))) == "0"
