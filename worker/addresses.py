"""
The addresses in the settings: what each form may hold, and how it is shown without its secrets.

Pure: nothing is resolved, opened or connected. Refusals are ``ValueError``; no part of an address is repeated in them
that could be a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

Environment = Literal["production", "sandbox", "local"]

PRODUCTION_HOST: Final = "api.factus.com.co"
SANDBOX_HOST: Final = "api-sandbox.factus.com.co"
_ENVIRONMENTS: Final[dict[str, Environment]] = {PRODUCTION_HOST: "production", SANDBOX_HOST: "sandbox"}

_LOCAL_NETWORKS: Final = tuple(
    ip_network(text)
    for text in (
        "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
        "::1/128", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip
_LOCAL_ENDINGS: Final = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test")
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_NUMBER: Final = re.compile(r"(?:0[xX][0-9A-Fa-f]*|[0-9]+)")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_AUTHORITY: Final = re.compile(r"(?P<host>\[[^\[\]@/?#]*\]|[^\[\]@/?#:]*)(?::(?P<port>[^@/?#]*))?")

REDIS_FORMS: Final = "redis://host:6379/0, rediss://…, unix:///path, sentinel://host:26379,…/NAME or embedded:FOLDER"
_LARGEST_DB: Final = 1_000_000
_LOGIN: Final = frozenset({"username", "password"})
_TLS_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_OPTIONS: Final = {
    "redis": frozenset({"db", *_LOGIN}),
    "rediss": frozenset({"db", *_LOGIN, *_TLS_FILES}),
    "unix": frozenset({"db", *_LOGIN}),
    "sentinel": frozenset({"sentinel_username", "sentinel_password", "ssl", *_TLS_FILES}),
}
_HIDDEN: Final = "…"


# -- Factus ------------------------------------------------------------------------------------------------------------
def factus_address(text: str) -> str:
    """
    A base URL as it is used: scheme, host and, where it is not the usual one, port.

    Args:
        text: An address without path, query, fragment and user. A slash at the end is dropped.

    Raises:
        ValueError: Anything else, and ``http`` to a host that is neither this machine nor in a private network.
    """
    if not text.isprintable() or " " in text:
        raise ValueError("holds a blank, a line break or a control character")
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in ("https", "http"):
        raise ValueError(f"starts with https://, such as https://{PRODUCTION_HOST}")
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    beyond = rest[len(authority) :]
    if "@" in rest:
        raise ValueError(f"holds a user or a password; it is an address alone, such as https://{PRODUCTION_HOST}")
    host, port = _host_and_port(authority)
    right = f"{scheme}://{host}" + (f":{port}" if port not in (None, 443 if scheme == "https" else 80) else "")
    if beyond.strip("/"):
        raise ValueError(f"is an address without path or query; the right value is {right}")
    if scheme == "http" and not is_local(host):
        raise ValueError(
            f"would send the credentials in clear text; the right value starts with https://{host} "
            "(http is for this machine and private addresses)"
        )
    return right


@dataclass(frozen=True, slots=True)
class EndpointAddress:
    """Where deliveries of a webhook go, taken apart. ``repr`` shows no path and no query: either may hold a secret."""

    scheme: Literal["https", "http"]
    host: str
    """A name, or an address without brackets."""
    port: int
    target: str
    """Path and query, as they are sent."""

    def __repr__(self) -> str:
        return f"EndpointAddress({self.scheme!r}, {self.host!r}, {self.port!r})"

    @property
    def authority(self) -> str:
        """The ``Host`` header: host, and the port where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"

    def at(self, address: str) -> str:
        """The URL with one of the host's addresses in place of its name."""
        host = f"[{address}]" if ":" in address else address
        return f"{self.scheme}://{host}:{self.port}{self.target}"


def endpoint_address(text: str, *, may_be_http: bool) -> EndpointAddress:
    """
    The address of a webhook.

    Raises:
        ValueError: Not an https URL (or http, where that is allowed), with a user, a fragment, or what no URL holds.
            Its path and query are not repeated.
    """
    if not text.isascii() or not text.isprintable() or re.search(r'[\s"<>\\^`{|}]', text) or len(text) > 2000:
        raise ValueError("holds a character that no URL has (percent-encode it), or is longer than 2000")
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in ("https", "http"):
        raise ValueError("starts with https://")
    if scheme == "http" and not may_be_http:
        raise ValueError("starts with https://; http needs allow_http = true")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    target = rest[len(authority) :]
    if "@" in authority:
        raise ValueError("holds a user or a password; the signature says who we are")
    if "#" in target:
        raise ValueError("has a fragment (#), which is never sent")
    host, port = _host_and_port(authority)
    return EndpointAddress(
        scheme="https" if scheme == "https" else "http",
        host=host.removeprefix("[").removesuffix("]"),
        port=port or (443 if scheme == "https" else 80),
        target=target if target.startswith("/") else f"/{target}",
    )


def environment_of(base_url: str) -> Environment:
    """Which Factus an address is: the real one, its sandbox, or anything else."""
    return _ENVIRONMENTS.get((urlsplit(base_url).hostname or "").rstrip("."), "local")


def is_local(host: str) -> bool:
    """
    Whether a host is this machine or in a private network, by its address or its name alone.

    Names without a dot are those of containers and of the own network: no public name is one.
    """
    address = _ip(host)
    if address is not None:
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in _LOCAL_NETWORKS)
    return "." not in host or host.endswith(_LOCAL_ENDINGS)


