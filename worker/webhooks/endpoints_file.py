"""
``FACTUS_WEBHOOKS_FILE``: the endpoints, as an operator writes them down. Refusals name the field and never a secret.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from jobs.errors import ConfigurationError
from jobs.webhooks.addresses import Network
from jobs.webhooks.endpoint import Endpoint
from worker.addresses import endpoint_address
from worker.bounded_files import FileUnusable, read_whole, text_of
from worker.settings.model import Settings
from worker.settings.unknown_names import told_unknown
from worker.settings.values import Concurrency, Seconds, describe, toml_place
from worker.webhooks.signer import check_secret

_MOST_OF_A_FILE: Final = 1024 * 1024
_MOST_ENDPOINTS: Final = 200
MOST_SECRETS: Final = 10
"""Of an endpoint: each of them signs every delivery."""

_SETTING: Final = "FACTUS_WEBHOOKS_FILE"

Glob = Annotated[str, Field(min_length=1, max_length=200)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]


class _Written(BaseModel):
    """One ``[endpoints.NAME]``."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Name
    url: str
    secrets: Annotated[list[str], Field(min_length=1, max_length=MOST_SECRETS)]
    types: Annotated[list[Glob], Field(min_length=1, max_length=100)] = ["*"]
    accounts: Annotated[list[Glob], Field(min_length=1, max_length=1000)] = ["*"]
    omit: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=100)] = ["data.factus"]
    timeout: Annotated[Seconds, Field(le=60)] = 20.0
    concurrency: Concurrency = 8
    allow_networks: Annotated[list[str], Field(max_length=100)] = []
    allow_http: Annotated[bool, Field(strict=True)] = False
    start: Literal["new", "all"] = "new"

    @field_validator("secrets")
    @classmethod
    def _can_sign(cls, secrets: list[str]) -> list[str]:
        for secret in secrets:
            check_secret(secret)
        if len(set(secrets)) < len(secrets):
            raise ValueError("a secret stands twice")
        return secrets

    @field_validator("omit")
    @classmethod
    def _are_places(cls, omit: list[str]) -> list[str]:
        if not all(all(part for part in place.split(".")) for place in omit):
            raise ValueError("a place is written with dots, such as data.factus")
        return omit

    @field_validator("allow_networks")
    @classmethod
    def _are_networks(cls, networks: list[str]) -> list[str]:
        for text in networks:
            try:
                ip_network(text)
            except ValueError:
                raise ValueError("a network is written as CIDR, such as 10.20.0.0/16") from None
        return networks

    @model_validator(mode="after")
    def _is_an_address(self) -> _Written:
        try:
            endpoint_address(self.url, may_be_http=self.allow_http)
        except ValueError as exc:
            raise ValueError(f"url: {exc}") from None
        return self

    def endpoint(self) -> Endpoint:
        networks: tuple[Network, ...] = tuple(ip_network(text) for text in self.allow_networks)
        return Endpoint(
            name=self.name,
            url=self.url,
            secrets=tuple(self.secrets),
            types=tuple(self.types),
            accounts=tuple(self.accounts),
            omit=tuple(tuple(place.split(".")) for place in self.omit),
            timeout_s=self.timeout,
            concurrency=self.concurrency,
            allow_networks=networks,
            start=self.start,
        )


_KEYS: Final = [name for name in _Written.model_fields if name != "name"]

Endpoints = dict[str, Endpoint]


def path_of(settings: Settings) -> Path:
    """
    Where the endpoints are written down.

    Raises:
        ConfigurationError: It is not set.
    """
    if settings.webhooks_file is None:
        raise ConfigurationError(f"{_SETTING} is not set: it names the TOML file with the endpoints [endpoints.NAME]")
    return settings.webhooks_file


def read_endpoints(path: Path) -> Endpoints:
    """
    The endpoints of a file, by name.

    Raises:
        ConfigurationError: One line that names the file and the field.
    """
    try:
        content = read_whole(path, most=_MOST_OF_A_FILE)
    except FileUnusable as exc:
        raise ConfigurationError(f"{_SETTING}: {path}: {exc}") from exc
    return endpoints_of(content, path)


def endpoints_of(content: bytes, path: Path) -> Endpoints:
    """
    The endpoints that the bytes of a file tell, as :func:`read_endpoints`.

    Raises:
        ConfigurationError: As there.
    """
    where = f"{_SETTING}: {path}"
    try:
        table = tomllib.loads(text_of(content))
    except FileUnusable as exc:
        raise ConfigurationError(f"{where}: {exc}") from exc
    except RecursionError as exc:
        raise ConfigurationError(f"{where}: is not TOML: too deeply nested") from exc
    except ValueError as exc:
        raise ConfigurationError(f"{where}: is not TOML{toml_place(exc)}") from exc
    endpoints = table.get("endpoints")
    if not isinstance(endpoints, dict) or not endpoints or set(table) != {"endpoints"}:
        raise ConfigurationError(f"{where}: holds tables named [endpoints.NAME] and nothing else")
    if len(endpoints) > _MOST_ENDPOINTS:
        raise ConfigurationError(f"{where}: holds more than {_MOST_ENDPOINTS} endpoints")
    return {name: _endpoint(name, values, f"{where}: endpoints.{name}") for name, values in endpoints.items()}


def _endpoint(name: str, values: Any, where: str) -> Endpoint:
    if not isinstance(values, Mapping):
        raise ConfigurationError(f"{where} is not a table")
    for key in values:
        if key not in _KEYS:
            raise ConfigurationError(f"{where}: {told_unknown(key, _KEYS)}")
    missing = [key for key in ("url", "secrets") if key not in values]
    if missing:
        raise ConfigurationError(f"{where} lacks {', '.join(missing)}")
    try:
        return _Written(**{**values, "name": name}).endpoint()
    except ValidationError as exc:
        told = describe(exc).removeprefix("value: url: ")
        is_url = len(told) < len(describe(exc))
        raise ConfigurationError(f"{where}: {'url: ' if is_url else ''}{told}") from None


@dataclass(slots=True)
class EndpointsFile:
    """The file as a running process sees it: read again when it has changed, and never taken when it is bad."""

    path: Path
    endpoints: Endpoints
    _seen: object = None

    @classmethod
    def opened(cls, path: Path) -> EndpointsFile:
        """
        Raises:
            ConfigurationError: As :func:`read_endpoints`.
        """
        mark = _mark(path)
        return cls(path, read_endpoints(path), mark)

    def has_changed(self) -> bool:
        """
        Whether other endpoints than before stand in it now; then ``endpoints`` are these.

        Raises:
            ConfigurationError: It has changed, and cannot be taken: told once for each change.
        """
        mark = _mark(self.path)
        if mark == self._seen:
            return False
        self._seen = mark
        found = read_endpoints(self.path)
        is_other = found != self.endpoints
        self.endpoints = found
        return is_other


def _mark(path: Path) -> object:
    """What is another after every change: a file that is replaced, written in place, or a link that is set anew."""
    try:
        found = path.stat()
    except OSError as exc:
        return exc.errno
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns
