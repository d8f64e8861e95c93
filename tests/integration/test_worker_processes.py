"""Real worker processes on a real server and a Factus on a socket: kills, stops, outages, secrets, poison."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time

import pytest
import redis

from tests.builders import a_bill, changed
from tests.patience import PATIENCE_S
from tests.service_processes import SECRETS, plant, until
from worker.store import embedded_server


@pytest.fixture
def works(tmp_path):
    with plant(tmp_path, "--latency", "30ms") as found:
        yield found


def refs(events, kind="invoice.validated"):
    return sorted(event["reference_code"] for event in events if event["type"] == kind)


def test_a_burst_issues_everything_and_ends(works):
    codes = [f"FV/{n}" for n in range(10)]
    for code in codes:
        works.push(a_bill(reference_code=code))
    assert works.start_worker("--burst").wait(PATIENCE_S) == 0
    assert refs(works.events()) == sorted(codes)
    totals = works.report()["totals"]
    assert (totals["creates_posted"], totals["tokens_issued"], totals["requests"]) == (10, 1, 11)


def test_a_killed_worker_s_document_is_taken_over_and_issued_once(works):
    works.add_fault({"on": "create", "times": 1, "effect": {"kind": "slow", "seconds": 3}})
    victim = works.start_worker()
    works.push(a_bill(reference_code="A"))
    works.push(a_bill(reference_code="B"))
    until(lambda: works.report()["totals"]["creates_posted"] == 1)
    victim.kill()
    works.start_worker()
    events = works.wait_for_events(2)
    assert refs(events) == ["A", "B"]
    assert len(works.documents()) == 2
    assert works.report()["totals"]["forbidden_deletes"] == 0


def test_sigterm_lets_the_call_under_way_end_and_leaves_the_rest_queued(works):
    works.add_fault({"on": "create", "times": 1, "effect": {"kind": "slow", "seconds": 1}})
    worker = works.start_worker()
    for code in ("A", "B"):
        works.push(a_bill(reference_code=code))
    until(lambda: works.report()["totals"]["creates_posted"] == 1)
    worker.terminate()
    assert worker.wait(PATIENCE_S) == 0
    assert refs(works.events()) == ["A"]
    assert works.report()["totals"]["creates_posted"] == 1
    assert works.start_worker("--burst").wait(PATIENCE_S) == 0
    assert refs(works.events()) == ["A", "B"]


def test_a_job_that_kills_its_worker_again_and_again_is_neither_lost_nor_repeated(works):
    works.add_fault({"on": "create", "times": 1, "effect": {"kind": "slow", "seconds": 30, "where": "before_store"}})
    works.add_fault({"on": "list", "times": 1, "effect": {"kind": "slow", "seconds": 30}})
    works.push(a_bill(reference_code="A"), id="one")
    fence = 0
    for _ in range(2):
        worker = works.start_worker()
        until(lambda fence=fence: fence_of(works, "one") > fence, what=works.tail)
        fence = fence_of(works, "one")
        worker.kill()
        worker.wait()
    works.start_worker()
    events = works.wait_for_events(1)
    assert refs(events) == ["A"]
    assert [document["reference_code"] for document in works.documents()] == ["A"]


def fence_of(works, job_id) -> int:
    return int(works.redis.hget(f"factus:job:default:{job_id}", "fence") or 0)


def test_the_server_may_be_killed_and_restarted_under_the_workers(works):
    worker = works.start_worker()
    for n in range(5):
        works.push(a_bill(reference_code=f"A{n}"))
    works.wait_for_events(2)
    works.kill_server()
    until(lambda: "redis.unavailable" in works.log_of(0))
    works.restart_server()
    for n in range(5):
        works.push(a_bill(reference_code=f"B{n}"))
    works.wait_for_events(10)
    assert worker.poll() is None, "the worker outlived the outage"
    assert len({document["reference_code"] for document in works.documents()}) == 10
    assert works.report()["totals"]["validated"] == 10


def test_lost_answers_are_looked_up_and_nothing_is_issued_twice(works):
    works.add_fault({"on": "create", "share": 0.4, "attempt": 1, "effect": "drop_after"})
    works.start_worker()
    for n in range(15):
        works.push(a_bill(reference_code=f"A{n}"))
    events = works.wait_for_events(15)
    assert {event["type"] for event in events} == {"invoice.validated"}
    totals = works.report()["totals"]
    assert totals["dropped"] > 0
    assert (totals["validated"], totals["creates_posted"]) == (15, 15)


def test_a_revoked_token_is_refreshed_once(works):
    works.start_worker()
    works.push(a_bill(reference_code="A"))
    works.wait_for_events(1)
    works.add_fault({"on": "create", "times": 1, "effect": {"kind": "unauthorized", "revoke": True}})
    works.push(a_bill(reference_code="B"))
    events = works.wait_for_events(2)
    assert (events[1]["type"], events[1]["attempts"]) == ("invoice.validated", 1)
    assert works.report()["totals"]["tokens_issued"] == 2


def test_poison_of_every_kind_is_refused_and_the_worker_goes_on(works):
    worker = works.start_worker()
    deep = '{"type":"invoice.issue","payload":' + "[" * 5000 + "]" * 5000 + "}"
    poison = [
        b"",
        b"not json",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe\x00",
        b'{"type":"invoice.issue"}',
        b'{"payload":{}}',
        b'{"type":"invoice.issue","payload":[]}',
        b'{"type":"no.such","payload":{}}',
        b'{"type":["x"],"payload":{}}',
        b'{"type":"invoice.issue","payload":{},"unknown":1}',
        b'{"type":"invoice.issue","payload":{"reference_code":NaN}}',
        b'{"type":"invoice.issue","payload":{"reference_code":"\\ud800"}}',
        b'{"type":"invoice.issue","type":"x","payload":{}}',
        b'{"type":"invoice.issue","payload":{"items":1e999999}}',
        b'{"type":"invoice.issue","payload":{"items":' + b"9" * 5000 + b"}}",
        b'{"type":"invoice.issue","payload":{},"id":"has space"}',
        b'{"type":"invoice.issue","payload":{},"account":"UPPER"}',
        b'{"type":"invoice.issue","payload":{},"not_before":"tomorrow"}',
        b'{"type":"invoice.issue","payload":{},"metadata":{"x":"' + b"y" * 5000 + b'"}}',
        deep.encode(),
        b'{"type":"invoice.issue","payload":{"x":"' + b"z" * (1024 * 1024) + b'"}}',
    ]
    client = works.redis
    for raw in poison:
        client.xadd("factus:jobs", {"job": raw})
    client.xadd("factus:jobs", {"other": b"no job field"})
    works.push(a_bill(reference_code="good"))
    events = works.wait_for_events(len(poison) + 2)
    assert [event["type"] for event in events].count("job.refused") == len(poison) + 1
    assert refs(events) == ["good"]
    assert all(event["errors"] and event["errors"][0]["message"] for event in events if not event["success"])
    letters = [fields[b"raw"] for _, fields in client.xrange("factus:dead")]
    # Of what is larger than a job may be the beginning is kept; of an entry without the field, names and values.
    assert letters == [*poison[:-1], poison[-1][: 64 * 1024], b"other\nno job field"]
    assert worker.poll() is None


def test_secrets_and_personal_data_stay_out_of_logs_and_key_names(works):
    person = {"customer.company": "Nombre Muy Personal SAS", "customer.email": "persona@privada.example"}
    works.add_fault({"on": "create", "reference": "lost", "times": 1, "effect": "drop_after"})
    works.add_fault(
        {"on": "create", "reference": "dead", "times": 1, "effect": {"kind": "unauthorized", "revoke": True}}
    )
    works.add_fault({"on": "create", "reference": "rej", "times": 1, "effect": "reject"})
    works.add_fault({"on": "create", "reference": "err", "times": 1, "effect": "error_before"})
    works.start_worker()
    for code in ("plain", "lost", "dead", "rej", "err"):
        works.push(changed(a_bill(reference_code=code), person))
    works.redis.xadd("factus:jobs", {"job": json.dumps({"type": "x", "payload": {"clave": "Nombre Muy Personal SAS"}})})
    events = works.wait_for_events(6)
    assert refs(events) == ["dead", "err", "lost", "plain"]
    token = works.redis.hget("factus:token:default", "access").decode()
    log = works.log_of(0)
    keys = "\n".join(key.decode() for key in works.redis.keys("*"))
    for secret in [*SECRETS.values(), *person.values(), token, "900825759"]:
        assert secret not in log
        assert secret not in keys
    assert '"event": "attempt.finished"' in log


def test_without_credentials_it_says_what_is_missing(works):
    for name in SECRETS:
        del works.env[name]
    assert works.start_worker().wait(PATIENCE_S) == 1
    assert "FACTUS_CLIENT_ID" in works.log_of(0)


def test_without_a_server_it_says_so(works):
    works.env["FACTUS_REDIS_URL"] = "redis://127.0.0.1:1/0"
    assert works.start_worker().wait(PATIENCE_S) == 1
    assert "Redis does not answer" in works.log_of(0)


def is_left_alone(folder) -> bool:
    """No server lives in the folder: it would hold its lock."""
    with (folder / "server.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def started_on(works, folder, *arguments):
    """A command that has just launched its embedded server: the server's socket is there, it need not answer yet."""
    process = works.start("worker", *arguments)
    until((folder / "valkey.sock").exists)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_embedded_server_comes_up_ends_both(works, number):
    folder = works.folder / "own"
    works.env["FACTUS_REDIS_URL"] = f"embedded:{folder}"
    worker = started_on(works, folder, "run")
    worker.send_signal(number)
    assert worker.wait(PATIENCE_S) == 0
    assert is_left_alone(folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["at once", "later"])
