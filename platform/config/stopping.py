"""SIGTERM under Granian: connections that stay open end first, then Granian is stopped.

Granian by itself closes every WebSocket at that moment, in the middle of a response; calls over HTTP it lets end. It takes SIGINT
and SIGTERM alike, so the house takes the second for itself and passes it on as the first.
"""

from __future__ import annotations

import asyncio
import signal

from dataplane.kit import Kit

MARGIN = 2.0
"""Seconds that are left to Granian of those after which it kills its worker."""

EVERY = 0.05


def drain_first(kit: Kit, *, seconds: float) -> None:
    """To be called in the worker's event loop, once Granian has set its own handlers. `seconds` are those that a worker has."""
    loop = asyncio.get_running_loop()
    waiting: list[asyncio.Task[None]] = []

    async def drained() -> None:
        for _ in range(int(max(seconds - MARGIN, 0.0) / EVERY)):
            if not kit.sockets:
                break
            await asyncio.sleep(EVERY)
        signal.raise_signal(signal.SIGINT)

    def stop() -> None:
        kit.draining = True
        if waiting:
            signal.raise_signal(signal.SIGINT)  # told twice: somebody is in a hurry
        else:
            waiting.append(loop.create_task(drained()))

    loop.add_signal_handler(signal.SIGTERM, stop)
