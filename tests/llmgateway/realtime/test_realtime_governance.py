"""What holds for a connection while it is open: keys and grants, money, ownership of the model's name, the house's end."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from msgspec.structs import replace

from dataplane.snapshot import PriceRecord
from tests.fakes.house import House
from tests.fakes.journaled import counted
from tests.fakes.realtime import USAGE, Peer, RealtimeProvider
from tests.llmgateway.realtime.talking import end_of, hear, refusal, send, talking

BROKE = 1_000_000
"""1e-9 USD: less than any response is reserved."""


async def half(peer: Peer, event: dict[str, Any]) -> None:
    """Begins what it is asked for and never ends it."""
    if event["type"] == "response.create":
        await peer.begin()


@pytest.mark.parametrize(("taken", "code"), [("key", "invalid_api_key"), ("grant", "access_withdrawn"), ("model", "access_withdrawn")])
async def test_what_is_withdrawn_cuts_the_connection_at_once(taken: str, code: str, house: House, provider: RealtimeProvider) -> None:
    provider.behave = half
    async with talking(house) as connection:
        await send(connection, "response.create")
        await hear(connection, "response.output_audio_transcript.delta")
        if taken == "key":
            house.contents.revoke(house.key)
        elif taken == "grant":
            house.contents.grants[f"team:{house.team}"].remove("model:voice")
        else:
            del house.contents.models["voice"]
        house.publish()
        events, closed, _ = await end_of(connection)
    assert (events[-1]["type"], events[-1]["error"]["code"], closed) == ("error", code, 1008)
    event = house.settled()
    assert (event.outcome, event.estimated) == ("aborted", True)
    assert event.usage["output"] == 4  # 6,400 characters of audio, 8 of text
    assert event.usage["audio_output"] == 2
    await asyncio.wait_for((await provider.peer()).gone.wait(), 5)


async def test_a_key_that_expires_ends_the_connection(house: House) -> None:
    key = house.contents.key("short", team=house.team, expires_at=time.time() + 0.4)
    house.publish()
    async with talking(house, key=key) as connection:
        events, closed, _ = await end_of(connection)
    assert (events[-1]["error"]["code"], closed) == ("invalid_api_key", 1008)


async def test_a_response_is_paid_by_whoever_the_key_belongs_to_by_then(house: House) -> None:
    async with talking(house) as connection:
        await hear(connection, "session.created")
        other = house.contents.team("elsewhere")
        house.contents.grant(f"team:{other}", "model:voice")
        record = house.contents.keys[house.key]
        house.contents.keys[house.key] = replace(record, principal=replace(record.principal, team=other))
        house.publish()
        await send(connection, "response.create")
        await hear(connection, "response.done")
    assert house.settled().team_name == "elsewhere"


async def test_a_response_that_the_provider_starts_by_itself_is_admitted_and_settled(house: House, provider: RealtimeProvider) -> None:
    house.contents.budget(f"team:{house.team}", 10**9)
    house.publish()
    async with talking(house) as connection:
        await hear(connection, "session.created")
        peer = await provider.peer()
        name = await peer.begin()
        await hear(connection, "response.output_audio_transcript.delta")
        (intent,) = house.reading.open_intents()
        assert intent.reserve >= 1000 * 64_000
        await peer.end(name)
        await hear(connection, "response.done")
    event = house.settled()
    assert (event.outcome, event.usage["output"], event.estimated) == ("ok", 500, False)
    assert peer.events == []


async def test_one_that_can_not_be_paid_is_cancelled_and_owed(house: House, provider: RealtimeProvider) -> None:
    house.contents.budget(f"team:{house.team}", BROKE)
    house.publish()
    async with talking(house) as connection:
        await hear(connection, "session.created")
        peer = await provider.peer()
        first = await peer.begin()
        await peer.end(first)
        await hear(connection, "response.done")
        second = await peer.begin()
        assert (await peer.heard("response.cancel"))["response_id"] == second
        assert (await hear(connection, "error"))["error"]["code"] == "budget_exceeded"
        await peer.end(second, {"input_tokens": 10, "output_tokens": 1}, status="cancelled")
        await hear(connection, "response.done")
        assert connection.close_code is None
    served, cut = house.all_settled(2)
    assert (served.outcome, cut.outcome, counted(cut)) == ("ok", "aborted", {"input": 10, "output": 1})


async def test_what_the_provider_declines_costs_nothing_and_holds_nothing(house: House, provider: RealtimeProvider) -> None:
    async def declining(peer: Peer, event: dict[str, Any]) -> None:
        told = {"type": "invalid_request_error", "code": "conversation_already_has_active_response", "message": "no", "param": None}
        await peer.say("error", error={**told, "event_id": event.get("event_id")})

    provider.behave = declining
    house.contents.budget(f"team:{house.team}", 80_000_000)
    house.publish()
    async with talking(house) as connection:
        for more in ({"event_id": "mine"}, {}):
            await send(connection, "response.create", **more)
            assert (await hear(connection, "error"))["error"]["code"] == "conversation_already_has_active_response"
        provider.behave = provider.answer
        await send(connection, "response.create")
        await hear(connection, "response.done")
    assert [(event.outcome, event.cost) for event in house.all_settled(3)][:2] == [("error", "0"), ("error", "0")]


async def test_more_responses_than_anybody_needs_are_refused(house: House, provider: RealtimeProvider) -> None:
    async def silent(peer: Peer, event: dict[str, Any]) -> None:
        return

    provider.behave = silent
    async with talking(house) as connection:
        for _ in range(65):
            await send(connection, "response.create")
        assert (await hear(connection, "error"))["error"]["code"] == "rate_limit_exceeded"
    assert len((await provider.peer()).raw) == 64
    assert {(event.outcome, event.estimated) for event in house.all_settled(64)} == {("aborted", True)}


@pytest.mark.parametrize(
    "event",
    [
        {"type": "session.update", "session": {"type": "realtime", "model": "hidden"}},
        {"type": "session.update", "model": "hidden", "session": {}},
        {"type": "session.update", "session": {"model": 7}},
        {"type": "response.create", "response": {"model": "hidden-real"}},
    ],
    ids=["session", "top", "number", "response"],
)
async def test_another_model_is_refused_and_not_passed_on(event: dict[str, Any], house: House, provider: RealtimeProvider) -> None:
    async with talking(house) as connection:
        await connection.send(json.dumps({**event, "event_id": "mine"}))
        error = (await hear(connection, "error"))["error"]
        await send(connection, "response.create")
        await hear(connection, "response.done")
    assert (error["code"], error["event_id"]) == ("model_not_found", "mine")
    assert [heard["type"] for heard in (await provider.peer()).events] == ["response.create"]
    house.settled()


@pytest.mark.parametrize("named", ["voice", "voice-real"])
async def test_the_granted_model_is_passed_on_by_the_providers_name(named: str, house: House, provider: RealtimeProvider) -> None:
    session = {"type": "realtime", "model": named, "instructions": "ä", "audio": {"input": {"transcription": {"model": "whisper"}}}}
    async with talking(house) as connection:
        await send(connection, "session.update", session=session)
        await hear(connection, "session.updated")
    (event,) = (await provider.peer()).events
    assert event == {"type": "session.update", "session": {**session, "model": "voice-real"}}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("hello", "invalid_json"),
        ("[1]", "invalid_json"),
        ('{"type": "session.update", "Session": {"model": "hidden"}}', "ambiguous_field"),
        ('{"type": "session.update", "session": {"MODEL": "hidden"}}', "ambiguous_field"),
        ('{"type": "session.update", "session": {"type": "transcription"}}', "session_not_served"),
        ('{"type":' + "[" * 5000 + "]" * 5000 + "}", "invalid_json"),
    ],
    ids=["text", "array", "case", "inner-case", "transcription", "deep"],
)
async def test_what_two_parsers_might_read_differently_is_refused(text: str, code: str, house: House, provider: RealtimeProvider) -> None:
    async with talking(house) as connection:
        await connection.send(text)
        assert (await hear(connection, "error"))["error"]["code"] == code
        await send(connection, "response.create")
        await hear(connection, "response.done")
    assert [heard["type"] for heard in (await provider.peer()).events] == ["response.create"]
    house.settled()


async def test_a_session_that_sets_less_output_reserves_less(house: House, provider: RealtimeProvider) -> None:
    house.contents.budget(f"team:{house.team}", 20_000_000)
    house.publish()
    provider.behave = half
    async with talking(house) as connection:
        await hear(connection, "session.created")
        peer = await provider.peer()
        await peer.say("session.updated", session={"type": "realtime", "max_output_tokens": 100})
        await hear(connection, "session.updated")
        await send(connection, "response.create")
        await hear(connection, "response.output_audio_transcript.delta")
        (intent,) = house.reading.open_intents()
    assert 100 * 64_000 <= intent.reserve < 8_000_000
    house.settled()


TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


async def test_a_transcription_is_a_leg_of_its_own_at_its_models_price(house: House, provider: RealtimeProvider) -> None:
    minute = PriceRecord(ref="price:whisper:1", input="0", output="0", second="0.0001")
    house.contents.model("scribe", house.contents.deployment("openai", "whisper-real", price=minute))
    house.publish()
    async with talking(house) as connection:
        await hear(connection, "session.created")
        peer = await provider.peer()
        transcription = {"audio": {"input": {"transcription": {"model": "whisper-real"}}}}
        await peer.say("session.updated", session=transcription)
        await peer.say(TRANSCRIBED, item_id="i", content_index=0, transcript="hm", usage={"type": "duration", "seconds": 2.2})
        await peer.say("session.updated", session={"input_audio_transcription": {"model": "scribe-of-nobody"}})
        tokens = {"type": "tokens", "input_tokens": 30, "output_tokens": 5, "input_token_details": {"audio_tokens": 20, "text_tokens": 10}}
        await peer.say(TRANSCRIBED, item_id="i", content_index=0, transcript="hm", usage=tokens)
        for _ in range(2):
            await hear(connection, TRANSCRIBED)
    priced, unpriced = house.all_settled(2)
    assert (priced.model, priced.deployment, priced.usage, priced.cost) == ("scribe", "whisper-real", {"seconds": 3}, "0.0003")
    assert (unpriced.model, unpriced.deployment, unpriced.cost) == ("voice", "scribe-of-nobody", None)
    assert counted(unpriced) == {"input": 30, "output": 5, "audio_input": 20}


async def test_transcription_ends_with_the_budget(house: House, provider: RealtimeProvider) -> None:
    minute = PriceRecord(ref="price:whisper:1", input="0", output="0", second="0.0001")
    house.contents.model("scribe", house.contents.deployment("openai", "whisper-real", price=minute))
    house.contents.budget(f"team:{house.team}", 250_000)
    house.publish()
    async with talking(house) as connection:
        await hear(connection, "session.created")
        peer = await provider.peer()
        await peer.say("session.updated", session={"audio": {"input": {"transcription": {"model": "whisper-real"}}}})
        for _ in range(2):
            await peer.say(TRANSCRIBED, item_id="i", content_index=0, transcript="hm", usage={"type": "duration", "seconds": 2})
        events, closed, _ = await end_of(connection)
    assert [event["type"] for event in events][-3:] == [TRANSCRIBED, TRANSCRIBED, "error"]
    assert (events[-1]["error"]["code"], closed) == ("budget_exceeded", 1008)
    assert [event.cost for event in house.all_settled(2)] == ["0.0002", "0.0002"]


async def test_the_house_drains_a_response_and_then_ends_the_connection(house: House, provider: RealtimeProvider) -> None:
    provider.behave = half
    async with talking(house) as connection, talking(house) as idle:
        await send(connection, "response.create")
        name = (await hear(connection, "response.created"))["response"]["id"]
        house.kit.draining = True
        events, closed, _ = await end_of(idle)
        assert (events[-1]["error"]["code"], closed) == ("shutting_down", 1012)
        await send(connection, "response.create", event_id="late")
        assert (await hear(connection, "error"))["error"]["code"] == "shutting_down"
        assert (await refusal(house))[0] == 503
        await (await provider.peer()).end(name, USAGE)
        events, closed, _ = await end_of(connection)
    assert [event["type"] for event in events] == ["response.done", "error"]
    assert closed == 1012
    assert house.settled().outcome == "ok"


async def test_a_connection_that_outlasts_the_shutdown_is_settled_before_the_journal_closes(
    house: House, provider: RealtimeProvider
) -> None:
    provider.behave = half
    async with talking(house) as connection:
        await send(connection, "response.create")
        await hear(connection, "response.output_audio_transcript.delta")
        assert house.kit._loop is not None
        closing = asyncio.run_coroutine_threadsafe(house.kit.close(patience=0.05), house.kit._loop)
        await asyncio.wrap_future(closing)
        _, closed, _ = await end_of(connection)
    assert closed == 1012
    assert (house.settled().outcome, house.reading.open_intents()) == ("aborted", [])
