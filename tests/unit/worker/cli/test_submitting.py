"""Pushing and waiting: every job finds its own event, and only its own."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis
from redis import Redis

from tests.commands import typed
from tests.patience import PATIENCE_S
from tests.sheet_files import a_row, a_table, write_xlsx
from worker.cli.files.all_files import read_rows
from worker.cli.files.job_files import Defaults, Job, Row, jobs_of
from worker.cli.submit.push import FamilySum, Pushed, Watch, chunks, ends_of, push, summarize
from worker.store.keys import Keys


def a_job(job_id: str | None = "run-1", *, account: str | None = "acme", own: bool = False, text: str = "{}") -> Job:
    return Job("f:1", text, job_id, account, "R-1", own)


def an_event(job_id: str, type_: str = "invoice.validated", **changes: Any) -> dict[str, Any]:
    success = type_.endswith("validated")
    base: dict[str, Any] = {
        "id": f"acme/{job_id}/1",
        "type": type_,
        "job_id": job_id,
        "account": "acme",
        "success": success,
        "message": "m",
        "data": {"number": "SETP1", "total": "10.50"} if success else None,
        "errors": None if success else [{"code": "payload.invalid", "message": "mal"}],
    }
    return {**base, **changes}


def a_watch(*pushed: Pushed) -> Watch:
    return Watch(None, Keys("t"), [*pushed], {})  # only take() is called: no server


def take(watch: Watch, event: dict[str, Any]) -> None:
    watch.take(event["job_id"] or "", json.dumps(event).encode())


def test_the_denial_of_another_push_under_the_same_id_is_no_end_of_ours() -> None:
    """Whoever has no right to the account may name any job of it; only the event's own id tells whose push it was."""
    one = Pushed(a_job("FV-1", own=True), "5-0")
    watch = a_watch(one)
    denied = [{"code": "auth.denied", "message": "no"}]
    take(watch, an_event("FV-1", "job.refused", id="acme/9-0/1", errors=denied))
    assert one.outcome is None
    take(watch, an_event("FV-1"))
    assert one.outcome is not None
    assert one.outcome.type == "invoice.validated"


@pytest.mark.parametrize("named", ["5-0", "5-0.0123456789ab"])
def test_our_own_denial_is_our_end(named: str) -> None:
    one = Pushed(a_job("FV-1", own=True), "5-0")
    take(a_watch(one), an_event("FV-1", "job.refused", id=f"acme/{named}/1"))
    assert one.outcome is not None
    assert one.outcome.type == "job.refused"


async def test_jobs_go_to_their_streams_in_order(fake_redis: ArqRedis) -> None:
    keys = Keys("t")
    jobs = [a_job("a", account="own"), a_job("b"), a_job("c", account=None)]
    pushed = await push(fake_redis, keys, jobs, frozenset({"own"}))
    assert [await fake_redis.xlen(keys.jobs(name)) for name in ("own", None)] == [1, 2]
    assert [one.entry for one in pushed[1:]] == [entry.decode() for entry, _ in await fake_redis.xrange(keys.jobs())]


async def test_waiting_starts_behind_what_was_there(fake_redis: ArqRedis) -> None:
    keys = Keys("t")
    old = an_event("run-1", "invoice.failed")
    await fake_redis.xadd(keys.results(), {"event": json.dumps(old), "job_id": "run-1"})
    places = await ends_of(fake_redis, [keys.results()])
    pushed = [Pushed(a_job(), "5-0")]
    await fake_redis.xadd(keys.results(), {"event": json.dumps(an_event("run-1")), "job_id": "run-1"})
    assert await Watch(fake_redis, keys, pushed, places).run(2.0)
    assert pushed[0].outcome is not None
    assert pushed[0].outcome.type == "invoice.validated"


async def test_time_out_is_told(fake_redis: ArqRedis) -> None:
    pushed = [Pushed(a_job(), "5-0")]
    assert not await Watch(fake_redis, Keys("t"), pushed, {"t:results": "0-0"}).run(0.05)
    assert summarize(pushed).n_open == 1


