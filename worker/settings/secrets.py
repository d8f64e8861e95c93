"""
Secrets of the settings: given directly, or as a file that holds one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import SecretStr

from jobs.errors import ConfigurationError
from worker.bounded_files import FileUnusable, read_whole, text_of

SECRET_NAMES: Final = ("client_id", "client_secret", "username", "password")
"""What an account at Factus has, by field."""

_MOST_OF_A_FILE: Final = 64 * 1024


def secret_of(direct: SecretStr | None, path: Path | None, variable: str) -> SecretStr | None:
    """
    One secret; None where none is set.

    Args:
        direct: As it stands in the environment; it comes first.
        path: The file that holds it, blanks around it aside.
        variable: Named in errors.

    Raises:
        ConfigurationError: Its file cannot be read or is empty, or it holds what a request cannot carry.
    """
    if direct:
        check_secret(direct.get_secret_value(), variable)
        return direct
    if path is None:
        return None
    try:
        text = text_of(read_whole(path, most=_MOST_OF_A_FILE)).strip()
    except FileUnusable as exc:
        raise ConfigurationError(f"{variable}_FILE cannot be read: {path}: {exc}") from exc
    if not text:
        raise ConfigurationError(f"{variable}_FILE: {path} is empty")
    check_secret(text, f"{variable}_FILE: {path}")
    return SecretStr(text)


def check_secret(text: str, where: str) -> None:
    """
    Raises:
        ConfigurationError: A request could not carry it, or carries it as something else than was meant.
    """
    if not is_utf8(text):
        raise ConfigurationError(f"{where}: not UTF-8")
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise ConfigurationError(f"{where}: holds a line break or a control character")


def is_utf8(text: str) -> bool:
    """Bytes of the environment that are no UTF-8 come as lone surrogates, which nothing can write down again."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
