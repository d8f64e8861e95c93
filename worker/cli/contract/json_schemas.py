"""
The JSON Schemas of the contract, by name: the models' own, and what single messages narrow in them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from jobs.families import FAMILIES
from jobs.registry import JOB_TYPES
from schemas.contract import event_data
from schemas.contract.envelope import Envelope
from schemas.contract.event import ErrorDetail, Event
from schemas.names import ISSUE, ending_of, event_type_of, job_type_of, subject_of
from worker.cli.contract.plain_shapes import pascal, plain, with_named_choices

ANY_JOB: Final = "AnyJob"
ANY_EVENT: Final = "AnyEvent"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_COMPONENT: Final = "#/components/schemas/"
_DEFINED: Final = "#/$defs/"
_REFERENCE: Final = re.compile(r'"\$ref": "#/\$defs/([^"]+)"')
_NARROWED: Final = ("type", "payload", "data", "success", "errors")
"""Fields of envelope and event that are not the same in all their types."""
_MODES: Final[tuple[JsonSchemaMode, ...]] = ("validation", "serialization")
_DATA: Final[dict[str, type[BaseModel]]] = {
    "pending": event_data.PendingDocument,
    "archived": event_data.ArchivedDocument,
    "radian.event": event_data.RadianNews,
    "radian.clock": event_data.RadianClock,
    "radian.due": event_data.RadianDue,
    "radian.claimed": event_data.RadianClaimed,
    "radian.accepted": event_data.RadianAccepted,
    "radian.silent": event_data.RadianSilent,
    "radian.unconfirmed": event_data.RadianUnconfirmed,
    "rejected": event_data.RejectedDocument,
    "account.blocked": event_data.AccountBlocked,
    "account.resumed": event_data.AccountResumed,
    "day.at_risk": event_data.DayOutlook,
    "day.safe": event_data.DayOutlook,
    "batch.completed": event_data.BatchCompleted,
    "webhook.failing": event_data.WebhookNews,
    "webhook.exhausted": event_data.WebhookNews,
    "webhook.disabled": event_data.WebhookNews,
    "webhook.enabled": event_data.WebhookNews,
    "webhook.test": event_data.WebhookNews,
}


class _Plain(GenerateJsonSchema):
    """Without the titles that pydantic makes from field names; those that a field was given stay."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def payload_model(job_type: str) -> type[BaseModel]:
    """The model of a job type's payload."""
    return JOB_TYPES[job_type].payload.shape.model


def data_model(event_type: str) -> type[BaseModel] | None:
    """The model of an event's ``data``; None where it is null."""
    subject, end = subject_of(event_type), ending_of(event_type)
    if end == "validated":
        return JOB_TYPES[job_type_of(subject, ISSUE)].data
    if end == "completed" and event_type not in _DATA:
        return JOB_TYPES[subject].data
    return _DATA.get(event_type) or _DATA.get(end)


def _inputs(models: set[type[BaseModel]], mode: JsonSchemaMode) -> Iterator[tuple[type[BaseModel], JsonSchemaMode]]:
    for model in sorted(models, key=lambda one: one.__name__):
        yield model, mode


def _data_models() -> set[type[BaseModel]]:
    return {*_DATA.values(), *(row.data for row in JOB_TYPES.values())}


@cache
def all_models() -> dict[str, tuple[type[BaseModel], JsonSchemaMode]]:
    """Every model that stands by itself, by name. What we write has all its fields; what we read may lack some."""
    payloads = {payload_model(name) for name in JOB_TYPES}
    pairs = (*_inputs({Envelope, *payloads}, "validation"), *_inputs({Event, *_data_models()}, "serialization"))
    return {model.__name__: (model, mode) for model, mode in pairs}


def components() -> dict[str, Any]:
    """
    All schemas as ``components/schemas`` of the document: the models with the parts that they are made of, one for each
    type of job and of event, and the unions of these.
    """
    return _with_unions(_model_schemas(ref_template=_COMPONENT + "{model}"), _COMPONENT)


def schema_files() -> dict[str, dict[str, Any]]:
    """Each model's schema with all that it refers to, by the name of its file; and the two unions."""
    every = _with_unions(_model_schemas(ref_template=_DEFINED + "{model}"), _DEFINED)
    return {
        f"{name}.json": {"$schema": DIALECT, **every[name], "$defs": _reached(every[name], every)}
        for name in (*all_models(), ANY_JOB, ANY_EVENT)
    }


def described_models() -> dict[str, dict[str, Any]]:
    """Each model's schema in every form that is taken, with the words about each field: for people to read."""
    return {
        name: _narrowed(name, model.model_json_schema(mode=mode, schema_generator=_Plain))
        for name, (model, mode) in all_models().items()
    }


def _model_schemas(*, ref_template: str) -> dict[str, Any]:
    """The schemas of all models and of their parts, by name."""
    found: dict[str, Any] = {}
    for mode in _MODES:
        pairs = [pair for pair in all_models().values() if pair[1] == mode]
        _, schemas = models_json_schema(pairs, ref_template=ref_template, schema_generator=_Plain)
        found |= {name: plain(_narrowed(name, schema), mode) for name, schema in schemas["$defs"].items()}
    return dict(sorted(with_named_choices(found, ref_template.format(model=""), _is_copied).items()))


