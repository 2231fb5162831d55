"""Agent cards are fetched, kept as sent, and read in the shapes of A2A 1.0 and 0.3."""

from __future__ import annotations

import json
from typing import Any

import pytest

from registry.discovery import cards
from registry.discovery.cards import discover_card, read_card
from registry.errors import DiscoveryError
from tests.fakes.agents import agent
from tests.fakes.mcp_servers import RawServer, Reply
from tests.fakes.serving import Serve, serve, serving

__all__ = ["serve"]

V1 = {
    "name": "Planner",
    "description": "Plans.",
    "version": "2.1.0",
    "supportedInterfaces": [
        {"url": "https://a.example/rest", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"},
        {"url": "https://a.example/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
    ],
    "skills": [{"id": "plan", "name": "Plan", "description": "Makes plans.", "tags": ["x"], "examples": ["Plan my week"]}],
    "x-unknown": {"kept": True},
}
V03 = {
    "name": "Old",
    "version": "1.0.0",
    "protocolVersion": "0.3.0",
    "url": "https://a.example/a2a",
    "additionalInterfaces": [{"url": "grpc://a.example", "transport": "GRPC"}],
    "skills": [],
}


def raw(card: Any) -> bytes:
    return json.dumps(card).encode()


def test_a_real_agent_tells_its_card_and_it_is_kept_byte_for_byte() -> None:
    app = agent(url="http://127.0.0.1:9/")
    with serving(app) as url:
        found = discover_card(url, allow_private=True)
    assert found.card_url == f"{url}/.well-known/agent-card.json"
    assert (found.parsed["name"], found.url, found.protocol_version, found.version) == ("Planner", "http://127.0.0.1:9/", "1.0", "1.0.0")
    assert json.loads(found.raw)["supportedInterfaces"][0]["url"] == "http://127.0.0.1:9/"
    assert found.parsed["skills"][0]["examples"] == ["Plan my week"]


def test_the_json_rpc_interface_is_taken_wherever_it_stands_in_the_list() -> None:
    found = read_card(raw(V1))
    assert (found.url, found.protocol_version) == ("https://a.example/rpc", "1.0")
    assert found.parsed["interfaces"] == [
        {"url": "https://a.example/rest", "binding": "HTTP+JSON", "version": "1.0"},
        {"url": "https://a.example/rpc", "binding": "JSONRPC", "version": "1.0"},
    ]


def test_a_card_of_the_older_shape_is_read() -> None:
    found = read_card(raw(V03))
    assert (found.url, found.protocol_version) == ("https://a.example/a2a", "0.3")
    assert [one["binding"] for one in found.parsed["interfaces"]] == ["JSONRPC", "GRPC"]


def test_the_order_of_members_does_not_change_the_digest_and_one_unknown_member_does() -> None:
    turned = dict(reversed(V1.items()))
    assert read_card(raw(V1)).digest == read_card(raw(turned)).digest != read_card(raw(V1 | {"x-unknown": {"kept": False}})).digest


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (b"<html>", "can't be used"),
        (b"[]", "not a JSON object"),
        (b'{"name": "a", "name": "b"}', "given twice"),
        (raw(V1 | {"name": " "}), "has no name"),
        (raw(V1 | {"supportedInterfaces": []}), "no JSON-RPC interface"),
        (raw(V1 | {"supportedInterfaces": [{"url": "https://a.example", "protocolBinding": "GRPC"}]}), "no JSON-RPC interface"),
        (raw(V03 | {"url": "file:///etc/passwd"}), "can't be called"),
        (raw(V03 | {"url": "https://user:pass@a.example/"}), "can't be called"),
        (raw(V03 | {"description": "a\u0000b"}), "NUL"),
    ],
)
def test_what_is_no_card_is_refused(card: bytes, message: str) -> None:
    with pytest.raises(DiscoveryError, match=message):
        read_card(card)


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, [1], {"a": 1}])
@pytest.mark.parametrize("member", [*sorted(set(V1) - {"name", "supportedInterfaces"}), "capabilities", "provider", "securitySchemes"])
def test_a_member_of_an_odd_type_does_not_break_the_reader(member: str, value: Any) -> None:
    assert read_card(raw(V1 | {member: value})).url == "https://a.example/rpc"


def test_the_older_address_is_tried_and_then_it_is_said_where_was_looked(serve: Serve) -> None:
    url = serve(RawServer(lambda message, headers: Reply(status=404)))
    with pytest.raises(DiscoveryError, match=r"agent-card\.json or .*agent\.json"):
        discover_card(url, allow_private=True)


def test_the_address_of_a_card_is_taken_as_it_is(serve: Serve) -> None:
    url = serve(RawServer(lambda message, headers: Reply(body=raw(V1))))
    assert discover_card(f"{url}/cards/planner.json", allow_private=True).card_url == f"{url}/cards/planner.json"


def test_a_card_that_is_too_large_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "MAX_CARD", 1000)
    url = serve(RawServer(lambda message, headers: Reply(body=raw(V1 | {"description": "x" * 2000}))))
    with pytest.raises(DiscoveryError, match="larger than"):
        discover_card(url, allow_private=True)


def test_an_agent_that_never_ends_its_card_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "MAX_SECONDS", 0.5)
    url = serve(RawServer(lambda message, headers: Reply(chunks=[b"{"], hang=True)))
    with pytest.raises(DiscoveryError, match="too long"):
        discover_card(url, allow_private=True)


def test_a_private_address_is_not_called_unless_it_is_allowed(serve: Serve) -> None:
    with pytest.raises(DiscoveryError, match="may not be called"):
        discover_card(serve(RawServer(lambda message, headers: Reply(body=raw(V1)))), allow_private=False)
