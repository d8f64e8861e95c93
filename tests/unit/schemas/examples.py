"""The bodies of creates that Factus publishes, by family."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

from schemas import strict_json
from tests.families import FAMILIES

_EXAMPLES: Final = Path(__file__).parents[3] / "sandbox/facts/examples"
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
    for family in FAMILIES.values():
        for path in sorted((_EXAMPLES / family.folder).glob("*.request.json")):
            payload = strict_json.parse(path.read_bytes())
            name = f"{family.folder}/{path.name.removesuffix('.request.json')}"
            # Two families share a folder. The requests without a reference send e-mails or accept.
            is_its_own = ("payroll_number" in payload) == (family.name == "payroll_adjustment")
            if is_its_own and "reference_code" in payload:
                found.append(Example(name, family.name, payload, name not in _UNBALANCED))
    return found


EXAMPLES: Final = _read()
