"""OpenAI's own client over a connection through the house."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import openai
import pytest
from websockets.exceptions import InvalidStatus

from tests.fakes.house import House
from tests.fakes.journaled import counted
from tests.fakes.realtime import USAGE, Peer, RealtimeProvider


async def until(connection: Any, kind: str) -> list[Any]:
    """Every event up to the next of a type."""
    found = []
    async with asyncio.timeout(10):
        while not found or found[-1].type != kind:
            found.append(await connection.recv())
    return found


async def test_events_pass_in_both_directions_in_their_order(house: House, provider: RealtimeProvider, client: openai.AsyncOpenAI) -> None:
    async with client.realtime.connect(model="voice") as connection:
        assert (await connection.recv()).type == "session.created"
        for number in range(20):
            audio = base64.b64encode(bytes([number]) * 300).decode()
            await connection.input_audio_buffer.append(audio=audio)
        await connection.response.create()
        kinds = [event.type for event in await until(connection, "response.done")]
    peer = await provider.peer()
    assert kinds == ["response.created", "response.output_audio.delta", "response.output_audio_transcript.delta", "response.done"]
    appended = [base64.b64decode(event["audio"])[0] for event in peer.events if event["type"] == "input_audio_buffer.append"]
    assert appended == list(range(20))
    assert house.settled().outcome == "ok"


async def test_the_provider_is_asked_for_its_own_model_with_the_houses_account(
    provider: RealtimeProvider, client: openai.AsyncOpenAI, house: House
) -> None:
    headers = {"OpenAI-Beta": "realtime=v1", "OpenAI-Safety-Identifier": "a person", "Cookie": "a=b"}
    async with client.realtime.connect(model="voice", extra_headers=headers):
        peer = await provider.peer()
    assert peer.path == "/v1/realtime?model=voice-real"
    assert peer.headers["Authorization"] == "Bearer sk-of-the-house"
    assert peer.headers["OpenAI-Beta"] == "realtime=v1"
    assert not {"OpenAI-Safety-Identifier", "Cookie", "Origin", "Sec-WebSocket-Protocol"} & set(peer.headers)
    assert house.key not in str(peer.headers)


async def test_each_response_is_a_usage_event_with_its_exact_buckets(
    house: House, provider: RealtimeProvider, client: openai.AsyncOpenAI
) -> None:
    provider.usages += [USAGE, {"input_tokens": 700, "output_tokens": 9, "input_token_details": {"cached_tokens": 600}}]
    async with client.realtime.connect(model="voice") as connection:
        for _ in range(2):
            await connection.response.create()
            await until(connection, "response.done")
        first, second = house.all_settled(2)
    assert counted(first) == {"input": 56, "cached_read": 64, "output": 500, "audio_input": 48, "audio_output": 400}
    # 8 of text at 4, 48 spoken at 32, 64 cached at 0.4; 100 written at 16, 400 spoken at 64, all per million.
    assert first.cost == "0.0287936"
    assert (first.model, first.provider, first.deployment, first.price) == ("voice", "openai", "voice-real", "price:voice:1")
    assert (first.plane, first.outcome, first.estimated, first.ttft_ms is not None) == ("llm", "ok", False, True)
    assert counted(second) == {"input": 100, "cached_read": 600, "output": 9}
    assert first.request_id.partition(".")[0] == second.request_id.partition(".")[0]
    assert [event.request_id.partition(".")[2] for event in (first, second)] == ["1", "2"]
    assert first.id != second.id


async def test_a_response_is_written_down_before_it_is_asked_for(
    house: House, provider: RealtimeProvider, client: openai.AsyncOpenAI
) -> None:
    seen = []

    async def behave(peer: Peer, event: dict[str, Any]) -> None:
        seen.extend(house.reading.open_intents())
        await provider.answer(peer, event)

    provider.behave = behave
    house.contents.budget(f"team:{house.team}", 10**9)
    house.publish()
    async with client.realtime.connect(model="voice") as connection:
        await connection.response.create(response={"max_output_tokens": 200})
        await until(connection, "response.done")
    (intent,) = seen
    assert (intent.model, intent.deployment, len(intent.accounts)) == ("voice", "voice-real", 1)
    assert 200 * 64_000 <= intent.reserve < 200 * 64_000 + 64 * 32_000
    assert house.settled().id == intent.id


async def test_a_hard_budget_refuses_one_response_and_the_connection_lives_on(
    house: House, provider: RealtimeProvider, client: openai.AsyncOpenAI
) -> None:
    house.contents.budget(f"team:{house.team}", 40_000_000)
    house.publish()
    async with client.realtime.connect(model="voice") as connection:
        await connection.response.create()
        await until(connection, "response.done")
        await connection.send({"type": "response.create", "event_id": "mine"})
        refused = (await until(connection, "error"))[-1].error
        item: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "still there?"}]}
        await connection.conversation.item.create(item=item)
        await until(connection, "conversation.item.added")
    assert (refused.type, refused.code, refused.event_id, refused.param) == ("insufficient_quota", "budget_exceeded", "mine", None)
    assert "budget" in refused.message
    peer = await provider.peer()
    assert [event["type"] for event in peer.events] == ["response.create", "conversation.item.create"]
    assert house.settled().outcome == "ok"


async def test_a_connection_is_one_call_at_a_time_and_its_responses_are_none_beside(
    house: House, provider: RealtimeProvider, client: openai.AsyncOpenAI
) -> None:
    narrow = client.with_options(api_key=house.limited_key(concurrency=1))
    async with narrow.realtime.connect(model="voice") as connection:
        await connection.response.create()
        await until(connection, "response.done")
        with pytest.raises(InvalidStatus) as refused:
            await narrow.realtime.connect(model="voice").enter()
    assert refused.value.response.status_code == 429
    house.wait_until(lambda: not house.kit.active)
    async with narrow.realtime.connect(model="voice") as connection:
        assert (await connection.recv()).type == "session.created"


async def test_the_bytes_of_events_are_those_that_were_sent(house: House, provider: RealtimeProvider, client: openai.AsyncOpenAI) -> None:
    odd = '{ "type" : "conversation.item.create",\n "item":{"type":"message","unknown":[1.0,2e3,"\\u00fc\u00fc"]} , "event_id":"a"}'

    async def behave(peer: Peer, event: dict[str, Any]) -> None:
        await peer.connection.send(odd)
        await peer.connection.send(b"\x00\xff\x01")

    provider.behave = behave
    async with client.realtime.connect(model="voice") as connection:
        await connection.recv_bytes()
        await connection._connection.send(odd)
        assert (await connection.recv_bytes()).decode() == odd
        assert await connection._connection.recv() == b"\x00\xff\x01"
        await connection._connection.send(b"\x00\x01")
        peer = await provider.peer()
        async with peer.changed:
            await peer.changed.wait_for(lambda: len(peer.raw) == 2)
    assert peer.raw == [odd, b"\x00\x01"]
    assert json.loads(odd)["event_id"] == "a"
    assert house.journaled() == []
