"""
Rules by operation type: mandates (11), transport (12) and health (SS-*) (OPT, ITM-029).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from schemas import money
from schemas.payload.findings import Level
from schemas.payload.rules.book import NO_FINDINGS, Document, Finding, Findings, Node, RuleBook, finding, has_text
from schemas.payload.rules.identity import NIT, nit_fault

MANDATES: Final = "11"
TRANSPORT: Final = "12"
COLLECTION: Final = "SS-Recaudo"
HEALTH_REPORTS: Final = frozenset({"SS-CUFE", "SS-Reporte", "SS-SinAporte"})
HEALTH_TYPES: Final = HEALTH_REPORTS | {COLLECTION}
WITH_SCHEMES: Final = frozenset({MANDATES, TRANSPORT, COLLECTION})
WITH_MANDATES: Final = frozenset({MANDATES, COLLECTION})
_OF_OTHERS: Final = "1"
_FREIGHT: Final = "03"
_CARGO_UNITS: Final = frozenset({"KGM", "GLL"})
_V1_CARGO_UNITS: Final = {"414": "KGM", "874": "GLL"}
_POLICIES: Final = frozenset({"04", "05"})
_PROBABLE_POLICY: Final = "12"
_WITHOUT_NUMBER: Final = frozenset({"SI", "MS", "AS"})

# Which operation types a key of a line belongs to.
_KEYS_BY_TYPE: Final = {
    "scheme_id": WITH_SCHEMES,
    "mandate": WITH_MANDATES,
    "additional_properties": frozenset({TRANSPORT}),
    "collection_concept_code": frozenset({COLLECTION}),
}

ITEM: Final = RuleBook.about("items.*")
SCHEMED_ITEM: Final = RuleBook.about("items.*", WITH_SCHEMES)
MANDATED_ITEM: Final = RuleBook.about("items.*", WITH_MANDATES)
MANDATE: Final = RuleBook.about("items.*.mandate", WITH_MANDATES)
MANDATES_BILL: Final = RuleBook.about("", {MANDATES})

TRANSPORT_ITEM: Final = RuleBook.about("items.*", {TRANSPORT})
CARGO: Final = RuleBook.about("items.*.additional_properties.*", {TRANSPORT})
CARGO.by_shape("OPT-007")
FREIGHT: Final = RuleBook.about("items.*.additional_properties.*")

HEALTH_BILL: Final = RuleBook.about("", HEALTH_REPORTS)
HEALTH: Final = RuleBook.about("health", HEALTH_TYPES)
HEALTH.by_shape("OPT-013")
HEALTH.by_shape("OPT-017", "D9")
COVERAGE: Final = RuleBook.about("health")
COVERAGE.by_shape("OPT-015")
COVERAGE.by_shape("OPT-014", "D9")

PREPAYMENT: Final = RuleBook.about("prepayment_details.*", {"SS-CUFE", "SS-Reporte"})

COLLECTION_BILL: Final = RuleBook.about("", {COLLECTION})
COLLECTION_ITEM: Final = RuleBook.about("items.*", {COLLECTION})
BENEFICIARY: Final = RuleBook.about("beneficiary", HEALTH_TYPES)
BENEFICIARY.by_shape("OPT-024")

OTHER_BILL: Final = RuleBook.about("", {"10", MANDATES, TRANSPORT})
OTHER_PREPAYMENT: Final = RuleBook.about("prepayment_details.*", {"10", MANDATES, TRANSPORT})


@ITEM.warning("ITM-029", "I")
def keys_fit_the_operation_type(item: Node, document: Document) -> Findings:
    if document.operation is None or item.keys().isdisjoint(_KEYS_BY_TYPE):
        return NO_FINDINGS
    return [
        Finding(key, f'"{key}" no corresponde al tipo de operación {document.operation}. Revise la clave o el tipo.')
        for key, types in _KEYS_BY_TYPE.items()
        if key in item and document.operation not in types
    ]


@SCHEMED_ITEM.error("OPT-001", "D")
def line_has_a_scheme(item: Node, document: Document) -> Findings:
    if "scheme_id" in item:
        return NO_FINDINGS
    return finding("scheme_id", f'Falta el esquema de la línea ("scheme_id": "0" o "1") del tipo {document.operation}.')


@MANDATED_ITEM.error("OPT-002", "D")
def income_of_others_names_them(item: Node, document: Document) -> Findings:
    if item.get("scheme_id") != _OF_OTHERS or "mandate" in item:
        return NO_FINDINGS
    return finding(
        "mandate", 'Falta el mandante ("mandate"): es obligatorio en ingresos para terceros ("scheme_id" 1).'
    )


@MANDATE.error("OPT-003", "D")
def mandate_is_identified(mandate: Node, document: Document) -> Findings:
    if mandate.get("identification_document_code") != NIT or "identification" not in mandate:
        return NO_FINDINGS
    return nit_fault("identification", mandate["identification"])


@MANDATED_ITEM.warning("OPT-004", "I")
def own_income_has_no_mandate(item: Node, document: Document) -> Findings:
    if item.get("scheme_id") != "0" or "mandate" not in item:
        return NO_FINDINGS
    return finding("mandate", 'Una línea de ingreso propio ("scheme_id" 0) no lleva mandante. Quite "mandate".')


@MANDATES_BILL.warning("OPT-005", "P")
def mandates_have_a_line_of_others(root: Node, document: Document) -> Findings:
    items = root.get("items")
    if not items or any(item and item.get("scheme_id") == _OF_OTHERS for item in items):
        return NO_FINDINGS
    return finding("items", 'Una factura de mandatos (11) debería tener alguna línea para terceros ("scheme_id" 1).')


@TRANSPORT_ITEM.error("OPT-006", "D")
def consignment_has_its_properties(item: Node, document: Document) -> Findings:
    if item.get("scheme_id") != _OF_OTHERS or item.get("additional_properties"):
        return NO_FINDINGS
    return finding(
        "additional_properties",
        'Faltan las propiedades de la remesa ("additional_properties"), obligatorias en transporte.',
    )


@TRANSPORT_ITEM.warning("OPT-008", "I")
def consignment_has_all_properties(item: Node, document: Document) -> Findings:
    properties = item.get("additional_properties")
    if item.get("scheme_id") != _OF_OTHERS or not properties:
        return NO_FINDINGS
    if sorted(str(prop.get("code")) for prop in properties if prop) == ["01", "02", "03"]:
        return NO_FINDINGS
    return finding(
        "additional_properties",
        "Una remesa lleva 01 (radicado RNDC), 02 (consecutivo) y 03 (valor del flete), una vez cada una.",
    )


@FREIGHT.error("OPT-009", "D")
def freight_has_quantity_and_unit(prop: Node, document: Document) -> Findings:
    if prop.get("code") != _FREIGHT:
        return NO_FINDINGS
    labels = {"quantity": "cantidad transportada", "unit_measure_code": "unidad transportada"}
    return [
        Finding(key, f'Falta la {label} ("{key}"): es obligatoria con el valor del flete (03).')
        for key, label in labels.items()
        if key not in prop
    ]


@CARGO.error("OPT-010", "D, uncertain")
def freight_unit_is_taken(prop: Node, document: Document) -> Findings:
    unit = prop.get("unit_measure_code", "KGM")
    if prop.get("code") != _FREIGHT or unit in _CARGO_UNITS:
        return NO_FINDINGS
    if unit in _V1_CARGO_UNITS:
        message = f'La unidad transportada "{unit}" es de la versión 1 de Factus: use "{_V1_CARGO_UNITS[unit]}".'
        return finding("unit_measure_code", message, Level.WARNING)
    return finding("unit_measure_code", 'La unidad transportada ("unit_measure_code") debe ser "KGM" o "GLL".')


@CARGO.warning("OPT-011", "P")
def freight_value_is_a_decimal(prop: Node, document: Document) -> Findings:
    if prop.get("code") != _FREIGHT or "value" not in prop or isinstance(money.parse(prop["value"]), Decimal):
        return NO_FINDINGS
    return finding(
        "value", 'El valor del flete ("value") debería ser un número con punto decimal, por ejemplo "250000.00".'
    )


@HEALTH_BILL.error("OPT-012", "D")
def health_is_told(root: Node, document: Document) -> Findings:
    if "health" in root:
        return NO_FINDINGS
    return finding("health", f'Faltan los datos de salud ("health"): son obligatorios en el tipo {document.operation}.')


@HEALTH.error("OPT-016", "D9")
def contract_or_reason_is_told(health: Node, document: Document) -> Findings:
    if has_text(health, "contract_number") or "without_contract_code" in health:
        return NO_FINDINGS
    return finding(
        "without_contract_code",
        'Falta el número de contrato ("contract_number") o la causal de no tenerlo ("without_contract_code").',
        rests_on="contract_number",
    )


@HEALTH.warning("OPT-018", "D9, uncertain")
def not_both_contract_and_reason(health: Node, document: Document) -> Findings:
    if not has_text(health, "contract_number") or "without_contract_code" not in health:
        return NO_FINDINGS
    return finding("without_contract_code", "Llegaron un contrato y una causal para no tenerlo. Deje uno de los dos.")


@COVERAGE.error("OPT-019", "D, uncertain")
def policy_is_told(health: Node, document: Document) -> Findings:
    coverage = health.get("coverage_code")
    if has_text(health, "policy_number") or (coverage not in _POLICIES and coverage != _PROBABLE_POLICY):
        return NO_FINDINGS
    level = None if coverage in _POLICIES else Level.WARNING
    return finding(
        "policy_number", f'Falta el número de póliza ("policy_number") del plan de cobertura {coverage}.', level
    )


@PREPAYMENT.error("OPT-020", "D")
def prepayment_has_a_concept(prepayment: Node, document: Document) -> Findings:
    if "concept_code" in prepayment:
        return NO_FINDINGS
    return finding(
        "concept_code", f'Falta el concepto del anticipo ("concept_code", 01 a 05) del tipo {document.operation}.'
    )


@OTHER_PREPAYMENT.warning("OPT-021", "D")
def prepayment_concept_is_for_health(prepayment: Node, document: Document) -> Findings:
    if "concept_code" not in prepayment:
        return NO_FINDINGS
    return finding("concept_code", 'El concepto del anticipo ("concept_code") es solo para facturas de salud. Quítelo.')


@HEALTH_BILL.warning("OPT-022", "I")
def health_has_a_period(root: Node, document: Document) -> Findings:
    if {"start_time", "end_time"} <= root.get("billing_period", {}).keys():
        return NO_FINDINGS
    return finding("billing_period", 'Las facturas de salud llevan el período ("billing_period") con sus dos horas.')


@COLLECTION_BILL.error("OPT-023", "D")
def collection_has_a_beneficiary(root: Node, document: Document) -> Findings:
    if "beneficiary" in root:
        return NO_FINDINGS
    return finding("beneficiary", f'Falta el beneficiario ("beneficiary"): es obligatorio en el tipo {COLLECTION}.')


@BENEFICIARY.error("OPT-025", "D")
def beneficiary_is_identified(beneficiary: Node, document: Document) -> Findings:
    code = beneficiary.get("identification_document_code")
    if code is None or code in _WITHOUT_NUMBER or has_text(beneficiary, "identification_number"):
        return NO_FINDINGS
    return finding("identification_number", 'Falta la identificación del beneficiario ("identification_number").')


@COLLECTION_ITEM.error("OPT-026", "D")
def collection_has_a_concept(item: Node, document: Document) -> Findings:
    if "collection_concept_code" in item:
        return NO_FINDINGS
    return finding(
        "collection_concept_code", 'Falta el concepto de recaudo ("collection_concept_code"): COP, CUO o PAC.'
    )


@OTHER_BILL.warning("OPT-027", "I")
def health_parts_are_for_health(root: Node, document: Document) -> Findings:
    return [
        Finding(key, f'"{key}" es solo para facturas de salud (SS-*). Quítelo o revise el tipo de operación.')
        for key in ("health", "beneficiary")
        if key in root
    ]


SHARED_SECTOR_BOOKS: Final = (FREIGHT, COVERAGE)
"""Of credit notes too, which tell no sector: the keys alone open them."""

SECTOR_BOOKS: Final = (
    FREIGHT.within({TRANSPORT}),
    COVERAGE.within(HEALTH_TYPES),
    ITEM,
    SCHEMED_ITEM,
    MANDATED_ITEM,
    MANDATE,
    MANDATES_BILL,
    TRANSPORT_ITEM,
    CARGO,
    HEALTH_BILL,
    HEALTH,
    PREPAYMENT,
    COLLECTION_BILL,
    COLLECTION_ITEM,
    BENEFICIARY,
    OTHER_BILL,
    OTHER_PREPAYMENT,
)
