"""
Every token that must grant nothing, with a good signature wherever that is possible: the check alone stands in the way.

The table follows RFC 8725 (JWT best practices) and what was seen to pass in libraries.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jwt
import pytest
from jwt import PyJWK

from jobs.rights.denial import Check, Denied
from jobs.rights.encoding import decode, encode
from jobs.rights.keys import key_set_of
from jobs.rights.revocations import Revocations
from tests.tokens import DAY_S, NOW_S, PRIVATE, PUBLIC, SECRET, claims, header, key_set, signature, token
from worker.rights import verifier as module
from worker.rights.signatures import is_signed, new_key, public_part, sign
from worker.rights.trust import FixedTrust, Trust
from worker.rights.verifier import TokenVerifier


class _Clock:
    def __init__(self) -> None:
        self.now_s: float = NOW_S

    def __call__(self) -> float:
        return self.now_s


class _Source:
    """A trust that a test replaces."""

    def __init__(self, trust: Trust) -> None:
        self.trust = trust


def _verifier(*jwks: dict[str, Any], **given: Any) -> TokenVerifier:
    trust = Trust(key_set_of(key_set(*(jwks or (PUBLIC, SECRET)))))
    return TokenVerifier(FixedTrust(trust), "factus", now_s=given.pop("now_s", lambda: NOW_S), **given)


def _denied(verifier: TokenVerifier, token: object, job: bytes | None = b"{}") -> tuple[Check, str]:
    with pytest.raises(Denied) as caught:
        verifier.verify(token, job=job)
    return caught.value.check, caught.value.kid


@pytest.mark.parametrize("jwk", [PRIVATE, SECRET])
def test_a_good_token_grants_what_it_says(jwk: dict[str, Any]) -> None:
    grant = _verifier().verify(token(jwk), job=b"{}")
    assert (grant.producer, grant.kid, grant.accounts, grant.types) == ("erp", jwk["kid"], ("acme",), ("invoice.*",))
    assert grant.expires_at.timestamp() == NOW_S + DAY_S
    assert grant.allows_account("acme")
    assert not grant.allows_account("acme2")
    assert grant.allows_type("invoice.issue")
    assert not grant.allows_type("payroll.issue")


@pytest.mark.parametrize(
    "changed",
    [
        {"jti": None},
        {"jti": ""},  # a text, whatever it is: nothing is read in it, and no log has it
        {"jti": "x" * 129},
        {"jti": "x" * 5000},
        {"jti": "a\nb\x00\x1b[1m ñ😀"},
        {"iat": None},
        {"nbf": NOW_S + 59},  # leeway
        {"iat": NOW_S + 59},
        {"exp": NOW_S - 59},
        {"exp": NOW_S + 366 * DAY_S},
        {"aud": ["other", "factus"]},
        {"accounts": ["*"], "types": ["*"]},
    ],
)
def test_what_is_optional_and_what_is_within_the_leeway(changed: dict[str, Any]) -> None:
    assert _verifier().verify(token(of=claims(**changed)), job=None)


@pytest.mark.parametrize("typ", ["JWT", "factus-job+jwt", None])
def test_kinds_of_token_that_are_taken(typ: str | None) -> None:
    assert _verifier().verify(token(head=header(PRIVATE, typ=typ)), job=None)


_BAD_HEADERS: list[tuple[Any, Check]] = [
    # The algorithm follows from the key, never from the token (RFC 8725, 3.1, 2.1).
    (header(PRIVATE, alg="none"), Check.ALGORITHM),
    (header(PRIVATE, alg="HS256"), Check.ALGORITHM),
    (header(PRIVATE, alg="HS512"), Check.ALGORITHM),
    (header(PRIVATE, alg="RS256"), Check.ALGORITHM),
    (header(PRIVATE, alg="eddsa"), Check.ALGORITHM),
    (header(PRIVATE, alg=None), Check.ALGORITHM),
    (header(PRIVATE, alg=["EdDSA"]), Check.ALGORITHM),
    # One kid, exactly.
    (header(PRIVATE, kid=None), Check.KID),
    (header(PRIVATE, kid="ED-1"), Check.KID),
    (header(PRIVATE, kid="ed-1 "), Check.KID),
    (header(PRIVATE, kid="unknown"), Check.KID),
    (header(PRIVATE, kid="../../dev/null"), Check.KID),
    (header(PRIVATE, kid="' OR 1=1 --"), Check.KID),
    (header(PRIVATE, kid="k" * 65), Check.KID),
    (header(PRIVATE, kid=1), Check.KID),
    (header(PRIVATE, kid=["ed-1"]), Check.KID),
    (header(PRIVATE, kid=""), Check.KID),
    # Nothing is ever fetched, and nothing is asked for that we would not do (RFC 8725, 3.10).
    (header(PRIVATE, jwk=PUBLIC), Check.HEADER),
    (header(PRIVATE, jku="https://127.0.0.1/keys"), Check.HEADER),
    (header(PRIVATE, x5u="https://127.0.0.1/cert"), Check.HEADER),
    (header(PRIVATE, x5c=["MII"]), Check.HEADER),
    (header(PRIVATE, crit=["exp"]), Check.HEADER),
    (header(PRIVATE, b64=False), Check.HEADER),
    (header(PRIVATE, cty="JWT"), Check.HEADER),
    (header(PRIVATE, zip="DEF"), Check.HEADER),
    # Explicit types (RFC 8725, 3.11).
    (header(PRIVATE, typ="at+jwt"), Check.TYP),
    (header(PRIVATE, typ="jwt"), Check.TYP),
    (header(PRIVATE, typ=7), Check.TYP),
    (header(PRIVATE, typ=["JWT"]), Check.TYP),
    # Read strictly.
    ('{"alg":"EdDSA","kid":"ed-1","kid":"ed-1"}', Check.HEADER),
    ('{"alg":"HS256","alg":"EdDSA","kid":"ed-1"}', Check.HEADER),
    ("[]", Check.HEADER),
    ("null", Check.HEADER),
    ("{", Check.HEADER),
    (b'{"alg":"EdDSA","kid":"\xff"}', Check.HEADER),
    ('{"a":' * 40 + "1" + "}" * 40, Check.HEADER),
]


@pytest.mark.parametrize(("head", "check"), _BAD_HEADERS)
def test_a_header_that_is_not_ours(head: Any, check: Check) -> None:
    assert _denied(_verifier(), token(head=head))[0] is check


_BAD_CLAIMS: list[tuple[Any, Check]] = [
    # Whole numbers; PyJWT takes the texts and the exponents.
    (claims(exp=None), Check.EXPIRY),
    (claims(exp=str(NOW_S + 100)), Check.EXPIRY),
    (claims(exp=float(NOW_S + 100)), Check.EXPIRY),
    (json.dumps(claims()).replace(str(NOW_S + DAY_S), "1e30"), Check.EXPIRY),
    (json.dumps(claims()).replace(str(NOW_S + DAY_S), "179e7"), Check.EXPIRY),
    (json.dumps(claims()).replace(str(NOW_S + DAY_S), "NaN"), Check.CLAIMS),
    (json.dumps(claims()).replace(str(NOW_S + DAY_S), "Infinity"), Check.CLAIMS),
    (claims(exp=True), Check.EXPIRY),
    (claims(exp=[NOW_S + 100]), Check.EXPIRY),
    (json.dumps(claims()).replace(str(NOW_S + DAY_S), "null"), Check.EXPIRY),
    (claims(exp=int("9" * 99)), Check.EXPIRY),
    (claims(exp=NOW_S + 366 * DAY_S + 61), Check.EXPIRY),
    (claims(exp=NOW_S - 60), Check.EXPIRED),
    (claims(exp=-1), Check.EXPIRED),
    (claims(exp=0), Check.EXPIRED),
    (claims(iat=str(NOW_S)), Check.ISSUED_AT),
    (claims(iat=NOW_S + 61), Check.ISSUED_AT),
    (claims(iat=1.5), Check.ISSUED_AT),
    (claims(nbf="0"), Check.NOT_BEFORE),
    (claims(nbf=False), Check.NOT_BEFORE),
    (claims(nbf=NOW_S + 61), Check.NOT_BEFORE),
    # Repeated claims: PyJWT takes the last.
    (json.dumps(claims()).replace("{", '{"accounts": ["*"], ', 1), Check.CLAIMS),
    (json.dumps(claims()).replace("{", '{"exp": 1, ', 1), Check.CLAIMS),
    ("[]", Check.CLAIMS),
    ("7", Check.CLAIMS),
    ("", Check.FORM),  # three parts, one empty
    (b"\xff\xfe{}", Check.CLAIMS),
    # A claim that we do not know may be a bound that we would not keep.
    (claims(max_jobs=1), Check.CLAIMS),
    (claims(sub="x"), Check.CLAIMS),
    # Who, and for whom (RFC 8725, 3.8, 3.9).
    (claims(iss=None), Check.ISSUER),
    (claims(iss=""), Check.ISSUER),
    (claims(iss=["erp"]), Check.ISSUER),
    (claims(iss="e\nrp"), Check.ISSUER),
    (claims(iss="x" * 129), Check.ISSUER),
    (claims(aud=None), Check.AUDIENCE),
    (claims(aud="factus:door"), Check.AUDIENCE),
    (claims(aud="Factus"), Check.AUDIENCE),
    (claims(aud="factus2"), Check.AUDIENCE),
    (claims(aud=""), Check.AUDIENCE),
    (claims(aud=[]), Check.AUDIENCE),
    (claims(aud=["factus", 7]), Check.AUDIENCE),
    (claims(aud={"factus": 1}), Check.AUDIENCE),
    (claims(jti=7), Check.JTI),
    (claims(jti=["t"]), Check.JTI),
    (json.dumps(claims()).replace('"t-1"', "null"), Check.JTI),
    # Grants: missing or empty is denied, never "all".
    (claims(accounts=None), Check.ACCOUNTS),
    (claims(accounts=[]), Check.ACCOUNTS),
    (claims(accounts="acme"), Check.ACCOUNTS),
    (claims(accounts=["acme", ""]), Check.ACCOUNTS),
    (claims(accounts=["acme", 7]), Check.ACCOUNTS),
    (claims(accounts={"acme": 1}), Check.ACCOUNTS),
    (claims(types=None), Check.TYPES),
    (claims(types=[]), Check.TYPES),
    (claims(types="*"), Check.TYPES),
    (claims(types=[None]), Check.TYPES),
    # Bound to another job, or to none that could be.
    (claims(job_sha256=hashlib.sha256(b"another").hexdigest()), Check.JOB_DIGEST),
    (claims(job_sha256="0" * 63), Check.JOB_DIGEST),
    (claims(job_sha256=""), Check.JOB_DIGEST),
    (claims(job_sha256=7), Check.JOB_DIGEST),
]


@pytest.mark.parametrize(("of", "check"), _BAD_CLAIMS)
def test_claims_that_grant_nothing(of: Any, check: Check) -> None:
    assert _denied(_verifier(), token(of=of)) == (check, "" if check is Check.FORM else "ed-1")


@pytest.mark.parametrize(
    ("text", "check"),
    [
        (None, Check.MISSING),
        ("", Check.MISSING),
        (7, Check.FORM),
        (["a.b.c"], Check.FORM),
        (b"a.b.c", Check.FORM),
        ("a", Check.FORM),
        ("a.b", Check.FORM),
        ("a.b.c.d", Check.FORM),
        ("a.b.c.d.e", Check.FORM),
        ("\ud800.b.c", Check.FORM),
        ("é.b.c", Check.FORM),
        ("A" * 8193, Check.SIZE),
        ("x" * 2_000_000, Check.SIZE),
        (token() + "\n", Check.FORM),
        (" " + token(), Check.FORM),
        ("Bearer " + token(), Check.FORM),
        (token() + "=", Check.FORM),
        (token().rpartition(".")[0] + ".", Check.FORM),  # alg none's form
        (token().rpartition(".")[0], Check.FORM),
    ],
)
def test_what_is_no_token(text: object, check: Check) -> None:
    assert _denied(_verifier(), text) == (check, "")


def test_a_token_has_one_spelling() -> None:
    """The last character of a signature has bits that say nothing: another spelling is no other token."""
    good = token()
    others = [good[:-1] + char for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if char != good[-1]]
    assert {_denied(_verifier(), other)[0] for other in others} <= {Check.FORM, Check.SIGNATURE}


def test_a_token_of_8_kib_is_the_longest() -> None:
    room = 8192 - len(token(of=claims(accounts=["acme", "x"])))
    names = ["acme", "x" + "y" * (room * 3 // 4 - 3)]
    long = token(of=claims(accounts=names))
    assert 8150 < len(long) <= 8192
    assert _verifier().verify(long, job=None)
    assert _denied(_verifier(), token(of=claims(accounts=["acme", "y" * 9000])))[0] is Check.SIZE


def test_a_signature_of_somebody_else() -> None:
    stranger = new_key("ed-1", "EdDSA")
    assert _denied(_verifier(), token(stranger)) == (Check.SIGNATURE, "ed-1")
    assert _denied(_verifier(), token({**SECRET, "k": encode(b"z" * 32)})) == (Check.SIGNATURE, "hs-1")


def test_claims_that_were_changed_after_signing() -> None:
    head, _, sig = token().split(".")
    forged = f"{head}.{encode(json.dumps(claims(accounts=['*'])).encode())}.{sig}"
    assert _denied(_verifier(), forged) == (Check.SIGNATURE, "ed-1")


def test_the_public_key_is_no_secret() -> None:
    """Algorithm confusion: HS256 keyed with the public key that everybody has, in each form that it has."""
    for secret in (decode(PUBLIC["x"]), PUBLIC["x"].encode(), json.dumps(PUBLIC).encode()):
        for alg in ("HS256", "EdDSA"):
            signed = ".".join(encode(json.dumps(part).encode()) for part in (header(PRIVATE, alg=alg), claims()))
            sig = signature({**SECRET, "k": encode(secret)}, signed.encode())
            assert _denied(_verifier(), f"{signed}.{encode(sig)}")[0] in (Check.ALGORITHM, Check.SIGNATURE)


def test_both_names_of_one_algorithm() -> None:
    """RFC 9864: the key says EdDSA, a newer signer Ed25519."""
    assert _verifier().verify(token(head=header(PRIVATE, alg="Ed25519")), job=None)
    newer = {**PRIVATE, "alg": "Ed25519"}
    assert _verifier(public_part(newer)).verify(token(head=header(PRIVATE)), job=None)


def test_tokens_of_a_known_library_are_taken_and_it_takes_ours() -> None:
    key = PyJWK(SECRET)
    made = jwt.encode(claims(), key, algorithm="HS256", headers={"kid": "hs-1"})
    assert _verifier().verify(made, job=None).producer == "erp"
    options: Any = {"verify_exp": False, "verify_iat": False}
    ours = sign(SECRET, claims())
    assert jwt.decode(ours, key, algorithms=["HS256"], audience="factus", options=options)["iss"] == "erp"


def test_the_example_of_the_standard() -> None:
    """RFC 8037, A.4: a signature that somebody else has made, and that ours is equal to."""
    signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    theirs = decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
    key = key_set_of(key_set(PUBLIC))["ed-1"]
    assert is_signed(key, signed, theirs)
    assert not is_signed(key, signed + b"x", theirs)
    assert signature(PRIVATE, signed) == theirs
    assert not is_signed(key, signed, theirs[:-1]), "of another length"


def test_openssl_takes_ours(tmp_path: Path) -> None:
    """A second implementation, wherever it is there."""
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("openssl is missing")
    signed, _, sig = sign(PRIVATE, claims()).rpartition(".")
    der = bytes.fromhex("302a300506032b6570032100") + decode(PUBLIC["x"])  # RFC 8410
    (tmp_path / "key.der").write_bytes(der)
    (tmp_path / "signed").write_text(signed)
    (tmp_path / "sig").write_bytes(decode(sig))
    command = [openssl, "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", "key.der"]
    done = subprocess.run([*command, "-in", "signed", "-sigfile", "sig"], cwd=tmp_path, capture_output=True, text=True)
    assert "Verified Successfully" in done.stdout, done.stderr


# -- what a key lets its tokens grant ----------------------------------------------------------------------------------
def test_a_key_bounds_its_tokens() -> None:
    bounded = {**PUBLIC, "factus_iss": "erp", "factus_accounts": ["acme", "b-*"], "factus_types": ["invoice.*"]}
    grant = _verifier(bounded).verify(token(of=claims(accounts=["*"], types=["*"])), job=None)
    assert [name for name in ("acme", "b-1", "other") if grant.allows_account(name)] == ["acme", "b-1"]
    assert [name for name in ("invoice.issue", "payroll.issue") if grant.allows_type(name)] == ["invoice.issue"]
    assert _denied(_verifier(bounded), token(of=claims(iss="pos"))) == (Check.ISSUER, "ed-1")


def test_one_producers_key_is_not_anothers() -> None:
    """Replayed under another kid: the signature is not that key's."""
    other = new_key("other", "EdDSA")
    verifier = _verifier(PUBLIC, public_part(other))
    assert _denied(verifier, token(head=header(PRIVATE, kid="other"))) == (Check.SIGNATURE, "other")


