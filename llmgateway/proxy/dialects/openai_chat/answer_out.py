"""A whole answer, written as a chat completion.

A message has one text: texts that follow each other are one, and offsets of citations move along. Only citations of an
address have a place. Reasoning is told as `reasoning_content`, and as `reasoning_details` where more than a text must
come back. A caller who asked with the older `functions` gets a `function_call`.
"""

from __future__ import annotations

from llmgateway.proxy.conversation.answer import TOOL, Answer, Candidate
from llmgateway.proxy.conversation.parts import AnyPart, Audio, Citation, Image, Json, Refused, Text, ToolCall
from llmgateway.proxy.dialects.dialect import Asked
from llmgateway.proxy.dialects.openai_chat import details
from llmgateway.proxy.dialects.openai_chat.media import data_url
from llmgateway.proxy.dialects.openai_chat.names import CHAT, GEMINI
from llmgateway.proxy.dialects.openai_chat.stops import refuses, write_stop
from llmgateway.proxy.dialects.openai_chat.usage import write_usage

Made = dict[str, Json]
TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})


def envelope(answer_id: str, created: int, asked: Asked, kind: str) -> Made:
    return {"id": answer_id or f"chatcmpl-{asked.id}", "object": kind, "created": created or asked.created, "model": asked.model}


def legacy(asked: Asked) -> bool:
    return isinstance(asked.body, dict) and bool(asked.body.get("functions"))


def render_answer(answer: Answer, asked: Asked) -> Json:
    made = envelope(answer.id, answer.created, asked, "chat.completion")
    made["choices"] = [_choice(number, candidate, asked) for number, candidate in enumerate(answer.candidates)]
    if answer.usage:
        made["usage"] = write_usage(answer.usage)
    if answer.service_tier in TIERS:
        made["service_tier"] = answer.service_tier
    return made


def _choice(number: int, candidate: Candidate, asked: Asked) -> Made:
    stop = write_stop(candidate.stop, refused=refuses(candidate.parts))
    message = _message(candidate.parts, asked)
    if candidate.stop == TOOL and legacy(asked) and "tool_calls" in message:
        message["function_call"] = message.pop("tool_calls")[0]["function"]
        stop = "function_call"
    made = {"index": number, "message": message, "logprobs": candidate.logprobs, "finish_reason": stop}
    if candidate.native_stop:
        made["native_finish_reason"] = candidate.native_stop
    return made


def _message(parts: list[AnyPart], asked: Asked) -> Made:
    texts = [part for part in parts if isinstance(part, Text)]
    refusals = [part.text for part in parts if isinstance(part, Refused)]
    message: Made = {
        "role": "assistant",
        "content": "".join(part.text for part in texts) if texts else None,
        "refusal": "".join(refusals) if refusals else None,
    }
    lists = {
        "annotations": _annotations(texts),
        "images": [image(part) for part in parts if isinstance(part, Image)],
        "tool_calls": [call(part) for part in parts if isinstance(part, ToolCall)],
    }
    heard = [part for part in parts if isinstance(part, Audio)]
    if heard:
        message["audio"] = _audio(heard[0], asked)
    shown, lists["reasoning_details"] = details.tell(parts)
    if shown:
        message["reasoning_content"] = shown
    return message | {name: entries for name, entries in lists.items() if entries}


def _annotations(texts: list[Text]) -> list[Made]:
    made, offset = [], 0
    for text in texts:
        made += [told for citation in text.citations if (told := annotation(citation, offset, len(text.text))) is not None]
        offset += len(text.text)
    return made


def annotation(citation: Citation, offset: int, length: int) -> Made | None:
    """None for one that has no place here: of a document, which no caller of this dialect can ask to be cited."""
    if citation.vendor == CHAT and isinstance(citation.raw, dict):
        return dict(citation.raw)
    if not citation.url:
        return None
    start = offset + (citation.start or 0)
    end = offset + (length if citation.end is None else citation.end)
    inner = {"url": citation.url, "title": citation.title, "start_index": start, "end_index": end}
    return {"type": "url_citation", "url_citation": inner | ({"content": citation.quote} if citation.quote else {})}


def image(part: Image) -> Made:
    return {"type": "image_url", "image_url": {"url": data_url(part.media_type, part.data) if part.data else part.url}}


def call(part: ToolCall) -> Made:
    made: Made = {"id": part.id}
    if part.custom:
        made |= {"type": "custom", "custom": {"name": part.name, "input": part.arguments}}
    else:
        made |= {"type": "function", "function": {"name": part.name, "arguments": part.arguments or "{}"}}
    return made | signed(part)


def signed(part: ToolCall) -> Made:
    """Gemini's signature of a call has a place of its own, Google's."""
    if part.signature is None or part.signature.vendor != GEMINI:
        return {}
    return {"extra_content": {"google": {"thought_signature": part.signature.value}}}


def _audio(part: Audio, asked: Asked) -> Made:
    made = {"id": part.audio_id or audio_id(asked), "data": part.data, "transcript": part.transcript}
    return made | {"expires_at": part.expires_at or asked.created}


def audio_id(asked: Asked) -> str:
    """Of sound that its vendor gave no name."""
    return f"audio_{asked.id}"
