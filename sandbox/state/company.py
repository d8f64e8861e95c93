"""The issuer that every account starts with and prints on its documents: the company of the public sandbox."""

from dataclasses import dataclass
from typing import Any, Final

_LOGOS: Final = "https://api-sandbox.factus.com.co/storage/images/logos/"


@dataclass(frozen=True, slots=True)
class Company:
    """The issuer. What it does not have is an empty text, as in recorded answers."""

    nit: str = "1000789002"
    dv: str = "2"
    legal_organization_code: str = "1"
    company: str = "FACTUS V2"
    trade_name: str = ""
    names: str = ""
    surnames: str = ""
    registration_code: str = ""
    economic_activity: str = "1084"
    phone: str = "3161331234"
    email: str = "factus@tudominio.com"
    address: str = "calle 11 8 84"
    tribute_code: str = "ZZ"
    municipality_code: str = "68679"
    responsibilities: str = "R-99-PN"
    logo: str = "example.png"
    updated_at: float = 1_685_606_438.0

    @property
    def name(self) -> str:
        return self.company if self.legal_organization_code == "1" else f"{self.names} {self.surnames}"

    @property
    def url_logo(self) -> str:
        return _LOGOS + self.logo

    @property
    def establishment(self) -> dict[str, Any]:
        """What a document prints that names no other establishment."""
        return {
            "name": self.name,
            "address": self.address,
            "phone_number": self.phone,
            "email": self.email,
            "municipality_code": self.municipality_code,
        }
