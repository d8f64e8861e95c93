"""Who may come in by the door, to what, and for how long."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis

from tests.builders import a_bill
from tests.door_in_process import ACCOUNTS, DoorInProcess, a_door, producer_token, users_file
from tests.page_scene import an_event, publish
from tests.patience import PATIENCE_S
from tests.service_in_process import ServiceInProcess, an_account, running, services_on
from tests.tokens import PRIVATE, SECRET, token
from worker.store.keys import Keys

SEARCH = {"type": "catalog.search", "payload": {"catalog": "taxes", "query": "01"}}
ROUTES = (
    ("POST", "/jobs"),
    ("POST", "/jobs/invoice.issue"),
    ("GET", "/jobs/x"),
    ("GET", "/documents/invoice/x"),
    ("GET", "/documents/invoice/x/files/pdf"),
    ("GET", "/events"),
    ("GET", "/catalogs/taxes"),
)


@pytest.fixture
async def door(valkey_url: str, namespace: str, tmp_path: Path) -> AsyncIterator[DoorInProcess]:
    async with a_door(valkey_url, namespace, tmp_path) as found:
        yield found


@pytest.fixture
async def worker(real_redis: ArqRedis, namespace: str) -> AsyncIterator[ServiceInProcess]:
    accounts = (an_account("acme"), an_account("other"), an_account("own", own_streams=True))
    async with running(services_on(real_redis, namespace, *accounts)) as found:
        yield found


def bad_tokens(namespace: str) -> dict[str, str]:
    now_s = int(time.time())
    good = producer_token(namespace)
    unsigned = good.rpartition(".")[0]
    claims = {"iss": "erp", "aud": namespace, "exp": now_s + 60, "accounts": ["acme"], "types": ["*"]}
    return {
        "none at all": "",
        "no bearer": f"Basic {good}",
        "no token": "Bearer",
        "nonsense": "Bearer x.y.z",
        "unsigned": f"Bearer {unsigned}.",
        "another key": f"Bearer {token(SECRET, claims)}",
        "expired": f"Bearer {producer_token(namespace, exp=now_s - 120)}",
        "without end": f"Bearer {producer_token(namespace, exp=None)}",
        "another service": f"Bearer {producer_token(namespace, aud='elsewhere')}",
        "a login's audience": f"Bearer {producer_token(namespace, aud=f'{namespace}:door')}",
        "no accounts": f"Bearer {producer_token(namespace, accounts=None)}",
        "alg none": f"Bearer {token(PRIVATE, claims, {'alg': 'none', 'kid': 'ed-1'})}",
        "for one job": f"Bearer {producer_token(namespace, job_sha256='0' * 64)}",
        "very long": f"Bearer {'a' * 9000}",
    }


class TestTokens:
    @pytest.mark.parametrize("route", ROUTES, ids=" ".join)
    async def test_without_a_good_token_all_hear_the_same(self, door: DoorInProcess, route: tuple[str, str]) -> None:
        """Whoever tries tokens out learns nothing from the words."""
        told = set()
        for name, authorization in bad_tokens(door.namespace).items():
            if name == "for one job" and route[0] == "POST":
                continue
            method, path = route
            answer = await door.http.request(
                method, f"/api/v1{path}", headers={"Authorization": authorization}, content="{}"
            )
            assert answer.status_code == 401, name
            assert answer.headers["www-authenticate"] == "Bearer"
            told.add(answer.text)
        assert len(told) == 1
        assert json.loads(told.pop())["errors"][0]["code"] == "auth.denied"

    async def test_a_token_grants_its_accounts_and_types_alone(self, door: DoorInProcess) -> None:
        other = {**SEARCH, "account": "other"}
        assert (await door.post(other)).status_code == 403
        narrow = door.bearer(types=["invoice.*"])
        assert (await door.post({**SEARCH, "account": "acme"}, **narrow)).status_code == 403
        assert (await door.get("/jobs/x", account="other")).status_code == 403
        assert (await door.get("/events", account="other")).status_code == 403

    async def test_a_token_for_one_job_pushes_that_job(self, door: DoorInProcess, real_redis: ArqRedis) -> None:
        import hashlib

        raw = json.dumps({**SEARCH, "account": "acme", "id": "b-1"}).encode()
        bound = door.bearer(job_sha256=hashlib.sha256(raw).hexdigest())
        assert (await door.post(raw, **bound)).status_code == 202
        assert (await door.post(raw + b" ", **bound)).status_code == 401
        assert (await door.get("/events", bound)).status_code == 401
        assert await real_redis.xlen(f"{door.namespace}:jobs") == 1

    async def test_a_producer_that_is_revoked_is_refused_and_his_stream_ends(
        self, valkey_url: str, namespace: str, tmp_path: Path
    ) -> None:
        revoked = tmp_path / "revoked.json"
        revoked.write_text("{}")
        listens = {"Accept": "text/event-stream"}
        async with (
            a_door(valkey_url, namespace, tmp_path, jobs_revoked=revoked) as door,
            door.http.stream("GET", "/api/v1/events", headers=listens) as open_one,
        ):
            assert open_one.status_code == 200
            revoked.write_text(json.dumps({"producers": [{"iss": "erp"}]}))
            began = time.monotonic()
            while (await door.get("/catalogs/taxes")).status_code == 200:
                await asyncio.sleep(0.1)
                assert time.monotonic() - began < PATIENCE_S
            async with asyncio.timeout(PATIENCE_S):
                async for _ in open_one.aiter_bytes():
                    pass


class TestOthersThings:
    async def test_nobody_sees_what_is_another_accounts(
        self, door: DoorInProcess, worker: ServiceInProcess, real_redis: ArqRedis
    ) -> None:
        theirs = door.bearer(accounts=["other"])
        job = {"type": "invoice.issue", "account": "other", "id": "o-1", "payload": a_bill(reference_code="O-1")}
        assert (await door.post(job, Prefer="wait=60", **theirs)).status_code == 200
        refused = {**job, "id": "o-2", "payload": {**a_bill(reference_code="O-2"), "items": []}}
        assert (await door.post(refused, Prefer="wait=60", **theirs)).status_code == 422
        for path in ("/jobs/o-1", "/jobs/o-2", "/documents/invoice/O-1", "/documents/invoice/O-1/files/pdf"):
            unknown = await door.get(path.replace("o-", "never-").replace("O-", "NEVER-"))
            answer = await door.get(path)
            assert (answer.status_code, answer.text) == (404, unknown.text), path
        assert (await door.get("/events")).json()["data"]["events"] == []
        assert len((await door.get("/events", theirs)).json()["data"]["events"]) == 2

    async def test_what_waits_in_the_stream_is_its_accounts_alone(self, door: DoorInProcess) -> None:
        theirs = door.bearer(accounts=["other"])
        pushed = (await door.post({**SEARCH, "account": "other", "id": "w-1"}, **theirs)).json()["data"]
        assert (await door.http.get("/api/v1/jobs/w-1")).status_code == 404
        assert (await door.http.get(pushed["href"], headers=theirs)).status_code == 200

    async def test_a_refusal_without_an_account_is_for_who_may_see_all(
        self, door: DoorInProcess, real_redis: ArqRedis
    ) -> None:
        """Whoever guesses the id of its entry learns nothing of it: it may be another company's."""
        entry = f"{int(time.time() * 1000)}-0"
        event = an_event("job.refused", account=None, job_id=entry, success=False, reference_code="AJENA-1")
        error = {"code": "envelope.invalid", "message": "x", "field": None, "rule": None, "retryable": False}
        await publish(real_redis, Keys(door.namespace), {**event, "metadata": {"till": "Caja"}, "errors": [error]})
        unknown = await door.get("/jobs/1-0")
        for asked in ({}, {"account": "acme"}):
            answer = await door.get(f"/jobs/{entry}", **asked)
            assert (answer.status_code, answer.text) == (404, unknown.text)
            all_of_it = await door.get(f"/jobs/{entry}", door.bearer(accounts=["*"]), **asked)
            assert all_of_it.json()["data"]["final"]["reference_code"] == "AJENA-1"

    async def test_a_final_job_is_not_told_anothers_refusal_of_its_id(
        self, door: DoorInProcess, worker: ServiceInProcess, real_redis: ArqRedis
    ) -> None:
        """One whose account could not be read, in the same second."""
        keys = Keys(door.namespace)
        await door.post({**SEARCH, "account": "acme", "id": "same"}, Prefer="wait=60")
        ((entry, fields),) = await real_redis.xrange(keys.results())
        await real_redis.delete(keys.results())
        foreign = json.dumps({**an_event("job.refused", account=None, job_id="same"), "reference_code": "AJENA-2"})
        ms = int(entry.decode().partition("-")[0])
        beside = {"type": "job.refused", "account": "", "job_id": "same", "reference_code": "AJENA-2"}
        await real_redis.xadd(keys.results(), {**beside, "event": foreign}, id=f"{ms - 1}-0")
        await real_redis.xadd(keys.results(), fields, id=entry)
        assert (await door.get("/jobs/same")).json()["data"]["final"]["type"] == "catalog.search.completed"

    async def test_a_job_that_names_no_account_is_the_default_accounts(
        self, valkey_url: str, namespace: str, tmp_path: Path, real_redis: ArqRedis
    ) -> None:
        """While it waits for its intake, whichever account is asked for."""
        accounts = tmp_path / "with_default.toml"
        accounts.write_text(ACCOUNTS + ACCOUNTS.partition("[accounts.other]")[0].replace("acme", "default"))
        job = {"type": "invoice.issue", "id": "u-1", "payload": a_bill(reference_code="U-1")}
        async with a_door(valkey_url, namespace, tmp_path, accounts_file=accounts) as door:
            await real_redis.xadd(Keys(namespace).jobs(), {"job": json.dumps(job)})
            whose = {"default": door.bearer(accounts=["default"]), "acme": None}
            for path in ("/jobs/u-1", "/documents/invoice/U-1"):
                assert (await door.get(path, whose["acme"], account="acme")).status_code == 404, path
                assert (await door.get(path, whose["acme"])).status_code == 404, path
                assert (await door.get(path, whose["default"])).status_code == 200, path
                everybody = door.bearer(accounts=["*"])
                assert (await door.get(path, everybody, account="acme")).status_code == 404, path
                assert (await door.get(path, everybody, account="default")).status_code == 200, path
            assert (await door.get("/jobs/u-1", whose["default"])).json()["data"]["account"] == "default"

    async def test_own_streams_are_read_as_well(self, door: DoorInProcess, worker: ServiceInProcess) -> None:
        own = door.bearer(accounts=["own"])
        answer = await door.post({**SEARCH, "account": "own", "id": "own-1"}, Prefer="wait=60", **own)
        assert answer.status_code == 200
        page = (await door.get("/events", own)).json()["data"]
        assert [one["event"]["job_id"] for one in page["events"]] == ["own-1"]
        assert (await door.get("/jobs/own-1", own)).json()["data"]["state"] == "final"