def _host_and_port(authority: str) -> tuple[str, int | None]:
    found = _AUTHORITY.fullmatch(authority)
    if not found:
        raise ValueError("names no host")
    port = None
    if found["port"] is not None:
        port = int(found["port"]) if _PORT.fullmatch(found["port"]) else 0
        if not 1 <= port <= 65535:
            raise ValueError("has a port that is none (1 to 65535)")
    host = found["host"].lower()
    if not _is_host(host):
        raise ValueError("names a host that is none (letters, digits, - and dots; punycode for other letters)")
    return host, port


def _is_host(host: str) -> bool:
    if host.startswith("["):
        return isinstance(_ip(host), IPv6Address)
    if not _NAME.fullmatch(host):
        return False
    # 2130706433 and 0x7f.1 are addresses to the system and names to everybody else.
    return not _NUMBER.fullmatch(host.rpartition(".")[2]) or _ip(host) is not None


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    if "%" in host:
        return None
    try:
        return ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


# -- Redis -------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class RedisAddress:
    """The parts of a Redis URL. ``repr`` shows neither user nor password nor query."""

    scheme: str
    hosts: tuple[tuple[str, int], ...]
    path: str
    """Socket or folder; the service's name for Sentinel."""
    db: int
    username: str | None
    password: str | None
    options: dict[str, str]

    def __repr__(self) -> str:
        return f"RedisAddress({self.scheme!r})"

    @property
    def uses_tls(self) -> bool:
        return self.scheme == "rediss" or self.options.get("ssl") == "true"

    @property
    def tls_files(self) -> dict[str, str]:
        """Certificates and key, by redis-py's names."""
        return {name: self.options[name] for name in _TLS_FILES if name in self.options}


def redis_address(text: str) -> RedisAddress:
    """
    A Redis URL taken apart.

    Raises:
        ValueError: It cannot be used. No part of it is repeated: any may be a piece of a password with ``/`` or ``@``.
    """
    if not text.isprintable():
        raise ValueError("holds a line break or a control character")
    if text.startswith("embedded:"):
        folder = text.removeprefix("embedded:")
        if not folder:
            raise ValueError("embedded: names no folder, such as embedded:./data")
        return RedisAddress("embedded", (), folder, 0, None, None, {})
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in _OPTIONS:
        raise ValueError(f"is none of {REDIS_FORMS}")
    if " " in text:
        raise ValueError("holds a blank; a blank of a password or a path is written %20")
    try:
        parts = urlsplit(text)
    except ValueError as exc:
        raise ValueError(f"is none of {REDIS_FORMS}; : / ? # [ ] @ of a password are percent-encoded") from exc
    if "#" in rest or "@" in parts.path:
        raise ValueError(
            "cannot be read: : / ? # [ ] @ of a password are percent-encoded (%3A %2F %3F %23 %5B %5D %40)"
        )
    login, _, where = parts.netloc.rpartition("@")
    if "@" in login:
        raise ValueError("cannot be read: an @ of a password is written %40")
    options = _options_of(scheme, parts.query)
    hosts: tuple[tuple[str, int], ...] = ()
    if scheme == "sentinel":
        hosts = tuple(_node(one, 26379) for one in where.split(","))
        path, db = _service(parts.path)
    elif scheme == "unix":
        path, db = _socket(where, parts.path), 0
    else:
        hosts, path = (_node(where, 6379),), ""
        db = _db(parts.path.removeprefix("/"))
    user, _, password = login.partition(":")
    return RedisAddress(
        scheme=scheme,
        hosts=hosts,
        path=path,
        db=_db(options["db"]) if "db" in options else db,
        username=unquote(user) or options.get("username") or None,
        password=unquote(password) or options.get("password") or None,
        options=options,
    )


def shown(url: str) -> str:
    """A Redis URL for people: without user, password and query. What cannot be read shows its scheme alone."""
    try:
        address = redis_address(url)
    except ValueError:
        scheme, separator, _ = url.partition("://")
        return f"{scheme}://{_HIDDEN}" if separator and scheme in _OPTIONS else _HIDDEN
    if address.scheme == "embedded":
        return url
    hosts = ",".join(f"{host}:{port}" for host, port in address.hosts)
    database = f"/{address.db}" if address.db else ""
    match address.scheme:
        case "unix":
            return f"unix://{address.path}"
        case "sentinel":
            return f"sentinel://{hosts}/{address.path}{database}"
        case scheme:
            return f"{scheme}://{hosts}{database}"


def _options_of(scheme: str, query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    # The names are not repeated: a password with & or ? would be one.
    if not options.keys() <= _OPTIONS[scheme]:
        raise ValueError(f"has an option after ? that is none of {', '.join(sorted(_OPTIONS[scheme]))}")
    if options.get("ssl", "true") not in ("true", "false"):
        raise ValueError("ssl is true or false")
    return options


def _node(text: str, usual_port: int) -> tuple[str, int]:
    host, port = _host_and_port(text)
    return host.removeprefix("[").removesuffix("]"), port or usual_port


def _service(path: str) -> tuple[str, int]:
    name, _, db = path.strip("/").partition("/")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", name):
        raise ValueError("sentinel://host1:26379,host2:26379/SERVICE_NAME[/DB]")
    return name, _db(db)


def _socket(where: str, path: str) -> str:
    if where or not path.startswith("/") or path == "/":
        raise ValueError("unix:///absolute/path of a socket, with a user as unix://user:password@/absolute/path")
    return unquote(path)


def _db(text: str) -> int:
    if text and not (re.fullmatch(r"[0-9]{1,7}", text) and int(text) <= _LARGEST_DB):
        raise ValueError("ends in the number of the database, such as /0")
    return int(text or 0)