async def test_job_that_was_final_before_is_answered_by_its_record(fake_redis: ArqRedis) -> None:
    """It is dropped at intake and published nothing new: waiting for an event would never end."""
    keys = Keys("t")
    record = {"state": "final", "final_type": "invoice.validated", "number": "SETP9", "entry": "1-0", "total": "5.00"}
    await fake_redis.hset(keys.job("acme", "mine"), mapping=record)
    pushed = [Pushed(a_job("mine", own=True), "5-0")]
    assert await Watch(fake_redis, keys, pushed, {keys.results(): "0-0"}).run(5.0)
    assert summarize(pushed).families == (FamilySum("invoice", 1, Decimal("5.00"), "SETP9", "SETP9"),)


async def test_the_ledger_is_asked_once_a_second_while_others_keep_the_stream_busy(fake_redis: ArqRedis) -> None:
    """A stream is common to all: what was final before it was pushed again was never found in a busy evening."""
    keys, now = Keys("t"), 100.0
    pushed = [Pushed(a_job("open", own=True), "4-0"), Pushed(a_job("mine", own=True), "5-0")]
    watch = Watch(fake_redis, keys, pushed, {keys.results(): "0-0"}, clock=lambda: now)
    asked: list[float] = []
    execute = fake_redis.execute_command

    async def told(*parts: Any, **options: Any) -> Any:
        if parts[:2] == ("HMGET", keys.job("acme", "mine")):
            asked.append(now)
        return await execute(*parts, **options)

    fake_redis.execute_command = told
    for tenth in range(35):
        now = 100 + tenth / 10
        if tenth == 25:
            await fake_redis.hset(
                keys.job("acme", "mine"), mapping={"state": "final", "final_type": "invoice.validated", "entry": "1-0"}
            )
        await fake_redis.xadd(keys.results(), {"event": json.dumps(an_event("other")), "job_id": "other"})
        await watch.turn()
    assert asked == [101.0, 102.0, 103.0]
    assert [one.outcome and one.outcome.type for one in pushed] == [None, "invoice.validated"]


FOREIGN: list[dict[str, Any]] = [
    {"hello": "world"},
    {"job_id": "run-1", "hello": "world"},
    {"job_id": b"\xff", "event": b"\xff"},
    *({"job_id": "run-1", "event": raw} for raw in (b"\xff", b"", b"no JSON", b"[]", b"{}", b'{"type": 7}')),
]


async def test_entries_of_others_that_are_no_events_are_passed_over(fake_redis: ArqRedis) -> None:
    """Whoever may write into a stream of results could end every waiting submit."""
    keys = Keys("t")
    for fields in (*FOREIGN, {"event": json.dumps(an_event("run-1")), "job_id": "run-1"}):
        await fake_redis.xadd(keys.results(), fields)
    pushed = [Pushed(a_job(own=True), "5-0")]
    assert await Watch(fake_redis, keys, pushed, {keys.results(): "0-0"}).run(PATIENCE_S)
    assert pushed[0].outcome is not None
    assert pushed[0].outcome.type == "invoice.validated"


def test_pending_is_not_final() -> None:
    one = Pushed(a_job(), "5-0")
    watch = a_watch(one)
    take(watch, an_event("run-1", "invoice.pending", success=True, data={"number": None}))
    assert one.outcome is None


def test_refusal_of_an_unreadable_job_is_found_by_its_entry() -> None:
    one = Pushed(a_job(None, account=None), "5-0")
    take(a_watch(one), an_event("5-0", "job.refused"))
    assert one.outcome is not None
    assert one.outcome.code == "payload.invalid"


def test_conflict_of_ids_meets_the_second_push_only() -> None:
    first, second = Pushed(a_job("same"), "5-0"), Pushed(a_job("same"), "5-1")
    watch = a_watch(first, second)
    take(watch, an_event("5-1", "job.refused"))
    take(watch, an_event("same"))
    assert [one.outcome and one.outcome.type for one in (first, second)] == ["invoice.validated", "job.refused"]


def test_same_id_of_another_account_is_not_ours() -> None:
    one = Pushed(a_job("same"), "5-0")
    take(a_watch(one), an_event("same", account="other"))
    assert one.outcome is None


