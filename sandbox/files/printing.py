"""The graphic representations: what a document says, on one page of PDF."""

from typing import Any, Final

from sandbox.files import pdf

_MOST_ITEMS: Final = 34


def document_pdf(title: str, code: str, shown: dict[str, Any]) -> bytes:
    """Of a document with lines; *code* is the member with its unique code."""
    party, totals, company = shown.get("customer") or shown["provider"], shown["totals"], shown["company"]
    items = shown["items"]
    lines = [
        f"{(shown.get('document_type') or {}).get('name') or title}  {shown['number']}",
        "SANDBOX: SIN VALIDEZ FISCAL",
        "",
        f"Emisor: {company['establishment']['name']}   NIT {company['nit']}-{company['dv']}",
        f"Tercero: {party['graphic_representation_name']}   {party['identification']}",
        f"Referencia: {shown['reference_code']}",
        f"Fecha: {shown['created_at']}   Validada: {shown['validated_at'] or 'no'}",
        "",
        f"{'Codigo':<16}{'Descripcion':<40}{'Cantidad':>12}{'Precio':>16}{'Total':>18}",
        *(_item_line(item) for item in items[:_MOST_ITEMS]),
        *([f"... y {len(items) - _MOST_ITEMS} mas"] if len(items) > _MOST_ITEMS else []),
        "",
        *(f"{label:>84}{totals[name]:>18}" for name, label in _TOTALS.items() if name in totals),
        "",
        f"{code.upper()}:",
        shown[code],
        shown["observation"] or "",
    ]
    return pdf.text_page(shown["number"], lines)


_TOTALS: Final = {
    "gross_amount": "Subtotal",
    "tax_amount": "Impuestos",
    "surcharge_amount": "Recargos",
    "total": "Total",
}


def _item_line(item: dict[str, Any]) -> str:
    name = item["name"][:38]
    return f"{item['code_reference'][:14]:<16}{name:<40}{item['quantity']:>12}{item['price']:>16}{item['total']:>18}"


def payroll_pdf(shown: dict[str, Any]) -> bytes:
    worker, period = shown["worker"], shown["settlement_period"]
    lines = [
        f"Nomina electronica  {shown['number']}",
        "SANDBOX: SIN VALIDEZ FISCAL",
        "",
        f"Empleador: {shown['company']['name']}   NIT {shown['company']['nit']}-{shown['company']['dv']}",
        f"Trabajador: {worker['name']}   {worker['identification_number']}",
        f"Periodo: {period['settlement_start_date']} a {period['settlement_end_date']}",
        f"Referencia: {shown['reference_code']}",
        "",
        f"{'Devengados':>84}{shown['total_accruals']:>18}",
        f"{'Deducciones':>84}{shown['total_deductions']:>18}",
        f"{'Neto':>84}{shown['net_balance']:>18}",
        "",
        "CUNE:",
        shown["cune"],
        shown["observation"] or "",
    ]
    return pdf.text_page(shown["number"], lines)
