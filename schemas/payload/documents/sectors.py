"""
What bills of the health sector carry, and credit notes to them.
"""

from __future__ import annotations

from typing import Annotated

from schemas.payload.fields import Filled, Kind, Part, Text, part


class Coverage(Part):
    """Who pays for the care, and how."""

    provider_code: Filled = part("código del prestador de salud", "Of the IPS or EPS", bad="OPT-013", missing="OPT-013")
    payment_method_code: Annotated[str, Kind("code", "health-payment-methods")] = part(
        "modalidad de pago en salud", "Not a code of payment-methods", bad="OPT-014", missing="OPT-013"
    )
    coverage_code: Annotated[str, Kind("code", "health-coverage-plans")] = part(
        "plan de cobertura en salud", "Coverage plan", bad="OPT-015", missing="OPT-013"
    )


class Health(Coverage):
    """Data of the health sector in a bill (SS-CUFE, SS-Reporte, SS-SinAporte)."""

    contract_number: Text = part("número de contrato de salud", "This or without_contract_code", optional=True)
    without_contract_code: Annotated[str, Kind("code", "health-without-contract-reasons")] = part(
        "causal de factura sin contrato", "Why there is no contract", optional=True, bad="OPT-017"
    )
    policy_number: Text = part("número de póliza", "When the plan is a policy; may be empty", optional=True)


class Beneficiary(Part):
    """The patient of a health bill."""

    identification_document_code: Annotated[str, Kind("code", "health-identity-document-types")] = part(
        "tipo de documento del beneficiario", "A health code (CC, TI ...), not a DIAN number", bad="OPT-024"
    )
    identification_number: Text = part(
        "identificación del beneficiario", "Unless the code is SI, MS or AS", optional=True, bad="OPT-025"
    )
    names: Text = part("nombres del beneficiario", "Names; may be empty", optional=True)
    surnames: Text = part("apellidos del beneficiario", "Surnames; may be empty", optional=True)
