"""
The ``--type`` that ``check`` and ``submit`` share: what there is, in short, and a word about what there is not.

The list is a text that ``make docs`` writes from the registry, which loads half of the service: ``--help`` must not
wait for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from worker.cli.bilingual import option, say

_LIST: Final = Path(__file__).with_name("job_types.txt").read_text(encoding="utf-8").partition(":")[2]
TYPES_HELP: Final = (f"\b\nTipos de trabajo, FAMILIA.VERBO:{_LIST}", f"\b\nJob types, FAMILY.VERB:{_LIST}")
"""In both languages, with the sign that keeps click from filling the lines anew."""

_USUAL: Final = "invoice.issue"


def _known(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    from difflib import get_close_matches

    if value == _USUAL:
        return value  # the registry loads half of the service, and most files need none of it to be refused
    from jobs.registry import JOB_TYPES

    if value not in JOB_TYPES:
        close = get_close_matches(value, JOB_TYPES, n=2)
        hint = say("--help los dice.", "--help lists them.")
        if close:
            hint = say(f"¿Quiso decir {' o '.join(close)}?", f"Did you mean {' or '.join(close)}?")
        raise click.BadParameter(say(f"{value!r} no es un tipo de trabajo. ", f"{value!r} is no job type. ") + hint)
    return value


job_type_option: Final = option(
    "--type",
    "job_type",
    named=("TIPO", "TYPE"),
    default=_USUAL,
    show_default=True,
    callback=_known,
    told=(
        "Tipo de trabajo de lo que viene sin sobre; los sobres dicen el suyo.",
        "Job type of bare payloads; envelopes say their own.",
    ),
)
