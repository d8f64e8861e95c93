"""
The HTTP door as an OpenAPI 3.1 document: every address of its table, every job type with payload, example and answers.

The schemas are those of the AsyncAPI document, from the same models: what is pushed by HTTP is what is pushed by XADD.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from pydantic import BaseModel

from jobs import example_payloads
from jobs.registry import JOB_TYPES
from schemas import strict_json
from schemas.contract.envelope import Envelope
from schemas.contract.error_codes import ERROR_CODES
from schemas.contract.event import Event
from schemas.names import ending_of, family_of
from worker.cli.contract import example_events
from worker.cli.contract.example_jobs import envelope
from worker.cli.contract.json_schemas import ANY_EVENT, ANY_JOB, components, event_name, job_name, payload_model
from worker.http.answers import OWN_CODES
from worker.http.drafts import PARAMETERS
from worker.http.routes import PREFIX, ROUTES, LoggedIn, Login, RouteRow
from worker.version import VERSION

_ABOUT: Final = """\
Para quien envía y lee sin hablar Redis. La puerta solo envía y lee: lo que se envía entra a la misma cola, y lo que se
cuenta sale del mismo registro. Cada trabajo tiene exactamente un evento final.

Entre con `Authorization: Bearer`: el token de un productor (`factus-worker token issue`), o el de `/auth/login`. Con
`Idempotency-Key`, un envío cuya respuesta se perdió se repite sin que nada se haga dos veces. Con `Prefer: wait=20`, la
respuesta es el evento final, si llega a tiempo.

