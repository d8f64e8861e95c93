"""What an envelope says by saying nothing: null and empty values, and a byte order mark."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.entry import Accepted, Entry, Refused
from jobs.intake import EntryValidator
from schemas import strict_json
from schemas.contract.envelope import Envelope
from schemas.factus import BOGOTA
from schemas.version_1.convert import Converted, convert
from tests.builders import a_bill
from tests.unit.schemas.version_1.test_convert import a_body

NOW_MS = 1_796_000_000_000
OPTIONAL = sorted(name for name, field in Envelope.model_fields.items() if not field.is_required())


def examined(pushed: dict[str, Any], entry_id: str = "7-0") -> Accepted | Refused:
    validator = EntryValidator({"acme": BOGOTA}, lambda: NOW_MS)
    return validator.validate(Entry("", entry_id, strict_json.dump(pushed).encode()))


def a_push(**fields: Any) -> dict[str, Any]:
    return {"type": "invoice.issue", "payload": a_bill(), **fields}


@pytest.mark.parametrize("field", OPTIONAL)
def test_null_is_a_field_left_out(field: str) -> None:
    """One rule for all of them, the account's among them: the record is the same to the last byte."""
    assert isinstance(examined(a_push(**{field: None})), Accepted)
    assert examined(a_push(**{field: None})) == examined(a_push())


def test_all_of_them_null_is_a_push_without_them() -> None:
    assert examined(a_push(**dict.fromkeys(OPTIONAL))) == examined(a_push())


@pytest.mark.parametrize("field", ["options", "metadata"])
@pytest.mark.parametrize("nothing", [{}, []], ids=repr)
def test_an_empty_list_is_an_empty_object(field: str, nothing: object) -> None:
    assert examined(a_push(**{field: nothing})) == examined(a_push())


@pytest.mark.parametrize("option", ["archive", "track_radian", "delete_rejected"])
def test_null_is_an_option_left_out(option: str) -> None:
    assert examined(a_push(options={option: None})) == examined(a_push())


def test_an_empty_list_is_a_payload_without_keys() -> None:
    assert isinstance(examined({"type": "company.get", "payload": []}), Accepted)
    assert examined({"type": "company.get", "payload": []}) == examined({"type": "company.get", "payload": {}})


@pytest.mark.parametrize("field", ["type", "payload"])
def test_what_is_required_is_still_required(field: str) -> None:
    found = examined(a_push(**{field: None}))

    assert isinstance(found, Refused)
    assert [error.field for error in found.errors] == [f"envelope.{field}"]


@pytest.mark.parametrize(("fields", "at"), [({"prio": None}, "prio"), ({"options": {"pdf": None}}, "options.pdf")])
def test_a_field_that_does_not_exist_is_refused_without_data_too(fields: dict[str, Any], at: str) -> None:
    found = examined(a_push(**fields))

    assert isinstance(found, Refused)
    assert [error.field for error in found.errors] == [f"envelope.{at}"]


@pytest.mark.parametrize(
    ("field", "value"), [("options", [1]), ("metadata", [{}]), ("payload", [1]), ("batch", []), ("account", {})]
)
def test_data_of_the_wrong_kind_are_refused(field: str, value: object) -> None:
    found = examined(a_push(**{field: value}))

    assert isinstance(found, Refused)
    assert [error.field for error in found.errors] == [f"envelope.{field}"]


def test_metadata_are_given_back_with_their_nulls() -> None:
    found = examined(a_push(metadata={"lote": None, "filas": []}))

    assert isinstance(found, Accepted)
    assert found.record.metadata == '{"lote":null,"filas":[]}'


AT_MOST = {
    "a text": {"x": "a" * 4088},
    "a text of two bytes each": {"x": "ñ" * 2044},
    "lists in a list": {"a": [[1]] * 1021 + [12]},
    "objects in a list": {"a": [{"n": 1}] * 510 + [12345678]},
    "numbers": {"a": [1] * 2044},
    "nothing, many times": {"a": [None] * 817 + [12]},
    "empty ones": {"a": [[], {}] * 681 + [12]},
    "keys": {f"{n:04}": 1 for n in range(453)} | {"fill": "x" * 7},
    "one in another": {"a": {"b": {"c": "x" * 4076}}},
}


@pytest.mark.parametrize("metadata", AT_MOST.values(), ids=AT_MOST)
def test_metadata_have_4096_bytes_and_no_more(metadata: dict[str, Any]) -> None:
    """As compact JSON in UTF-8: what a producer's own library writes without spaces is what it may count."""
    assert len(strict_json.dump(metadata).encode()) in range(4090, 4097)
    assert isinstance(examined(a_push(metadata=metadata)), Accepted)

    more = examined(a_push(metadata=metadata | {"more": 1}))

    assert isinstance(more, Refused)
    assert [error.field for error in more.errors] == ["envelope.metadata"]


@pytest.mark.parametrize(
    "nothing",
    [{"account": None}, {"options": None}, {"options": {}}, {"options": []}, {"priority": None}, {"issue_on": None}],
    ids=repr,
)
def test_what_says_nothing_makes_no_other_job(nothing: dict[str, Any]) -> None:
    """A push repeated by a program that writes its nulls is a repetition, whether the job was taken or refused."""
    taken, again = examined(a_push(id="A-1")), examined(a_push(id="A-1", **nothing))
    assert isinstance(taken, Accepted)
    assert isinstance(again, Accepted)
    assert taken.record.content == again.record.content

    wrong = {**a_bill(), "color": "azul"}
    refused, again = (
        examined(a_push(id="A-2") | {"payload": wrong}),
        examined(a_push(id="A-2", **nothing) | {"payload": {**wrong, "currency": None, "establishment": []}}),
    )
    assert isinstance(refused, Refused)
    assert isinstance(again, Refused)
    assert refused.content == again.content


