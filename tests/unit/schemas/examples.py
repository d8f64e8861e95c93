"""The bodies of creates that Factus publishes, by family."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

from schemas import strict_json

_EXAMPLES: Final = Path(__file__).parents[3] / "sandbox/facts/examples"
_FOLDERS: Final = {
    "bills": "invoice",
    "credit-notes": "credit_note",
    "debit-notes": "debit_note",
    "support-documents": "support_document",
    "adjustment-notes": "adjustment_note",
    "payroll": "payroll",
}
# Published with payments that do not make the total; the corrected bodies stand beside them.
_UNBALANCED: Final = {"debit-notes/create", "support-documents/create"}


class Example(NamedTuple):
    """One published body."""

    name: str
    family: str
    payload: dict[str, Any]
    is_balanced: bool


def _read() -> list[Example]:
    found = []
    for folder, family in _FOLDERS.items():
        for path in sorted((_EXAMPLES / folder).glob("*.request.json")):
            payload = strict_json.parse(path.read_bytes())
            name = f"{folder}/{path.name.removesuffix('.request.json')}"
            # The other requests send e-mails or accept.
            if "reference_code" in payload:
                kind = "payroll_adjustment" if "payroll_number" in payload else family
                found.append(Example(name, kind, payload, name not in _UNBALANCED))
    return found


EXAMPLES: Final = _read()
