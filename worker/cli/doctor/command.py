"""``factus-worker doctor``: whether everything is set up as it has to be, and what to do where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from worker.cli.bilingual import command as spoken_command
from worker.cli.bilingual import option, say

if TYPE_CHECKING:
    from worker.doctor.checks import Check
    from worker.settings.model import Settings
    from worker.speech import Speech

_ES: Final = """Revisa si todo está puesto como debe: Redis (versión, persistencia, memoria, réplicas, permisos, reloj),
los ajustes y los archivos con secretos, las cuentas y lo que las detiene, trabajadores, colas, webhooks, archivo y
calendario. Una línea por revisión: ok, aviso, falla u omitido, lo que se encontró y qué hacer.

No cambia nada, y sin --calls no llama a nadie más que a Redis.

Código de salida: 0 nada falla (puede haber avisos), 1 algo falla, 2 mal escrito.
"""


_CALLS: Final = (
    """Pregunta también a Factus: credenciales, versión, cupo, documentos sin validar, rangos y reloj. A lo sumo seis
    solicitudes por cuenta, que cuentan en su cupo y van detrás de los documentos; ninguna crea nada.""",
    """Ask Factus as well: credentials, version, allowance, documents that are not validated, ranges and clock. Six
    calls for each account at most, counted in its allowance and behind documents; none creates anything.""",
)


@spoken_command("doctor", _ES)
@option(
    "--account",
    named=("NOMBRE", "NAME"),
    told=("Revisa solo esta cuenta.", "Check this account only."),
)
@option(
    "--calls",
    is_flag=True,
    told=_CALLS,
)
@option(
    "--json",
    "as_json",
    is_flag=True,
    told=("Un documento JSON, igual en los dos idiomas.", "One JSON document, the same in every language."),
)
def command(account: str | None, calls: bool, as_json: bool) -> None:
    """Check whether everything is set up as it has to be: Redis (version, persistence, memory, replicas, rights,
    clock), the settings and the files with secrets, accounts and what holds them, workers, streams, webhooks, archive
    and calendar. A line for each check: ok, warning, failure or skipped, what was found and what to do.

    Changes nothing, and without --calls calls nobody but Redis.

    Exit status: 0 nothing fails (there may be warnings), 1 something fails, 2 wrong usage.
    """
    import asyncio

    from jobs.errors import ConfigurationError
    from worker.doctor.examination import Wanted, examine, examine_bad_settings
    from worker.logs import configure_logging
    from worker.settings.environment import load_settings, meant_variables, unknown_variables
    from worker.speech import SPANISH, Speech

    try:
        settings = load_settings()
    except ConfigurationError as exc:
        checks = examine_bad_settings(str(exc), SPANISH if as_json else _speech_of_help())
        _show(checks, SPANISH if as_json else _speech_of_help(), as_json=as_json)
        raise click.exceptions.Exit(1) from None
    speech = SPANISH if as_json else Speech(settings.lang)
    _check_account(settings, account)
    # What it meets is told in its lines; a log of it would stand between them.
    configure_logging(is_json=settings.is_log_json, level="critical")
    unknown = meant_variables(unknown_variables())
    checks = asyncio.run(examine(settings, Wanted(account, calls), unknown, speech))
    _show(checks, speech, as_json=as_json)
    if any(one.status == "failure" for one in checks):
        raise click.exceptions.Exit(1)


def _speech_of_help() -> Speech:
    """The language where the settings cannot be read."""
    from worker.language import language_of_help
    from worker.speech import Speech

    return Speech(language_of_help())


def _check_account(settings: Settings, account: str | None) -> None:
    from jobs.errors import ConfigurationError
    from worker.cli.console import clean

    if account is None:
        return
    try:
        known = sorted(settings.accounts())
    except ConfigurationError:
        return  # the check `accounts` tells it
    if account not in known:
        names = ", ".join(known) or say("ninguna", "none")
        raise click.UsageError(
            say(
                f"--account: no hay una cuenta {clean(account)}; las configuradas: {names}.",
                f"--account: there is no account {clean(account)}; configured: {names}.",
            )
        )


def _show(checks: list[Check], speech: Speech, *, as_json: bool) -> None:
    from worker.cli.console import json_text
    from worker.cli.doctor.rendering import show_checks

    if as_json:
        click.echo(json_text({"checks": [one.to_json() for one in checks]}))
    else:
        show_checks(checks, speech)
