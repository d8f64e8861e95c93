"""Documents that are issued, read and used: get, list, download, e-mail, delete, events and acceptance, each family."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.integration.call_cases import PERSON, PNG, an_acceptable_bill
from tests.integration.families import FAMILY_CASES, FamilyCase, a_credit_bill, hold_file
from tests.integration.service import Event, Live, TestedAccount

N_DOCUMENTS = 23
"""Two full pages and a part of a third."""

_FILES = {"pdf": "download-pdf", "xml": "download-xml", "attached": "download-attached-document-xml"}
_MAILED = [paper for paper in FAMILY_CASES.values() if paper.is_mailed]


@pytest.fixture(scope="module")
def library(live: Live) -> TestedAccount:
    """An account with pages of documents of every family."""
    found = live.account()
    for paper in FAMILY_CASES.values():
        about = (
            FAMILY_CASES[paper.about[1]].number(found) if paper.about and paper.name != "payroll_adjustment" else None
        )
        paper.number(found)
        for _ in range(N_DOCUMENTS - len(found.documents(paper.area))):
            paper.at_factus(found, paper.body_about(about) if about else None)
    return found


@pytest.fixture
def tenant(live: Live, library: TestedAccount) -> Iterator[TestedAccount]:
    """A fresh account beside the library, without the faults of the test before."""
    live.control("faults", method="DELETE")
    return live.account(keeps_others=True)


@pytest.fixture(params=FAMILY_CASES.values(), ids=str)
def paper(request: pytest.FixtureRequest) -> FamilyCase:
    return request.param


def refusal(event: Event) -> tuple[str, str, str | None]:
    error = event["errors"][0]
    return event["type"], error["code"], error["field"]


# -- reading -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("key", ["number", "reference_code"])
def test_document_is_given_as_factus_has_it(paper, library, key):
    document = library.documents(paper.area)[5]
    event = library.run(f"{paper.name}.get", {key: document[key]})
    assert event["type"] == f"{paper.name}.get.completed"
    assert event["data"]["factus"] == paper.shown_at_factus(library, document["number"])
    assert event["attempts"] == 1


def test_all_pages_are_read_into_one_result(paper, library):
    event = library.run(f"{paper.name}.list", {"all": True})
    numbers = [row["number"] for row in event["data"]["items"]]
    documents = library.documents(paper.area)
    assert numbers == [document["number"] for document in reversed(documents)]
    told = event["data"]["pagination"]
    assert (told["total"], told["next_page"]) == (len(documents), None)
    assert told["last_page"] >= 3


def test_one_page_says_where_to_go_on(paper, library):
    event = library.run(f"{paper.name}.list", {"page": 2})
    numbers = [document["number"] for document in reversed(library.documents(paper.area))]
    assert [row["number"] for row in event["data"]["items"]] == numbers[10:20]
    told = event["data"]["pagination"]
    assert set(told) == {"total", "per_page", "current_page", "last_page", "from", "to", "next_page"}
    assert (told["current_page"], told["from"], told["to"], told["next_page"]) == (2, 11, 20, 3)


def test_filters_reach_factus_under_its_names(paper, library):
    document = library.documents(paper.area)[3]
    event = library.run(f"{paper.name}.list", {"filters": {"number": document["number"]}})
    assert document["number"] in {row["number"] for row in event["data"]["items"]}
    nobody = {"identification_number": "999"} if paper.is_payroll else {"identification": "999"}
    assert library.run(f"{paper.name}.list", {"filters": nobody, "all": True})["data"]["items"] == []
    if paper.is_payroll:
        return
    filters = {
        "reference_code": document["reference_code"],
        "status": "1",
        "per_page": 5,
        "created_at": {"start_date": "2020-01-01", "end_date": "2099-12-31"},
    }
    event = library.run(f"{paper.name}.list", {"filters": filters})
    assert [row["reference_code"] for row in event["data"]["items"]] == [document["reference_code"]]
    assert event["data"]["pagination"]["per_page"] == 5
    event = library.run(f"{paper.name}.list", {"filters": {"status": "7"}})
    assert refusal(event) == ("job.refused", "payload.invalid", "filters.status")


# -- files and mail ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("key", ["number", "reference_code"])
def test_every_file_of_the_family_lies_in_the_archive(paper, tenant, live, key):
    made = paper.at_factus(tenant)
    event = tenant.run(f"{paper.name}.download", {key: made[key]})
    assert (event["type"], event["data"]["number"]) == (f"{paper.name}.download.completed", made["number"])
    assert tuple(file["kind"] for file in event["data"]["documents"]) == paper.kinds
    for file in event["data"]["documents"]:
        shown = tenant.data_at_factus(f"/v2/{paper.area}/{made['number']}/{_FILES[file['kind']]}")
        encoded = next(text for name, text in shown.items() if name.endswith("base_64_encoded"))
        assert hold_file(file, live.archive) == base64.b64decode(encoded)
    again = tenant.run(f"{paper.name}.download", {"number": made["number"], "kinds": ["xml"]})
    (xml,) = again["data"]["documents"]
    assert xml in event["data"]["documents"], "the same file under the same name"


@pytest.mark.parametrize("paper", [FAMILY_CASES["invoice"], FAMILY_CASES["payroll"]], ids=str)
def test_file_that_is_there_with_other_content_is_never_replaced(paper, tenant):
    number = paper.number(tenant)
    event = tenant.run(f"{paper.name}.download", {"number": number, "kinds": ["xml"]})
    path = Path(unquote(urlsplit(event["data"]["documents"][0]["uri"]).path))
    path.chmod(0o600)
    path.write_bytes(b"otro")
    event = tenant.run(f"{paper.name}.download", {"number": number, "kinds": ["xml"]})
    assert refusal(event)[:2] == (f"{paper.name}.download.failed", "archive.conflict")
    assert path.read_bytes() == b"otro"


def test_files_of_a_document_that_waits_for_dian_are_waited_for(paper, tenant, live):
    """A draft under the final name would be there for ever."""
    reference = paper.pending_at_factus(tenant)
    job = tenant.push(f"{paper.name}.download", {"reference_code": reference})
    tenant.wait(lambda: tenant.seen()["operations"].get(f"{paper.area}.show", 0) >= 3, "a third look")
    assert tenant.story_of(job) == []
    assert f"{paper.area}.download" not in tenant.seen()["operations"]
    tenant.control("documents/settle", family=paper.area, reference=reference, outcome="validated")
    event = tenant.end_of(job)
    assert tuple(file["kind"] for file in event["data"]["documents"]) == paper.kinds
    for file in event["data"]["documents"]:
        shown = tenant.data_at_factus(f"/v2/{paper.area}/{event['data']['number']}/{_FILES[file['kind']]}")
        encoded = next(text for name, text in shown.items() if name.endswith("base_64_encoded"))
        assert hold_file(file, live.archive) == base64.b64decode(encoded)


def test_files_of_a_document_that_dian_rejected_are_not_archived(paper, tenant, live):
    reference = paper.rejected_at_factus(tenant)
    event = tenant.run(f"{paper.name}.download", {"reference_code": reference})
    assert refusal(event) == (f"{paper.name}.download.failed", "factus.conflict", "reference_code")
    assert "no hay archivos que guardar" in event["message"]
    assert f"{paper.area}.download" not in tenant.seen()["operations"]
    assert not (live.archive / tenant.name).exists()


def test_a_download_before_the_end_spoils_no_archive_after_it(tenant):
    paper = FAMILY_CASES["invoice"]
    body = paper.body(tenant)
    tenant.fault({"kind": "pending", "polls": 4}, on="create", reference=body["reference_code"])
    issued = tenant.push("invoice.issue", body, options={"archive": ["pdf"]})
    tenant.event_of(issued, "invoice.pending")
    download = tenant.push("invoice.download", {"reference_code": body["reference_code"], "kinds": ["pdf"]})
    archived = tenant.event_of(issued, "invoice.archived")
    assert archived["success"], archived
    assert tenant.end_of(download)["data"]["documents"] == archived["data"]["documents"]


def test_a_file_that_is_refused_keeps_no_other_from_the_archive(tenant, live):
    number = FAMILY_CASES["invoice"].number(tenant)
    refused = {"kind": "garbage", "status": 422, "text": '{"message":"no hay pdf"}'}
    tenant.fault(refused, on="download")
    event = tenant.run("invoice.download", {"number": number})
    assert [error["code"] for error in event["errors"]] == ["factus.validation"]
    assert event["errors"][0]["message"].startswith("Archivo pdf: ")
    assert event["message"].count(live.archive.as_uri()) == 2
    assert len([path for path in (live.archive / tenant.name).rglob("*.xml") if path.is_file()]) == 2


@pytest.mark.parametrize("paper", _MAILED, ids=str)
def test_mail_goes_out_once_with_a_pdf_of_ones_own_and_by_reference(paper, tenant):
    made = paper.at_factus(tenant)
    mail = {"reference_code": made["reference_code"], "email": "a@b.example", "pdf_base_64_encoded": PNG}
    event = tenant.run(f"{paper.name}.email", mail)
    assert (event["data"], event["attempts"]) == ({"sent": True, "email": "a@b.example"}, 1)
    assert tenant.seen()["changes"][f"{paper.area}.email"] == {made["number"]: 1}


@pytest.mark.parametrize(
    ("paper", "effect", "n_mails"),
    [
        *((paper, "drop_after", 1) for paper in _MAILED),
        (FAMILY_CASES["invoice"], "error_after", 1),
        (FAMILY_CASES["invoice"], "drop_before", 0),
    ],
    ids=str,
)
def test_mail_of_unknown_outcome_is_not_sent_again(paper, tenant, effect, n_mails):
    number = paper.number(tenant)
    tenant.fault(effect, on="email")
    event = tenant.run(f"{paper.name}.email", {"number": number, "email": "a@b.example"})
    assert refusal(event)[:2] == (f"{paper.name}.email.failed", "factus.unavailable")
    assert tenant.n_changes(f"{paper.area}.email") == n_mails


@pytest.mark.parametrize("paper", _MAILED, ids=str)
def test_content_of_the_mail_is_given_as_factus_has_it(paper, library):
    number = paper.number(library)
    event = library.run(f"{paper.name}.email_content", {"number": number})
    assert event["data"]["factus"] == library.data_at_factus(f"/v2/{paper.area}/{number}/email-content")


# -- what is not there -------------------------------------------------------------------------------------------------
def test_what_factus_has_not_is_not_found_whatever_is_wanted(paper, tenant):
    verbs = {"get": {}, "download": {"kinds": ["xml"]}}
    if paper.is_mailed:
        verbs |= {"email": {"email": "a@b.example"}, "email_content": {}}
    if paper.name == "invoice":
        verbs |= {"events": {}}
    jobs = {
        (verb, key): tenant.push(f"{paper.name}.{verb}", {key: "NADA1", **more})
        for verb, more in verbs.items()
        for key in ("number", "reference_code")
    }
    jobs["delete", "reference_code"] = tenant.push(f"{paper.name}.delete", {"reference_code": "NADA1"})
    for (verb, _), job in jobs.items():
        assert refusal(tenant.end_of(job))[:2] == (f"{paper.name}.{verb}.failed", "factus.not_found")
    assert tenant.seen()["changes"] == {}


# -- deleting ----------------------------------------------------------------------------------------------------------
def test_only_what_dian_rejected_is_deleted(paper, tenant):
    validated = paper.at_factus(tenant)["reference_code"]
    assert refusal(tenant.run(f"{paper.name}.delete", {"reference_code": validated})) == (
        f"{paper.name}.delete.failed",
        "factus.conflict",
        "reference_code",
    )
    rejected = paper.rejected_at_factus(tenant)
    event = tenant.run(f"{paper.name}.delete", {"reference_code": rejected})
    assert event["data"] == {"deleted": True, "reference_code": rejected}
    pending = paper.pending_at_factus(tenant)
    event = tenant.run(f"{paper.name}.delete", {"reference_code": pending})
    assert refusal(event)[:2] == (f"{paper.name}.delete.failed", "factus.conflict")
    assert {document["reference_code"] for document in tenant.documents(paper.area)} >= {validated, pending}
    assert tenant.seen()["families"][paper.area]["deletes"] == {
        "rejected": 1,
        "forbidden": 0,
        "refused": 0,
        "unknown": 0,
    }


@pytest.mark.parametrize("paper", [FAMILY_CASES["invoice"], FAMILY_CASES["payroll"]], ids=str)
def test_document_of_rule_90_is_left_for_a_person(paper, tenant):
    body = paper.body(tenant)
    tenant.fault({"kind": "rule_90", "found": "rejected"}, on="create", reference=body["reference_code"])
    assert tenant.ask("POST", paper.create_path, json=body).status_code == 422
    event = tenant.run(f"{paper.name}.delete", {"reference_code": body["reference_code"]})
    assert refusal(event)[:2] == (f"{paper.name}.delete.failed", "factus.conflict")
    assert tenant.seen()["families"][paper.area]["forbidden_deletes"] == []


# -- RADIAN ------------------------------------------------------------------------------------------------------------
def test_events_of_a_bill_are_listed_as_factus_has_them(tenant):
    number = an_acceptable_bill(tenant)
    event = tenant.run("invoice.events", {"number": number})
    assert [row["event_code"] for row in event["data"]["events"]] == ["030", "032"]
    assert event["data"]["events"] == tenant.data_at_factus(f"/v2/bills/{number}/radian/events")


AFTER = {"after_acceptance": True}


def test_bill_is_accepted_tacitly_and_only_once(tenant):
    number = an_acceptable_bill(tenant)
    event = tenant.run("invoice.accept", {"number": number, **PERSON})
    assert event["type"] == "invoice.accept.completed"
    again = tenant.run("invoice.accept", {"number": number, **PERSON})
    assert refusal(again) == ("invoice.accept.failed", "factus.validation", "event_type")
    rows = tenant.data_at_factus(f"/v2/bills/{number}/radian/events")
    assert [row["event_code"] for row in rows] == ["030", "032", "034"]
    note = FAMILY_CASES["credit_note"].body_about(number)
    assert refusal(FAMILY_CASES["credit_note"].issue(tenant, note))[:2] == ("job.refused", "radian.accepted")
    after = tenant.run("credit_note.issue", FAMILY_CASES["credit_note"].body_about(number), options=AFTER)
    assert refusal(after)[:2] == ("credit_note.rejected", "factus.validation")


@pytest.mark.parametrize("kind", ["cash", "not yet received", "unknown"])
def test_what_cannot_be_accepted_fails_and_says_why(tenant, kind):
    body: Any = a_credit_bill() if kind == "not yet received" else None
    number = "NADA1" if kind == "unknown" else FAMILY_CASES["invoice"].at_factus(tenant, body)["number"]
    event = tenant.run("invoice.accept", {"number": number, **PERSON})
    wanted = ("factus.not_found", None) if kind == "unknown" else ("factus.validation", "event_type")
    assert refusal(event) == ("invoice.accept.failed", *wanted)
    assert tenant.n_changes("bills.accept") == 0