def test_a_command_that_a_signal_ends_leaves_no_server_behind(works, number, moment):
    """It ends as it would have without a server: by SIGTERM itself, or well, because Ctrl-C is how to end --follow."""
    folder = works.folder / "own"
    embedded_server.stop(embedded_server.start(folder))
    works.env["FACTUS_REDIS_URL"] = f"embedded:{folder}"
    command = started_on(works, folder, "results", "--follow")
    if moment == "later":
        until(lambda: is_answering(folder))
    command.send_signal(number)
    assert command.wait(PATIENCE_S) == (-signal.SIGTERM if number == signal.SIGTERM else 0)
    assert is_left_alone(folder)


def is_answering(folder) -> bool:
    client = redis.Redis(unix_socket_path=str(folder / "valkey.sock"))
    try:
        return any(found["cmd"] == "xread" for found in client.client_list())
    except redis.RedisError:
        return False
    finally:
        client.close()


def test_a_command_that_a_signal_ends_leaves_the_server_to_who_uses_it(works):
    folder = works.folder / "own"
    server = embedded_server.start(folder)
    works.env["FACTUS_REDIS_URL"] = f"embedded:{folder}"
    command = started_on(works, folder, "results", "--follow")
    until(lambda: is_answering(folder))
    command.terminate()
    assert command.wait(PATIENCE_S) == -signal.SIGTERM
    assert redis.Redis.from_url(server.url()).ping()
    embedded_server.stop(server)
    assert is_left_alone(folder)


