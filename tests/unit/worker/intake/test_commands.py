"""What an entry becomes, laid out: one form between the validation and the script."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from jobs.entry import Entry
from jobs.events import final_event
from jobs.intake import EntryValidator
from jobs.outcomes import Finished
from tests.builders import a_bill
from tests.service_in_process import an_account
from worker.intake.commands import IntakeCommands
from worker.intake.policy import IntakePolicy
from worker.intake.script_arguments import EntryKeys, EntryValues, IntakeCommand, Kind, lay_out
from worker.queue.ledger_policy import LedgerPolicy
from worker.queue.script_values import EventValues, TallyValues
from worker.store.keys import Keys

ID = "1795000000000-7"
STREAM = "ns:jobs"
KEYS = Keys("ns")
ACME = an_account()
POLICY = LedgerPolicy(retention_days=1, results_maxlen=10, deadline_ms=5000, radian_interval_ms=700)
COMMANDS = IntakeCommands(
    KEYS, EntryValidator({"acme": ACME.zone}, lambda: 1_795_000_000_000), {"acme": ACME}, IntakePolicy(), POLICY
)


def entry(**job: Any) -> Entry:
    envelope = {"type": "invoice.issue", "account": "acme", "payload": a_bill(reference_code="A"), **job}
    return Entry(STREAM, ID, json.dumps(envelope).encode())


def parts(command: IntakeCommand) -> dict[str, Any]:
    """A command read as the script reads it: the values in their order, and three lists with their numbers."""
    args = list(command.args)
    n = len(EntryValues._fields)
    values = EntryValues(*args[:n])
    tally = TallyValues(*args[n : n + len(TallyValues._fields)])
    del args[: n + len(TallyValues._fields)]
    lists = []
    for width in (2, 1, 2):
        count = args.pop(0) * width
        lists.append(args[:count])
        del args[:count]
    assert not args
    fields, event, letter = lists
    pairs = dict(zip(fields[::2], fields[1::2], strict=True))
    letter = dict(zip(letter[::2], letter[1::2], strict=True))
    return {"values": values, "tally": tally, "fields": pairs, "event": event, "letter": letter}


def test_a_job_is_accepted_into_its_lane_and_its_document():
    command = COMMANDS.validate(entry(id="one", batch="b", batch_size=3))
    found = parts(command)
    assert (command.kind, command.account, command.lane, command.errors) == ("accept", "acme", "acme/invoice", ())
    document = KEYS.document("acme", "invoice", "A")
    assert command.keys == EntryKeys(
        STREAM, "ns:results", "ns:job:acme:one", document, KEYS.joined(document),
        KEYS.waiting("acme/invoice"), KEYS.later("acme/invoice"),
    )  # fmt: skip
    record = command.record
    assert record is not None
    assert found["values"] == EntryValues(
        Kind.ACCEPT, ID, "one", "acme/invoice", record.content, record.fingerprint, 0, 0, record.score, 5000, 3
    )
    assert found["tally"].member == "acme/b"
    assert found["fields"] == record.to_hash()
    assert (found["event"], found["letter"]) == ([], {})


def test_the_instants_that_bound_a_job_go_along():
    command = COMMANDS.validate(entry(issue_on="2026-11-20"))
    found = parts(command)
    start_ms, end_ms = found["values"].start_ms, found["values"].end_ms
    assert end_ms - start_ms == 86_400_000
    assert found["fields"]["start_at"] == str(start_ms)


def test_a_refusal_is_closed_with_its_event_and_its_letter():
    command = COMMANDS.validate(entry(id="one", type="invoice.isue", batch="b", batch_size=3))
    found = parts(command)
    assert (command.kind, command.lane) == (Kind.CLOSE, "")
    assert [error.code for error in command.errors] == ["envelope.invalid"]
    assert command.keys == EntryKeys(STREAM, "ns:results", "ns:job:acme:one", STREAM, STREAM, STREAM, STREAM)
    assert EventValues(*found["event"])[1:4] == ("job.refused", "acme", "one")
    assert found["letter"]["reason"] == "envelope.invalid"
    assert (found["values"].size, found["tally"].member) == (3, "acme/b")


def test_a_refusal_that_uses_up_no_id_names_no_key_of_the_ledger():
    command = COMMANDS.validate(Entry(STREAM, ID, b"no json"))
    assert (command.record, command.keys.job, parts(command)["fields"]) == (None, STREAM, {})


def test_an_id_that_redis_gave_twice_becomes_another_one():
    first = COMMANDS.validate(entry())
    again = COMMANDS.conflict(COMMANDS.conflict(first, "id.conflict"), "id.conflict")
    assert (again.kind, parts(again)["values"].id, again.keys.job) == ("accept", f"{ID}.3", f"ns:job:acme:{ID}.3")
    assert parts(again)["values"][3:] == parts(first)["values"][3:]


def test_another_one_s_reference_is_a_refusal():
    command = COMMANDS.conflict(COMMANDS.validate(entry(id="one")), "reference.conflict")
    assert (command.kind, command.errors[0].code) == (Kind.CLOSE, "reference.conflict")
    assert command.keys.job == "ns:job:acme:one"


def test_what_a_document_is_followed_by_comes_behind_its_answer():
    options = {"archive": ["pdf"], "track_radian": True}
    bill = a_bill(reference_code="A")
    bill["payment_details"] = [{**bill["payment_details"][0], "payment_form": "2", "due_date": "2026-12-31"}]
    command = COMMANDS.validate(entry(id="two", payload=bill, options=options, batch="b"))
    assert command.record is not None
    validated = Finished("validated", "ok", data={"number": "SETP1", "factus": {}}, number="SETP1")
    first = final_event(command.record, validated, attempts=1, now=datetime.now(ACME.zone))
    closing, *following = COMMANDS.replay(command, json.loads(first.to_json()), [])
    assert (closing.kind, parts(closing)["values"].fingerprint) == (Kind.CLOSE, command.record.fingerprint)
    assert {one.kind for one in (closing, *following)} == {Kind.CLOSE, Kind.FOLLOW, Kind.WATCH}
    for one in following:
        found = parts(one)
        assert (one.entry, one.keys.document, one.lane) == (command.entry, command.keys.document, "acme/calls")
        assert (found["tally"].member, found["values"].size, found["values"].fingerprint) == ("", 0, "")
    archive, track = (json.loads(parts(one)["fields"]["payload"]) for one in following)
    assert "validated_at" not in archive
    assert datetime.fromisoformat(track["validated_at"]) == datetime.fromisoformat(json.loads(first.to_json())["time"])


def test_a_text_without_a_utf_8_form_costs_its_own_entry_only():
    """It would fail when the whole slice is sent."""
    keys = EntryKeys(*[STREAM] * 7)
    with pytest.raises(UnicodeEncodeError):
        lay_out(entry(), "acme", None, keys, EntryValues(Kind.ACCEPT, ID, "\ud800"))
    with pytest.raises(UnicodeEncodeError):
        lay_out(entry(), "acme", None, keys._replace(job="\ud800"), EntryValues(Kind.ACCEPT, ID))
