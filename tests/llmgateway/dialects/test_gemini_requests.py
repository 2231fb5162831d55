"""Requests of the Gemini dialect, read: both spellings, what has no slot, wrong types; and written for their own vendor again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.parts import (
    Audio,
    File,
    Image,
    Reasoning,
    Signature,
    Special,
    Text,
    ToolCall,
    ToolResult,
    same,
)
from llmgateway.proxy.conversation.request import (
    AudioOut,
    Format,
    Thinking,
    Tool,
    ToolChoice,
    VendorTool,
)
from tests.llmgateway.dialects import strategies as made
from tests.llmgateway.dialects.gemini_kit import parsed, spelled, written

HELLO = {"role": "user", "parts": [{"text": "Hello"}]}


FULL: dict[str, Any] = {
    "contents": [
        {
            "role": "user",
            "parts": [
                {"text": "Look"},
                {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}},
                {"inlineData": {"mimeType": "audio/wav", "data": "BBBB"}},
                {"fileData": {"mimeType": "application/pdf", "fileUri": "https://example.com/a.pdf", "displayName": "a.pdf"}},
                {"fileData": {"fileUri": "https://youtu.be/x"}, "videoMetadata": {"fps": 0.5}},
            ],
        },
        {
            "role": "model",
            "parts": [
                {"text": "hm", "thought": True},
                {"functionCall": {"name": "look", "args": {"b": 1, "a": [2]}}, "thoughtSignature": "c2ln"},
                {"executableCode": {"language": "PYTHON", "code": "1"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK"}, "thoughtSignature": "c2lo"},
                {"text": "", "thoughtSignature": "c2lp"},
            ],
        },
        {
            "role": "user",
            "parts": [
                {
                    "functionResponse": {
                        "name": "look",
                        "response": {"result": "seen"},
                        "willContinue": False,
                        "parts": [{"inlineData": {"mimeType": "image/png", "data": "CCCC"}}],
                    }
                }
            ],
        },
    ],
    "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]},
    "generationConfig": {
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 40,
        "maxOutputTokens": 100,
        "candidateCount": 2,
        "stopSequences": ["END"],
        "seed": 7,
        "presencePenalty": 0.1,
        "frequencyPenalty": -0.1,
        "responseLogprobs": True,
        "logprobs": 3,
        "responseMimeType": "application/json",
        "responseSchema": {"type": "OBJECT", "properties": {"a": {"type": "STRING", "nullable": True}}, "propertyOrdering": ["a"]},
        "thinkingConfig": {"thinkingBudget": 512, "includeThoughts": True},
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}, "languageCode": "de-DE"},
        "responseModalities": ["TEXT", "AUDIO"],
        "mediaResolution": "MEDIA_RESOLUTION_LOW",
    },
    "tools": [
        {
            "functionDeclarations": [
                {"name": "look", "description": "Looks.", "parametersJsonSchema": {"type": "object"}, "behavior": "BLOCKING"},
                {"name": "hear", "parameters": {"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}}},
            ],
            "googleSearch": {},
        },
        {"urlContext": {}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}, "retrievalConfig": {"languageCode": "de"}},
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "cachedContent": "cachedContents/x",
    "labels": {"team": "a"},
    "serviceTier": "flex",
    "anythingNew": {"x": 1},
}


def test_a_full_request_is_read_into_its_slots() -> None:
    request = parsed(FULL)
    sight, answer_of_look = request.messages[0].parts, request.messages[2].parts[0]
    assert [type(part) for part in sight] == [Text, Image, Audio, File, File]
    assert sight[3] == File(url="https://example.com/a.pdf", media_type="application/pdf", title="a.pdf", at="contents[0].parts[3]")
    assert same(
        request.messages[1].parts,
        [
            Reasoning(text="hm"),
            ToolCall(id="call_1_1", name="look", arguments='{"b":1,"a":[2]}', signature=Signature("gemini", "c2ln")),
            Special(vendor="gemini", kind="executableCode", raw={"executableCode": {"language": "PYTHON", "code": "1"}}),
            Special(
                vendor="gemini",
                kind="codeExecutionResult",
                raw={"codeExecutionResult": {"outcome": "OUTCOME_OK"}},
                signature=Signature("gemini", "c2lo"),
            ),
            Text(text="", signature=Signature("gemini", "c2lp")),
        ],
    )
    assert isinstance(answer_of_look, ToolResult)
    assert (answer_of_look.call_id, answer_of_look.name) == ("call_1_1", "look")
    assert [getattr(part, "text", "") for part in answer_of_look.content] == ["seen", ""]
    assert request.format == Format(
        "schema", {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "propertyOrdering": ["a"]}
    )
    assert request.tool_choice == ToolChoice("tool", ["look"])
    assert request.thinking == Thinking(budget=512, show="auto")
    assert request.audio == AudioOut(voice="Kore")
    assert request.modalities == ["text", "audio"]
    assert [type(tool) for tool in request.tools] == [Tool, Tool, VendorTool, VendorTool]
    assert request.hints == {"labels": {"team": "a"}}
    assert set(request.extra) == {
        "contents[0].parts[1].mediaResolution",
        "contents[0].parts[4].videoMetadata",
        "contents[2].parts[0].functionResponse.willContinue",
        "generationConfig.speechConfig.languageCode",
        "generationConfig.mediaResolution",
        "tools[0].functionDeclarations[0].behavior",
        "toolConfig.retrievalConfig",
        "safetySettings",
        "cachedContent",
        "anythingNew",
    }


@pytest.mark.parametrize("snake", [False, True], ids=["camel", "snake"])
def test_a_full_request_comes_back_whole_in_its_own_dialect(snake: bool) -> None:
    again, losses = written(parsed(snaked(FULL) if snake else FULL))
    assert (losses.fields, losses.hints) == ([], [])
    assert spelled(again) == spelled(FULL)


def snaked(value: Any) -> Any:
    if isinstance(value, dict):
        return {"".join("_" + one.lower() if one.isupper() else one for one in key): snaked(item) for key, item in value.items()}
    return [snaked(item) for item in value] if isinstance(value, list) else value


def test_an_answer_that_is_one_of_an_enumeration_comes_back_whole() -> None:
    config = {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a", "b"]}}
    request = parsed({"contents": [HELLO], "generationConfig": config})
    assert request.extra == {"generationConfig.responseMimeType": "text/x.enum"}
    body, losses = written(request)
    assert (body["generationConfig"], losses.fields) == (config, [])


def test_a_refusal_names_a_field_as_its_caller_spelled_it() -> None:
    request = parsed({"contents": [HELLO], "generation_config": {"top_k": 4, "candidateCount": 2}})
    assert request.field("top_k") == "generation_config.top_k"
    assert request.field("answers") == "generation_config.candidateCount"
    assert request.field("seed") == "generation_config.seed"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], None),
        ({"contents": "hi"}, "contents"),
        ({"contents": [1]}, "contents[0]"),
        ({"contents": [{"role": "system", "parts": []}]}, "contents[0].role"),
        ({"contents": [{"parts": [{"text": 1}]}]}, "contents[0].parts[0].text"),
        ({"contents": [{"parts": [{"functionCall": {"args": {}}}]}]}, "contents[0].parts[0].functionCall.name"),
        ({"contents": [{"parts": [{"function_call": {"name": "a", "args": []}}]}]}, "contents[0].parts[0].function_call.args"),
        ({"contents": [{"parts": [{"thoughtSignature": 1}]}]}, "contents[0].parts[0].thoughtSignature"),
        ({"generationConfig": {"topK": 1.5}}, "generationConfig.topK"),
        ({"generation_config": {"max_output_tokens": True}}, "generation_config.max_output_tokens"),
        ({"generationConfig": {"stopSequences": [1]}}, "generationConfig.stopSequences"),
        ({"generationConfig": {"responseSchema": []}}, "generationConfig.responseSchema"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "SOMETIMES"}}}, "toolConfig.functionCallingConfig.mode"),
        ({"tools": [{"functionDeclarations": [{"description": "x"}]}]}, "tools[0].functionDeclarations[0].name"),
        (
            {"tools": [{"functionDeclarations": [{"name": "x", "parameters": {"items": {"anyOf": [1]}}}]}]},
            "tools[0].functionDeclarations[0].parameters",
        ),
    ],
)
def test_a_body_of_wrong_types_is_refused_with_the_path(body: Any, param: str | None) -> None:
    with pytest.raises(BadRequest) as refused:
        parsed(body)
    assert refused.value.param == param


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "STRING"}
    for _ in range(depth):
        schema = {"type": "ARRAY", "items": schema}
    return schema


def test_a_schema_nested_without_end_is_refused() -> None:
    with pytest.raises(BadRequest, match="nested too deeply"):
        parsed({"contents": [HELLO], "generationConfig": {"responseSchema": nested(500)}})


WORDS = (
    "contents parts role text thought functionCall function_response name args response inlineData fileData mimeType "
    "generationConfig thinkingConfig responseSchema tools functionDeclarations toolConfig functionCallingConfig "
    "systemInstruction speechConfig parameters thoughtSignature labels type items a.b[0]"
)
NAMES = st.sampled_from(WORDS.split(" "))
ANYTHING = st.recursive(
    made.json_leaves | st.sampled_from(["user", "model", "AUTO", "Y2gxLg=="]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)


@given(ANYTHING)
def test_any_json_is_read_or_refused(body: Any) -> None:
    try:
        request = parsed(body)
    except BadRequest:
        return
    again, _ = written(request)
    msgspec.json.encode(again)
