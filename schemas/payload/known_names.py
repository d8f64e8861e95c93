"""
What somebody meant by a key that Factus v2 does not have, by tables of names rather than by their spelling.

The names are those of v1, of answers of Factus, of other providers of electronic invoicing, and of Spanish ERPs. The
nearest spelling is asked last, and never between keys of money, tax, name and code: there a wrong guess that is
followed changes what a document says.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from schemas.catalogs import tables, version_1

MAX_KEY: Final = 64
_REMOVE: Final = "Quítela."
_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATOR: Final = re.compile(r"[\s.\-]+")
_CUTOFF: Final = 0.75
_SHORTEST: Final = 5
"""Of four letters, as the concepts of a payroll have, a slip leads to another as easily as home."""
_CUTOFF_OF_A_KIND: Final = 0.88
"""Between two keys of money, or of tax ...: one letter, no more."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


class Advice(NamedTuple):
    """What to do about an unknown key: the rule that it breaks, and a sentence."""

    rule: str
    mend: str


class _Names(NamedTuple):
    """Names (space between them) of what one key of v2 is."""

    key: str
    names: str
    mend: str = ""
    """Where the key alone would not say it."""


_TAXES: Final = 'El impuesto de la línea va en "taxes": [{"code": "01", "rate": "19.00"}].'
_UNIT_PRICE: Final = 'El precio de una unidad, sin impuestos, va en "price"; el valor de la línea lo calcula Factus.'
_GROSS_PRICE: Final = (
    'Factus pide "price", el precio de una unidad sin impuestos: divida el precio por 1 más su tarifa '
    "(por 1.19 con IVA de 19 %)."
)
_DISCOUNT: Final = 'El descuento va en "discount_rate" (porcentaje) o "discount_amount" (valor), uno de los dos.'
_PERSON: Final = 'El nombre completo de una persona va en "names", el de una empresa en "company".'
_PAYMENTS: Final = (
    'Los pagos van en "payment_details": [{"payment_form": "1", "payment_method_code": "10", "amount": "119000.00"}].'
)
_SURCHARGES: Final = 'Propinas y recargos van en "allowance_charges", con el concepto "03" e "is_surcharge": true.'
HEADER_DISCOUNT: Final = (
    'Factus no tiene descuento del encabezado: repártalo en las líneas, con "discount_rate" (porcentaje) de cada una.'
)

_TAX_NAMES: Final = (
    "tax tax_code tax_type tax_id tax_rate tax_percent tax_percentage vat vat_rate iva iva_rate iva_percentage "
    "porcentaje_iva tarifa_iva impuesto impuestos inc tribute tributes tributo tax_totals taxtotals is_exempt"
)
_DISCOUNT_NAMES: Final = "discount descuento descuentos discounts dto desc discount_total total_discount"
_DISCOUNT_RATES: Final = "discount_percent discount_percentage porcentaje_descuento descuento_porcentaje pct_descuento"
_DISCOUNT_AMOUNTS: Final = "discount_value valor_descuento descuento_valor discount_price discount_money"
_GROSS_NAMES: Final = (
    "price_with_tax price_with_taxes price_with_vat price_gross gross_price price_tax_included price_including_tax "
    "unit_price_with_tax precio_con_iva precio_con_impuesto precio_con_impuestos precio_iva_incluido valor_con_iva "
    "tax_included tax_inclusive includes_tax iva_incluido impuesto_incluido"
)
_NAME_NAMES: Final = (
    "name nombre nombres first_name last_name firstname lastname surname surnames apellido apellidos full_name "
    "fullname customer_name other_names middle_name second_surname first_surname"
)
_HEADER_DISCOUNTS: Final = f"{_DISCOUNT_NAMES} {_DISCOUNT_RATES} {_DISCOUNT_AMOUNTS} discount_rate discount_amount"

