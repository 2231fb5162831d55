"""docs/dialects.md, made from the code: what each dialect can say, found by having it said.

    PYTHONPATH=.:platform python -m llmgateway.matrix > docs/dialects.md

Every slot of the conversation is written for every target with a sample in it. What the target refuses, and what it goes
without, is what its renderer reports. A test holds the page to what this prints.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from llmgateway.proxy.conversation.parts import (
    AnyPart,
    Audio,
    Cache,
    Citation,
    File,
    Image,
    Reasoning,
    Refused,
    Signature,
    Special,
    Text,
    ToolCall,
    ToolResult,
)
from llmgateway.proxy.conversation.request import (
    AudioOut,
    Format,
    Message,
    Request,
    Thinking,
    Tool,
    ToolChoice,
    VendorTool,
)
from llmgateway.proxy.dialects.table import DIALECTS
from llmgateway.proxy.providers import LOCAL_VENDORS, OPERATIONS, VENDORS, Facts
from llmgateway.proxy.translation.written import written_best

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
TOOL = Tool(name="weather", description="The weather in a city.", schema=SCHEMA)
CALL = ToolCall(id="call_000000001", name="weather", arguments='{"city":"Oslo"}', at="messages[1].content[0]")

CALLERS = {
    "openai-chat": "`/v1/chat/completions`",
    "openai-responses": "`/v1/responses`",
    "anthropic": "`/v1/messages`",
    "gemini": "`/v1beta/models/{model}:generateContent`",
}
OWN = {
    "openai-chat": "openai",
    "openai-responses": "openai",
    "anthropic": "anthropic",
    "gemini": "google",
    "bedrock": "aws",
    "cohere": "cohere",
}


def _user(*parts: AnyPart) -> list[Message]:
    return [Message(role="user", parts=list(parts), at="messages[0]")]


def _answered(*results: Text | Image | File, error: bool = False) -> list[Message]:
    result = ToolResult(call_id=CALL.id, name="weather", content=list(results), is_error=error, at="messages[2].content[0]")
    return [
        *_user(Text(text="Hello.")),
        Message(role="assistant", parts=[CALL], at="messages[1]"),
        Message(role="user", parts=[result], at="messages[2]"),
    ]


def _said(*parts: AnyPart) -> list[Message]:
    return [*_user(Text(text="Hello.")), Message(role="assistant", parts=list(parts), at="messages[1]"), *_user(Text(text="Go on."))]


def samples() -> Iterator[tuple[str, Request]]:
    """A request for each thing that can be asked, by what people call it."""
    hello = _user(Text(text="Hello.", at="messages[0].content[0]"))
    yield "text", Request(messages=hello)
    yield "system instructions", Request(system=[Text(text="Be brief.", at="system")], messages=hello)
    yield (
        "a system message further down",
        Request(messages=[*_said(Text(text="Hi.")), Message(role="system", parts=[Text(text="Be brief.")])]),
    )
    yield "image, inline", Request(messages=_user(Image(data=PIXEL, media_type="image/png", at="messages[0].content[0]")))
    yield "image, by address", Request(messages=_user(Image(url="https://example.com/a.png", at="messages[0].content[0]")))
    yield "audio, inline", Request(messages=_user(Audio(data="UklGRg==", media_type="audio/wav", at="messages[0].content[0]")))
    yield (
        "PDF, inline",
        Request(
            messages=_user(
                Text(text="Read."), File(data="JVBERi0=", media_type="application/pdf", title="a.pdf", at="messages[0].content[1]")
            )
        ),
    )
    yield (
        "PDF, by address",
        Request(
            messages=_user(
                Text(text="Read."), File(url="https://example.com/a.pdf", media_type="application/pdf", at="messages[0].content[1]")
            )
        ),
    )
    yield "a provider's file id", Request(messages=_user(Text(text="Read."), File(file_id="file-1", at="messages[0].content[1]")))
    yield "tools", Request(messages=hello, tools=[TOOL])
    yield "strict tools", Request(messages=hello, tools=[Tool(name="weather", schema=SCHEMA, strict=True, at="tools[0]")])
    yield "custom tools (free text)", Request(messages=hello, tools=[Tool(name="patch", custom=True, at="tools[0]")])
    yield "tool choice: any", Request(messages=hello, tools=[TOOL], tool_choice=ToolChoice("any"))
    yield "tool choice: none", Request(messages=hello, tools=[TOOL], tool_choice=ToolChoice("none"))
    yield "tool choice: one tool", Request(messages=hello, tools=[TOOL], tool_choice=ToolChoice("tool", ["weather"]))
    yield "one tool call at a time", Request(messages=hello, tools=[TOOL], parallel_tools=False)
    yield "tool calls and results", Request(messages=_answered(Text(text="12 degrees")), tools=[TOOL])
    yield "an image as tool result", Request(messages=_answered(Image(data=PIXEL, media_type="image/png")), tools=[TOOL])
    yield "a failed tool result", Request(messages=_answered(Text(text="no such city"), error=True), tools=[TOOL])
    own = Special(vendor="(another)", kind="server_tool_use", raw={}, at="messages[1].content[0]")
    yield "another vendor's own blocks", Request(messages=_said(own))
    yield (
        "another vendor's own tools",
        Request(messages=hello, tools=[VendorTool(vendor="(another)", kind="web_search", raw={}, at="tools[0]")]),
    )
    thought = Reasoning(text="Hm.", signature=Signature("(another)", "c2ln"), at="messages[1].content[0]")
    yield "earlier reasoning of another vendor", Request(messages=_said(thought, Text(text="Hi.")))
    yield "an earlier refusal", Request(messages=_said(Refused(text="No.", at="messages[1].content[0]")))
    cited = Text(text="Oslo.", citations=[Citation(kind="url", url="https://example.com", title="A")], at="messages[1].content[0]")
    yield "citations of an earlier answer", Request(messages=_said(cited))
    yield "answer in JSON", Request(messages=hello, format=Format("json"))
    yield "answer by JSON Schema", Request(messages=hello, format=Format("schema", schema=SCHEMA, name="place", strict=True))
    yield "most output tokens", Request(messages=hello, max_output=100)
    yield "temperature", Request(messages=hello, temperature=0.5)
    yield "temperature above 1", Request(messages=hello, temperature=1.5)
    for slot, value in (("top_p", 0.9), ("top_k", 40), ("min_p", 0.1), ("seed", 7), ("presence_penalty", 0.5), ("frequency_penalty", 0.5)):
        yield slot, Request(messages=hello, **{slot: value})  # type: ignore[arg-type]
    yield "stop sequences", Request(messages=hello, stop=["END"])
    yield "several answers", Request(messages=hello, answers=2)
    yield "log probabilities", Request(messages=hello, logprobs=True, top_logprobs=2)
    yield "logit bias", Request(messages=hello, logit_bias={"50256": -100})
    yield "reasoning effort", Request(messages=hello, max_output=4000, thinking=Thinking(effort="high"))
    yield "reasoning budget", Request(messages=hello, max_output=4000, thinking=Thinking(enabled=True, budget=2048))
    yield "verbosity", Request(messages=hello, verbosity="low")
    yield "spoken answers", Request(messages=hello, modalities=["text", "audio"], audio=AudioOut(voice="alloy", format="wav"))
    yield "predicted output", Request(messages=hello, prediction={"type": "content", "content": "Hi."})
    yield "prompt-cache marks", Request(messages=_user(Text(text="Hello.", cache=Cache(), at="messages[0].content[0]")))
    yield "prompt-cache key", Request(messages=hello, cache_key="k")
    yield "the end user's name", Request(messages=hello, user="u-1")
    yield "service tier", Request(messages=hello, service_tier="auto")


def _facts(wire: str) -> Facts:
    return next(facts for facts in VENDORS if facts.slug == OWN[wire])


def _cell(request: Request, wire: str) -> str:
    model = "anthropic.claude-sonnet-4-6" if wire == "bedrock" else "a-model"
    written = written_best(request, (wire,), model=model, facts=_facts(wire))
    if written.losses.fields:
        return "refused"
    if written.customs:
        return "as functions"
    return "left out" if written.losses.hints else "yes"


def _table(heads: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (heads, ["---"] * len(heads), *rows)]


def _pairs() -> list[str]:
    heads = ["a caller of", *DIALECTS]
    rows = [
        [f"{where} ({wire})", *("bytes pass" if wire == target else "translated" for target in DIALECTS)] for wire, where in CALLERS.items()
    ]
    return _table(heads, rows)


def _others() -> list[str]:
    rows = [[dialect, *(wires.get(operation, "-") for operation in ("embed", "rerank", "count"))] for dialect, wires in OPERATIONS.items()]
    return _table(["providers of", "embeddings", "rerank", "count tokens"], rows)


def _vendors() -> list[str]:
    rows = []
    for facts in (*VENDORS, *LOCAL_VENDORS):
        lacks, adds = ", ".join(sorted(facts.lacks)) or "-", ", ".join(sorted(facts.adds)) or "-"
        rows.append([facts.label, ", ".join(facts.wires), facts.auth, lacks, adds, facts.replays or "-"])
    return _table(["vendor", "speaks", "credential", "lacks", "adds", "takes its reasoning back in"], rows)


def page() -> str:
    rows = [[name, *(_cell(request, wire) for wire in DIALECTS)] for name, request in samples()]
    lines = [
        "# Dialects, and what each can say",
        "",
        "Made by `make docs`; a test fails when it is out of date.",
        "",
        "## Who can call whom",
        "",
        "Where a provider speaks the caller's dialect the bytes pass, and every field with them. Otherwise the call is translated,",
        "unless the model is set to *native only*.",
        "",
        *_pairs(),
        "",
        "What is not generation:",
        "",
        *_others(),
        "",
        "## What survives a translation",
        "",
        "*yes*: said in the target's own words. *as functions*: a tool of free text is a function there, and comes back as what it is.",
        "*left out*: changes how an answer is made or billed and not what is asked, or can only be said nearly; the call goes on, and",
        "`x-customhouse-dropped` names it. *refused*: 400 that names the field and the target; with `x-customhouse-lossy: allow` the call",
        "goes on, and `x-customhouse-dropped` names it. Columns are for each dialect's own vendor; fields that are one vendor's own are",
        "refused everywhere else.",
        "",
        *_table(["asked for", *DIALECTS], rows),
        "",
        "## Vendors",
        "",
        *_vendors(),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(page())
