"""Payrolls and their eliminations: PAY."""

from __future__ import annotations

from typing import Any

from tests.builders import REMOVE
from tests.unit.schemas.payload.cases.case import ELIMINATION, PAYROLL, Case, E, W

SPAN = {"quantity": "2", "start_date": "2026-05-04", "end_date": "2026-05-05"}
PAID_SPAN = {**SPAN, "amount": "100000.00", "accrual_type_code": "1"}
HOURS = {
    "quantity": "5",
    "percentage": "25.00",
    "amount": "79545.45",
    "start_date": "2026-05-06 18:00:00",
    "end_date": "2026-05-06 23:00:00",
    "accrual_type_code": "1",
}
SUNDAY_HOURS = {**HOURS, "start_date": "2026-06-28T08:00:00", "end_date": "2026-06-28T13:00:00"}
FUND = [
    {"percentage": "0.50", "amount": "22500.00", "deduction_type_code": "1"},
    {"percentage": "0.50", "amount": "22500.00", "deduction_type_code": "2"},
]
FORTNIGHT = {"settlement_period.payroll_period_code": "4", "settlement_period.pay_period_half": 1}
IN_CASH = {"payment": {"payment_method_code": "10", "payment_date": "2026-06-05"}}


def _accrual(rule: str, concept: str, value: Any, key: str = "", level: Any = E) -> Case:
    return Case(rule, f"accruals.{concept}{key}", {f"accruals.{concept}": value}, level)


def _deduction(rule: str, concept: str, value: Any, key: str = "", level: Any = E) -> Case:
    return Case(rule, f"deductions.{concept}{key}", {f"deductions.{concept}": value}, level)


_OBJECTS = ("prim", "dota", "apoy", "tele", "reti", "inde", "rein")
_LISTS = ("cesa", "boni", "bono", "tra", "comp", "otro", "lice", "vaca", "inca", "auxi", "huel", "comi", "terc", "anti")
_DEDUCTED_OBJECTS = ("pevo", "rete", "afco", "coop", "emba", "plan", "educ", "rein", "deud")
_DEDUCTED_LISTS = ("sind", "sanc", "libr", "terc", "anti", "otra")
_TYPES = {"cesa": 2, "boni": 2, "bono": 4, "tra": 3, "comp": 2, "auxi": 2}
_SPAN_TYPES = {"lice": 3, "vaca": 2, "inca": 3}

