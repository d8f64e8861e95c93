"""A one-page PDF 1.4 written by hand: lines of text in a built-in font, so that every ordinary program opens it."""

from collections.abc import Sequence
from typing import Final

_TOP: Final = 800
_LEFT: Final = 40
_LEADING: Final = 13
_SIZE: Final = 9
MOST_LINES: Final = 57
MOST_COLUMNS: Final = 105


def text_page(title: str, lines: Sequence[str]) -> bytes:
    """The page as PDF. Lines that do not fit are cut; characters that WinAnsi lacks become question marks."""
    shown = [line[:MOST_COLUMNS] for line in lines[:MOST_LINES]]
    drawn = "\n".join(f"({_escape(line)}) Tj T*" for line in shown)
    content = f"BT /F1 {_SIZE} Tf {_LEADING} TL {_LEFT} {_TOP} Td\n{drawn}\nET".encode("cp1252", "replace")
    info = f"<< /Title ({_escape(title)}) /Producer (factus-worker sandbox) >>".encode("cp1252", "replace")
    fonts = b"<< /Font << /F1 4 0 R >> >>"
    return _assemble(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources %s >>" % fonts,
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>",
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
            info,
        ]
    )


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").replace("\r", " ").replace("\n", " ")


def _assemble(objects: Sequence[bytes]) -> bytes:
    """Objects 1, 2, 3 … with the table of their offsets; the first is the catalog, the last the information."""
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table_at = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\n" % (len(objects) + 1, len(objects))
    out += b"startxref\n%d\n%%%%EOF\n" % table_at
    return bytes(out)