def test_summary_adds_up_exactly() -> None:
    pushed = [Pushed(a_job(f"run-{n}"), f"5-{n}") for n in range(4)]
    watch = a_watch(*pushed)
    for n, number in ((0, "SETP9"), (1, "SETP10")):
        take(watch, an_event(f"run-{n}", data={"number": number, "total": "0.10"}))
    take(watch, an_event("run-2", "job.refused"))
    summary = summarize(pushed)
    assert summary.counts == {"invoice.validated": 2, "job.refused": 1}
    assert summary.families == (FamilySum("invoice", 2, Decimal("0.20"), "SETP9", "SETP10"),)
    assert (len(summary.failures), summary.n_open, summary.is_success) == (1, 1, False)


def test_a_document_of_two_jobs_counts_once() -> None:
    pushed = [Pushed(a_job(f"run-{n}"), f"5-{n}") for n in range(2)]
    watch = a_watch(*pushed)
    for n in range(2):
        take(watch, an_event(f"run-{n}", data={"number": "SETP9", "total": "10.00"}))
    summary = summarize(pushed)
    assert summary.families == (FamilySum("invoice", 1, Decimal("10.00"), "SETP9", "SETP9"),)
    assert summary.counts == {"invoice.validated": 2}


def test_families_are_summed_apart_and_calls_have_no_money() -> None:
    pushed = [Pushed(a_job(f"run-{n}"), f"5-{n}") for n in range(4)]
    watch = a_watch(*pushed)
    take(watch, an_event("run-0", data={"number": "SETP1", "total": "10.00"}))
    take(watch, an_event("run-1", "payroll_adjustment.validated", data={"number": "NAN1", "total": None}))
    take(watch, an_event("run-2", "invoice.get.completed", success=True, data={"factus": {}}, errors=None))
    take(watch, an_event("run-3", "invoice.email.failed"))
    summary = summarize(pushed)
    assert [(one.family, one.total) for one in summary.families] == [
        ("invoice", Decimal("10.00")),
        ("payroll_adjustment", None),
    ]
    assert ([one.job.id for one in summary.completed], summary.is_success) == (["run-2"], False)
    assert [one.job.id for one in summary.failures] == ["run-3"]


def test_what_follows_a_document_is_told_and_changes_nothing() -> None:
    one, told = Pushed(a_job(), "5-0"), []
    watch = a_watch(one)
    watch.on_event = lambda event, _one: told.append(event["type"])
    take(watch, an_event("run-1"))
    take(watch, an_event("run-1", "invoice.archived", success=False))
    take(watch, an_event("run-1", "invoice.failed"))
    assert told == ["invoice.validated", "invoice.archived"]
    assert one.outcome is not None
    assert one.outcome.success


def test_jobs_that_are_pushed_later_are_followed_as_well() -> None:
    watch, late = a_watch(Pushed(a_job(), "5-0")), Pushed(a_job("run-2"), "6-0")
    watch.follow([late])
    take(watch, an_event("run-2"))
    assert (late.outcome is not None, watch.n_open) == (True, 1)


def test_chunks_are_small_in_number_and_bytes() -> None:
    assert [len(chunk) for chunk in chunks(a_job() for _ in range(1100))] == [500, 500, 100]
    assert [len(chunk) for chunk in chunks(a_job(text="x" * 1_000_000) for _ in range(6))] == [4, 2]


