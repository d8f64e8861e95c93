"""
What a payroll consists of: accruals (devengados) and deductions (deducciones), each under a key of four letters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, TypeAlias

from schemas.payload.fields import Amount, Count, DateText, Filled, Kind, Moment, Part, part

OnlyType: TypeAlias = Annotated[str | int, Kind("whole", least=1, most=1)]
"""The type of a concept that has one; Factus puts it when it is left out."""

_DAYS: Final = "días"
_TYPE: Final = "tipo del concepto"
_AMOUNT: Final = "valor del concepto"
_PERCENTAGE: Final = "porcentaje del concepto"


def _rows(label: str, about: str, bad: str, *, may_stand_alone: bool = False) -> Any:
    return part(label, about, optional=True, bad=bad, may_stand_alone=may_stand_alone, min_length=1, max_length=1_000)


def _type(about: str, rule: str) -> Any:
    return part(_TYPE, about, bad=rule, missing=rule)


class Concept(Part):
    """Whatever stands in accruals and deductions: nothing in them may be empty or null."""

    empty_rule: ClassVar[str] = "PAY-030"


class Priced(Concept):
    """What has a value; a strike has none, an unpaid leave need not."""

    amount: Amount = part(_AMOUNT, "Pesos")


class Accrual(Priced):
    """An accrual of one type: allowances, commissions, advances, severance pay ..."""

    accrual_type_code: OnlyType = part(_TYPE, "1, the default", optional=True, bad="PAY-021")


class Salary(Accrual):
    """The salary of the days worked; 0 is allowed."""

    rule_ids: ClassVar[Mapping[str, str]] = {"GEN-004": "PAY-019"}


class Severance(Priced):
    """Cesantías, or their interest."""

    percentage: Amount = part(_PERCENTAGE, "Required for interest (type 2)", optional=True)
    accrual_type_code: Annotated[str | int, Kind("code", "payroll-severance-types", takes_number=True)] = _type(
        "1 cesantías, 2 interest", "PAY-021"
    )


class ServiceBonus(Priced):
    """Prima."""

    quantity: Count = part(_DAYS, "Required with type 1", optional=True)
    accrual_type_code: Annotated[str | int, Kind("code", "payroll-service-bonus-types", takes_number=True)] = _type(
        "1 salary, 2 no salary", "PAY-021"
    )


class Bonus(Priced):
    """Bonificación."""

    accrual_type_code: Annotated[str | int, Kind("code", "payroll-bonus-types", takes_number=True)] = _type(
        "1 salary, 2 no salary", "PAY-021"
    )


class Voucher(Priced):
    """Bono, cheque or electronic voucher (EPCTV)."""

    accrual_type_code: Annotated[str | int, Kind("code", "payroll-epctv-voucher-types", takes_number=True)] = _type(
        "1 to 4", "PAY-021"
    )


class Transport(Priced):
    """Auxilio de transporte, or viáticos."""

    accrual_type_code: Annotated[str | int, Kind("code", "payroll-transport-allowance-types", takes_number=True)] = (
        _type("1 to 3", "PAY-021")
    )


class Compensation(Priced):
    """Compensación."""

    accrual_type_code: Annotated[str | int, Kind("code", "payroll-compensation-types", takes_number=True)] = _type(
        "1 or 2", "PAY-021"
    )


class OtherConcept(Priced):
    """Whatever has no key of its own."""

    description: Filled = part("descripción del concepto", "What it is", bad="PAY-022", missing="PAY-022")
    accrual_type_code: Annotated[str | int, Kind("code", "payroll-other-concept-types", takes_number=True)] = _type(
        "1 salary, 2 no salary", "PAY-021"
    )


class Aid(Priced):
    """Auxilio."""

    accrual_type_code: Annotated[str | int, Kind("code", "payroll-aid-types", takes_number=True)] = _type(
        "1 salary, 2 no salary", "PAY-021"
    )


class Span(Concept):
    """Days away from work."""

    quantity: Count = part(_DAYS, "Days", missing="PAY-023")
    start_date: DateText = part("fecha de inicio del concepto", "First day", optional=True, bad="GEN-012")
    end_date: DateText = part("fecha de fin del concepto", "Last day", optional=True, bad="GEN-012")


class Leave(Span):
    """Licencia."""

    amount: Amount = part(_AMOUNT, "Unless the leave is unpaid (type 3)", optional=True)
    accrual_type_code: Annotated[str | int, Kind("code", "payroll-leave-types", takes_number=True)] = _type(
        "1 to 3", "PAY-021"
    )


class Vacation(Span, Priced):
    """Vacaciones."""

    accrual_type_code: Annotated[str | int, Kind("code", "payroll-vacation-types", takes_number=True)] = _type(
        "1 or 2", "PAY-021"
    )


class SickLeave(Span, Priced):
    """Incapacidad."""

    accrual_type_code: Annotated[str | int, Kind("code", "payroll-sick-leave-types", takes_number=True)] = _type(
        "1 to 3", "PAY-021"
    )


class Strike(Span):
    """Huelga legal, which is not paid."""

    accrual_type_code: OnlyType = part(_TYPE, "1, the default", optional=True, bad="PAY-021")


class Overtime(Concept):
    """Hours of overtime, at night, on Sundays and holidays."""

    quantity: Count = part("horas", "Hours", missing="PAY-023")
    percentage: Amount = part(_PERCENTAGE, "The surcharge in law for the type", missing="PAY-023")
    start_date: Moment = part("inicio de las horas", "First moment", optional=True, bad="PAY-024")
    end_date: Moment = part("fin de las horas", "Last moment", optional=True, bad="PAY-024")
    amount: Amount = part(_AMOUNT, "Pesos", missing="PAY-023")
    accrual_type_code: Annotated[str | int, Kind("code", "payroll-overtime-types", takes_number=True)] = _type(
        "1 to 7", "PAY-021"
    )


class Accruals(Concept):
    """What is earned."""

    suel: Salary = part("sueldo", "Salary of the days worked", bad="PAY-020", missing="PAY-019")
    cesa: list[Severance] = _rows("cesantías", "Severance", "PAY-020")
    prim: ServiceBonus = part("prima", "Service bonus", optional=True, bad="PAY-020")
    boni: list[Bonus] = _rows("bonificaciones", "Bonuses", "PAY-020")
    bono: list[Voucher] = _rows("bonos EPCTV", "Vouchers", "PAY-020")
    tra: list[Transport] = _rows("auxilio de transporte", "Transport", "PAY-020")
    comp: list[Compensation] = _rows("compensaciones", "Compensations", "PAY-020")
    otro: list[OtherConcept] = _rows("otros conceptos", "Others", "PAY-020")
    lice: list[Leave] = _rows("licencias", "Leaves", "PAY-020")
    vaca: list[Vacation] = _rows("vacaciones", "Vacations", "PAY-020")
    inca: list[SickLeave] = _rows("incapacidades", "Sick leaves", "PAY-020")
    auxi: list[Aid] = _rows("auxilios", "Aids", "PAY-020")
    huel: list[Strike] = _rows("huelgas legales", "Strikes", "PAY-020")
    comi: list[Accrual] = _rows("comisiones", "Commissions", "PAY-020")
    terc: list[Accrual] = _rows("pagos de terceros", "By third parties", "PAY-020")
    dota: Accrual = part("dotación", "Clothing", optional=True, bad="PAY-020")
    apoy: Accrual = part("apoyo de sostenimiento", "Support of apprentices", optional=True, bad="PAY-020")
    tele: Accrual = part("teletrabajo", "Telework", optional=True, bad="PAY-020")
    reti: Accrual = part("retiro", "Bonus of leaving", optional=True, bad="PAY-020")
    inde: Accrual = part("indemnización", "Indemnity", optional=True, bad="PAY-020")
    rein: Accrual = part("reintegro al trabajador", "Refund to the worker", optional=True, bad="PAY-020")
    anti: list[Accrual] = _rows("anticipos de nómina", "Advances", "PAY-020")
    hora: list[Overtime] = _rows("horas extra y recargos", "Overtime", "PAY-020")


class Deduction(Priced):
    """A deduction of one type: withholding, cooperative, debt ..."""

    deduction_type_code: OnlyType = part(_TYPE, "1, the default", optional=True, bad="PAY-029")


class UnionDue(Deduction):
    """Sindicato."""

    percentage: Amount = part(_PERCENTAGE, "Of the salary", missing="PAY-029")


class Contribution(UnionDue):
    """Health and pension, which are told even when they are 0."""

    rule_ids: ClassVar[Mapping[str, str]] = {"GEN-004": "PAY-026", "PAY-029": "PAY-026"}


class Fund(Priced):
    """Fondo de solidaridad pensional: a row for each sub-account."""

    percentage: Amount = part(_PERCENTAGE, "Of the salary")
    deduction_type_code: Annotated[str | int, Kind("code", "payroll-pension-fund-types", takes_number=True)] = _type(
        "1 solidaridad, 2 subsistencia", "PAY-027"
    )


class Sanction(Priced):
    """Sanción."""

    deduction_type_code: Annotated[str | int, Kind("code", "payroll-sanction-types", takes_number=True)] = _type(
        "1 public, 2 private", "PAY-029"
    )


class Loan(Deduction):
    """Libranza."""

    description: Filled = part("descripción de la libranza", "What it is", bad="PAY-029", missing="PAY-029")


class Deductions(Concept):
    """What is taken off."""

    salu: Contribution = part("salud", "Health", bad="PAY-029", missing="PAY-026")
    pens: Contribution = part("pensión", "Pension", bad="PAY-029", missing="PAY-026")
    dedu: list[Fund] = _rows("fondo de solidaridad", "Solidarity fund", "PAY-028", may_stand_alone=True)
    sind: list[UnionDue] = _rows("sindicatos", "Unions", "PAY-029")
    sanc: list[Sanction] = _rows("sanciones", "Sanctions", "PAY-029")
    libr: list[Loan] = _rows("libranzas", "Loans paid off by the employer", "PAY-029")
    terc: list[Deduction] = _rows("pagos a terceros", "To third parties", "PAY-029")
    anti: list[Deduction] = _rows("anticipos descontados", "Advances", "PAY-029")
    otra: list[Deduction] = _rows("otras deducciones", "Others", "PAY-029")
    pevo: Deduction = part("pensión voluntaria", "Voluntary pension", optional=True, bad="PAY-029")
    rete: Deduction = part("retención en la fuente", "Income tax withheld", optional=True, bad="PAY-029")
    afco: Deduction = part("AFC", "Savings for building", optional=True, bad="PAY-029")
    coop: Deduction = part("cooperativa", "Cooperative", optional=True, bad="PAY-029")
    emba: Deduction = part("embargo fiscal", "Attachment", optional=True, bad="PAY-029")
    plan: Deduction = part("planes complementarios", "Complementary health plans", optional=True, bad="PAY-029")
    educ: Deduction = part("educación", "Education", optional=True, bad="PAY-029")
    rein: Deduction = part("reintegro al empleador", "Refund to the employer", optional=True, bad="PAY-029")
    deud: Deduction = part("deuda con el empleador", "Debt with the employer", optional=True, bad="PAY-029")