_TABLE: Final = (
    # Lines.
    _Names("price", "unit_price unit_value price_unit unit_cost precio precio_unitario valor_unitario"),
    _Names("price", "amount valor value monto importe", _UNIT_PRICE),
    _Names("price", _GROSS_NAMES, _GROSS_PRICE),
    _Names("quantity", "qty cantidad cant units invoiced_quantity amount_of_items"),
    _Names("code_reference", "code sku codigo codigo_producto product_code item_code barcode reference ref"),
    _Names("unit_measure_code", "unit unit_code unidad unidad_medida unit_measure measure_unit uom unit_of_measure"),
    _Names("standard_code", "standard estandar code_standard type_item_identification_id"),
    _Names("discount_amount", _DISCOUNT_NAMES, _DISCOUNT),
    _Names("discount_amount", _DISCOUNT_AMOUNTS),
    _Names("discount_rate", f"{_DISCOUNT_NAMES} {_DISCOUNT_RATES}"),
    _Names("discount_rate", _DISCOUNT_AMOUNTS, 'El descuento va como porcentaje, en "discount_rate".'),
    _Names("withholding_taxes", "withholdings withholding retention retentions retenciones retencion retefuente"),
    _Names("taxes", _TAX_NAMES, _TAXES),
    # Taxes and withholdings.
    _Names("rate", "percent percentage tax_percentage tarifa porcentaje value rates tax_rate valor iva"),
    _Names("code", "tax_code tax_id tax_type type tribute tribute_code codigo id tax"),
    # Payments and surcharges.
    _Names("payment_form", "form payment_type forma_pago forma_de_pago payment_form_id payment_form_code"),
    _Names("payment_method_code", "method payment_method medio_pago medio_de_pago payment_means payment_method_id"),
    _Names("due_date", "payment_due_date expiration_date vencimiento fecha_vencimiento expires_at date_due"),
    _Names("amount", "value valor monto total total_amount payment_amount paid"),
    _Names("is_surcharge", "charge_indicator is_charge is_discount"),
    _Names("concept_type", "concept concept_code discount_id code type concepto"),
    _Names("base_amount", "base"),
    _Names("reason", "description descripcion motivo allowance_charge_reason name"),
    # People and places.
    _Names("company", _NAME_NAMES, _PERSON),
    _Names("company", "business_name razon_social company_name legal_name social_reason commercial_name_legal"),
    _Names("trade_name", "tradename commercial_name nombre_comercial brand"),
    _Names("names", f"{_NAME_NAMES} company business_name razon_social company_name legal_name"),
    _Names("first_name", "names name nombre nombres firstname"),
    _Names("first_surname", "last_name surname surnames apellido apellidos lastname"),
    _Names("last_name", "surname surnames apellido apellidos lastname first_surname"),
    _Names("name", "description descripcion product product_name producto nombre item_name detalle concepto names"),
    _Names(
        "identification",
        "identification_number document_number id_number numero_documento numero_identificacion identificacion nit "
        "cedula tax_id document number",
    ),
    _Names(
        "identification_number",
        "identification document_number id_number numero_documento numero_identificacion identificacion nit cedula "
        "document",
    ),
    _Names(
        "identification_document_code",
        "identification_document identification_type identification_type_code document_type document_type_code id_type "
        "tipo_documento tipo_identificacion type_document_identification_id",
    ),
    _Names("dv", "check_digit verification_digit digito_verificacion digit nit_dv"),
    _Names("email", "mail correo emails e_mail correo_electronico email_address"),
    _Names("phone", "phone_number telephone telefono celular mobile cellphone phones"),
    _Names("phone_number", "phone telephone telefono celular mobile cellphone"),
    _Names("address", "direccion street address_line domicilio"),
    _Names("municipality_code", "municipality municipio city ciudad city_code municipality_name codigo_municipio"),
    _Names("country_code", "country pais codigo_pais country_name"),
    _Names("tribute_code", "tribute tributo tax_regime tax_scheme"),
    _Names("legal_organization_code", "legal_organization organization_type person_type tipo_persona kind_of_person"),
    _Names(
        "responsibilities",
        "fiscal_responsibilities responsabilidades responsabilidades_fiscales tax_level_code liabilities regime",
    ),
    # The document.
    _Names("reference_code", "reference external_id external_reference order_id referencia referencia_externa"),
    _Names("observation", "observations observacion observaciones notes note notas nota comment comments comentarios"),
    _Names("items", "lines lineas line_items products productos details detalle detalles invoice_lines conceptos"),
    _Names("customer", "client cliente buyer acquirer adquiriente adquirente receiver comprador party"),
    _Names("provider", "supplier vendor seller proveedor"),
    _Names("bill_number", "number_bill bill_reference billing_reference bill invoice invoice_number related_bill"),
    _Names("bill_number", "reference_bill factura numero_factura bill_code bill_reference_code"),
    _Names("support_document_number", "support_document number_support_document related_document document_number"),
    _Names("payroll_number", "payroll number_payroll predecessor nomina numero_nomina"),
    _Names("correction_concept_code", "correction_concept discrepancy_response motivo concepto concept_code"),
    _Names("numbering_range_id", "numbering_range range_id resolution resolution_id resolution_number numeracion"),
    _Names("payment_details", "payment payments payment_method payment_methods payment_means pago pagos", _PAYMENTS),
    _Names("payment_details", "forma_pago medio_pago forma_de_pago medio_de_pago due_date payment_detail", _PAYMENTS),
    _Names("allowance_charges", "charges surcharges surcharge recargo recargos tip tips propina propinas", _SURCHARGES),
    _Names("order_reference", "purchase_order order orden_compra order_number orden"),
    _Names("billing_period", "period periodo invoice_period"),
    _Names("currency", "moneda currency_code divisa exchange_rate"),
    _Names("send_email", "send_mail email_send enviar_correo mail_send"),
    _Names("operation_type", "operation operation_type_code operation_type_id tipo_operacion customization_id"),
    _Names("customization_id", "operation_type operation customization operation_type_id"),
)
_AT_ROOT: Final = (
    _Names("items", _HEADER_DISCOUNTS, HEADER_DISCOUNT),
    _Names("customer", "email emails mail correo customer_email", 'El correo va en el cliente: "customer.email".'),
    _Names("provider", "email emails mail correo", 'El correo va en el proveedor: "provider.email".'),
    _Names(
        "items",
        f"{_TAX_NAMES} taxes withholding_taxes withholdings retenciones price quantity",
        'Los impuestos, retenciones, precios y cantidades van en cada línea de "items".',
    ),
    _Names("customer", "identification nit cedula names customer_name", 'Los datos del cliente van en "customer".'),
)
_COMPUTED: Final = _words(
    "base total total_amount subtotal sub_total totals grand_total total_value valor_total line_total "
    "item_total net_total tax_amount tax_total total_tax total_taxes iva_value iva_amount valor_iva total_iva "
    "taxable_amount base_imponible base_gravable gross_value gross_amount line_extension_amount "
    "payable_amount legal_monetary_totals net_balance surcharge_amount prepayment_amount total_accruals "
    "total_deductions cufe cude cuds cune qr qr_image number prefix consecutive consecutivo numero prefijo "
    "status validated is_validated validated_at id uuid links"
)
"""What answers of Factus have, and others ask for, and Factus works out or gives itself."""

