"""The outcome table, row by row: what was seen, and what follows."""

from __future__ import annotations

import typing
from dataclasses import replace

import pytest

from jobs import answers
from jobs.backoff import BackoffPolicy
from jobs.calls import CallPolicy
from jobs.issue_policy import Delete, IssuePolicy, LookUp, Resend, Send, verdict_to_json
from jobs.outcomes import AccountState, Finished, Retry
from jobs.patience import PATIENCE
from schemas import strict_json
from schemas.contract.event import ErrorDetail
from schemas.contract.event_data import VALIDATED
from schemas.factus import DocumentView, Remark
from tests.fakes import a_document
from tests.records import HOUR_MS, NOW_MS, a_job

REJECTION = Remark("Regla: FAK24, Rechazo: No está informado el DV del NIT", "FAK24")
NOTICE = Remark("Regla: RUT01, Notificación: La validación del estado del RUT se hará después", "RUT01")
VERDICT = (ErrorDetail(code="dian.rejected", message="x", rule="FAK24"),)
RULE_90 = Remark("Regla: 90, Rechazo: Documento procesado anteriormente.")


def policy(*, delete_rejected=True, **job):
    standing = AccountState(now_ms=NOW_MS)
    return IssuePolicy(a_job(**job), BackoffPolicy(5.0, 300.0), lambda: 0.0, standing, delete_rejected=delete_rejected)


def document(**changes):
    return answers.DocumentSeen(DocumentView(a_document(a_job(), **changes)))


EVERY_SEEN = [
    document(),
    answers.Acknowledged(),
    answers.Absent(),
    answers.Done(),
    answers.Replied({}),
    answers.FieldsRefused("Error de validación", ()),
    answers.RulesRefused((REJECTION,)),
    answers.Conflicted("Se encontró una factura pendiente por enviar a la DIAN"),
    answers.NotFound("no"),
    answers.CredentialsRefused("invalid_grant"),
    answers.NoToken("el servidor de tokens respondió 503", 503),
    answers.Misrouted(404),
    answers.PaymentRequired("pago"),
    answers.Denied("version", "Version de API no disponible para esta empresa"),
    answers.BadRequest(400, "mal"),
    answers.Throttled(3.0),
    answers.NotSent("sin conexión"),
    answers.Unknown("timeout"),
    answers.NoPermit(0.5),
    answers.TooLate(),
]


def test_every_kind_of_answer_is_in_the_list_above():
    assert {type(seen) for seen in EVERY_SEEN} == set(typing.get_args(answers.Answer))


@pytest.mark.parametrize("seen", EVERY_SEEN, ids=lambda seen: type(seen).__name__)
@pytest.mark.parametrize("sent", ["", "unknown", "deleting"])
def test_every_answer_has_a_step_in_every_place(seen, sent):
    """No answer of Factus may end in an exception, whatever call it answers."""
    steps = (Send, LookUp, Delete, Finished, Retry)
    subject = policy(sent=sent, verdict=verdict_to_json(VERDICT))
    assert isinstance(subject.after_create(seen), steps)
    for has_sent in (False, True):
        for reason in ("unknown", "deleting", "processed_before", "conflict"):
            assert isinstance(subject.after_look_up(seen, reason, has_sent=has_sent), steps)
        assert isinstance(subject.after_delete(seen, VERDICT, has_sent=has_sent), steps)


@pytest.mark.parametrize("seen", [seen for seen in EVERY_SEEN if not isinstance(seen, answers.RulesRefused)], ids=repr)
def test_only_dian_s_rejection_of_our_document_deletes(seen):
    assert not isinstance(policy().after_create(seen), Delete)
    assert not isinstance(policy().after_look_up(seen, "unknown", has_sent=True), Delete)