MOMENTS = {
    "pushed": lambda works: True,
    "sent": lambda works: works.report()["totals"]["creates_posted"] > 0,
    "told": lambda works: bool(works.events()),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_sigterm_within_milliseconds_of_a_start_loses_nothing(works, moment):
    worker = works.start_worker()
    until(lambda: "worker.started" in works.log_of(0))
    for n in range(3):
        works.push(a_bill(reference_code=f"A{n}"))
    until(lambda: MOMENTS[moment](works))
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.wait(PATIENCE_S) == 0
    assert works.start_worker("--burst").wait(PATIENCE_S) == 0
    assert refs(works.events()) == ["A0", "A1", "A2"]
    assert works.report()["totals"]["validated"] == 3


@pytest.mark.deep
def test_the_server_may_be_away_for_half_a_minute(works):
    worker = works.start_worker()
    for n in range(5):
        works.push(a_bill(reference_code=f"A{n}"))
    works.wait_for_events(2)
    works.kill_server()
    time.sleep(30.0)  # half a minute of outage is what is asked: no signal stands for it
    works.restart_server()
    works.push(a_bill(reference_code="B"))
    works.wait_for_events(6)
    assert worker.poll() is None, "the worker outlived the outage"
    assert works.report()["totals"]["validated"] == 6
