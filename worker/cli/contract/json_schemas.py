"""
The JSON Schemas of the contract, by name: the models' own, and what single messages narrow in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from jobs.families import FAMILIES
from jobs.registry import JOB_TYPES
from schemas.contract import event_data
from schemas.contract.envelope import Envelope
from schemas.contract.event import Event

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DATA: Final[dict[str, type[BaseModel]]] = {
    "pending": event_data.PendingDocument,
    "archived": event_data.ArchivedDocument,
    "radian.event": event_data.RadianNews,
    "rejected": event_data.RejectedDocument,
    "account.blocked": event_data.AccountBlocked,
    "account.resumed": event_data.AccountResumed,
    "batch.completed": event_data.BatchCompleted,
}


class _Plain(GenerateJsonSchema):
    """Without the titles that pydantic makes from field names; those that a field was given stay."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def payload_model(job_type: str) -> type[BaseModel]:
    """The model of a job type's payload."""
    row = JOB_TYPES[job_type]
    assert row.payload is not None  # only the service's own jobs have none
    return row.payload.shape.model


def data_model(event_type: str) -> type[BaseModel] | None:
    """The model of an event's ``data``; None where it is null."""
    subject, _, end = event_type.rpartition(".")
    if end == "validated":
        return event_data.VALIDATED[FAMILIES[subject].unique_code]
    if end == "completed" and event_type not in _DATA:
        return event_data.completed(subject)
    return _DATA.get(event_type) or _DATA.get(end)


def _inputs(models: set[type[BaseModel]], mode: JsonSchemaMode) -> Iterator[tuple[type[BaseModel], JsonSchemaMode]]:
    for model in sorted(models, key=lambda one: one.__name__):
        yield model, mode


def _data_models() -> set[type[BaseModel]]:
    calls = {event_data.completed(name) for name, row in JOB_TYPES.items() if not row.issues}
    return {*event_data.VALIDATED.values(), *_DATA.values(), *calls}


@cache
def all_models() -> dict[str, tuple[type[BaseModel], JsonSchemaMode]]:
    """Every model that stands by itself, by name. What we write has all its fields; what we read may lack some."""
    payloads = {payload_model(name) for name in JOB_TYPES}
    pairs = (*_inputs({Envelope, *payloads}, "validation"), *_inputs({Event, *_data_models()}, "serialization"))
    return {model.__name__: (model, mode) for model, mode in pairs}


def components() -> dict[str, Any]:
    """All schemas, the parts that models are made of included, as ``components/schemas`` of the document."""
    pairs = [*all_models().values()]
    _, found = models_json_schema(pairs, ref_template="#/components/schemas/{model}", schema_generator=_Plain)
    return {name: _narrowed(name, schema) for name, schema in sorted(found["$defs"].items())}


def schema_files() -> dict[str, dict[str, Any]]:
    """Each model's schema with all that it refers to, by the name of its file."""
    return {
        f"{name}.json": {
            "$schema": DIALECT,
            **_narrowed(name, model.model_json_schema(mode=mode, schema_generator=_Plain)),
        }
        for name, (model, mode) in all_models().items()
    }


def _narrowed(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The envelope with the job types that there are; its model lies below the registry and cannot know them."""
    if name != Envelope.__name__:
        return schema
    properties = schema["properties"]
    return {**schema, "properties": {**properties, "type": {**properties["type"], "enum": [*JOB_TYPES]}}}


def job_schema(job_type: str) -> dict[str, Any]:
    """The schema of one type of job: the envelope, with its type and payload."""
    narrowed = {"type": {"const": job_type}, "payload": ref(payload_model(job_type))}
    return {"allOf": [ref(Envelope), {"type": "object", "properties": narrowed}]}


def event_schema(event_type: str, success: bool | Literal["either"]) -> dict[str, Any]:
    """The schema of one type of event: its type, what its data hold, and whether it has errors."""
    narrowed: dict[str, Any] = {"type": {"const": event_type}}
    model = data_model(event_type)
    if success == "either" or model is event_data.RejectedDocument:
        narrowed["data"] = {"anyOf": [ref(model), {"type": "null"}]} if model else {"type": "null"}
    else:
        narrowed["data"] = ref(model) if model else {"type": "null"}
    if success != "either":
        narrowed["success"] = {"const": success}
        narrowed["errors"] = {"type": "null"} if success else {"type": "array", "minItems": 1}
    return {"allOf": [ref(Event), {"type": "object", "properties": narrowed}]}


def ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