_ISSUE_DATES: Final = _words(
    "issue_date date issued_at issue_time created_at created_date fecha fecha_emision fecha_factura"
)
_KINDS: Final[Mapping[str, str]] = {
    word: kind
    for kind, words in {
        "money": "amount price value total discount gross net base cost pay payment paid salary balance rounding "
        "charge surcharge allowance precio valor monto descuento",
        "tax": "tax taxes taxable tribute tributes iva inc rate withholding vat excluded exempt impuesto tarifa",
        "name": "name names company surname surnames trade nombre razon",
        "code": "code id identification number reference document dv nit codigo numero type form method",
    }.items()
    for word in words.split()
}


def advise(key: str, value: Any, known: Collection[str], *, is_root: bool) -> Advice:
    """
    Say what to do about a key that an object does not have.

    Args:
        key: As it was written.
        value: What stands there: codes of v1 are read from it, and whether it is a list of documents.
        known: The keys that the object has.
        is_root: Whether the object is the payload itself.
    """
    if len(key) > MAX_KEY:
        return Advice("GEN-002", _REMOVE)
    folded = _folded(key)
    if version_1.is_name(folded, is_root=is_root):
        use = _of_version_1(folded, value, known, is_root=is_root)
        return Advice("GEN-003", f"Es un nombre de la versión 1: {use}.")
    if folded in known:
        return Advice("GEN-002", f'Escríbala exactamente así: "{folded}".')
    if is_root and folded in _ISSUE_DATES:
        return Advice("GEN-015", "La fecha del documento es la del envío: quite la clave.")
    told = _by_name(folded, known, _BY_NAME_AT_ROOT) if is_root else ""
    told = told or _by_name(folded, known, _BY_NAME)
    if told:
        return Advice("GEN-002", told)
    if is_root and _are_documents(value):
        return Advice("GEN-002", "Parece una lista de documentos: el archivo debe ser la lista misma, [ ... ].")
    if folded in _COMPUTED:
        return Advice("GEN-002", "Factus lo calcula o lo asigna: quítela.")
    close = _nearest(folded, known)
    return Advice("GEN-002", f'¿Quiso decir "{close}"?' if close else _REMOVE)


