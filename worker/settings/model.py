"""
The settings of one process, as values. Where they come from is ``worker/settings/environment.py``.

Who composes a process has all of them. Everything else in the service receives the small frozen value that it needs
(:class:`ApiLimits`, an account, a backoff policy ...). The table of variables is docs/contract.md, section 5.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from jobs.backoff import BackoffPolicy
from jobs.errors import ConfigurationError
from schemas.radian.calendar import Calendar
from worker.addresses import factus_address, redis_address
from worker.settings.account import Account, account_of, accounts_of_file
from worker.settings.secrets import SECRET_NAMES, secret_of
from worker.settings.values import (
    DAY_S,
    Concurrency,
    Count,
    DayPolicy,
    HostName,
    LaneWidth,
    Language,
    RateLimit,
    RateWindow,
    Seconds,
    dates,
    trimmed,
    words,
)

FACTUS_SANDBOX_URL: Final = "https://api-sandbox.factus.com.co"


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
    backoff_max: Annotated[Seconds, Field(le=DAY_S)] = 300.0
    concurrency: Concurrency = 8
    lane_width: LaneWidth = 1
    job_deadline: Annotated[Seconds, Field(le=400 * DAY_S)] = 48 * 3600.0
    ledger_days: Annotated[Count, Field(ge=1, le=36_500)] = 90
    day_policy: DayPolicy = "free"
    radian_interval: Annotated[Seconds, Field(le=30 * DAY_S)] = 4 * 3600.0
    radian_saturday: bool = False
    radian_silent_after: Annotated[Seconds, Field(le=400 * DAY_S)] = 10 * DAY_S
    holidays_add: Annotated[tuple[date, ...], BeforeValidator(dates)] = ()
    holidays_remove: Annotated[tuple[date, ...], BeforeValidator(dates)] = ()
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
    http_names: Annotated[tuple[HostName, ...], BeforeValidator(words)] = ()
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
        kept = {name: trimmed(value) for name, value in values.items()}
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
        found = accounts_of_file(self.accounts_file, self._of_an_account) if self.accounts_file else {}
        secrets = {name: self._secret(name) for name in SECRET_NAMES}
        if any(secrets.values()):
            missing = [f"FACTUS_{name.upper()}" for name, secret in secrets.items() if not secret]
            if missing:
                raise ConfigurationError(f"The account 'default' lacks {', '.join(missing)}")
            if "default" in found:
                raise ConfigurationError("The account 'default' stands in FACTUS_ACCOUNTS_FILE and in the environment")
            found["default"] = account_of("default", secrets, self._of_an_account, "The account 'default'")
        return found

    def producers_token(self) -> str | None:
        """
        The token with which our own commands push; None where none is set.

        Raises:
            ConfigurationError: Its file cannot be read, or is empty.
        """
        found = self._secret("jobs_token")
        return found.get_secret_value() if found else None

    @property
    def _of_an_account(self) -> dict[str, Any]:
        """What holds for an account that says nothing else, by key."""
        return {
            "base_url": self.base_url,
            "rate_limit": self.rate_limit,
            "rate_window": self.rate_window,
            "concurrency": self.concurrency,
            "day_policy": self.day_policy,
            "lane_width": self.lane_width,
        }

    def _secret(self, name: str) -> SecretStr | None:
        return secret_of(getattr(self, name), getattr(self, f"{name}_file"), f"FACTUS_{name.upper()}")
