"""Recorded exchanges about stored things pass byte for byte, and only what costs tokens is metered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dataplane.pins import Pin
from tests.fakes import recorded_usage
from tests.fakes.cassettes import Cassette, cases, select
from tests.fakes.house import House
from tests.fakes.journaled import counted
from tests.fakes.provider import recorded
from tests.fakes.storing import Person, Vendor

EXCHANGES = select(("openai",), ("conversations", "vector_stores", "files", "compact", "input_tokens"))


def own_all(house: House, cassette: Cassette) -> None:
    """What the exchange refers to had been made before it was recorded."""
    parts = cassette.path.split("/")
    named = [part for part in parts if part.startswith("vs_")]
    ids = [*named, *([cassette.body["file_id"]] if "file_id" in cassette.body else [])]
    provider = house.contents.providers["openai"]
    for ident in ids:
        kind = "vector_store" if ident.startswith("vs_") else "file"
        house.kit.pins.remember(ident, Pin(provider=provider.id, provider_name="openai", owner=f"team:{house.team}", kind=kind))


def as_called(house: House, cassette: Cassette) -> dict[str, Any]:
    """The body with the house's name of its model, which stands under another one at the provider."""
    model = cassette.body.get("model")
    if model is None:
        return cassette.body
    contents = house.contents
    contents.grant(f"team:{house.team}", contents.model("recorded", contents.deployment("openai", model)))
    house.publish()
    return {**cassette.body, "model": "recorded"}


@pytest.mark.parametrize("cassette", cases(EXCHANGES))
def test_a_recorded_exchange_passes_unharmed(cassette: Cassette, house: House, owner: Person, vendor: Vendor) -> None:
    own_all(house, cassette)
    body = as_called(house, cassette)
    vendor.provider.then(recorded(cassette))

    answer = owner.ask("POST", cassette.path, json=body)

    assert answer.status_code == cassette.status
    assert answer.content == cassette.answer
    assert answer.headers["content-type"] == cassette.content_type
    assert vendor.provider.last.path == cassette.path
    assert vendor.provider.last.json == cassette.body
    if cassette.kind == "compact":
        event = house.settled()
        assert (event.model, event.outcome, event.estimated) == ("recorded", "ok", False)
        assert counted(event) == recorded_usage.recorded_usage(cassette)
    else:
        assert house.journaled() == []


def test_what_a_compaction_gives_out_is_the_callers(house: House, owner: Person, stranger: Person, vendor: Vendor) -> None:
    for cassette in select(("openai",), ("compact",)):
        vendor.provider.then(recorded(cassette))
        made = owner.ask("POST", cassette.path, json={**cassette.body, "model": "gpt"}).json()["id"]
        assert owner.ask("GET", f"/v1/responses/{made}").status_code == 200
        assert stranger.ask("GET", f"/v1/responses/{made}").status_code == 404
        item = json.loads(cassette.answer)["output"][-1]
        sealed = [item["id"], {"type": "item_reference", "id": item["id"]}]
        assert owner.ask("POST", "/v1/responses/input_tokens", json={"model": "gpt", "input": [sealed[1]]}).status_code == 200
        assert stranger.ask("POST", "/v1/responses/input_tokens", json={"model": "gpt", "input": [sealed[1]]}).status_code == 404


def test_the_corpus_of_stored_things_is_whole() -> None:
    if not EXCHANGES:
        pytest.skip("no recorded exchanges here: set CUSTOMHOUSE_CASSETTES")
    assert len(EXCHANGES) == 8
