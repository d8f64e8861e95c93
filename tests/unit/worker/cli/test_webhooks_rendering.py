"""Endpoints on a terminal: in words, of one language."""

from __future__ import annotations

import pytest

from jobs.webhooks.endpoint import Endpoint
from worker.cli.webhooks.rendering import show_overview
from worker.speech import ENGLISH, SPANISH, Speech
from worker.status.facts import EndpointSeen

SHOP = Endpoint("shop", "https://shop.example/x", ("s",))


@pytest.mark.parametrize(
    ("seen", "speech", "told"),
    [
        (EndpointSeen("shop", failing_since_ms=1, last_fault="tls"), ENGLISH, "no secure connection (TLS)"),
        (EndpointSeen("shop", failing_since_ms=1, last_fault="tls"), SPANISH, "no hay conexión segura (TLS)"),
        (EndpointSeen("shop", failing_since_ms=1, last_status=503), SPANISH, "responde 503"),
        (EndpointSeen("shop", is_disabled=True, disabled_why="gone"), ENGLISH, "(it answered 410: it is gone)"),
        (EndpointSeen("shop", is_disabled=True, disabled_why="operator"), SPANISH, "(la desactivó un operador)"),
        (EndpointSeen("shop", is_disabled=True), SPANISH, "desactivada"),
    ],
)
def test_why_it_fails_or_is_disabled_is_told_in_words(
    seen: EndpointSeen, speech: Speech, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_overview({"shop": SHOP}, {"shop": seen}, 1, speech)
    assert told in capsys.readouterr().out
