"""
The contract in the forms that programs read: AsyncAPI as JSON or YAML, JSON Schemas as files.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from worker.cli.contract import openapi
from worker.cli.contract.asyncapi import document
from worker.cli.contract.json_schemas import schema_files


def asyncapi_json() -> str:
    """The AsyncAPI document as JSON, with a newline at the end."""
    return _json(document())


def openapi_json() -> str:
    """The OpenAPI document of the HTTP door, in one line: it is large, and programs read it."""
    return json.dumps(openapi.document(), ensure_ascii=False, separators=(",", ":")) + "\n"


def asyncapi_yaml() -> str:
    """The same as YAML."""
    import yaml

    text: str = yaml.dump(document(), Dumper=_plain_dumper(yaml), sort_keys=False, allow_unicode=True, width=120)
    return text


def write_schemas(folder: Path) -> list[Path]:
    """
    Write a file for each schema, over those of an earlier version.

    Raises:
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in schema_texts().items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def schema_texts() -> dict[str, str]:
    """What stands in each schema file, by its name."""
    return {name: _json(schema) for name, schema in schema_files().items()}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _plain_dumper(yaml: Any) -> Any:
    class Dumper(yaml.SafeDumper):  # type: ignore[misc]  # yaml is an argument: it is imported only for --yaml
        """Without anchors, which few who read YAML by eye know, and with texts of several lines as such."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

        def represent_str(self, data: str) -> Any:
            return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)

    Dumper.add_representer(str, Dumper.represent_str)
    return Dumper
