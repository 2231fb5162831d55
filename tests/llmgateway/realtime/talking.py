"""A caller without an SDK, for what an SDK would not send or would hide."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.fakes.house import House
from tests.fakes.realtime import WAIT_LIMIT


def address(house_url: str, query: str = "model=voice") -> str:
    return f"ws{house_url.removeprefix('http')}/v1/realtime?{query}"


@contextlib.asynccontextmanager
async def talking(house: House, *, key: str | None = None, query: str = "model=voice", **more: Any) -> AsyncIterator[ClientConnection]:
    headers = {"Authorization": f"Bearer {key or house.key}"}
    more = {"additional_headers": headers, "proxy": None, "max_size": None, "compression": None, **more}
    async with connect(address(house.url, query), **more) as connection:
        yield connection


async def refusal(house: House, *, key: str | None = None, query: str = "model=voice", **more: Any) -> tuple[int, dict[str, Any], str]:
    """Status, error and request id of a handshake that is refused."""
    with pytest.raises(InvalidStatus) as told:
        async with talking(house, key=key, query=query, **more):
            pass
    response = told.value.response
    assert response.body is not None
    body = json.loads(response.body)
    assert body["error"]["request_id"] == response.headers["x-request-id"]
    return response.status_code, body["error"], response.headers["x-request-id"]


async def send(connection: ClientConnection, kind: str, **fields: Any) -> None:
    await connection.send(json.dumps({"type": kind, **fields}))


async def hear(connection: ClientConnection, kind: str) -> dict[str, Any]:
    """The next event of a type; what comes before it is passed over."""
    async with asyncio.timeout(WAIT_LIMIT):
        while True:
            event = json.loads(await connection.recv())
            if event["type"] == kind:
                return event


async def end_of(connection: ClientConnection) -> tuple[list[dict[str, Any]], int, str]:
    """What still comes, and the code and reason of the close."""
    events: list[dict[str, Any]] = []
    async with asyncio.timeout(WAIT_LIMIT):
        with contextlib.suppress(ConnectionClosed):
            while True:
                events.append(json.loads(await connection.recv()))
    assert connection.close_code is not None
    return events, connection.close_code, connection.close_reason or ""
