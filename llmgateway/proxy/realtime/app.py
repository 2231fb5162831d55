"""Addresses of the realtime dialect, and the first half of a connection's life: the same steps as a call's over HTTP."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dataplane.asgi import Disconnected, Request, respond
from dataplane.errors import HouseError, Unavailable
from dataplane.handshake import Handshake
from dataplane.kit import Routes, withdrawn
from dataplane.pipeline import admit, serve
from llmgateway.proxy.dialects.errors import openai
from llmgateway.proxy.realtime.client_secrets import ClientSecrets
from llmgateway.proxy.realtime.connection import Connection
from llmgateway.proxy.realtime.opening import connect, open_call, subprotocol_of

if TYPE_CHECKING:
    from dataplane.kit import Kit

log = logging.getLogger("customhouse.llm")

PATH = "/v1/realtime"
SECRETS_PATH = "/v1/realtime/client_secrets"
_secrets = ClientSecrets()


async def realtime(kit: Kit, handshake: Handshake) -> None:
    """Identifies, resolves, authorizes, admits and connects before it accepts, so that a refusal has a status."""
    try:
        await handshake.begin()
    except Disconnected:
        return
    try:
        connection = await _opened(kit, handshake)
    except HouseError as error:
        await _deny(kit, handshake, error)
    except Exception:
        log.exception("connection failed inside the house", extra={"request_id": handshake.id})
        await _deny(kit, handshake, HouseError("The house failed to open this connection. The request id finds it in the log."))
    else:
        await connection.run()


async def _opened(kit: Kit, handshake: Handshake) -> Connection:
    handshake.guard()
    if kit.draining:
        raise Unavailable("The house is shutting down.", code="shutting_down")
    call = open_call(kit, handshake)
    admission = await admit(kit, call)
    place = None
    try:
        place = await connect(call, handshake)
        if (reason := withdrawn(call, kit.store.current)) is not None:
            raise reason
        route = f"{place.deployment.provider}/{place.deployment.name}; tries={place.tries}"
        headers = [
            (b"x-request-id", handshake.id.encode()),
            (b"x-customhouse-route", route.encode("latin-1", "replace")),
            *((name.encode(), value.encode()) for name, value in admission.headers()),
        ]
        await handshake.accept(headers, subprotocol=subprotocol_of(handshake))
        return Connection(kit, handshake, call, place=place, admission=admission)
    except BaseException:
        admission.settle(None, 0)
        if place is not None:
            await place.socket.close()
        raise


async def _deny(kit: Kit, handshake: Handshake, error: HouseError) -> None:
    kit.metrics.refusal("llm", error.code)
    status, headers, body = openai(handshake, error)
    extra = [(name.encode(), value.encode("latin-1")) for name, value in error.headers]
    await handshake.deny(status, [*headers, (b"x-request-id", handshake.id.encode()), *extra], body, code=4000 + status)


async def plain(kit: Kit, request: Request) -> None:
    """The address without an upgrade."""
    error = HouseError("This address takes WebSocket connections.", status=426, code="upgrade_required")
    status, headers, body = openai(request, error)
    more = [(b"upgrade", b"websocket"), (b"x-request-id", request.id.encode())]
    await respond(request.send, status, [*headers, *more], body)


async def secrets(kit: Kit, request: Request) -> None:
    await serve(kit, _secrets, request)


def routes() -> Routes:
    return Routes(exact={PATH: plain, SECRETS_PATH: secrets}, websockets={PATH: realtime})
