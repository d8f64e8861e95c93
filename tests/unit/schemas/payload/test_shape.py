"""Between pydantic and our words: nothing that the models can say is left untranslated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from schemas.payload.shape_errors import TELLERS
from schemas.payload.validate import DOCUMENT_SPECS, PayloadSpec
from tests.families import a_document_payload
from tests.unit.schemas.examples import EXAMPLES

_SAID_BY = {
    "model": {"model_type", "model_attributes_type"},
    "model-fields": {"missing", "extra_forbidden"},
    "model-field": set(),
    "default": set(),
    "definitions": set(),
    "definition-ref": set(),
    "nullable": set(),
    "list": {"list_type"},
    "str": {"string_type", "string_unicode"},
    "bool": {"bool_type"},
    "int": {"int_type"},
}
_SAID_OF = {
    ("list", "min_length"): "too_short",
    ("list", "max_length"): "too_long",
    ("str", "pattern"): "string_pattern_mismatch",
    ("str", "max_length"): "string_too_long",
    ("str", "min_length"): "string_too_short",
    ("int", "ge"): "greater_than_equal",
    ("int", "le"): "less_than_equal",
}


def _schemas(node: Any) -> Iterator[dict[str, Any]]:
    """Every core schema in a core schema; the branches of a choice with an error of its own are not heard."""
    if isinstance(node, dict):
        if isinstance(node.get("type"), str):
            yield node
        if "custom_error_type" not in node:
            for key, value in node.items():
                if key not in ("metadata", "serialization", "config"):
                    yield from _schemas(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _schemas(value)


@pytest.mark.parametrize("family", DOCUMENT_SPECS.values(), ids=lambda family: family.name)
def test_every_error_type_has_words(family: PayloadSpec) -> None:
    """A new kind of field with a new kind of pydantic error must not surface in English."""
    possible: set[str] = set()
    for schema in _schemas(family.shape.model.__pydantic_core_schema__):
        if "custom_error_type" in schema:
            possible.add(schema["custom_error_type"])
            continue
        possible |= _SAID_BY[schema["type"]]
        possible |= {error for (kind, key), error in _SAID_OF.items() if kind == schema["type"] and key in schema}

    assert possible - set(TELLERS) == {"extra_forbidden"}, "told by its own branch"


@pytest.mark.parametrize("family", DOCUMENT_SPECS.values(), ids=lambda family: family.name)
def test_rules_that_fields_name_exist(family: PayloadSpec) -> None:
    known = {rule.id for rule in family.rules}
    shapes = [family.shape]
    for shape in shapes:
        for it in shape.fields.values():
            assert {it.bad, it.missing} <= known, f"{shape.model.__name__}.{it.key}"
            if it.part:
                shapes.append(it.part)


def test_json_schema_helps_a_producer() -> None:
    """Titles, descriptions, tables and rule ids are in it, and it is closed."""
    schema = DOCUMENT_SPECS["invoice"].shape.model.model_json_schema()
    item = schema["$defs"]["Item"]

    assert schema["additionalProperties"] is False
    assert {"reference_code", "payment_details", "customer", "items"} <= set(schema["required"])
    assert item["properties"]["price"]["title"] == "precio unitario"
    assert item["properties"]["unit_measure_code"]["x-table"] == "unit-measures"
    assert schema["$defs"]["Tax"]["properties"]["code"]["enum"] == ["01", "04", "35"]
    assert "default" not in schema["properties"]["observation"]


@pytest.mark.parametrize("family", DOCUMENT_SPECS.values(), ids=lambda family: family.name)
def test_json_schema_takes_the_published_examples(family: PayloadSpec) -> None:
    """Somebody who validates with the schema alone is not told that Factus's own documents are wrong."""
    validator = jsonschema.Draft202012Validator(family.shape.model.model_json_schema())
    for example in EXAMPLES:
        if example.family == family.name:
            assert validator.is_valid(example.payload), example.name
    assert not validator.is_valid({**a_document_payload(family.name), "color": "azul"})


@pytest.mark.parametrize("family", DOCUMENT_SPECS.values(), ids=lambda family: family.name)
def test_every_field_is_described(family: PayloadSpec) -> None:
    schema = family.shape.model.model_json_schema()
    for definition in (schema, *schema.get("$defs", {}).values()):
        for name, field in definition["properties"].items():
            assert field.get("title"), name
            assert field.get("description"), name
