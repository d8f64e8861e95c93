"""
Each guarantee, broken on purpose: one line of the product is spoilt, and a test has to notice.

``python -m tests.mutations`` does it in a copy of the checkout and prints a table; ``docs/guarantees.md`` says it
in words. A test that stays green over a spoilt line proves nothing, and this says so with exit status 1.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("worker", "jobs", "schemas", "sandbox", "tests", "pyproject.toml")

BEYOND = "beyond"
"""What is promised beside G1 to G10, of calls and of what follows a document."""


@dataclass(frozen=True)
class Break:
    """One spoilt line: *old* stands once in *path*; *test* must fail with *new* in its place."""

    guarantee: str
    what: str
    path: str
    old: str
    new: str
    test: str


BREAKS = (
    Break(
        "G1",
        "a record found in `sending` is sent again without a look",
        "jobs/issue.py",
        '            return LookUp("unknown")',
        "            return Send()",
        "tests/unit/jobs/test_issue.py::test_a_record_found_in_sending_is_looked_up_first",
    ),
    Break(
        "G1",
        "a lost answer is followed by another create",
        "jobs/issue_policy.py",
        'return LookUp("unknown", reason)',
        "return Send()",
        "tests/unit/jobs/test_issue.py::test_a_lost_answer_is_looked_up_before_resending",
    ),
    Break(
        "G2",
        "a 409 to the second create makes a job forget that the first may be on its way",
        "jobs/attempt_policy.py",
        "return replace(ending, sent=SendState.UNKNOWN, sent_at_ms=self.job.sending_at)",
        "return ending",
        "tests/unit/jobs/test_issue.py::TestAnEarlierSendMayBeOnItsWay",
    ),
    Break(
        "G2",
        "each send that is answered with 409 puts off the end of the wait for the first",
        "jobs/attempt_policy.py",
        "sent=SendState.UNKNOWN, sent_at_ms=self.job.sending_at)",
        "sent=SendState.UNKNOWN)",
        "tests/unit/jobs/test_issue.py::TestAnEarlierSendMayBeOnItsWay",
    ),
    Break(
        "G2",
        "a document that a look has shown is forgotten when it cannot be asked for",
        "jobs/issue_policy.py",
        "sent=SendState.UNKNOWN if is_there else SendState.NOTHING",
        "sent=SendState.NOTHING",
        "tests/unit/jobs/test_issue.py::TestFoundWaitingForDian",
    ),
    Break(
        "G1",
        "the old document of a repeated reference is taken for the new one",
        "jobs/issue_policy.py",
        "        if difference:\n",
        "        if False:\n",
        "tests/unit/jobs/test_issue_policy.py::TestValidated",
    ),
    Break(
        "G1",
        "a word that is no state counts as nothing sent",
        "schemas/records.py",
        '"sent": SendState.UNKNOWN}',
        '"sent": SendState.NOTHING}',
        "tests/unit/schemas/test_records.py::TestStates::test_a_word_that_is_no_state_is_never_taken_for_nothing_sent",
    ),
    Break(
        "G1",
        "any 404 of a delete says that nothing is there",
        "worker/factus/http_answers.py",
        "    return answers.Absent() if isinstance(found, answers.NotFound) else found",
        "    return answers.Absent() if answer.status == 404 else found",
        "tests/unit/worker/factus/test_every_answer.py::test_only_factus_s_own_404_says_that_something_is_not_there",
    ),
    Break(
        "G1",
        "a page with 408 is an answer of Factus",
        "jobs/answer_policy.py",
        '    AnswerRow(_only(408, 421, 425), _ANY, "no_token", "lost"),',
        '    AnswerRow(_only(408, 421, 425), _ANY, "no_token", "refused"),',
        "tests/unit/worker/factus/test_every_answer.py::test_no_verdict_about_a_document_without_a_word_of_factus",
    ),
    Break(
        "G1",
        "the token route's 404 is about the job",
        "jobs/answer_policy.py",
        '    AnswerRow(_only(404), SPOKEN, "no_route", "not_there"),',
        '    AnswerRow(_only(404), SPOKEN, "not_there", "not_there"),',
        "tests/unit/worker/factus/test_every_answer.py::test_the_token_route_ends_no_job_costs_no_attempt_and_holds_the_account",
    ),
    Break(
        "G7",
        "a worker that has lost the job removes what bears the reference",
        "worker/factus/client.py",
        "FAMILIES[job.family].delete_of(reference_code), mark=mark)",
        "FAMILIES[job.family].delete_of(reference_code))",
        "tests/unit/worker/factus/test_client.py::TestRemovals::test_one_of_a_job_that_another_worker_has_is_not_sent",
    ),
    Break(
        "G6",
        "what bars a family is waited for, although it is ours",
        "jobs/issue_policy.py",
        "        return Remove(reference)",
        "        return self._barred(s.DocumentSeen(document))",
        "tests/contract/test_barred_families.py::test_one_that_dian_rejected_is_removed_and_the_family_goes_on",
    ),
    Break(
        "G6",
        "a reference is free while the DELETE of what barred its family may arrive",
        "worker/store/lua/begin_removal.lua",
        "redis.call('HSET', KEYS.document, 'free_at', text(free_at))",
        "",
        "tests/contract/test_barred_families.py::test_its_reference_is_not_free_while_the_delete_may_still_arrive",
    ),
    Break(
        "G7",
        "who takes a document over forgets until when a DELETE may arrive",
        "worker/store/lua/intake.lua",
        "redis.call('HDEL', e.document, 'event', 'stays')",
        "redis.call('HDEL', e.document, 'event', 'free_at', 'stays')",
        "tests/contract/test_lost_deletes.py::test_the_next_after_one_whose_time_is_up_waits",
    ),
    Break(
        "G7",
        "a document that is issued again is removed for another job",
        "worker/store/lua/permit.lua",
        "if state ~= 'rejected' and state ~= 'failed' then return {'late'} end",
        "",
        "tests/unit/worker/factus/test_client.py::TestRemovals::test_another_document_that_is_issued_again_by_now_is_left_alone",
    ),
    Break(
        "G9",
        "what an answer unpacks to is not counted",
        "worker/factus/bounded_body.py",
        "                if len(held) + len(part) > limit:",
        "                if False:",
        "tests/property/test_answer_properties.py::test_a_body_of_any_bytes_stays_within_its_bound",
    ),
    Break(
        "G9",
        "an amount may have three hundred million digits",
        "schemas/factus.py",
        "    return found if found.is_finite() and abs(found.adjusted()) <= _LONGEST_AMOUNT else None",
        "    return found if found.is_finite() else None",
        "tests/unit/schemas/test_factus.py::test_an_amount_that_could_not_be_written_out_is_none",
    ),
    Break(
        "G10",
        "what Factus gives back of the credentials is told on",
        "worker/factus/client.py",
        "        tokens = (*self._tokens_known, *http_answers.tokens_in(answer))",
        "        return answer",
        "tests/integration/test_hostile_answers.py::test_what_servers_give_back_of_the_secrets_is_blotted",
    ),
    Break(
        "G2",
        "a stale owner may write",
        "worker/store/lua/end_attempt.lua",
        "if not owns(job, fence) then return {'lost'} end",
        "",
        "tests/contract/test_ownership.py::test_a_stale_owner_notices_and_writes_nothing",
    ),
    Break(
        "G2",
        "who joined a document hears nothing",
        "worker/store/lua/end_joined.lua",
        "  publish(results, ARGV.maxlen, one.event)\n",
        "  local _ = ARGV.maxlen\n",
        "tests/contract/test_way_of_a_job.py::TestSameJobAgain::test_an_open_document_is_joined_and_each_job_gets_its_result",
    ),
    Break(
        "G2",
        "a slice of joined jobs is ended twice",
        "worker/store/lua/end_joined.lua",
        "  if first[n] ~= jobs[n].id then return -1 end\n",
        "",
        "tests/contract/test_joined_slices.py::test_a_slice_that_another_worker_has_ended_is_not_ended_again",
    ),
    Break(
        "G2",
        "what cannot be written has no lesser end",
        "jobs/lesser_ends.py",
        '    if ending.state != "completed":\n        yield plain_job, _plain_final(ending)\n',
        "",
        "tests/contract/test_every_attempt_ends.py::"
        "test_a_document_whose_answer_cannot_be_written_is_validated_all_the_same",
    ),
    Break(
        "G2",
        "defects are not counted",
        "worker/queue/attempt_runner.py",
        "            n_defects = job.defects + 1\n            log.exception(\n",
        "            n_defects = 1\n            log.exception(\n",
        "tests/contract/test_every_attempt_ends.py::test_defects_in_a_row_end_a_job_and_the_lane_goes_on",
    ),
    Break(
        "G2",
        "a script writes before it has checked its keys",
        "worker/store/lua/close_batch.lua",
        "if wrong then return wrong end\n",
        "",
        "tests/contract/test_scripts_whole.py::test_a_key_of_a_wrong_type_is_an_error_before_the_first_write",
    ),
    Break(
        "G3",
        "a member that fails keeps those behind it from their turn",
        "worker/queue/sweep.py",
        "                await self._redis.zadd(self._keys.deadlines(), {raw: now_ms + pause_ms}, xx=True)\n",
        "                pass\n",
        "tests/contract/test_loops.py::test_poisoned_deadlines_keep_the_next_from_nothing",
    ),
    Break(
        "G3",
        "what a dead leader had read is not taken over",
        "worker/intake/consumer.py",
        "                await self._reclaim(on_work)\n",
        "                pass\n",
        "tests/contract/test_ownership.py::test_what_a_dead_leader_had_read_is_taken_over_in_order",
    ),
    Break(
        "G3",
        "what a dead worker had in hand is not run by another",
        "worker/queue/arq_worker.py",
        "        self.run_claimed(self.claimer.read(rows))\n",
        "",
        "tests/contract/test_ownership.py::test_a_mark_that_outlives_its_score_is_looked_at_when_it_ends",
    ),
    Break(
        "G4",
        "the window does not count",
        "worker/store/lua/permit.lua",
        "if free_at > now then return {'wait', text(free_at - now)} end",
        "",
        "tests/contract/test_rate_limit.py::test_in_any_window_over_many_askers",
    ),
    Break(
        "G5",
        "everybody may fetch a token",
        "worker/store/lua/token_get.lua",
        "if redis.call('SET', KEYS.lock, ARGV.worker, 'NX', 'PX', ARGV.lock_ms) then return {'lead', generation} end",
        "redis.call('SET', KEYS.lock, ARGV.worker, 'PX', ARGV.lock_ms)\nif true then return {'lead', generation} end",
        "tests/contract/test_token_cache.py::test_a_hundred_callers_in_four_processes_cause_one_request",
    ),
    Break(
        "G6",
        "a rejected document stays",
        "jobs/issue_policy.py",
        "            return Delete(verdict, number)\n",
        "            return self._final_rejected(verdict)\n",
        "tests/contract/test_way_of_a_job.py::TestTrouble::test_a_rejection_frees_the_lane_for_the_next",
    ),
    Break(
        "G7",
        "what waits for DIAN counts as rejected",
        "jobs/issue_policy.py",
        "        if any(remark.is_rejection for remark in document.remarks):\n            return self._rejected",
        "        if not document.is_validated:\n            return self._rejected",
        "tests/unit/jobs/test_issue_policy.py::TestWaitingForDian",
    ),
    Break(
        "G7",
        "a reference is free while a DELETE may arrive",
        "jobs/issue_policy.py",
        "            return replace(self._final_rejected(verdict, number=number), free_in_s=waits_s)\n",
        "            return self._final_rejected(verdict)\n",
        "tests/contract/test_change_lock.py::test_a_corrected_document_waits_until_a_lost_delete_can_take_it_no_more",
    ),
    Break(
        "G7",
        "a document is issued while its reference is being deleted",
        "jobs/issue.py",
        "    if isinstance(step, LookUp) and await journal.is_being_removed(policy.job):\n",
        "    if isinstance(step, str):\n",
        "tests/contract/test_change_lock.py::test_a_document_is_not_issued_while_what_bears_its_reference_is_deleted",
    ),
    Break(
        "G8",
        "one account's hold is everybody's",
        "worker/store/keys.py",
        '        return f"{self.namespace}:account:{account}"',
        '        return f"{self.namespace}:account:all"',
        "tests/contract/test_way_of_a_job.py::test_accounts_do_not_wait_for_each_other",
    ),
    Break(
        "G9",
        "payloads go out unchecked",
        "jobs/intake.py",
        "        if validated.errors:\n",
        "        if False:\n",
        "tests/contract/test_way_of_a_job.py::TestRefusals::test_a_payload_fault_names_field_and_rule_and_costs_no_call",
    ),
    Break(
        "G9",
        "an entry that trips a defect ends the intake",
        "worker/intake/writer.py",
        "Exception as exc:  # noqa: BLE001  # whatever a producer found to trip us",
        "MemoryError as exc:  # whatever a producer found to trip us",
        "tests/contract/test_ownership.py::test_an_entry_that_trips_a_defect_is_refused_and_the_next_goes_on",
    ),
    Break(
        "G9",
        "a slice that one entry breaks is not halved",
        "worker/intake/writer.py",
        "                if is_server_state(exc):\n                    raise\n                await self._write_parts",
        "                raise\n                await self._write_parts",
        "tests/contract/test_intake_borders.py::TestWhatTripsUs::test_a_key_of_the_wrong_type_costs_its_own_entry_only",
    ),
    Break(
        "G9",
        "a document is built however much it holds",
        "schemas/strict_json.py",
        "    if len(structure) > MAX_MARKS:\n",
        "    if False:\n",
        "tests/unit/schemas/test_strict_json.py::test_what_goes_beyond_a_bound_is_told_from_what_is_no_json",
    ),
    Break(
        "G9",
        "anybody may name an account with streams of its own",
        "jobs/intake.py",
        "        elif account in self.own_streams:\n",
        "        elif False:\n",
        "tests/contract/test_way_of_a_job.py::test_nobody_acts_for_an_account_with_own_streams_through_the_common_one",
    ),
    Break(
        "G10",
        "any key may be logged",
        "worker/logs.py",
        "        del event[key]\n",
        "        pass\n",
        "tests/unit/worker/test_logs.py::test_keys_that_nobody_allowed_are_dropped_and_the_gap_is_told",
    ),
    Break(
        BEYOND,
        "an e-mail goes out again after an unknown outcome",
        "jobs/document_verbs.py",
        '    if context.is_uncertain:\n        return context.unknown_outcome("el correo salió")\n',
        "",
        "tests/unit/jobs/test_calls.py::TestNeverTwice::test_a_crash_while_it_was_sent_ends_the_job_without_a_call",
    ),
    Break(
        BEYOND,
        "a toggle is sent beside one that is still on its way",
        "jobs/calls.py",
        '        if when_unknown != "stop" and self.is_uncertain and self.policy.is_on_its_way:\n',
        "        if False:\n",
        "tests/simulation/test_found.py::test_a_write_that_may_still_arrive_is_not_sent_beside_itself",
    ),
    Break(
        BEYOND,
        "two jobs change one range at once",
        "jobs/calls.py",
        '        if state == "queued":\n',
        "        if not turn:\n",
        "tests/contract/test_change_lock.py::test_two_jobs_that_want_the_same_toggle_once",
    ),
    Break(
        BEYOND,
        "calls ignore what waits to be issued",
        "jobs/registry.py",
        """    return ",".join(FAMILIES) if is_calls_lane(lane) else ""\n""",
        """    return ""\n""",
        "tests/contract/test_calls.py::TestBehindIssuing::test_low_calls_leave_a_quarter_of_the_allowance",
    ),
    Break(
        BEYOND,
        "files are archived for the first who asked only",
        "worker/queue/joined_jobs.py",
        "    return follow_ups(one.job, one.event.data, seq=one.event.place)\n",
        "    return []\n",
        "tests/contract/test_follow_ups.py::TestArchive::test_everybody_who_asked_hears_of_it",
    ),
    Break(
        BEYOND,
        "drafts are archived under the final names",
        "jobs/document_verbs.py",
        "    if instead:\n        raise Stop(instead)\n",
        "",
        "tests/unit/jobs/test_archive_files.py::TestOnlyValidatedDocuments::test_one_that_waits_for_dian_is_waited_for",
    ),
    Break(
        BEYOND,
        "a file that fails keeps the others from the archive",
        "jobs/archive_files.py",
        "        return sorted(left, key=lambda kind: delayed.index(kind) if kind in delayed else -1)\n",
        "        return left\n",
        "tests/contract/test_follow_ups.py::TestArchive::"
        "test_a_file_that_fails_keeps_no_other_out_and_is_all_that_is_asked_for_again",
    ),
    Break(
        BEYOND,
        "a RADIAN event is told at every look",
        "jobs/radian/clock.py",
        "        fresh = [event for event in events if event.key not in known]\n",
        "        fresh = list(events)\n",
        "tests/contract/test_follow_ups.py::TestRadian::test_each_new_event_is_published_once_until_the_end",
    ),
    Break(
        BEYOND,
        "a tacit acceptance goes out again at once",
        "jobs/radian/clock.py",
        "        from_ms = max(now_ms, accepts_ms)\n",
        "        from_ms = now_ms - 0 * accepts_ms\n        return self.policy.emits_ms(from_ms)\n",
        "tests/unit/jobs/radian/test_clock.py::TestAcceptance::"
        "test_one_that_does_not_show_is_sent_three_times_an_hour_apart_and_then_told",
    ),
    Break(
        BEYOND,
        "what was sent when its worker died is forgotten",
        "jobs/radian/watch.py",
        "    if context.is_uncertain:\n        state = clock.after_send(state, context.policy.job.sending_at, _LOST)\n",
        "",
        "tests/unit/jobs/radian/test_watch.py::test_a_crash_while_it_was_sent_counts_as_sent",
    ),
    Break(
        BEYOND,
        "an operator's news goes into the stream of RADIAN events",
        "worker/store/lua/end_attempt.lua",
        "  if is_news then publish(notices, maxlen, notice.event) end\n",
        "  if is_news then publish(results, maxlen, notice.event) end\n",
        "tests/simulation/test_found.py::test_an_operator_s_news_never_goes_into_the_stream_of_radian_events",
    ),
    Break(
        BEYOND,
        "a sale passes what bears its reference",
        "jobs/overtaking.py",
        "any(use in self._newest or use in met for use in (_WALL, *own))",
        "any(use in self._newest or use in met for use in (_WALL,))",
        "tests/property/test_overtaking_properties.py::test_none_passes_what_it_must_not",
    ),
    Break(
        BEYOND,
        "what stands before a sale is not asked for",
        "worker/intake/lookout.py",
        "after = ahead.taken_to",
        "after = ids[0]",
        "tests/property/test_overtaking_properties.py::test_none_passes_what_it_must_not",
    ),
    Break(
        BEYOND,
        "the server does not tell of what is in the way of a sale where its id is written as an escape",
        "worker/store/lua/in_the_way.lua",
        "if not text or wanted[text] then return true end",
        "if text and wanted[text] then return true end",
        "tests/contract/test_in_the_way.py::test_of_whatever_is_written_none_is_missed",
    ),
    Break(
        BEYOND,
        "the server waits while the next slice is examined",
        "worker/intake/consumer.py",
        "_STEPS_TO_SEND: Final = 10",
        "_STEPS_TO_SEND: Final = 0",
        "tests/contract/test_intake_overlap.py",
    ),
)


def is_noticed(broken: Break, folder: Path) -> bool:
    """Spoil the line in the copy, run the test, mend the line."""
    path = folder / broken.path
    whole = path.read_text()
    path.write_text(whole.replace(broken.old, broken.new, 1))
    try:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", broken.test]
        return subprocess.run(command, cwd=folder, capture_output=True, timeout=600).returncode == 1
    finally:
        path.write_text(whole)


def main(wanted: list[str]) -> int:
    """*wanted* names guarantees (``G3 G8``); none means all."""
    breaks = [broken for broken in BREAKS if not wanted or broken.guarantee in wanted]
    n_unnoticed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in COPIED:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / part)
        for broken in breaks:
            noticed = is_noticed(broken, folder)
            n_unnoticed += not noticed
            print(
                f"{broken.guarantee:4} {'noticed  ' if noticed else 'UNNOTICED'} {broken.what} ({broken.path})",
                flush=True,
            )
    print(f"{len(breaks) - n_unnoticed} of {len(breaks)} spoilt lines noticed")
    return 1 if n_unnoticed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