Toda respuesta es `{"success", "message", "data", "errors"}`.
"""
_REF: Final = "#/components/schemas/"
_EVERY: Final = {
    401: "Falta un token válido",
    403: "El token no permite esta cuenta, este tipo o esta acción",
    404: "No existe, o no es de una cuenta que el token permita",
    422: "Un parámetro no es válido",
    503: "Redis no responde; intente otra vez",
}
_HEADERS: Final = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "El id del trabajo, si el sobre no lo tiene",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
    },
    {
        "name": "Prefer",
        "in": "header",
        "description": "`wait=N`: espera el evento final, 60 segundos a lo sumo",
        "schema": {"type": "string"},
        "example": "wait=20",
    },
]
_PATHS: Final = {
    "id": "Id del trabajo",
    "family": "Clase de documento, como invoice",
    "reference_code": "Código de referencia; una / se escribe %2F",
    "kind": "pdf, xml o attached",
    "name": "Tabla, como municipalities",
}


def document() -> dict[str, Any]:
    """The whole document."""
    schemas = {**_for_openapi(_schemas()), **_own_schemas()}
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "factus-worker",
            "version": VERSION,
            "summary": "Facturación electrónica de Colombia por medio de Factus: la puerta HTTP",
            "description": f"{_ABOUT}\n{_error_table()}",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "Esta puerta"}],
        "security": [{"bearer": []}],
        "tags": [{"name": name} for name in ("auth", "jobs", "documents", "events", "catalogs", "docs", *_families())],
        "paths": _paths(),
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "Token de productor (factus-worker token issue), o el de /api/v1/auth/login",
                }
            },
        },
    }


def _families() -> list[str]:
    return list(dict.fromkeys(family_of(name) for name in JOB_TYPES))


def _paths() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in ROUTES:
        if row.kind == "push_type":
            for name in JOB_TYPES:
                found[f"{PREFIX}/jobs/{name}"] = {"post": _of_type(row, name)}
        else:
            found.setdefault(PREFIX + row.path, {})[row.method.lower()] = _operation(row)
    return found


# -- addresses ---------------------------------------------------------------------------------------------------------
def _operation(row: RouteRow) -> dict[str, Any]:
    tag = row.path.split("/")[1].removesuffix(".json")
    found: dict[str, Any] = {
        "operationId": _operation_id(row),
        "summary": row.summary,
        "tags": [tag if tag in ("auth", "jobs", "documents", "events", "catalogs") else "docs"],
        "parameters": [*_path_parameters(row.path), *_query_parameters(row.query)],
        "responses": _responses(row),
    }
    if row.is_open:
        found["security"] = []
    if row.kind == "push":
        found["parameters"] += _HEADERS
        examples = {name: {"value": envelope(name)} for name in ("invoice.issue", "invoice.get", "catalog.search")}
        found["requestBody"] = _body(ANY_JOB, examples)
    if row.kind == "login":
        found["requestBody"] = _body("Login", {"ana": {"value": {"username": "ana", "password": "…"}}})
    return {name: value for name, value in found.items() if value != [] or name == "security"}


def _operation_id(row: RouteRow) -> str:
    return row.kind if row.kind != "document" else row.path.strip("/").replace(".", "_")


def _of_type(row: RouteRow, name: str) -> dict[str, Any]:
    about = JOB_TYPES[name].description
    limits = f"\n\n{about.limits}" if about.limits else ""
    examples = {one: {"value": example_payloads.example(one)} for one in (name, *example_payloads.MORE.get(name, ()))}
    events = _events_of(name)
    good = [one for one in events if events[one].success and ending_of(one) not in ("pending", "archived")]
    bad = [one for one in events if not events[one].success and ending_of(one) != "archived"]
    return {
        "operationId": name.replace(".", "_"),
        "summary": about.does,
        "description": f"After an unknown outcome: {about.when_unknown}{limits}",
        "tags": [family_of(name)],
        "parameters": [*_envelope_parameters(), *_HEADERS],
        "requestBody": _body(payload_model(name).__name__, examples),
        "responses": {
            **{str(status): _refused(text) for status, text in {**_EVERY, **(row.answers or {})}.items()},
            "202": _answer(row, 202, "Accepted"),
            "200": _final(row, 200, good, events),
            "422": _final(row, 422, ["job.refused", *(one for one in bad if ending_of(one) == "rejected")], events),
            "502": _final(row, 502, [one for one in bad if ending_of(one) == "failed"], events),
        },
    }


def _events_of(job_type: str) -> dict[str, Event]:
    """The events of a job type, with an example of each."""
    row = JOB_TYPES[job_type]
    own = example_events.events_of_family(row.family) if row.issues else example_events.events_of_call(job_type)
    return {**own, "job.refused": _refusal()}


@cache
def _refusal() -> Event:
    return example_events.other_events()["job.refused"]


# -- answers -----------------------------------------------------------------------------------------------------------
def _responses(row: RouteRow) -> dict[str, Any]:
    found = {str(status): _refused(text) for status, text in (row.answers or {}).items() if status >= 400}
    every = {status: text for status, text in _EVERY.items() if not row.is_open or status in (422,)}
    found = {**{str(status): _refused(text) for status, text in every.items()}, **found}
    if row.kind == "push":
        found |= {"202": _answer(row, 202, "Accepted")}
        found |= {str(n): _json((row.answers or {})[n], f"{_REF}FinalAnswer") for n in (200, 422, 502)}
    else:
        found["200"] = _good(row)
    if row.is_open and row.kind != "login":
        found.pop("422", None)
    return dict(sorted(found.items()))


def _good(row: RouteRow) -> dict[str, Any]:
    match row.kind:
        case "login":
            return _json("El token", f"{_REF}LoggedIn")
        case "job":
            return _json("El trabajo", f"{_REF}JobAnswer")
        case "story":
            return _json("La historia", f"{_REF}StoryAnswer")
        case "catalog":
            return _json("Las filas", f"{_REF}CatalogAnswer")
        case "events":
            page = _json("Los eventos", f"{_REF}EventsAnswer")
            page["content"]["text/event-stream"] = {"schema": {"type": "string"}, "example": _SSE}
            return page
        case "file":
            schema = {"type": "string", "format": "binary"}
            kinds = ("application/pdf", "application/xml")
            return {"description": "El archivo", "content": {kind: {"schema": schema} for kind in kinds}}
        case "docs":
            return {"description": "La página", "content": {"text/html": {"schema": {"type": "string"}}}}
        case _:
            return {"description": "El documento", "content": {"application/json": {"schema": {"type": "object"}}}}


_SSE: Final = 'id: 1795622401234-0\ndata: {"id": "…", "type": "invoice.validated"}\n\n'


def _answer(row: RouteRow, status: int, name: str) -> dict[str, Any]:
    return _json((row.answers or {})[status], f"{_REF}{name}Answer")


def _final(row: RouteRow, status: int, names: list[str], events: Mapping[str, Event]) -> dict[str, Any]:
    """The answer that holds the final event, one of these types, with an example of each."""
    choices = [{"$ref": f"{_REF}{event_name(name)}"} for name in names]
    data: dict[str, Any] = choices[0] if len(choices) == 1 else {"oneOf": choices}
    if status == 422:
        data = {"oneOf": [*choices, {"type": "null"}]}
    shape = _shape(status < 400, data)
    # That of a refusal is the same for all types: it stands once, in the schema of the event.
    examples = {name: {"value": _example(events[name])} for name in names if name != "job.refused"}
    return {
        "description": (row.answers or {})[status],
        "content": {"application/json": {"schema": shape, **({"examples": examples} if examples else {})}},
    }


def _example(event: Event) -> dict[str, Any]:
    read = strict_json.parse(event.to_json())
    return {"success": read["success"], "message": read["message"], "data": read, "errors": read["errors"]}


def _refused(text: str) -> dict[str, Any]:
    return _json(text, f"{_REF}Refused")


def _json(text: str, ref: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": {"$ref": ref}}}}


def _shape(success: bool | None, data: Mapping[str, Any]) -> dict[str, Any]:
    errors = {"type": "array", "items": {"$ref": f"{_REF}DoorError"}, "minItems": 1}
    told: dict[str, Any] = {"type": "boolean"} if success is None else {"type": "boolean", "const": success}
    found = {True: {"type": "null"}, False: errors, None: {"oneOf": [errors, {"type": "null"}]}}[success]
    return {
        "type": "object",
        "required": ["success", "message", "data", "errors"],
        "properties": {"success": told, "message": {"type": "string"}, "data": dict(data), "errors": found},
    }


# -- what is sent ------------------------------------------------------------------------------------------------------
def _body(model: str, examples: Mapping[str, Any]) -> dict[str, Any]:
    held = {"schema": {"$ref": _REF + model}, "examples": dict(examples)}
    return {"required": True, "content": {"application/json": held}}


def _path_parameters(path: str) -> Iterator[dict[str, Any]]:
    for part in path.split("/"):
        if part.startswith("{"):
            name = part.strip("{}")
            yield {
                "name": name,
                "in": "path",
                "required": True,
                "description": _PATHS[name],
                "schema": {"type": "string"},
            }


def _query_parameters(model: type[BaseModel]) -> Iterator[dict[str, Any]]:
    for name, schema in model.model_json_schema(mode="validation").get("properties", {}).items():
        chosen = next((one for one in schema.get("anyOf", ()) if one != {"type": "null"}), None) or schema
        kept = {key: value for key, value in chosen.items() if key not in ("title", "description")}
        default = {"default": schema["default"]} if schema.get("default") is not None else {}
        about = schema.get("description") or chosen.get("description")
        yield {"name": name, "in": "query", "schema": {**kept, **default}, **({"description": about} if about else {})}


@cache
def _schemas() -> dict[str, Any]:
    return components()


@cache
def _envelope_parameters() -> list[dict[str, Any]]:
    """The envelope's fields, as they stand in the query where the body is the payload."""
    properties = _schemas()[Envelope.__name__]["properties"]
    found = []
    for name in PARAMETERS:
        shape = properties[name]
        schema = shape if shape.get("type") in ("string", "integer") or "$ref" in shape else {"type": "string"}
        if name in ("options", "metadata"):
            ref = schema if "$ref" in schema else {"type": "object"}
            content = {"application/json": {"schema": ref}}
            found.append({"name": name, "in": "query", "content": content})
        else:
            found.append({"name": name, "in": "query", "schema": schema})
    return found


