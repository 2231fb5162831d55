"""Calls for images and sound that are sent again under the same Idempotency-Key, or asked again where answers are kept."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from tests.fakes.house import House
from tests.fakes.provider import Provider, Reply, said

SOUND = bytes(range(256)) * 64


def hear(house: House, *, sound: Any = SOUND, key: Any = None, **data: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {key or house.key}", "idempotency-key": "once"}
    files = [("file", ("a.mp3", sound))]
    return house.http.post("/v1/audio/transcriptions", files=files, data={"model": "ear", **data}, headers=headers)


def test_a_form_that_is_sent_again_in_another_envelope_is_made_once(house: House, provider: Provider) -> None:
    provider.then(said({"text": "Hello."}), said({"text": "Never."}))

    first, again = hear(house), hear(house)

    assert first.request.headers["content-type"] != again.request.headers["content-type"], "another boundary"
    assert (first.content, again.headers["idempotent-replayed"]) == (again.content, "true")
    assert len(provider.asked) == 1


@pytest.mark.parametrize(
    "changes",
    [{"sound": SOUND[::-1]}, {"prompt": "Greetings"}, {"model": "ear-timed"}, {"include[]": ["logprobs", "other"]}],
)
def test_another_form_under_the_same_key_is_refused(changes: dict[str, Any], house: House, provider: Provider) -> None:
    provider.fallback = said({"text": "Hello."})
    assert hear(house).status_code == 200

    answer = hear(house, **changes)

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert len(provider.asked) == 1


def test_repeated_fields_are_told_apart(house: House, provider: Provider) -> None:
    provider.fallback = said({"text": "Hello."})
    assert hear(house, **{"include[]": ["one", "two"]}).status_code == 200
    assert hear(house, **{"include[]": ["one", "two"]}).status_code == 200
    assert hear(house, **{"include[]": ["three", "two"]}).status_code == 422
    assert len(provider.asked) == 1


def test_the_keys_of_two_people_are_apart(house: House, provider: Provider, team_mate: str) -> None:
    provider.then(said({"text": "Mine."}), said({"text": "Hers."}))
    assert hear(house).json() == {"text": "Mine."}
    assert hear(house, key=team_mate).json() == {"text": "Hers."}


def test_speech_that_is_sent_again_is_the_same_sound(house: House, provider: Provider) -> None:
    provider.then(Reply(headers=(("content-type", "audio/mpeg"),), pieces=(SOUND[:100], SOUND[100:])))

    def speak() -> httpx.Response:
        headers = {"authorization": f"Bearer {house.key}", "idempotency-key": "once"}
        return house.http.post("/v1/audio/speech", json={"model": "voice", "voice": "alloy", "input": "Hello"}, headers=headers)

    first, again = speak(), speak()

    assert first.content == again.content == SOUND
    assert again.headers["content-type"] == "audio/mpeg"
    assert [event.cost for event in house.all_settled(2)][1] == "0"


def test_speech_that_broke_off_is_not_given_again(house: House, provider: Provider) -> None:
    whole = Reply(headers=(("content-type", "audio/mpeg"),), pieces=(SOUND,))
    provider.then(Reply(headers=whole.headers, pieces=whole.pieces, end="cut"), whole)
    headers = {"authorization": f"Bearer {house.key}", "idempotency-key": "once"}
    body = {"model": "voice", "voice": "alloy", "input": "Hello"}
    with pytest.raises(httpx.RemoteProtocolError):
        house.http.post("/v1/audio/speech", json=body, headers=headers)
    house.settled()

    assert house.http.post("/v1/audio/speech", json=body, headers=headers).content == SOUND


def test_a_kept_ranking_is_given_again_where_model_and_key_agree(house: House, provider: Provider) -> None:
    contents = house.contents
    contents.models["ranks"] = msgspec.structs.replace(contents.models["ranks"], cache_ttl=60)
    contents.keys[house.key] = msgspec.structs.replace(contents.keys[house.key], cache=True)
    house.publish()
    provider.then(said({"results": [], "usage": {"total_tokens": 38}}))

    def rank() -> httpx.Response:
        body = {"model": "ranks", "query": "q", "documents": ["a"]}
        return house.http.post("/v1/rerank", json=body, headers={"authorization": f"Bearer {house.key}"})

    assert [rank().headers["x-customhouse-cache"] for _ in range(2)] == ["miss", "hit"]
    assert [event.cost for event in house.all_settled(2)] == ["0.000076", "0"]
