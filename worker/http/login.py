"""
``POST /auth/login``: a person's name and password for a token of an hour.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from schemas import strict_json
from worker.http.answers import JSON, Refusal, error, not_found
from worker.http.bodies import body_of
from worker.http.callers import LOGIN_LIFE_S
from worker.http.door import Door
from worker.http.routes import Login

log = structlog.get_logger()

_WRONG: Final = "Usuario o clave equivocados."


class LoggingIn:
    """The route of logins."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def login(self, request: Request) -> Response:
        """A token, at the top level as OAuth2 has it; refusals have our shape."""
        token = await self.token(request, _read)
        answer = {"access_token": token, "token_type": "bearer", "expires_in": LOGIN_LIFE_S}
        return Response(strict_json.dump(answer), media_type=JSON)

    async def token(self, request: Request, read: Callable[[bytes], Login]) -> str:
        """
        A login for who sends a request with a good name and password.

        Args:
            read: What was typed, from the body.

        Raises:
            Refusal: 401, 404, 413, 422, 429.
        """
        door = self._door
        if door.users is None or door.key is None:
            raise not_found("Esta puerta no tiene usuarios (FACTUS_USERS_FILE).")
        async with body_of(request, door.bodies, door.policy, door.policy.most_login_body) as raw:
            typed = read(raw)
        user = door.users.users.get(typed.username)
        with door.wrong.attempt(typed.username, client_of(request, door.settings.http_behind_proxy)) as right:
            # Who is unknown takes as long as who is known.
            is_right = await door.passwords.is_right(user.password if user else door.users.nobody, typed.password)
            if user is None or not is_right:
                log.warning("door.login_refused")
                raise Refusal(401, (error("auth.denied", _WRONG),), {"WWW-Authenticate": "Bearer"})
            right()
        return door.key.login(user, time.time())


def _read(raw: bytes) -> Login:
    try:
        return Login.model_validate(strict_json.parse(raw))
    except (strict_json.JsonRefused, ValidationError):
        text = 'Se espera un objeto JSON: {"username": "...", "password": "..."}.'
        raise Refusal(422, (error("request.invalid", text),)) from None


def client_of(request: Request, is_behind_proxy: bool) -> str:
    """The address of whoever calls; behind a proxy the last one that it has added, which nobody else can write."""
    forwarded = request.headers.getlist("x-forwarded-for") if is_behind_proxy else []
    if forwarded:
        return forwarded[-1].rpartition(",")[2].strip()
    return request.client.host if request.client else ""
