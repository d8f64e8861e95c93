"""A users file that cannot be used is told with why."""

from __future__ import annotations

import pytest

from worker.http.users import UsersInvalid, users_of


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (
            '[users.ana]\nrole = "señora"\n'.encode("latin-1"),
            "line 2 is not UTF-8 (Latin-1, Windows-1252?); save it as UTF-8",
        ),
        (b"x = " + b"[" * 5000, "is not TOML: too deeply nested"),
        (b"[users.ana]\nx = = 1\n", "is not TOML, line 2, column 5"),
        (b"x = " + b"9" * 6000, "is not TOML"),
        (b"", "holds tables named [users.NAME] and nothing else"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(raw: bytes, told: str) -> None:
    with pytest.raises(UsersInvalid) as caught:
        users_of(raw)
    assert str(caught.value) == told
