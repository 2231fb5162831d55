"""ASGI's lifespan for servers that don't speak it: Daphne sends none."""

from __future__ import annotations

import asyncio
from typing import Any

from dataplane.asgi import App


class Lifespan:
    """Runs `app`'s lifespan in a task. `start` and `stop` return when the app says so. Raises RuntimeError when it says
    that it can't."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._in: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._out: asyncio.Queue[Any] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.ensure_future(self._run())
        await self._say("lifespan.startup")

    async def stop(self) -> None:
        if self._task is not None:
            await self._say("lifespan.shutdown")
            await self._task

    async def _run(self) -> None:
        await self._app({"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}, self._in.get, self._out.put)

    async def _say(self, what: str) -> None:
        assert self._task is not None
        self._in.put_nowait({"type": what})
        answered = asyncio.ensure_future(self._out.get())
        await asyncio.wait({answered, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not answered.done():
            answered.cancel()
            self._task.result()
            raise RuntimeError(f"the application ended at {what}")
        if answered.result()["type"] != f"{what}.complete":
            raise RuntimeError(f"{what}: {answered.result().get('message', 'failed')}")
