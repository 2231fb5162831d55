"""One worker of the data plane: everything a call needs, made once, started on lifespan or on the first request.

`application` is the ASGI app. The gateways' routes come from the composition root, since nothing in here knows them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from dataplane import operations
from dataplane.answers import Answers
from dataplane.asgi import App, Receive, Request, Scope, Send
from dataplane.call import Call
from dataplane.debug import DebugRecords
from dataplane.errors import HouseError, NotFound, Unavailable
from dataplane.handshake import Handshake
from dataplane.idempotency import Claims
from dataplane.metrics import Metrics
from dataplane.pins import Pins
from dataplane.principal import invalid_key
from dataplane.upstream import Upstreams

if TYPE_CHECKING:
    from dataplane.journal import Journal
    from dataplane.limits import Limits
    from dataplane.sealing import Sealer
    from dataplane.store import Snapshot, Store

log = logging.getLogger("customhouse.kit")

STALLED_AFTER = 60.0
"""Seconds that one write to a caller may take; then the caller does not read and the call is ended."""

SWEEP_EVERY = 1.0
LOOK_EVERY = 0.05
"""Seconds between two looks at the calls that run: a caller that leaves is noticed from the second look on."""

LOOKS_AT_ALL = 5
"""Every so many looks all calls are looked at, for signs of life and timeouts of streams."""


class Background(Protocol):
    """Something that runs beside the calls: a shipper, a subscription to snapshots, recovery of dead workers' files."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...


Handler = Callable[["Kit", Request], Awaitable[None]]
SocketHandler = Callable[["Kit", Handshake], Awaitable[None]]


class Routes(NamedTuple):
    """Addresses of one gateway. An exact path wins over a prefix. `websockets` are exact, and apart from the others."""

    exact: Mapping[str, Handler]
    prefixes: Sequence[tuple[str, Handler]] = ()
    websockets: Mapping[str, SocketHandler] = {}


class Running(Protocol):
    """What is under way and may be cut: a call over HTTP, or a connection that stays open. `call` is whom and what it is
    for, `sending_since` when a write began that its caller has not taken (0.0: there is none)."""

    @property
    def call(self) -> Call: ...

    @property
    def task(self) -> asyncio.Task[Any] | None: ...

    @property
    def sending_since(self) -> float: ...

    def look(self) -> None:
        """Called every now and then while it runs."""

    def cancel(self, reason: HouseError) -> None:
        """Cuts it from outside."""


