"""Moderations: with a model, and without one where it is plain which one is meant."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tests.fakes.house import House
from tests.fakes.journaled import counted
from tests.fakes.provider import Provider, said
from tests.llmgateway.media.conftest import FREE

JUDGED = {
    "id": "modr-1",
    "model": "omni-moderation-2024-09-26",
    "results": [{"flagged": True, "categories": {"violence": True}, "category_scores": {"violence": 0.9}}],
}


def moderate(house: House, key: str | None = None, **body: Any) -> Any:
    return house.http.post("/v1/moderations", json=body, headers={"authorization": f"Bearer {key or house.key}"})


def test_a_moderation_passes_and_is_free_where_its_price_says_so(client: openai.OpenAI, house: House, provider: Provider) -> None:
    provider.then(said(JUDGED))

    answer = client.moderations.create(model="judge", input=["one", "two"])

    assert answer.results[0].flagged
    assert provider.last.path == "/v1/moderations"
    assert provider.last.json == {"model": "omni-moderation-2024-09-26", "input": ["one", "two"]}
    assert house.settled().cost == "0"


def test_without_a_model_it_is_the_one_granted_model_that_moderates(client: openai.OpenAI, house: House, provider: Provider) -> None:
    provider.then(said(JUDGED))
    client.moderations.create(input="one")
    assert provider.last.json == {"model": "omni-moderation-2024-09-26", "input": "one"}
    assert house.settled().model == "judge"


def test_without_a_model_it_is_the_vendors_usual_one_where_that_is_granted(house: House, provider: Provider) -> None:
    contents = house.contents
    place = contents.deployment("openai", "omni-moderation-latest", price=FREE)
    contents.grant(f"team:{house.team}", contents.model("omni-moderation-latest", place))
    house.publish()
    provider.fallback = said(JUDGED)

    assert moderate(house, input="one", model=None).status_code == 200

    assert provider.last.json["model"] == "omni-moderation-latest"
    assert house.settled().model == "omni-moderation-latest"
    assert moderate(house, input="one", model="judge").status_code == 200
    assert house.settled().model == "judge"


def test_without_a_model_it_is_refused_where_none_or_several_could_be_meant(house: House, provider: Provider, stranger: str) -> None:
    none = moderate(house, stranger, input="one")
    assert (none.status_code, none.json()["error"]["param"], none.json()["error"]["code"]) == (400, "model", "missing_field")
    assert "judge" not in none.text, "what is not granted is not told"

    contents = house.contents
    contents.grant(f"team:{house.team}", contents.model("judge-2", contents.deployment("openai", "mistral-moderation-latest")))
    house.publish()
    several = moderate(house, input="one")
    assert (several.status_code, several.json()["error"]["code"]) == (400, "missing_field")
    assert provider.asked == []


def test_a_named_model_that_is_not_granted_does_not_exist(house: House, provider: Provider, stranger: str) -> None:
    assert moderate(house, stranger, input="one", model="judge").status_code == 404
    assert moderate(house, input="one", model="nobody").status_code == 404
    assert moderate(house, input="one", model=7).status_code == 400
    assert moderate(house, model="judge").json()["error"]["param"] == "input"
    assert provider.asked == []


def test_the_tokens_that_some_vendors_tell_are_charged(house: House, provider: Provider) -> None:
    contents = house.contents
    contents.grant(f"team:{house.team}", contents.model("judge-paid", contents.deployment("openai", "mistral-moderation-latest")))
    house.publish()
    provider.then(said({**JUDGED, "usage": {"prompt_tokens": 20, "completion_tokens": 0, "total_tokens": 20}}))

    answer = moderate(house, input=[{"type": "text", "text": "one"}], model="judge-paid")

    assert json.loads(answer.content)["usage"]["prompt_tokens"] == 20
    event = house.settled()
    assert (counted(event), event.estimated, event.cost) == ({"input": 20}, False, "0.00006")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"input":"x","model":"judge","model":"claude"}'])
def test_a_body_that_is_no_object_is_refused(body: bytes, house: House, provider: Provider) -> None:
    provider.fallback = said(JUDGED)
    answer = house.http.post("/v1/moderations", content=body, headers={"authorization": f"Bearer {house.key}"})
    assert answer.status_code == 400
    assert provider.asked == []
