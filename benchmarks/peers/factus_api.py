"""
What every peer needs of Factus, as one writes it first: a token for each account, kept while it is good, and a create.

Any status but 2xx is raised as ``httpx.HTTPStatusError``, any lost answer as another ``httpx.HTTPError``; what to do
then is the peer's own way. The settings come from the environment; ``contestants.py`` sets them.
"""

from __future__ import annotations

import os
import time
from typing import Any

import httpx

FACTUS_URL = os.environ["PEER_FACTUS_URL"]
REDIS_URL = os.environ["PEER_REDIS_URL"]
FOLDER = os.environ["PEER_FOLDER"]
COMPANIES = os.environ["PEER_COMPANIES"].split()
LIMIT = int(os.environ["PEER_LIMIT"])
WINDOW_S = float(os.environ["PEER_WINDOW_S"])

PACE = WINDOW_S / 60
"""Time runs faster here by this factor: what a documentation gives in seconds is multiplied by it."""

OPTIONS: dict[str, Any] = {
    "base_url": FACTUS_URL,
    "timeout": 30.0,
    "trust_env": False,
    "headers": {"User-Agent": "erp/1.0", "Accept": "application/json"},
}
"""For ``httpx.Client`` and ``httpx.AsyncClient``. Factus turns the libraries' own agents away."""

_tokens: dict[str, tuple[str, float]] = {}


def issue(client: httpx.Client, account: str, payload: dict[str, Any]) -> str:
    """The number of the validated document."""
    token = _kept(account)
    if token is None:
        token = _keep(account, client.post("/oauth/token", data=_grant(account)))
    return _number(client.post("/v2/bills/validate", json=payload, headers=_bearer(token)))


async def issue_async(client: httpx.AsyncClient, account: str, payload: dict[str, Any]) -> str:
    """The number of the validated document."""
    token = _kept(account)
    if token is None:
        token = _keep(account, await client.post("/oauth/token", data=_grant(account)))
    return _number(await client.post("/v2/bills/validate", json=payload, headers=_bearer(token)))


def _kept(account: str) -> str | None:
    token, good_until = _tokens.get(account, ("", 0.0))
    return token if time.monotonic() < good_until else None


def _keep(account: str, answer: httpx.Response) -> str:
    found = answer.raise_for_status().json()
    _tokens[account] = found["access_token"], time.monotonic() + found["expires_in"] - 60
    return str(found["access_token"])


def _grant(account: str) -> dict[str, str]:
    return {"grant_type": "password", "client_id": "x", "client_secret": "x", "username": account, "password": "x"}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _number(answer: httpx.Response) -> str:
    return str(answer.raise_for_status().json()["data"]["number"])
