"""The files of a document and their names: PDF, XML, and the ZIP that an e-mail would carry."""

import io
import zipfile
from typing import Final

from sandbox.families.families import Family
from sandbox.files import ubl
from sandbox.state.company import Company
from sandbox.state.store import Document
from sandbox.values.datetimes import at

ATTACHED: Final = "ad"


def file_name(letters: str, document: Document, company: Company) -> str:
    """Without extension, in DIAN's pattern: letters, NIT on ten digits, software 000, year, consecutive."""
    consecutive = int("".join(char for char in document.number if char.isdigit()))
    return f"{letters}{company.nit:0>10}000{at(document.created_at):%y}{consecutive % 100_000_000:08d}"


def xml_of(family: Family, document: Document, company: Company) -> str:
    return family.write_xml(family.show(document, company), company, document.created_at)


def attached_document_of(family: Family, document: Document, company: Company) -> str:
    return ubl.attached_document(xml_of(family, document, company), document.number, document.created_at)


def email_archive(family: Family, document: Document, company: Company, pdf: bytes) -> bytes:
    """A ZIP with the PDF and the AttachedDocument, the same whenever it is asked for."""
    files = {
        file_name(family.file_letters, document, company) + ".pdf": pdf,
        file_name(ATTACHED, document, company) + ".xml": attached_document_of(family, document, company).encode(),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, at(document.created_at).timetuple()[:6])
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
