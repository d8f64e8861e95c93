"""
Settings: the only reader of the environment, and the only place where a bad value is refused.

Values come from environment variables, then ``.env``; accounts also from a TOML file. Everything else in the service
receives the small frozen value that it needs (:class:`Account`, :class:`BackoffPolicy` ...), never all of them.
The table of variables is docs/contract.md, section 5.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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
from pydantic_settings import BaseSettings, SettingsConfigDict

from jobs.backoff import BackoffPolicy
from jobs.errors import ConfigurationError

FACTUS_SANDBOX_URL: Final = "https://api-sandbox.factus.com.co"
_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SECRET_NAMES: Final = ("client_id", "client_secret", "username", "password")


def parse_duration(value: object) -> object:
    """Seconds from a number and a unit: ``250ms``, ``60s``, ``5m``, ``4h``, ``90d``. Others pass to pydantic."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*", value)
        if not match:
            raise ValueError("a duration is a number and ms, s, m, h or d, such as 60s")
        return float(match[1]) * _UNITS_S[match[2]]
    return value


Seconds = Annotated[float, BeforeValidator(parse_duration), Field(gt=0)]
AccountName = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]


class Account(BaseModel):
    """One set of Factus credentials with its own allowance, lanes, token and HTTP client."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: AccountName
    client_id: SecretStr
    client_secret: SecretStr
    username: SecretStr
    password: SecretStr
    base_url: str
    rate_limit: Annotated[int, Field(ge=1)]
    rate_window: Seconds
    concurrency: Annotated[int, Field(ge=1, le=64)]
    timezone: str = "America/Bogota"
    own_streams: bool = False

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if not re.match(r"https?://[^/\s]+", url):
            raise ValueError("a base URL starts with https:// (or http:// for a local sandbox)")
        return url.rstrip("/")

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as exc:
            raise ValueError(f"unknown time zone {name!r}") from exc
        return name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """How long one call to Factus may take, seconds."""

    create_timeout_s: float
    read_timeout_s: float


class Settings(BaseSettings):
    """All settings of one process."""

    model_config = SettingsConfigDict(
        env_prefix="FACTUS_", env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    redis_url: str = "redis://127.0.0.1:6379/0"
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
    rate_limit: Annotated[int, Field(ge=1)] = 80
    rate_window: Seconds = 60.0
    timeout: Seconds = 60.0
    backoff_base: Seconds = 5.0
    backoff_max: Seconds = 300.0
    concurrency: Annotated[int, Field(ge=1, le=64)] = 8
    job_deadline: Seconds = 48 * 3600.0
    ledger_days: Annotated[int, Field(ge=1)] = 90
    radian_interval: Seconds = 4 * 3600.0
    archive_url: str = "file:./archive"
    results_maxlen: Annotated[int, Field(ge=1)] = 1_000_000
    jobs_signed: bool = False
    jobs_keys: Path | None = None
    metrics_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    log_format: Literal["console", "json"] | None = None

    @field_validator("metrics_port", "log_format", "accounts_file", "jobs_keys", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        # Compose files and .env templates write FACTUS_X= for "not set".
        return None if value in ("", "off") else value

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
    def is_log_json(self) -> bool:
        return self.log_format == "json" or (self.log_format is None and not sys.stderr.isatty())

    def accounts(self) -> dict[str, Account]:
        """
        Every account, by name.

        Raises:
            ConfigurationError: A file cannot be read, or a value in it is wrong; names the account and the key.
        """
        found = self._accounts_of_file() if self.accounts_file else {}
        secrets = {name: self._secret(name) for name in _SECRET_NAMES}
        if any(secrets.values()):
            missing = [f"FACTUS_{name.upper()}" for name, secret in secrets.items() if not secret]
            if missing:
                raise ConfigurationError(f"The account 'default' lacks {', '.join(missing)}")
            if "default" in found:
                raise ConfigurationError("The account 'default' stands in FACTUS_ACCOUNTS_FILE and in the environment")
            found["default"] = self._account("default", secrets)
        return found

    def _accounts_of_file(self) -> dict[str, Account]:
        assert self.accounts_file is not None
        try:
            table = tomllib.loads(self.accounts_file.read_text(encoding="utf-8"))
        except OSError as exc:
            raise ConfigurationError(f"FACTUS_ACCOUNTS_FILE: {exc.strerror}: {self.accounts_file}") from exc
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise ConfigurationError(f"FACTUS_ACCOUNTS_FILE is not TOML: {exc}") from exc
        accounts = table.get("accounts")
        if not isinstance(accounts, dict) or not accounts or set(table) != {"accounts"}:
            raise ConfigurationError("FACTUS_ACCOUNTS_FILE holds tables named [accounts.NAME] and nothing else")
        return {name: self._account(name, values) for name, values in accounts.items()}

    def _account(self, name: str, values: Mapping[str, Any]) -> Account:
        if not isinstance(values, Mapping):
            raise ConfigurationError(f"accounts.{name} is not a table")
        defaults = {
            "base_url": self.base_url,
            "rate_limit": self.rate_limit,
            "rate_window": self.rate_window,
            "concurrency": self.concurrency,
        }
        try:
            return Account(**{**defaults, **values, "name": name})
        except ValidationError as exc:
            raise ConfigurationError(f"accounts.{name}: {describe(exc)}") from None

    def _secret(self, name: str) -> SecretStr | None:
        direct: SecretStr | None = getattr(self, name)
        path: Path | None = getattr(self, f"{name}_file")
        if direct and direct.get_secret_value():
            return direct
        if path is None:
            return None
        try:
            return SecretStr(path.read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigurationError(f"FACTUS_{name.upper()}_FILE cannot be read: {path}") from exc


def describe(error: ValidationError) -> str:
    """Which key is wrong and why, without the value: it may be a secret."""
    return "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'value'}: {fault['msg']}" for fault in error.errors())


def load_settings(**overrides: Any) -> Settings:
    """
    Read the settings of this process.

    Raises:
        ConfigurationError: A value cannot be used; the message names the variable.
    """
    try:
        return Settings(**overrides)
    except ValidationError as exc:
        faults = [
            f"FACTUS_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" if fault["loc"] else fault["msg"]
            for fault in exc.errors()
        ]
        raise ConfigurationError("; ".join(faults)) from None


def unknown_variables(environment: Mapping[str, str] | None = None) -> list[str]:
    """Variables that start with ``FACTUS_`` and mean nothing here: most often a typing error worth a warning."""
    known = {f"FACTUS_{name.upper()}" for name in Settings.model_fields}
    present = os.environ if environment is None else environment
    return sorted(name for name in present if name.startswith("FACTUS_") and name not in known)


def environment_for_child(**values: str) -> dict[str, str]:
    """The environment of a process of ours that shall have no setting of the caller's, only the given ones."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FACTUS_")} | values
