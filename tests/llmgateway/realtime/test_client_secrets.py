"""Client secrets of the house: in OpenAI's shape, worth no more than the key that they stand for."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from msgspec.structs import replace

from llmgateway.proxy.realtime.secrets import Secret, opened, seal
from tests.fakes.cassettes import Cassette, cases, select
from tests.fakes.contents import PEPPER
from tests.fakes.house import House
from tests.fakes.realtime import RealtimeProvider
from tests.llmgateway.realtime.talking import end_of, hear, refusal, send, talking

PATH = "/v1/realtime/client_secrets"
SESSION = {"type": "realtime", "model": "voice", "instructions": "Be brief.", "audio": {"output": {"voice": "marin"}}}


def made(house: House, *, key: str | None = None, **body: Any) -> Any:
    answer = house.http.post(PATH, json={"session": SESSION, **body}, headers={"authorization": f"Bearer {key or house.key}"})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def client(house: House) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key=house.key) as client:
        yield client


async def test_the_official_client_makes_one_and_a_browser_talks_with_it(
    house: House, provider: RealtimeProvider, client: openai.AsyncOpenAI
) -> None:
    session: Any = SESSION
    secret = await client.realtime.client_secrets.create(session=session, expires_after={"anchor": "created_at", "seconds": 60})
    assert secret.value.startswith("ek_ch_")
    assert 50 <= secret.expires_at - time.time() <= 60
    assert (secret.session.type, secret.session.model, secret.session.instructions) == ("realtime", "voice", "Be brief.")
    assert provider.peers == []
    offered = ["realtime", f"openai-insecure-api-key.{secret.value}"]
    async with talking(house, query="", additional_headers={}, subprotocols=offered) as connection:
        await hear(connection, "session.updated")
        await send(connection, "response.create")
        await hear(connection, "response.done")
    configured, asked = (await provider.peer()).events
    assert configured == {"type": "session.update", "session": {name: SESSION[name] for name in ("type", "instructions", "audio")}}
    assert asked["type"] == "response.create"
    event = house.settled()
    assert (event.key_name, event.model) == ("desk-key", "voice")


@pytest.mark.parametrize("cassette", cases(select(["openai"], ["client_secrets"])))
async def test_a_recorded_request_is_answered_in_the_recorded_shape(cassette: Cassette, house: House) -> None:
    place = house.contents.deployment("openai", cassette.body["session"]["model"])
    house.contents.grant(f"team:{house.team}", house.contents.model("gpt-realtime", place))
    house.publish()
    answer = house.http.post(cassette.path, json=cassette.body, headers={"authorization": f"Bearer {house.key}"})
    recorded = json.loads(cassette.answer)
    told = answer.json()
    assert (answer.status_code, set(told)) == (200, set(recorded))
    assert set(told["session"]) <= set(recorded["session"])
    for name in ("object", "type", "model", "instructions", "output_modalities", "expires_at"):
        assert told["session"][name] == recorded["session"][name]
    assert told["session"]["audio"] == cassette.body["session"]["audio"]
    async with openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key=house.key) as client:
        secret = await client.realtime.client_secrets.create(**cassette.body)
    assert secret.session.object == "realtime.session"


async def test_a_secret_lasts_ten_minutes_when_nobody_says_otherwise_and_never_longer_than_its_key(house: House) -> None:
    assert 590 <= made(house)["expires_at"] - time.time() <= 600
    ends = time.time() + 100
    key = house.contents.key("short", team=house.team, expires_at=ends)
    house.publish()
    assert made(house, key=key)["expires_at"] == int(ends)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "session"),
        ({"session": {}}, "session"),
        ({"session": {"type": "realtime"}}, "session.model"),
        ({"session": {"model": 7}}, "session.model"),
        ({"session": {"model": "voice", "type": "transcription"}}, "session.type"),
        ({"session": {"Model": "voice", "type": "realtime"}}, "Model"),
        ({"session": SESSION, "expires_after": {"seconds": 9}}, "expires_after"),
        ({"session": SESSION, "expires_after": {"seconds": 7201}}, "expires_after"),
        ({"session": SESSION, "expires_after": {"seconds": "60"}}, "expires_after"),
        ({"session": SESSION, "expires_after": {"anchor": "now"}}, "expires_after.anchor"),
        ({"session": {**SESSION, "instructions": "".join(chr(0x4E00 + number * 7 % 20000) for number in range(9000))}}, "session"),
    ],
)
def test_what_can_not_be_made_names_the_field(body: dict[str, Any], param: str, house: House) -> None:
    answer = house.http.post(PATH, json=body, headers={"authorization": f"Bearer {house.key}"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_body_that_is_no_object_is_refused(house: House) -> None:
    for content in (b"[]", b"{", b'"x"'):
        assert house.http.post(PATH, content=content, headers={"authorization": f"Bearer {house.key}"}).status_code == 400


def test_only_who_has_a_key_and_the_grant_makes_one(house: House) -> None:
    assert house.http.post(PATH, json={"session": SESSION}).status_code == 401
    bearer = {"authorization": f"Bearer {house.key}"}
    for name in ("hidden", "absent"):
        answer = house.http.post(PATH, json={"session": {**SESSION, "model": name}}, headers=bearer)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert house.http.get(PATH, headers=bearer).status_code == 405


def test_a_secret_opens_nothing_but_connections(house: House) -> None:
    bearer = {"authorization": f"Bearer {made(house)['value']}"}
    assert house.http.post(PATH, json={"session": SESSION}, headers=bearer).status_code == 401
    assert house.http.get("/v1/models", headers=bearer).status_code == 401


async def test_a_secret_is_for_one_model(house: House, provider: RealtimeProvider) -> None:
    house.contents.grant(f"team:{house.team}", "model:hidden")
    house.publish()
    value = made(house)["value"]
    assert (await refusal(house, key=value, query="model=hidden"))[0] == 404
    async with talking(house, key=value) as connection:
        await hear(connection, "session.created")


async def test_a_secret_that_was_altered_or_has_ended_is_an_invalid_key(house: House, provider: RealtimeProvider) -> None:
    value = made(house)["value"]
    digest = house.contents.keys[house.key].digest
    ended = seal(PEPPER, Secret(digest, "voice", int(time.time()), {}))
    elsewhere = seal(b"another pepper", Secret(digest, "voice", int(time.time()) + 60, {}))
    middle = len(value) // 2
    altered = value[:middle] + ("A" if value[middle] != "A" else "B") + value[middle + 1 :]
    for wrong in (ended, elsewhere, altered, value[:20], "ek_ch_", "ek_ch_!!", value + "AAAA"):
        status, error, _ = await refusal(house, key=wrong)
        assert (status, error["code"]) == (401, "invalid_api_key")
    assert provider.peers == []


async def test_a_secret_is_worth_no_more_than_its_key(house: House) -> None:
    value = made(house)["value"]
    async with talking(house, key=value) as connection:
        await hear(connection, "session.updated")
        house.contents.revoke(house.key)
        house.publish()
        events, code, _ = await end_of(connection)
    assert (events[-1]["error"]["code"], code) == ("invalid_api_key", 1008)
    assert (await refusal(house, key=value))[0] == 401


async def test_a_secret_does_not_outlast_its_keys_expiry_or_its_grant(house: House) -> None:
    value = made(house)["value"]
    record = house.contents.keys[house.key]
    house.contents.keys[house.key] = replace(record, expires_at=time.time() - 1)
    house.publish()
    assert (await refusal(house, key=value))[0] == 401
    house.contents.keys[house.key] = record
    house.contents.grants[f"team:{house.team}"].remove("model:voice")
    house.publish()
    assert (await refusal(house, key=value))[0] == 404


def test_nothing_can_be_read_in_a_secret(house: House) -> None:
    value = made(house)["value"]
    secret = opened(PEPPER, value)
    assert (secret.model, secret.digest) == ("voice", house.contents.keys[house.key].digest)
    assert len(value) < 700
    assert "voice" not in value
    assert made(house)["value"] != value
