"""
Rules about payrolls: period, payment, worker, and the concepts that ask for more than their form (PAY).

The surcharges of Sundays and holidays are those of Ley 2466 de 2025, article 14.
"""

from __future__ import annotations

from calendar import monthrange
from decimal import Decimal
from typing import Final

from schemas.money import ZERO, render
from schemas.payload.findings import Level
from schemas.payload.rules.book import NO_FINDINGS, Document, Finding, Findings, Node, RuleBook, finding, has_text
from schemas.payload.rules.identity import colombian_has_a_municipality, numbered_nit_is_digits

_FORTNIGHT: Final = "4"
_INTO_ACCOUNT: Final = frozenset({"42", "47", "98"})
_INTEREST: Final = "2"
_SALARY_BONUS: Final = "1"
_UNPAID: Final = "3"
_MAX_DAYS: Final = {"4": 15, "5": 30}
_SPANS: Final = ("lice", "vaca", "inca", "huel", "hora")
_SUNDAYS_FROM: Final = (("2027-07", 100), ("2026-07", 90), ("2025-07", 80), ("", 75))
_PLAIN: Final = {"1": 25, "2": 75, "3": 35}
_ON_SUNDAYS: Final = {"4": 25, "5": 0, "6": 75, "7": 35}
"""Types of overtime: what the law adds, and what it adds to the surcharge of Sundays and holidays."""

PAYROLL: Final = RuleBook.about("")
PAYROLL.by_shape("PAY-001 PAY-002 PAY-004 PAY-007 PAY-009 PAY-010 PAY-014 PAY-015")
PAYROLL.by_shape("PAY-019 PAY-020 PAY-021 PAY-023 PAY-026 PAY-029")
PAYROLL.by_shape("PAY-028 PAY-030", "R")

PERIOD: Final = RuleBook.about("settlement_period")
PAYMENT: Final = RuleBook.about("payment")
WORKER: Final = RuleBook.about("worker")
WORKER.error("PAY-011", "D, R")(numbered_nit_is_digits)
WORKER.error("PAY-013", "D")(colombian_has_a_municipality)
SEVERANCE: Final = RuleBook.about("accruals.cesa.*")
SERVICE_BONUS: Final = RuleBook.about("accruals.prim")
LEAVE: Final = RuleBook.about("accruals.lice.*")
SPANS: Final = tuple(RuleBook.about(f"accruals.{key}.*") for key in _SPANS)
OVERTIME: Final = RuleBook.about("accruals.hora.*")
DEDUCTIONS: Final = RuleBook.about("deductions")

ELIMINATION: Final = RuleBook.about("")
ELIMINATION.by_shape("PAY-035")
ELIMINATION.by_shape("PAY-037", "D9, R")


def _month_of(root: Node) -> str:
    """YYYY-MM of the period, which compares as dates do; empty when it is not known."""
    period = root.get("settlement_period", {})
    return f"{period['year']:04}-{period['month']:02}" if {"year", "month"} <= period.keys() else ""


def _last_day(root: Node) -> str:
    """The last day of the period; of the month when the fortnight is not known."""
    month = _month_of(root)
    if not month:
        return ""
    period = root["settlement_period"]
    is_first_half = period.get("payroll_period_code") == _FORTNIGHT and period.get("pay_period_half") == 1
    return f"{month}-{15 if is_first_half else monthrange(period['year'], period['month'])[1]}"


@PAYROLL.warning("PAY-003", "P")
def period_has_begun(root: Node, document: Document) -> Findings:
    if _month_of(root) <= document.today[:7]:
        return NO_FINDINGS
    return finding("settlement_period.month", "El período de liquidación es futuro. Revise el mes y el año.")


@PERIOD.error("PAY-005", "D, R")
def fortnight_has_its_half(period: Node, document: Document) -> Findings:
    if period.get("payroll_period_code") != _FORTNIGHT or "pay_period_half" in period:
        return NO_FINDINGS
    return finding("pay_period_half", 'Falta la quincena ("pay_period_half"): 1 la primera, 2 la segunda.')


@PERIOD.warning("PAY-006", "I")
def month_has_no_half(period: Node, document: Document) -> Findings:
    if period.get("payroll_period_code", _FORTNIGHT) == _FORTNIGHT or "pay_period_half" not in period:
        return NO_FINDINGS
    return finding("pay_period_half", 'Una nómina mensual no lleva quincena. Quite "pay_period_half".')


@PAYMENT.error("PAY-008", "D")
def transfer_has_an_account(payment: Node, document: Document) -> Findings:
    method = payment.get("payment_method_code")
    if method not in _INTO_ACCOUNT:
        return NO_FINDINGS
    labels = {"bank_name": "el banco", "account_type": "el tipo de cuenta", "account_number": "el número de cuenta"}
    return [
        Finding(key, f'Falta {label} ("{key}"): es obligatorio con el medio de pago {method}.')
        for key, label in labels.items()
        if not has_text(payment, key)
    ]


@WORKER.error("PAY-012", "D, uncertain")
def second_surname_is_told(worker: Node, document: Document) -> Findings:
    # The shape stage finds it missing.
    if "second_surname" not in worker or has_text(worker, "second_surname"):
        return NO_FINDINGS
    return finding(
        "second_surname",
        'El segundo apellido ("second_surname") está vacío. Factus lo pide y no explica el caso de un solo apellido.',
        Level.WARNING,
    )


@WORKER.error("PAY-016", "D, P")
def salary_is_above_zero(worker: Node, document: Document) -> Findings:
    salary = worker.get("salary", 1)
    if salary > 0:
        return NO_FINDINGS
    return finding(
        "salary", 'El sueldo base ("salary") debe ser mayor que cero.', None if salary < 0 else Level.WARNING
    )


