"""The OpenAPI document: valid, whole, and of one piece with what the door serves."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from jobs.registry import JOB_TYPES
from worker.cli.contract.formats import openapi_json
from worker.http.routes import PREFIX, ROUTES

SCHEMA = Path(__file__).parents[3] / "vendor" / "openapi" / "3.1.json"


@cache
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(openapi_json())
    return found


def local(schema: Any) -> Any:
    """The same with references that a JSON Schema has by itself."""
    return json.loads(json.dumps(schema).replace("#/components/schemas/", "#/$defs/"))


@cache
def definitions() -> dict[str, Any]:
    found: dict[str, Any] = local(document()["components"]["schemas"])
    return found


def test_it_is_an_openapi_3_1_document() -> None:
    # Of a schema it asks only that it is one (``#meta``), and looking that up takes minutes: those of models are JSON
    # Schemas by themselves, and the next test takes some at their word.
    quick = SCHEMA.read_text().replace('"$dynamicRef": "#meta"', '"type": ["object", "boolean"]')
    assert "$dynamicRef" not in quick
    jsonschema.Draft202012Validator(json.loads(quick)).validate(document())


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(document())
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert named <= document()["components"]["schemas"].keys()


def test_every_job_type_has_its_payload_an_example_and_its_answers() -> None:
    for name in JOB_TYPES:
        told = document()["paths"][f"{PREFIX}/jobs/{name}"]["post"]
        body = told["requestBody"]["content"]["application/json"]
        assert body["schema"]["$ref"].startswith("#/components/schemas/")
        assert body["examples"][name]["value"] is not None
        assert told["responses"].keys() >= {"200", "202", "401", "403", "413", "422", "502", "503"}
        assert told["responses"]["200"]["content"]["application/json"]["examples"]


def test_every_address_of_the_table_stands_there_and_no_other() -> None:
    expected = {PREFIX + row.path for row in ROUTES if row.kind != "push_type"}
    expected |= {f"{PREFIX}/jobs/{name}" for name in JOB_TYPES}
    assert document()["paths"].keys() == expected


def test_all_but_login_and_documents_ask_for_a_token() -> None:
    opened = {
        path for path, item in document()["paths"].items() for told in item.values() if told.get("security") == []
    }
    assert opened == {f"{PREFIX}{path}" for path in ("/auth/login", "/docs", "/openapi.json", "/asyncapi.json")}
    assert document()["security"] == [{"bearer": []}]


@pytest.mark.parametrize("name", ["invoice.issue", "catalog.search", "job.cancel"])
def test_examples_are_what_their_schemas_say(name: str) -> None:
    told = document()["paths"][f"{PREFIX}/jobs/{name}"]["post"]
    pairs = [(told["requestBody"]["content"]["application/json"], "requestBody")]
    pairs += [(answer["content"]["application/json"], status) for status, answer in told["responses"].items()]
    for content, where in pairs:
        whole = {**local(content["schema"]), "$defs": definitions()}
        for example in content.get("examples", {}).values():
            jsonschema.Draft202012Validator(whole).validate(example["value"])
            assert where