def test_a_search_takes_null_for_no_query() -> None:
    """It is answered at once, from the payload itself."""
    search = {"catalog": "taxes"}
    found = examined({"type": "catalog.search", "payload": {**search, "query": None, "limit": None}})

    assert isinstance(found, Accepted)
    assert found == examined({"type": "catalog.search", "payload": search})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("bill.issue", "invoice.issue"),
        ("bill.create", "invoice.issue"),
        ("factura", "invoice.issue"),
        ("invoice.validate", "invoice.issue"),
        ("Credit-Note.issue", "credit_note.issue"),
        ("nota_credito.emitir", "credit_note.issue"),
        ("nomina.issue", "payroll.issue"),
        ("bill.email", "invoice.email"),
        ("invoice.isue", "invoice.issue"),
        ("invoice", "invoice.issue"),
    ],
)
def test_a_type_by_another_name_is_known(name: str, meant: str) -> None:
    found = examined(a_push() | {"type": name})

    assert isinstance(found, Refused)
    assert found.errors[0].field == "envelope.type"
    assert f"¿Quiso decir {meant}" in found.errors[0].message


@pytest.mark.parametrize("name", ["", ".", "x", "x.y", "é" * 64])
def test_a_type_that_is_none_is_refused(name: str) -> None:
    found = examined(a_push() | {"type": name})

    assert isinstance(found, Refused)
    assert [error.field for error in found.errors] == ["envelope.type"]


def test_body_of_version_1_is_version_2_in_the_record() -> None:
    """Ledger and fingerprint know the v2 form only; the warning says what was inferred, once."""
    found = examined(a_push(payload=a_body(), payload_version="v1"))
    assert isinstance(found, Accepted)
    converted = convert("invoice", a_body())
    assert isinstance(converted, Converted)
    as_version_2 = examined(a_push(payload=converted.payload))
    assert isinstance(as_version_2, Accepted)
    assert found.record.payload == as_version_2.record.payload
    assert found.record.fingerprint == as_version_2.record.fingerprint
    assert found.record.content == as_version_2.record.content
    warnings = strict_json.parse(found.record.warnings)
    assert [one["code"] for one in warnings] == ["payload.converted"]
    assert "San Gil" in warnings[0]["message"]


def test_what_version_2_cannot_say_is_refused_by_its_field() -> None:
    body = a_body()
    body["customer"]["municipality_id"] = 1123
    found = examined(a_push(payload=body, payload_version="v1"))
    assert isinstance(found, Refused)
    assert [(one.code, one.field) for one in found.errors] == [("payload.unconvertible", "customer.municipality_id")]


def test_other_jobs_have_no_version_1() -> None:
    found = examined({"type": "invoice.get", "payload": {"number": "X1"}, "payload_version": "v1"})
    assert isinstance(found, Refused)
    assert found.errors[0].code == "payload.unconvertible"


def test_version_is_one_of_two() -> None:
    found = examined(a_push(payload_version="v3"))
    assert isinstance(found, Refused)
    assert found.errors[0].field == "envelope.payload_version"


def served(options: dict[str, Any], *, has_person: bool = False, form: str = "2", type_: str = "invoice.issue") -> Any:
    """The options that a job has, and the names of those that it cannot have."""
    bill = a_bill()
    bill["payment_details"][0] |= {"payment_form": form, "due_date": "2099-12-31"}
    persons = frozenset({"acme"} if has_person else ())
    validator = EntryValidator({"acme": BOGOTA}, lambda: NOW_MS, with_person=persons)
    pushed = {"type": type_, "payload": bill, "options": options}
    found = validator.validate(Entry("", "7-0", strict_json.dump(pushed).encode()))
    assert isinstance(found, Accepted), found
    warned = [warning["field"] for warning in found.record.parsed_warnings if warning["code"] == "option.unavailable"]
    return found.record, warned


def test_the_tacit_acceptance_watches_the_bill_and_needs_a_person() -> None:
    record, warned = served({"tacit_acceptance": True}, has_person=True)
    assert (record.tracks_radian, record.accepts_tacitly, warned) == (True, True, [])
    record, warned = served({"tacit_acceptance": True})
    assert (record.tracks_radian, record.accepts_tacitly) == (True, False), "it is told when it is due"
    assert warned == ["envelope.options.tacit_acceptance"]


def test_options_that_do_not_apply_to_a_document_are_warned_of() -> None:
    every = {"tacit_acceptance": True, "track_radian": True, "after_acceptance": True}
    record, warned = served(every, has_person=True, form="1")
    assert (record.tracks_radian, record.accepts_tacitly, record.goes_after_acceptance) == (False, False, False)
    assert warned == [f"envelope.options.{name}" for name in ("track_radian", "tacit_acceptance", "after_acceptance")]


@pytest.mark.parametrize("option", ["archive", "track_radian", "tacit_acceptance", "after_acceptance"])
def test_an_option_of_documents_is_refused_for_any_other_job(option: str) -> None:
    value: Any = ["pdf"] if option == "archive" else True
    found = examined({"type": "company.get", "payload": {}, "options": {option: value}})
    assert isinstance(found, Refused)
    assert [(error.code, error.field) for error in found.errors] == [("envelope.invalid", f"envelope.options.{option}")]
    nothing: Any = [] if option == "archive" else False
    assert isinstance(examined({"type": "company.get", "payload": {}, "options": {option: nothing}}), Accepted)