@PAYROLL.error("PAY-016", "D, P")
def days_worked_fit_the_period(root: Node, document: Document) -> Findings:
    days = root.get("worker", {}).get("days_worked", ZERO)
    most = _MAX_DAYS.get(root.get("settlement_period", {}).get("payroll_period_code", ""), 30)
    if 0 <= days <= most:
        return NO_FINDINGS
    return finding(
        "worker.days_worked",
        f'Los días trabajados ("days_worked") van de 0 a {most} en este período de nómina.',
        None if days < 0 else Level.WARNING,
    )


@PAYROLL.error("PAY-017", "D, P")
def entry_is_before_the_end(root: Node, document: Document) -> Findings:
    entry, last = root.get("worker", {}).get("entry_date", ""), _last_day(root)
    if not last or entry <= last:
        return NO_FINDINGS
    return finding(
        "worker.entry_date",
        f'La fecha de ingreso ("entry_date") es posterior al fin del período, {last}. Revísela.',
        Level.WARNING,
    )


@WORKER.error("PAY-018", "D")
def worker_leaves_after_entering(worker: Node, document: Document) -> Findings:
    if worker.get("retirement_date", "9") >= worker.get("entry_date", ""):
        return NO_FINDINGS
    return finding(
        "retirement_date", 'La fecha de retiro ("retirement_date") es anterior a la de ingreso ("entry_date").'
    )


@PAYROLL.error("PAY-018", "D")
def leaving_is_told_in_its_month(root: Node, document: Document) -> Findings:
    left, month = root.get("worker", {}).get("retirement_date"), _month_of(root)
    if left is None or not month or left.startswith(month):
        return NO_FINDINGS
    return finding(
        "worker.retirement_date",
        'La fecha de retiro ("retirement_date") se envía solo en el mes en que ocurre. Revísela o quite la clave.',
        Level.WARNING,
    )


@SEVERANCE.error("PAY-022", "D")
def interest_has_a_percentage(severance: Node, document: Document) -> Findings:
    if severance.get("accrual_type_code") != _INTEREST or "percentage" in severance:
        return NO_FINDINGS
    return finding("percentage", 'Falta el porcentaje ("percentage") de los intereses de cesantías (2).')


@SERVICE_BONUS.error("PAY-022", "D")
def service_bonus_has_days(bonus: Node, document: Document) -> Findings:
    if bonus.get("accrual_type_code") != _SALARY_BONUS or "quantity" in bonus:
        return NO_FINDINGS
    return finding("quantity", 'Faltan los días ("quantity") de la prima (1).')


@LEAVE.error("PAY-022", "D")
def paid_leave_has_an_amount(leave: Node, document: Document) -> Findings:
    if leave.get("accrual_type_code", _UNPAID) == _UNPAID or "amount" in leave:
        return NO_FINDINGS
    return finding("amount", 'Falta el valor ("amount") de la licencia; solo la no remunerada (3) va sin él.')


def span_runs_forward(span: Node, document: Document) -> Findings:
    # Dates and moments of the typed payload are in order when their texts are.
    if span.get("end_date", "9") >= span.get("start_date", ""):
        return NO_FINDINGS
    return finding("end_date", 'La fecha de fin ("end_date") es anterior a la de inicio ("start_date").')


for _span in SPANS:
    _span.error("PAY-024", "D, order P")(span_runs_forward)


@OVERTIME.warning("PAY-025", "P")
def surcharge_is_the_one_in_law(hours: Node, document: Document) -> Findings:
    kind, told = hours.get("accrual_type_code"), hours.get("percentage")
    day = hours.get("start_date") or _month_of(document.root)
    if kind is None or told is None or not day:
        return NO_FINDINGS
    right = Decimal(_PLAIN[kind] if kind in _PLAIN else _ON_SUNDAYS[kind] + _sunday_surcharge(day))
    if told == right:
        return NO_FINDINGS
    return finding(
        "percentage",
        f'El recargo ("percentage") de este tipo de hora es {render(right)} por ley en esa fecha. Revíselo.',
    )


def _sunday_surcharge(day: str) -> int:
    return next(percentage for month, percentage in _SUNDAYS_FROM if month <= day)


@DEDUCTIONS.warning("PAY-027", "D")
def fund_has_a_row_for_each_account(deductions: Node, document: Document) -> Findings:
    codes = [row.get("deduction_type_code") for row in deductions.get("dedu", ()) if row]
    codes = [code for code in codes if code is not None]
    if len(set(codes)) == len(codes):
        return NO_FINDINGS
    return finding(
        "dedu", "El fondo de solidaridad lleva una fila por subcuenta: 1 solidaridad, 2 subsistencia. Deje una de cada."
    )


@PAYROLL.warning("PAY-031", "P")
def worker_is_not_in_debt(root: Node, document: Document) -> Findings:
    if document.amounts is None or document.amounts.total >= 0:
        return NO_FINDINGS
    return finding(
        "deductions", f"Las deducciones superan los devengados en {render(-document.amounts.total)}. Revíselas."
    )


PAYROLL_BOOKS: Final = (
    PAYROLL,
    PERIOD,
    PAYMENT,
    WORKER,
    SEVERANCE,
    SERVICE_BONUS,
    LEAVE,
    *SPANS,
    OVERTIME,
    DEDUCTIONS,
)

PAYROLL_ADJUSTMENT_BOOKS: Final = (ELIMINATION,)