@pytest.mark.parametrize("as_json", [False, True])
def test_results_that_cannot_be_written_are_a_failure_told_after_all_else(
    valkey_url: str, namespace: str, tmp_path: Path, as_json: bool
) -> None:
    """A month's documents are validated, and the program that called us has no file: it must not go on as if it had."""
    path = write_xlsx(tmp_path / "ventas.xlsx", a_table(a_row()))
    rows = [row for row in read_rows(path, BytesIO()) if isinstance(row, Row)]
    (job,) = jobs_of(rows, Defaults(account="acme"), "x")
    assert job.id is not None
    record = {"state": "final", "final_type": "invoice.validated", "number": "SETP9", "entry": "1-0", "total": "5.00"}
    with Redis.from_url(valkey_url) as server:
        server.hset(Keys(namespace).job("acme", job.id), mapping=record)
    env = {"FACTUS_REDIS_URL": valkey_url, "FACTUS_NAMESPACE": namespace}
    command = ["submit", "ventas.xlsx", "--account", "acme", "--wait", *(["--json"] if as_json else [])]
    good = typed(*command, env=env, folder=tmp_path)
    assert good.status == 0, good.shown
    # The folder is sound, and what is there already cannot be kept: with .anterior its name would be too long.
    name = "r" * 245
    for kind in (".xlsx", ".csv"):
        (tmp_path / f"{name}{kind}").write_text("former")
    done = typed(*command, "--results", f"{name}.xlsx", env=env, folder=tmp_path)
    assert done.status == 1, done.shown
    assert f"{name}.xlsx:nosepuedeescribir" in "".join(done.err.split())
    assert "nada se emite dos veces" in " ".join(done.err.split())
    if as_json:
        assert json.loads(done.out)["results"][0]["success"] is True
    else:
        assert "Validados invoice: 1" in done.out
    told = typed(*command, "--results", f"{name}.csv", env={**env, "FACTUS_LANG": "en"}, folder=tmp_path)
    assert told.status == 1
    assert f"{name}.csv:cannotbewritten" in "".join(told.err.split())
    assert {(tmp_path / f"{name}{kind}").read_text() for kind in (".xlsx", ".csv")} == {"former"}


def refused_before_a_push(
    valkey_url: str, namespace: str, folder: Path, *arguments: str, language: str = "es"
) -> tuple[int, str]:
    """The status and the words of a ``submit --wait`` that pushes nothing."""
    env = {"FACTUS_REDIS_URL": valkey_url, "FACTUS_NAMESPACE": namespace, "FACTUS_LANG": language}
    done = typed("submit", *arguments, "--wait", "--timeout", "1s", env=env, folder=folder)
    with Redis.from_url(valkey_url) as server:
        assert not server.exists(Keys(namespace).jobs()), done.shown
    return done.status, " ".join(done.err.split())


@pytest.mark.parametrize("kind", [".xlsx", ".csv"])
def test_no_place_for_results_is_told_before_the_first_push(
    valkey_url: str, namespace: str, tmp_path: Path, kind: str
) -> None:
    """It was told when everything had been issued, and the CUFEs had no place to go."""
    write_xlsx(tmp_path / "ventas.xlsx", a_table(a_row()))
    (tmp_path / "archivo").write_text("")
    (tmp_path / f"hay{kind}").mkdir()

    def told(results: str, language: str = "es") -> str:
        status, said = refused_before_a_push(
            valkey_url, namespace, tmp_path, "ventas.xlsx", "--results", results + kind, language=language
        )
        assert status == 2, said
        assert "--results" in said
        return said

    assert "la carpeta falta/mayo no existe. No se envió nada." in told("falta/mayo/r")
    assert "the folder falta/mayo does not exist. Nothing was pushed." in told("falta/mayo/r", "en")
    assert "la carpeta archivo no es una carpeta. No se envió nada." in told("archivo/r")
    assert f"hay{kind}: es una carpeta. No se envió nada." in told("hay")
    _, said = refused_before_a_push(valkey_url, namespace, tmp_path, "falta/ventas.xlsx")
    assert "falta/ventas.xlsx" in said, "the file that is not there, and not the folder of its results"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["archivo", f"hay{kind}", "ventas.xlsx"]


@pytest.mark.skipif(os.geteuid() == 0, reason="no folder is closed to root; the others run it")
def test_a_folder_that_takes_no_results_is_told_before_the_first_push(
    valkey_url: str, namespace: str, tmp_path: Path
) -> None:
    """Also that of the file itself, where its results go when nothing is said."""
    closed = tmp_path / "cerrada"
    closed.mkdir()
    path = write_xlsx(closed / "ventas.xlsx", a_table(a_row()))
    closed.chmod(0o500)
    try:
        for more in ([], ["--results", "cerrada/r.xlsx"], ["--results", "cerrada/r.csv"]):
            status, said = refused_before_a_push(valkey_url, namespace, tmp_path, "cerrada/ventas.xlsx", *more)
            assert status == 2, said
            assert "en la carpeta cerrada no se puede escribir (Permission denied). No se envió nada." in said
            assert "--results" in said
        status, said = refused_before_a_push(valkey_url, namespace, tmp_path, path, language="en")
        assert (status, f"the folder {closed} cannot be written" in said) == (2, True)
    finally:
        closed.chmod(0o700)
