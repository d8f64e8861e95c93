"""``factus-worker webhooks test`` and ``listen``: for whoever writes the receiver."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import click

from worker.cli.bilingual import argument, below, option, say
from worker.cli.bilingual import command as spoken_command
from worker.cli.console import emit, json_text, open_redis, told_settings
from worker.cli.webhooks.command import AS_JSON, NAME, book_on, command, endpoint_of
from worker.speech import Speech

if TYPE_CHECKING:
    from jobs.webhooks.endpoint import Endpoint
    from jobs.webhooks.verdict import Answer
    from worker.settings.model import Settings

_ES_TEST: Final = """Envía webhook.test a una dirección y muestra la respuesta. No cuenta como entrega: ni espera, ni se
repite, ni cambia el estado de la dirección."""


@partial(below, command)
@spoken_command("test", _ES_TEST, short=("Envía un evento de prueba.", "Send an event to try it."))
@argument("name", named=NAME)
@option("--json", "as_json", is_flag=True, told=AS_JSON)
def test(name: str, as_json: bool) -> None:
    """Send webhook.test to an endpoint and print the answer. It is no delivery: it does not wait, is not repeated, and
    leaves the endpoint's state as it is."""
    import asyncio

    from jobs.webhooks.notices import what_came

    settings = told_settings()
    endpoint, speech = endpoint_of(settings, name), Speech(settings.lang)
    message, answer = asyncio.run(_test(endpoint))
    text = answer.body.decode(errors="replace")
    if as_json:
        click.echo(
            json_text(
                {
                    "name": name,
                    "webhook_id": message,
                    "success": answer.is_success,
                    "status": answer.status or None,
                    "fault": answer.fault or None,
                    "detail": answer.detail or None,
                    "duration_ms": answer.duration_ms,
                    "body": text,
                }
            )
        )
    else:
        detail = f" ({answer.detail})" if answer.detail else ""
        english = f"answered {answer.status}" if answer.status else f"no answer: {answer.fault}"
        emit(speech.say(f"{name}: {what_came(answer)}{detail}", f"{name}: {english}{detail}"), hanging=2)
        emit(f"{answer.duration_ms:.0f} ms, {message}")
        if text:
            emit(text)
    if not answer.is_success:
        raise click.exceptions.Exit(1)


async def _test(endpoint: Endpoint) -> tuple[str, Answer]:
    from datetime import datetime

    from jobs.webhooks.bodies import body_of, read_event
    from jobs.webhooks.notices import test_event
    from jobs.webhooks.signing import message_id
    from schemas.factus import BOGOTA
    from worker.webhooks.sender import Sender

    raw = test_event(endpoint.name, now=datetime.now(BOGOTA)).to_json().encode()
    head, event = read_event(raw)
    message, sender = message_id(head.id), Sender()
    try:
        return message, await sender.attempt(endpoint, endpoint.secrets, message, body_of(raw, event, endpoint.omit))
    finally:
        await sender.close()


_ES_LISTEN: Final = """Envía lo que llegue, desde ahora, a un programa de este equipo o de la red privada: para quien
escribe el receptor.

Firma con un secreto de prueba, que muestra al comenzar. Cada evento se envía una vez; nada espera ni se repite.
Ctrl-C lo termina.
"""


@partial(below, command)
@spoken_command("listen", _ES_LISTEN, short=("Envía lo que llegue a este equipo.", "Send what comes to this machine."))
@option(
    "--forward",
    named=("URL", "URL"),
    required=True,
    told=("Adónde: http://127.0.0.1:3000/webhooks.", "Where to: http://127.0.0.1:3000/webhooks."),
)
@option(
    "--type", "type_glob", named=("PATRÓN", "GLOB"), told=("Solo estos tipos: 'invoice.*'.", "Only these: 'invoice.*'.")
)
@option("--json", "as_json", is_flag=True, told=("Una línea JSON por evento.", "One line of JSON for each event."))
def listen(forward: str, type_glob: str | None, as_json: bool) -> None:
    """Send what comes from now on to a program on this machine, or in the private network: for whoever writes the
    receiver.

    It signs with a secret to try with, which it prints first. Each event is sent once; nothing waits or is repeated.
    Ctrl-C ends it.
    """
    import asyncio

    from worker.addresses import endpoint_address

    try:
        endpoint_address(forward, may_be_http=True)
    except ValueError as exc:
        raise click.BadParameter(
            say(f"no es una dirección http(s): {exc}", f"is no address: {exc}"), param_hint="--forward"
        ) from exc
    settings = told_settings()
    try:
        asyncio.run(_listen(settings, forward, type_glob, as_json=as_json))
    except KeyboardInterrupt:
        click.echo(err=True)  # it is ended so: nothing has failed


async def _listen(settings: Settings, forward: str, type_glob: str | None, *, as_json: bool) -> None:
    import json
    from ipaddress import ip_network

    from jobs.webhooks.bodies import UnreadableEvent, body_of, read_event
    from jobs.webhooks.endpoint import Endpoint
    from jobs.webhooks.signing import message_id
    from worker.cli.results.reader import followed
    from worker.cli.webhooks.listened import Listened
    from worker.store.keys import Keys
    from worker.webhooks.process import own_streams_of
    from worker.webhooks.sender import Sender
    from worker.webhooks.signer import new_secret

    near = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
    endpoint = Endpoint(
        "listen",
        forward,
        (new_secret("whsec_"),),
        types=(type_glob or "*",),
        allow_networks=tuple(ip_network(text) for text in near),
    )
    speech, sender = Speech(settings.lang), Sender()
    async with open_redis(settings, must_exist=True) as redis:
        book_on(settings, redis)
        listened = Listened(redis, Keys(settings.namespace), own_streams_of(settings))
        await listened.begin()
        emit(speech.say(f"Secreto: {endpoint.secrets[0]}", f"Secret: {endpoint.secrets[0]}"), err=True)
        emit(speech.say("Esperando eventos; Ctrl-C termina.", "Waiting for events; Ctrl-C ends."), err=True)
        try:
            async for found in followed(redis, listened.places, listened.look):
                try:
                    head, event = read_event(found.raw)
                except UnreadableEvent:
                    continue  # somebody else wrote it
                if not endpoint.takes(head):
                    continue
                message = message_id(head.id)
                answer = await sender.attempt(
                    endpoint, endpoint.secrets, message, body_of(found.raw, event, endpoint.omit)
                )
                if as_json:
                    row = {"type": head.type, "webhook_id": message, "status": answer.status or None}
                    click.echo(json.dumps({**row, "fault": answer.fault or None, "duration_ms": answer.duration_ms}))
                else:
                    told = str(answer.status) if answer.status else f"{answer.fault} {answer.detail}"
                    about = head.reference_code or head.job_id or "-"
                    emit(f"{head.type}  {about}  {told}  {answer.duration_ms:.0f} ms", hanging=2)
        finally:
            await sender.close()
