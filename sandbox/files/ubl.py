"""
The XML of documents in the manner of UBL 2.1, the AttachedDocument that carries it, and that of payrolls. Not signed.
"""

from dataclasses import dataclass
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from sandbox.state.company import Company
from sandbox.values.datetimes import at

_UBL: Final = "urn:oasis:names:specification:ubl:schema:xsd:"
_NAMESPACES: Final = f'xmlns:cac="{_UBL}CommonAggregateComponents-2" xmlns:cbc="{_UBL}CommonBasicComponents-2"'
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'


@dataclass(frozen=True, slots=True)
class Kind:
    """
    How a family is written.

    Args:
        root: Name of the root and, with `Line` behind it, of its lines.
        code: Member of the shown document that holds its unique code.
        totals: Element of the totals.
        quantity: Element of a line's quantity.
        related: Member that holds the document it corrects.
        party: Who stands at the other side; a provider is the supplier.
    """

    root: str
    profile: str
    code: str
    totals: str = "LegalMonetaryTotal"
    quantity: str = "InvoicedQuantity"
    related: str | None = None
    party: str = "customer"


INVOICE: Final = Kind("Invoice", "Factura Electrónica de Venta", "cufe")
CREDIT_NOTE: Final = Kind(
    "CreditNote", "Nota Crédito de Factura Electrónica de Venta", "cude", quantity="CreditedQuantity",
    related="related_bill",
)  # fmt: skip
DEBIT_NOTE: Final = Kind(
    "DebitNote", "Nota Débito de Factura Electrónica de Venta", "cude", "RequestedMonetaryTotal", "DebitedQuantity",
    related="related_bill",
)  # fmt: skip
SUPPORT_DOCUMENT: Final = Kind("Invoice", "documento soporte en adquisiciones", "cuds", party="provider")
ADJUSTMENT_NOTE: Final = Kind(
    "CreditNote", "Nota de ajuste al documento soporte", "cuds", quantity="CreditedQuantity",
    related="support_document", party="provider",
)  # fmt: skip


def write(kind: Kind, shown: dict[str, Any], company: Company, created_at: float) -> str:
    """The XML of a document as Factus shows it."""
    moment = at(created_at)
    parts = [
        f'{_HEAD}<{kind.root} xmlns="{_UBL}{kind.root}-2" {_NAMESPACES}>',
        _element("cbc:UBLVersionID", "UBL 2.1"),
        _element("cbc:CustomizationID", _customization(shown)),
        _element("cbc:ProfileID", f"DIAN 2.1: {kind.profile}"),
        _element("cbc:ID", shown["number"]),
        _element("cbc:UUID", shown[kind.code], f'schemeName="{kind.code.upper()}-SHA384"'),
        _element("cbc:IssueDate", f"{moment:%Y-%m-%d}"),
        _element("cbc:IssueTime", f"{moment:%H:%M:%S}-05:00"),
        _element("cbc:Note", shown["observation"] or ""),
        _element("cbc:DocumentCurrencyCode", "COP"),
        _element("cbc:LineCountNumeric", str(len(shown["items"]))),
        *_reference(shown.get(kind.related) if kind.related else None),
        *_parties(kind, shown, company),
        *(_tax_total(tax) for tax in shown["taxes"]),
        _totals(kind, shown["totals"]),
        *(_line(kind, index, item) for index, item in enumerate(shown["items"], start=1)),
        f"</{kind.root}>\n",
    ]
    return "\n".join(parts)


def write_payroll(root: str, shown: dict[str, Any], company: Company, created_at: float) -> str:
    """The XML of a payroll or of its elimination note: what identifies it and what it adds up to."""
    moment, payroll = at(created_at), shown.get("payroll") or shown
    general = {"FechaGen": f"{moment:%Y-%m-%d}", "HoraGen": f"{moment:%H:%M:%S}-05:00", "CUNE": shown["cune"]}
    worker = payroll.get("worker") or {}
    parts = [
        f'{_HEAD}<{root} xmlns="dian:gov:co:facturaelectronica:{root}">',
        _empty("NumeroSecuenciaXML", {"Numero": shown["number"]}),
        _empty("InformacionGeneral", general),
        _empty("Empleador", {"NIT": company.nit, "DV": company.dv, "RazonSocial": company.name}),
        _empty(
            "Trabajador",
            {"NumeroDocumento": worker.get("identification_number", ""), "Nombre": worker.get("name", "")},
        ),
        *(_element(label, shown[name]) for name, label in _PAYROLL_TOTALS.items() if name in shown),
    ]
    if "payroll" in shown:
        parts.append(
            _empty("EliminandoPredecesor", {"NumeroPred": payroll["number"], "CUNEPred": payroll.get("cune", "")})
        )
    return "\n".join([*parts, f"</{root}>\n"])