class TestValidated:
    def test_a_validated_document_is_final(self):
        step = policy().after_create(document(number="SETP7"))
        assert isinstance(step, Finished)
        assert (step.state, step.number) == ("validated", "SETP7")
        assert step.data["total"] == "119000.00"

    def test_notices_are_carried_and_never_taken_for_failures(self):
        step = policy().after_create(document(errors={"RUT01": NOTICE.text}))
        assert step.state == "validated"
        assert step.data["notifications"] == [
            {"rule": "RUT01", "message": "La validación del estado del RUT se hará después"}
        ]

    @pytest.mark.parametrize("changes", [{"totals": {"total": "118000.00"}}, {"customer": {"identification": "900"}}])
    def test_another_document_under_the_reference_is_a_conflict_and_not_a_success(self, changes):
        """A repeated reference returns the OLD document, whatever was sent."""
        step = policy().after_create(document(**changes))
        assert (step.state, step.errors[0].code) == ("failed", "reference.conflict")

    def test_a_few_cents_of_rounding_are_no_other_document(self):
        assert policy().after_create(document(totals={"total": "119000.02"})).state == "validated"


class TestRejected:
    @pytest.mark.parametrize(
        "seen",
        [
            answers.RulesRefused((REJECTION, NOTICE)),
            document(is_validated=False, errors={"FAK24": REJECTION.text, "RUT01": NOTICE.text}),
            document(is_validated=False, errors=[REJECTION.text, NOTICE.text]),
        ],
        ids=["422", "map", "list"],
    )
    def test_dian_s_rejection_is_removed_and_told_with_its_rules_only(self, seen):
        step = policy().after_create(seen)
        assert isinstance(step, Delete)
        assert [(error.code, error.rule) for error in step.verdict] == [("dian.rejected", "FAK24")]

    def test_a_rejected_document_of_somebody_else_is_not_deleted(self):
        step = policy().after_create(
            document(is_validated=False, errors=[REJECTION.text], totals={"total": "1.00"}),
        )
        assert (step.state, step.errors[0].code) == ("failed", "reference.conflict")

    def test_it_stays_at_factus_when_the_producer_says_so(self):
        step = policy(delete_rejected=False).after_create(answers.RulesRefused((REJECTION,)))
        assert (step.state, step.errors[0].rule) == ("rejected", "FAK24")

    def test_field_errors_are_final_and_keep_their_paths(self):
        step = policy().after_create(
            answers.FieldsRefused("Error de validación", (Remark("El campo x es inválido.", "items.0.price"),))
        )
        assert (step.state, step.errors[0].code, step.errors[0].field) == (
            "rejected",
            "factus.validation",
            "items.0.price",
        )

    def test_a_422_that_names_nothing_is_looked_into_and_still_says_something(self):
        look = policy().after_create(answers.FieldsRefused("Error de validación", ()))
        assert look == LookUp("unnamed", "Error de validación")
        step = policy().after_look_up(answers.Absent(), look.reason, has_sent=True, why=look.why)
        assert "rango de numeración" in step.errors[0].message
        assert "422" in step.errors[0].message

    def test_a_document_behind_a_422_that_names_nothing_goes_by_what_dian_said_of_it(self):
        seen = document(is_validated=False, errors=[REJECTION.text])
        assert isinstance(policy().after_look_up(seen, "unnamed", has_sent=True, why="x"), Delete)
        assert policy().after_look_up(document(), "unnamed", has_sent=True, why="x").state == "validated"

    @pytest.mark.parametrize(
        "seen",
        [
            answers.RulesRefused((REJECTION,), "", "SETP7"),
            document(number="SETP7", is_validated=False, errors=[REJECTION.text]),
        ],
    )
    def test_a_rejected_document_that_had_a_number_tells_it(self, seen):
        delete = policy().after_create(seen)
        ended = policy().after_delete(answers.Done(), delete.verdict, has_sent=True, number=delete.number)
        assert (ended.state, ended.data, ended.number) == ("rejected", {"number": "SETP7"}, "SETP7")
        assert [error.rule for error in ended.errors] == ["FAK24"]
        kept = policy(delete_rejected=False).after_create(seen)
        assert kept.data == {"number": "SETP7"}

    def test_a_number_that_was_written_down_survives_the_process(self):
        ended = policy(sent="deleting", verdict=verdict_to_json(VERDICT), number="SETP7").after_look_up(
            answers.Absent(), "deleting", has_sent=True
        )
        assert ended.data == {"number": "SETP7"}

    def test_one_without_a_number_has_no_data(self):
        assert policy().after_create(answers.FieldsRefused("x", (Remark("mal", "customer.dv"),))).data is None

    def test_a_lost_answer_to_the_delete_keeps_the_job_open(self):
        step = policy().after_delete(answers.Unknown("timeout"), VERDICT, has_sent=True)
        assert isinstance(step, Retry)
        assert step.sent == "deleting"

    @pytest.mark.parametrize(("ago_ms", "free_in_s"), [(4_000, 6.0), (10_000, 0.0)])
    def test_the_reference_is_free_when_a_lost_delete_can_arrive_no_more(self, ago_ms, free_in_s):
        """It would take the corrected document, which waits for DIAN by then."""
        begun = policy(sent="deleting", attempts=1, verdict=verdict_to_json(VERDICT), deleting_at=NOW_MS - ago_ms)
        for gone in (
            begun.after_look_up(answers.Absent(), "deleting", has_sent=False),
            begun.after_delete(answers.Done(), VERDICT, has_sent=False),
        ):
            assert (gone.state, gone.errors, gone.free_in_s) == ("rejected", VERDICT, free_in_s)

    def test_one_that_could_not_be_removed_in_time_ends_by_dian_s_word(self):
        """Factus may deny the DELETE: the producer needs DIAN's reason all the same."""
        late = policy(sent="deleting", attempts=1, verdict=verdict_to_json(VERDICT), deleting_at=NOW_MS - 4_000)
        step = late.time_is_up(ErrorDetail(code="factus.denied", message="no"))
        assert (step.state, step.errors, step.free_in_s, step.leaves_a_document) == ("rejected", VERDICT, 6.0, True)
        assert policy().time_is_up(ErrorDetail(code="factus.denied", message="no")).state == "failed"

    def test_the_longest_wait_for_an_answer_counts_twice_where_that_is_longer(self):
        late = replace(policy(sent="deleting", attempts=1, deleting_at=NOW_MS - 30_000), settle_ms=120_000)
        assert late.after_delete(answers.Done(), VERDICT, has_sent=False).free_in_s == 90.0

    def test_a_document_that_takes_the_place_of_a_rejected_one_waits_for_that_itself(self):
        begun = policy(sent="deleting", verdict=verdict_to_json(VERDICT), deleting_at=NOW_MS - 4_000)
        step = begun.after_look_up(answers.Absent(), "deleting", has_sent=False)
        assert isinstance(step, Retry)
        assert (step.waits, step.sent, step.pause_s, step.is_failure) == ("job", "deleting", 6.0, False)

    @pytest.mark.parametrize(
        "seen", [answers.Unknown("timeout"), answers.BadRequest(400, "mal"), answers.NotSent("sin conexión")]
    )
    def test_a_removal_that_cannot_be_looked_up_goes_on_as_one(self, seen):
        step = policy(sent="deleting").after_look_up(seen, "deleting", has_sent=False)
        assert isinstance(step, Retry)
        assert step.sent == "deleting"

    def test_what_an_earlier_job_left_rejected_makes_room_for_the_new_document(self):
        """Its verdict is about other content than what was pushed now."""
        found = policy(sent="unknown").after_look_up(
            document(is_validated=False, errors=[REJECTION.text]), "unknown", has_sent=False
        )
        assert isinstance(found, Delete)
        assert policy(sent="unknown").after_delete(answers.Done(), found.verdict, has_sent=False) == Send()
        begun = policy(sent="deleting", verdict=verdict_to_json(VERDICT))
        assert begun.after_look_up(answers.Absent(), "deleting", has_sent=False) == Send()

    def test_where_it_may_not_be_removed_the_new_one_is_not_sent(self):
        step = policy(sent="unknown", delete_rejected=False).after_look_up(
            document(is_validated=False, errors=[REJECTION.text]), "unknown", has_sent=False
        )
        assert (step.state, step.errors[0].rule) == ("rejected", "FAK24")
        assert step.message.startswith("No se envió")


