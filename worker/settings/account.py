"""
An account at Factus, and the file that holds several.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from jobs.errors import ConfigurationError
from worker.addresses import Environment, environment_of, factus_address
from worker.bounded_files import FileUnusable, read_whole, text_of
from worker.settings.secrets import SECRET_NAMES, check_secret
from worker.settings.unknown_names import told_unknown
from worker.settings.values import (
    AccountName,
    Concurrency,
    DayPolicy,
    LaneWidth,
    RateLimit,
    RateWindow,
    describe,
    toml_place,
    trimmed,
)

_MOST_OF_A_FILE: Final = 1024 * 1024
_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,2}")


class Account(BaseModel):
    """One set of Factus credentials with its own allowance, lanes, token and HTTP client."""

    # An error of pydantic's shows what it was given.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: AccountName
    client_id: SecretStr
    client_secret: SecretStr
    username: SecretStr
    password: SecretStr
    base_url: str
    rate_limit: RateLimit
    rate_window: RateWindow
    concurrency: Concurrency
    lane_width: LaneWidth = 1
    timezone: str = "America/Bogota"
    own_streams: bool = False
    radian_person: Annotated[dict[str, Any] | None, Field(repr=False)] = None
    """Who declares tacit acceptances: the fields of ``invoice.accept``, as Factus takes them."""

    @field_validator("radian_person", mode="before")
    @classmethod
    def _is_a_person(cls, given: object) -> dict[str, Any] | None:
        return None if given is None else _person(given)

    day_policy: DayPolicy = "free"

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        return factus_address(url)

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        # The form first: a name with dots or a leading slash would be opened as a path.
        try:
            if _ZONE.fullmatch(name):
                ZoneInfo(name)
                return name
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass  # no such zone, no zone but a table, or a folder of them
        raise ValueError("no time zone of that name, such as America/Bogota")

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def environment(self) -> Environment:
        """Which Factus it is: ``production``, ``sandbox`` or ``local``."""
        return environment_of(self.base_url)


_KEYS: Final = [name for name in Account.model_fields if name != "name"]


def accounts_of_file(path: Path, defaults: Mapping[str, Any]) -> dict[str, Account]:
    """
    The accounts of a file in TOML, by name.

    Args:
        defaults: What holds for an account that says nothing else, by key.

    Raises:
        ConfigurationError: The file cannot be read, or a value in it is wrong; names the account and the key.
    """
    where = f"FACTUS_ACCOUNTS_FILE: {path}"
    try:
        table = tomllib.loads(text_of(read_whole(path, most=_MOST_OF_A_FILE)))
    except FileUnusable as exc:
        raise ConfigurationError(f"{where}: {exc}") from exc
    except RecursionError as exc:
        raise ConfigurationError(f"{where}: is not TOML: too deeply nested") from exc
    except ValueError as exc:  # TOMLDecodeError, and whole numbers of thousands of digits
        raise ConfigurationError(f"{where}: is not TOML{toml_place(exc)}") from exc
    accounts = table.get("accounts")
    if not isinstance(accounts, dict) or not accounts or set(table) != {"accounts"}:
        raise ConfigurationError(f"{where}: holds tables named [accounts.NAME] and nothing else")
    return {name: account_of(name, values, defaults, f"{where}: accounts.{name}") for name, values in accounts.items()}


def account_of(name: str, values: object, defaults: Mapping[str, Any], where: str) -> Account:
    """
    One account.

    Args:
        values: As they are written, by key.
        where: Named in errors.

    Raises:
        ConfigurationError: A value is wrong or missing; names the key.
    """
    if not isinstance(values, Mapping):
        raise ConfigurationError(f"{where} is not a table")
    given = {key: value for key, value in ((key, trimmed(value)) for key, value in values.items()) if value != ""}
    unknown = [key for key in given if key not in Account.model_fields or key == "name"]
    if unknown:
        raise ConfigurationError(f"{where}: {told_unknown(unknown[0], _KEYS)}")
    missing = [key for key in SECRET_NAMES if key not in given]
    if missing:
        raise ConfigurationError(f"{where} lacks {', '.join(missing)}")
    try:
        account = Account(**{**defaults, **given, "name": name})
    except ValidationError as exc:
        raise ConfigurationError(f"{where}: {describe(exc)}") from None
    for key in SECRET_NAMES:
        check_secret(getattr(account, key).get_secret_value(), f"{where}: {key}")
    return account


def _person(given: object) -> dict[str, Any]:
    """
    The person of an account, checked as the payload of ``invoice.accept`` is.

    Raises:
        ValueError: Names the field; its value is somebody's data and is not repeated.
    """
    # Imported where it is used: few have such a person, and every command would load all payload models.
    from jobs.document_types import ACCEPT
    from schemas import strict_json
    from schemas.payload.validate import validate

    if not isinstance(given, Mapping):
        raise ValueError("a table with the fields of invoice.accept")  # noqa: TRY004  # pydantic's way
    named = {key: value for key, value in ((key, trimmed(value)) for key, value in given.items()) if value != ""}
    if "number" in named:
        raise ValueError("number: the bill's number is no part of the person")
    found = validate(ACCEPT, {**named, "number": "X"}, today=date.min)
    if found.errors:
        raise ValueError("; ".join(f"{error.field or 'table'}: {error.message}" for error in found.errors))
    person: dict[str, Any] = strict_json.parse(found.wire)
    del person["number"]
    return person
