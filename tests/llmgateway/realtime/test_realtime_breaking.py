"""Providers that drop, lie and flood, and callers that leave or do not read: whatever began is settled, and nothing is kept."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.fakes.house import House
from tests.fakes.journaled import counted
from tests.fakes.realtime import USAGE, Peer, RealtimeProvider
from tests.llmgateway.realtime.talking import end_of, hear, send, talking


async def half(peer: Peer, event: dict[str, Any]) -> None:
    if event["type"] == "response.create":
        await peer.begin()


async def test_a_caller_who_leaves_in_mid_response_is_settled_and_leaves_the_provider(house: House, provider: RealtimeProvider) -> None:
    provider.behave = half
    async with talking(house) as connection:
        await send(connection, "conversation.item.create", item={"type": "message", "text": "x" * 4000})
        await send(connection, "response.create")
        await hear(connection, "response.output_audio_transcript.delta")
        connection.transport.abort()
        await asyncio.wait_for((await provider.peer()).gone.wait(), 5)
    event = house.settled()
    assert (event.outcome, event.estimated, event.usage["output"]) == ("aborted", True, 4)
    assert event.usage["input"] >= 1000
    house.wait_until(lambda: not house.kit.active)


async def test_a_caller_who_leaves_between_responses_owes_nothing(house: House, provider: RealtimeProvider) -> None:
    async with talking(house) as connection:
        await send(connection, "response.create")
        await hear(connection, "response.done")
    await asyncio.wait_for((await provider.peer()).gone.wait(), 5)
    assert house.settled().outcome == "ok"
    assert house.journaled() == []


async def test_a_provider_that_drops_is_told_and_what_began_is_settled(house: House, provider: RealtimeProvider) -> None:
    async def dropping(peer: Peer, event: dict[str, Any]) -> None:
        await peer.begin()
        peer.connection.transport.abort()

    provider.behave = dropping
    async with talking(house) as connection:
        await send(connection, "response.create")
        events, code, _ = await end_of(connection)
    assert (events[-1]["type"], events[-1]["error"]["code"], code) == ("error", "upstream_error", 1011)
    event = house.settled()
    assert (event.outcome, event.estimated) == ("error", True)


@pytest.mark.parametrize(("closed", "told"), [(4001, 4001), (1000, 1000), (1008, 1008)])
async def test_a_provider_that_closes_is_heard_to_close(closed: int, told: int, house: House, provider: RealtimeProvider) -> None:
    async with talking(house) as connection:
        await hear(connection, "session.created")
        await (await provider.peer()).connection.close(closed, "session is over")
        assert await end_of(connection) == ([], told, "session is over")


async def test_a_message_of_a_hundred_megabytes_is_not_taken_in(house: House, provider: RealtimeProvider) -> None:
    async def flooding(peer: Peer, event: dict[str, Any]) -> None:
        await peer.connection.send("x" * 100_000_000)

    provider.behave = flooding
    async with talking(house) as connection:
        await send(connection, "response.create")
        events, code, _ = await end_of(connection)
    assert (events[-1]["error"]["code"], code) == ("upstream_error", 1011)
    assert "16777216" in events[-1]["error"]["message"]
    assert house.settled().outcome == "error"


async def test_a_message_of_the_callers_that_is_too_large_ends_the_connection(house: House, provider: RealtimeProvider) -> None:
    async with talking(house) as connection:
        await hear(connection, "session.created")
        with contextlib.suppress(ConnectionClosed):
            await connection.send(b"x" * (16 * 1024 * 1024 + 1))
        _, code, _ = await end_of(connection)
    assert code == 1009
    assert (await provider.peer()).raw == []


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": -1, "output_tokens": 5},
        {"input_tokens": 10**12, "output_tokens": 5},
        {"input_tokens": "many"},
        [],
        None,
    ],
    ids=["negative", "huge", "text", "array", "none"],
)
async def test_usage_that_can_not_be_true_is_not_believed(usage: Any, house: House, provider: RealtimeProvider) -> None:
    provider.usages.append(usage)
    async with talking(house) as connection:
        await send(connection, "response.create")
        await hear(connection, "response.done")
    event = house.settled()
    assert (event.outcome, event.estimated, event.usage["output"]) == ("ok", True, 4)


async def test_parts_that_are_more_than_their_whole_are_not_paid_beyond_it(house: House, provider: RealtimeProvider) -> None:
    details = {"audio_tokens": 900, "cached_tokens": 800, "cached_tokens_details": {"audio_tokens": 900}}
    provider.usages.append(
        {"input_tokens": 100, "output_tokens": 10, "input_token_details": details, "output_token_details": {"audio_tokens": 99}}
    )
    async with talking(house) as connection:
        await send(connection, "response.create")
        await hear(connection, "response.done")
    assert counted(house.settled()) == {"cached_read": 100, "output": 10, "audio_output": 10}


async def test_a_response_that_ends_twice_is_paid_once(house: House, provider: RealtimeProvider) -> None:
    async def twice(peer: Peer, event: dict[str, Any]) -> None:
        name = await peer.begin()
        for _ in range(3):
            await peer.end(name)

    provider.behave = twice
    async with talking(house) as connection:
        await send(connection, "response.create")
        for _ in range(3):
            await hear(connection, "response.done")
    assert house.settled().outcome == "ok"


async def test_a_response_that_nobody_saw_begin_is_paid_all_the_same(house: House, provider: RealtimeProvider) -> None:
    async with talking(house) as connection:
        await hear(connection, "session.created")
        await (await provider.peer()).end("resp_unseen")
        await hear(connection, "response.done")
    assert (house.settled().usage["output"], house.reading.open_intents()) == (500, [])


async def test_a_response_that_fails_without_usage_costs_nothing(house: House, provider: RealtimeProvider) -> None:
    async def failing(peer: Peer, event: dict[str, Any]) -> None:
        await peer.end(await peer.begin(), None, status="failed")

    provider.behave = failing
    async with talking(house) as connection:
        await send(connection, "response.create")
        await hear(connection, "response.done")
    event = house.settled()
    assert (event.outcome, event.cost) == ("error", "0")


async def test_responses_without_end_end_the_connection(house: House, provider: RealtimeProvider) -> None:
    async with talking(house) as connection:
        await hear(connection, "session.created")
        peer = await provider.peer()
        for number in range(65):
            await peer.say("response.created", response={"id": f"resp_{number}"})
        events, code, _ = await end_of(connection)
    assert (events[-1]["error"]["code"], code) == ("rate_limit_exceeded", 1008)
    assert len(house.all_settled(64)) == 64


@pytest.mark.parametrize(
    "text", ["no event", '{"type": 7}', '{"type": "response.done", "response": 7}', "[" * 50_000, '{"type": "response.created"}']
)
async def test_what_is_no_event_is_relayed(text: str, house: House, provider: RealtimeProvider) -> None:
    async with talking(house) as connection:
        await hear(connection, "session.created")
        peer = await provider.peer()
        await peer.connection.send(text)
        assert await connection.recv() == text
        await peer.say("conversation.item.added", item={})
        await hear(connection, "conversation.item.added")


async def test_a_caller_who_does_not_read_holds_the_provider_back(house: House, provider: RealtimeProvider) -> None:
    sent = 0
    piece = json.dumps({"type": "conversation.item.added", "item": "x" * 100_000})

    async def flooding(peer: Peer, event: dict[str, Any]) -> None:
        nonlocal sent
        for _ in range(2000):
            await peer.connection.send(piece)
            sent += 1

    provider.behave = flooding
    async with talking(house, max_queue=1) as connection:
        await send(connection, "input_audio_buffer.clear")
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.3)
        assert 0 < sent < 200
        connection.transport.abort()
    house.wait_until(lambda: not house.kit.active)


async def test_a_provider_that_does_not_read_holds_the_caller_back(house: House, provider: RealtimeProvider) -> None:
    blocked = asyncio.Event()

    async def deaf(peer: Peer, event: dict[str, Any]) -> None:
        await blocked.wait()

    provider.behave = deaf
    audio = "A" * 100_000
    async with talking(house) as connection:
        sent = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                for _ in range(2000):
                    await send(connection, "input_audio_buffer.append", audio=audio)
                    sent += 1
        assert 0 < sent < 400
        blocked.set()


async def test_a_response_is_known_by_its_usage_not_by_who_asked(house: House, provider: RealtimeProvider) -> None:
    """The client and turn detection start one each: both are admitted, both are paid, in whichever order they are told."""

    async def nothing(peer: Peer, event: dict[str, Any]) -> None:
        return

    provider.behave = nothing
    async with talking(house) as connection:
        await send(connection, "response.create")
        peer = await provider.peer()
        await peer.heard("response.create")
        names = [await peer.begin(), await peer.begin()]
        for name in reversed(names):
            await peer.end(name, USAGE)
        for _ in names:
            await hear(connection, "response.done")
    assert [event.estimated for event in house.all_settled(2)] == [False, False]
