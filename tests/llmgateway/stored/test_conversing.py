"""Responses that are made through the house and then referred to: whole, streamed and in the background."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmgateway.proxy import stored
from llmgateway.proxy.app import routes as llm_routes
from tests.fakes import answers
from tests.fakes.house import House
from tests.fakes.provider import Provider, said, streamed
from tests.fakes.serving import Serve
from tests.fakes.storing import Person, Vendor, lay_out


@pytest.fixture
def house(tmp_path: Path, vendor: Vendor, vendor_url: str) -> Iterator[House]:
    """With the calls of models as well."""
    with House(tmp_path, routes=[llm_routes(), stored.routes()]) as opened:
        lay_out(opened, vendor_url)
        yield opened


def ask(person: Person, **fields: Any) -> int:
    return person.ask("POST", "/v1/responses", json={"model": "gpt", "input": "Hello.", **fields}).status_code


@pytest.mark.parametrize("manner", ["whole", "stream", "background"])
def test_a_response_is_its_teams_and_nobody_elses(manner: str, owner: Person, team_mate: Person, stranger: Person, vendor: Vendor) -> None:
    body = answers.response()
    if manner == "background":
        body = {**body, "status": "queued", "output": [], "usage": None}
    vendor.answers("POST /responses", streamed(*answers.response_pieces()) if manner == "stream" else body)
    assert ask(owner, **({} if manner == "whole" else {manner: True})) == 200
    asked = len(vendor.asked)

    assert stranger.ask("GET", "/v1/responses/resp_1").status_code == 404
    assert ask(stranger, previous_response_id="resp_1") == 404
    assert ask(team_mate, previous_response_id="resp_never") == 404
    assert len(vendor.asked) == asked, "nothing of it reaches the provider"

    assert team_mate.ask("GET", "/v1/responses/resp_1").status_code == 200
    assert ask(team_mate, previous_response_id="resp_1") == 200
    assert json.loads(vendor.provider.last.body)["previous_response_id"] == "resp_1"


def test_what_was_not_stored_is_not_referred_to(owner: Person, vendor: Vendor) -> None:
    vendor.answers("POST /responses", answers.response())
    assert ask(owner, store=False) == 200
    assert ask(owner, previous_response_id="resp_1") == 404


def test_a_finished_response_is_not_charged_again_when_it_is_fetched(house: House, owner: Person, vendor: Vendor) -> None:
    vendor.answers("POST /responses", answers.response())
    assert ask(owner) == 200
    assert house.settled().outcome == "ok"
    vendor.answers("GET /responses/resp_1", answers.response())
    assert owner.ask("GET", "/v1/responses/resp_1").json() == answers.response()
    assert house.journaled() == []


def test_a_conversation_stays_at_the_account_that_keeps_it(house: House, owner: Person, vendor: Vendor, serve: Serve) -> None:
    """The account that is tried first fails once; what the second one made goes on there."""
    second = Provider()
    second.fallback = said(answers.response())
    contents = house.contents
    contents.provider("second", f"{serve(second)}/v1")
    contents.model("gpt", contents.deployment("openai", "gpt-real"), contents.deployment("second", "gpt-there", priority=1))
    house.publish()
    vendor.answers("POST /responses", {"error": {"message": "overloaded"}}, status=503)
    assert ask(owner) == 200
    vendor.answers("POST /responses", answers.response())
    assert ask(owner, previous_response_id="resp_1") == 200
    assert [asked.json.get("previous_response_id") for asked in second.asked] == [None, "resp_1"]
    assert len(vendor.asked) == 1
