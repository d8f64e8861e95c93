"""The JWK Set: each fault is named, and what would weaken a check stops the start."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jobs.rights.encoding import encode
from jobs.rights.keys import Algorithm, KeyInvalid, key_set_of, signing_key_of, verification_key_of
from tests.tokens import PRIVATE, PUBLIC, SECRET, key_set


def test_both_algorithms_and_both_names_of_one() -> None:
    keys = key_set_of(key_set(SECRET, PUBLIC, {**PUBLIC, "kid": "ed-2", "alg": "Ed25519"}))
    assert [(key.kid, key.algorithm) for key in keys.values()] == [
        ("hs-1", Algorithm.HS256),
        ("ed-1", Algorithm.ED25519),
        ("ed-2", Algorithm.ED25519),
    ]
    assert not keys["ed-1"].is_private


def test_members_of_others_are_left_out_and_a_private_part_is_seen() -> None:
    keys = key_set_of(key_set({**PRIVATE, "use": "sig", "key_ops": ["sign", "verify"], "x5t": "?", "nbf": 1}))
    assert keys["ed-1"].is_private


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "no JSON object"),
        (b'{"keys": [], "keys": []}', "repeats"),
        (b'{"keys": {}}', "no JWK Set"),
        (b'{"keys": []}', "holds no key"),
        (json.dumps(PUBLIC).encode(), "single key"),
        (key_set(SECRET, {**PUBLIC, "kid": "hs-1"}), "two keys have the kid hs-1"),
        (b'{"keys": [7]}', "key 1 is no JSON object"),
    ],
)
def test_what_is_no_key_set(content: bytes, told: str) -> None:
    with pytest.raises(KeyInvalid, match=told):
        key_set_of(content)


@pytest.mark.parametrize(
    ("jwk", "told"),
    [
        ({**SECRET, "kid": None}, "kid"),
        ({**SECRET, "kid": "with space"}, "kid"),
        ({**SECRET, "kid": "k" * 65}, "kid"),
        ({**SECRET, "kid": 7}, "kid"),
        ({name: value for name, value in SECRET.items() if name != "alg"}, "hs-1 has no alg"),
        ({**SECRET, "alg": "none"}, "no alg of"),
        ({**SECRET, "alg": "HS512"}, "no alg of"),
        ({**SECRET, "alg": ["HS256"]}, "no alg of"),
        ({"kty": "RSA", "kid": "r", "alg": "RS256", "n": "AQAB", "e": "AQAB"}, "no alg of"),
        ({**SECRET, "alg": "EdDSA"}, "kty of EdDSA is OKP"),
        ({**PUBLIC, "alg": "HS256"}, "kty of HS256 is oct"),
        ({**SECRET, "k": encode(b"x" * 31)}, "at least 32 bytes"),
        ({**SECRET, "k": "0123456789abcdef0123456789abcdef==="}, "base64url"),
        ({**SECRET, "k": 5}, "at least 32 bytes"),
        ({**SECRET, "k": encode(b"x" * 5000)}, "at most 4096 bytes"),
        ({**PUBLIC, "crv": "Ed448"}, "crv"),
        ({**PUBLIC, "x": encode(b"x" * 31)}, "x must have 32 bytes"),
        ({**PUBLIC, "use": "enc"}, "not for signatures"),
        ({**SECRET, "key_ops": ["encrypt"]}, "not for signatures"),
        ({**SECRET, "factus_account": ["acme"]}, "factus_account is none of"),
        ({**SECRET, "factus_accounts": []}, "factus_accounts"),
        ({**SECRET, "factus_accounts": ["acme", 7]}, "factus_accounts"),
        ({**SECRET, "factus_iss": ""}, "factus_iss"),
        ({**SECRET, "factus_types": {"invoice.*": True}}, "factus_types"),
    ],
)
def test_what_is_no_key(jwk: dict[str, Any], told: str) -> None:
    with pytest.raises(KeyInvalid, match=told) as caught:
        key_set_of(key_set(jwk))
    assert SECRET["k"] not in str(caught.value)


def test_bounds_are_a_text_or_a_list() -> None:
    bounds = key_set_of(
        key_set({**SECRET, "factus_iss": "erp", "factus_accounts": ["a-*", "b"], "factus_types": ["invoice.*"]})
    )["hs-1"].bounds
    assert bounds.is_whole
    assert bounds.allows_producer("erp")
    assert not bounds.allows_producer("erp2")
    assert bounds.allows_account("a-1")
    assert not bounds.allows_account("c")
    assert bounds.allows_type("invoice.issue")
    assert not bounds.allows_type("payroll.issue")
    assert not key_set_of(key_set(SECRET))["hs-1"].bounds.is_whole


def test_a_public_key_signs_nothing() -> None:
    assert signing_key_of(PRIVATE).alg == "EdDSA"
    with pytest.raises(KeyInvalid, match="is public"):
        signing_key_of(PUBLIC)


def test_no_secret_in_a_repr() -> None:
    assert "0123456789abcdef" not in repr(verification_key_of(SECRET))
    assert "0123456789abcdef" not in repr(signing_key_of(SECRET))
