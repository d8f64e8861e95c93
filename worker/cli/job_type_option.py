"""
The ``--type`` that ``check`` and ``submit`` share: what there is, in short, and a word about what there is not.

The list is text here, because the registry loads half of the service and ``--help`` must not wait for it; a test holds
the two together.
"""

from __future__ import annotations

from typing import Final

import click

_USUAL: Final = "invoice.issue"
TYPES_HELP: Final = """\b
Job types, FAMILY.VERB:
  documents  invoice credit_note debit_note support_document adjustment_note
             payroll payroll_adjustment
             each: issue get list download delete
             invoice, credit_note and debit_note: email email_content
             invoice: events accept
  reception  upload list emit_event
  numbering_range, payroll_numbering_range
             list get create update set_status delete
             numbering_range: software
  company get update logo    subscription list    acquirer get    catalog search
  document   download    job        cancel
"""


def _known(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    from difflib import get_close_matches

    if value == _USUAL:
        return value  # the registry loads half of the service, and most files need none of it to be refused
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
    default=_USUAL,
    show_default=True,
    callback=_known,
    help="Job type of bare payloads; envelopes say their own.",
)
