"""What the tests of OpenAI's chat dialect share: targets by provider of the corpus, callers, and what says the same."""

from __future__ import annotations

from typing import Any

import msgspec

from llmgateway.proxy.conversation.answer import Answer
from llmgateway.proxy.conversation.parts import AnyPart, Refused, Text, ToolCall
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.dialect import Asked, Target
from llmgateway.proxy.dialects.openai_chat.codec import DIALECT
from llmgateway.proxy.providers import LOCAL_VENDORS, UNKNOWN, VENDORS, Facts
from tests.fakes.cassettes import Cassette, select

PROVIDERS = ("openai", "openrouter", "groq", "mistral", "deepseek", "cerebras", "ollama", "google")
ROWS = {facts.slug: facts for facts in (*VENDORS, *LOCAL_VENDORS)}

_OLDER = {"google": UNKNOWN["openai"]}
"""Google's endpoint of this dialect has no row of its own."""

REQUEST = Request(stream=True, stream_usage=True)


def cassettes() -> list[Cassette]:
    return select(PROVIDERS, ["completions"])


def target(provider: str, model: str = "some-model", **changes: Any) -> Target:
    facts: Facts = _OLDER.get(provider) or ROWS[provider]
    return Target(DIALECT.name, model, facts._replace(**changes))


def asked(model: str = "some-model", body: Any = None, request: Request = REQUEST) -> Asked:
    return Asked(request=request, body=body or {}, model=model, id="0000-1111", created=1_700_000_000)


def joined(parts: list[AnyPart]) -> list[AnyPart]:
    """Texts of one kind that follow each other, as one, wherever they stood: where a text is cut says nothing in this dialect,
    and a call without arguments has none."""
    made: list[AnyPart] = []
    for part in parts:
        last = made[-1] if made else None
        if isinstance(part, Text | Refused) and type(last) is type(part) and last.signature is None and part.signature is None:
            made[-1] = _glued(last, part)
        else:
            made.append(msgspec.structs.replace(part, at=""))
        if isinstance(made[-1], ToolCall) and not made[-1].custom:
            made[-1].arguments = made[-1].arguments or "{}"
    return made


def _glued(one: Any, other: Any) -> AnyPart:
    glued = msgspec.structs.replace(one, text=one.text + other.text)
    if isinstance(glued, Text):
        moved = [
            msgspec.structs.replace(cited, start=cited.start + len(one.text), end=cited.end + len(one.text)) for cited in other.citations
        ]
        glued.citations = [*one.citations, *moved]
    result: AnyPart = glued
    return result


def told(answer: Answer) -> list[Any]:
    """What a caller is told of an answer, whatever else its vendor says."""
    candidates = [(joined(candidate.parts), candidate.stop, candidate.native_stop, candidate.logprobs) for candidate in answer.candidates]
    return [answer.id, answer.model, answer.created, answer.usage, *candidates]


def replayed(message: Any, calls: Any = ()) -> list[AnyPart]:
    """The parts of an assistant's message that its caller sends back in its next request."""
    results = [{"role": "tool", "tool_call_id": call, "content": "done"} for call in calls]
    body = {"model": "m", "messages": [{"role": "user", "content": "?"}, message, *results, {"role": "user", "content": "Go on."}]}
    request = DIALECT.parse_request(body, "", False)
    assert request.extra == {}
    return joined(request.messages[1].parts)
