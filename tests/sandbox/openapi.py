"""Holds answers of the sandbox against `openapi-bills.yaml`: each body must fit the response documented there."""

import re
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

_URI = "urn:openapi-bills"


@cache
def document() -> dict[str, Any]:
    text = (files("sandbox") / "facts" / "openapi-bills.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


@cache
def _registry() -> Registry[Any]:
    registry: Registry[Any] = Registry().with_resource(_URI, DRAFT202012.create_resource(document()))
    return registry


@cache
def validator(pointer: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"{_URI}#{pointer}"}, registry=_registry())


def schema(name: str) -> Draft202012Validator:
    return validator(f"/components/schemas/{name}")


@cache
def _paths() -> list[tuple[re.Pattern[str], str]]:
    """Literal paths first, so that `validate` is not taken for a number."""
    ordered = sorted(document()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) + "/?"), path) for path in ordered]


def _escape(segment: str) -> str:
    return segment.replace("~", "~0").replace("/", "~1")


def faults_of_answer(method: str, path: str, status: int, body: Any) -> list[str]:
    """What the contract has against an answer; an answer that it does not list at all is a fault too."""
    for pattern, template in _paths():
        if pattern.fullmatch(path) and method.lower() in document()["paths"][template]:
            return _faults(template, method.lower(), str(status), body)
    return [f"no operation {method} {path}"]


def _faults(template: str, method: str, status: str, body: Any) -> list[str]:
    responses = document()["paths"][template][method]["responses"]
    if status not in responses:
        return [f"{method} {template} does not list {status}"]
    pointer = f"/paths/{_escape(template)}/{method}/responses/{status}"
    if ref := responses[status].get("$ref"):
        pointer = ref.removeprefix("#")
    pointer += "/content/application~1json/schema"
    return [f"{error.json_path}: {error.message}" for error in validator(pointer).iter_errors(body)]
