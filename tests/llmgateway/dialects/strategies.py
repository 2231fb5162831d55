"""Conversations out of thin air: strategies for the one typed conversation, shared by the tests of every dialect.

Each strategy gives what at least one dialect can say; a test narrows it to what its own can (`answers(part=…)`,
`requests(said=…)`) instead of filtering. Conversations hang together: a tool result follows the call it answers, a
named tool choice names a tool that is there, roles alternate.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from llmgateway.proxy.conversation.answer import END, LENGTH, TOOL, Answer, Candidate
from llmgateway.proxy.conversation.events import Delta, Event, Open, unfold
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
    Text,
    ToolCall,
    ToolResult,
)
from llmgateway.proxy.conversation.request import ASSISTANT, USER, AudioOut, Format, Message, Request, Thinking, Tool, ToolChoice

VENDORS = ("anthropic", "gemini", "openai-chat", "openai-responses", "bedrock", "cohere")
Drawn = Callable[[SearchStrategy[Any]], Any]

texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=24)
"""Never empty: most dialects refuse an empty text. Quotes, controls, line ends of all kinds and astral characters occur."""

names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_-]{0,15}", fullmatch=True)
ids = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)
tokens = st.integers(0, 10**7)
urls = names.map(lambda name: f"https://example.com/{name}.bin")
base64_data = st.binary(min_size=1, max_size=24).map(lambda data: base64.b64encode(data).decode())

json_leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts
json_values = st.recursive(json_leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6)
"""Any JSON, for bodies that nobody meant."""

json_objects = st.dictionaries(names, json_values, max_size=3)
arguments = json_objects.map(lambda value: msgspec.json.encode(value).decode())
"""The JSON text of an object, compact, as dialects with objects give it back."""

loose_arguments = arguments | json_objects.map(lambda value: json.dumps(value, indent=1)) | st.just("") | texts
"""Also spaced, empty or no JSON at all: what models write."""


def signatures(vendors: Iterable[str] = VENDORS) -> SearchStrategy[Signature]:
    return st.builds(Signature, st.sampled_from(tuple(vendors)), ids)


caches = st.builds(Cache, st.sampled_from(("5m", "1h")))


def plain_texts(cited: bool = False) -> SearchStrategy[Text]:
    """Without citations unless asked for: how they are told differs most from dialect to dialect."""
    if not cited:
        return st.builds(Text, text=texts)
    citation = st.builds(Citation, kind=st.just("url"), url=urls, title=texts, start=st.integers(0, 99), end=st.integers(100, 200))
    return st.builds(Text, text=texts, citations=st.lists(citation, max_size=2))


images = st.builds(Image, data=base64_data, media_type=st.sampled_from(("image/png", "image/jpeg", "image/webp"))) | st.builds(
    Image, url=urls
)
detailed_images = st.builds(Image, url=urls, detail=st.sampled_from(("low", "high", "auto")))
sounds = st.builds(Audio, data=base64_data, media_type=st.sampled_from(("audio/wav", "audio/mpeg")))
documents = st.builds(File, data=base64_data, media_type=st.just("application/pdf"), title=texts)
refusals = st.builds(Refused, text=texts)
open_reasoning = st.builds(Reasoning, text=texts)


def reasoning(vendors: Iterable[str] = VENDORS) -> SearchStrategy[Reasoning]:
    """As signing vendors give it: readable and signed, or redacted with only the signature."""
    signature = signatures(vendors)
    signed = st.builds(Reasoning, text=texts, signature=signature)
    return signed | st.builds(Reasoning, redacted=st.just(True), signature=signature)


def tool_calls(texts_of: SearchStrategy[str] = arguments) -> SearchStrategy[ToolCall]:
    return st.builds(ToolCall, id=ids, name=names, arguments=texts_of)


@st.composite
def usages(draw: Drawn, *, audio: bool = False, written: bool = True) -> dict[str, int]:
    """The house's buckets. Reasoning is part of the output, audio part of either side."""
    usage = {name: draw(tokens) for name in ("input", "cached_read", "output")}
    usage |= {name: draw(tokens) if written else 0 for name in ("cache_write_5m", "cache_write_1h")}
    usage["reasoning"] = draw(st.integers(0, usage["output"]))
    if audio:
        sides = {"audio_input": usage["input"], "audio_output": usage["output"]}
        usage |= {name: amount for name, most in sides.items() if (amount := draw(st.integers(0, most)))}
    return usage


