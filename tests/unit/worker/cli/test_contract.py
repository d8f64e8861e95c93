"""The contract as programs read it: valid AsyncAPI, true examples, nothing left out."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from jsonschema import Draft7Validator, Draft202012Validator

from jobs.families import FAMILIES
from jobs.job_type import ANY_TIME, REFUSALS
from jobs.registry import JOB_TYPES
from schemas.contract.error_codes import CODES, ERROR_CODES
from worker.cli.contract.asyncapi import document
from worker.cli.contract.example_jobs import envelope
from worker.cli.contract.json_schemas import all_models, data_model, event_types, payload_model
from worker.cli.contract.messages import event_messages, job_messages
from worker.cli.group import cli

ROOT = Path(__file__).resolve().parents[4]
OFFICIAL = ROOT / "tests/vendor/asyncapi/3.0.0.json"
_CODE = re.compile(r"[a-z]+\.[a-z_]+|internal")


@cache
def the_document() -> dict[str, Any]:
    return json.loads(json.dumps(document()))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["contract", *arguments])


def faults(schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with a value under a schema of the document."""
    rooted = {**schema, "components": the_document()["components"]}
    return [f"{list(fault.path)}: {fault.message}" for fault in Draft202012Validator(rooted).iter_errors(value)]


class TestDocument:
    def test_it_is_asyncapi(self) -> None:
        official = Draft7Validator(json.loads(OFFICIAL.read_text(encoding="utf-8")))
        assert [fault.message for fault in official.iter_errors(the_document())] == []

    def test_a_fault_would_be_found(self) -> None:
        """Or the schema at hand says nothing."""
        official = Draft7Validator(json.loads(OFFICIAL.read_text(encoding="utf-8")))
        broken = {**the_document(), "operations": {"push": {"action": "shout"}}}
        assert list(official.iter_errors(broken))

    def test_every_reference_leads_somewhere(self) -> None:
        for target in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(the_document())):
            found: Any = the_document()
            for step in target.split("/"):
                found = found[step]

    def test_every_message_has_an_example_that_fits(self) -> None:
        for name, message in the_document()["components"]["messages"].items():
            assert message["examples"]
            for example in message["examples"]:
                assert faults(message["payload"], example["payload"]) == [], name

    def test_a_message_takes_no_other_one(self) -> None:
        messages = the_document()["components"]["messages"]
        bill, note = messages["invoice_validated"], messages["credit_note_validated"]
        assert faults(bill["payload"], note["examples"][0]["payload"])
        pushed = {**messages["invoice_issue"]["examples"][0]["payload"], "extra": 1}
        assert faults(messages["invoice_issue"]["payload"], pushed)

    def test_results_of_one_account_are_the_same_messages(self) -> None:
        channels = the_document()["channels"]
        for name in ("jobs", "results", "radian"):
            assert channels[f"own_{name}"]["messages"] == channels[name]["messages"]
            assert channels[f"own_{name}"]["address"] == channels[name]["address"] + ":{account}"


