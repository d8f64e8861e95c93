"""
The contract as an AsyncAPI 3.0 document: channels, messages, schemas, examples.

Written from the side of whoever uses the service: operations say what a producer sends and a consumer receives.
AsyncAPI's binding for Redis is empty, so what matters of streams and groups stands in descriptions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from schemas.contract.error_codes import ERROR_CODES
from schemas.names import subject_of
from worker.cli.contract.json_schemas import components
from worker.cli.contract.messages import event_messages, job_messages
from worker.version import VERSION

_ABOUT: Final = """\
factus-worker issues Colombian electronic documents through Factus. Producers push jobs to a Redis stream and consumers
read what became of each from another; this document is written from their side. The prose is docs/contract.md.

Redis has no headers: of a job, the payload of a message here is the JSON text in the field `job` of a stream entry; of
an event, the payload is the JSON text in the field `event`, and the headers are the other fields of the entry.
"""
_PUSH: Final = """\
`XADD {address} * job '<the message>'`. Once XADD has returned, the job is never lost while Redis keeps its data, and
it gets exactly one final event. A producer that never saw the answer pushes again with the same `id`. At most 1 MiB,
nested at most 32 deep, no key twice in an object. Other fields of the entry are ignored."""
_READ: Final = """\
Read with a consumer group of your own: `XGROUP CREATE {address} GROUP 0 MKSTREAM`, then `XREADGROUP GROUP GROUP NAME
COUNT 100 BLOCK 5000 STREAMS {address} >` and `XACK` once an event is stored. An event can come again after a crash: it
has the same `id`, to the letter. The stream is trimmed to about `FACTUS_RESULTS_MAXLEN` entries."""
_CHANNELS: Final = {
    "jobs": ("{ns}:jobs", "Jobs", "What producers push."),
    "results": ("{ns}:results", "Results", "Every outcome, and what operators must know."),
    "radian": (
        "{ns}:radian",
        "RADIAN events",
        "Every RADIAN event found on a tracked invoice, and what its clock says.",
    ),
}
_OWN: Final = " Of an account with `own_streams`; what is pushed there can name no other account."
_PARAMETERS: Final = {
    "ns": {"description": "The namespace of the service (FACTUS_NAMESPACE).", "default": "factus"},
    "account": {"description": "Name of an account with own_streams, as in FACTUS_ACCOUNTS_FILE."},
}
_TEXT: Final = {"type": "string"}
_EVENT_FIELDS: Final = {
    "title": "EventFields",
    "description": "Fields of the entry beside `event`, to filter without parsing; empty where the event has null.",
    "type": "object",
    "required": ["type", "account", "job_id", "reference_code"],
    "properties": {"type": _TEXT, "account": _TEXT, "job_id": _TEXT, "reference_code": _TEXT},
}


def document() -> dict[str, Any]:
    """The whole document."""
    jobs, events = job_messages(), event_messages()
    radian = [name for name in events if subject_of(name) == "radian"]
    by_channel = {"jobs": [*jobs], "results": [name for name in events if name not in radian], "radian": radian}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "factus-worker",
            "version": VERSION,
            "description": f"{_ABOUT}\n{_error_table()}",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "redis": {
                "host": "127.0.0.1:6379",
                "protocol": "redis",
                "description": "Where FACTUS_REDIS_URL leads: redis, rediss, a Unix socket or sentinels.",
            }
        },
        "channels": dict(_channels(by_channel)),
        "operations": dict(_operations()),
        "components": {
            "schemas": {**components(), "EventFields": _EVENT_FIELDS},
            "messages": {**{_key(name): message for name, message in {**jobs, **events}.items()}},
        },
    }


def _channels(by_channel: dict[str, list[str]]) -> Iterable[tuple[str, dict[str, Any]]]:
    for name, (address, title, about) in _CHANNELS.items():
        how = _PUSH if name == "jobs" else _READ
        messages = {_key(one): {"$ref": f"#/components/messages/{_key(one)}"} for one in by_channel[name]}
        for key, full, own in ((name, address, ""), (f"own_{name}", f"{address}:{{account}}", _OWN)):
            yield (
                key,
                {
                    "address": full,
                    "title": f"{title} of one account" if own else title,
                    "description": f"{about}{own}\n\n{how.replace('{address}', full)}",
                    "servers": [{"$ref": "#/servers/redis"}],
                    "parameters": {each: told for each, told in _PARAMETERS.items() if f"{{{each}}}" in full},
                    "messages": messages,
                },
            )


def _operations() -> Iterable[tuple[str, dict[str, Any]]]:
    for name, (_, title, _about) in _CHANNELS.items():
        is_push = name == "jobs"
        verb = "push" if is_push else "read"
        for channel in (name, f"own_{name}"):
            yield (
                f"{verb}_{channel}",
                {
                    "action": "send" if is_push else "receive",
                    "channel": {"$ref": f"#/channels/{channel}"},
                    "title": f"{'Push' if is_push else 'Read'} {title}",
                },
            )


def _error_table() -> str:
    rows = [f"| `{row.code}` | {row.when} | {row.acts} |" for row in ERROR_CODES]
    return "\n".join(["| error code | when | who acts |", "|---|---|---|", *rows])


def _key(name: str) -> str:
    return name.replace(".", "_")
