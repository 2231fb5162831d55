"""How a connection ends: what the client is told, and how both sides are left.

the client leaves               the upstream is left, code 1000
the upstream closes             the client gets its code and reason
the upstream is lost            an `error` event, code 1011
a key or a grant is withdrawn   an `error` event, code 1008
money or a message too large    an `error` event, codes 1008 and 1009
the house stops                 an `error` event, code 1012: come back, another worker is there
"""

from __future__ import annotations

import asyncio
import logging
from typing import NamedTuple

from dataplane.errors import HouseError, PayloadTooLarge, Unavailable, UpstreamFailed
from dataplane.handshake import Handshake
from dataplane.socket_upstream import Ended, Socket
from llmgateway.proxy.realtime.events import error_event

log = logging.getLogger("customhouse.llm")

NORMAL, POLICY, TOO_LARGE, FAILED, RESTART = 1000, 1008, 1009, 1011, 1012
FAREWELL = 2.0
"""Seconds that a client has to take what is said to it last."""

MOST_REASON = 120
"""Bytes: a closing frame holds 125, its code included."""


class ClientLeft(Exception):
    """The client has closed, or is gone."""


class Ending(NamedTuple):
    """`error` is told as an event before the close; `silent` means that there is nobody to tell."""

    code: int
    reason: str = ""
    error: HouseError | None = None
    silent: bool = False
    upstream_failed: bool = False


def ending_of(end: BaseException | None) -> Ending:
    match end:
        case ClientLeft():
            return Ending(NORMAL, silent=True)
        case Ended():
            return Ending(end.code if end.code != 1005 else NORMAL, end.reason, upstream_failed=True)
        case UpstreamFailed():
            return Ending(FAILED, "upstream failed", end, upstream_failed=True)
        case PayloadTooLarge():
            return Ending(TOO_LARGE, "message too large", end)
        case Unavailable(code="shutting_down"):
            return Ending(RESTART, "shutting down", end)
        case HouseError():
            return Ending(POLICY, end.code, end)
    log.error("connection failed inside the house", exc_info=end)
    return Ending(FAILED, "internal error", HouseError("The house failed to handle this connection."))


async def say_goodbye(handshake: Handshake, socket: Socket, ending: Ending, *, silent: bool) -> None:
    """To both sides at once. `silent`: the client has not taken the message before this one."""
    told = None if silent else ending.error
    try:
        await asyncio.gather(socket.close(), *([] if ending.silent else [_tell(handshake, ending, told)]))
    except asyncio.CancelledError:
        socket.abort()
        raise


async def _tell(handshake: Handshake, ending: Ending, error: HouseError | None) -> None:
    try:
        async with asyncio.timeout(FAREWELL):
            if error is not None:
                await handshake.send({"type": "websocket.send", "text": error_event(error, handshake.id, None)})
            reason = ending.reason.encode()[:MOST_REASON].decode(errors="ignore")
            await handshake.send({"type": "websocket.close", "code": ending.code, "reason": reason})
    except (TimeoutError, OSError, RuntimeError):
        log.info("the client was gone before it was told", extra={"request_id": handshake.id})