class TestShapes:
    """What makes generators of code trip: nameless schemas, unions of plain values, words beside a reference."""

    def test_every_schema_has_a_name_and_an_ascii_title(self) -> None:
        schemas = the_document()["components"]["schemas"]
        assert {name: schema["title"] for name, schema in schemas.items()} == {name: name for name in schemas}
        assert all(schema.get("title", "").isascii() for schema in every_schema())
        for message in the_document()["components"]["messages"].values():
            assert message["payload"] == {"$ref": f"#/components/schemas/{message['title']}"}

    def test_a_reference_stands_alone(self) -> None:
        assert [schema for schema in every_schema() if "$ref" in schema and len(schema) > 1] == []

    def test_the_only_unions_are_of_named_schemas_and_of_one_with_null(self) -> None:
        for schema in every_schema():
            assert "allOf" not in schema
            choices = schema.get("anyOf", [])
            assert [*choices] == [] or ["$ref" in choices[0], choices[1:]] == [True, [{"type": "null"}]], schema
            assert all("$ref" in one for one in schema.get("oneOf", []))

    def test_what_is_pushed_has_one_type_for_each_value(self) -> None:
        schemas = the_document()["components"]["schemas"]
        written = {name for name, (_, mode) in all_models().items() if mode == "validation"}
        for name in written:
            assert all(isinstance(one.get("type", ""), str) for one in below(schemas[name])), name
        assert schemas["Item"]["properties"]["price"]["type"] == "string"
        assert schemas["Item"]["properties"]["scheme_id"]["enum"] == ["0", "1"]

    def test_words_about_a_field_that_is_a_reference_are_kept(self) -> None:
        bill = the_document()["components"]["schemas"]["Bill"]
        assert bill["properties"]["customer"] == {"$ref": "#/components/schemas/Customer"}
        assert bill["x-fields"]["customer"] == {"x-label": "cliente", "description": "The buyer"}
        assert bill["properties"]["observation"]["x-label"] == "observación"

    def test_one_union_has_every_event_and_one_every_job(self) -> None:
        schemas, messages = the_document()["components"]["schemas"], the_document()["components"]["messages"]
        for union, named in (("AnyEvent", event_messages()), ("AnyJob", job_messages())):
            members = {one["$ref"] for one in schemas[union]["oneOf"]}
            assert members == {messages[name.replace(".", "_")]["payload"]["$ref"] for name in named}
            assert schemas[union]["discriminator"] == "type"
            types = [schemas[member.rpartition("/")[2]]["properties"]["type"]["const"] for member in members]
            assert sorted(types) == sorted(named)

    def test_the_union_of_events_takes_each_example_once(self) -> None:
        """An example that fits two of its members could not be told apart by whoever reads it."""
        union = {"$ref": "#/components/schemas/AnyEvent"}
        for message in event_messages().values():
            assert faults(union, message["examples"][0]["payload"]) == []

    def test_events_are_good_or_bad_news_as_their_examples_are(self) -> None:
        for name, message in event_messages().items():
            assert event_types()[name] in ("either", message["examples"][0]["payload"]["success"])


def every_schema() -> Iterator[dict[str, Any]]:
    for schema in the_document()["components"]["schemas"].values():
        yield from below(schema)


