"""
The only reader of settings: of the environment, and of ``.env`` after it (help reads its language by itself, in
``worker/language.py``).

One rule for all values: blanks and line ends around one do not count, and an empty value is no value.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Mapping
from typing import Any, Final, Literal

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import ValidationError

from jobs.errors import ConfigurationError
from worker.bounded_files import FileUnusable, read_whole, text_of
from worker.settings.model import Settings
from worker.settings.secrets import SECRET_NAMES, is_utf8
from worker.settings.unknown_names import nearest, told_unknown
from worker.settings.values import reason

ENV_FILE: Final = ".env"
_PREFIX: Final = "FACTUS_"
_MOST_OF_A_FILE: Final = 1024 * 1024
_LONGEST_VALUE: Final = 64 * 1024
_VARIABLES: Final = [f"{_PREFIX}{name.upper()}" for name in Settings.model_fields]


def load_settings(**overrides: Any) -> Settings:
    """
    Read the settings of this process: the environment, then ``.env`` in the working directory.

    Raises:
        ConfigurationError: A value cannot be used; the message names the variable, or the file and its line.
    """
    return settings_of({**_fields(_env_file()), **_fields(os.environ), **overrides})


def settings_of(values: Mapping[str, Any]) -> Settings:
    """
    Settings of these values, by field.

    Raises:
        ConfigurationError: As :func:`load_settings`.
    """
    try:
        return Settings(**values)
    except ValidationError as exc:
        faults = [
            f"FACTUS_{'_'.join(map(str, fault['loc'])).upper()}: {reason(fault['msg'])}"
            if fault["loc"]
            else reason(fault["msg"])
            for fault in exc.errors()
        ]
        raise ConfigurationError("; ".join(faults)) from None


def spoken_language() -> Literal["es", "en"]:
    """
    What the commands speak (``FACTUS_LANG``), for those that need no other setting.

    Raises:
        ConfigurationError: It is neither ``es`` nor ``en``, or ``.env`` cannot be read.
    """
    found = {**_fields(_env_file()), **_fields(os.environ)}
    return settings_of({"lang": found["lang"]}).lang if "lang" in found else "es"


def unknown_variables(environment: Mapping[str, str] | None = None) -> list[str]:
    """
    Names that start with ``FACTUS_`` and mean nothing here: most often a typing error worth a warning.

    Args:
        environment: Where to look; without it in this process's environment and in ``.env``.
    """
    present = {**_env_file(), **os.environ} if environment is None else environment
    return sorted(name for name in present if name.upper().startswith("FACTUS") and name.upper() not in _VARIABLES)


def nearest_variables(names: list[str]) -> list[str]:
    """Each name with the setting that may have been meant."""
    return [told_unknown(name, _VARIABLES) for name in names]


def meant_variables(names: list[str]) -> dict[str, str]:
    """The setting that may have been meant, by name; empty where none is near."""
    return {name: nearest(name, _VARIABLES) for name in names}


def env_file_holds_secrets() -> bool:
    """
    Whether a secret stands in ``.env``: whoever may read that file has it.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    found = _fields(_env_file())
    return any(found.get(name) for name in (*SECRET_NAMES, "jobs_token")) or "@" in found.get("redis_url", "")


def environment_for_child(**values: str) -> dict[str, str]:
    """The environment of a process of ours that shall have no setting of the caller's, only the given ones."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_PREFIX)} | values


def _env_file() -> dict[str, str]:
    """What stands in ``.env``, if there is one."""
    if not os.path.lexists(ENV_FILE):  # a link to nowhere is a mistake worth a word
        return {}
    try:
        text = text_of(read_whole(ENV_FILE, most=_MOST_OF_A_FILE))
    except FileUnusable as exc:
        raise ConfigurationError(f"The file {ENV_FILE} cannot be read: {exc}") from exc
    for statement in parse_stream(io.StringIO(text)):
        if statement.error:
            raise ConfigurationError(f"The file {ENV_FILE}, line {statement.original.line}: not of the form NAME=value")
    # It has been parsed already; dotenv would warn on standard error of what was refused above.
    logging.getLogger("dotenv").setLevel(logging.ERROR)
    found = dotenv_values(stream=io.StringIO(text))
    return {name: value for name, value in found.items() if value is not None}


def _fields(variables: Mapping[str, str]) -> dict[str, str]:
    """
    The settings among *variables* that say something, by their field. Upper and lower case are one, as ever; the exact
    spelling wins.
    """
    found: dict[str, str] = {}
    for name in sorted(variables, key=lambda name: name in _VARIABLES):
        if name.upper() in _VARIABLES and (value := variables[name].strip()):
            found[name.upper().removeprefix(_PREFIX).lower()] = _checked(value, name.upper())
    return found


def _checked(value: str, name: str) -> str:
    if len(value) > _LONGEST_VALUE:
        raise ConfigurationError(f"{name}: longer than {_LONGEST_VALUE} characters")
    if not is_utf8(value):
        raise ConfigurationError(f"{name}: not UTF-8")
    if not value.isprintable() and name.removeprefix(_PREFIX).lower() not in SECRET_NAMES:
        raise ConfigurationError(f"{name}: holds a line break or a control character")
    return value
