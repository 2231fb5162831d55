"""Batches in Anthropic's dialect, through its own SDK."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from llmgateway.proxy.stored.settling import event_id
from llmgateway.proxy.stored.watch import BatchWatch
from tests.fakes import answers
from tests.fakes.house import House
from tests.fakes.provider import Reply
from tests.fakes.storing import Person, Vendor

COUNTS = {"processing": 0, "succeeded": 1, "errored": 1, "canceled": 0, "expired": 0}


def batch(ident: str = "msgbatch_1", *, ended: bool = False) -> dict[str, Any]:
    return {
        "id": ident,
        "type": "message_batch",
        "processing_status": "ended" if ended else "in_progress",
        "request_counts": COUNTS if ended else {**COUNTS, "processing": 1, "succeeded": 0, "errored": 0},
        "created_at": "2026-11-01T10:00:00Z",
        "expires_at": "2026-11-02T10:00:00Z",
        "ended_at": "2026-11-01T11:00:00.5+00:00" if ended else None,
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": f"https://api.anthropic.com/v1/messages/batches/{ident}/results" if ended else None,
    }


def request(model: str = "claude", *, number: int = 1, **params: Any) -> dict[str, Any]:
    return {
        "custom_id": f"call-{number}",
        "params": {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "Hello."}], **params},
    }


@pytest.fixture
def claude(house: House, vendor: Vendor, vendor_url: str) -> Iterator[anthropic.Anthropic]:
    contents = house.contents
    contents.provider("anthropic", vendor_url, dialect="anthropic")
    contents.grant(f"team:{house.team}", contents.model("claude", contents.deployment("anthropic", "claude-real")))
    house.publish()
    with anthropic.Anthropic(base_url=house.url, api_key=house.key, max_retries=0) as opened:
        yield opened


def ends(vendor: Vendor) -> bytes:
    done = {"custom_id": "call-1", "result": {"type": "succeeded", "message": answers.message("claude-real-20260101")}}
    failed = {
        "custom_id": "call-2",
        "result": {"type": "errored", "error": {"type": "error", "error": {"type": "api_error", "message": "no"}}},
    }
    lines = b"".join(json.dumps(each).encode() + b"\n" for each in (done, failed))
    vendor.answers("GET /messages/batches/msgbatch_1", batch(ended=True))
    vendor.answers(
        "GET /messages/batches/msgbatch_1/results", Reply(headers=(("content-type", "application/x-jsonl"),), pieces=(lines,), sized=True)
    )
    return lines


def test_the_sdk_orders_follows_and_reads_a_batch_that_is_metered_once(house: House, claude: anthropic.Anthropic, vendor: Vendor) -> None:
    vendor.answers("POST /messages/batches", batch())
    requests: Any = [request(), request(number=2, system="Ü")]
    made = claude.messages.batches.create(requests=requests)
    sent = vendor.provider.last
    assert [each["params"]["model"] for each in sent.json["requests"]] == ["claude-real", "claude-real"]
    assert sent.json["requests"][1]["params"]["system"] == "Ü"
    assert sent.header("x-api-key") == "sk-anthropic"
    assert sent.header("anthropic-version"), "as the SDK sent it"
    assert house.journaled() == []

    ends(vendor)
    fetched = claude.messages.batches.retrieve(made.id)
    assert fetched.results_url == "/v1/messages/batches/msgbatch_1/results", "a caller's key is never shown to the provider"
    event = house.settled()
    assert (event.model, event.deployment, event.id) == ("claude", "claude-real", event_id("anthropic", made.id, "claude-real"))
    assert {meter: count for meter, count in event.usage.items() if count} == {**answers.USAGE, "requests": 1}
    assert event.at == 1_793_530_800.5

    results = list(claude.messages.batches.results(made.id))
    assert [result.result.type for result in results] == ["succeeded", "errored"]
    claude.messages.batches.delete(made.id)
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.batches.retrieve(made.id)
    assert house.journaled() == []


def test_the_watch_settles_a_batch_of_messages(house: House, claude: anthropic.Anthropic, vendor: Vendor) -> None:
    vendor.answers("POST /messages/batches", batch())
    requests: Any = [request()]
    claude.messages.batches.create(requests=requests)
    with pytest.raises(anthropic.ConflictError):
        claude.messages.batches.delete("msgbatch_1")
    ends(vendor)
    assert house.kit._loop is not None
    assert asyncio.run_coroutine_threadsafe(BatchWatch(house.kit).look(), house.kit._loop).result(10) == 1
    assert house.settled().usage["requests"] == 1


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (request("hidden"), "Request 2: The model 'hidden'"),
        (request("gpt"), "Request 2: The model 'gpt' does not answer"),
        ({"custom_id": "2"}, "Request 2: The field params"),
        ({"custom_id": "2", "Params": {}}, "Request 2: The field 'Params'"),
        (request(max_tokens="x"), "Request 2: The field max_tokens"),
        (
            request(messages=[{"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "file_9"}}]}]),
            "Request 2: No such",
        ),
    ],
)
def test_a_request_that_may_not_be_made_is_refused_before_anything_is_ordered(
    bad: Any, text: str, claude: anthropic.Anthropic, vendor: Vendor
) -> None:
    requests: Any = [request(), bad]
    with pytest.raises(anthropic.APIStatusError) as refusal:
        claude.messages.batches.create(requests=requests)
    assert refusal.value.status_code in (400, 404)
    assert refusal.value.response.json()["error"]["message"].startswith(text)
    assert vendor.asked == []


@pytest.mark.parametrize("requests", [[], {}, [7], "x"])
def test_an_order_without_requests_is_refused(requests: Any, claude: anthropic.Anthropic, vendor: Vendor) -> None:
    with pytest.raises(anthropic.BadRequestError):
        claude.messages.batches.create(requests=requests)
    assert vendor.asked == []


def test_a_stranger_finds_no_batch_and_lists_none(house: House, claude: anthropic.Anthropic, stranger: Person, vendor: Vendor) -> None:
    house.contents.grant(f"team:{house.contents.keys[stranger.key].principal.team}", "model:claude")
    house.publish()
    vendor.answers("POST /messages/batches", batch())
    requests: Any = [request()]
    claude.messages.batches.create(requests=requests)
    asked = len(vendor.asked)
    for method, path in [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/results")]:
        answer = stranger.ask(method, f"/v1/messages/batches/msgbatch_1{path}")
        assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")
    assert stranger.ask("GET", "/v1/batches/msgbatch_1").status_code == 404
    assert len(vendor.asked) == asked
    vendor.answers(
        "GET /messages/batches", {"data": [batch(ended=True)], "has_more": False, "first_id": "msgbatch_1", "last_id": "msgbatch_1"}
    )
    assert stranger.ask("GET", "/v1/messages/batches").json() == {"data": [], "has_more": False, "first_id": None, "last_id": None}
    listed = list(claude.messages.batches.list())
    assert [(each.id, each.results_url) for each in listed] == [("msgbatch_1", "/v1/messages/batches/msgbatch_1/results")]
