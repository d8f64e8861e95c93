"""
The login of a browser: the door's own login of an hour, in a cookie that no script reads and no other site sends.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlsplit

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from worker.http.answers import Refusal, error
from worker.http.callers import LOGIN_LIFE_S, PERSON, Caller
from worker.http.door import Door
from worker.http.routes import Login

_PLAIN: Final = "factus_login"
_SECURE: Final = "__Host-factus_login"
"""A name that a browser takes over TLS only, from this very host."""

_MOST_FIELDS: Final = 8
_FROM_HERE: Final = frozenset({"same-origin", "none"})
"""``Sec-Fetch-Site`` of what a page of this origin sends, or the person himself (a page sent again, a tab restored)."""


def is_over_tls(door: Door, request: Request) -> bool:
    """Whether what is sent back goes over TLS, the door's own or that of the proxy before it."""
    return request.url.scheme == "https" or door.settings.http_behind_proxy


def caller_of(door: Door, request: Request) -> Caller | None:
    """Who looks: by the cookie, or by a token as the rest of the door takes it. None: nobody that may."""
    header = [one for one in request.headers.getlist("authorization") if one.strip()]
    token = request.cookies.get(_SECURE if is_over_tls(door, request) else _PLAIN, "")
    if not header and not token:
        return None
    try:
        caller = door.gate.identify(header or [f"Bearer {token}"])
    except Refusal:
        return None
    # A producer's token is no login: in a cookie it would be good for as long as it lasts.
    is_fine = not caller.is_bound and (bool(header) or caller.name.startswith(PERSON))
    return caller if is_fine else None


def let_in(door: Door, request: Request, answer: Response, token: str) -> None:
    """Give a login to a browser."""
    _set(door, request, answer, token, LOGIN_LIFE_S)


def let_out(door: Door, request: Request, answer: Response) -> None:
    """Take it back."""
    _set(door, request, answer, "", 0)


def _set(door: Door, request: Request, answer: Response, value: str, life_s: int) -> None:
    is_secure = is_over_tls(door, request)
    name = _SECURE if is_secure else _PLAIN
    answer.set_cookie(name, value, max_age=life_s, path="/", secure=is_secure, httponly=True, samesite="strict")


def is_from_here(request: Request) -> bool:
    """
    Whether a form was sent by a page of ours, as far as the browser says: another site logs nobody in or out.

    Who sends neither header is no browser of today, and carries nobody's cookie.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        # The browser alone writes it, no page can: so it decides, whatever Origin says. That is ``null`` where a page
        # tells no address, and another host than ours where a proxy changes Host. "none" is the person himself.
        return site in _FROM_HERE
    # It is not sent without TLS, but to this very machine.
    origin = request.headers.get("origin")
    if origin is None:
        return True
    try:
        host = urlsplit(origin).netloc
    except ValueError:
        return False
    # "null" has no host: it is anybody's, also where the request names none either.
    return host != "" and host == request.headers.get("host", "")


def typed_of(raw: bytes) -> tuple[Login, str]:
    """
    What was typed into the form, and the address to go on to.

    Raises:
        Refusal: 422, it is no such form.
    """
    try:
        pairs = parse_qsl(
            raw.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=_MOST_FIELDS, errors="strict"
        )
        fields = dict(pairs)
        login = Login(username=fields["username"], password=fields["password"])
    except (ValueError, KeyError, ValidationError):
        raise Refusal(422, (error("request.invalid", "Escriba usuario y clave."),)) from None
    return login, next_of(fields.get("next", ""))


def next_of(text: str) -> str:
    """An address of the page itself; of what is none the first page."""
    is_ours = text == "/" or text.startswith(("/documents/", "/documents?"))
    return text if is_ours and text.isascii() and text.isprintable() and "\\" not in text and " " not in text else "/"