class Kit:
    """Owns the worker's parts and their order of start and stop."""

    def __init__(
        self,
        *,
        pepper: bytes,
        sealer: Sealer,
        store: Store,
        limits: Limits,
        journal: Journal,
        background: Sequence[Background] = (),
        pins: Pins | None = None,
        claims: Claims | None = None,
    ) -> None:
        """`pins` None: what is stored for callers is known to this process alone, and forgotten with it. `claims` None: so are
        the calls that are to be made once."""
        self.pepper = pepper
        self.sealer = sealer
        self.store = store
        self.limits = limits
        self.journal = journal
        self.pins = Pins() if pins is None else pins
        self.answers = Answers()
        self.claims = Claims() if claims is None else claims
        self.upstreams = Upstreams()
        self.metrics = Metrics()
        self.debug = DebugRecords()
        self.active: set[Running] = set()
        self.sockets = 0
        self.draining = False
        self._background: list[Background] = [self.pins, self.claims, *background]
        self._begun = 0
        self._listening = False
        self._sweeper: asyncio.Task[None] | None = None
        self._starting: asyncio.Lock | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._looks = 0
        self._new: list[Running] = []
        self._seen: list[Running] = []
        self.metrics.gauges["active_calls"] = ("Calls under way.", lambda: float(len(self.active)))
        self.metrics.gauges["open_sockets"] = ("WebSocket connections.", lambda: float(self.sockets))
        self.metrics.gauges["cached_bytes"] = ("Answers in the response cache.", lambda: float(self.answers.bytes))
        self.metrics.gauges["snapshot_version"] = ("Version of the snapshot that is served.", lambda: float(store.current.version))
        self.metrics.gauges["snapshot_age_seconds"] = ("Since the snapshot last changed.", lambda: time.time() - store.current.loaded_at)

    def attach(self, part: Background) -> None:
        """One more part that runs beside the calls; before the start."""
        self._background.append(part)

    @property
    def started(self) -> bool:
        return self._sweeper is not None

    async def start(self) -> None:
        """Idempotent; the first of lifespan and first request does it, others wait for it. Where a part can't start it raises
        what that raised; the next one to ask goes on from there, for a thread can't be started twice."""
        if self._starting is None:
            self._starting = asyncio.Lock()
        async with self._starting:
            if self.started:
                return
            self._loop = asyncio.get_running_loop()
            if not self.store.ready:
                await asyncio.to_thread(self.store.load)
            self._configure(self.store.current)
            if not self._listening:
                self.store.listen(self._swapped)
                self._listening = True
            await self.limits.start()
            while self._begun < len(self._background):
                await self._background[self._begun].start()
                self._begun += 1
            self._sweeper = asyncio.create_task(self._sweep())

    async def close(self, *, patience: float = 120.0) -> None:
        """Lets running calls end for up to `patience` seconds, then settles and hands everything back."""
        self.draining = True
        deadline = time.monotonic() + patience
        while (running := [exchange.task for exchange in self.active if exchange.task is not None]) and time.monotonic() < deadline:
            await asyncio.wait(running, timeout=deadline - time.monotonic())
        for exchange in list(self.active):
            exchange.cancel(Unavailable("The house is shutting down.", code="shutting_down"))
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
            self._sweeper = None
        for part in reversed(self._background[: self._begun]):
            await self._ended(part.close())
        await self._ended(self.limits.close())
        await self._ended(asyncio.to_thread(self.store.save))
        self.journal.close()

    @staticmethod
    async def _ended(closing: Awaitable[object]) -> None:
        """What one part can't do at its end (a full disk, a Redis that is away) keeps no other from its own."""
        try:
            await closing
        except Exception:
            log.exception("a part of the house could not end in order")

    def watch_over(self, exchange: Running) -> None:
        """From now until it leaves `active`, the call is looked at now and then."""
        self.active.add(exchange)
        self._new.append(exchange)
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK_EVERY, self._look)

    def _look(self) -> None:
        """One timer for all calls, and none while there are no calls. New ones are looked at twice in short order, which is
        how callers that leave are noticed; after that now and then is enough, for hundreds of streams at once."""
        self._looking = None
        self._looks += 1
        seen, self._seen, self._new = self._seen, self._new, []
        if self._looks % LOOKS_AT_ALL == 0:
            for exchange in self.active:
                exchange.look()
        else:
            for exchange in (*seen, *self._seen):
                if exchange in self.active:
                    exchange.look()
        if self.active:
            self._looking = asyncio.get_running_loop().call_later(LOOK_EVERY, self._look)
        else:
            self._seen = []

    def _swapped(self, snapshot: Snapshot) -> None:
        """Runs in whichever thread applied the sections."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._take_over, snapshot)

    def _take_over(self, snapshot: Snapshot) -> None:
        for exchange in list(self.active):
            if (reason := withdrawn(exchange.call, snapshot)) is not None:
                exchange.cancel(reason)
        self._configure(snapshot)

    def _configure(self, snapshot: Snapshot) -> None:
        try:
            self.limits.configure(snapshot)
        except ValueError:
            # Of a newer control plane. The limits stay as they were; everything else of the snapshot is served.
            log.exception("the snapshot's budgets can not be taken over")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            try:
                await asyncio.to_thread(self.store.save)
                oldest = time.monotonic() - STALLED_AFTER
                for exchange in list(self.active):
                    if 0.0 < exchange.sending_since < oldest:
                        exchange.cancel(HouseError("The caller does not read.", code="caller_stalled"))
            except OSError:
                log.exception("the last good snapshot could not be written")


def withdrawn(call: Call, snapshot: Snapshot) -> HouseError | None:
    """Why a call that was let in under an earlier snapshot may not go on under this one; None if it may."""
    if snapshot.key(call.key.digest) is None:
        return invalid_key()
    if not call.still_allowed(snapshot):
        return NotFound("What was asked for does not exist or you have no access to it any more.", code="access_withdrawn")
    return None


def application(kit: Kit, routes: Sequence[Routes]) -> App:
    """The ASGI app of the data plane: HTTP calls, WebSockets, operations, lifespan."""
    exact: dict[str, Handler] = {**operations.HANDLERS}
    prefixes: list[tuple[str, Handler]] = []
    sockets: dict[str, SocketHandler] = {}
    for part in routes:
        sockets.update(part.websockets)
        exact.update(part.exact)
        prefixes.extend(part.prefixes)

    def handler_of(path: str) -> Handler:
        for prefix, handler in prefixes:
            if path.startswith(prefix):
                return handler
        return operations.not_found

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            if kit._sweeper is None:
                await kit.start()
            request = Request(scope, receive, send)
            handler = exact.get(request.path) or handler_of(request.path)
            await handler(kit, request)
        elif kind == "lifespan":
            await lifespan(kit, receive, send)
        else:
            if kit._sweeper is None:
                await kit.start()
            handshake = Handshake(scope, receive, send)
            kit.sockets += 1
            try:
                await sockets.get(handshake.path, operations.no_socket)(kit, handshake)
            finally:
                kit.sockets -= 1

    return app


async def lifespan(kit: Kit, receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await kit.start()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await kit.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
