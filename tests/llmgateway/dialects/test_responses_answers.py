"""Whole answers of OpenAI Responses, read and written again; the official client judges what is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.responses import Response

from llmgateway.proxy.conversation.answer import END, FILTER, LENGTH, PAUSE, SEQUENCE, TOOL, Answer, Candidate
from llmgateway.proxy.conversation.events import (
    unfold,
)
from llmgateway.proxy.conversation.parts import Image, Json, Reasoning, Signature, Special, Text, ToolCall, same
from llmgateway.proxy.dialects.openai_responses.codec import DIALECT
from tests.fakes.cassettes import Cassette, cases, select
from tests.llmgateway.dialects.responses_kit import (
    CODEX,
    asked,
    comparable,
    ended,
    said,
    sdk_response,
    written,
)

RECORDED = select(("openai", "deepseek", "openrouter"), ("responses",))
ANSWERS = [cassette for cassette in RECORDED if not cassette.streamed and cassette.status == 200]


@pytest.mark.parametrize("cassette", cases(ANSWERS))
def test_a_recorded_answer_is_written_as_it_was_read(cassette: Cassette) -> None:
    recorded = json.loads(cassette.answer)
    answer = DIALECT.parse_answer(recorded)
    body = DIALECT.render_answer(answer, asked(cassette.body))

    assert same(said(DIALECT.parse_answer(body)), said(answer))
    seen = Response.model_validate(body)
    assert seen.output_text == Response.model_construct(**_lenient(recorded)).output_text
    assert [item.type for item in seen.output if item.type != "message"] == [
        item["type"] for item in recorded["output"] if item["type"] != "message"
    ]
    assert seen.model == "alias"
    if recorded["usage"]:
        assert (seen.usage.input_tokens, seen.usage.output_tokens, seen.usage.total_tokens) == tuple(
            recorded["usage"][name] for name in ("input_tokens", "output_tokens", "total_tokens")
        )


def _lenient(recorded: dict[str, Json]) -> dict[str, Any]:
    """Its output as the client's own types: recordings hold some bodies that were made up by hand."""
    return {"output": Response.construct(**recorded).output}


def test_a_response_repeats_what_was_asked() -> None:
    body = DIALECT.render_answer(Answer(candidates=[Candidate(parts=[Text(text="Hi")], stop=END)]), asked(CODEX))

    for name in ("instructions", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "text", "prompt_cache_key"):
        assert body[name] == CODEX[name]
    assert (body["id"], body["model"], body["created_at"], body["store"]) == ("resp_0192ab", "alias", 1_764_000_000, False)


@pytest.mark.parametrize(("tier", "told"), [("flex", "flex"), ("standard", "default"), ("", "default")])
def test_a_service_tier_is_told_where_the_dialect_has_a_word_for_it(tier: str, told: str) -> None:
    answer = Answer(candidates=[Candidate(parts=[Text(text="Hi")], stop=END)], service_tier=tier)

    assert DIALECT.render_answer(answer, asked(CODEX))["service_tier"] == told


@pytest.mark.parametrize(
    ("stop", "status", "reason"),
    [
        (END, "completed", None),
        (SEQUENCE, "completed", None),
        (TOOL, "completed", None),
        (PAUSE, "completed", None),
        (LENGTH, "incomplete", "max_output_tokens"),
        (FILTER, "incomplete", "content_filter"),
    ],
)
def test_why_a_model_stopped_is_told_by_status_and_details(stop: str, status: str, reason: str | None) -> None:
    answer = Answer(candidates=[Candidate(parts=[Text(text="Hi")], stop=stop)])
    body = DIALECT.render_answer(answer, asked())

    assert (body["status"], (body["incomplete_details"] or {}).get("reason")) == (status, reason)
    assert body["output"][0]["status"] == status
    assert DIALECT.parse_answer(body).candidates[0].stop == (stop if reason else END)
    assert sdk_response(written(unfold(answer))).status == status


def test_a_call_in_a_namespace_goes_back_to_it() -> None:
    part = ToolCall(id="call_1", name="mcp__docs__search", arguments='{"q":"a"}')
    body = DIALECT.render_answer(Answer(candidates=[Candidate(parts=[part], stop=TOOL)]), asked(CODEX))

    item = body["output"][0]
    assert (item["namespace"], item["name"]) == ("mcp__docs", "search")
    assert asked({**CODEX, "input": [item]}).request.messages[0].parts[0].name == "mcp__docs__search"