class TestWaitingForDian:
    @pytest.mark.parametrize(
        "seen",
        [answers.Acknowledged(), document(is_validated=False), document(is_validated=False, errors=[NOTICE.text])],
    )
    def test_it_is_told_once_and_asked_again_with_the_lane_waiting(self, seen):
        step = policy().after_create(seen)
        assert isinstance(step, Retry)
        assert (step.waits, step.pending, step.sent) == ("lane", True, "")

    def test_found_pending_it_is_sent_again_unchanged(self):
        assert policy(sent="unknown").after_look_up(document(is_validated=False), "unknown", has_sent=False) == Resend()

    def test_found_pending_after_the_deadline_it_is_left_alone_and_told_as_pending(self):
        late = replace(policy(sent="unknown", deadline_at=1000), standing=AccountState(now_ms=1000))
        step = late.after_look_up(document(is_validated=False), "unknown", has_sent=False)
        assert isinstance(step, Retry)
        assert step.reason.code == "dian.pending"

    def test_a_time_that_is_up_in_a_held_account_is_told_by_what_holds_it(self):
        held = AccountState(now_ms=1000, account_blocked_since_ms=1, account_hold_reason="factus.credentials")
        late = replace(policy(deadline_at=1000), standing=held)
        assert late.too_late(1000, 0).errors[0].code == "factus.credentials"


