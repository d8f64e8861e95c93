"""A duration that somebody types after an option: ``90s``, ``2h``."""

from __future__ import annotations

import click

from worker.cli.bilingual import say


def duration(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    """Seconds; None where nothing was typed."""
    from worker.settings.values import parse_duration

    if value is None:
        return None
    try:
        seconds = parse_duration(value)
    except ValueError as exc:
        raise click.BadParameter(
            say(
                "un tiempo es un número y ms, s, m, h o d, como 60s",
                "a duration is a number and ms, s, m, h or d, such as 60s",
            )
        ) from exc
    assert isinstance(seconds, float)
    return seconds