PAYROLLS = [
    *(
        Case("PAY-001", key, {key: REMOVE})
        for key in ("reference_code", "settlement_period", "payment", "worker", "accruals", "deductions")
    ),
    Case("PAY-002", "settlement_period.month", {"settlement_period.month": "13"}),
    Case("PAY-002", "settlement_period.month", {"settlement_period.month": 0}),
    Case("PAY-002", "settlement_period.month", {"settlement_period.month": "mayo"}),
    Case("PAY-002", "settlement_period.year", {"settlement_period.year": 26}),
    Case("PAY-002", "settlement_period.year", {"settlement_period.year": REMOVE}),
    Case("PAY-003", "settlement_period.month", {"settlement_period.month": 12}, W),
    Case("PAY-004", "settlement_period.payroll_period_code", {"settlement_period.payroll_period_code": "1"}),
    Case("PAY-005", "settlement_period.pay_period_half", {"settlement_period.payroll_period_code": "4"}),
    Case("PAY-005", "settlement_period.pay_period_half", {**FORTNIGHT, "settlement_period.pay_period_half": 3}),
    Case("PAY-006", "settlement_period.pay_period_half", {"settlement_period.pay_period_half": 2}, W),
    Case("PAY-007", "payment.payment_method_code", {"payment.payment_method_code": "99"}),
    Case("PAY-008", "payment.bank_name", {"payment.bank_name": ""}),
    Case("PAY-008", "payment.account_type", {"payment.account_type": REMOVE}),
    Case("PAY-008", "payment.account_type", {"payment.account_type": "4"}),
    Case(
        "PAY-008",
        "payment.account_number",
        {"payment.payment_method_code": "98", "payment.account_number": REMOVE},
    ),
    Case("PAY-009", "payment.payment_date", {"payment.payment_date": REMOVE}),
    Case("PAY-010", "worker.identification_document_code", {"worker.identification_document_code": "48"}),
    Case("PAY-011", "worker.identification_number", {"worker.identification_number": ""}),
    Case(
        "PAY-011",
        "worker.identification_number",
        {"worker.identification_document_code": "31", "worker.identification_number": "900.825.759-7"},
    ),
    Case("PAY-011", "worker.first_name", {"worker.first_name": " "}),
    Case("PAY-011", "worker.country_code", {"worker.country_code": REMOVE}),
    Case("PAY-012", "worker.second_surname", {"worker.second_surname": REMOVE}),
    Case("PAY-012", "worker.second_surname", {"worker.second_surname": ""}, W),
    Case("PAY-013", "worker.municipality_code", {"worker.municipality_code": REMOVE}),
    Case("PAY-013", "worker.municipality_code", {"worker.municipality_code": "5001"}),
    Case("PAY-014", "worker.has_integral_salary", {"worker.has_integral_salary": "false"}),
    Case("PAY-014", "worker.has_high_risk", {"worker.has_high_risk": 0}),
    Case("PAY-015", "worker.worker_type_code", {"worker.worker_type_code": "1"}),
    Case("PAY-015", "worker.worker_subtype", {"worker.worker_subtype": "02"}),
    Case("PAY-015", "worker.contract_type", {"worker.contract_type": "6"}),
    Case("PAY-016", "worker.salary", {"worker.salary": REMOVE}),
    Case("PAY-016", "worker.salary", {"worker.salary": "-1"}),
    Case("PAY-016", "worker.salary", {"worker.salary": "0"}, W),
    Case("PAY-016", "worker.days_worked", {"worker.days_worked": "31"}, W),
    Case("PAY-016", "worker.days_worked", {**FORTNIGHT, "worker.days_worked": "16"}, W),
    Case("PAY-016", "worker.days_worked", {"worker.days_worked": "-1"}),
    Case("PAY-017", "worker.entry_date", {"worker.entry_date": REMOVE}),
    Case("PAY-017", "worker.entry_date", {"worker.entry_date": "2026-06-01"}, W),
    Case(
        "PAY-017", "worker.entry_date", {**FORTNIGHT, "worker.days_worked": "1", "worker.entry_date": "2026-05-16"}, W
    ),
    Case("PAY-018", "worker.retirement_date", {"worker.retirement_date": "2023-03-14"}),
    Case("PAY-018", "worker.retirement_date", {"worker.retirement_date": "2026-04-30"}, W),
    Case("PAY-019", "accruals.suel", {"accruals.suel": REMOVE}),
    Case("PAY-019", "accruals.suel.amount", {"accruals.suel": {}}),
    *(_accrual("PAY-020", concept, [{"amount": "1.00"}]) for concept in ("suel", *_OBJECTS)),
    *(_accrual("PAY-020", concept, {"amount": "1.00"}) for concept in (*_LISTS, "hora")),
    *(
        _accrual("PAY-021", concept, [{"amount": "1.00", "accrual_type_code": str(last + 1)}], ".0.accrual_type_code")
        for concept, last in _TYPES.items()
    ),
    *(
        _accrual("PAY-021", concept, [{**PAID_SPAN, "accrual_type_code": last + 1}], ".0.accrual_type_code")
        for concept, last in _SPAN_TYPES.items()
    ),
    *(_accrual("PAY-021", concept, [{"amount": "1.00"}], ".0.accrual_type_code") for concept in _TYPES),
    _accrual("PAY-021", "prim", {"amount": "1.00", "quantity": 30}, ".accrual_type_code"),
    _accrual("PAY-021", "otro", [{"amount": "1.00", "description": "x"}], ".0.accrual_type_code"),
    _accrual("PAY-021", "hora", [{**HOURS, "accrual_type_code": "8"}], ".0.accrual_type_code"),
    _accrual("PAY-021", "comi", [{"amount": "1.00", "accrual_type_code": 2}], ".0.accrual_type_code"),
    _accrual("PAY-022", "cesa", [{"amount": "1.00", "accrual_type_code": "2"}], ".0.percentage"),
    _accrual("PAY-022", "prim", {"amount": "1.00", "accrual_type_code": 1}, ".quantity"),
    _accrual("PAY-022", "lice", [{**SPAN, "accrual_type_code": 1}], ".0.amount"),
    _accrual("PAY-022", "otro", [{"amount": "1.00", "accrual_type_code": 1}], ".0.description"),
    *(
        _accrual("PAY-023", concept, [{"amount": "1.00", "accrual_type_code": 1}], ".0.quantity")
        for concept in _SPAN_TYPES
    ),
    _accrual("PAY-023", "huel", [{"start_date": "2026-05-04"}], ".0.quantity"),
    *(
        _accrual("PAY-023", "hora", [{key: HOURS[key] for key in HOURS if key != absent}], f".0.{absent}")
        for absent in ("quantity", "percentage", "amount")
    ),
    *(
        _accrual("PAY-024", concept, [{**PAID_SPAN, "end_date": "2026-05-03"}], ".0.end_date")
        for concept in _SPAN_TYPES
    ),
    _accrual("PAY-024", "huel", [{**SPAN, "end_date": "2026-05-03"}], ".0.end_date"),
    _accrual("PAY-024", "hora", [{**HOURS, "end_date": "2026-05-06T17:59:59"}], ".0.end_date"),
    _accrual("PAY-024", "hora", [{**HOURS, "start_date": "2026-05-06"}], ".0.start_date"),
    _accrual("PAY-024", "hora", [{**HOURS, "end_date": "2026-05-32 18:00:00"}], ".0.end_date"),
    _accrual("PAY-025", "hora", [{**HOURS, "percentage": "75.00"}], ".0.percentage", W),
    _accrual("PAY-025", "hora", [{**SUNDAY_HOURS, "percentage": "90.00", "accrual_type_code": 5}], ".0.percentage", W),
    Case("PAY-026", "deductions.salu", {"deductions.salu": REMOVE}),
    Case("PAY-026", "deductions.salu.amount", {"deductions.salu": {"percentage": "0"}}),
    Case("PAY-026", "deductions.pens.percentage", {"deductions.pens": {"amount": "0"}}),
    _deduction("PAY-027", "dedu", [FUND[0], FUND[0]], "", W),
    _deduction("PAY-028", "dedu", "45000"),
    *(_deduction("PAY-029", concept, [{"amount": "1.00"}]) for concept in ("salu", "pens", *_DEDUCTED_OBJECTS)),
    *(_deduction("PAY-029", concept, {"amount": "1.00"}) for concept in _DEDUCTED_LISTS),
    _deduction("PAY-029", "sind", [{"amount": "1.00"}], ".0.percentage"),
    _deduction("PAY-029", "sanc", [{"amount": "1.00", "deduction_type_code": "3"}], ".0.deduction_type_code"),
    _deduction("PAY-029", "sanc", [{"amount": "1.00"}], ".0.deduction_type_code"),
    _deduction("PAY-029", "libr", [{"amount": "1.00"}], ".0.description"),
    _accrual("PAY-030", "comi", [None], ".0"),
    _deduction("PAY-030", "libr", [None], ".0"),
    Case("PAY-031", "deductions", {"deductions.otra": [{"amount": "9000000"}]}, W),
    Case("PAY-035", "payroll_number", {"payroll_number": " "}),
    Case("PAY-035", "payroll_number", {"payroll_number": 110}),
    *(
        Case("PAY-037", key, {key: {}})
        for key in ("observation", "settlement_period", "payment", "worker", "accruals", "deductions")
    ),
]

