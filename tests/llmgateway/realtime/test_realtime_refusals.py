"""What is refused before a connection is accepted: with a status, and without a word to the provider."""

from __future__ import annotations

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.fakes.house import House
from tests.fakes.realtime import RealtimeProvider
from tests.llmgateway.realtime.talking import hear, refusal, send, talking


async def test_a_wrong_key_is_refused_at_the_handshake(house: House, provider: RealtimeProvider) -> None:
    status, error, _ = await refusal(house, key="ch_00000000_wrong")
    assert (status, error["code"]) == (401, "invalid_api_key")
    assert provider.peers == []


async def test_no_key_is_refused_at_the_handshake(house: House, provider: RealtimeProvider) -> None:
    status, error, _ = await refusal(house, additional_headers={})
    assert (status, error["code"]) == (401, "missing_api_key")
    assert provider.peers == []


async def test_a_model_that_is_not_granted_and_one_that_does_not_exist_are_refused_alike(house: House, provider: RealtimeProvider) -> None:
    hidden = await refusal(house, query="model=hidden")
    absent = await refusal(house, query="model=absent")
    assert hidden[0] == absent[0] == 404
    assert hidden[1]["message"].replace("hidden", "absent") == absent[1]["message"]
    assert hidden[1]["code"] == absent[1]["code"] == "model_not_found"
    assert provider.peers == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "missing_field"),
        ("model=", "missing_field"),
        ("model=voice&model=hidden", "invalid_value"),
        ("model=voice&call_id=rtc_1", "unsupported_parameter"),
        ("model=voice&api-key=secret", "unsupported_parameter"),
        ("model=voice&intent=transcription", "unsupported_parameter"),
    ],
)
async def test_an_address_that_says_something_else_is_refused(query: str, code: str, house: House, provider: RealtimeProvider) -> None:
    status, error, _ = await refusal(house, query=query)
    assert (status, error["code"]) == (400, code)
    assert provider.peers == []


async def test_a_model_of_another_dialect_is_refused(house: House) -> None:
    contents = house.contents
    contents.provider("anthropic", "http://127.0.0.1:9", dialect="anthropic")
    contents.grant(f"team:{house.team}", contents.model("claude", contents.deployment("anthropic", "claude-real")))
    house.publish()
    status, error, _ = await refusal(house, query="model=claude")
    assert (status, error["code"]) == (400, "dialect_not_served")


async def test_a_socket_at_an_address_where_there_is_none_is_refused(house: House) -> None:
    with pytest.raises(InvalidStatus) as told:
        await connect(f"ws{house.url.removeprefix('http')}/v1/chat/completions", proxy=None)
    assert told.value.response.status_code == 404


def test_the_address_without_an_upgrade_says_that_one_is_needed(house: House) -> None:
    answer = house.http.get("/v1/realtime", params={"model": "voice"}, headers={"authorization": f"Bearer {house.key}"})
    assert (answer.status_code, answer.headers["upgrade"], answer.json()["error"]["code"]) == (426, "websocket", "upgrade_required")


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key"])
async def test_a_key_is_taken_in_whichever_header_it_comes(header: str, house: House) -> None:
    value = f"Bearer {house.key}" if header == "authorization" else house.key
    async with talking(house, additional_headers={header: value}) as connection:
        await hear(connection, "session.created")
        assert connection.response is not None
        assert len(connection.response.headers["x-request-id"]) == 36
        assert connection.response.headers["x-customhouse-route"] == "openai/voice-real; tries=1"


async def test_a_browser_sends_its_key_as_a_subprotocol_which_is_neither_said_back_nor_passed_on(
    house: House, provider: RealtimeProvider
) -> None:
    offered = ["realtime", f"openai-insecure-api-key.{house.key}", "openai-beta.realtime-v1"]
    async with talking(house, additional_headers={}, subprotocols=offered, origin="https://app.example") as connection:
        await hear(connection, "session.created")
        assert connection.subprotocol == "realtime"
        assert connection.response is not None
        assert house.key not in str(connection.response.headers)
    peer = await provider.peer()
    assert house.key not in str(peer.headers)
    assert (peer.headers["OpenAI-Beta"], "Origin" in peer.headers) == ("realtime=v1", False)


async def test_a_key_in_a_subprotocol_must_be_right_too(house: House) -> None:
    status, error, _ = await refusal(house, additional_headers={}, subprotocols=["realtime", "openai-insecure-api-key.ch_wrong"])
    assert (status, error["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize(("answered", "status", "code"), [(401, 502, "upstream_account_refused"), (403, 502, "upstream_account_refused")])
async def test_a_provider_that_refuses_the_house_is_not_told_as_a_wrong_key(
    answered: int, status: int, code: str, house: House, provider: RealtimeProvider
) -> None:
    provider.refuse.append(answered)
    told, error, _ = await refusal(house)
    assert (told, error["code"]) == (status, code)


@pytest.mark.parametrize(("answered", "code"), [(301, "upstream_declined"), (307, "upstream_declined"), (404, "upstream_declined")])
async def test_redirects_are_not_followed(answered: int, code: str, house: House, provider: RealtimeProvider) -> None:
    provider.refuse.append(answered)
    told, error, _ = await refusal(house)
    assert (told, error["code"], str(answered) in error["message"]) == (502, code, True)
    assert provider.peers == []


async def test_a_provider_that_is_full_is_told_as_429(house: House, provider: RealtimeProvider) -> None:
    provider.refuse.append(429)
    told, error, _ = await refusal(house)
    assert (told, error["code"]) == (429, "upstream_rate_limited")


async def test_another_deployment_takes_what_the_first_declines(house: House, provider: RealtimeProvider) -> None:
    contents = house.contents
    contents.provider("gone", "http://127.0.0.1:9/v1")
    places = [contents.deployment(name, f"voice-{name}", priority=number) for number, name in enumerate(("gone", "openai"))]
    contents.model("voice", *places)
    house.publish()
    provider.refuse.append(503)
    contents.model("voice", *places, contents.deployment("openai", "voice-third", priority=2))
    house.publish()
    async with talking(house) as connection:
        await hear(connection, "session.created")
        assert connection.response is not None
        assert connection.response.headers["x-customhouse-route"] == "openai/voice-third; tries=3"


async def test_a_private_address_is_called_only_where_an_admin_said_so(house: House, provider: RealtimeProvider) -> None:
    contents = house.contents
    contents.provider("inside", f"{provider.url}/v1", allow_private_network=False)
    contents.model("voice", contents.deployment("inside", "voice-real"))
    house.publish()
    status, error, _ = await refusal(house)
    assert (status, error["code"]) == (502, "upstream_address_refused")
    assert provider.peers == []


async def test_what_a_refused_handshake_held_is_free_again(house: House, provider: RealtimeProvider) -> None:
    key = house.limited_key(concurrency=1)
    provider.refuse.append(500)
    assert (await refusal(house, key=key))[0] == 502
    async with talking(house, key=key) as connection:
        await send(connection, "response.create")
        await hear(connection, "response.done")
    assert house.settled().outcome == "ok"
