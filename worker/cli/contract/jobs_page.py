"""
docs/jobs.md: every job type, for whoever pushes and reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from jobs.document_types import ISSUE, VERBS
from jobs.families import FAMILIES
from jobs.job_type import ANY_CALL, ANY_TIME, REFUSALS, Description
from jobs.registry import JOB_TYPES
from schemas.contract.error_codes import ERROR_CODES
from schemas.contract.event import Event
from schemas.names import event_type_of, job_type_of, subject_of
from worker.cli.contract.example_jobs import envelope
from worker.cli.contract.json_schemas import data_model, described_models, payload_model
from worker.cli.contract.markdown import codes, data_table, json_block, payload_table, table
from worker.cli.contract.messages import event_summary, example_event_rows

_INTRO: Final = """\
# Job types

<!-- Written by `make docs` from the registry and the models; do not edit. -->

What can be pushed, what comes back, and what happens when things go wrong. The rules that hold for all of them are in
[contract.md](contract.md); the same for programs is in [asyncapi.json](asyncapi.json) and [schemas](schemas).

Push a job, in any language:

```sh
redis-cli XADD factus:jobs '*' job \\
  '{"type":"invoice.get","id":"erp-1","payload":{"reference_code":"FV-2026-0001"}}'
```

The examples below name an account, `acme`. Put in the name of yours, or leave `account` out when there is only one.

Read what became of it, as a consumer group of your own:

```sh
redis-cli XGROUP CREATE factus:results erp 0 MKSTREAM
redis-cli XREADGROUP GROUP erp reader-1 COUNT 100 BLOCK 5000 STREAMS factus:results '>'
redis-cli XACK factus:results erp <entry id>
```

Every job gets exactly one final event, in the field `event` of an entry. It carries the job's `job_id`,
`reference_code` and `metadata`; `success` says how it went, `data` what came of it, `errors` why it did not.

An example event, whole; below stand only the `data` of each:
"""

_ISSUING: Final = """\
## Issuing documents

The payload is the body of Factus API v2, in its field names. It is checked before any call: unknown keys, codes, sums
and the rules that Factus and DIAN document. Amounts may be strings or JSON numbers, and codes too where the table says
so; the JSON Schemas name text, which is always right. The tables below list the top level; the linked JSON Schema has
everything.

A document ends as `X.validated`, `X.rejected` or `X.failed`, where `X` is the family; `X.pending` comes before that
when DIAN takes its time, `X.archived` after it when `options.archive` asked for files.
"""

_DOCUMENTS: Final = """\
## Working with documents

These are the same for every family that has them. `X` is the family; the whole example is that of the first. A
document is named by its `number` or by its `reference_code`, never by both.
"""

_ACCOUNT: Final = """\
## Reception, ranges, company and the rest
"""

_ERRORS: Final = """\
## Error codes

`retryable` in an error says whether the same job, pushed again later, may succeed by itself: never where Factus says
that something is registered, loaded or in use already.

Any job can be refused with {refusals}, and can fail with {any_time}. Any call to Factus can fail with
{any_call}.
"""


class Section(NamedTuple):
    """Job types that one text describes."""

    names: tuple[str, ...]
    about: Description


def page() -> str:
    """The whole page."""
    events = {event.type: event for event in example_event_rows()}
    schemas = described_models()
    parts = [
        _INTRO + "\n" + json_block(_plain(events["invoice.validated"])),
        _matrix(),
        _ISSUING,
        *(_issue_section(section, schemas) for section in _sections(issues=True)),
        _document_events(events, schemas),
        _DOCUMENTS,
        *(_call_section(section, events, schemas) for section in _sections(issues=False) if _is_document(section)),
        _ACCOUNT,
        *(_call_section(section, events, schemas) for section in _sections(issues=False) if not _is_document(section)),
        _other_events(events, schemas),
        _error_table(),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _sections(*, issues: bool) -> Iterator[Section]:
    """Job types in the order of the registry; those that share verb, payload, data and description share a section."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    for name, row in JOB_TYPES.items():
        if row.issues == issues:
            groups.setdefault((row.verb, payload_model(name), row.data, row.description), []).append(name)
    for (*_, about), names in groups.items():
        yield Section(tuple(names), about)


def _is_document(section: Section) -> bool:
    return JOB_TYPES[section.names[0]].family in FAMILIES


