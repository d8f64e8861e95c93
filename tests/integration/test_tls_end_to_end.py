"""TLS everywhere: worker, door and webhooks reach Redis by rediss://, and the door has its own certificate."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from jobs.errors import ServiceError
from tests.builders import a_bill
from tests.door_in_process import a_door
from tests.patience import PATIENCE_S
from tests.service_in_process import running, services_on
from tests.tls_proxy import CA, OTHER_CA, TLS, tls_before
from tests.webhooks_rig import an_endpoint, hooks
from worker.settings.model import Settings
from worker.store import connection
from worker.webhooks.process import run_webhooks

KEY = {"Prefer": "wait=60", "Idempotency-Key": "tls-1"}


async def test_a_job_goes_its_whole_way_over_tls(valkey_url: str, namespace: str, tmp_path: Path) -> None:
    """From the door's certificate to the endpoint's delivery; nothing of ours speaks to Redis in the clear."""
    certificate = {"http_cert": TLS / "server.crt", "http_cert_key": TLS / "server.key"}
    trusting = ssl.create_default_context(cafile=str(CA))
    async with tls_before(urlsplit(valkey_url).path) as proxy:
        redis, blocking = connection.connect(proxy.url()), connection.connect(proxy.url(), blocking=True)
        async with (
            running(services_on(redis, namespace, blocking=blocking)),
            hooks(redis, proxy.url(), namespace, an_endpoint()) as rig,
            a_door(proxy.url(), namespace, tmp_path, **certificate) as door,
            httpx.AsyncClient(verify=trusting, headers=door.bearer(), timeout=PATIENCE_S, trust_env=False) as client,
        ):
            url = f"https://localhost:{door.url.rpartition(':')[2]}/api/v1/jobs"
            job = {"type": "invoice.issue", "account": "acme", "payload": a_bill(reference_code="TLS-1")}
            async with asyncio.timeout(PATIENCE_S):
                # A busy machine: where Redis was slow once, the same push is safe.
                while (answer := await client.post(url, json=job, headers=KEY)).status_code in (202, 503):
                    await asyncio.sleep(0.1)
            assert (answer.status_code, answer.json()["data"]["type"]) == (200, "invoice.validated"), answer.text
            await rig.until(lambda: rig.sender.of("shop"))
            assert rig.sender.of("shop")[0].event["reference_code"] == "TLS-1"
        await connection.close(redis)
        await connection.close(blocking)
        assert proxy.n_connections >= 5


async def test_a_redis_that_others_have_signed_is_spoken_to_by_nobody(
    valkey_url: str, namespace: str, tmp_path: Path
) -> None:
    async with tls_before(urlsplit(valkey_url).path) as proxy:
        url = proxy.url(OTHER_CA)
        hooks_file = tmp_path / "webhooks.toml"
        hooks_file.write_text('[endpoints.a]\nurl = "https://a.example/"\nsecrets = ["whsec_' + "MDEy" * 8 + '"]\n')
        hooks_file.chmod(0o600)
        with pytest.raises(ServiceError, match="localhost"):
            await run_webhooks(Settings(redis_url=url, namespace=namespace, webhooks_file=hooks_file))
        async with a_door(url, namespace, tmp_path) as door:
            assert (await door.get("/events")).status_code == 503