said_parts: SearchStrategy[AnyPart] = plain_texts() | tool_calls()
"""What every dialect's model can say."""


def _distinct(parts: list[AnyPart]) -> bool:
    called = [part.id for part in parts if isinstance(part, ToolCall)]
    return len(called) == len(set(called))


@st.composite
def candidates(draw: Drawn, part: SearchStrategy[AnyPart] = said_parts, most: int = 4) -> Candidate:
    """Ends with `tool` exactly when it calls one, as models do."""
    parts = draw(st.lists(part, min_size=1, max_size=most).filter(_distinct))
    calls = any(isinstance(made, ToolCall) for made in parts)
    return Candidate(parts=parts, stop=TOOL if calls else draw(st.sampled_from((END, LENGTH))))


@st.composite
def answers(
    draw: Drawn,
    *,
    part: SearchStrategy[AnyPart] = said_parts,
    most: int = 1,
    usage: SearchStrategy[dict[str, int]] | None = None,
) -> Answer:
    """`most` is the highest number of candidates."""
    said = draw(st.lists(candidates(part), min_size=1, max_size=most))
    counts = draw(usages() if usage is None else usage)
    return Answer(id=draw(ids), model=draw(names), created=draw(st.integers(1, 2**31)), candidates=said, usage=counts)


def _pieces(draw: Drawn, event: Event) -> list[Event]:
    """A delta cut in two, where hypothesis likes."""
    if not isinstance(event, Delta) or len(event.text) < 2 or not draw(st.booleans()):
        return [event]
    cut = draw(st.integers(1, len(event.text) - 1))
    return [msgspec.structs.replace(event, text=event.text[:cut]), msgspec.structs.replace(event, text=event.text[cut:])]


@st.composite
def streams(draw: Drawn, told: SearchStrategy[Answer], *, together: bool = True) -> list[Event]:
    """The events of an answer, texts cut into several deltas. With `together`, several parts may be open at once and
    candidates alternate; what belongs to one part keeps its order, and parts open in the order of their indexes."""
    lanes: dict[tuple[int, int], list[Event]] = {}
    ends: list[Event] = []
    first, *rest = unfold(draw(told))
    for event in rest:
        place = (getattr(event, "candidate", -1), getattr(event, "index", -1))
        lanes.setdefault(place, []).extend(_pieces(draw, event)) if place[1] >= 0 else ends.append(event)
    if not together:
        return [first, *(event for lane in lanes.values() for event in lane), *ends]
    mixed = []
    while lanes:
        place = draw(st.sampled_from([place for place in lanes if _may_go_on(place, lanes)]))
        mixed.append(lanes[place].pop(0))
        if not lanes[place]:
            del lanes[place]
    return [first, *mixed, *ends]


def _may_go_on(place: tuple[int, int], lanes: dict[tuple[int, int], list[Event]]) -> bool:
    if not isinstance(lanes[place][0], Open):
        return True
    before = [lane for other, lane in lanes.items() if other[0] == place[0] and other[1] < place[1]]
    return not any(isinstance(lane[0], Open) for lane in before)


schemas = st.dictionaries(names, st.sampled_from(({"type": "string"}, {"type": "integer"}, {"type": "boolean"})), max_size=3).map(
    lambda properties: {"type": "object", "properties": properties}
)
tools = st.builds(Tool, name=names, description=st.just("") | texts, schema=schemas)


