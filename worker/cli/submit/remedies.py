"""
What a person does about an error that ended a job, in Spanish and in one sentence.
"""

from __future__ import annotations

from typing import Final

from schemas.contract.error_codes import ERROR_CODES

_REMEDIES: Final = {
    "dian.rejected": "Corrija lo que dice la DIAN en la hoja Por corregir y envíe este archivo.",
    "factus.validation": "Corrija el dato que Factus no aceptó en la hoja Por corregir y envíe este archivo.",
    "payload.invalid": "Corrija la celda en la hoja Por corregir y envíe este archivo.",
    "payload.unconvertible": "Corrija el campo en el documento de la versión 1, o escríbalo en la versión 2.",
    "reference.conflict": "Dele al documento otra referencia: esta ya es de un documento con otro contenido.",
    "id.conflict": "Envíe otra vez el archivo con otro nombre.",
    "date.missed": "Envíelo otra vez sin --issue-on, o con otra fecha.",
    "job.expired": "Envíelo otra vez.",
    "job.cancelled": "Fue cancelado; envíelo otra vez si hace falta.",
    "account.unknown": "Revise --account, o pida a quien opera el servicio que configure la cuenta.",
    "dian.processed": "No lo envíe otra vez: quien opera el servicio debe mirarlo en Factus.",
    "dian.pending": "No lo cambie: la DIAN no ha respondido; pregunte a quien opera el servicio.",
}
_BY_ACTOR: Final = {
    "producer": "Corrija el documento en la hoja Por corregir y envíe este archivo.",
    "operator": "Avise a quien opera el servicio; después envíe este archivo.",
    "developers": "Es un defecto del servicio: avise a quien lo opera.",
    "nobody": "",
}
_ACTORS: Final = {row.code: row.acts for row in ERROR_CODES}


def remedy(code: str) -> str:
    """What to do about an error code; empty for none."""
    if not code:
        return ""
    return _REMEDIES.get(code) or _BY_ACTOR[_ACTORS.get(code, "operator")]
