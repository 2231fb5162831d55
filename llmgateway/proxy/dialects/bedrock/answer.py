"""Converse's answers, whole."""

from __future__ import annotations

from llmgateway.proxy.conversation.answer import END, FILTER, LENGTH, PAUSE, SEQUENCE, TOOL, Answer, Candidate
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import AnyPart, Audio, File, Image, Json, Reasoning, Refused, Special, Text, ToolCall
from llmgateway.proxy.dialects.bedrock.blocks_in import Blocks
from llmgateway.proxy.dialects.bedrock.blocks_out import reasoning_block, sealed_block, text_block
from llmgateway.proxy.dialects.bedrock.media import VENDOR, write_audio, write_file, write_image
from llmgateway.proxy.dialects.bedrock.usage import from_converse, to_converse
from llmgateway.proxy.dialects.dialect import Asked
from llmgateway.proxy.dialects.jsontext import arguments_of
from llmgateway.proxy.dialects.members import Members, unreadable

STOPS = {
    "end_turn": END,
    "tool_use": TOOL,
    "max_tokens": LENGTH,
    "stop_sequence": SEQUENCE,
    "guardrail_intervened": FILTER,
    "content_filtered": FILTER,
    "model_context_window_exceeded": LENGTH,
    "malformed_model_output": END,
    "malformed_tool_use": END,
}
TOLD = {END: "end_turn", TOOL: "tool_use", LENGTH: "max_tokens", SEQUENCE: "stop_sequence", FILTER: "content_filtered", PAUSE: "end_turn"}


def read_stop(reason: str, fields: Json) -> Candidate:
    """A candidate without parts. The vendor's own word is kept where the house's says less."""
    stop = STOPS.get(reason, END)
    sequence = fields.get("stop_sequence") if isinstance(fields, dict) else None
    return Candidate(
        stop=stop,
        stop_sequence=sequence if stop == SEQUENCE and isinstance(sequence, str) else None,
        native_stop="" if TOLD[stop] == reason else reason,
    )


def write_stop(stop: str, native: str) -> str:
    return native if STOPS.get(native) == stop else TOLD.get(stop, "end_turn")


def parse_answer(body: Json) -> Answer:
    """Raises Unreadable."""
    whole = Members(body, "", unreadable)
    message = whole.needed("output").needed("message")
    blocks = Blocks(unreadable)
    for place, raw in enumerate(message.array("content")):
        blocks.read(raw, f"{message.path('content')}[{place}]")
    fields = whole.take("additionalModelResponseFields")
    said = read_stop(whole.needed_text("stopReason"), fields)
    said.parts = blocks.parts
    tier = whole.inner("serviceTier")
    answer = Answer(candidates=[said], usage=from_converse(whole.take("usage")), service_tier=tier.text("type") if tier is not None else "")
    answer.extra = whole.left() | ({} if fields is None else {"additionalModelResponseFields": fields})
    return answer


def render_answer(answer: Answer, asked: Asked) -> Json:
    """The first candidate: Converse gives one."""
    said = answer.candidates[0] if answer.candidates else Candidate()
    blocks = [block for part in said.parts for block in answer_blocks(part)]
    body: dict[str, Json] = {
        "output": {"message": {"role": "assistant", "content": blocks}},
        "stopReason": write_stop(said.stop, said.native_stop),
        "usage": to_converse(answer.usage),
        "metrics": {"latencyMs": 0},
    }
    if said.stop_sequence is not None:
        body["additionalModelResponseFields"] = {"stop_sequence": said.stop_sequence}
    if answer.service_tier:
        body["serviceTier"] = {"type": answer.service_tier}
    return body


def answer_blocks(part: AnyPart) -> list[Json]:
    """A part that is another vendor's own says nothing here."""
    block = _answer_block(part)
    if block is None:
        return []
    if part.signature is not None and not isinstance(part, Reasoning):
        return [sealed_block(part.signature, "part"), block]
    return [block]


def _answer_block(part: AnyPart) -> Json:
    unheard = Losses("")
    match part:
        case Text():
            return text_block(part)
        case Refused():
            return {"text": part.text}
        case Reasoning():
            return reasoning_block(part)
        case ToolCall():
            arguments = arguments_of(part)
            return {"toolUse": {"toolUseId": part.id, "name": part.name, "input": part.arguments if arguments is None else arguments}}
        case Image():
            return write_image(part, unheard)
        case Audio():
            return write_audio(part, unheard) or ({"text": part.transcript} if part.transcript else None)
        case File():
            return write_file(part, unheard, set())
        case Special(vendor=vendor, raw=raw) if vendor == VENDOR:
            return raw
    return None
