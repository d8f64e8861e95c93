"""Records as stored: states are closed sets of words, and what is JSON is read once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas import records, strict_json
from schemas.records import DocumentRecord, DocumentState, JobRecord, JobState, SendState
from schemas.strict_json import JsonRefused
from tests.records import a_job


def stored(**changes: str) -> dict[bytes, bytes]:
    words = {**a_job(state=JobState.INFLIGHT, sent=SendState.SENDING).to_hash(), **changes}
    return {name.encode(): value.encode() for name, value in words.items()}


class TestStates:
    def test_the_stored_words_are_these(self):
        """They stand in ledgers that are older than this code, and in the scripts."""
        assert [*JobState] == ["waiting", "inflight", "joined", "final"]
        assert [*SendState] == ["", "sending", "unknown", "deleting"]
        assert [*DocumentState] == ["open", "validated", "rejected", "failed"]

    def test_a_record_is_written_in_words_and_read_as_states(self):
        record = JobRecord.from_hash(stored())
        assert (type(record.state), type(record.sent)) == (JobState, SendState)
        assert {type(value) for value in record.to_hash().values()} == {str}
        assert record.to_hash()["sent"] == "sending"
        assert JobRecord.from_hash(stored()) == record

    @pytest.mark.parametrize("sent", SendState)
    def test_what_was_sent_is_uncertain_until_its_answer_is_written(self, sent):
        record = a_job(sent=sent)
        assert record.is_uncertain is (sent in ("sending", "unknown"))
        assert record.is_being_removed is (sent == "deleting")

    @pytest.mark.parametrize("word", ["later", "Sending", " "])
    @pytest.mark.parametrize("field", ["state", "sent"])
    def test_a_word_that_is_no_state_is_never_taken_for_nothing_sent(self, field, word):
        changed = stored(**{field: word})
        with pytest.raises(ValueError, match="state"):
            JobRecord.from_hash(changed)
        record, damaged = JobRecord.from_damaged(changed)
        assert damaged == [field]
        assert record.is_uncertain
        assert record.state is (JobState.WAITING if field == "state" else JobState.INFLIGHT)

    def test_the_states_of_a_damaged_record_are_read_as_well(self):
        record, damaged = JobRecord.from_damaged(stored(fence="x"))
        assert (record.state, record.sent, damaged) == (JobState.INFLIGHT, SendState.SENDING, ["fence"])

    @pytest.mark.parametrize("word", [b"open", b"validated", b"failed", b"later", b""])
    def test_a_document_is_open_by_its_word_alone(self, word):
        assert DocumentRecord.from_hash({b"v": b"1", b"state": word}).is_open is (word == b"open")


class TestParsedOnce:
    def test_what_is_json_is_parsed_once(self, monkeypatch):
        calls = []
        parse = strict_json.parse
        monkeypatch.setattr(records.strict_json, "parse", lambda text: calls.append(text) or parse(text))
        job = a_job(
            options='{"archive":["pdf"],"track_radian":true,"delete_rejected":false}',
            metadata='{"till":7}',
            warnings='[{"code":"payload.warning"}]',
            last_error='{"code":"internal"}',
        )
        for _ in range(3):
            assert (job.archives, job.tracks_radian, job.deletes_rejected) == (("pdf",), True, False)
            assert (job.parsed_metadata, job.parsed_warnings) == ({"till": 7}, ({"code": "payload.warning"},))
            assert job.parsed_last_error == {"code": "internal"}
        assert len(calls) == 4

    def test_progress_is_parsed_once_however_many_values_it_has(self):
        job = a_job(progress=f'{{"items":{[[]] * 200_000}}}')
        assert len(job.parsed_progress["items"]) == 200_000
        assert job.parsed_progress is job.parsed_progress
        assert a_job().parsed_progress == {}

    def test_a_payload_is_not_kept_parsed(self):
        job = a_job(payload='{"items":[]}')
        before = {*vars(job)}
        assert job.parse_payload() == {"items": []}
        assert {*vars(job)} == before

    def test_a_changed_record_is_read_anew_and_what_was_read_is_not_stored(self):
        job = a_job(options='{"archive":["pdf"]}')
        before = job.to_hash()
        assert job.archives == ("pdf",)
        assert job.to_hash() == before
        assert job == a_job(options='{"archive":["pdf"]}')
        assert replace(job, options="{}").archives == ()

    def test_what_was_never_given_is_not_there(self):
        job = a_job()
        assert (job.archives, job.tracks_radian, job.deletes_rejected) == ((), False, True)
        assert (job.parsed_metadata, job.parsed_warnings, job.parsed_last_error) == ({}, (), None)

    def test_a_damaged_one_is_told_of(self):
        with pytest.raises(JsonRefused):
            a_job(options="{").archives  # noqa: B018
