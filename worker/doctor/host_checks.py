"""What the facts of this machine and its settings mean. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from schemas.radian import tables
from schemas.radian.calendar import Calendar, holidays_of
from worker.doctor.checks import Check
from worker.doctor.host_facts import ArchiveSeen, SecretFile
from worker.settings.model import Settings
from worker.speech import Speech

_GROUP_READS: Final = 0o040
_OTHERS: Final = 0o007
_MAY_CHANGE: Final = 0o022
_OF_CONTAINERS: Final = ("/run/secrets/", "/run/credentials/")
"""Where containers and systemd mount secrets for one process, with modes of their own."""

_LEAST_SHARE: Final = 0.05
_LEAST_FREE: Final = 512 * 1024 * 1024
_TABLES_AGE_DAYS: Final = 550
"""The law changes at a turn of a year; tables older than a year and a half have missed one."""

_MIB: Final = 1024 * 1024


def settings_check(settings: Settings | None, fault: str, unknown: Mapping[str, str], speech: Speech) -> list[Check]:
    """
    The settings themselves.

    Args:
        settings: None where they cannot be used; *fault* says why.
        unknown: Names that mean nothing, and the nearest that does, or nothing.
    """
    if settings is None:
        mend = speech.say("corrija ese valor; la tabla está en docs/operations.md", "mend that value; docs/operations.md has the table")  # fmt: skip  # noqa: E501
        return [Check("settings", "failure", "FACTUS_*", fault, mend)]
    found = [
        Check("settings", "warning", name, _no_setting(meant, speech),
              speech.say("corrija el nombre o quítelo", "mend the name, or take it out"))
        for name, meant in unknown.items()
    ]  # fmt: skip
    if settings.jobs_keys and not settings.jobs_signed:
        told = speech.say(
            "FACTUS_JOBS_KEYS está puesto y FACTUS_JOBS_SIGNED no: los tokens no se revisan",
            "FACTUS_JOBS_KEYS is set and FACTUS_JOBS_SIGNED is not: tokens are not looked at",
        )
        mend = speech.say("ponga FACTUS_JOBS_SIGNED=true si los trabajos van firmados", "set FACTUS_JOBS_SIGNED=true if jobs are signed")  # fmt: skip  # noqa: E501
        found.append(Check("settings", "warning", "FACTUS_JOBS_SIGNED", told, mend))
    told = speech.say(
        f"se leen todos (namespace {settings.namespace})", f"all can be used (namespace {settings.namespace})"
    )
    return found or [Check("settings", "ok", "FACTUS_*", told)]


def _no_setting(meant: str, speech: Speech) -> str:
    told = speech.say("no es un ajuste", "is no setting")
    return told + (speech.say(f"; ¿quiso decir {meant}?", f"; did you mean {meant}?") if meant else "")


def secrets_checks(files: Sequence[SecretFile], speech: Speech) -> list[Check]:
    """Who may read and change the files with secrets."""
    found = [check for file in files if (check := _of_file(file, speech))]
    if found:
        return found
    n = speech.of(len(files), ("archivo con secretos", "file with secrets"), ("archivos con secretos", "files with secrets"))  # fmt: skip  # noqa: E501
    return [Check("secrets.modes", "ok", "-", speech.say(f"{n}, de nadie más", f"{n}, nobody else's"))]


def _of_file(file: SecretFile, speech: Speech) -> Check | None:
    subject = f"{file.name}: {file.path}"
    if file.fault:
        found = speech.say(f"no se puede mirar: {file.fault}", f"cannot be looked at: {file.fault}")
        return Check("secrets.modes", "warning", subject, found, speech.say("revise la ruta", "check the path"))
    if file.path.startswith(_OF_CONTAINERS):
        return None
    mode = f"{file.mode:03o}"
    mend = f"chmod 600 {file.path}"
    if file.mode & _MAY_CHANGE:
        found = speech.say(f"modo {mode}: otros pueden cambiarlo", f"mode {mode}: others may change it")
        return Check("secrets.modes", "failure", subject, found, mend)
    if file.mode & _OTHERS:
        found = speech.say(f"modo {mode}: cualquiera de este equipo lo lee", f"mode {mode}: anybody here reads it")
        return Check("secrets.modes", "failure", subject, found, mend)
    if file.mode & _GROUP_READS:
        found = speech.say(f"modo {mode}: su grupo lo lee", f"mode {mode}: its group reads it")
        return Check("secrets.modes", "warning", subject, found, mend)
    return None


def archive_check(seen: ArchiveSeen, speech: Speech) -> Check:
    """Whether the archive can take files, as far as can be seen without giving it one."""
    say = speech.say
    if seen.fault:
        mend = say("revise FACTUS_ARCHIVE_URL, los permisos y el almacenamiento",
                   "check FACTUS_ARCHIVE_URL, the rights, and the storage")  # fmt: skip
        return Check("archive", "failure", seen.address or "FACTUS_ARCHIVE_URL", seen.fault, mend)
    if seen.is_remote and not seen.was_asked:
        found = say("no se llama sin --calls", "not called without --calls")
        return Check("archive", "skipped", seen.address, found)
    if seen.is_remote:
        return Check("archive", "ok", seen.address, say("responde y se puede leer", "it answers and can be read"))
    free = f"{speech.count(seen.n_free // _MIB)} MiB"
    if not seen.is_writable:
        found = say("este usuario no puede escribir en la carpeta", "this user cannot write to the folder")
        mend = say("dé la carpeta al usuario del servicio (chown), o cambie FACTUS_ARCHIVE_URL",
                   "give the folder to the service's user (chown), or change FACTUS_ARCHIVE_URL")  # fmt: skip
        return Check("archive", "failure", seen.address, found, mend)
    if seen.n_whole and seen.n_free < min(_LEAST_FREE, _LEAST_SHARE * seen.n_whole):
        found = say(f"a su disco le quedan {free}", f"its disk has {free} left")
        mend = say("libere espacio en el disco, o cámbielo", "make room on the disk, or change it")
        return Check("archive", "failure" if not seen.n_free else "warning", seen.address, found, mend)
    state = "" if seen.is_there else say("; se crea con el primer archivo", "; made with the first file")
    return Check("archive", "ok", seen.address, say(f"{free} libres{state}", f"{free} free{state}"))


def calendar_checks(calendar: Calendar, today: date, speech: Speech) -> list[Check]:
    """The business days of RADIAN's term: how old the tables are, and corrections that correct nothing."""
    found = []
    edition = tables.version()
    made = _date_in(edition)
    if made is not None and (today - made).days > _TABLES_AGE_DAYS:
        told = speech.say(f"las tablas son de {made:%Y-%m-%d}", f"the tables are of {made:%Y-%m-%d}")
        mend = speech.say(
            "actualice factus-worker; mientras, corrija con FACTUS_HOLIDAYS_ADD y FACTUS_HOLIDAYS_REMOVE",
            "upgrade factus-worker; meanwhile correct them by FACTUS_HOLIDAYS_ADD and FACTUS_HOLIDAYS_REMOVE",
        )
        found.append(Check("calendar", "warning", edition, told, mend))
    for day in sorted(calendar.removed):
        if day not in holidays_of(day.year):
            told = speech.say(
                f"{day:%Y-%m-%d} no es festivo, y se quita", f"{day:%Y-%m-%d} is no holiday, and is removed"
            )
            found.append(Check("calendar", "warning", "FACTUS_HOLIDAYS_REMOVE", told, speech.say("revise la fecha", "check the date")))  # fmt: skip  # noqa: E501
    for day in sorted(calendar.added & calendar.removed):
        told = speech.say(f"{day:%Y-%m-%d} se agrega y se quita", f"{day:%Y-%m-%d} is added and removed")
        found.append(Check("calendar", "warning", "FACTUS_HOLIDAYS_ADD", told, speech.say("deje una de las dos", "leave one of both")))  # fmt: skip  # noqa: E501
    n = len(holidays_of(today.year))
    told = speech.say(f"{n} festivos en {today.year}", f"{n} holidays in {today.year}")
    return found or [Check("calendar", "ok", calendar.version, told)]


def _date_in(edition: str) -> date | None:
    try:
        return date.fromisoformat(edition[-10:])
    except ValueError:
        return None
