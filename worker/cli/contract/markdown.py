"""
Parts of generated Markdown: tables of a schema's fields, JSON blocks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

_LONGEST_ENUM: Final = 12
_WIDTH: Final = 100


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; bars in cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def json_block(value: Any) -> str:
    """A fenced block of JSON; what fits into a line stands in one."""
    return f"```json\n{_folded(value, '')}\n```"


def _folded(value: Any, indent: str) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(flat) <= _WIDTH or not value or not isinstance(value, dict | list):
        return flat
    inner = indent + "  "
    if isinstance(value, list):
        parts, (first, last) = [_folded(one, inner) for one in value], "[]"
    else:
        parts, (first, last) = [f"{json.dumps(key)}: {_folded(one, inner)}" for key, one in value.items()], "{}"
    return f"{first}\n" + ",\n".join(inner + part for part in parts) + f"\n{indent}{last}"


def codes(names: Iterable[str]) -> str:
    """Names as code, with commas between."""
    return ", ".join(f"`{name}`" for name in names)


def payload_table(schema: Mapping[str, Any], *, is_deep: bool) -> str:
    """
    The fields of a payload.

    Args:
        is_deep: With the fields of objects inside, by dotted path; else a reader is sent to the schema for them.
    """
    rows = [*_payload_rows(schema, schema, "", is_deep=is_deep)]
    return table(("field", "type", "required", "meaning"), rows) if rows else "The payload is an empty object: `{}`."


def data_table(schema: Mapping[str, Any]) -> str:
    """The fields of an event's data, and of the objects inside."""
    return table(("field", "type", "meaning"), _data_rows(schema, schema, ""))


def type_of(field: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """The JSON type of a field in a few words."""
    if "$ref" in field:
        return type_of(_resolved(field, root), root)
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(type_of(one, root) for one in field["anyOf"]))
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field and len(field["enum"]) <= _LONGEST_ENUM:
        return " ".join(f"`{value}`" for value in dict.fromkeys(map(str, field["enum"])))
    named = field.get("type", "any")
    if named == "array":
        return f"list of {type_of(field.get('items', {}), root)}"
    text = " or ".join(named) if isinstance(named, list) else str(named)
    return f"{text} ({field['format']})" if "format" in field else text


def _payload_rows(
    schema: Mapping[str, Any], root: Mapping[str, Any], above: str, *, is_deep: bool
) -> Iterator[tuple[str, str, str, str]]:
    required = schema.get("required", ())
    fields = schema.get("properties", {})
    for name in sorted(fields, key=lambda one: one not in required):
        field = fields[name]
        is_required = "yes" if name in required else "no"
        yield f"`{above}{name}`", type_of(field, root), is_required, _meaning(field)
        inner = _resolved(field, root)
        if is_deep and "properties" in inner:
            yield from _payload_rows(inner, root, f"{above}{name}.", is_deep=True)


def _data_rows(schema: Mapping[str, Any], root: Mapping[str, Any], above: str) -> Iterator[tuple[str, str, str]]:
    for name, field in schema["properties"].items():
        yield f"`{above}{name}`", type_of(field, root), _about(field)
        choices = [_resolved(one, root) for one in field.get("anyOf", [field])]
        for inner in choices:
            if "properties" in inner:
                yield from _data_rows(inner, root, f"{above}{name}.")
            elif "$ref" in inner.get("items", {}):
                yield from _data_rows(_resolved(inner["items"], root), root, f"{above}{name}[].")


def _meaning(field: Mapping[str, Any]) -> str:
    told = [_about(field)]
    if "x-table" in field:
        told.append(f"(codes: `{field['x-table']}`)")
    return " ".join(part for part in told if part)


def _about(field: Mapping[str, Any]) -> str:
    found: str = field.get("description", "")
    return found


def _resolved(field: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in field:
        return field
    found: Mapping[str, Any] = root["$defs"][field["$ref"].rpartition("/")[2]]
    return found
