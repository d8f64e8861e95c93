"""How the files of a certificate are named: what ``close`` writes, ``close verify`` looks for."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "cierre-"
