"""
The bodies of ``POST /v2/payrolls`` (nómina electrónica) and of ``POST /v2/adjustment-payrolls``, its elimination.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from schemas.payload.documents.parties import MunicipalityCode
from schemas.payload.documents.payroll_concepts import Accruals, Deductions
from schemas.payload.documents.shared import Referenced
from schemas.payload.fields import (
    Absent,
    Amount,
    DateText,
    Filled,
    Flag,
    Kind,
    Nullable,
    NumberText,
    Part,
    Text,
    absent,
    part,
)


class SettlementPeriod(Part):
    """The month or fortnight that is paid."""

    month: Annotated[str | int, Kind("whole", least=1, most=12)] = part(
        "mes de liquidación", "1 to 12", bad="PAY-002", missing="PAY-002"
    )
    year: Annotated[str | int, Kind("whole", least=1000, most=9999)] = part(
        "año de liquidación", "Four digits", bad="PAY-002", missing="PAY-002"
    )
    payroll_period_code: Annotated[str, Kind("code", "payroll-periods")] = part(
        "período de nómina", "4 fortnight, 5 month", bad="PAY-004", missing="PAY-004"
    )
    # A text in the table of Factus, an integer for those who have sent it.
    pay_period_half: Annotated[str | int, Kind("whole", least=1, most=2, is_sent_as_number=True)] = part(
        "quincena", "1 first, 2 second; required for a fortnight", optional=True, bad="PAY-005"
    )


class WagePayment(Part):
    """How and when the worker is paid."""

    payment_method_code: Annotated[str, Kind("code", "payment-methods", also=frozenset({"98"}))] = part(
        "medio de pago", "Means of payment; 98 (CATS: Nequi, Daviplata ...) for payrolls only", bad="PAY-007"
    )
    bank_name: Text = part("banco", "Required with 42, 47 and 98", optional=True, bad="PAY-008")
    account_type: Annotated[str, Kind("code", "payroll-account-types")] = part(
        "tipo de cuenta", "Required with 42, 47 and 98", optional=True, bad="PAY-008"
    )
    account_number: Text = part("número de cuenta", "Required with 42, 47 and 98", optional=True, bad="PAY-008")
    payment_date: DateText = part("fecha de pago", "Day of payment", bad="GEN-012", missing="PAY-009")


class Worker(Part):
    """Who is paid, and under which contract."""

    identification_document_code: Annotated[str, Kind("code", "payroll-identity-document-types")] = part(
        "tipo de documento del trabajador", "13 cédula ...; no 48", bad="PAY-010", missing="PAY-010"
    )
    identification_number: Filled = part("identificación del trabajador", "Number", bad="PAY-011", missing="PAY-011")
    first_name: Filled = part("primer nombre", "First name", bad="PAY-011", missing="PAY-011")
    other_names: Text = part("otros nombres", "Other names", optional=True)
    first_surname: Filled = part("primer apellido", "First surname", bad="PAY-011", missing="PAY-011")
    second_surname: Text = part("segundo apellido", "Second surname", bad="PAY-012", missing="PAY-012")
    address: Filled = part("dirección del trabajador", "In the month that is paid", bad="PAY-011", missing="PAY-011")
    country_code: Annotated[str, Kind("code", "countries")] = part(
        "país del trabajador", "ISO 3166 alpha-2, capital letters", bad="PAY-011", missing="PAY-011"
    )
    municipality_code: MunicipalityCode = part(
        "municipio del trabajador", "DIVIPOLA, five digits; required in Colombia", optional=True, bad="PAY-013"
    )
    has_integral_salary: Flag = part("salario integral", "Integral salary", bad="PAY-014", missing="PAY-014")
    has_high_risk: Flag = part("alto riesgo", "High risk (Decreto 2090 de 2003)", bad="PAY-014", missing="PAY-014")
    worker_type_code: Annotated[str, Kind("code", "payroll-worker-types")] = part(
        "tipo de trabajador", "Kind of worker", bad="PAY-015", missing="PAY-015"
    )
    worker_subtype: Annotated[str, Kind("code", "payroll-worker-subtypes")] = part(
        "subtipo de trabajador", "00, or 01 for active pensioners", bad="PAY-015", missing="PAY-015"
    )
    contract_type: Annotated[str, Kind("code", "payroll-contract-types")] = part(
        "tipo de contrato", "Kind of contract", bad="PAY-015", missing="PAY-015"
    )
    employee_code: Text = part("código del empleado", "The employer's own code", optional=True)
    salary: Amount = part("sueldo base", "Base salary, above 0", missing="PAY-016")
    entry_date: DateText = part("fecha de ingreso", "Day of entry", bad="GEN-012", missing="PAY-017")
    days_worked: Amount = part("días trabajados", "In the period", missing="PAY-016")
    retirement_date: DateText = part("fecha de retiro", "Only in the month it happens", optional=True, bad="GEN-012")


class Payroll(Referenced):
    """The payroll of one worker and period."""

    rule_ids: ClassVar[Mapping[str, str]] = {"GEN-004": "PAY-001"}

    observation: Nullable = part("observación", "Free note", optional=True)
    numbering_range_id: NumberText = part(
        "rango de numeración de nómina", "ULID; required with more than one active range", optional=True, bad="RNG-005"
    )
    settlement_period: SettlementPeriod = part("período de liquidación", "Month or fortnight")
    payment: WagePayment = part("pago", "How and when it is paid")
    worker: Worker = part("trabajador", "Who is paid")
    accruals: Accruals = part("devengados", "What is earned")
    deductions: Deductions = part("deducciones", "What is taken off")


class PayrollAdjustment(Referenced):
    """The elimination of a payroll; a correction is an elimination and a new payroll."""

    not_here: ClassVar[dict[str, Absent]] = absent(
        "PAY-037", "observation settlement_period payment worker accruals deductions"
    )

    payroll_number: Filled = part("número de la nómina", "Number of the payroll to eliminate", bad="PAY-035")
    numbering_range_id: NumberText = part(
        "rango de numeración de nómina", "ULID; required with more than one active range", optional=True, bad="RNG-005"
    )
