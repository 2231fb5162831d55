"""The sandbox: a provider, an MCP server and an agent to try the house on without an account anywhere.

Served by the all-in-one process under /sandbox/, to this machine only. It is a stranger to the house: the house calls it
over HTTP like any upstream.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from typing import TYPE_CHECKING

from dataplane.asgi import App, Receive, Scope, Send, respond

if TYPE_CHECKING:
    from starlette.applications import Starlette

PREFIX = "/sandbox/"


class Sandbox:
    """Conforms to `dataplane.kit.Background`. The SDKs behind it take seconds to import, so `start` does that."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._app: App | None = None
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    async def start(self) -> None:
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._live(started))
        await started

    async def close(self) -> None:
        self._stop.set()
        if self._task is not None:
            await self._task

    async def _live(self, started: asyncio.Future[None]) -> None:
        """The MCP SDK's sessions live in a task group, which must be entered and left by the same task."""
        try:
            app = await asyncio.to_thread(_make, self._base_url)
            async with app.router.lifespan_context(app):
                self._app = app
                started.set_result(None)
                await self._stop.wait()
        except Exception as error:
            if started.done():
                raise
            started.set_exception(error)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None or not _from_here(scope):
            await respond(send, 404, [(b"content-type", b"text/plain")], b"Nothing answers at this address.\n")
            return
        await self._app(scope, receive, send)


def _from_here(scope: Scope) -> bool:
    with contextlib.suppress(KeyError, TypeError, ValueError, IndexError):
        return ipaddress.ip_address(scope["client"][0]).is_loopback
    return False


def _make(base_url: str) -> Starlette:
    from starlette.applications import Starlette

    from config.sandbox import agent, models, tools

    served = tools.application()
    return Starlette(
        routes=[*models.ROUTES, *agent.routes(base_url), *served.routes],
        exception_handlers={models.Wrong: models.wrong},
        lifespan=served.router.lifespan_context,
    )
