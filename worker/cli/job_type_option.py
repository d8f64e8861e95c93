"""
The ``--type`` that ``check`` and ``submit`` share: what there is, in short, and a word about what there is not.

The list is a text that ``make docs`` writes from the registry, which loads half of the service: ``--help`` must not
wait for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

TYPES_HELP: Final = "\b\n" + Path(__file__).with_name("job_types.txt").read_text(encoding="utf-8")
"""With the sign that keeps click from filling the lines anew."""


def _known(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    from difflib import get_close_matches

    from jobs.registry import JOB_TYPES

    if value not in JOB_TYPES:
        close = get_close_matches(value, JOB_TYPES, n=2)
        hint = f"Did you mean {' or '.join(close)}?" if close else "--help lists them."
        raise click.BadParameter(f"{value!r} is no job type. {hint}")
    return value


job_type_option: Final = click.option(
    "--type",
    "job_type",
    metavar="TYPE",
    default="invoice.issue",
    show_default=True,
    callback=_known,
    help="Job type of bare payloads; envelopes say their own.",
)