def _is_copied(owner: str, field: str) -> bool:
    return owner in (Envelope.__name__, Event.__name__) and field not in _NARROWED


def _with_unions(models: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The models, the types of jobs and events that narrow envelope and event, and a union of each."""
    jobs = {job_name(name): _job(name, models, prefix) for name in JOB_TYPES}
    events = {event_name(name): _event(name, success, models, prefix) for name, success in event_types().items()}
    return {
        **models,
        **jobs,
        **events,
        ANY_JOB: _union(ANY_JOB, "Every job that can be pushed.", jobs, prefix),
        ANY_EVENT: _union(ANY_EVENT, "Every event that can be read, told apart by its type.", events, prefix),
    }


def _union(name: str, about: str, members: Iterable[str], prefix: str) -> dict[str, Any]:
    choices = [{"$ref": prefix + member} for member in members]
    return {"title": name, "description": about, "discriminator": "type", "oneOf": choices}


def _reached(schema: Any, every: Mapping[str, Any]) -> dict[str, Any]:
    """All that a schema refers to, and what that refers to."""
    left, found = [schema], set[str]()
    while left:
        names = set(_REFERENCE.findall(json.dumps(left.pop()))) - found
        found |= names
        left += [every[name] for name in names]
    return {name: every[name] for name in sorted(found)}


def _narrowed(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The envelope with the job types that there are; its model lies below the registry and cannot know them."""
    if name != Envelope.__name__:
        return schema
    properties = schema["properties"]
    return {**schema, "properties": {**properties, "type": {**properties["type"], "enum": [*JOB_TYPES]}}}


# -- types of jobs and events ------------------------------------------------------------------------------------------
def job_name(job_type: str) -> str:
    """Name of the schema of a type of job: ``InvoiceIssueJob``."""
    return f"{pascal(job_type)}Job"


def event_name(event_type: str) -> str:
    """Name of the schema of a type of event: ``InvoiceValidatedEvent``."""
    return pascal(subject_of(event_type) if ending_of(event_type) == "event" else event_type) + "Event"


_OF_DOCUMENTS: Final[Mapping[str, bool | Literal["either"]]] = {
    "validated": True,
    "rejected": False,
    "failed": False,
    "pending": True,
    "archived": "either",
}
"""What is told of documents, and whether it is good news."""


def event_types() -> dict[str, bool | Literal["either"]]:
    """Every type of event, families first, and whether it is good news."""
    found: dict[str, bool | Literal["either"]] = {}
    for family in FAMILIES:
        found |= {event_type_of(family, ending): is_good for ending, is_good in _OF_DOCUMENTS.items()}
    for name, row in JOB_TYPES.items():
        if not row.issues:
            found |= {event_type_of(name, "completed"): True, event_type_of(name, "failed"): False}
    return {
        **found,
        "job.refused": False,
        **dict.fromkeys((name for name in _DATA if subject_of(name) == "radian"), True),
        "account.blocked": False,
        "account.resumed": True,
        "day.at_risk": False,
        "day.safe": True,
        "batch.completed": "either",
        "webhook.failing": False,
        "webhook.exhausted": False,
        "webhook.disabled": False,
        "webhook.enabled": True,
        "webhook.test": True,
    }


def _job(job_type: str, models: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The envelope whole, with its type and payload: a generator would make nameless parts of an allOf."""
    narrowed = {
        "type": {"type": "string", "const": job_type},
        "payload": {"$ref": prefix + payload_model(job_type).__name__},
    }
    return _whole(job_name(job_type), f"A job {job_type}.", models[Envelope.__name__], narrowed)


def _event(
    event_type: str, success: bool | Literal["either"], models: Mapping[str, Any], prefix: str
) -> dict[str, Any]:
    """The event whole: with its type, what its data hold, and whether it has errors."""
    narrowed: dict[str, Any] = {"type": {"type": "string", "const": event_type}}
    model = data_model(event_type)
    data = {"$ref": prefix + model.__name__} if model else {"type": "null"}
    is_maybe_null = success == "either" or model is event_data.RejectedDocument
    narrowed["data"] = {"anyOf": [data, {"type": "null"}]} if model and is_maybe_null else data
    if success != "either":
        narrowed["success"] = {"type": "boolean", "const": success}
        errors = {"type": "array", "items": {"$ref": prefix + ErrorDetail.__name__}, "minItems": 1}
        narrowed["errors"] = {"type": "null"} if success else errors
    return _whole(event_name(event_type), f"An event {event_type}.", models[Event.__name__], narrowed)


def _whole(name: str, about: str, base: Mapping[str, Any], narrowed: Mapping[str, Any]) -> dict[str, Any]:
    """A schema of its own from a common one. The words about the fields stand in the common one alone."""
    properties = {
        key: {word: value for word, value in field.items() if word != "description"}
        for key, field in base["properties"].items()
    }
    base = {key: value for key, value in base.items() if key != "x-fields"}
    return {**base, "title": name, "description": about, "properties": {**properties, **narrowed}}