def _are_documents(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "reference_code" in value[0]


def _of_version_1(key: str, value: Any, known: Collection[str], *, is_root: bool) -> str:
    found = version_1.meant(key, known, is_root=is_root)
    if found is None:
        return "quítela"
    code = version_1.code_of(found.table, value) if found.table else ""
    if not code:
        return f'use "{found.path}"'
    return f'use "{found.path}": "{code}" ({tables.name_of(found.table, code)})'


def _folded(key: str) -> str:
    """``unitPrice``, ``Unit-Price`` and ``unit price`` as ``unit_price``; accents gone."""
    plain = "".join(char for char in unicodedata.normalize("NFKD", key) if not unicodedata.combining(char))
    return _SEPARATOR.sub("_", _CAPITAL.sub("_", plain.strip())).lower()


def _index(rows: Collection[_Names]) -> Mapping[str, tuple[_Names, ...]]:
    found: dict[str, tuple[_Names, ...]] = {}
    for row in rows:
        for name in row.names.split():
            found[name] = (*found.get(name, ()), row)
    return found


_BY_NAME: Final = _index(_TABLE)
_BY_NAME_AT_ROOT: Final = _index(_AT_ROOT)


def _by_name(name: str, known: Collection[str], rows: Mapping[str, tuple[_Names, ...]]) -> str:
    """What the first row says whose key the object has."""
    row = next((one for one in rows.get(name, ()) if one.key in known), None)
    if row is None:
        return ""
    return row.mend or f'Aquí se llama "{row.key}".'


def _nearest(key: str, known: Collection[str]) -> str:
    for close in difflib.get_close_matches(key, sorted(known), n=3, cutoff=_CUTOFF):
        if len(close) < _SHORTEST:
            continue
        ours, theirs = _kinds(key), _kinds(close)
        if ours | theirs:
            likeness = difflib.SequenceMatcher(None, key, close).ratio()
            if (ours and ours != theirs) or likeness < _CUTOFF_OF_A_KIND:
                continue
        return close
    return ""


def _kinds(key: str) -> frozenset[str]:
    return frozenset(_KINDS[word] for word in key.split("_") if word in _KINDS)
