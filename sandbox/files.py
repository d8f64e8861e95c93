"""The files of a document and their names: PDF, XML, and the ZIP that an e-mail would carry."""

import io
import zipfile
from typing import Any

from sandbox import pdf, ubl
from sandbox.bogota import at
from sandbox.company import Company
from sandbox.store import Document


def file_name(letters: str, document: Document, company: Company) -> str:
    """Without extension, in DIAN's pattern: letters, NIT on ten digits, software 000, year, consecutive."""
    consecutive = int("".join(char for char in document.number if char.isdigit()))
    return f"{letters}{company.nit:0>10}000{at(document.created_at):%y}{consecutive % 100_000_000:08d}"


def invoice_pdf(shown: dict[str, Any]) -> bytes:
    """The graphic representation of a bill as Factus shows it, on one page."""
    customer, totals = shown["customer"], shown["totals"]
    lines = [
        f"{shown['document_type']['name']}  {shown['number']}",
        "SANDBOX: SIN VALIDEZ FISCAL",
        "",
        f"Emisor: {shown['company']['establishment']['name']}   NIT {shown['company']['nit']}-{shown['company']['dv']}",
        f"Cliente: {customer['graphic_representation_name']}   {customer['identification']}",
        f"Referencia: {shown['reference_code']}",
        f"Fecha: {shown['created_at']}   Validada: {shown['validated_at'] or 'no'}",
        "",
        f"{'Codigo':<16}{'Descripcion':<40}{'Cantidad':>12}{'Precio':>16}{'Total':>18}",
        *(_item_line(item) for item in shown["items"][:34]),
        *([f"... y {len(shown['items']) - 34} mas"] if len(shown["items"]) > 34 else []),
        "",
        f"{'Subtotal':>84}{totals['gross_amount']:>18}",
        f"{'Impuestos':>84}{totals['tax_amount']:>18}",
        f"{'Recargos':>84}{totals['surcharge_amount']:>18}",
        f"{'Total':>84}{totals['total']:>18}",
        "",
        "CUFE:",
        shown["cufe"],
        shown["observation"] or "",
    ]
    return pdf.text_page(shown["number"], lines)


def _item_line(item: dict[str, Any]) -> str:
    name = item["name"][:38]
    return f"{item['code_reference'][:14]:<16}{name:<40}{item['quantity']:>12}{item['price']:>16}{item['total']:>18}"


def email_archive(shown: dict[str, Any], document: Document, company: Company, letters: tuple[str, str]) -> bytes:
    """A ZIP with the PDF and the AttachedDocument."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(file_name(letters[0], document, company) + ".pdf", invoice_pdf(shown))
        attached = ubl.attached_document(shown, company, document.created_at)
        archive.writestr(file_name(letters[1], document, company) + ".xml", attached)
    return buffer.getvalue()
