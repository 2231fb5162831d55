"""The card that callers of the house get."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from a2a.types.a2a_pb2 import AgentCard
from google.protobuf.json_format import MessageToDict, ParseDict
from hypothesis import given
from hypothesis import strategies as st

from agentgateway.proxy.cards import UnreadableCard, rewritten
from tests.agentgateway.conftest import UPSTREAM, AgentHouse
from tests.fakes import agents
from tests.fakes.recording import Recorder

HOUSE = "http://house.example/a2a/planner"
PATH = "/a2a/planner/.well-known/agent-card.json"


def original(**changes: Any) -> dict[str, Any]:
    return {**MessageToDict(agents.card(UPSTREAM)), **changes}


def served(card: Any) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(rewritten(json.dumps(card).encode(), upstream_url=UPSTREAM, public_url=HOUSE))
    return value


def get(house: AgentHouse, **headers: str) -> httpx.Response:
    return house.http.get(PATH, headers={"x-api-key": house.key, **{name.replace("_", "-"): text for name, text in headers.items()}})


def test_a_card_is_served_with_the_house_s_address(house: AgentHouse, planner: Recorder) -> None:
    answer = get(house)

    card = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert [interface["url"] for interface in card["supportedInterfaces"]] == [HOUSE]
    assert "upstream.internal" not in answer.text
    ParseDict(card, AgentCard())
    assert planner.seen == []


def test_a_card_is_not_sent_again_to_who_has_it(house: AgentHouse, planner: Recorder) -> None:
    first = get(house)

    for tag in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        again = get(house, if_none_match=tag)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    assert get(house, if_none_match='"other"').status_code == 200
    assert first.headers["cache-control"] == "private, max-age=60"
    assert first.headers["last-modified"].endswith("GMT")


def test_a_card_s_date_is_that_of_its_approval(house: AgentHouse) -> None:
    house.register("planner", UPSTREAM, approved_at=1_700_000_000.0)
    house.grant("agent:planner")

    assert get(house).headers["last-modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"


def test_a_card_can_be_asked_about_and_not_be_posted_to(house: AgentHouse, planner: Recorder) -> None:
    headers = {"x-api-key": house.key}
    head = house.http.head(PATH, headers=headers)

    assert (head.status_code, head.content) == (200, b"")
    assert house.http.post(PATH, headers=headers).status_code == 405


def test_a_changed_card_has_another_tag(house: AgentHouse, planner: Recorder) -> None:
    first = get(house).headers["etag"]
    house.register("planner", UPSTREAM, card=original(description="New."))

    assert get(house).headers["etag"] != first


def test_other_interfaces_are_left_out_and_the_called_one_keeps_its_tenant() -> None:
    interfaces = [
        {"url": "http://other/", "protocolBinding": "JSONRPC", "protocolVersion": "0.3"},
        {"url": "grpc://inside:1", "protocolBinding": "GRPC", "protocolVersion": "1.0"},
        {"url": UPSTREAM, "protocolBinding": "JSONRPC", "protocolVersion": "1.0", "tenant": "acme", "new": 1},
    ]

    card = served(original(supportedInterfaces=interfaces))

    assert card["supportedInterfaces"] == [
        {"url": HOUSE, "protocolBinding": "JSONRPC", "protocolVersion": "1.0", "tenant": "acme", "new": 1}
    ]


def test_credentials_and_signatures_of_the_agent_are_replaced() -> None:
    schemes = {"theirs": {"oauth2SecurityScheme": {"flows": {}}}}
    skill = {"id": "s", "name": "S", "description": "d", "tags": ["t"], "securityRequirements": [{"schemes": {"theirs": {}}}], "new": [1.0]}
    requirements = [{"schemes": {"theirs": {"list": ["a"]}}}]

    card = served(
        original(
            securitySchemes=schemes, securityRequirements=requirements, signatures=[{"signature": "x"}], skills=[skill], future={"x": 1}
        )
    )

    assert "theirs" not in json.dumps(card)
    assert "signatures" not in card
    assert set(card["securitySchemes"]) == {"customhouseBearer", "customhouseKey"}
    assert card["securityRequirements"] == [{"schemes": {"customhouseBearer": {"list": []}}}, {"schemes": {"customhouseKey": {"list": []}}}]
    assert card["skills"] == [{"id": "s", "name": "S", "description": "d", "tags": ["t"], "new": [1.0]}]
    assert card["future"] == {"x": 1}


def test_a_mixed_card_becomes_a_pure_one() -> None:
    mixed = original(
        url=UPSTREAM, preferredTransport="JSONRPC", protocolVersion="0.3.0", additionalInterfaces=[{"url": UPSTREAM}], security=[]
    )

    card = served(mixed)

    assert not {"url", "preferredTransport", "protocolVersion", "additionalInterfaces", "security"} & card.keys()


def test_a_card_of_the_older_version_stays_one() -> None:
    old = {
        "name": "Old",
        "url": UPSTREAM,
        "protocolVersion": "0.3.0",
        "additionalInterfaces": [{"url": UPSTREAM, "transport": "GRPC"}],
        "skills": [],
    }

    card = served(old)

    assert (card["url"], card["preferredTransport"], card["protocolVersion"]) == (HOUSE, "JSONRPC", "0.3.0")
    assert "additionalInterfaces" not in card
    assert "upstream.internal" not in json.dumps(card)


@pytest.mark.parametrize("bad", [b"", b"[]", b"null", b"{", b'"card"'])
def test_what_is_no_card_is_not_served(bad: bytes) -> None:
    with pytest.raises(UnreadableCard):
        rewritten(bad, upstream_url=UPSTREAM, public_url=HOUSE)


odd = st.none() | st.integers() | st.text(st.characters(codec="utf-8")) | st.lists(st.integers(), max_size=2) | st.just({"url": UPSTREAM})


@given(
    st.dictionaries(
        st.sampled_from(["supportedInterfaces", "skills", "securitySchemes", "url", "additionalInterfaces", "signatures", "name"]),
        odd,
        max_size=5,
    )
)
def test_no_card_keeps_the_agent_s_address_in_an_interface(card: dict[str, Any]) -> None:
    out = served(card)

    named = [item.get("url") for item in out.get("supportedInterfaces", [{"url": out.get("url")}])]
    assert named == [HOUSE]
    assert not {"signatures", "additionalInterfaces"} & out.keys()
