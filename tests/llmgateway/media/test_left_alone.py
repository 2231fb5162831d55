"""Callers that leave, keys that are withdrawn and providers that refuse the house, with images and sound under way."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.fakes.house import House
from tests.fakes.provider import Gate, Provider, Reply, said

SOUND = bytes(range(256)) * 64


def speech(house: House) -> dict[str, Any]:
    return {
        "url": "/v1/audio/speech",
        "json": {"model": "voice", "voice": "alloy", "input": "Hello there"},
        "headers": {"authorization": f"Bearer {house.key}"},
    }


def test_a_listener_who_leaves_stops_the_speech_which_is_settled_as_an_estimate(house: House, provider: Provider) -> None:
    provider.then(Reply(headers=(("content-type", "audio/mpeg"),), pieces=(SOUND, Gate()), end="hang"))

    with house.http.stream("POST", **speech(house)) as answer:
        assert next(answer.iter_raw())

    provider.last.wait_gone()
    event = house.settled()
    assert (event.outcome, event.estimated) == ("aborted", True)
    assert event.usage["output"] > 0


def test_a_grant_that_is_withdrawn_cuts_the_speech(house: House, provider: Provider) -> None:
    provider.then(Reply(headers=(("content-type", "audio/mpeg"),), pieces=(SOUND, Gate()), end="hang"))

    with house.http.stream("POST", **speech(house)) as answer:
        pieces = answer.iter_raw()
        assert next(pieces)
        house.contents.grants[f"team:{house.team}"].remove("model:voice")
        house.publish()
        with pytest.raises(httpx.RemoteProtocolError):
            list(pieces)

    assert house.settled().outcome == "aborted"


@pytest.mark.parametrize("status", [401, 402, 407])
def test_a_provider_that_refuses_the_house_is_not_told_to_the_caller(status: int, house: House, provider: Provider) -> None:
    provider.fallback = said({"error": {"message": "Incorrect API key provided: sk-openai"}}, status=status)
    calls: list[dict[str, Any]] = [
        speech(house),
        {"url": "/v1/images/generations", "json": {"model": "painter", "prompt": "A cat"}},
        {"url": "/v1/audio/transcriptions", "files": {"file": ("a.mp3", SOUND)}, "data": {"model": "ear"}},
        {"url": "/v1/rerank", "json": {"model": "ranks-cohere", "query": "q", "documents": ["a"]}},
        {"url": "/v1/embeddings", "json": {"model": "vectors-google", "input": "one"}},
    ]
    for call in calls:
        answer = house.http.post(**{"headers": {"authorization": f"Bearer {house.key}"}, **call})
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_account_refused")
        assert "sk-openai" not in answer.text
    assert {event.cost for event in house.all_settled(len(calls))} == {"0"}


@pytest.mark.parametrize("path", ["/v1/images/edits", "/v1/audio/speech", "/v1/moderations", "/v2/embed"])
def test_nothing_is_answered_without_a_key(path: str, house: House, provider: Provider) -> None:
    answer = house.http.post(path, content=b"x")
    assert answer.status_code == 401
    assert provider.asked == []


def test_the_callers_credentials_and_cookies_stay_in_the_house(house: House, provider: Provider) -> None:
    provider.fallback = said({"text": "Hello."})
    headers = {"authorization": f"Bearer {house.key}", "cookie": "a=b", "openai-organization": "org-mine", "x-title": "mine"}
    house.http.post("/v1/audio/transcriptions?key=secret&a=1", files={"file": ("a.mp3", SOUND)}, data={"model": "ear"}, headers=headers)
    asked = provider.last
    assert asked.header("authorization") == "Bearer sk-openai"
    assert (asked.header("cookie"), asked.header("openai-organization"), asked.header("x-title")) == (None, None, "mine")
    assert asked.query == "a=1"