# -- schemas -----------------------------------------------------------------------------------------------------------
def _for_openapi(schemas: Mapping[str, Any]) -> dict[str, Any]:
    """The schemas of the contract; a discriminator is an object here, and a text in AsyncAPI."""
    found = {}
    for name, schema in schemas.items():
        told = schema.get("discriminator")
        found[name] = {**schema, "discriminator": {"propertyName": told}} if isinstance(told, str) else dict(schema)
    names = {ANY_JOB: {name: job_name(name) for name in JOB_TYPES}}
    for union, mapping in names.items():
        refs = {value: _REF + schema for value, schema in mapping.items()}
        found[union]["discriminator"]["mapping"] = refs
    return found


def _own_schemas() -> dict[str, Any]:
    text, maybe = {"type": "string"}, {"type": ["string", "null"]}
    codes = [*(row.code for row in ERROR_CODES), *OWN_CODES]
    error = {
        "type": "object",
        "required": ["code", "message", "field", "rule", "retryable"],
        "properties": {
            "code": {"type": "string", "enum": codes},
            "message": text,
            "field": maybe,
            "rule": maybe,
            "retryable": {"type": "boolean"},
        },
    }
    final = {"oneOf": [{"$ref": f"{_REF}{ANY_EVENT}"}, {"type": "null"}]}
    event = {
        "type": "object",
        "required": ["id", "event"],
        "properties": {"id": text, "event": {"$ref": _REF + ANY_EVENT}},
    }
    job = {
        "type": "object",
        "required": ["job_id", "account", "state", "where", "why", "next", "next_at", "final"],
        "properties": {
            "job_id": text, "account": text,
            "state": {"type": "string", "enum": ["pushed", "waiting", "inflight", "joined", "final"]},
            "where": text, "why": text, "next": text, "next_at": maybe, "final": final,
        },
    }  # fmt: skip
    accepted = {
        "type": "object",
        "required": ["job_id", "account", "href"],
        "properties": {"job_id": text, "account": text, "href": text},
    }
    page = {
        "type": "object",
        "required": ["events", "next"],
        "properties": {"events": {"type": "array", "items": event}, "next": text},
    }
    story = {
        "type": "object",
        "required": ["found", "is_waiting_for_intake"],
        "properties": {
            "found": {"type": "array", "items": {"type": "object"}},
            "is_waiting_for_intake": {"type": "boolean"},
        },
    }
    rows = {
        "type": "object",
        "required": ["catalog", "items"],
        "properties": {"catalog": text, "items": {"type": "array", "items": {"type": "object"}}},
    }
    return {
        "DoorError": error,
        "Login": Login.model_json_schema(),
        "LoggedIn": LoggedIn.model_json_schema(),
        "Refused": _shape(False, {"type": "null"}),
        "AcceptedAnswer": _shape(True, accepted),
        "FinalAnswer": _shape(None, final),
        "JobAnswer": _shape(True, job),
        "StoryAnswer": _shape(True, story),
        "EventsAnswer": _shape(True, page),
        "CatalogAnswer": _shape(True, rows),
    }


def _error_table() -> str:
    rows = [f"| `{code}` | {when} |" for code, when in OWN_CODES.items()]
    return "\n".join(["| code of the door's own | when |", "|---|---|", *rows])
