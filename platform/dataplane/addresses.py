"""Which addresses and which URL spellings may be called at all. Pure rules, shared by both planes; no I/O in here.

The order of use: `check_url` on the text, resolve the host, `check_addresses` on ALL answers, connect to one of the
answers that were checked. A name that is checked and then resolved again by somebody else is not checked.

Sources: IANA's special-purpose registries for IPv4 and IPv6 (RFC 6890), WHATWG URL's "ends in a number" rule.
IPv6 is an allow list (2000::/3 less its special parts), so forms that carry an IPv4 address inside (::ffff:0:0/96,
64:ff9b::/96, 2002::/16, 2001::/32) fall out by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}

_NEVER_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # "this host": Linux connects it to loopback
            "169.254.0.0/16",  # link-local, where clouds serve credentials
            "168.63.129.16/32",  # Azure's wire server, a public address that answers from the host
            "100.100.100.200/32",  # Alibaba's metadata, inside the carrier range
            "192.0.0.0/24",  # IETF protocol assignments; Oracle's metadata is 192.0.0.192
            "192.88.99.0/24",  # 6to4 relays
            "224.0.0.0/4",
            "240.0.0.0/4",  # reserved, and the broadcast address
        ),
    )
)
_PRIVATE_V4 = tuple(
    map(
        IPv4Network,
        (
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "172.16.0.0/12",
            "192.0.2.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
        ),
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_NEVER_V6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "fd00:ec2::/32")))
_PRIVATE_V6 = tuple(map(IPv6Network, ("::1/128", "fc00::/7")))

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f\\]")


class AddressRefused(ValueError):
    """A URL or an address that is not called. The message is fit for the person who typed it."""


def forbidden(ip: str | IPv4Address | IPv6Address, *, allow_private: bool = False) -> bool:
    """Whether no byte may be sent to this address. What is no address at all is forbidden too.

    `allow_private` lets loopback, RFC 1918, carrier-grade NAT and unique local addresses through, because an admin said
    so for this upstream. Link-local, metadata, multicast and reserved addresses stay forbidden even then.
    """
    try:
        address = ip_address(ip)
    except ValueError:
        return True
    if isinstance(address, IPv6Address):
        return _forbidden_v6(address, allow_private=allow_private)
    if any(address in network for network in _NEVER_V4):
        return True
    return not allow_private and any(address in network for network in _PRIVATE_V4)


def _forbidden_v6(address: IPv6Address, *, allow_private: bool) -> bool:
    if address.scope_id is not None or any(address in network for network in _NEVER_V6):
        return True
    if address in _GLOBAL_V6:
        return False
    return not (allow_private and any(address in network for network in _PRIVATE_V6))


def check_addresses(addresses: Iterable[str], *, host: str, allow_private: bool = False) -> list[str]:
    """The addresses that `host` resolved to, unchanged, if every one of them may be called.

    One bad answer refuses the name: whoever mixes good and bad answers is rebinding. Raises AddressRefused.
    """
    found = list(addresses)
    if not found:
        raise AddressRefused(f"{host} does not resolve to any address")
    for address in found:
        if forbidden(address, allow_private=allow_private):
            hint = "" if allow_private else "; allow_private_network permits loopback and private addresses"
            raise AddressRefused(f"{host} resolves to {address}, which may not be called{hint}")
    return found


def check_url(url: str) -> tuple[str, str, int]:
    """Scheme, host (lower case, no brackets, no trailing dot) and port of an absolute http or https URL.

    Refuses what two parsers might read differently: user info, backslashes, white space and control characters,
    non-ASCII hosts (write the xn-- form), zone ids, and numeric hosts that are not a plain dotted quad.
    Says nothing about where the host points to. Raises AddressRefused.
    """
    if _UNPRINTABLE.search(url):
        raise AddressRefused("the URL holds white space, a control character or a backslash")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused(f"not a URL: {error}") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise AddressRefused("the URL must start with http:// or https://")
    if "@" in parts.netloc:
        raise AddressRefused("the URL must not carry a user name or password")
    if port == 0:
        raise AddressRefused("port 0 can't be called")
    return parts.scheme, _host(parts.netloc), port or DEFAULT_PORTS[parts.scheme]


def _host(netloc: str) -> str:
    if netloc.startswith("["):
        literal, _, port = netloc[1:].partition("]")
        if port and not port.startswith(":"):
            raise AddressRefused("the URL has no valid host name")
        return _v6_literal(literal)
    written = netloc.partition(":")[0].lower()
    host = written.removesuffix(".")
    if not host.isascii():
        raise AddressRefused("the host is not ASCII: write its xn-- form")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused("the URL has no valid host name")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(written))
        except ValueError:
            raise AddressRefused("a numeric host must be a plain dotted quad such as 192.0.2.1") from None
    return host


def _v6_literal(text: str) -> str:
    try:
        address = IPv6Address(text)
    except ValueError:
        raise AddressRefused("the URL has no valid IPv6 address in its brackets") from None
    if address.scope_id is not None:
        raise AddressRefused("an IPv6 address with a zone can't be called")
    return str(address)