class TestRule90:
    @pytest.mark.parametrize(
        "seen", [answers.RulesRefused((RULE_90,)), document(is_validated=False, errors=[RULE_90.text])]
    )
    def test_it_is_looked_up_and_never_deleted(self, seen):
        assert policy().after_create(seen) == LookUp("processed_before")

    def test_validated_there_it_is_ours(self):
        assert policy().after_look_up(document(), "processed_before", has_sent=True).state == "validated"

    @pytest.mark.parametrize("seen", [answers.Absent(), document(is_validated=False, errors=[RULE_90.text])])
    def test_else_a_person_must_look(self, seen):
        step = policy().after_look_up(seen, "processed_before", has_sent=True)
        assert (step.state, step.errors[0].code, step.errors[0].rule) == ("failed", "dian.processed", "90")


class TestUnknown:
    def test_it_is_looked_up_before_anything_is_sent_again(self):
        assert policy().after_create(answers.Unknown("timeout")) == LookUp("unknown", "timeout")

    def test_absent_after_our_send_waits_and_looks_again(self):
        """The lost create may still be under way at Factus."""
        step = policy().after_look_up(answers.Absent(), "unknown", has_sent=True)
        assert isinstance(step, Retry)
        assert (step.sent, step.waits) == ("unknown", "lane")

    def test_absent_in_a_later_attempt_is_sent_again(self):
        assert policy(sent="unknown").after_look_up(answers.Absent(), "unknown", has_sent=False) == Send()

    def test_one_that_alone_keeps_failing_steps_aside(self):
        step = policy(failures=2).after_look_up(answers.Absent(), "unknown", has_sent=True)
        assert step.waits == "job"

    @pytest.mark.parametrize(
        "seen", [answers.Unknown("x"), answers.NotSent("x"), answers.NoPermit(1.0), answers.Throttled(1.0)]
    )
    def test_a_look_up_that_fails_leaves_it_unknown(self, seen):
        step = policy(sent="unknown").after_look_up(seen, "unknown", has_sent=False)
        assert isinstance(step, Retry)
        assert step.sent == "unknown"


