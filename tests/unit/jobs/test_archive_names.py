"""Names of archived files, and the files in Factus's answers."""

from __future__ import annotations

import base64
import re
from datetime import date
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.archive_names import ARCHIVE_KINDS, ArchiveKind, archive_name, decode_file

DAY = date(2026, 11, 25)
Parts = tuple[str, date, str, str, ArchiveKind]
words = st.text(st.sampled_from("aX9._-/%~é\\\0-. ")) | st.text() | st.text(min_size=150, max_size=400)
numbers = words | st.builds("{}{}".format, st.text(max_size=3), st.sampled_from(["-attached", "%2Dattached", ".pdf"]))
parts = st.tuples(words, st.dates(), words, numbers, st.sampled_from(list(ARCHIVE_KINDS)))


@pytest.mark.parametrize(
    ("kind", "ending"), [("pdf", ".pdf"), ("xml", ".xml"), ("attached", "-attached.xml")], ids=lambda value: str(value)
)
def test_scheme(kind: ArchiveKind, ending: str) -> None:
    name = archive_name("acme", DAY, "invoice", "SETP990000203", kind)
    assert name == f"acme/2026/11/25/invoice/SETP990000203{ending}"


@pytest.mark.parametrize(
    ("number", "file"),
    [
        ("FV/2026/1", "FV%2F2026%2F1.pdf"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd.pdf"),
        ("..", "%2E..pdf"),
        (".bashrc", "%2Ebashrc.pdf"),
        ("", "%.pdf"),
        ("%2F", "%252F.pdf"),
        ("Ñ 1", "%C3%91%201.pdf"),
        ("a\\b\0c~#1", "a%5Cb%00c%7E%231.pdf"),
        ("\ud800", "%ED%A0%80.pdf"),
    ],
)
def test_odd_numbers_stay_in_their_place(number: str, file: str) -> None:
    assert archive_name("acme", DAY, "invoice", number, "pdf") == f"acme/2026/11/25/invoice/{file}"


def test_number_that_looks_like_an_attached_document_is_not_taken_for_one() -> None:
    odd = archive_name("acme", DAY, "invoice", "SETP1-attached", "xml")
    assert odd != archive_name("acme", DAY, "invoice", "SETP1", "attached")


def test_early_years_have_four_digits() -> None:
    """strftime alone does not pad them on Linux."""
    assert archive_name("a", date(33, 1, 2), "f", "1", "pdf") == "a/0033/01/02/f/1.pdf"


@given(parts, parts)
@example(("a", DAY, "f", "1-attached", "xml"), ("a", DAY, "f", "1", "attached"))
@example(("a", DAY, "f", "1%2Dattached", "xml"), ("a", DAY, "f", "1-attached", "xml"))
@example(("a", DAY, "f", "\0", "xml"), ("a", DAY, "f", "", "xml"))
@example(("a", DAY, "f", "x" * 500, "xml"), ("a", DAY, "f", "x" * 501, "xml"))
def test_two_files_never_share_a_name(one: Parts, other: Parts) -> None:
    assert (archive_name(*one) == archive_name(*other)) == (one == other)


@given(parts, numbers, st.sampled_from(list(ARCHIVE_KINDS)))
def test_neighbours_never_share_a_name(one: Parts, number: str, kind: ArchiveKind) -> None:
    """As above where it is most likely: same account, day and family."""
    other: Parts = (*one[:3], number, kind)
    assert (archive_name(*one) == archive_name(*other)) == (one == other)


@given(parts)
def test_name_never_leaves_its_folder(one: Parts) -> None:
    segments = archive_name(*one).split("/")
    assert len(segments) == 6
    for segment in segments:
        assert re.fullmatch(r"[A-Za-z0-9_%-][A-Za-z0-9._%~-]*", segment)
        assert len(segment) <= 180


def answer(**data: Any) -> dict[str, Any]:
    return {"status": "OK", "message": "Solicitud exitosa", "data": data}


def test_file_of_an_answer_or_of_its_data() -> None:
    xml = answer(file_name="fv09008257590002400000241", xml_base_64_encoded="PD94bWwgdmVyc2lvbj0iMS4wIj8+")
    assert decode_file(xml) == decode_file(xml["data"]) == b'<?xml version="1.0"?>'
    assert decode_file(answer(file_name="fv", pdf_base_64_encoded="JVBERi0xLjQK")) == b"%PDF-1.4\n"


@given(st.binary(min_size=1))
def test_every_file_comes_through_also_in_lines(content: bytes) -> None:
    assert decode_file(answer(pdf_base_64_encoded=base64.b64encode(content).decode())) == content
    assert decode_file(answer(pdf_base_64_encoded=base64.encodebytes(content).decode())) == content


@pytest.mark.parametrize(
    "unreadable",
    [
        {},
        {"data": None},
        {"data": "JVBERi0xLjQK"},
        answer(),
        answer(file_name="fv"),
        answer(pdf_base_64_encoded=""),
        answer(pdf_base_64_encoded="  "),
        answer(pdf_base_64_encoded=None),
        answer(pdf_base_64_encoded=7),
        answer(pdf_base_64_encoded="JVBERi0xLjQ"),
        answer(pdf_base_64_encoded="not base64!"),
        answer(pdf_base_64_encoded="ñandú==="),
    ],
    ids=repr,
)
def test_unreadable_file(unreadable: dict[str, Any]) -> None:
    assert decode_file(unreadable) is None
