"""
Settings: the only reader of the environment, and the only place where a bad value is refused.

Values come from environment variables, then ``.env``; accounts also from a TOML file. Everything else in the service
receives the small frozen value that it needs (:class:`Account`, :class:`BackoffPolicy` ...), never all of them.
One rule for all of them: blanks and line ends around a value do not count, and an empty value is no value.
The table of variables is docs/contract.md, section 5.
"""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from jobs.backoff import BackoffPolicy
from jobs.errors import ConfigurationError
from schemas.radian.calendar import Calendar
from worker.addresses import Environment, environment_of, factus_address, redis_address
from worker.bounded_files import FileUnusable, read_whole, text_of

FACTUS_SANDBOX_URL: Final = "https://api-sandbox.factus.com.co"
ENV_FILE: Final = ".env"
_PREFIX: Final = "FACTUS_"
_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SECRET_NAMES: Final = ("client_id", "client_secret", "username", "password")
_DAY_S: Final = 86400.0
_MOST_OF_A_FILE: Final = 1024 * 1024
_MOST_OF_A_SECRET: Final = 64 * 1024
_LONGEST_VALUE: Final = 64 * 1024
_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,2}")


def parse_duration(value: object) -> object:
    """Seconds from a number and a unit: ``250ms``, ``60s``, ``5m``, ``4h``, ``90d``. Others pass to pydantic."""
    if isinstance(value, bool):
        raise ValueError("a duration is a number and ms, s, m, h or d, such as 60s")  # noqa: TRY004  # pydantic's way
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*(ms|s|m|h|d)\s*", value)
        if not match:
            raise ValueError("a duration is a number and ms, s, m, h or d, such as 60s")
        return float(match[1]) * _UNITS_S[match[2]]
    return value


def _counted(value: object) -> object:
    """Whole numbers in plain digits: no ``1_000``, no ``80.0``, no ``true``."""
    if isinstance(value, bool) or (isinstance(value, str) and not re.fullmatch(r"[0-9]{1,15}", value)):
        raise ValueError("a whole number in digits")
    return value


def _language(value: object) -> object:
    """``es_CO.UTF-8`` is Spanish too."""
    return re.split(r"[_.-]", value.strip().lower())[0] if isinstance(value, str) else value