class TestPeople:
    async def test_a_login_is_oauth2_and_pushes_what_its_user_may(
        self, door: DoorInProcess, worker: ServiceInProcess
    ) -> None:
        answer = await door.http.post("/api/v1/auth/login", json={"username": "ana", "password": "una clave larga"})
        told = answer.json()
        assert told.keys() == {"access_token", "token_type", "expires_in"}
        assert (told["token_type"], told["expires_in"]) == ("bearer", 3600)
        ana = {"Authorization": f"Bearer {told['access_token']}"}
        assert (await door.post({**SEARCH, "account": "acme"}, Prefer="wait=60", **ana)).status_code == 200
        assert (await door.post({**SEARCH, "account": "other"}, **ana)).status_code == 403

    @pytest.mark.parametrize(("name", "sees_people"), [("vera", False), ("olga", True)])
    async def test_who_only_looks_pushes_nothing_and_a_viewer_sees_no_people(
        self, door: DoorInProcess, worker: ServiceInProcess, name: str, sees_people: bool
    ) -> None:
        job = {"type": "invoice.issue", "account": "acme", "id": "p-1", "payload": a_bill(reference_code="P-1")}
        assert (await door.post({**job, "metadata": {"till": "Caja de Ana"}}, Prefer="wait=60")).status_code == 200
        person = await door.login(name)
        assert (await door.post({**SEARCH, "account": "acme"}, **person)).status_code == 403
        shown = (await door.get("/events", person)).text
        assert ("Caja de Ana" in shown) == sees_people
        assert "invoice.validated" in shown
        assert (await door.get("/documents/invoice/P-1", person)).status_code == 200
        file = await door.get("/documents/invoice/P-1/files/pdf", person)
        assert file.status_code == (404 if sees_people else 403)

    @pytest.mark.parametrize(("name", "sees_people"), [("vera", False), ("olga", True)])
    async def test_a_viewer_reads_no_people_in_what_is_said(
        self, door: DoorInProcess, real_redis: ArqRedis, name: str, sees_people: bool
    ) -> None:
        """By every route that tells of a job: our rules quote the NIT in their messages, Factus and the DIAN names."""
        said = "El NIT 9001002001 es de «Ana Pérez»"
        error = {"code": "dian.rejected", "message": said, "field": None, "rule": None, "retryable": False}
        event = an_event("invoice.rejected", success=False, message=said, errors=[error])
        await publish(real_redis, Keys(door.namespace), event)
        person = await door.login(name)
        for path in ("/events", "/jobs/j-1", "/documents/invoice/FV-1"):
            answer = await door.get(path, person)
            assert answer.status_code == 200, path
            for secret in ("9001002001", "Ana"):
                assert (secret in answer.text) == sees_people, path
            assert "El NIT" in answer.text

    async def test_five_wrong_passwords_in_a_minute_are_the_last(self, door: DoorInProcess) -> None:
        """By the name, and by the address whatever the name; the right one comes too late as well."""
        url = "/api/v1/auth/login"
        told = [await door.http.post(url, json={"username": "ana", "password": f"no {n}"}) for n in range(5)]
        assert {one.status_code for one in told} == {401}
        for name in ("ana", "vera"):
            late = await door.http.post(url, json={"username": name, "password": "una clave larga"})
            assert late.status_code == 429
            assert 0 < int(late.headers["retry-after"]) <= 60
            assert late.json()["errors"][0]["code"] == "request.limited"

    async def test_wrong_and_unknown_are_told_the_same(self, door: DoorInProcess) -> None:
        url = "/api/v1/auth/login"
        wrong = await door.http.post(url, json={"username": "ana", "password": "no"})
        unknown = await door.http.post(url, json={"username": "nadie", "password": "no"})
        assert (wrong.status_code, wrong.text) == (unknown.status_code, unknown.text)

    async def test_attempts_at_once_do_not_slip_through_together(self, door: DoorInProcess) -> None:
        url = "/api/v1/auth/login"
        told = await asyncio.gather(
            *(door.http.post(url, json={"username": "ana", "password": f"no {n}"}) for n in range(12))
        )
        assert sorted(one.status_code for one in told) == [401] * 5 + [429] * 7

    async def test_another_password_or_a_removed_user_ends_what_was_given(self, door: DoorInProcess) -> None:
        ana, vera = await door.login("ana"), await door.login("vera")
        assert (await door.get("/events", ana)).status_code == 200
        file = door.folder / "users.toml"
        file.write_text(users_file(password="otra clave larga").partition("[users.vera]")[0])
        door.door.users.look()
        assert (await door.get("/events", ana)).status_code == 401
        assert (await door.get("/events", vera)).status_code == 401
        assert (await door.get("/events", await door.login("ana", "otra clave larga"))).status_code == 200

    async def test_a_users_file_that_turns_bad_is_not_taken(self, door: DoorInProcess) -> None:
        (door.folder / "users.toml").write_text("[users.ana]\npassword = 'plain'")
        door.door.users.look()
        assert door.door.users.fault
        assert await door.login("ana")

    async def test_a_login_never_passes_for_a_jobs_token(
        self, valkey_url: str, namespace: str, tmp_path: Path, real_redis: ArqRedis
    ) -> None:
        """Nor does what the door signs pass for another job."""
        async with a_door(valkey_url, namespace, tmp_path, jobs_signed=True) as door:
            ana = await door.login("ana")
            login = ana["Authorization"].removeprefix("Bearer ")
            assert (await door.post({**SEARCH, "account": "acme", "id": "a-1"}, **ana)).status_code == 202
            ((_, fields),) = await real_redis.xrange(f"{namespace}:jobs")
            assert fields[b"token"] != login.encode()
            signed = {"jobs_signed": True, "jobs_keys": tmp_path / "jobs.jwks"}
            stream = f"{namespace}:jobs"
            await real_redis.xadd(stream, {"job": fields[b"job"].replace(b"a-1", b"a-2"), "token": login})
            await real_redis.xadd(stream, {"job": fields[b"job"].replace(b"a-1", b"a-3"), "token": fields[b"token"]})
            async with running(services_on(real_redis, namespace, an_account("acme"), **signed)) as worker:
                events = {one["job_id"]: one for one in await worker.events(3)}
            ends = sorted((one["type"], (one["errors"] or [{}])[0].get("code")) for one in events.values())
            assert ends == [
                ("catalog.search.completed", None),
                ("job.refused", "auth.denied"),
                ("job.refused", "auth.denied"),
            ]

    async def test_a_producers_token_goes_along_where_jobs_are_signed(
        self, valkey_url: str, namespace: str, tmp_path: Path, real_redis: ArqRedis
    ) -> None:
        signed: dict[str, Any] = {"jobs_signed": True}
        async with a_door(valkey_url, namespace, tmp_path, **signed) as door:
            signed["jobs_keys"] = tmp_path / "jobs.jwks"
            async with running(services_on(real_redis, namespace, an_account("acme"), **signed)):
                answer = await door.post({**SEARCH, "account": "acme"}, Prefer="wait=60")
                assert answer.status_code == 200, answer.text
