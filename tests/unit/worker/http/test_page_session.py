"""Whether a form comes from a page of ours: what browsers say of it, and what only others would."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from worker.http.page.session import is_from_here

HOST = "door.example:8080"
OURS = f"https://{HOST}"
ANOTHERS = "https://evil.example"
ORIGINS = (None, OURS, ANOTHERS, "null", "", "http://[")
SITES_OF_OURS = ("same-origin", "none")
SITES_OF_OTHERS = ("same-site", "cross-site", "", "SAME-ORIGIN", "same-origin, same-origin")


def sent(origin: str | None, site: str | None, host: str | None) -> Request:
    given = {"origin": origin, "sec-fetch-site": site, "host": host}
    headers = [(name.encode(), value.encode()) for name, value in given.items() if value is not None]
    return Request({"type": "http", "method": "POST", "path": "/login", "headers": headers})


@pytest.mark.parametrize("host", [HOST, "behind.proxy", "", None])
@pytest.mark.parametrize("origin", ORIGINS)
def test_where_the_browser_says_it_that_alone_decides(origin: str | None, host: str | None) -> None:
    """No page can write ``Sec-Fetch-Site``; ``Origin`` is null on a page without a referrer, and Host a proxy's."""
    assert all(is_from_here(sent(origin, site, host)) for site in SITES_OF_OURS)
    assert not any(is_from_here(sent(origin, site, host)) for site in SITES_OF_OTHERS)


@pytest.mark.parametrize(
    ("origin", "host", "is_ours"),
    [
        (OURS, HOST, True),
        (f"http://{HOST}", HOST, True),  # TLS may end at a proxy
        (OURS, "door.example", False),
        ("https://door.example", HOST, False),
        (OURS, None, False),
        (ANOTHERS, HOST, False),
        (f"{ANOTHERS}/{HOST}", HOST, False),
        ("null", HOST, False),
        ("null", "", False),
        ("null", None, False),
        ("", HOST, False),
        ("", None, False),
        ("http://[", HOST, False),
        (None, HOST, True),  # no browser: it carries nobody's cookie
        (None, None, True),
    ],
)
def test_otherwise_the_origin_must_be_the_host(origin: str | None, host: str | None, is_ours: bool) -> None:
    assert is_from_here(sent(origin, None, host)) is is_ours
