"""By which names the page may be asked for: a name of somebody else that leads here makes it a page of his."""

from __future__ import annotations

import pytest

from worker.http.page.hosts import is_own, own_names

NAMES = own_names("Door.Acme.example", ["facturas.acme.example"])


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "10.1.2.3", "[::1]:8080", "[::1]", "door.acme.example:443",
     "door.acme.example.", "facturas.acme.example"],
)  # fmt: skip
def test_own_names_and_addresses_are_fine(host: str) -> None:
    assert is_own(host, NAMES)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example",
     "evil.example#localhost", "localhost:8080:1", "[::1].evil", "x@localhost", "acme.example", "127.1",
     "0x7f.1", "2130706433"],
)  # fmt: skip
def test_all_others_are_not(host: str) -> None:
    assert not is_own(host, NAMES)
