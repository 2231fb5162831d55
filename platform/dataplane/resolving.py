"""From a host's name to addresses that may be called, for both doors out of the data plane, and how a door says that it
could not reach anybody. What was checked here is what is connected to: no other part resolves the name again."""

from __future__ import annotations

import asyncio
import logging
import socket
from ipaddress import ip_address

from dataplane.addresses import AddressRefused, check_addresses, check_url
from dataplane.errors import UpstreamFailed, UpstreamTimeout

log = logging.getLogger("customhouse.upstream")


class Lost(UpstreamFailed):
    """The upstream did not answer, or stopped. `sent` tells whether it may have begun to work (and to bill)."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class TimedOut(UpstreamTimeout):
    """The upstream was reached but a timeout ended the wait; it may have billed."""

    sent = True


class Refused(UpstreamFailed):
    """The upstream's address may not be called."""

    code = "upstream_address_refused"
    sent = False


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a configured http or https URL. Raises Refused for one that no rule lets through."""
    try:
        return check_url(url)
    except AddressRefused as error:
        raise Refused(f"The upstream's URL is refused: {error}") from error


async def resolve(host: str, port: int, *, allow_private: bool) -> list[str]:
    """All addresses of the host, every one of them checked. Raises Lost and Refused."""
    try:
        if is_literal(host):
            found = [host]
        else:
            infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(info[4][0]) for info in infos))
        return check_addresses(found, host=host, allow_private=allow_private)
    except OSError as error:
        raise Lost("The upstream's name does not resolve.", sent=False) from error
    except AddressRefused as error:
        log.warning("upstream refused: %s", error)
        raise Refused("The upstream's address is one that the house may not call.") from error


def is_literal(host: str) -> bool:
    """Whether it is an address by itself."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
