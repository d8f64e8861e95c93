"""Signatures: what the standard's own library verifies, and what it cannot (ed25519) by the curve itself."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime

import pytest
from nacl.signing import VerifyKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from worker.webhooks import signer

BODY = '{"type":"invoice.validated","message":"ñandú €","metadata":{"a":1.10}}'.encode()


def b64(n_bytes: int) -> str:
    return base64.b64encode(bytes(range(n_bytes))).decode()


@pytest.mark.parametrize("n_bytes", [24, 32, 64])
def test_the_official_library_verifies(n_bytes):
    secret = "whsec_" + b64(n_bytes)
    headers = signer.headers([secret], "msg_1", int(time.time()), BODY)
    Webhook(secret).verify(BODY, headers)
    expected = Webhook(secret).sign(
        "msg_1", datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC), BODY.decode()
    )
    assert headers["webhook-signature"] == expected


def test_the_official_library_refuses_another_body_and_another_secret():
    secret = "whsec_" + b64(32)
    headers = signer.headers([secret], "msg_1", int(time.time()), BODY)
    for wrong_secret, body in ((secret, BODY + b" "), ("whsec_" + b64(33), BODY)):
        with pytest.raises(WebhookVerificationError):
            Webhook(wrong_secret).verify(body, headers)


def test_all_secrets_sign_in_their_order():
    secrets = ["whsec_" + b64(32), "whsk_" + b64(32), "whsec_" + b64(24)]
    headers = signer.headers(secrets, "msg_1", int(time.time()), BODY)
    kinds = [one.partition(",")[0] for one in headers["webhook-signature"].split(" ")]
    assert kinds == ["v1", "v1a", "v1"]
    alone = [signer.headers([one], "msg_1", int(headers["webhook-timestamp"]), BODY) for one in secrets]
    assert headers["webhook-signature"] == " ".join(one["webhook-signature"] for one in alone)
    for secret in (secrets[0], secrets[2]):
        Webhook(secret).verify(BODY, headers)


def test_ed25519_is_verified_by_its_public_key():
    secret = signer.new_secret("whsk_x")
    key = signer.public_key(secret)
    assert key is not None
    assert key.startswith("whpk_")
    headers = signer.headers([secret], "msg_1", 1_700_000_000, BODY)
    kind, _, signature = headers["webhook-signature"].partition(",")
    assert kind == "v1a"
    public = VerifyKey(base64.b64decode(key.removeprefix("whpk_")))
    public.verify(b"msg_1.1700000000." + BODY, base64.b64decode(signature))


def test_a_private_key_may_bring_its_public_part():
    secret = signer.new_secret("whsk_x")
    seed = base64.b64decode(secret.removeprefix("whsk_"))
    public = base64.b64decode(str(signer.public_key(secret)).removeprefix("whpk_"))
    both = "whsk_" + base64.b64encode(seed + public).decode()
    assert signer.public_key(both) == signer.public_key(secret)
    with pytest.raises(ValueError, match="public part"):
        signer.check_secret("whsk_" + base64.b64encode(seed + bytes(32)).decode())


@pytest.mark.parametrize(
    "text",
    ["", "x", "whsec_", "whsec_" + b64(23), "whsec_" + b64(65), "whsec_***", "whsec_" + b64(32) + "!", b64(32),
     "whsec_" + b64(32) + "\n", "whsk_" + b64(31), "whsk_" + b64(33), "whsk_", "whpk_" + b64(32), "WHSEC_" + b64(32),
     "whsec_ñ"],
)  # fmt: skip
def test_what_cannot_sign_is_refused_without_being_repeated(text):
    with pytest.raises(ValueError, match="secret") as caught:
        signer.check_secret(text)
    assert len(text) < 8 or text[6:] not in str(caught.value)


@pytest.mark.parametrize("kind", ["whsec_", "whsk_"])
def test_a_new_secret_is_of_the_kind_of_the_old_one(kind):
    made = {signer.new_secret(kind + "x") for _ in range(50)}
    assert len(made) == 50
    for secret in made:
        assert secret.startswith(kind)
        signer.check_secret(secret)
        assert signer.digest(secret) not in secret