def _words(value: object) -> object:
    """``a.example,b.example``."""
    return tuple(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value


def _dates(value: object) -> object:
    """``2026-12-24, 2026-12-31``: each a day as it is written in the contract."""
    if not isinstance(value, str):
        return value
    try:
        return tuple(_date(part.strip()) for part in value.split(",") if part.strip())
    except ValueError:
        raise ValueError("dates with commas between, such as 2026-12-24,2026-12-31") from None


def _date(text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError("no date")
    return date.fromisoformat(text)


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
    named = {key: value for key, value in ((key, _trimmed(value)) for key, value in given.items()) if value != ""}
    if "number" in named:
        raise ValueError("number: the bill's number is no part of the person")
    found = validate(ACCEPT, {**named, "number": "X"}, today=date.min)
    if found.errors:
        raise ValueError("; ".join(f"{error.field or 'table'}: {error.message}" for error in found.errors))
    person: dict[str, Any] = strict_json.parse(found.wire)
    del person["number"]
    return person


Language = Annotated[Literal["es", "en"], BeforeValidator(_language)]
Seconds = Annotated[float, BeforeValidator(parse_duration), Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, BeforeValidator(_counted)]
DayPolicy = Literal["free", "push"]
"""Which day a document must carry that says none: any, or the one on which it was pushed."""
AccountName = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
RateLimit = Annotated[Count, Field(ge=1, le=100_000)]
RateWindow = Annotated[Seconds, Field(le=_DAY_S)]
Concurrency = Annotated[Count, Field(ge=1, le=64)]
LaneWidth = Annotated[Count, Field(ge=1, le=16)]
HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,253}$")]


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


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """How long one call to Factus may take, seconds."""

    create_timeout_s: float
    read_timeout_s: float

    @property
    def settle_ms(self) -> int:
        """How long after it was sent a document may still appear at Factus: the longest wait for an answer, twice."""
        return round(2000 * self.create_timeout_s)


class Settings(BaseModel):
    """All settings of one process, from :func:`load_settings`. Made directly it reads nothing of the environment."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    # No repr of what may hold a password: both go into URLs that people write by hand.
    redis_url: Annotated[str, Field(repr=False)] = "redis://127.0.0.1:6379/0"
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = "factus"
    base_url: str = FACTUS_SANDBOX_URL
    client_id: SecretStr | None = None
    client_secret: SecretStr | None = None
    username: SecretStr | None = None
    password: SecretStr | None = None
    client_id_file: Path | None = None
    client_secret_file: Path | None = None
    username_file: Path | None = None
    password_file: Path | None = None
    accounts_file: Path | None = None
    rate_limit: RateLimit = 80
    rate_window: RateWindow = 60.0
    timeout: Annotated[Seconds, Field(le=600)] = 60.0
    backoff_base: Annotated[Seconds, Field(le=3600)] = 5.0
    backoff_max: Annotated[Seconds, Field(le=_DAY_S)] = 300.0
    concurrency: Concurrency = 8
    lane_width: LaneWidth = 1
    job_deadline: Annotated[Seconds, Field(le=400 * _DAY_S)] = 48 * 3600.0
    ledger_days: Annotated[Count, Field(ge=1, le=36_500)] = 90
    day_policy: DayPolicy = "free"
    radian_interval: Annotated[Seconds, Field(le=30 * _DAY_S)] = 4 * 3600.0
    radian_saturday: bool = False
    radian_silent_after: Annotated[Seconds, Field(le=400 * _DAY_S)] = 10 * _DAY_S
    holidays_add: Annotated[tuple[date, ...], BeforeValidator(_dates)] = ()
    holidays_remove: Annotated[tuple[date, ...], BeforeValidator(_dates)] = ()
    archive_url: Annotated[str, Field(repr=False)] = "file:./archive"
    results_maxlen: Annotated[Count, Field(ge=1, le=1_000_000_000)] = 1_000_000
    jobs_signed: bool = False
    jobs_keys: Path | None = None
    webhooks_file: Path | None = None
    jobs_revoked: Path | None = None
    jobs_token: SecretStr | None = None
    jobs_token_file: Path | None = None
    metrics_port: Annotated[Count, Field(ge=1, le=65535)] | None = None
    metrics_host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")] = "127.0.0.1"
    metrics_accounts: bool = True
    http_host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")] = "127.0.0.1"
    http_port: Annotated[Count, Field(ge=0, le=65535)] = 8080
    http_cert: Path | None = None
    http_cert_key: Path | None = None
    http_behind_proxy: bool = False
    http_names: Annotated[tuple[HostName, ...], BeforeValidator(_words)] = ()
    http_key: Path | None = None
    users_file: Path | None = None
    traces: bool = False
    log_format: Literal["console", "json"] | None = None
    lang: Language = "es"

    _MAY_BE_OFF: ClassVar = (
        *("metrics_port", "log_format", "accounts_file", "jobs_keys", "jobs_revoked", "webhooks_file"),
        *("http_cert", "http_cert_key", "http_key", "users_file"),
    )

    @model_validator(mode="before")
    @classmethod
    def _without_what_is_empty(cls, values: object) -> object:
        # Compose files and .env templates write FACTUS_X= for "not set".
        if not isinstance(values, Mapping):
            return values
        kept = {name: _trimmed(value) for name, value in values.items()}
        return {
            name: value
            for name, value in kept.items()
            if value != "" and not (value == "off" and name in cls._MAY_BE_OFF)
        }

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        return factus_address(url)

    @field_validator("redis_url")
    @classmethod
    def _is_a_redis(cls, url: str) -> str:
        redis_address(url)
        return url

    @model_validator(mode="after")
    def _backoff_in_order(self) -> Settings:
        if self.backoff_max < self.backoff_base:
            raise ValueError("FACTUS_BACKOFF_MAX is below FACTUS_BACKOFF_BASE")
        return self

    @property
    def backoff(self) -> BackoffPolicy:
        return BackoffPolicy(base_s=self.backoff_base, max_s=self.backoff_max)

    @property
    def api_limits(self) -> ApiLimits:
        return ApiLimits(create_timeout_s=self.timeout, read_timeout_s=min(self.timeout, 20.0))

    @property
    def calendar(self) -> Calendar:
        """The business days of RADIAN's term, as corrected."""
        return Calendar(self.radian_saturday, frozenset(self.holidays_add), frozenset(self.holidays_remove))

    @property
    def is_log_json(self) -> bool:
        return self.log_format == "json" or (self.log_format is None and not sys.stderr.isatty())

    def accounts(self) -> dict[str, Account]:
        """
        Every account, by name.

        Raises:
            ConfigurationError: A file cannot be read, or a value in it is wrong; names the account and the key.
        """
        found = self._accounts_of_file(self.accounts_file) if self.accounts_file else {}
        secrets = {name: self._secret(name) for name in _SECRET_NAMES}
        if any(secrets.values()):
            missing = [f"FACTUS_{name.upper()}" for name, secret in secrets.items() if not secret]
            if missing:
                raise ConfigurationError(f"The account 'default' lacks {', '.join(missing)}")
            if "default" in found:
                raise ConfigurationError("The account 'default' stands in FACTUS_ACCOUNTS_FILE and in the environment")
            found["default"] = self._account("default", secrets, "The account 'default'")
        return found

    def producers_token(self) -> str | None:
        """
        The token with which our own commands push; None where none is set.

        Raises:
            ConfigurationError: Its file cannot be read, or is empty.
        """
        found = self._secret("jobs_token")
        return found.get_secret_value() if found else None

    def _accounts_of_file(self, path: Path) -> dict[str, Account]:
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
        return {name: self._account(name, values, f"{where}: accounts.{name}") for name, values in accounts.items()}

    def _account(self, name: str, values: Mapping[str, Any], where: str) -> Account:
        if not isinstance(values, Mapping):
            raise ConfigurationError(f"{where} is not a table")
        given = {key: value for key, value in ((key, _trimmed(value)) for key, value in values.items()) if value != ""}
        unknown = [key for key in given if key not in Account.model_fields or key == "name"]
        if unknown:
            raise ConfigurationError(f"{where}: {_told_unknown(unknown[0], _ACCOUNT_KEYS)}")
        missing = [key for key in _SECRET_NAMES if key not in given]
        if missing:
            raise ConfigurationError(f"{where} lacks {', '.join(missing)}")
        defaults = {
            "base_url": self.base_url,
            "rate_limit": self.rate_limit,
            "rate_window": self.rate_window,
            "concurrency": self.concurrency,
            "day_policy": self.day_policy,
            "lane_width": self.lane_width,
        }
        try:
            account = Account(**{**defaults, **given, "name": name})
        except ValidationError as exc:
            raise ConfigurationError(f"{where}: {describe(exc)}") from None
        for key in _SECRET_NAMES:
            _check_secret(getattr(account, key).get_secret_value(), f"{where}: {key}")
        return account

    def _secret(self, name: str) -> SecretStr | None:
        direct: SecretStr | None = getattr(self, name)
        path: Path | None = getattr(self, f"{name}_file")
        variable = f"FACTUS_{name.upper()}"
        if direct:
            _check_secret(direct.get_secret_value(), variable)
            return direct
        if path is None:
            return None
        try:
            text = text_of(read_whole(path, most=_MOST_OF_A_SECRET)).strip()
        except FileUnusable as exc:
            raise ConfigurationError(f"{variable}_FILE cannot be read: {path}: {exc}") from exc
        if not text:
            raise ConfigurationError(f"{variable}_FILE: {path} is empty")
        _check_secret(text, f"{variable}_FILE: {path}")
        return SecretStr(text)


_ACCOUNT_KEYS: Final = [name for name in Account.model_fields if name != "name"]
_VARIABLES: Final = [f"{_PREFIX}{name.upper()}" for name in Settings.model_fields]


def describe(error: ValidationError) -> str:
    """Which key is wrong and why, without the value: it may be a secret."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'value'}: {_reason(fault['msg'])}" for fault in error.errors()
    )


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
            f"FACTUS_{'_'.join(map(str, fault['loc'])).upper()}: {_reason(fault['msg'])}"
            if fault["loc"]
            else _reason(fault["msg"])
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
    return [_told_unknown(name, _VARIABLES) for name in names]


def env_file_holds_secrets() -> bool:
    """
    Whether a secret stands in ``.env``: whoever may read that file has it.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    found = _fields(_env_file())
    return any(found.get(name) for name in (*_SECRET_NAMES, "jobs_token")) or "@" in found.get("redis_url", "")


def environment_for_child(**values: str) -> dict[str, str]:
    """The environment of a process of ours that shall have no setting of the caller's, only the given ones."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_PREFIX)} | values


# -- parts -------------------------------------------------------------------------------------------------------------
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
    if not _is_utf8(value):
        raise ConfigurationError(f"{name}: not UTF-8")
    if not value.isprintable() and name.removeprefix(_PREFIX).lower() not in _SECRET_NAMES:
        raise ConfigurationError(f"{name}: holds a line break or a control character")
    return value


def _check_secret(text: str, where: str) -> None:
    """What a request could not carry, or carries as something else than was meant."""
    if not _is_utf8(text):
        raise ConfigurationError(f"{where}: not UTF-8")
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise ConfigurationError(f"{where}: holds a line break or a control character")


def _is_utf8(text: str) -> bool:
    """Bytes of the environment that are no UTF-8 come as lone surrogates, which nothing can write down again."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _trimmed(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _told_unknown(name: str, known: list[str]) -> str:
    # What all of them begin with says nothing of which is meant.
    own = {one.removeprefix("FACTUS_").upper(): one for one in known}
    close = get_close_matches(name.upper().removeprefix("FACTUS").lstrip("_-"), own, n=1, cutoff=0.6)
    return f"{name} is no setting" + (f"; did you mean {own[close[0]]}?" if close else "")


def _reason(message: str) -> str:
    return message.removeprefix("Value error, ")


def toml_place(error: ValueError) -> str:
    """Where in a TOML file, without the words: they may quote it."""
    found = re.search(r"at line (\d+), column (\d+)", str(error))
    return f", line {found[1]}, column {found[2]}" if found else ""
