"""Servers are asked about themselves in the era that they speak, and hostile ones are refused in bounded time and space."""

from __future__ import annotations

import json
from typing import Any

import mcp_types as types
import pytest

from registry.discovery import rpc, servers
from registry.discovery.servers import discover_server
from registry.errors import DiscoveryError
from tests.fakes.mcp_servers import RawServer, Reply, Tools, dual_era, house_of_tools, legacy_only, legacy_stateless, modern_only, result
from tests.fakes.serving import Serve, refusing, serve, serving

__all__ = ["serve"]

NAMES = ["get_forecast", "echo", "fail", "count", "hold", "ask"]


@pytest.fixture
def raw(serve: Serve) -> Any:
    """`raw(tools_page, ...)` serves a modern server whose answers to tools/list are these, and discovers it."""

    def answer(*pages: Any, capabilities: dict[str, Any] | None = None, script: Any = None) -> Any:
        calls = iter(pages)

        def reply(message: dict[str, Any], headers: dict[str, str]) -> Reply:
            if message["method"] == "server/discover":
                about = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}} if capabilities is None else capabilities}
                return result(message, about)
            page = next(calls)
            if isinstance(page, bytes):
                return Reply(body=b'{"jsonrpc":"2.0","id":%d,"result":%s}' % (message["id"], page))
            return page if isinstance(page, Reply) else result(message, page)

        return discover_server(f"{serve(RawServer(script or reply))}/mcp", allow_private=True)

    return answer


@pytest.mark.parametrize(
    ("build", "era", "spoken"),
    [
        (dual_era, "auto", "2026-07-28"),
        (dual_era, "legacy", "2025-11-25"),
        (dual_era, "2026-07-28", "2026-07-28"),
        (legacy_only, "auto", "2025-11-25"),
        (legacy_stateless, "auto", "2025-11-25"),
        (modern_only, "auto", "2026-07-28"),
    ],
)
def test_a_real_server_of_either_era_tells_its_tools(build: Any, era: str, spoken: str) -> None:
    with serving(build(house_of_tools()), lifespan=True) as url:
        found = discover_server(f"{url}/mcp", era=era, allow_private=True)
    assert found.protocol_version == spoken
    assert [tool.name for tool in found.tools] == NAMES
    assert found.info["name"] == "weather"
    assert found.version == "1.0.0"
    assert "tools" in found.capabilities
    assert json.loads(found.tools[0].raw)["annotations"] == {"readOnlyHint": True}


@pytest.mark.parametrize(("build", "era"), [(legacy_only, "2026-07-28"), (modern_only, "legacy")])
def test_a_server_that_does_not_speak_the_chosen_era_is_refused_in_its_own_words(build: Any, era: str) -> None:
    with serving(build(house_of_tools()), lifespan=True) as url, pytest.raises(DiscoveryError, match=r"nsupported protocol version"):
        discover_server(f"{url}/mcp", era=era, allow_private=True)


def test_a_loopback_address_is_not_called_unless_it_is_allowed() -> None:
    app = dual_era(house_of_tools())
    with serving(app, lifespan=True) as url, pytest.raises(DiscoveryError, match="may not be called"):
        discover_server(f"{url}/mcp", allow_private=False)
    assert app.seen == []


def test_a_legacy_session_is_ended_when_all_is_known() -> None:
    app = legacy_only(house_of_tools())
    with serving(app, lifespan=True) as url:
        discover_server(f"{url}/mcp", era="legacy", allow_private=True)
    assert [seen.method for seen in app.seen] == ["POST", "POST", "POST", "DELETE"]


def test_the_same_server_has_the_same_digest_in_both_looks_and_another_after_a_change() -> None:
    tools = Tools()
    with serving(dual_era(house_of_tools(tools)), lifespan=True) as url:
        first = discover_server(f"{url}/mcp", allow_private=True)
        again = discover_server(f"{url}/mcp", allow_private=True)
        tools.named("echo").description = "Says it again.\u200b"
        changed = discover_server(f"{url}/mcp", allow_private=True)
    assert first.digest == again.digest != changed.digest


def test_members_that_no_type_knows_survive_byte_for_byte(raw: Any) -> None:
    definition = b'{"name": "a",  "x-vendor": {"deep": [1.0, 1e2, "\\u00e9"]}, "inputSchema": {"type": "object"}}'
    found = raw(b'{"tools": [%s]}' % definition)
    assert found.tools[0].raw == definition


def test_all_pages_are_read(raw: Any) -> None:
    found = raw({"tools": [{"name": "a"}], "nextCursor": "2"}, {"tools": [{"name": "b"}], "nextCursor": "3"}, {"tools": [{"name": "c"}]})
    assert [tool.name for tool in found.tools] == ["a", "b", "c"]


def test_an_answer_as_an_event_stream_is_read_whatever_comes_before_it(raw: Any) -> None:
    def script(message: dict[str, Any], headers: dict[str, str]) -> Reply:
        value = (
            {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
            if message["method"] == "server/discover"
            else {"tools": [{"name": "a"}]}
        )
        answer = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": value})
        note = json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {}})
        text = f": hello\r\n\r\ndata: {note}\r\n\r\nevent: message\r\ndata: {answer}\r\n\r\n".encode()
        return Reply(content_type="text/event-stream", chunks=[text[at : at + 7] for at in range(0, len(text), 7)], hang=True)

    assert [tool.name for tool in raw(script=script).tools] == ["a"]


