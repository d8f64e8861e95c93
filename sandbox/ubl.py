"""The XML of a bill: an Invoice in the manner of UBL 2.1, and the AttachedDocument that carries it. Not signed."""

from typing import Any
from xml.sax.saxutils import escape

from sandbox.bogota import at
from sandbox.company import Company

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_NAMESPACES = f'xmlns:cac="{_UBL}CommonAggregateComponents-2" xmlns:cbc="{_UBL}CommonBasicComponents-2"'
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'


def invoice(shown: dict[str, Any], company: Company, created_at: float) -> str:
    """The Invoice of a bill as Factus shows it."""
    moment, totals, customer = at(created_at), shown["totals"], shown["customer"]
    parts = [
        f'{_HEAD}<Invoice xmlns="{_UBL}Invoice-2" {_NAMESPACES}>',
        _element("cbc:UBLVersionID", "UBL 2.1"),
        _element("cbc:CustomizationID", shown["operation_type"]["code"]),
        _element("cbc:ProfileID", "DIAN 2.1: Factura Electrónica de Venta"),
        _element("cbc:ID", shown["number"]),
        _element("cbc:UUID", shown["cufe"], 'schemeName="CUFE-SHA384"'),
        _element("cbc:IssueDate", f"{moment:%Y-%m-%d}"),
        _element("cbc:IssueTime", f"{moment:%H:%M:%S}-05:00"),
        _element("cbc:InvoiceTypeCode", shown["document_type"]["code"]),
        _element("cbc:Note", shown["observation"] or ""),
        _element("cbc:DocumentCurrencyCode", "COP"),
        _element("cbc:LineCountNumeric", str(len(shown["items"]))),
        _party("cac:AccountingSupplierParty", company.name, company.nit, company.dv, "31"),
        _party(
            "cac:AccountingCustomerParty",
            customer["graphic_representation_name"] or "",
            customer["identification"],
            customer["dv"] or "",
            customer["identification_document"]["code"],
        ),
        *(_tax_total(tax) for tax in shown["taxes"]),
        "<cac:LegalMonetaryTotal>",
        _money("cbc:LineExtensionAmount", totals["gross_amount"]),
        _money("cbc:TaxExclusiveAmount", totals["taxable_amount"]),
        _money("cbc:ChargeTotalAmount", totals["surcharge_amount"]),
        _money("cbc:PrepaidAmount", totals["prepayment_amount"]),
        _money("cbc:PayableAmount", totals["total"]),
        "</cac:LegalMonetaryTotal>",
        *(_line(index, item) for index, item in enumerate(shown["items"], start=1)),
        "</Invoice>\n",
    ]
    return "\n".join(parts)


def attached_document(shown: dict[str, Any], company: Company, created_at: float) -> str:
    """The container that goes to the buyer: the Invoice in a CDATA section, as DIAN prescribes."""
    moment = at(created_at)
    inner = invoice(shown, company, created_at).replace("]]>", "]]]]><![CDATA[>")
    parts = [
        f'{_HEAD}<AttachedDocument xmlns="{_UBL}AttachedDocument-2" {_NAMESPACES}>',
        _element("cbc:UBLVersionID", "UBL 2.1"),
        _element("cbc:CustomizationID", "Documentos adjuntos"),
        _element("cbc:ID", shown["number"]),
        _element("cbc:IssueDate", f"{moment:%Y-%m-%d}"),
        _element("cbc:IssueTime", f"{moment:%H:%M:%S}-05:00"),
        _element("cbc:DocumentType", "Contenedor de Factura Electrónica"),
        _element("cbc:ParentDocumentID", shown["number"]),
        "<cac:Attachment><cac:ExternalReference>",
        _element("cbc:MimeCode", "text/xml"),
        _element("cbc:EncodingCode", "UTF-8"),
        f"<cbc:Description><![CDATA[{inner}]]></cbc:Description>",
        "</cac:ExternalReference></cac:Attachment>",
        "</AttachedDocument>\n",
    ]
    return "\n".join(parts)


def _element(name: str, content: str, attributes: str = "") -> str:
    return f"<{name}{' ' + attributes if attributes else ''}>{escape(_printable(content))}</{name}>"


def _printable(content: str) -> str:
    """XML 1.0 has no way to write control characters; Factus's own answer to them is not known."""
    return "".join(char for char in content if (char >= " " and char not in "\ufffe\uffff") or char in "\t\n\r")


def _money(name: str, amount: str) -> str:
    return _element(name, amount, 'currencyID="COP"')


def _party(name: str, legal_name: str, identification: str, digit: str, scheme: str) -> str:
    attributes = f'schemeID="{escape(digit)}" schemeName="{escape(scheme)}"'
    return (
        f"<{name}><cac:Party><cac:PartyTaxScheme>{_element('cbc:RegistrationName', legal_name)}"
        f"{_element('cbc:CompanyID', identification, attributes)}</cac:PartyTaxScheme></cac:Party></{name}>"
    )


def _tax_total(tax: dict[str, Any]) -> str:
    subtotals = "".join(
        f"<cac:TaxSubtotal>{_money('cbc:TaxableAmount', rate['taxable_amount'])}"
        f"{_money('cbc:TaxAmount', rate['tax_amount'])}<cac:TaxCategory>{_element('cbc:Percent', rate['rate'])}"
        f"<cac:TaxScheme>{_element('cbc:ID', tax['tribute']['code'])}"
        f"{_element('cbc:Name', tax['tribute']['name'])}</cac:TaxScheme></cac:TaxCategory></cac:TaxSubtotal>"
        for rate in tax["rates"]
    )
    return f"<cac:TaxTotal>{subtotals}</cac:TaxTotal>"


def _line(index: int, item: dict[str, Any]) -> str:
    unit = f'unitCode="{escape(item["unit_measure"]["code"])}"'
    return (
        f"<cac:InvoiceLine>{_element('cbc:ID', str(index))}"
        f"{_element('cbc:InvoicedQuantity', item['quantity'], unit)}"
        f"{_money('cbc:LineExtensionAmount', item['total'])}{''.join(_tax_total(tax) for tax in item['taxes'])}"
        f"<cac:Item>{_element('cbc:Description', item['name'])}<cac:StandardItemIdentification>"
        f"{_element('cbc:ID', item['code_reference'])}</cac:StandardItemIdentification></cac:Item>"
        f"<cac:Price>{_money('cbc:PriceAmount', item['price'])}</cac:Price></cac:InvoiceLine>"
    )
