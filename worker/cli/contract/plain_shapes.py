"""
JSON Schemas in the shapes that generators of code read well: one type for each value, names in ASCII.

What is pushed may be written in more ways than one (an amount as text or as a number, a code as text or as an integer,
null for "not there"); the schemas name the one that is always right, so that a generated type has one form and no
union. What is read has null where nothing applies, and says so by its type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

Mode = Literal["validation", "serialization"]
"""Of a schema: what we read, or what we write."""

_NULL: Final = {"type": "null"}


def plain(schema: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """
    A schema, with all below it, in plain shapes. The Spanish labels of fields stand in ``x-label``.

    A ``$ref`` stands alone: a generator would make a second type of one that has words beside it. The words about such
    fields stand in ``x-fields`` of the object.

    Args:
        mode: ``validation`` for what producers write, ``serialization`` for what consumers read.
    """
    found = _one_type(schema) if mode == "validation" else _null_by_type(schema)
    shaped = {key: _below(key, value, mode) for key, value in found.items()}
    return _with_references_alone(shaped) if "properties" in shaped else shaped


def _below(key: str, value: Any, mode: Mode) -> Any:
    if key in ("properties", "$defs"):
        shapes = {name: plain(shape, mode) for name, shape in value.items()}
        return shapes if key == "$defs" else {name: _labelled(shape) for name, shape in shapes.items()}
    if isinstance(value, Mapping) and key not in ("enum", "const", "default", "examples"):
        return plain(value, mode)
    if key in ("anyOf", "oneOf", "allOf"):
        return [plain(one, mode) for one in value]
    return value


def _with_references_alone(shaped: dict[str, Any]) -> dict[str, Any]:
    fields, words = {}, {}
    for name, field in shaped["properties"].items():
        beside = {key: value for key, value in field.items() if key not in ("$ref", "default")}
        fields[name] = {"$ref": field["$ref"]} if "$ref" in field else field
        if "$ref" in field and beside:
            words[name] = beside
    return {**shaped, "properties": fields, **({"x-fields": words} if words else {})}


def _labelled(field: Mapping[str, Any]) -> dict[str, Any]:
    """A generator makes a type of each title, and drops the letters that its language does not know."""
    return {"x-label" if key == "title" else key: value for key, value in field.items()}


def _one_type(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The form that is always right: text before numbers, an object before a list of it, and no null."""
    choices = [one for one in schema.get("anyOf", ()) if one != _NULL]
    types = schema.get("type")
    if choices:
        texts = [one for one in choices if one.get("type") == "string"]
        objects = [one for one in choices if "$ref" in one]
        chosen = (texts or objects or choices)[0]
        # What stands beside anyOf (title, description) is about the field, and goes first.
        return _without({**chosen, **_without(schema, "anyOf")}, "default", when=None)
    if isinstance(types, list):
        named = "string" if "string" in types else types[0]
        enum = [value for value in schema.get("enum", ()) if isinstance(value, str)]
        return {**schema, "type": named, **({"enum": enum} if enum else {})}
    return dict(schema)


def _null_by_type(schema: Mapping[str, Any]) -> dict[str, Any]:
    """``anyOf`` of one plain type and null as a list of two types: what is no model needs no union."""
    choices = [one for one in schema.get("anyOf", ()) if one != _NULL]
    if len(choices) != 1 or _NULL not in schema["anyOf"] or not isinstance(choices[0].get("type"), str):
        return dict(schema)
    (one,) = choices
    return {**one, "type": [one["type"], "null"], **_without(schema, "anyOf")}


_ANY: Final = object()


def _without(schema: Mapping[str, Any], key: str, *, when: Any = _ANY) -> dict[str, Any]:
    """The schema without a key; with *when*, only where it holds that value."""
    return {name: value for name, value in schema.items() if name != key or (when is not _ANY and value != when)}


def with_named_choices(
    schemas: Mapping[str, Any], prefix: str, copied: Callable[[str, str], bool] = lambda owner, field: False
) -> dict[str, Any]:
    """
    The schemas, with a name for each list of values that a field may have: ``ItemStandardCode``.

    A generator would make a nameless type of one that has none, and several with numbers behind their name of one that
    stands in several places.

    Args:
        prefix: What a reference begins with.
        copied: Whether a field of a schema stands in others too; its values become a schema of their own.
    """
    found: dict[str, Any] = {}

    def named(schema: dict[str, Any], name: str, *, is_apart: bool) -> dict[str, Any]:
        if "items" in schema:
            return {**schema, "items": named(schema["items"], f"{name}Item", is_apart=is_apart)}
        if "enum" not in schema or schema.get("type") != "string":
            return schema
        titled = {"title": name, **schema}
        if not is_apart:
            return titled
        found[name] = titled
        return {"$ref": prefix + name}

    for owner, schema in schemas.items():
        fields = schema.get("properties", {})
        kept = {
            name: named(field, owner + pascal(name), is_apart=copied(owner, name)) for name, field in fields.items()
        }
        found[owner] = {**schema, "properties": kept} if fields else schema
    return found


def pascal(name: str) -> str:
    """``invoice.issue`` or ``standard_code`` as the name of a type."""
    return "".join(word.capitalize() for word in re.split(r"[._]", name))
