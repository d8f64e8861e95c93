"""Holds answers of the sandbox against both contracts: each body must fit the response documented there."""

import re
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

BILLS, OTHER = "openapi-bills", "openapi-other"


@cache
def document(name: str) -> dict[str, Any]:
    text = (files("sandbox") / "facts" / f"{name}.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


@cache
def _registry() -> Registry[Any]:
    registry: Registry[Any] = Registry()
    for name in (BILLS, OTHER):
        registry = registry.with_resource(f"urn:{name}", DRAFT202012.create_resource(document(name)))
    return registry


@cache
def validator(name: str, pointer: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"urn:{name}#{pointer}"}, registry=_registry())


def schema(component: str) -> Draft202012Validator:
    """A component of the contract that has it; of those that both have, that of bills."""
    name = BILLS if component in document(BILLS)["components"]["schemas"] else OTHER
    return validator(name, f"/components/schemas/{component}")


@cache
def operations() -> list[tuple[str, str, str]]:
    """Contract, template and method of everything documented; literal paths first, so `validate` is no number."""
    found = [
        (name, template, method)
        for name in (BILLS, OTHER)
        for template, methods in document(name)["paths"].items()
        for method in methods
        if method != "parameters"
    ]
    return sorted(found, key=lambda one: one[1].count("{"))


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)) + "/?")


def operation_of(method: str, path: str) -> tuple[str, str, str] | None:
    for name, template, documented in operations():
        if documented == method.lower() and _pattern(template).fullmatch(path):
            return name, template, documented
    return None


def faults_of_answer(method: str, path: str, status: int, body: Any) -> list[str]:
    """What the contract has against an answer; an answer that it does not list at all is a fault too."""
    found = operation_of(method, path)
    if found is None:
        return [f"no operation {method} {path}"]
    name, template, documented = found
    responses = document(name)["paths"][template][documented]["responses"]
    if str(status) not in responses:
        return [f"{method} {template} does not list {status}"]
    pointer = f"/paths/{_escape(template)}/{documented}/responses/{status}"
    if ref := responses[str(status)].get("$ref"):
        pointer = ref.removeprefix("#")
    pointer += "/content/application~1json/schema"
    return [f"{error.json_path}: {error.message}" for error in validator(name, pointer).iter_errors(body)]


def _escape(segment: str) -> str:
    return segment.replace("~", "~0").replace("/", "~1")
