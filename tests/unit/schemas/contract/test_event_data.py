"""The models of results describe what the service publishes: its own code on Factus's published answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.events import validated_data
from jobs.families import FAMILIES
from schemas import strict_json
from schemas.contract import event_data
from schemas.contract.event_data import Data
from schemas.factus import DocumentView
from schemas.records import JobRecord
from worker.cli.contract.json_schemas import data_model
from worker.cli.contract.messages import event_messages

_FOLDERS = {
    "bills": "invoice",
    "credit-notes": "credit_note",
    "debit-notes": "debit_note",
    "support-documents": "support_document",
    "adjustment-notes": "adjustment_note",
    "payroll": "payroll",
}
_EXAMPLES = Path(__file__).parents[4] / "sandbox/facts/examples"


def published() -> list[tuple[str, str, dict[str, Any]]]:
    """Answers with a document, as Factus publishes them: name, family, document."""
    found = []
    for folder, family in _FOLDERS.items():
        for path in sorted((_EXAMPLES / folder).glob("*.response.json")):
            data = strict_json.parse(path.read_bytes()).get("data")
            if isinstance(data, dict) and data.get("is_validated") and data.get("reference_code"):
                kind = "payroll_adjustment" if "adjustment" in path.name else family
                found.append((f"{folder}/{path.name}", kind, data))
    return found


PUBLISHED = published()
EVENTS = event_messages()


@pytest.mark.parametrize(("name", "family", "document"), PUBLISHED, ids=[name for name, *_ in PUBLISHED])
def test_a_published_document_makes_a_result_as_described(name: str, family: str, document: dict[str, Any]) -> None:
    job = JobRecord(account="acme", id="1", type=f"{family}.issue", family=family, lane="acme/x", entry="1-0")
    data = json.loads(strict_json.dump(validated_data(job, DocumentView(document), "sandbox")))
    found = event_data.VALIDATED[FAMILIES[family].unique_code].model_validate(data)
    assert found.model_dump(mode="json")["number"] == document["number"]


def test_there_is_a_published_document_of_nearly_every_family() -> None:
    assert {family for _, family, _ in PUBLISHED} >= {"invoice", "credit_note", "support_document", "payroll"}


@pytest.mark.parametrize("name", [name for name in EVENTS if data_model(name)])
def test_a_model_takes_the_data_of_its_event_as_published(name: str) -> None:
    model = data_model(name)
    assert model is not None
    data = EVENTS[name]["examples"][0]["payload"]["data"]
    assert dumped(model, data) == data


@pytest.mark.parametrize("model", sorted({type_ for name in EVENTS if (type_ := data_model(name))}, key=str), ids=str)
def test_all_that_may_be_missing_is_what_was_cut(model: type[Data]) -> None:
    """Whatever else ``data`` holds always stands, null where it does not apply."""
    optional = {name for name, field in model.model_fields.items() if not field.is_required()}
    cut = {"factus_truncated"} if issubclass(model, event_data.Foreign) else set()
    assert optional == ({"warnings"} if model is event_data.DayCertificate else cut)


def test_what_was_cut_is_told_where_it_was() -> None:
    data = {"factus": {}, "factus_truncated": ["factus.items"]}
    assert dumped(event_data.Shown, data) == data
    assert dumped(event_data.Shown, {"factus": {}}) == {"factus": {}}


def dumped(model: type[Data], data: dict[str, Any]) -> dict[str, Any]:
    """*data* as its reader writes it down again: what did not stand there does not stand here."""
    return model.model_validate(data).model_dump(mode="json", by_alias=True, exclude_unset=True)
