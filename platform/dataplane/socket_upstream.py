"""The door out of the data plane for WebSockets. Only this module imports the client of the library `websockets`.

As with calls over HTTP a name is resolved here, every answer is checked, and the connection goes to an address that was
checked; TLS is held to the name. Redirects are not followed, the environment's proxies are ignored, nothing is compressed.
Messages have a bound, and so has what is read ahead: an upstream whose messages nobody takes is not read any more, and who
sends to one that does not read waits.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from functools import cache
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from dataplane.errors import UpstreamFailed
from dataplane.resolving import Lost, Refused, TimedOut, origin, resolve

MAX_MESSAGE = 16 * 1024 * 1024
READ_AHEAD = (4, 1)
"""Messages at which the upstream is no longer read, and at which it is again."""

WRITE_AHEAD = 64 * 1024
PING_EVERY, PONG_WITHIN = 20.0, 60.0
"""Seconds. A live upstream may have nothing to say for as long as its caller is silent; a dead one does not answer pings."""

_quiet = logging.getLogger("customhouse.upstream.socket")
_quiet.setLevel(logging.WARNING)  # below that the library writes down headers, and with them the house's credential

FAREWELL = 2.0
"""Seconds that an upstream has to answer a closing frame."""


class Declined(UpstreamFailed):
    """The upstream answered the handshake with another status than 101, and no socket came of it."""

    def __init__(self, answered: int) -> None:
        super().__init__(f"The upstream answered the handshake with status {answered}.")
        self.answered = answered
        self.sent = False


class Ended(Exception):
    """The upstream has closed. `code` and `reason` are those of its closing frame; an end without one is Lost."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"closed with {code}")
        self.code = code
        self.reason = reason


class Socket:
    """An open connection. Always closed by who opened it."""

    __slots__ = ("_connection",)

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def receive(self) -> str | bytes:
        """The next message, text or binary as it came. Raises Ended, and Lost for an end that was none in order."""
        try:
            return await self._connection.recv()
        except ConnectionClosed as error:
            raise _end(error) from error

    async def send(self, message: str | bytes) -> None:
        """Returns when the upstream may be sent more. Raises as `receive` does."""
        try:
            await self._connection.send(message)
        except ConnectionClosed as error:
            raise _end(error) from error

    async def close(self) -> None:
        """Says goodbye and waits for an answer, not for long: an upstream that does not read never hears it."""
        try:
            async with asyncio.timeout(FAREWELL):
                await self._connection.close()
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """Leaves at once, for who has no time left to wait."""
        self._connection.transport.abort()


async def open_socket(
    url: str, path: str, *, headers: Sequence[tuple[str, str]], allow_private: bool, timeouts: tuple[float, float]
) -> Socket:
    """Connects to `path` (with its query) at the configured http or https URL of a provider. `timeouts` are for a connection
    to come about and for its handshake to be answered, in seconds. Raises Declined, Lost, TimedOut, Refused."""
    scheme, host, port = origin(url)
    try:
        async with asyncio.timeout(timeouts[0]):
            addresses = await resolve(host, port, allow_private=allow_private)
    except TimeoutError:
        raise Lost("The upstream's name did not resolve in time.", sent=False) from None
    target = ("wss" if scheme == "https" else "ws") + url[len(scheme) :] + path
    failure = Lost("The upstream could not be reached.", sent=False)
    for address in addresses:
        connecting = _prepare(target, headers, address=address, port=port, host=host)
        try:
            async with asyncio.timeout(timeouts[0]):
                connection = await connecting.open_tcp_connection()
        except (OSError, TimeoutError) as error:
            failure.__cause__ = error
            continue
        return Socket(await _shake_hands(connection, headers, within=timeouts[1]))
    raise failure


def _prepare(target: str, headers: Sequence[tuple[str, str]], *, address: str, port: int, host: str) -> connect:
    secure: dict[str, Any] = {}
    if target.startswith("wss:"):
        secure = {"ssl": _tls(), "server_hostname": host}
    try:
        return connect(
            target,
            host=address,
            port=port,
            proxy=None,
            compression=None,
            ping_interval=PING_EVERY,
            ping_timeout=PONG_WITHIN,
            close_timeout=FAREWELL,
            max_size=MAX_MESSAGE,
            max_queue=READ_AHEAD,
            write_limit=WRITE_AHEAD,
            logger=_quiet,
            **secure,
        )
    except InvalidURI as error:
        raise Refused("The upstream's URL is none that a WebSocket can be opened at.") from error


async def _shake_hands(connection: ClientConnection, headers: Sequence[tuple[str, str]], *, within: float) -> ClientConnection:
    """Done by itself and not by the library's own way to connect, which would follow redirects."""
    try:
        async with asyncio.timeout(within):
            await connection.handshake(headers, None)
    except InvalidStatus as error:
        connection.transport.abort()
        raise Declined(error.response.status_code) from error
    except TimeoutError:
        connection.transport.abort()
        raise TimedOut("The upstream did not answer the handshake in time.") from None
    except (InvalidHandshake, OSError, EOFError, ValueError) as error:
        connection.transport.abort()
        raise Lost("The upstream did not answer the handshake as a WebSocket does.", sent=False) from error
    except asyncio.CancelledError:
        connection.transport.abort()
        raise
    connection.start_keepalive()
    return connection


@cache
def _tls() -> ssl.SSLContext:
    """Made once: it reads the file of all authorities."""
    return ssl.create_default_context()


def _end(error: ConnectionClosed) -> Ended | Lost:
    if error.rcvd is not None and error.rcvd_then_sent is not False:
        return Ended(error.rcvd.code, error.rcvd.reason)
    if error.sent is not None and error.sent.code == 1009:
        return Lost(f"The upstream sent a message of more than {MAX_MESSAGE} bytes.", sent=True)
    return Lost("The upstream closed the connection without saying so.", sent=True)
