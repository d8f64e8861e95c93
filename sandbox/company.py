"""The issuer that every account prints on its documents, and its numbering range: those of the public sandbox."""

from dataclasses import dataclass, field
from typing import Any

RANGE: dict[str, Any] = {
    "prefix": "SETP",
    "from": 990000000,
    "to": 995000000,
    "resolution_number": "18760000001",
    "start_date": "19-01-2019",
    "end_date": "19-01-2030",
    "months": 132,
}
# The ids that the official examples carry; both number from the range above.
DEFAULT_RANGES = frozenset({389, 4})


@dataclass(frozen=True, slots=True)
class Company:
    """The issuer as its documents print it: the company of the public sandbox."""

    nit: str = "1000789002"
    dv: str = "2"
    name: str = "FACTUS V2"
    url_logo: str = "https://api-sandbox.factus.com.co/storage/images/logos/example.png"
    economic_activity: str = "1084"
    establishment: dict[str, Any] = field(
        default_factory=lambda: {
            "name": "FACTUS V2",
            "address": "calle 11 8 84",
            "phone_number": "3161331234",
            "email": "factus@tudominio.com",
            "municipality_code": "68679",
        }
    )