FINE_PAYROLLS = [
    (PAYROLL, {**FORTNIGHT, "worker.days_worked": "15"}),
    (PAYROLL, {**FORTNIGHT, "settlement_period.pay_period_half": "2", "worker.days_worked": "15"}),
    (PAYROLL, {"settlement_period.month": 11, "settlement_period.year": 2026}),
    (PAYROLL, {"settlement_period.month": "05"}),
    (PAYROLL, IN_CASH),
    (PAYROLL, {"payment.payment_method_code": "98"}),
    (PAYROLL, {"worker.country_code": "VE", "worker.municipality_code": REMOVE}),
    (PAYROLL, {"worker.retirement_date": "2026-05-31", "worker.other_names": ""}),
    (PAYROLL, {"observation": None, "numbering_range_id": REMOVE}),
    (PAYROLL, {"observation": "x" * 2000}),
    (PAYROLL, {"accruals.suel": {"amount": "224000", "accrual_type_code": "1"}}),
    (PAYROLL, {"accruals.hora": [HOURS, {**HOURS, "start_date": "2026-05-06T18:00:00", "quantity": 5}]}),
    (PAYROLL, {"accruals.hora": [{**SUNDAY_HOURS, "percentage": "80", "accrual_type_code": "5"}]}),
    (PAYROLL, {"accruals.hora": [{**HOURS, "quantity": "1.5"}]}),
    (PAYROLL, {"accruals.lice": [{**SPAN, "accrual_type_code": 3}], "accruals.huel": [{"quantity": 1}]}),
    (PAYROLL, {"accruals.prim": {"amount": "1.00", "accrual_type_code": "2"}}),
    (PAYROLL, {"accruals.cesa": [{"amount": "1", "percentage": "12.00", "accrual_type_code": "2"}]}),
    (PAYROLL, {"deductions.dedu": FUND}),
    (PAYROLL, {"deductions.dedu": FUND[0]}),
    (ELIMINATION, {"numbering_range_id": REMOVE}),
]
"""What must pass, without a warning."""
