"""What the tests of the Gemini dialect share: the official SDK without a network, spellings, targets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import httpx
from google import genai
from google.genai import types
from google.genai.models import Models

from llmgateway.proxy.conversation.answer import Answer, Candidate
from llmgateway.proxy.conversation.events import Event
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import AnyPart, Reasoning, Text
from llmgateway.proxy.conversation.request import ASSISTANT, USER, Message, Request
from llmgateway.proxy.dialects.dialect import Asked, Target
from llmgateway.proxy.dialects.gemini.codec import DIALECT
from llmgateway.proxy.providers import VENDORS
from tests.fakes.cassettes import Cassette, select

FACTS = {facts.slug: facts for facts in VENDORS}
GOOGLE, VERTEX = FACTS["google"], FACTS["google-vertex"]
GENERATE = ("generateContent", "streamGenerateContent")


def recorded() -> list[Cassette]:
    return select(("google", "google-vertex"), GENERATE)


def model_of(cassette: Cassette) -> str:
    """The model stands in the address."""
    return cassette.path.rpartition("/models/")[2].rpartition(":")[0]


def parsed(body: Any, model: str = "gemini-2.5-flash") -> Request:
    return DIALECT.parse_request(body, model, False)


def conversation(*messages: Message, **slots: Any) -> Request:
    return Request(model="m", messages=list(messages), **slots)


def user(*parts: Any) -> Message:
    return Message(role=USER, parts=list(parts), at="messages[0]")


def model(*parts: Any) -> Message:
    return Message(role=ASSISTANT, parts=list(parts), at="messages[1]")


def target(model: str = "gemini-2.5-flash", slug: str = "google") -> Target:
    return Target("gemini", model, FACTS[slug])


def written(request: Request, to: Target | None = None) -> tuple[Any, Losses]:
    goal = to or target()
    losses = Losses(goal.label)
    return DIALECT.render_request(request, goal, losses), losses


def asked(model: str = "named-model", answer_id: str = "req_1") -> Asked:
    return Asked(Request(model=model), {}, model, answer_id, 1_700_000_000)


def read_in(data: bytes, sizes: Iterable[int] = (1,)) -> list[Event]:
    """The events of a stream that comes in pieces of these sizes, over and over."""
    reader, events, place = DIALECT.reader(), [], 0
    pattern = list(sizes)
    turn = 0
    while place < len(data):
        size = pattern[turn % len(pattern)]
        events += reader.feed(data[place : place + size])
        place, turn = place + size, turn + 1
    return [*events, *reader.finish()]


def spelled(value: Any) -> Any:
    """The same in camel case, types of a schema in capitals: Google reads every spelling as this one."""
    if isinstance(value, dict):
        named = {re.sub(r"(?<=[a-z0-9])_([a-z0-9])", lambda match: match[1].upper(), key): spelled(item) for key, item in value.items()}
        return {key: item for key, item in named.items() if item is not None}
    return [spelled(item) for item in value] if isinstance(value, list) else value


def unsigned_texts(answer: Answer) -> Answer:
    """Signed texts and thoughts as a stream may give them: the text, and an empty one with the signature behind it. Texts of a
    kind that follow each other are one."""
    return Answer(
        id=answer.id,
        created=answer.created,
        usage=answer.usage,
        candidates=[
            Candidate(parts=_split(one.parts), stop=one.stop, native_stop=one.native_stop, logprobs=one.logprobs)
            for one in answer.candidates
        ],
    )


def _split(parts: list[AnyPart]) -> list[AnyPart]:
    told: list[AnyPart] = []
    for part in parts:
        if not isinstance(part, Text | Reasoning):
            told.append(part)
            continue
        kind = type(part)
        last = told[-1] if told else None
        if part.text and type(last) is kind and last.signature is None and isinstance(last, Text | Reasoning):
            last.text += part.text
        elif part.text:
            told.append(kind(text=part.text))
        if part.signature is not None:
            told.append(kind(text="", signature=part.signature))
    return told


_answered: dict[str, httpx.Response] = {}
_options = types.HttpOptions(client_args={"transport": httpx.MockTransport(lambda request: _answered["now"])})
_client = genai.Client(api_key="unused", http_options=_options)
"""One for all tests: making one takes longer than asking it, and it closes its connections when it is forgotten."""


def sdk(body: bytes, content_type: str = "text/event-stream", status: int = 200) -> Models:
    """The official client's calls, answered with this body whatever they ask."""
    _answered["now"] = httpx.Response(status, headers={"content-type": content_type}, content=body)
    return _client.models
