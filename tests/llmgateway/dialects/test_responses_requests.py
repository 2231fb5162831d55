"""Requests of OpenAI Responses, read and written again for the same dialect."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.parts import (
    Audio,
    Cache,
    Citation,
    File,
    Image,
    Json,
    Reasoning,
    Refused,
    Signature,
    Special,
    Text,
    ToolCall,
    ToolResult,
    same,
)
from llmgateway.proxy.conversation.request import Format, Request, Thinking, Tool, ToolChoice, VendorTool
from llmgateway.proxy.dialects.openai_responses.codec import DIALECT
from tests.fakes.cassettes import Cassette, cases, select
from tests.llmgateway.dialects import strategies as drawn
from tests.llmgateway.dialects.responses_kit import BY_SLUG, CODEX, asked, parsed, rendered, target

RECORDED = select(("openai", "deepseek", "openrouter"), ("responses",))


def meant(body: dict[str, Json]) -> Json:
    """A body with what is said in several ways said in one: null and empty members are not said, a string is one text, a
    message may leave out its type, completed is what every item is, `generate_summary` is the old name of `summary`."""
    plain: dict[str, Json] = {name: _meant(value) for name, value in body.items()}
    if "input" in plain:
        items = body["input"] if isinstance(body["input"], list) else [{"role": "user", "content": body["input"]}]
        plain["input"] = [_item(item) for item in items]
    reasoning = plain.get("reasoning")
    if isinstance(reasoning, dict) and "generate_summary" in reasoning:
        reasoning["summary"] = reasoning.pop("generate_summary")
    return {name: value for name, value in plain.items() if value not in (None, "", [], {}, False)}


def _meant(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _meant(held) for name, held in value.items() if held is not None and (name, held) != ("description", "")}
    return [_meant(held) for held in value] if isinstance(value, list) else value


def _item(item: dict[str, Json]) -> Json:
    plain = {name: held for name, held in item.items() if held is not None and (name, held) != ("status", "completed")}
    if plain.get("type", "message") == "message":
        plain["type"] = "message"
    for name in ("content", "output"):
        if isinstance(plain.get(name), str):
            kind = "output_text" if plain.get("role") == "assistant" else "input_text"
            plain[name] = [{"type": kind, "text": plain[name]}]
        elif isinstance(plain.get(name), list):
            plain[name] = [{key: held for key, held in part.items() if held != []} for part in plain[name]]
    return plain


@pytest.mark.parametrize("cassette", cases(RECORDED))
def test_a_recorded_request_is_written_as_it_was_asked(cassette: Cassette) -> None:
    request = parsed(cassette.body)
    body, losses = rendered(request, target(cassette.model, BY_SLUG[cassette.provider]))

    assert (losses.fields, losses.hints) == ([], [])
    assert meant(body) == meant(cassette.body)
    assert same(parsed(body), request)


def test_what_codex_sends_is_written_as_it_was_asked() -> None:
    body, losses = rendered(parsed(CODEX), target(CODEX["model"]))

    assert (losses.fields, losses.hints) == ([], [])
    assert meant(body) == meant(CODEX)


def test_what_codex_sends_asks_nothing_that_another_vendor_has_to_refuse() -> None:
    request = parsed(CODEX)

    assert request.extra == {}
    assert set(request.hints) == {"client_metadata", "include", "input[4].phase", "store", "tools[2].description"}
    assert request.thinking == Thinking(effort="high", show="auto")
    assert (request.verbosity, request.service_tier, request.cache_key) == ("low", "priority", CODEX["prompt_cache_key"])
    assert (request.stream, request.parallel_tools, request.tool_choice) == (True, True, ToolChoice("auto"))


def test_consecutive_items_of_the_model_are_one_message_and_a_run_of_results_another() -> None:
    messages = parsed(CODEX).messages

    assert [message.role for message in messages] == ["user", "user", "assistant", "user", "assistant", "user"]
    assert [type(part) for part in messages[2].parts] == [Reasoning, Text, ToolCall, ToolCall]
    assert messages[2].parts[0].signature == Signature("openai-responses", "gAAAA-first")
    assert [(part.call_id, part.name) for part in messages[3].parts if isinstance(part, ToolResult)] == [
        ("call_1", "exec_command"),
        ("call_2", "mcp__docs__search"),
    ]
    assert [type(part) for part in messages[5].parts] == [ToolResult]


def test_instructions_at_the_head_of_the_input_stand_behind_the_field_of_that_name() -> None:
    image = {"type": "input_image", "file_id": "file-1"}
    head = [{"role": "system", "content": "One"}, {"role": "developer", "content": [{"type": "input_text", "text": "Two"}]}]
    rest = [{"role": "user", "content": "Hi"}, {"role": "system", "content": "Later"}]
    body = {"model": "gpt-4.1", "instructions": "Zero", "input": [*head, *rest]}
    request = parsed(body)

    assert [(part.text, part.at) for part in request.system] == [
        ("Zero", "instructions"),
        ("One", "input[0].content"),
        ("Two", "input[1].content[0]"),
    ]
    assert [message.role for message in request.messages] == ["user", "system"]
    assert meant(rendered(request)[0]) == meant(body)
    assert parsed({**body, "input": [{"role": "system", "content": [image]}, *head]}).system == request.system[:1]


def test_tools_in_a_namespace_are_called_by_joined_names() -> None:
    request = parsed(CODEX)

    assert [tool.name for tool in request.tools if isinstance(tool, Tool)] == ["exec_command", "apply_patch", "mcp__docs__search"]
    assert request.messages[2].parts[-1].name == "mcp__docs__search"


def test_a_function_of_a_namespace_that_nobody_named_keeps_its_name() -> None:
    item = {"type": "function_call", "call_id": "c", "name": "late", "namespace": "late", "arguments": "{}"}
    request = parsed({"model": "m", "input": [item]})

    assert request.messages[0].parts[0].name == "late"
    assert request.hints == {"input[0].namespace": "late"}
    assert rendered(request)[0]["input"] == [item]


PARTS: list[tuple[dict[str, Json], Any]] = [
    ({"type": "input_text", "text": "Hi", "prompt_cache_breakpoint": {"mode": "explicit"}}, Text(text="Hi", cache=Cache("5m"))),
    (
        {"type": "input_text", "text": "Hi", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
        Text(text="Hi", cache=Cache("1h")),
    ),
    (
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
        Image(data="AAAA", media_type="image/png", detail="low"),
    ),
    ({"type": "input_image", "file_id": "file-1", "detail": "auto"}, Image(file_id="file-1", detail="auto")),
    (
        {"type": "input_file", "file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"},
        File(data="AAAA", media_type="application/pdf", title="a.pdf"),
    ),
    ({"type": "input_file", "file_data": "AAAA", "filename": "a.pdf"}, File(data="AAAA", title="a.pdf")),
    ({"type": "input_file", "file_url": "https://example.com/a.pdf"}, File(url="https://example.com/a.pdf")),
    ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}, Audio(data="AAAA", media_type="audio/mpeg")),
    (
        {"type": "input_smell", "smell": "x"},
        Special(vendor="openai-responses", kind="input_smell", raw={"type": "input_smell", "smell": "x"}),
    ),
]


@pytest.mark.parametrize(("content", "part"), PARTS, ids=lambda value: value.get("type", "") if isinstance(value, dict) else "")
def test_each_kind_of_content_has_its_part(content: dict[str, Json], part: Any) -> None:
    body = {"model": "m", "input": [{"role": "user", "content": [content, {"type": "input_text", "text": "?"}]}]}
    request = parsed(body)

    assert same(request.messages[0].parts[0], part)
    assert request.messages[0].parts[0].at == "input[0].content[0]"
    assert (request.extra, request.hints) == ({}, {})
    assert rendered(request)[0]["input"] == body["input"]


def test_what_an_assistant_said_keeps_its_citations_and_refusals() -> None:
    url = {"type": "url_citation", "url": "https://e.com", "title": "E", "start_index": 0, "end_index": 2}
    path = {"type": "file_path", "file_id": "file-1", "index": 3}
    content = [{"type": "output_text", "text": "So", "annotations": [url, path]}, {"type": "refusal", "refusal": "No."}]
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}
    request = parsed({"model": "m", "input": [item]})

    text, refusal = request.messages[0].parts
    assert text.citations[0] == Citation(kind="url", url="https://e.com", title="E", start=0, end=2)
    assert text.citations[1].raw == path
    assert same(refusal, Refused(text="No."))
    assert request.messages[0].id == "msg_1"
    assert meant(rendered(request)[0])["input"] == meant({"input": [item]})["input"]


@pytest.mark.parametrize(
    "kind",
    [
        "web_search_call", "file_search_call", "computer_call", "image_generation_call", "code_interpreter_call", "mcp_call",
        "mcp_list_tools", "local_shell_call", "shell_call", "apply_patch_call", "tool_search_call", "computer_call_output",
        "local_shell_call_output", "tool_search_output", "compaction", "additional_tools", "item_reference",
    ],
)  # fmt: skip
def test_the_vendors_own_items_are_kept_as_they_came(kind: str) -> None:
    item = {"type": kind, "id": "x_1", "status": "completed", "action": {"type": "search"}}
    request = parsed({"model": "m", "input": [{"role": "user", "content": "Hi"}, item]})

    special = request.messages[1].parts[0]
    assert same(special, Special(vendor="openai-responses", kind=kind, raw=item))
    assert special.at == "input[1]"
    assert rendered(request)[0]["input"][1] == item


def test_slots_have_their_fields() -> None:
    schema = {"type": "object", "properties": {}}
    body = {
        "model": "m",
        "input": "Hi",
        "max_output_tokens": 64,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_logprobs": 3,
        "include": ["file_search_call.results", "message.output_text.logprobs"],
        "text": {"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True, "description": "d"}},
        "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
        "tools": [{"type": "function", "name": "f", "parameters": schema, "strict": True}, {"type": "local_shell"}],
        "user": "u",
    }
    request = parsed(body)

    assert (request.max_output, request.temperature, request.top_p, request.top_logprobs) == (64, 0.5, 0.9, 3)
    assert request.logprobs is True
    assert request.hints == {"include": ["file_search_call.results"]}
    assert request.format == Format("schema", schema=schema, name="n", strict=True, description="d")
    assert request.tool_choice == ToolChoice("any", ["f"])
    assert request.tools[1] == VendorTool(vendor="openai-responses", kind="local_shell", raw={"type": "local_shell"}, at="tools[1]")
    assert request.field("max_output") == "max_output_tokens"
    written, losses = rendered(request)
    assert (losses.fields, losses.hints) == ([], [])
    assert meant(written) == meant({**body, "model": "gpt-4.1"})


STATEFUL = {
    "previous_response_id": "resp_1",
    "conversation": "conv_1",
    "background": True,
    "prompt": {"id": "pmpt_1"},
    "moderation": {"model": "omni-moderation-latest"},
    "tool_choice": {"type": "file_search"},
    "something_new": {"a": 1},
}


@pytest.mark.parametrize("field", STATEFUL)
def test_what_only_this_dialect_understands_has_no_slot(field: str) -> None:
    request = parsed({"model": "m", "input": "Hi", field: STATEFUL[field]})

    assert request.extra == {field: STATEFUL[field]}
    assert rendered(request)[0][field] == STATEFUL[field]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"input": "Hi", "tools": [{"type": "function", "name": "f", "parameters": {}, "new": 1}]}, "tools[0].new"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "a", "new": 1}]}]}, "input[0].content[0].new"),
        ({"input": [{"role": "user", "content": "a", "new": 1}]}, "input[0].new"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": "a", "new": 1}]}, "input[0].new"),
        ({"input": "Hi", "text": {"new": 1}}, "text.new"),
        ({"input": "Hi", "reasoning": {"mode": "pro"}}, "reasoning.mode"),
        (
            {"input": [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_smell", "text": "a"}]}]},
            "input[0].output[0]",
        ),
    ],
)
def test_an_unknown_member_keeps_its_path_and_goes_back_to_its_place(body: dict[str, Json], path: str) -> None:
    request = parsed({"model": "gpt-4.1", **body})

    assert list(request.extra) == [path]
    written, losses = rendered(request)
    assert losses.fields == []
    assert meant(written) == meant({"model": "gpt-4.1", **body})


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], None),
        ({"model": 1}, "model"),
        ({"input": 3}, "input"),
        ({"input": ["x"]}, "input[0]"),
        ({"input": [{"role": "critic", "content": "x"}]}, "input[0].role"),
        ({"input": [{"content": "x"}]}, "input[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].image_url"),
        ({"input": [{"type": "function_call", "call_id": "c"}]}, "input[0].name"),
        ({"input": [{"type": "reasoning", "summary": [{"text": 1}]}]}, "input[0].summary[0].text"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "f", "parameters": []}]}, "tools[0].parameters"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"text": {"format": {"type": "yaml"}}}, "text.format.type"),
        ({"temperature": True}, "temperature"),
        ({"max_output_tokens": 1.5}, "max_output_tokens"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_a_wrong_type_is_refused_by_its_path(body: Json, param: str | None) -> None:
    with pytest.raises(BadRequest) as refused:
        parsed(body)

    assert (refused.value.param, refused.value.code) == (param, "invalid_type")


PLAUSIBLE = st.sampled_from(
    ["message", "input_text", "output_text", "function_call", "reasoning", "function_call_output", "function", "namespace", "x", "", "user"]
)
FIELDS = st.sampled_from(
    [
        "type",
        "role",
        "content",
        "text",
        "input",
        "tools",
        "name",
        "summary",
        "output",
        "include",
        "reasoning",
        "format",
        "tool_choice",
        "id",
    ]
)
shaped = st.recursive(
    drawn.json_leaves | PLAUSIBLE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5), max_leaves=20
)


@settings(max_examples=300)
@given(shaped | drawn.json_values)
def test_no_body_does_more_than_be_refused(body: Json) -> None:
    try:
        request = parsed(body)
    except BadRequest:
        return
    rendered(request)
    DIALECT.writer(asked(body))


@settings(max_examples=60)
@given(
    drawn.requests(
        user=drawn.plain_texts() | drawn.detailed_images | drawn.documents | drawn.sounds,
        assistant=drawn.plain_texts() | drawn.tool_calls() | drawn.refusals | drawn.reasoning(("openai-responses",)),
        said=("parallel_tools", "max_output", "temperature", "top_p", "top_logprobs", "format", "thinking", "verbosity", "user"),
    )
)
def test_what_another_dialect_asks_and_this_one_can_say_arrives(wanted: Request) -> None:
    body, losses = rendered(wanted)

    assert (losses.fields, losses.hints) == ([], [])
    arrived = parsed(body)
    assert "\n\n".join(part.text for part in arrived.system) == "\n\n".join(part.text for part in wanted.system)
    assert body["store"] is False
    for slot in ("max_output", "temperature", "top_p", "top_logprobs", "thinking", "verbosity", "user", "tool_choice", "stream"):
        assert getattr(arrived, slot) == getattr(wanted, slot)
    assert [_spoken(message.parts) for message in arrived.messages] == [_spoken(message.parts) for message in wanted.messages]


def _spoken(parts: list[Any]) -> list[Any]:
    """Without the readable text of signed reasoning, which its vendor does not want back, and without the names of results."""
    return [part.signature if isinstance(part, Reasoning) else msgspec.structs.replace(part, at="", **_unnamed(part)) for part in parts]


def _unnamed(part: Any) -> dict[str, Json]:
    if isinstance(part, ToolResult):
        return {"name": "", "content": [msgspec.structs.replace(content, at="") for content in part.content]}
    return {}


def test_tools_that_the_input_offers_are_tools_and_go_back_where_they_stood() -> None:
    function = {"type": "function", "name": "run", "parameters": {"type": "object", "properties": {}}, "strict": False}
    grouped = {"type": "namespace", "name": "functions", "description": "All.", "tools": [{"type": "custom", "name": "exec"}]}
    search = {"type": "tool_search", "execution": "client", "description": "Finds tools.", "parameters": {"type": "object"}}
    added = {"type": "additional_tools", "id": "at_1", "role": "developer", "tools": [function, grouped]}
    call = {"type": "custom_tool_call", "call_id": "c", "name": "exec", "namespace": "functions", "input": "x"}
    body = {"model": "m", "input": [added, {"role": "user", "content": "Hi"}, call], "tools": [function, search]}
    request = parsed(body)

    assert [tool.name for tool in request.tools if isinstance(tool, Tool)] == ["run", "run", "functions__exec"]
    assert request.messages[1].parts[0].name == "functions__exec"
    assert request.hints == {"tools[1]": search, "input[0]": added}
    back, losses = rendered(request)
    assert (back["input"], back["tools"]) == (body["input"], body["tools"])
    assert (losses.fields, losses.hints) == ([], [])
