"""The standard's own library for Node verifies what is sent."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.webhooks_rig import SECRET, an_event
from worker.webhooks import signer

pytestmark = [pytest.mark.deep, pytest.mark.timeout(600)]

PROGRAM = """
const { Webhook } = require("standardwebhooks");
const [secret, headers, body] = JSON.parse(require("fs").readFileSync(0, "utf8"));
const event = new Webhook(secret).verify(body, headers);
let refused = false;
try { new Webhook(secret).verify(body + " ", headers); } catch { refused = true; }
console.log(JSON.stringify({ type: event.type, refused }));
"""


def test_node_s_library_verifies_and_refuses_another_body(tmp_path: Path) -> None:
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm and node are not here")
    install = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "standardwebhooks@1"]
    done = subprocess.run(install, cwd=tmp_path, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"npm cannot install it here: {done.stderr.strip()[-300:]}")
    body = an_event(message="ñandú €").to_json()
    secrets = [signer.new_secret("whsk_x"), SECRET, signer.new_secret("whsec_x")]
    headers = signer.headers(secrets, "msg_1", int(time.time()), body.encode())
    given = json.dumps([SECRET, headers, body])
    ran = subprocess.run(["node", "-e", PROGRAM], cwd=tmp_path, input=given, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {"type": "invoice.validated", "refused": True}
