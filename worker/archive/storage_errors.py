"""
Why the storage did not take a file, in Spanish words for whoever has to mend it.

Never in the storage's own words: they are English, and S3 repeats key ids and signed text in its refusals. Only numbers
(errno, HTTP status) and known marks are read from them.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from typing import Final

_OS_ERROR: Final = re.compile(r"\(os error (\d+)\)|\bOs \{\s*code: (\d+)")
_HTTP_STATUS: Final = re.compile(r"status(?: code)?: (\d{3})\b")

_SYSTEM: Final[Mapping[int, str]] = {
    errno.EACCES: "no hay permiso para escribir ahí",
    errno.EPERM: "el sistema de archivos no permite la operación",
    errno.ENOSPC: "el disco está lleno",
    errno.EDQUOT: "se agotó la cuota de disco",
    errno.EROFS: "el sistema de archivos es de solo lectura",
    errno.ENOTDIR: "hay un archivo donde debe haber una carpeta",
    # Only a folder that is to be made can meet this: a file that is there already is no failure.
    errno.EEXIST: "hay un archivo donde debe haber una carpeta",
    errno.EISDIR: "hay una carpeta donde debe ir el archivo",
    errno.ELOOP: "hay un enlace simbólico dentro del archivo, y no se sigue",
    errno.ENAMETOOLONG: "el nombre es demasiado largo",
    errno.ENOENT: "no existe la carpeta o el archivo",
    errno.EIO: "falló la lectura o escritura del disco",
    errno.ESTALE: "se perdió el disco de red",
    errno.EMFILE: "hay demasiados archivos abiertos",
    errno.ENFILE: "hay demasiados archivos abiertos",
    errno.EOPNOTSUPP: "el sistema de archivos no admite la operación",
    errno.ETIMEDOUT: "el almacenamiento no respondió a tiempo",
    errno.ECONNREFUSED: "el almacenamiento rechazó la conexión",
    errno.ECONNRESET: "el almacenamiento cortó la conexión",
    errno.EHOSTUNREACH: "no hay red hasta el almacenamiento",
    errno.ENETUNREACH: "no hay red hasta el almacenamiento",
}

_HTTP: Final[Mapping[int, str]] = {
    401: "credenciales rechazadas",
    403: "sin permiso",
    404: "no existe",
    429: "pide esperar",
    501: "no admite la operación",
    503: "pide esperar",
}

_MARKS: Final = (
    # Where a machine asks for its role: it is only called when the environment has no keys.
    ("http://169.254.169.254/", "no hay credenciales: faltan AWS_ACCESS_KEY_ID y AWS_SECRET_ACCESS_KEY, o un rol"),
    ("Received redirect without LOCATION", "el almacenamiento respondió con una redirección; revise AWS_REGION"),
    ("kind: Timeout", "el almacenamiento no respondió a tiempo"),
    ("dns error", "no se encuentra el servidor del almacenamiento"),
)
"""What the text of obstore tells where it has no number that says more."""

_NO_CONNECTION: Final = "error sending request"


def reason(exc: Exception) -> str:
    """What went wrong, from an error of the storage."""
    text = str(exc)
    for mark, words in _MARKS:
        if mark in text:
            return words
    number = exc.errno if isinstance(exc, OSError) and exc.errno else _number(_OS_ERROR, text)
    if number:
        return f"{_SYSTEM.get(number, 'error del sistema')} ({errno.errorcode.get(number, number)})"
    status = _number(_HTTP_STATUS, text)
    if status:
        words = f" ({_HTTP[status]})" if status in _HTTP else ""
        return f"el almacenamiento respondió HTTP {status}{words}"
    if _NO_CONNECTION in text:
        return "no hay conexión con el almacenamiento"
    if isinstance(exc, NotImplementedError) or type(exc).__name__ == "NotSupportedError":
        return "el almacenamiento no admite la operación"
    return "el almacenamiento falló sin decir por qué"


def _number(form: re.Pattern[str], text: str) -> int:
    found = form.search(text)
    return int(next(filter(None, found.groups()))) if found else 0