@pytest.mark.parametrize(
    ("tool", "problem"),
    [
        ({"description": "no name"}, "it has no name"),
        ({"name": "x" * 129}, "too long"),
        ({"name": "a\u200bb"}, "⟦U+200B⟧"),
        ({"name": "a\nb"}, "holds characters that can't be seen"),
        ("text", "it has no name"),
        ({"name": "big", "description": "x" * 300_000}, "larger than 256 KiB"),
        ({"name": "a\u0000"}, "NUL"),
        (b'{"name": "a", "name": "b"}', "given twice"),
        (b'{"name": "a", "n": ' + b"[" * 100 + b"]" * 100 + b"}", "nested too deeply"),
    ],
)
def test_a_tool_that_can_not_be_pinned_is_left_out_and_the_others_stay(raw: Any, tool: Any, problem: str) -> None:
    written = tool if isinstance(tool, bytes) else json.dumps(tool).encode()
    found = raw(b'{"tools": [{"name": "good"}, %s]}' % written)
    assert [tool.name for tool in found.tools] == ["good"]
    assert len(found.problems) == 1
    assert problem in found.problems[0]


def test_of_two_tools_of_one_name_the_first_counts(raw: Any) -> None:
    found = raw({"tools": [{"name": "a", "title": "first"}, {"name": "a", "title": "second"}]})
    assert [json.loads(tool.raw)["title"] for tool in found.tools] == ["first"]
    assert found.problems == ("The tool 'a' is listed twice: the first one counts.",)


@pytest.mark.parametrize(
    ("pages", "message"),
    [
        ([{"tools": [], "nextCursor": "x"}, {"tools": [], "nextCursor": "x"}], "runs in a circle"),
        ([{"tools": "all"}], "is not one"),
        ([b"[]"], "is not one"),
        ([{"tools": [{"name": f"t{n}"} for n in range(5001)]}], "more than 5,000 tools"),
        ([Reply(status=500)], "HTTP 500"),
        ([Reply(content_type="text/html", body=b"<p>hello")], "text/html, which is not MCP"),
        ([Reply(body=b"not json")], "can't be read as JSON-RPC"),
        ([b'{"tools": [{"name": "a", "description": "\\ud800"}]}'], "can't be read as JSON-RPC"),
        ([Reply(body=b'{"jsonrpc":"2.0","id":99,"result":{}}')], "ended its answer"),
        ([Reply(body=b'{"jsonrpc":"2.0","id":2,"error":{"code":-32000,"message":"no"}}')], r"it answered: no \(-32000\)"),
        ([Reply(body=b'{"jsonrpc":"2.0","id":2}')], "neither result nor error"),
    ],
)
def test_a_list_that_is_none_is_refused_and_never_cut(raw: Any, pages: list[Any], message: str) -> None:
    with pytest.raises(DiscoveryError, match=message):
        raw(*pages)


def test_an_endless_list_of_pages_is_refused(raw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "MAX_PAGES", 3)
    with pytest.raises(DiscoveryError, match="more than 3 pages"):
        raw(*({"tools": [], "nextCursor": str(number)} for number in range(4)))


def test_an_answer_that_is_too_large_is_refused(raw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "MAX_ANSWER", 10_000)
    with pytest.raises(DiscoveryError, match="larger than"):
        raw({"tools": [{"name": "a", "description": "x" * 20_000}]})


def test_a_server_that_never_ends_its_answer_is_given_up(raw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "MAX_SECONDS", 0.5)
    with pytest.raises(DiscoveryError, match="too long"):
        raw(Reply(chunks=[b'{"jsonrpc"'], hang=True))


@pytest.mark.parametrize(("status", "message"), [(401, "refused our credential"), (403, "refused our credential"), (307, "redirects")])
def test_what_asking_again_can_not_mend_is_not_asked_again(raw: Any, status: int, message: str) -> None:
    asked = []

    def script(body: dict[str, Any], headers: dict[str, str]) -> Reply:
        asked.append(body["method"])
        return Reply(status=status, headers={"location": "http://127.0.0.1:1/"})

    with pytest.raises(DiscoveryError, match=message):
        raw(script=script)
    assert asked == ["server/discover"]


def test_a_server_without_tools_is_not_asked_for_them(raw: Any) -> None:
    assert raw(capabilities={"prompts": {}}).tools == ()


def test_the_credential_goes_with_every_request(serve: Serve) -> None:
    seen: list[str] = []

    def script(message: dict[str, Any], headers: dict[str, str]) -> Reply:
        seen.append(headers.get("x-token", ""))
        value: dict[str, Any] = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "tools": []}
        return result(message, value)

    discover_server(serve(RawServer(script)), allow_private=True, headers={"x-token": "secret"})
    assert seen == ["secret", "secret"]


def test_a_server_that_is_not_there_is_told_so_once() -> None:
    with refusing() as url, pytest.raises(rpc.Unreachable, match="can't be reached"):
        discover_server(url, allow_private=True)


def test_a_tool_that_the_sdk_types_is_kept_as_the_server_wrote_it() -> None:
    tools = Tools(tools=[types.Tool(name="a", input_schema={"type": "object"}, output_schema={"type": "object"})])
    with serving(dual_era(house_of_tools(tools)), lifespan=True) as url:
        found = discover_server(f"{url}/mcp", allow_private=True)
    assert json.loads(found.tools[0].raw) == {"name": "a", "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"}}
