"""Stored responses: resumed streams, the calls beside them that name a model, budgets before all of it."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from dataplane.call import Meter
from dataplane.pins import Pin
from llmgateway.proxy import body as bodies
from llmgateway.proxy import stored
from llmgateway.proxy.stored.accounts import runtime_of
from tests.fakes import answers
from tests.fakes.house import House
from tests.fakes.provider import Provider, said, streamed
from tests.fakes.serving import Serve
from tests.fakes.storing import Person, Vendor

COMPACTED = {
    "id": "resp_c",
    "object": "response.compaction",
    "output": [{"id": "cmp_1", "type": "compaction", "encrypted_content": "sealed words"}],
    "usage": answers.RESPONSE_USAGE,
}


def own_response(house: House, ident: str = "resp_1", *, provider: str = "openai") -> str:
    record = house.contents.providers[provider]
    house.kit.pins.remember(ident, Pin(provider=record.id, provider_name=provider, owner=f"team:{house.team}", kind="response"))
    return ident


def test_a_stream_is_resumed_where_its_caller_had_come_to(house: House, owner: Person, vendor: Vendor) -> None:
    pieces = answers.response_pieces()[3:]
    ident = own_response(house)
    vendor.answers(f"GET /responses/{ident}", streamed(*pieces))
    answer = owner.ask("GET", f"/v1/responses/{ident}?stream=true&starting_after=2")
    assert answer.content == b"".join(pieces)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert vendor.provider.last.query == "stream=true&starting_after=2"
    assert house.journaled() == []


def test_the_sdk_fetches_cancels_and_deletes_a_response(house: House, owner: Person, vendor: Vendor) -> None:
    ident = own_response(house)
    for request in (f"GET /responses/{ident}", f"POST /responses/{ident}/cancel"):
        vendor.answers(request, answers.response())
    with openai.OpenAI(base_url=f"{house.url}/v1", api_key=owner.key, max_retries=0) as client:
        assert client.responses.retrieve(ident).output_text == answers.TEXT
        assert client.responses.cancel(ident).id == "resp_1"
        client.responses.delete(ident)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(ident)
    assert house.journaled() == []


def test_items_that_a_list_of_inputs_names_may_be_referred_to(house: House, owner: Person, vendor: Vendor) -> None:
    ident = own_response(house)
    vendor.answers(f"GET /responses/{ident}/input_items", {"object": "list", "data": [{"id": "msg_in", "type": "message"}]})
    referring = {"model": "gpt", "input": [{"type": "item_reference", "id": "msg_in"}]}
    assert owner.ask("POST", "/v1/responses/input_tokens", json=referring).status_code == 404
    owner.ask("GET", f"/v1/responses/{ident}/input_items")
    assert owner.ask("POST", "/v1/responses/input_tokens", json=referring).status_code == 200


def test_a_compaction_is_metered_and_a_count_is_free(house: House, owner: Person, vendor: Vendor) -> None:
    vendor.answers("POST /responses/compact", COMPACTED)
    vendor.answers("POST /responses/input_tokens", {"object": "response.input_tokens", "input_tokens": 20})
    assert owner.ask("POST", "/v1/responses/input_tokens", json={"model": "gpt", "input": "Hello."}).json()["input_tokens"] == 20
    assert vendor.provider.last.json == {"model": "gpt-real", "input": "Hello."}
    assert owner.ask("POST", "/v1/responses/compact", json={"model": "gpt", "input": "Hello."}).json() == COMPACTED
    event = house.settled()
    assert (event.model, event.deployment, event.provider, event.cost) == ("gpt", "gpt-real", "openai", "0.0001392")
    assert {meter: count for meter, count in event.usage.items() if count} == answers.USAGE


@pytest.mark.parametrize("path", ["/v1/responses/compact", "/v1/responses/input_tokens"])
@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"model": "hidden", "input": "x"}, 404, "model"),
        ({"model": "absent", "input": "x"}, 404, "model"),
        ({"input": "x"}, 400, "model"),
        ({"model": 7}, 400, "model"),
        ({"model": "gpt", "previous_response_id": 7}, 400, "previous_response_id"),
        ({"model": "gpt", "conversation": {"name": "x"}}, 400, "conversation.id"),
        ({"model": "gpt", "conversation": ["x"]}, 400, "conversation"),
    ],
)
def test_a_call_that_names_a_model_is_held_to_it(
    path: str, body: dict[str, Any], status: int, param: str, owner: Person, vendor: Vendor
) -> None:
    answer = owner.ask("POST", path, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
    assert vendor.asked == []


def test_a_budget_that_is_used_up_refuses_a_compaction_but_not_a_look(house: House, owner: Person, vendor: Vendor) -> None:
    ident = own_response(house)
    house.contents.budget(f"team:{house.team}", 1)
    house.publish()
    vendor.answers("POST /responses/compact", COMPACTED)
    compaction = {"model": "gpt", "input": "Hello."}
    statuses = [owner.ask("POST", "/v1/responses/compact", json=compaction).status_code for _ in range(2)]
    assert statuses == [200, 402], "the last of a budget is given to one call, and that call used it up"
    assert vendor.asked == ["POST /responses/compact"]
    assert owner.ask("GET", f"/v1/responses/{ident}").status_code == 200


@pytest.fixture
def second(house: House, serve: Serve) -> Provider:
    """The same model once more, at an account that is tried later."""
    other = Provider()
    other.fallback = said(COMPACTED)
    contents = house.contents
    contents.provider("second", f"{serve(other)}/v1")
    places = (contents.deployment("openai", "gpt-real"), contents.deployment("second", "gpt-there", priority=1))
    contents.model("gpt", *places)
    house.publish()
    return other


def test_a_call_goes_to_where_what_it_refers_to_is_stored(house: House, owner: Person, vendor: Vendor, second: Provider) -> None:
    own_response(house, "resp_there", provider="second")
    body = {"model": "gpt", "previous_response_id": "resp_there"}
    assert owner.ask("POST", "/v1/responses/compact", json=body).status_code == 200
    assert second.last.json == {**body, "model": "gpt-there"}
    assert vendor.asked == []
    assert owner.ask("POST", "/v1/responses/compact", json={**body, "model": "small"}).json()["error"]["code"] == "stored_elsewhere"


def test_encrypted_reasoning_goes_back_to_the_account_that_made_it(house: House, owner: Person, vendor: Vendor, second: Provider) -> None:
    own_response(house, "resp_there", provider="second")
    owner.ask("POST", "/v1/responses/compact", json={"model": "gpt", "previous_response_id": "resp_there"})
    vendor.answers("POST /responses/compact", COMPACTED)
    known = [{"type": "compaction", "encrypted_content": "sealed words"}]
    unknown = [{"type": "reasoning", "encrypted_content": "of another house", "summary": []}]
    owner.ask("POST", "/v1/responses/compact", json={"model": "gpt", "input": known})
    owner.ask("POST", "/v1/responses/compact", json={"model": "gpt", "input": unknown})
    assert [json.loads(asked.body)["input"] for asked in second.asked[1:]] == [known]
    assert [json.loads(asked.body)["input"] for asked in vendor.provider.asked] == [unknown]


@pytest.mark.parametrize(("fields", "status"), [({}, 200), ({"store": True}, 200), ({"store": None}, 200), ({"store": False}, 404)])
def test_a_response_is_its_callers_from_the_first_event_of_its_stream(
    fields: dict[str, Any], status: int, house: House, owner: Person, stranger: Person
) -> None:
    place = runtime_of(house.kit, house.kit.store.current).models["gpt"].deployments[0]
    parsed = bodies.parse(json.dumps({"model": "gpt", **fields}).encode())
    meter = stored.noticing(house.kit, house.contents.keys[house.key], place, Meter(), parsed)
    first = answers.response_pieces()[0]
    assert meter.feed(first[:20]) + meter.feed(first[20:]) == first
    assert owner.ask("GET", "/v1/responses/resp_1").status_code == status
    assert stranger.ask("GET", "/v1/responses/resp_1").status_code == 404
