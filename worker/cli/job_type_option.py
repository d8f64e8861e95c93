"""
The ``--type`` that ``check`` and ``submit`` share: what there is, in short, and a word about what there is not.

The list is text here, because the registry loads half of the service and ``--help`` must not wait for it; a test holds
the two together.
"""

from __future__ import annotations

from typing import Final

import click

from worker.cli.bilingual import option, say

_LIST: Final = """\
  documents  invoice credit_note debit_note support_document adjustment_note
             payroll payroll_adjustment
             each: issue get list download delete
             invoice, credit_note and debit_note: email email_content
             invoice: events accept
  reception  upload list emit_event
  numbering_range, payroll_numbering_range
             list get create update set_status delete
             numbering_range: software
  company get update logo    subscription list    acquirer get
  catalog search    document download    job cancel
"""

_LISTA: Final = _LIST.replace("each:", "todos:").replace(" and ", " y ").replace("documents ", "documentos")

TYPES_HELP: Final = (f"\b\nTipos de trabajo, FAMILIA.VERBO:\n{_LISTA}", f"\b\nJob types, FAMILY.VERB:\n{_LIST}")


def _known(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    from difflib import get_close_matches

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
    default="invoice.issue",
    show_default=True,
    callback=_known,
    told=(
        "Tipo de trabajo de lo que viene sin sobre; los sobres dicen el suyo.",
        "Job type of bare payloads; envelopes say their own.",
    ),
)