def _matrix() -> str:
    rows = [
        [
            f"`{family.name}`",
            *("x" if job_type_of(family.name, verb) in JOB_TYPES else "" for verb in VERBS),
            ", ".join(family.kinds),
        ]
        for family in FAMILIES.values()
    ]
    return "## Families\n\n" + table(("family", *VERBS, "files"), rows)


def _issue_section(section: Section, schemas: dict[str, dict[str, Any]]) -> str:
    (name,) = section.names
    model = payload_model(name).__name__
    family = FAMILIES[JOB_TYPES[name].family]
    lines = [
        f"### `{name}`",
        f"{schemas[model]['description']} Its electronic code is the `{family.unique_code}`.",
        payload_table(schemas[model], is_deep=False),
        f"All fields: [{model}.json](schemas/{model}.json).",
        json_block(envelope(name)),
    ]
    return "\n\n".join(lines)


def _document_events(events: dict[str, Event], schemas: dict[str, dict[str, Any]]) -> str:
    lines = ["### What comes of a document", *_fate(ISSUE)]
    for end in ("validated", "rejected", "failed", "pending", "archived"):
        event = events[f"invoice.{end}"]
        lines += [f"#### `X.{end}`", event_summary(event.type)]
        model = data_model(event.type)
        if model is None:
            lines.append(json_block([error.model_dump() for error in event.errors or ()]))
        else:
            lines += [data_table(schemas[model.__name__]), json_block(event.data)]
    return "\n\n".join(lines)


def _call_section(section: Section, events: dict[str, Event], schemas: dict[str, dict[str, Any]]) -> str:
    first = section.names[0]
    payload = payload_model(first).__name__
    model = JOB_TYPES[first].data
    is_shared = len(section.names) > 2
    lines = [f"### {_title(section)}", f"For {codes(section.names)}." if is_shared else "", section.about.does]
    lines += [payload_table(schemas[payload], is_deep=True), json_block(envelope(first)), _payloads(section.names[1:])]
    subject = job_type_of("X", JOB_TYPES[first].verb) if is_shared else first
    lines.append(f"`data` of `{event_type_of(subject, 'completed')}`:")
    lines += [data_table(schemas[model.__name__]), json_block(events[event_type_of(first, "completed")].data)]
    lines += _fate(section.about)
    return "\n\n".join(line for line in lines if line)


def _payloads(names: tuple[str, ...]) -> str:
    """A payload of each job type that shares the section of another."""
    rows = [[f"`{name}`", f"`{json.dumps(envelope(name)['payload'], ensure_ascii=False)}`"] for name in names]
    return table(("also", "payload"), rows) if rows else ""


def _title(section: Section) -> str:
    if len(section.names) <= 2:
        return codes(section.names)
    families = {JOB_TYPES[name].family for name in section.names}
    return f"`X.{JOB_TYPES[section.names[0]].verb}`" + (" of payrolls" if families == {"payroll"} else "")


def _fate(about: Description) -> list[str]:
    found = [f"**After an unknown outcome.** {about.when_unknown}"]
    if about.limits:
        found.append(f"**Limits.** {about.limits}")
    own = [code for code in about.errors if code not in ANY_CALL]
    also = f", and {codes(own)}" if own else ""
    found.append(f"**Errors.** Those of any call{also}." if about.errors else "**Errors.** Only those of any job.")
    return found


def _other_events(events: dict[str, Event], schemas: dict[str, dict[str, Any]]) -> str:
    lines = ["## Other events"]
    radian = [name for name in events if subject_of(name) == "radian"]
    webhooks = [name for name in events if subject_of(name) == "webhook"]
    days = ("day.at_risk", "day.safe")
    every = ("job.refused", *radian, "account.blocked", "account.resumed", *days, "batch.completed", *webhooks)
    for name in every:
        event, model = events[name], data_model(name)
        lines += [f"### `{name}`", event_summary(name)]
        if model:
            lines += [data_table(schemas[model.__name__]), json_block(event.data)]
        if event.errors:
            lines += ["Its `errors`:", json_block([error.model_dump() for error in event.errors])]
    return "\n\n".join(lines)


def _error_table() -> str:
    rows = [[f"`{row.code}`", row.when, ", ".join(row.ends_as), row.acts] for row in ERROR_CODES]
    intro = _ERRORS.format(refusals=codes(REFUSALS), any_time=codes(ANY_TIME), any_call=codes(ANY_CALL))
    return intro + "\n" + table(("code", "when", "ends as", "who acts"), rows)


def _plain(event: Event) -> Any:
    return json.loads(event.to_json())
