"""
A type of job that does not exist: which one may have been meant.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from jobs.registry import JOB_TYPES
from schemas.contract.envelope import invalid_envelope
from schemas.contract.event import ErrorDetail
from schemas.names import ISSUE, family_of, job_type_of, verb_of

_FAMILIES_ELSEWHERE: Final = {
    "bill": "invoice",
    "bills": "invoice",
    "invoices": "invoice",
    "factura": "invoice",
    "credit": "credit_note",
    "creditnote": "credit_note",
    "nota_credito": "credit_note",
    "debit": "debit_note",
    "debitnote": "debit_note",
    "nota_debito": "debit_note",
    "documento_soporte": "support_document",
    "supportdocument": "support_document",
    "nota_ajuste": "adjustment_note",
    "nomina": "payroll",
}
"""What Factus, other providers and producers call the families; by their spelling a bill would be a payroll."""

_VERBS_ELSEWHERE: Final = {"create": ISSUE, "validate": ISSUE, "emit": ISSUE, "emitir": ISSUE, "show": "get"}


def unknown_type(name: str) -> ErrorDetail:
    """Why a job of this type is refused, with the types that may have been meant."""
    asked = name.lower().replace("-", "_")
    family = _FAMILIES_ELSEWHERE.get(family_of(asked), family_of(asked))
    verb = _VERBS_ELSEWHERE.get(verb_of(asked), verb_of(asked)) or ISSUE
    meant = job_type_of(family, verb)
    close = [meant] if meant in JOB_TYPES else get_close_matches(name, JOB_TYPES, n=3, cutoff=0.5)
    own = sorted(known for known in JOB_TYPES if family_of(known) == family)
    shown = close if meant in JOB_TYPES or not own else [one for one in close if one in own] or own[:3]
    hint = f"¿Quiso decir {' o '.join(shown)}?" if shown else "Todos están en docs/jobs.md."
    return invalid_envelope(f"El tipo de trabajo no existe. {hint}", field="type")
