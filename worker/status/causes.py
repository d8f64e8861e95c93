"""
What holds an account, a lane or the jobs of a type, in words: the cause, and what a person does about it.

Pure. What Factus or DIAN said stays in their own Spanish.
"""

from __future__ import annotations

from typing import Final

from worker.speech import Speech
from worker.status.facts import Hold
from worker.store.refusals import mend_of

NEEDS_A_PERSON: Final = frozenset({"factus.credentials", "factus.denied", "factus.payment_required"})
"""Reasons that no waiting mends."""

Pair = tuple[str, str]

_CAUSES: Final[dict[str, Pair]] = {
    "factus.credentials": (
        "Factus rechaza las credenciales de la cuenta",
        "Factus refuses the credentials of the account",
    ),
    "factus.denied": ("Factus niega el acceso (403)", "Factus denies access (403)"),
    "factus.payment_required": (
        "Factus exige un pago o un paquete de documentos (402)",
        "Factus asks for a payment or a package (402)",
    ),
    "factus.throttled": ("Factus pidió ir más despacio (429)", "Factus asked to slow down (429)"),
    "factus.unavailable": ("Factus no responde, o falla", "Factus does not answer, or fails"),
    "factus.conflict": (
        "otro documento sin validar bloquea la familia en Factus (409)",
        "another document that is not validated blocks the family at Factus (409)",
    ),
    "dian.pending": (
        "Factus tiene un documento y la DIAN no ha respondido",
        "Factus has a document for which DIAN has not answered",
    ),
    "dian.rejected": (
        "un documento que la DIAN rechazó sigue en Factus",
        "a document that DIAN rejected is still at Factus",
    ),
    "internal": ("un defecto del servicio", "a defect of the service"),
}

_MENDS: Final[dict[str, Pair]] = {
    "factus.credentials": (
        "corrija usuario, clave y credenciales de la cuenta y reinicie el servicio",
        "mend user, password and credentials of the account and restart the service",
    ),
    "factus.denied": (
        "pida a Factus que habilite la versión, el producto o el permiso para esta cuenta",
        "ask Factus to enable the version, product or permission for this account",
    ),
    "factus.payment_required": (
        "renueve el plan o compre un paquete de documentos en Factus",
        "renew the plan or buy a package of documents at Factus",
    ),
    "factus.unavailable": (
        "nada por ahora, se pregunta solo hasta que Factus responda; si dura, consulte con Factus y mire la dirección",
        "nothing for now, it is asked by itself until Factus answers; if it lasts, ask Factus and look at the address",
    ),
    "factus.conflict": (
        "valide o elimine en Factus el documento que quedó sin validar; uno propio lo resuelve el servicio",
        "validate or remove at Factus the document that is not validated; one of its own is settled by the service",
    ),
    "dian.pending": (
        "nada: se reenvía igual hasta que la DIAN responda; no lo elimine",
        "nothing: it is sent again unchanged until DIAN answers; do not remove it",
    ),
    "dian.rejected": (
        "elimine en Factus el documento rechazado",
        "remove the rejected document at Factus",
    ),
    "internal": (
        "reporte el error attempt.defect del registro, con la versión",
        "report the error attempt.defect of the log, with the version",
    ),
}
_NOT_RESUMED: Final = frozenset({"factus.throttled", "dian.pending"})
"""What ``resume`` cannot hurry, or would hurry in vain."""


def cause(hold: Hold, speech: Speech) -> str:
    """The reason of a hold, and the words that came with it where they say more."""
    text = speech.say(
        *_CAUSES.get(hold.reason, (hold.reason or "sin motivo anotado", hold.reason or "no reason noted"))
    )
    more = _more(hold.said)
    return f"{text}: {more}" if more and hold.reason != "dian.pending" else text


def _more(said: str) -> str:
    """What the words of the last attempt say beyond the reason: Factus's own, or the document that they name."""
    text = said.rstrip(".")
    if ": " in text:
        return text.partition(": ")[2]
    named = text.rpartition(" (")[2].rstrip(")") if text.endswith(")") else text
    return "" if named.isdigit() else named


def holder(hold: Hold) -> str:
    """The document, or else the job, that has met the hold: reference and number; empty when it is not known."""
    name = hold.reference_code or hold.job_id
    return f"{name} ({hold.number})" if name and hold.number else name


def mend(hold: Hold, account: str, speech: Speech) -> str:
    """What a person does, and how not to wait for the next look."""
    told = speech.say(*_MENDS[hold.reason]) if hold.reason in _MENDS else ""
    text = hold.mend.rstrip(".") or told
    if not text or hold.reason in _NOT_RESUMED:
        return text
    hurry = speech.say("luego, para no esperar", "then, in order not to wait")
    return f"{text}; {hurry}: factus-worker resume {account}"


_REDIS_MENDS: Final = {
    "OOM": "su memoria está llena: suba maxmemory o quite lo que no haga falta; nada se desaloja",
    "MISCONF": "no puede escribir en su disco: libere espacio o repare el disco; su registro dice más",
    "READONLY": "es una réplica: apunte FACTUS_REDIS_URL al primario, o a los sentinels",
    "NOREPLICAS": "lo siguen muy pocas réplicas (min-replicas-to-write): recupérelas",
    "MASTERDOWN": "es una réplica sin su primario: recupere el primario",
    "NOPERM": "a su usuario le falta un permiso: vea deploy/users.acl",
    "NOAUTH": "no conoce usuario y clave: póngalos en FACTUS_REDIS_URL",
    "LOADING": "está cargando sus datos: espere",
    "BUSY": "un script lleva mucho tiempo: su registro dice cuál",
}


def redis_mend(word: str, speech: Speech) -> str:
    """What helps when Redis refuses to write, by its first word."""
    return speech.say(_REDIS_MENDS.get(word, "vea el registro de Redis"), mend_of(word))
