"""
How an archived file is named, what kinds there are, and how Factus hands one over. Pure; ``worker/archive``
stores.

A file is named by account, date, family and number: ``acme/2026/11/25/invoice/SETP990000203.pdf``, ``….xml``,
``…-attached.xml``; one that was asked for by its unique code by account and code:
``acme/documents/1665….xml``. The name is a function of the document alone, so a file that is stored again meets itself.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote

ArchiveKind: TypeAlias = Literal["pdf", "xml", "attached"]

ARCHIVE_KINDS: Final[Mapping[ArchiveKind, str]] = MappingProxyType(
    {"pdf": "application/pdf", "xml": "application/xml", "attached": "application/xml"}
)
"""The files of a document and their content types: graphic representation, signed XML, AttachedDocument."""

_ENDINGS: Final[Mapping[ArchiveKind, str]] = {"pdf": ".pdf", "xml": ".xml", "attached": "-attached.xml"}
_ATTACHED: Final = "-attached"
_LONGEST: Final = 160
_READABLE: Final = 96
_BASE64_KEYS: Final = ("pdf_base_64_encoded", "xml_base_64_encoded")


@dataclass(frozen=True, slots=True)
class Stored:
    """One file as it lies in the archive."""

    uri: str
    """Absolute: ``file:///…`` percent-encoded, or ``s3://bucket/key`` with the key as it is."""
    sha256: str
    """Lowercase hex."""
    bytes: int


def archive_name(account: str, day: date, family: str, number: str, kind: ArchiveKind) -> str:
    """
    The relative name of a file, unique for its five parts.

    Each part is one segment: what is not ``A-Za-z0-9._-`` is percent-encoded (UTF-8), and so is a leading dot, so that
    no part can leave its place. A part that gets longer than file systems take ends in the SHA-256 of the whole.

    Args:
        day: The document's own date. Not that of the download: a retry after midnight would store a second copy.
        number: As Factus gave it; any text.
    """
    safe = _segment(number)
    if safe.endswith(_ATTACHED):
        # Or the XML of number "X-attached" would be the AttachedDocument of number "X".
        safe = f"{safe.removesuffix(_ATTACHED)}%2Dattached"
    return f"{_segment(account)}/{day.isoformat().replace('-', '/')}/{_segment(family)}/{safe}{_ENDINGS[kind]}"


def radian_name(account: str, day: date, family: str, number: str) -> str:
    """The relative name of the evidence of a bill's acceptance, beside its files; *day* and *number* as there."""
    return f"{_segment(account)}/{day.isoformat().replace('-', '/')}/{_segment(family)}/{_segment(number)}-radian.json"


def unique_code_name(account: str, unique_code: str) -> str:
    """
    The relative name of the XML of a document that is known by its unique code alone, whoever issued it.

    Args:
        unique_code: 96 hexadecimal digits, lower-case: the same document has one name, however its code was typed.
    """
    return f"{_segment(account)}/documents/{_segment(unique_code)}{_ENDINGS['xml']}"


def _segment(text: str) -> str:
    # A lone surrogate is legal in JSON; "~" is left alone by quote, and marks the shortened.
    encoded = quote(text, safe="", errors="surrogatepass").replace("~", "%7E")
    if encoded.startswith("."):
        encoded = f"%2E{encoded[1:]}"
    if len(encoded) > _LONGEST:
        return f"{encoded[:_READABLE]}~{hashlib.sha256(encoded.encode()).hexdigest()}"
    # A percent sign alone can come from no text but the empty one.
    return encoded or "%"


def decode_file(data: Mapping[str, Any]) -> bytes | None:
    """
    The file in the answer of a download, or in its ``data``; None when there is none that can be read.

    Source:
        ``GET …/download-pdf``, ``download-xml``, ``download-attached-document-xml`` of Factus API v2: the object
        ``data`` has ``file_name`` and either ``pdf_base_64_encoded`` or ``xml_base_64_encoded``.
    """
    held = data.get("data", data)
    if not isinstance(held, Mapping):
        return None
    for key in _BASE64_KEYS:
        text = held.get(key)
        if isinstance(text, str):
            try:
                return base64.b64decode("".join(text.split()), validate=True) or None
            except (binascii.Error, ValueError):
                return None
    return None