_PAYROLL_TOTALS: Final = {
    "total_accruals": "DevengadosTotal",
    "total_deductions": "DeduccionesTotal",
    "net_balance": "ComprobanteTotal",
}


def attached_document(xml: str, number: str, created_at: float) -> str:
    """The container that goes to the buyer: the document in a CDATA section, as DIAN prescribes."""
    moment = at(created_at)
    inner = xml.replace("]]>", "]]]]><![CDATA[>")
    parts = [
        f'{_HEAD}<AttachedDocument xmlns="{_UBL}AttachedDocument-2" {_NAMESPACES}>',
        _element("cbc:UBLVersionID", "UBL 2.1"),
        _element("cbc:CustomizationID", "Documentos adjuntos"),
        _element("cbc:ID", number),
        _element("cbc:IssueDate", f"{moment:%Y-%m-%d}"),
        _element("cbc:IssueTime", f"{moment:%H:%M:%S}-05:00"),
        _element("cbc:DocumentType", "Contenedor de Factura Electrónica"),
        _element("cbc:ParentDocumentID", number),
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


def _empty(name: str, attributes: dict[str, str]) -> str:
    written = " ".join(f"{key}={quoteattr(_printable(value))}" for key, value in attributes.items())
    return f"<{name} {written}/>"


def _customization(shown: dict[str, Any]) -> str:
    """Of support documents 10, for a resident provider: the only kind whose code is known here."""
    named: dict[str, str] = shown.get("operation_type") or shown.get("customization") or {"code": "10"}
    return named["code"]


def _reference(related: dict[str, Any] | None) -> list[str]:
    if related is None:
        return []
    number = f"<cac:InvoiceDocumentReference>{_element('cbc:ID', related['number'])}</cac:InvoiceDocumentReference>"
    return [f"<cac:BillingReference>{number}</cac:BillingReference>"]


def _parties(kind: Kind, shown: dict[str, Any], company: Company) -> list[str]:
    roles = ["cac:AccountingSupplierParty", "cac:AccountingCustomerParty"]
    if kind.party == "provider":
        roles.reverse()
    other = shown[kind.party]
    return [
        _party(roles[0], company.name, company.nit, company.dv, "31"),
        _party(
            roles[1],
            other["graphic_representation_name"] or "",
            other["identification"],
            other["dv"] or "",
            other["identification_document"]["code"],
        ),
    ]


def _totals(kind: Kind, totals: dict[str, str]) -> str:
    """The members that a family lacks are left out."""
    written = (_money(f"cbc:{label}", totals[name]) for name, label in _TOTALS.items() if name in totals)
    return f"<cac:{kind.totals}>{''.join(written)}</cac:{kind.totals}>"


_TOTALS: Final = {
    "gross_amount": "LineExtensionAmount",
    "taxable_amount": "TaxExclusiveAmount",
    "discount_amount": "AllowanceTotalAmount",
    "surcharge_amount": "ChargeTotalAmount",
    "prepayment_amount": "PrepaidAmount",
    "total": "PayableAmount",
}


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


def _line(kind: Kind, index: int, item: dict[str, Any]) -> str:
    unit = f'unitCode="{escape(item["unit_measure"]["code"])}"'
    return (
        f"<cac:{kind.root}Line>{_element('cbc:ID', str(index))}"
        f"{_element('cbc:' + kind.quantity, item['quantity'], unit)}"
        f"{_money('cbc:LineExtensionAmount', item['total'])}{''.join(_tax_total(tax) for tax in item['taxes'])}"
        f"<cac:Item>{_element('cbc:Description', item['name'])}<cac:StandardItemIdentification>"
        f"{_element('cbc:ID', item['code_reference'])}</cac:StandardItemIdentification></cac:Item>"
        f"<cac:Price>{_money('cbc:PriceAmount', item['price'])}</cac:Price></cac:{kind.root}Line>"
    )