def below(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema and all that stand in it."""
    yield schema
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            for one in value.values():
                yield from below(one)
        elif key in ("anyOf", "oneOf", "allOf"):
            for one in value:
                yield from below(one)
        elif isinstance(value, dict) and key in ("items", "additionalProperties"):
            yield from below(value)


class TestNothingIsLeftOut:
    def test_every_job_type_has_a_message(self) -> None:
        assert job_messages().keys() == JOB_TYPES.keys()

    def test_every_job_has_both_its_ends(self) -> None:
        ends = {f"{name}.{end}" for name, row in JOB_TYPES.items() if not row.issues for end in ("completed", "failed")}
        documents = {
            f"{family}.{end}"
            for family in FAMILIES
            for end in ("validated", "rejected", "failed", "pending", "archived")
        }
        radian = {f"radian.{n}" for n in ("event", "clock", "due", "claimed", "accepted", "silent", "unconfirmed")}
        others = {"job.refused", *radian, "account.blocked", "account.resumed", "batch.completed"}
        others |= {"day.at_risk", "day.safe"}
        others |= {f"webhook.{end}" for end in ("failing", "exhausted", "disabled", "enabled", "test")}
        assert event_messages().keys() == ends | documents | others

    def test_every_model_has_a_name_of_its_own(self) -> None:
        """pydantic would write two of a name with their modules in front, and our references would miss them."""
        models = {payload_model(name) for name in JOB_TYPES} | {data_model(name) for name in event_messages()} - {None}
        assert len({model.__name__ for model in models if model}) == len(models)
        assert not [name for name in the_document()["components"]["schemas"] if "__" in name]

    def test_every_field_of_an_event_s_data_that_needs_words_has_them(self) -> None:
        fields = the_document()["components"]["schemas"]["ValidatedBill"]["properties"]
        assert all(fields[name].get("description") for name in ("total", "cufe", "replayed", "factus"))


class TestPage:
    @pytest.mark.parametrize("name", JOB_TYPES)
    def test_every_job_type_has_a_payload_to_copy(self, name: str) -> None:
        page = (ROOT / "docs/jobs.md").read_text(encoding="utf-8")
        payload = envelope(name)["payload"]
        row = f"| `{name}` | `{json.dumps(payload, ensure_ascii=False)}` |"
        blocks = [json.loads(block) for block in re.findall(r"```json\n(.+?)\n```", page, re.DOTALL)]
        assert row in page or {"type": name, "payload": payload} in [_only(one, "type", "payload") for one in blocks]


def _only(value: Any, *names: str) -> dict[str, Any]:
    return {name: value[name] for name in names if name in value} if isinstance(value, dict) else {}


class TestErrorCodes:
    def test_what_the_code_says_stands_in_the_list(self) -> None:
        used = {code for path in sources() for code in codes_in(path)}
        assert {"payload.invalid", "dian.rejected", "archive.conflict", "id.conflict"} <= used
        of_the_door = {f"request.{end}" for end in ("invalid", "not_found", "limited")}
        of_the_door |= {"service.unavailable", "service.defect"}
        assert used <= {*CODES} | of_the_door

    def test_the_list_stands_in_the_document_and_in_the_contract(self) -> None:
        contract = (ROOT / "docs/contract.md").read_text(encoding="utf-8")
        text = the_document()["info"]["description"]
        assert [row.code for row in ERROR_CODES if f"`{row.code}`" not in contract or f"`{row.code}`" not in text] == []
        assert the_document()["components"]["schemas"]["ErrorDetail"]["properties"]["code"]["enum"] == [*CODES]

    @pytest.mark.parametrize("name", JOB_TYPES)
    def test_descriptions_name_codes_that_exist(self, name: str) -> None:
        about = JOB_TYPES[name].description
        assert {*about.errors, *REFUSALS, *ANY_TIME} <= {*CODES}
        assert about.does.endswith(".")


class TestCommand:
    def test_it_prints_json(self) -> None:
        done = run()
        assert (done.exit_code, json.loads(done.output)) == (0, the_document())

    def test_yaml_says_the_same(self) -> None:
        done = run("--yaml")
        assert (done.exit_code, yaml.safe_load(done.output)) == (0, the_document())
        assert "&id" not in done.output

    def test_schemas_are_files_that_stand_alone(self, tmp_path: Path) -> None:
        done = run("--schemas", str(tmp_path / "new"))
        assert done.exit_code == 0
        names = {path.name for path in (tmp_path / "new").iterdir()}
        assert {"Envelope.json", "Event.json", "Bill.json", "Payroll.json", "ValidatedBill.json"} <= names
        for path in (tmp_path / "new").iterdir():
            schema = json.loads(path.read_text(encoding="utf-8"))
            Draft202012Validator.check_schema(schema)
            references = re.findall(r'"\$ref": "#/\$defs/([^"]+)"', path.read_text(encoding="utf-8"))
            assert {*references} <= schema.get("$defs", {}).keys()

    def test_an_envelope_names_a_job_type_that_exists(self) -> None:
        types = the_document()["components"]["schemas"]["Envelope"]["properties"]["type"]["enum"]
        assert types == [*JOB_TYPES]

    def test_a_folder_that_is_none_fails(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        done = run("--schemas", str(tmp_path / "file" / "below"))
        assert done.exit_code == 1
        assert "no se puede escribir" in done.output

    def test_wrong_usage_is_2(self, tmp_path: Path) -> None:
        assert run("--yaml", "--schemas", str(tmp_path)).exit_code == 2
        assert run("--nothing").exit_code == 2


def sources() -> Iterator[Path]:
    for package in ("schemas", "jobs", "worker"):
        yield from (path for path in (ROOT / package).rglob("*.py") if path.name not in _LISTS)


_LISTS = {"error_codes.py"}


def codes_in(path: Path) -> Iterator[str]:
    """Codes that are given to an error, set as ``code``, or compared with one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Name(id="error"), args=[first, *_]):
                yield from _constants(first)
            case ast.Call(func=ast.Name(id="ErrorDetail"), keywords=keywords):
                yield from (code for one in keywords if one.arg == "code" for code in _constants(one.value))
            case ast.Assign(targets=[ast.Name(id="code")], value=value):
                yield from _constants(value)
            case ast.Compare(left=ast.Name(id="code"), comparators=[value]):
                yield from _constants(value)
            case _:
                pass


def _constants(node: ast.expr) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and _CODE.fullmatch(inner.value):
            yield inner.value
