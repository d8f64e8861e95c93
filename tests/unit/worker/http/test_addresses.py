"""What an address below ``/documents/`` names: references hold slashes, and what looks like a file."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from jobs.archive_names import ArchiveKind
from worker.http.answers import Refusal
from worker.http.looking import Named, named_by

BELOW = "/api/v1/documents/"


def asked(path: str) -> Request:
    return Request({"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "headers": []})


@pytest.mark.parametrize(
    ("address", "reference", "kind"),
    [
        ("FV-1", "FV-1", None),
        ("FV-1/files/pdf", "FV-1", "pdf"),
        ("FV-1/files/attached", "FV-1", "attached"),
        ("FV/2026/1", "FV/2026/1", None),
        ("FV%2F2026/1/files/%78ml", "FV/2026/1", "xml"),
        ("FV/files/01", "FV/files/01", None),
        ("FV%2Ffiles%2F01", "FV/files/01", None),
        ("FV%2Ffiles/01", "FV/files/01", None),
        ("FV/files/01/files/pdf", "FV/files/01", "pdf"),
        ("FV/files/pdf", "FV", "pdf"),
        ("FV%2Ffiles%2Fpdf", "FV/files/pdf", None),
        ("FV%2Ffiles%2Fpdf/files/pdf", "FV/files/pdf", "pdf"),
        ("FV/files/pdf/files/pdf", "FV/files/pdf", "pdf"),
        ("FV/files/PDF", "FV/files/PDF", None),
        ("FV/files/pdf%2F", "FV/files/pdf/", None),
        ("FV/files/", "FV/files/", None),
        ("files/pdf", "files/pdf", None),
        ("/files/pdf", "/files/pdf", None),
        ("FV//files/pdf", "FV/", "pdf"),
        ("FV/files/%C3%B1", "FV/files/ñ", None),
    ],
)
def test_a_last_part_that_is_no_kind_of_file_belongs_to_the_reference(
    address: str, reference: str, kind: ArchiveKind | None
) -> None:
    assert named_by(asked(f"{BELOW}invoice/{address}"), BELOW) == Named("invoice", reference, kind)


@pytest.mark.parametrize("address", ["FV/files/pdf", "FV/files/01", "FV%2Ffiles%2Fpdf", "FV/files/01/files/pdf"])
def test_where_an_address_names_no_files_all_of_it_is_the_reference(address: str) -> None:
    named = named_by(asked(f"{BELOW}invoice/{address}"), BELOW).whole()
    assert (named.reference_code, named.kind) == (address.replace("%2F", "/"), None)


@pytest.mark.parametrize("address", ["", "x" * 101, "x" * 96 + "/files/zip", "%ff", "FV/files/%ff"])
def test_what_can_be_no_reference_is_not_found(address: str) -> None:
    with pytest.raises(Refusal):
        named_by(asked(f"{BELOW}invoice/{address}"), BELOW)