def test_only_the_first_of_several_answers_is_told() -> None:
    answer = Answer(candidates=[Candidate(parts=[Text(text=text)], stop=END) for text in ("one", "two")])

    assert sdk_response(written(unfold(answer))).output_text == "one"


def test_an_image_that_a_model_made_is_the_result_of_an_image_call() -> None:
    answer = Answer(candidates=[Candidate(parts=[Image(data="AAAA", media_type="image/png")], stop=END)])
    body = DIALECT.render_answer(answer, asked())

    assert Response.model_validate(body).output[0].result == "AAAA"


def test_another_vendors_own_part_is_left_out_of_an_answer() -> None:
    parts = [Special(vendor="anthropic", kind="server_tool_use", raw={"type": "server_tool_use"}), Text(text="Hi")]
    answer = Answer(candidates=[Candidate(parts=parts, stop=END)])

    assert [item.type for item in sdk_response(written(unfold(answer))).output] == ["message"]


# Signatures of other vendors, out to the caller and back

SIGNED: list[list[Any]] = [
    [Reasoning(text="I think ☃", signature=Signature("anthropic", "sig.with.dots==")), Text(text="Hi")],
    [Reasoning(redacted=True, signature=Signature("anthropic", "blob")), ToolCall(id="c", name="f", arguments="{}")],
    [Reasoning(signature=Signature("bedrock", "only")), Text(text="Hi")],
    [Text(text="Hi", signature=Signature("gemini", "s1")), ToolCall(id="c", name="f", arguments="{}", signature=Signature("gemini", "s2"))],
    [
        ToolCall(id="c1", name="f", arguments="{}", signature=Signature("gemini", "s1")),
        ToolCall(id="c2", name="f", arguments="{}"),
        Text(text="a", signature=Signature("gemini", "s3")),
        Text(text="b"),
    ],
]


@pytest.mark.parametrize("parts", SIGNED)
def test_a_foreign_signature_comes_back_as_it_was_and_where_it_was(parts: list[Any]) -> None:
    answer = Answer(candidates=[Candidate(parts=parts, stop=END)])
    body = DIALECT.render_answer(answer, asked())
    Response.model_validate(body)
    assert ended(written(unfold(answer))) == body

    replayed = asked({"model": "m", "input": [*body["output"], {"role": "user", "content": "Go on"}]}).request
    assert same(comparable(Answer(candidates=[Candidate(parts=replayed.messages[0].parts)])).candidates[0].parts, parts)


def test_a_thought_comes_back_although_the_caller_sends_its_item_without_content() -> None:
    part = Reasoning(text="I think", signature=Signature("anthropic", "sig"))
    item = DIALECT.render_answer(Answer(candidates=[Candidate(parts=[part], stop=END)]), asked())["output"][0]
    as_codex_sends_it = {name: item[name] for name in ("type", "summary", "encrypted_content")}

    assert same(asked({"model": "m", "input": [as_codex_sends_it]}).request.messages[0].parts[0], part)


@pytest.mark.parametrize("kind", ["part", "after"])
def test_a_signature_whose_part_is_gone_is_kept_as_reasoning_that_nobody_can_read(kind: str) -> None:
    item = {"type": "reasoning", "summary": [], "encrypted_content": f"ch1.gemini.{kind}.s1"}
    request = asked({"model": "m", "input": [item, {"role": "user", "content": "Hi"}]}).request

    assert same(request.messages[0].parts, [Reasoning(redacted=True, signature=Signature("gemini", "s1"))])
    assert [message.role for message in request.messages] == ["assistant", "user"]


def test_a_signature_that_goes_before_its_part_is_put_on_it() -> None:
    seal = {"type": "reasoning", "summary": [], "encrypted_content": "ch1.gemini.part.s1"}
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    request = asked({"model": "m", "input": [seal, call]}).request

    assert same(request.messages[0].parts, [ToolCall(id="c", name="f", arguments="{}", signature=Signature("gemini", "s1"))])