class TestAccount:
    @pytest.mark.parametrize(
        ("seen", "code", "waits"),
        [
            (answers.PaymentRequired("pago"), "factus.payment_required", "account"),
            (answers.Denied("version", "v"), "factus.denied", "account"),
            (answers.Denied("edge", "html"), "factus.denied", "account"),
            (answers.Denied("product", "p"), "factus.denied", "lane"),
        ],
    )
    def test_a_refused_account_keeps_its_jobs(self, seen, code, waits):
        step = policy().after_create(seen)
        assert (step.reason.code, step.waits, step.pause_s) == (code, waits, PATIENCE.account_pause_s)

    @pytest.mark.parametrize("longest", [2.0, 30.0, 900.0])
    @pytest.mark.parametrize("kind", ["payment", "edge", "version", "product", "permission", "credentials", "address"])
    def test_a_hold_of_any_cause_is_asked_again_after_five_minutes_or_the_longest_backoff(self, longest, kind):
        seen = {
            "payment": answers.PaymentRequired("p"),
            "credentials": answers.CredentialsRefused("c"),
            "address": answers.Misrouted(404),
        }.get(kind) or answers.Denied(kind, "d")
        for failures in (0, 1, 30):
            standing = AccountState(now_ms=NOW_MS, account_blocked_since_ms=1, outage_steps=failures)
            subject = IssuePolicy(a_job(failures=failures), BackoffPolicy(1.0, longest), lambda: 1.0, standing)
            call = CallPolicy(a_job(failures=failures), BackoffPolicy(1.0, longest), lambda: 1.0, standing)
            assert subject.after_create(seen).pause_s <= min(300.0, longest)
            assert call.after_call(seen).pause_s <= min(300.0, longest)

    def test_the_pauses_of_an_account_without_a_token_grow_whichever_job_asks(self):
        def pause(steps):
            standing = AccountState(now_ms=NOW_MS, outage_steps=steps)
            return replace(policy(), standing=standing).after_create(answers.CredentialsRefused("x", 401)).pause_s

        assert [pause(steps) for steps in range(7)] == [2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 150.0]

    @pytest.mark.parametrize("status", [404, 405, 410])
    def test_a_token_route_that_is_not_there_is_told_at_once_with_the_address_as_the_mend(self, status):
        step = policy().after_create(answers.Misrouted(status, at_token=True))
        assert (step.waits, step.block.family, step.health, step.sent) == ("account", None, "down", "")
        assert "FACTUS_BASE_URL" in step.block.mend
        assert str(status) in step.block.error.message

    @pytest.mark.parametrize("minutes", [0, 9, 10, 600])
    def test_an_outage_of_the_token_route_is_told_after_ten_minutes(self, minutes):
        since = NOW_MS - minutes * 60_000 if minutes else 0
        subject = replace(policy(), standing=AccountState(now_ms=NOW_MS, outage_since_ms=since))
        step = subject.after_create(answers.NoToken("el servidor de tokens respondió 503", 503))
        assert (step.waits, step.health, bool(step.block)) == ("account", "down", minutes >= 10)
        assert "503" in step.reason.message

    def test_one_job_alone_at_a_wrong_address_steps_aside_and_tells_nobody_that_the_account_works(self):
        def steps(failures, blocked):
            standing = AccountState(now_ms=NOW_MS, account_blocked_since_ms=blocked)
            return replace(policy(failures=failures), standing=standing).after_create(answers.Misrouted(413))

        assert [steps(n, 1).waits for n in range(6)] == ["account", "account", "job", "account", "account", "account"]
        assert [steps(n, 0).waits for n in range(6)] == ["account", "account", "job", "job", "job", "job"]
        assert {steps(n, 0).health for n in range(6)} == {"down", "unknown"}

    def test_429_costs_no_failure(self):
        step = policy().after_create(answers.Throttled(3.0))
        assert (step.pause_s, step.is_failure) == (3.0, False)

    def test_a_conflict_is_looked_into_before_it_is_waited_for(self):
        assert policy().after_create(answers.Conflicted("409")) == LookUp("conflict")
        step = policy().after_look_up(answers.Absent(), "conflict", has_sent=True)
        assert (step.reason.code, step.waits) == ("factus.conflict", "lane")


