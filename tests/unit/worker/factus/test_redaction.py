"""The account's secrets in foreign words: in every form in which a server may give them back, wherever they stand."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.factus.redaction import BLOT, Redactor, without_opaque_words

SECRETS = ("9a1f-client-id", 'se"cre/to ñ+&\\<x>', "contador@example.com", "clave-muy-secreta-55")
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
FORMS = {
    "plain": str,
    "upper case": str.upper,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON, not escaped": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON of PHP": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "URL": quote,
    "URL, whole": lambda text: quote(text, safe=""),
    "URL, lower case": lambda text: quote(text, safe="").lower(),
    "form": quote_plus,
    "HTML": html.escape,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of a pair": lambda text: base64.b64encode(f"user:{text}".encode()).decode(),
    "base64 of a pair, other offset": lambda text: base64.b64encode(f"users:{text}:x".encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(f"a:{text}?>".encode()).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
}


@pytest.fixture
def redactor():
    return Redactor(SECRETS)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", [*SECRETS, TOKEN])
def test_each_form_of_each_secret_is_blotted_wherever_it_stands(redactor, form, secret):
    given_back = FORMS[form](secret)
    said = f"no vale {given_back}."
    body = {"message": said, "errors": {said: [said, {"message": said, "deep": [[{"x": said}]]}]}, "n": 1}
    told = json.dumps(redactor.value(body, TOKEN), ensure_ascii=False)
    assert BLOT in told
    core = given_back[4:-4] if form.startswith("base64") else given_back
    assert core.casefold() not in told.casefold()
    assert core.casefold() not in redactor.text(said, TOKEN).casefold()


def test_what_holds_no_secret_is_the_very_same(redactor):
    body = {"message": "Documento validado", "data": [1, None, {"a": ["b"]}]}
    assert redactor.value(body, TOKEN) is body
    assert Redactor(["", "x", "abc"]).value({"a": "x abc"}) == {"a": "x abc"}


def test_a_short_secret_is_one_only_where_it_stands_alone():
    redactor = Redactor(["2026", "clave"])
    assert redactor.text("factura 20261 de 2026, claves: clave") == f"factura 20261 de {BLOT}, claves: {BLOT}"


def test_what_names_a_document_or_its_people_stays_whatever_the_password_is():
    """Somebody's password is the NIT: the document is still compared by it."""
    data = {"number": "SETP900123456", "customer": {"identification": "900123456"}, "note": "900123456"}
    assert Redactor(["900123456"]).value(data) == {**data, "note": BLOT}


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_it_takes_any_value_and_leaves_no_secret(value):
    redactor = Redactor(SECRETS)
    told = redactor.value({"x": value, "y": SECRETS[3]}, TOKEN)
    assert SECRETS[3] not in json.dumps(told, ensure_ascii=False)


def test_nothing_is_compiled_for_an_answer_that_tells_no_secret(monkeypatch):
    """With 200 accounts the spellings of their secrets were compiled anew for each answer: 4 ms, more than the rest."""
    redactors = [Redactor([f"password-of-{n}", f"secret-of-{n}"]) for n in range(300)]
    monkeypatch.setattr(re, "compile", lambda *_: pytest.fail("a pattern was made"))
    for n, redactor in enumerate(redactors):
        assert redactor.value({"data": {"name": "Ana"}}, f"token-of-account-{n}") == {"data": {"name": "Ana"}}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("token eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.e30.x-1 is revoked", f"token {BLOT} is revoked"),
        ("planted-access-token-0f6d1c", BLOT),
        ("Las credenciales de usuario no son correctas.", "Las credenciales de usuario no son correctas."),
        ("https://factus.com.co/ayuda", "https://factus.com.co/ayuda"),
        ("2026-11-29 21:57:54", "2026-11-29 21:57:54"),
    ],
)
def test_what_refuses_a_token_tells_no_word_that_may_be_one(text, told):
    """It may quote a token of another process, of which nobody here has heard."""
    assert without_opaque_words({"message": [text]}) == {"message": [told]}


@pytest.mark.parametrize("letters", ["a", "1", "a1", "a ", "=", "é"])
def test_a_text_of_any_length_is_looked_at_once(letters):
    """Megabytes of one word held the loop for more than a second, and four of them for ever."""
    text = letters * (4_000_000 // len(letters))
    told = without_opaque_words(text)
    assert told == (BLOT if letters == "a1" else text)
