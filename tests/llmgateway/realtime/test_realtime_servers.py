"""Connections under the servers of production, where refusals, closing codes, back-pressure and stopping depend on the server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dataplane.events import UsageEvent
from tests.fakes.journaled import counted, lines_of
from tests.fakes.realtime import Peer, RealtimeProvider
from tests.fakes.served_house import Apart, apart
from tests.llmgateway.realtime.talking import address, end_of, hear, send

LARGEST = 16 * 1024 * 1024


@pytest.fixture(params=["granian", "daphne"])
def house_apart(request: pytest.FixtureRequest, tmp_path: Path, provider: RealtimeProvider) -> Iterator[Apart]:
    with apart(request.param, tmp_path, provider.url) as running:
        yield running


@contextlib.asynccontextmanager
async def talking(house: Apart, **more: Any) -> AsyncIterator[ClientConnection]:
    headers = {"Authorization": f"Bearer {house.key}"}
    options = {"additional_headers": headers, "proxy": None, "max_size": None, "compression": None, **more}
    async with connect(address(house.url, "model=gpt"), **options) as connection:
        yield connection


async def settled(house: Apart, count: int) -> list[UsageEvent]:
    async with asyncio.timeout(10):
        while True:
            found = [line for line in lines_of(house.home / "journal") if isinstance(line, UsageEvent)]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.02)


async def half(peer: Peer, event: dict[str, Any]) -> None:
    if event["type"] == "response.create":
        await peer.begin()


async def test_a_connection_from_its_handshake_to_its_drain(house_apart: Apart, provider: RealtimeProvider) -> None:
    """One house for all of it, since a process of its own takes a second to start."""
    await _a_wrong_key_has_a_status(house_apart)
    await _the_official_client_is_served(house_apart)
    await _a_browser_is_served(house_apart)
    await _a_large_message_passes_and_a_larger_one_ends_it(house_apart, provider)
    await _a_caller_who_leaves_is_settled(house_apart, provider)
    await _a_close_of_the_providers_arrives(house_apart, provider)
    await _who_does_not_read_is_waited_for(house_apart, provider)
    await _stopping_waits_for_the_response(house_apart, provider)


async def _a_wrong_key_has_a_status(house: Apart) -> None:
    with pytest.raises(InvalidStatus) as told:
        async with talking(house, additional_headers={"Authorization": "Bearer ch_wrong"}):
            pass
    response = told.value.response
    assert response.status_code == 401
    assert response.body is not None
    assert json.loads(response.body)["error"]["request_id"] == response.headers["x-request-id"]


async def _the_official_client_is_served(house: Apart) -> None:
    async with (
        openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key=house.key) as client,
        client.realtime.connect(model="gpt") as realtime,
    ):
        for _ in range(2):
            await realtime.response.create()
            while (await realtime.recv()).type != "response.done":
                continue
    first, second = await settled(house, 2)
    assert (first.outcome, second.outcome) == ("ok", "ok")
    assert counted(first)["output"] == 500


async def _a_browser_is_served(house: Apart) -> None:
    offered = ["realtime", f"openai-insecure-api-key.{house.key}"]
    async with talking(house, additional_headers={}, subprotocols=offered, origin="https://app.example") as connection:
        await hear(connection, "session.created")
        assert connection.subprotocol == "realtime"
        assert connection.response is not None
        assert house.key not in str(connection.response.headers)
        # Granian sends no headers of an application's with its acceptance.
        assert len(connection.response.headers.get("x-request-id", "x" * 36)) == 36


async def _a_large_message_passes_and_a_larger_one_ends_it(house: Apart, provider: RealtimeProvider) -> None:
    provider.behave = half
    number = len(provider.peers) + 1
    async with talking(house) as connection:
        await send(connection, "input_audio_buffer.append", audio="A" * (LARGEST - 100))
        await (await provider.peer(number)).heard("input_audio_buffer.append")
        with contextlib.suppress(ConnectionClosed):
            await send(connection, "input_audio_buffer.append", audio="A" * LARGEST)
        await asyncio.wait_for((await provider.peer(number)).gone.wait(), 10)
        assert len((await provider.peer(number)).raw) == 1


async def _a_caller_who_leaves_is_settled(house: Apart, provider: RealtimeProvider) -> None:
    provider.behave = half
    async with talking(house) as connection:
        await send(connection, "response.create")
        await hear(connection, "response.output_audio_transcript.delta")
        connection.transport.abort()
    event = (await settled(house, 3))[2]
    assert (event.outcome, event.estimated) == ("aborted", True)


async def _a_close_of_the_providers_arrives(house: Apart, provider: RealtimeProvider) -> None:
    number = len(provider.peers) + 1
    async with talking(house) as connection:
        await hear(connection, "session.created")
        await (await provider.peer(number)).connection.close(1008, "over")
        assert (await end_of(connection))[1:] == (1008, "over")


async def _who_does_not_read_is_waited_for(house: Apart, provider: RealtimeProvider) -> None:
    sent = 0
    piece = json.dumps({"type": "conversation.item.added", "item": "x" * 100_000})
    blocked = asyncio.Event()

    async def behave(peer: Peer, event: dict[str, Any]) -> None:
        nonlocal sent
        if event["type"] == "response.cancel":
            await blocked.wait()
        elif event["type"] == "input_audio_buffer.clear":
            for _ in range(1500):
                await peer.connection.send(piece)
                sent += 1

    provider.behave = behave
    async with talking(house, max_queue=1) as connection:
        await send(connection, "input_audio_buffer.clear")
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.3)
        assert 0 < sent < 300, "the provider could send everything though nobody read it"
        connection.transport.abort()
    async with talking(house) as connection:
        await send(connection, "response.cancel")
        went = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                for _ in range(1500):
                    await send(connection, "input_audio_buffer.append", audio="A" * 100_000)
                    went += 1
        assert 0 < went < 300, "the caller could send everything though nobody read it"
        blocked.set()


async def _takes_nobody_new(house: Apart) -> None:
    async with asyncio.timeout(10):
        with contextlib.suppress(InvalidStatus, OSError):
            while True:
                async with talking(house):
                    await asyncio.sleep(0.02)


async def _stopping_waits_for_the_response(house: Apart, provider: RealtimeProvider) -> None:
    provider.behave = half
    number = len(provider.peers) + 1
    async with talking(house) as connection:
        await send(connection, "response.create")
        name = (await hear(connection, "response.created"))["response"]["id"]
        await hear(connection, "response.output_audio_transcript.delta")
        os.kill(house.pid, signal.SIGTERM)
        await _takes_nobody_new(house)
        await (await provider.peer(number)).end(name)
        events, code, _ = await end_of(connection)
    assert [event["type"] for event in events] == ["response.done", "error"]
    assert (events[-1]["error"]["code"], code) == ("shutting_down", 1012)
    assert (await settled(house, 4))[3].outcome == "ok"
