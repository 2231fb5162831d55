"""Daphne, hardened: writes wait for the client to read, and SIGTERM lets running calls end.

Plain Daphne buffers an answer whole for a client that does not read it, and cuts running streams when it is stopped.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import structlog
from daphne.server import Server  # first: it installs the asyncio reactor that everything of Twisted then uses

from config.channel import HouseChannel, HouseFactory, HouseRequest
from config.sockets import HANDSHAKE_SECONDS, MAX_MESSAGE, HouseWebSocket, HouseWebSocketFactory, Inbox

# Daphne's Server.run makes its factory by this name in its module; there is no other way to hand it one.
import daphne.server as daphne_server  # isort:skip
from twisted.internet import defer, reactor  # isort:skip

log = structlog.get_logger(__name__)

STALLED_SECONDS = 60.0
"""A write that the client has not read for this long: it does not read, so the call is cut and settled."""

INTERRUPTED_DRAIN_SECONDS = 3.0
"""Ctrl-C at a terminal: somebody waits in front of it."""

FAREWELL_SECONDS = 0.1
"""For the closing frames of sockets to leave before the loop ends."""

REQUEST_CHUNK = 64 * 1024

Hook = Callable[[], Awaitable[None]]


class HouseServer(Server):
    """`on_start` runs when the loop does; where it fails the server stops and `failed` says so. `on_drain` runs when
    stopping begins (readiness goes away), `on_stop` when the last call has ended. `drains` tells of a WebSocket's path whether
    its application hears of that and ends it when it may be ended; the others are told to come back at once."""

    def __init__(
        self,
        application: Any,
        *,
        host: str,
        port: int,
        drain_seconds: float,
        trust_proxy: bool,
        on_start: Hook,
        on_drain: Hook,
        on_stop: Hook,
        drains: Callable[[str], bool] = lambda path: False,
    ) -> None:
        super().__init__(
            application,
            endpoints=[f"tcp:port={port}:interface={host}".replace(":interface=::", r":interface=\:\:")],
            server_name="",
            request_buffer_size=REQUEST_CHUNK,
            proxy_forwarded_address_header="X-Forwarded-For" if trust_proxy else None,
            proxy_forwarded_proto_header="X-Forwarded-Proto" if trust_proxy else None,
            verbosity=1,
            application_close_timeout=30,
            websocket_handshake_timeout=HANDSHAKE_SECONDS,
            websocket_connect_timeout=HANDSHAKE_SECONDS,
            websocket_max_message_size=MAX_MESSAGE,
            websocket_max_frame_size=MAX_MESSAGE,
        )
        self.draining = False
        self.failed = False
        self.channels: set[HouseChannel] = set()
        self.ports: list[Any] = []
        self._drain_seconds = drain_seconds
        self._on_start = on_start
        self._on_drain = on_drain
        self._on_stop = on_stop
        self._drains = drains

    def run(self) -> None:
        daphne_server.HTTPFactory = HouseFactory
        daphne_server.WebSocketFactory = HouseWebSocketFactory
        reactor.callWhenRunning(signal.signal, signal.SIGINT, self._interrupted)
        reactor.callWhenRunning(lambda: asyncio.ensure_future(self._start()))
        super().run()

    async def _start(self) -> None:
        try:
            await self._on_start()
        except Exception:
            log.exception("server.start_failed")
            self.failed = True
            self.stop()

    def listen_error(self, failure: Any) -> None:
        self.failed = True
        super().listen_error(failure)

    def listen_success(self, port: Any) -> None:
        self.ports.append(port)
        super().listen_success(port)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        if not isinstance(protocol, HouseWebSocket):
            queue = super().create_application(protocol, scope)
            if (answering := self.connections.get(protocol, {}).get("application_instance")) is not None:
                answering.add_done_callback(lambda ended: protocol.left())
            return queue
        protocol.drains = self._drains(scope["path"])
        inbox = Inbox(protocol)
        scope = {**scope, "asgi": {"version": "3.0"}, "extensions": {"websocket.http.response": {}}}
        running = self.application(scope=scope, receive=inbox.get, send=partial(self.handle_reply, protocol))
        self.connections[protocol]["application_instance"] = asyncio.ensure_future(running)
        return inbox

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Returns when the client may be sent more, so that an application that awaits its sends is held back."""
        await super().handle_reply(protocol, message)
        gate = protocol.gate
        if gate is not None and not gate.is_open:
            try:
                await gate.passed(within=STALLED_SECONDS)
            except TimeoutError:
                log.warning("server.client_does_not_read", seconds=STALLED_SECONDS)
                protocol.abort()

    def kill_all_applications(self) -> Any:
        """Twisted waits for what this returns before it stops. Named so by Daphne, which here cuts everything off."""
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._drain()))

    async def _drain(self) -> None:
        self.draining = True
        started = time.monotonic()
        await self._on_drain()
        for port in self.ports:
            await defer.maybeDeferred(port.stopListening).asFuture(asyncio.get_running_loop())
        await self._close_sockets()
        while (running := self._running()) and time.monotonic() - started < self._drain_seconds:
            await asyncio.wait(running, timeout=0.25, return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._on_stop()
        log.info("server.drained", seconds=round(time.monotonic() - started, 3), cut=len(running))

    async def _close_sockets(self) -> None:
        """Live views reconnect on their own; waiting for them would hold every restart up to the very end."""
        sockets = [protocol for protocol in self.connections if isinstance(protocol, HouseWebSocket) and not protocol.drains]
        for protocol in sockets:
            protocol.going_away()
        if sockets:
            await asyncio.sleep(FAREWELL_SECONDS)

    def _running(self) -> list[asyncio.Future[Any]]:
        return [
            task
            for protocol, details in self.connections.items()
            if (isinstance(protocol, HouseRequest) or protocol.drains)
            and (task := details.get("application_instance")) is not None
            and not task.done()
        ]

    def _interrupted(self, *_: Any) -> None:
        self._drain_seconds = min(self._drain_seconds, INTERRUPTED_DRAIN_SECONDS)
        reactor.callFromThread(self.stop)
