"""Connections of the control plane: a name is resolved once, all its addresses are checked, one of them is connected to.

The network layer is the place for it: the TLS handshake and the Host header above keep the name, and nobody between the
check and the connection resolves it again.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

import anyio
import httpcore
import httpx

from dataplane.addresses import AddressRefused, check_addresses


class OutboundRefused(httpx.RequestError, AddressRefused):
    """The URL or the address behind it may not be called. No byte was sent there."""


def _checked(found: Iterable[Any], host: str, *, allow_private: bool) -> list[str]:
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    try:
        return check_addresses(addresses, host=host, allow_private=allow_private)
    except AddressRefused as error:
        raise OutboundRefused(str(error)) from None


class PinnedBackend(httpcore.SyncBackend):
    def __init__(self, *, allow_private: bool) -> None:
        self.allow_private = allow_private

    def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} can't be resolved: {error}") from error
        last: Exception | None = None
        for address in _checked(found, host, allow_private=self.allow_private):
            try:
                return super().connect_tcp(address, port, *args, **kwargs)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last or httpcore.ConnectError(f"{host} can't be reached")

    def connect_unix_socket(self, path: str, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        raise OutboundRefused("local sockets can't be called")


class AsyncPinnedBackend(httpcore.AnyIOBackend):
    def __init__(self, *, allow_private: bool) -> None:
        self.allow_private = allow_private

    async def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        try:
            found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} can't be resolved: {error}") from error
        last: Exception | None = None
        for address in _checked(found, host, allow_private=self.allow_private):
            try:
                return await super().connect_tcp(address, port, *args, **kwargs)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last or httpcore.ConnectError(f"{host} can't be reached")

    async def connect_unix_socket(self, path: str, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        raise OutboundRefused("local sockets can't be called")
