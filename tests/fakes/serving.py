"""ASGI apps on real loopback sockets: uvicorn in a thread, started and stopped without a pause."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn

START_LIMIT = 20.0

App = Callable[..., Any]
Serve = Callable[[App], str]


class _Threaded(uvicorn.Server):
    """Says when it listens, and ends at once: open connections are cut, the app's lifespan still ends in order."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        self.ready.set()

    async def main_loop(self) -> None:
        assert self._ended is not None
        await self.on_tick(0)
        await self._ended.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in list(self.server_state.connections):
            if (transport := connection.transport) is not None:
                transport.abort()
        await self.lifespan.shutdown()

    def end(self) -> None:
        if self._loop is not None and self._ended is not None:
            self._loop.call_soon_threadsafe(self._ended.set)


@contextlib.contextmanager
def serving(app: App, *, lifespan: bool = False) -> Iterator[str]:
    """Serves `app` and yields its address, `http://127.0.0.1:<port>`."""
    # The protocol is named, or asyncio does not see that this is TCP and leaves out TCP_NODELAY: 40 ms an answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)
    config = uvicorn.Config(
        app,
        lifespan="on" if lifespan else "off",
        http="h11",
        ws="websockets-sansio",
        loop="asyncio",
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=120,
    )
    server = _Threaded(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), name="served-app", daemon=True)
    thread.start()
    try:
        if not server.ready.wait(START_LIMIT):
            raise TimeoutError("the app did not start to listen")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.end()
        thread.join(START_LIMIT)
        listener.close()
        if thread.is_alive():
            raise TimeoutError("the served app did not stop")


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """An address where connections are refused: the port is held but nobody listens on it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@contextlib.contextmanager
def unanswering() -> Iterator[str]:
    """An address where connecting never completes: a listener with a full queue that nobody accepts from."""
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        for _ in range(2):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                caller.connect(address)
        yield f"http://127.0.0.1:{address[1]}"


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(app) -> address`; all that a test served is stopped after it."""
    with contextlib.ExitStack() as stack:
        yield lambda app: stack.enter_context(serving(app))
