"""
Which addresses an endpoint may have. Pure: nothing is resolved here.

What a name leads to decides, not how it looks: whoever may name an endpoint could else have the service speak to the
machines behind its firewall, or to the metadata of its cloud.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network

# IANA's registries of special-purpose addresses; the first network that holds an address names it.
_REFUSED: Final[tuple[tuple[Network, str], ...]] = tuple(
    (ip_network(text), kind)
    for text, kind in (
        ("0.0.0.0/8", "reserved"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "private"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "reserved"),
        ("192.88.99.0/24", "6to4"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "reserved"),
        ("198.51.100.0/24", "reserved"),
        ("203.0.113.0/24", "reserved"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::1/128", "loopback"),
        ("::ffff:0:0/96", "IPv4-mapped"),
        ("::ffff:0:0:0/96", "IPv4-mapped"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "NAT64"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "reserved"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "reserved"),
    )
)
_GLOBAL_UNICAST: Final = ip_network("2000::/3")


@lru_cache(maxsize=4096)
def refused_as(address: str, allowed: tuple[Network, ...] = ()) -> str:
    """
    What an address is that must not be connected to (``loopback``, ``private`` ...); empty for one that may be.

    Args:
        address: As the resolver gave it.
        allowed: Networks in which any address may be; the form counts as it stands, so that ``10.0.0.0/8`` does not
            allow ``::ffff:10.0.0.1``.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return "no address"
    if isinstance(found, IPv6Address) and found.scope_id:
        return "link-local"  # a zone is of this machine's own links
    if any(found.version == network.version and found in network for network in allowed):
        return ""
    for network, kind in _REFUSED:
        if found.version == network.version and found in network:
            return kind
    if isinstance(found, IPv6Address) and found not in _GLOBAL_UNICAST:
        return "reserved"
    return ""