# -- bound to a job ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("spelt", [str.lower, str.upper])
def test_a_token_that_is_bound_to_a_job_goes_with_no_other(spelt: Any) -> None:
    job = b'{"type": "invoice.issue"}'
    bound = token(of=claims(job_sha256=spelt(hashlib.sha256(job).hexdigest())))
    verifier = _verifier()
    assert verifier.verify(bound, job=job)
    assert _denied(verifier, bound, job + b" ") == (Check.JOB_DIGEST, "ed-1")
    assert _denied(verifier, bound, None) == (Check.JOB_DIGEST, "ed-1")
    assert verifier.verify(bound, job=job)


# -- the memory --------------------------------------------------------------------------------------------------------
@pytest.fixture
def n_checked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often a signature was checked."""
    found: list[int] = []

    def counting(*args: Any) -> bool:
        found.append(1)
        return is_signed(*args)

    monkeypatch.setattr(module, "is_signed", counting)
    return found


def test_a_signature_is_checked_once(n_checked: list[int]) -> None:
    verifier, good = _verifier(), token()
    for _ in range(5):
        verifier.verify(good, job=None)
    assert len(n_checked) == 1


def test_what_is_remembered_expires(n_checked: list[int]) -> None:
    clock, good = _Clock(), token()
    verifier = _verifier(now_s=clock)
    assert verifier.verify(good, job=None)
    clock.now_s = NOW_S + DAY_S + 59
    assert verifier.verify(good, job=None)
    clock.now_s = NOW_S + DAY_S + 60
    assert _denied(verifier, good) == (Check.EXPIRED, "ed-1")
    assert len(n_checked) == 1


def test_what_is_remembered_is_taken_back_at_once() -> None:
    source = _Source(Trust(key_set_of(key_set(PUBLIC, SECRET))))
    verifier, good = TokenVerifier(source, "factus", now_s=lambda: NOW_S), token()
    assert verifier.verify(good, job=None)
    for revoked, check in (
        (Revocations(kids=frozenset({"ed-1"})), Check.KEY_REVOKED),
        (Revocations(producers={"erp": NOW_S}), Check.PRODUCER_REVOKED),
    ):
        source.trust = Trust(source.trust.keys, revoked)
        assert _denied(verifier, good) == (check, "ed-1")
    source.trust = Trust(source.trust.keys, Revocations(producers={"erp": NOW_S - 100, "pos": NOW_S}))
    assert verifier.verify(good, job=None), "issued at that very second, and another producer"


def test_a_key_that_is_gone_or_replaced_ends_what_is_remembered() -> None:
    source = _Source(Trust(key_set_of(key_set(PUBLIC, SECRET))))
    verifier, good = TokenVerifier(source, "factus", now_s=lambda: NOW_S), token()
    assert verifier.verify(good, job=None)
    source.trust = Trust(key_set_of(key_set(SECRET)))
    assert _denied(verifier, good) == (Check.KID, "ed-1")
    source.trust = Trust(key_set_of(key_set(public_part(new_key("ed-1", "EdDSA")))))
    assert _denied(verifier, good) == (Check.SIGNATURE, "ed-1")
    source.trust = Trust(key_set_of(key_set({**PUBLIC, "factus_accounts": ["other"]})))
    assert not verifier.verify(good, job=None).allows_account("acme")


def test_the_memory_is_bounded_and_holds_no_token(n_checked: list[int]) -> None:
    verifier = _verifier(most_remembered=3)
    tokens = [token(of=claims(jti=f"t-{n}")) for n in range(5)]
    for one in tokens:
        verifier.verify(one, job=None)
    verifier.verify(tokens[-1], job=None)
    assert len(n_checked) == 5
    verifier.verify(tokens[0], job=None)
    assert len(n_checked) == 6
    known = verifier._known
    assert len(known) == 3
    assert not any(tokens[n].encode() in repr(known).encode() for n in range(5))


def test_a_forged_token_is_not_remembered(n_checked: list[int]) -> None:
    verifier, forged = _verifier(), token(new_key("ed-1", "EdDSA"))
    assert _denied(verifier, forged)[0] is Check.SIGNATURE
    assert _denied(verifier, forged)[0] is Check.SIGNATURE
    assert len(n_checked) == 2


def test_a_denial_holds_nothing_of_the_token() -> None:
    good = token(of=claims(exp=NOW_S - 100, jti="planted-id"))
    with pytest.raises(Denied) as caught:
        _verifier().verify(good, job=None)
    assert str(caught.value) == "expired: ed-1"
