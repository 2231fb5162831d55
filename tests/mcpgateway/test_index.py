"""What a server's section means to a caller, and that looking it up does not grow with the section."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dataplane.snapshot import ServerRecord
from mcpgateway.proxy import index as module
from mcpgateway.proxy import screenings
from mcpgateway.proxy.eras import MODERN
from mcpgateway.proxy.index import WHOLE, ServerIndex
from mcpgateway.proxy.narrowing import narrowed, without_tasks
from tests.mcpgateway.conftest import approved


def tool(name: str) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"type": "object"}}


def index_of(*names: str) -> ServerIndex:
    return ServerIndex(ServerRecord(id=1, slug="weather", name="n", url="http://u/", tools=tuple(approved(tool(name)) for name in names)))


def listing(*names: str) -> bytes:
    return json.dumps({"tools": [tool(name) for name in names]}).encode()


def shown(index: ServerIndex, result: bytes, *, access: Any = WHOLE) -> list[str]:
    screened = index.screen(result, access=access, version=MODERN, private=True)
    return [item["name"] for item in json.loads(screened)["tools"]]


@pytest.mark.parametrize(
    ("granted", "names"),
    [
        ({"server:weather"}, None),
        ({"server:weather", "tool:weather/a"}, None),
        ({"tool:weather/a", "tool:other/b", "tool:weather/gone", "tool:weather2/b"}, {"a"}),
        ({"tool:weather/gone"}, ()),
        ({"server:weather2", "toolset:weather", "model:weather"}, ()),
        (set(), ()),
    ],
)
def test_grants_say_which_tools_a_caller_has(granted: set[str], names: Any) -> None:
    access = index_of("a", "b").access(frozenset(granted))

    if names == ():
        assert access is None
    else:
        assert access is not None
        assert access.names == names


def test_a_listing_is_screened_for_each_caller_apart() -> None:
    index = index_of("a", "b", "c")
    some = index.access(frozenset({"tool:weather/b"}))
    result = listing("a", "b", "x")

    assert [shown(index, result), shown(index, result, access=some)] == [["a", "b"], ["b"]]
    assert [shown(index, result), shown(index, result, access=some)] == [["a", "b"], ["b"]]


def test_a_screening_that_is_kept_still_tells_what_drifted() -> None:
    index = index_of("a", "b")
    good, bad = listing("a", "b"), listing("a", "b").replace(b'"name": "b"', b'"description": "x", "name": "b"')

    for _ in range(2):
        assert shown(index, bad) == ["a"]
        assert index.drifted == {"b"}
        assert shown(index, good) == ["a", "b"]
        assert index.drifted == set()


def test_what_is_kept_of_listings_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screenings, "MAX_BYTES", 2000)
    monkeypatch.setattr(module, "MAX_ACCESSES", 4)
    index = index_of("a")
    for number in range(50):
        index.access(frozenset({f"tool:weather/{number}"}))
        shown(index, json.dumps({"tools": [tool("a")], "nextCursor": str(number)}).encode())

    assert sum(len(key[1]) + len(held.out) for key, held in index._screened._held.items()) <= 2000
    assert len(index._accesses) <= 4


def test_an_unchanged_listing_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    index = index_of(*map(str, range(200)))
    result = listing(*map(str, range(200)))
    shown(index, result)

    def parsed_again(*args: Any, **more: Any) -> bool:
        raise AssertionError("a definition that was found equal is compared again")

    monkeypatch.setattr(module, "matches", parsed_again)

    assert len(shown(index, result)) == 200
    assert len(shown(index, json.dumps({"tools": [tool(str(number)) for number in range(200)], "ttlMs": 1}).encode())) == 200


def test_a_caller_of_some_tools_is_told_of_tools_alone() -> None:
    result = {
        "capabilities": {"tools": {"listChanged": True}, "prompts": {}, "extensions": {"x": {}}},
        "cacheScope": "public",
        "future": 1.0,
    }

    assert json.loads(narrowed(json.dumps(result).encode())) == {
        "capabilities": {"tools": {"listChanged": True}},
        "cacheScope": "private",
        "future": 1.0,
    }
    assert narrowed(b"[]") == b"[]"
    assert json.loads(narrowed(b'{"capabilities": 7}')) == {"capabilities": {}}


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"tools": {}, "tasks": {"list": {}}}, {"tools": {}}),
        ({"extensions": {"io.modelcontextprotocol/tasks": {}, "x/y": {"a": 1.0}}}, {"extensions": {"x/y": {"a": 1.0}}}),
    ],
)
def test_nobody_is_offered_tasks(capabilities: Any, expected: Any) -> None:
    result = {"capabilities": capabilities, "instructions": "tasks", "future": [1.0]}

    assert json.loads(without_tasks(json.dumps(result).encode())) == {**result, "capabilities": expected}


@pytest.mark.parametrize(
    "result", [b'{"capabilities": {"tools": {}}, "instructions": "tasks"}', b'{"tasks": 1}', b'"tasks"', b'{"capabilities": "tasks"}']
)
def test_what_offers_none_passes_as_it_is(result: bytes) -> None:
    assert without_tasks(result) is result