@st.composite
def turns(draw: Drawn, user: SearchStrategy[AnyPart], assistant: SearchStrategy[AnyPart]) -> list[Message]:
    """Begins and ends with the user; every call is answered in the message that follows it."""
    messages = [Message(role=USER, parts=draw(st.lists(user, min_size=1, max_size=3)))]
    for number in range(draw(st.integers(0, 2))):
        said = draw(st.lists(assistant, min_size=1, max_size=3))
        for place, part in enumerate(said):
            if isinstance(part, ToolCall):
                part.id = f"call{number}x{place}00"[:9]
        results = [
            ToolResult(call_id=part.id, name=part.name, content=[draw(plain_texts())], custom=part.custom)
            for part in said
            if isinstance(part, ToolCall)
        ]
        messages.append(Message(role=ASSISTANT, parts=said))
        messages.append(Message(role=USER, parts=results or draw(st.lists(user, min_size=1, max_size=3))))
    return messages


SLOTS: dict[str, SearchStrategy[Any]] = {
    "parallel_tools": st.booleans(),
    "max_output": st.integers(1, 100_000),
    "temperature": st.sampled_from((0.0, 0.25, 1.0)),
    "top_p": st.sampled_from((0.1, 0.5, 1.0)),
    "top_k": st.integers(1, 100),
    "min_p": st.sampled_from((0.1, 0.5)),
    "stop": st.lists(texts, min_size=1, max_size=4),
    "seed": st.integers(0, 2**31),
    "presence_penalty": st.sampled_from((-1.0, 0.0, 1.5)),
    "frequency_penalty": st.sampled_from((-1.0, 0.0, 1.5)),
    "logprobs": st.booleans(),
    "top_logprobs": st.integers(0, 20),
    "logit_bias": st.dictionaries(st.integers(0, 50_000).map(str), st.integers(-100, 100), min_size=1, max_size=3),
    "answers": st.integers(1, 8),
    "format": st.sampled_from((Format("text"), Format("json")))
    | st.builds(Format, st.just("schema"), schema=schemas, name=names, strict=st.none() | st.booleans()),
    "thinking": st.builds(Thinking, effort=st.sampled_from(("low", "medium", "high"))),
    "verbosity": st.sampled_from(("low", "medium", "high")),
    "audio": st.builds(AudioOut, voice=names, format=st.sampled_from(("wav", "mp3"))),
    "user": ids,
    "service_tier": st.sampled_from(("auto", "default", "flex")),
    "cache_key": ids,
}
"""Slots that stand alone, with what they may hold."""

ONLY_WITH_TOOLS = frozenset({"parallel_tools"})


@st.composite
def requests(
    draw: Drawn,
    *,
    user: SearchStrategy[AnyPart] | None = None,
    assistant: SearchStrategy[AnyPart] = said_parts,
    said: Iterable[str] = SLOTS,
) -> Request:
    """`user` and `assistant` are the parts of either side (tool results come by themselves), `said` the slots that may
    be filled beside system, messages, tools and tool choice."""
    request = Request(
        model=draw(names),
        system=draw(st.lists(plain_texts(), max_size=2)),
        messages=draw(turns(plain_texts() if user is None else user, assistant)),
        tools=draw(st.lists(tools, max_size=3, unique_by=lambda tool: tool.name)),
        stream=draw(st.booleans()),
    )
    for slot in draw(st.sets(st.sampled_from(sorted(said)), max_size=5)) if said else ():
        if request.tools or slot not in ONLY_WITH_TOOLS:
            setattr(request, slot, draw(SLOTS[slot]))
    if request.tools:
        called = [tool.name for tool in request.tools]
        chosen = st.sampled_from(("auto", "none", "any")).map(ToolChoice) | st.sampled_from(called).map(
            lambda name: ToolChoice("tool", [name])
        )
        request.tool_choice = draw(st.none() | chosen)
    return request