class TestTime:
    def test_a_job_not_begun_expires(self):
        late = policy(expires_at=NOW_MS).too_late(NOW_MS, 0)
        assert late.errors[0].code == "job.expired"

    def test_a_job_begun_does_not_expire(self):
        assert policy(expires_at=NOW_MS, attempts=1).too_late(NOW_MS, 0) is None

    def test_the_day_is_kept_to_the_millisecond(self):
        subject = policy(issue_on="2027-01-15")
        assert subject.too_late(NOW_MS - 1, NOW_MS) is None
        assert subject.too_late(NOW_MS, NOW_MS).errors[0].code == "date.missed"

    def test_a_document_that_waits_for_dian_has_its_date_already(self):
        assert policy(issue_on="2027-01-15", pending_since=NOW_MS - HOUR_MS).too_late(NOW_MS, NOW_MS) is None

    @pytest.mark.parametrize(
        ("standing", "code", "words"),
        [
            ({}, "factus.unavailable", "el cupo de solicitudes"),
            ({"lane_hold_reason": "dian.pending"}, "factus.unavailable", "esperaba la respuesta de la DIAN"),
            ({"lane_hold_reason": "factus.unavailable"}, "factus.unavailable", "Factus no respondía"),
            ({"account_hold_reason": "factus.unavailable"}, "factus.unavailable", "Factus no respondía"),
            ({"lane_hold_reason": "factus.denied"}, "factus.denied", "negó el acceso a esta familia"),
            ({"lane_hold_reason": "factus.conflict"}, "factus.conflict", "Otro documento sin validar"),
            ({"conflict_since_ms": 1}, "factus.conflict", "Otro documento sin validar"),
            ({"account_hold_reason": "factus.credentials"}, "factus.unavailable", "el cupo de solicitudes"),
        ],
    )
    @pytest.mark.parametrize(
        "last", ["", policy().call_not_accepted(answers.NoPermit(1.0), sent="").reason.model_dump_json()]
    )
    def test_a_job_that_only_waited_tells_what_kept_its_turn(self, standing, code, words, last):
        """It never asked, so nobody may read that Factus did not answer it."""
        late = replace(policy(deadline_at=NOW_MS, last_error=last), standing=AccountState(now_ms=NOW_MS, **standing))
        (error,) = late.too_late(NOW_MS, 0).errors
        assert error.code == code
        assert words in error.message
        assert "sin respuesta" not in error.message

    def test_a_job_that_was_tried_before_it_waited_is_not_said_to_be_unsent(self):
        waits = policy().call_not_accepted(answers.NoPermit(1.0), sent="").reason.model_dump_json()
        late = policy(deadline_at=NOW_MS, last_error=waits, attempts=1, sent="unknown").too_late(NOW_MS, 0)
        assert "no volvió a llegar después del último intento" in late.message
        crashed = policy(deadline_at=NOW_MS, sent="sending", sending_at=1).too_late(NOW_MS, 0)
        assert "sin respuesta de Factus" in crashed.message

    def test_the_deadline_tells_what_stood_in_the_way(self):
        reason = ErrorDetail(code="factus.conflict", message="409")
        late = policy(deadline_at=NOW_MS, last_error=reason.model_dump_json()).too_late(NOW_MS, 0)
        assert late.errors == (reason,)


@pytest.mark.parametrize("odd", [None, "", True, -1, ["SETP1"], {}, "x" * 256], ids=repr)
@pytest.mark.parametrize(("known", "told"), [("", None), ("SETP990000001", "SETP990000001")])
def test_a_document_without_a_readable_number_stays_validated(odd, known, told):
    """As an earlier answer had it, or null; and no text says None."""
    ending = policy(number=known).after_create(document(number=odd))
    assert isinstance(ending, Finished)
    assert (ending.state, ending.data["number"], ending.number) == ("validated", told, told or "")
    assert VALIDATED["cufe"].model_validate(strict_json.parse(strict_json.dump(ending.data)))
    assert "None" not in ending.message
    assert (told or f"con referencia {ending.data['reference_code']}") in ending.message


def test_a_whole_number_is_told_as_text():
    assert policy().after_create(document(number=990000203)).data["number"] == "990000203"
