"""
The rules of the reference of Factus that are about the body of a create, with their level and families.

Written down apart from the code, which has to have every one of them or say why not. Rules of other calls (EVT,
STA-012) are not here.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_FAMILIES: Final = {
    "BILL": "invoice",
    "CN": "credit_note",
    "DN": "debit_note",
    "DS": "support_document",
    "AN": "adjustment_note",
    "PAY": "payroll",
    "PAD": "payroll_adjustment",
}
_TABLE: Final = """
E all: GEN-001 GEN-002 GEN-003 GEN-004 GEN-005 GEN-006 GEN-007 GEN-008 GEN-010 GEN-011 GEN-012 GEN-013 GEN-014
    GEN-015 REF-001 REF-002 REF-003 RNG-001 RNG-002 RNG-003 RNG-006 STA-001 STA-002 STA-003 STA-004 STA-005 STA-006
    STA-007 STA-008 STA-010
W all: GEN-009 REF-004 REF-005 STA-009 STA-011
E BILL CN DN DS AN: GEN-016 RNG-004 SUM-001 SUM-002 SUM-003 SUM-004 SUM-005 SUM-013 SUM-024 ITM-001 ITM-002 ITM-003
    ITM-004 ITM-005 ITM-007 ITM-008 ITM-010 ITM-012 ITM-013 ITM-014 ITM-015 ITM-016 ITM-022 ITM-025 ITM-027
W BILL CN DN DS AN: GEN-017 SUM-006 SUM-016 SUM-017 SUM-023 ITM-006 ITM-009 ITM-019 ITM-026
E BILL DN DS AN: GEN-018 SUM-008 SUM-010 SUM-011
W BILL CN DN: GEN-019 CUS-004 CUS-005 CUS-007 CUS-012 CUS-013 CUS-016 CUS-020 CUS-022 CUS-023 EST-007 ITM-017
    ITM-018
E PAY PAD: RNG-005
W BILL: RNG-007 ITM-029 BILL-004 BILL-008 BILL-009 BILL-011 OPT-004 OPT-005 OPT-008 OPT-011 OPT-018 OPT-021 OPT-022
    OPT-027
- BILL CN DN DS AN: SUM-007
E CN: SUM-009 NOTE-001 NOTE-003 NOTE-013 NOTE-016 NOTE-017 NOTE-020 NOTE-022
E BILL: SUM-012 SUM-015 BILL-001 BILL-002 BILL-003 BILL-005 BILL-006 BILL-007 BILL-010 OPT-001 OPT-002 OPT-003
    OPT-006 OPT-007 OPT-010 OPT-012 OPT-013 OPT-016 OPT-017 OPT-020 OPT-023 OPT-024 OPT-025 OPT-026
E BILL CN DN: SUM-014 SUM-018 SUM-019 SUM-020 SUM-021 SUM-022 CUS-001 CUS-002 CUS-003 CUS-006 CUS-008 CUS-009
    CUS-010 CUS-011 CUS-014 CUS-015 CUS-017 CUS-018 CUS-019 CUS-021 EST-004 EST-006 ITM-011
- BILL CN DN: CUS-024
E BILL CN DN DS: EST-001 EST-002 EST-003
E CN DN: EST-005 NOTE-005 NOTE-007 NOTE-008 NOTE-009 NOTE-010 NOTE-024
E BILL CN: ITM-020 ITM-021 OPT-009 OPT-014 OPT-015 OPT-019
E DN DS AN: ITM-023
E DS AN: ITM-024 DS-001 DS-002 DS-003 DS-004 DS-005 DS-006 DS-007 DS-008 DS-009 DS-011 DS-012 DS-019
- BILL CN: ITM-028
E DN: NOTE-002 NOTE-004 NOTE-018 NOTE-021
W CN DN: NOTE-006 NOTE-011 NOTE-012
W CN: NOTE-014 NOTE-015
- DN: NOTE-019
- CN DN: NOTE-023
W DS AN: DS-010
- DS AN: DS-013
E DS: DS-014 DS-015 DS-016
W DS: DS-017
E AN: DS-018 DS-020 DS-021
W AN: DS-022 DS-023 DS-024
E PAY: PAY-001 PAY-002 PAY-004 PAY-005 PAY-007 PAY-008 PAY-009 PAY-010 PAY-011 PAY-012 PAY-013 PAY-014 PAY-015
    PAY-016 PAY-017 PAY-018 PAY-019 PAY-020 PAY-021 PAY-022 PAY-023 PAY-024 PAY-026 PAY-028 PAY-029 PAY-030 PAY-033
    PAY-038
W PAY: PAY-003 PAY-006 PAY-025 PAY-027 PAY-031 PAY-032
- PAY: PAY-034
E PAD: PAY-035 PAY-036 PAY-037
"""


class Published(NamedTuple):
    """What the reference says of a rule."""

    level: str
    """E refuse, W tell, - knowledge only; the graver one of a rule with a milder part."""
    families: frozenset[str]


def _read() -> dict[str, Published]:
    found: dict[str, Published] = {}
    for line in _TABLE.strip().replace("\n    ", " ").splitlines():
        head, _, rule_ids = line.partition(": ")
        level, *names = head.split()
        families = _FAMILIES.values() if names == ["all"] else [_FAMILIES[name] for name in names]
        found |= {rule_id: Published(level, frozenset(families)) for rule_id in rule_ids.split()}
    return found


PUBLISHED: Final = _read()
