"""`POST /oauth/token`: the password and refresh grants, in the shapes of Laravel Passport."""

from collections.abc import Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sandbox.routes import responses
from sandbox.routes.middleware import Call, Endpoint, RouteKind, admit, is_library_default
from sandbox.state.accounts import Account
from sandbox.state.sandbox_state import SandboxState

WRONG: Final = "wrong"
_TOKEN: Final = RouteKind("oauth", "token")


def token_endpoint(state: SandboxState) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        if is_library_default(request.headers.get("user-agent", "")):
            state.n_edge_refusals += 1
            return responses.edge_refusal()
        form = await _read_form(request)
        refused, account = _identify(form, state)
        if account is None:
            state.n_bad_logins += 1
            return refused or _invalid_request()

        async def issue(call: Call) -> Response:
            if refused is not None:
                return refused
            if account.is_refused:
                return _invalid_grant()
            # Spent only here: a request that the allowance or a fault stopped leaves the token good.
            if form["grant_type"] == "refresh_token" and not state.tokens.spend_refresh(form["refresh_token"]):
                return _invalid_refresh()
            return _issue(account, state)

        return await admit(request, state, account, _TOKEN, "", None, issue)

    return endpoint


async def _read_form(request: Request) -> dict[str, str]:
    try:
        form = await request.form()
    except HTTPException:
        return {}
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _identify(form: Mapping[str, str], state: SandboxState) -> tuple[Response | None, Account | None]:
    """Whose request it is, as far as it can be known, and what is wrong with it."""
    grant = form.get("grant_type")
    if grant == "password":
        return _identify_by_password(form, state)
    if grant == "refresh_token":
        return _identify_by_refresh(form, state)
    return _unsupported_grant(), None


def _identify_by_password(form: Mapping[str, str], state: SandboxState) -> tuple[Response | None, Account | None]:
    user = form.get("username", "")
    account = state.accounts.open(user) if user else None
    if not all(form.get(name) for name in ("client_id", "client_secret", "username", "password")):
        return _invalid_request(), account
    if form["client_secret"] == WRONG:
        return _invalid_client(), account
    if form["password"] == WRONG:
        return _invalid_grant(), account
    return None, account


def _identify_by_refresh(form: Mapping[str, str], state: SandboxState) -> tuple[Response | None, Account | None]:
    if not all(form.get(name) for name in ("client_id", "client_secret", "refresh_token")):
        return _invalid_request(), None
    if form["client_secret"] == WRONG:
        return _invalid_client(), None
    user = state.tokens.owner_of_refresh(form["refresh_token"])
    if user is None:
        return _invalid_refresh(), None
    return None, state.accounts.open(user)


def _issue(account: Account, state: SandboxState) -> Response:
    pair = state.tokens.issue(account.user, state.now())
    account.n_tokens_issued += 1
    return responses.answer(
        200,
        {
            "token_type": "Bearer",
            "expires_in": pair.expires_in_s,
            "access_token": pair.access,
            "refresh_token": pair.refresh,
        },
    )


def _invalid_grant() -> Response:
    return responses.oauth_refused(400, "invalid_grant", None, "The user credentials were incorrect.")


def _invalid_refresh() -> Response:
    text = "The refresh token is invalid."
    return responses.oauth_refused(401, "invalid_request", text, text)


def _invalid_client() -> Response:
    text = "Client authentication failed"
    return responses.oauth_refused(401, "invalid_client", text, text)


def _invalid_request() -> Response:
    text = "The request is missing a required parameter or includes an invalid parameter value."
    return responses.oauth_refused(400, "invalid_request", text, text)


def _unsupported_grant() -> Response:
    text = "The authorization grant type is not supported by the authorization server."
    return responses.oauth_refused(400, "unsupported_grant_type", text, text)
