"""The items of an answer, written while they come: one at a time, with the events that tell of them.

An item is finished when the next one begins or the answer ends, for only then is it known whether it was cut short.
"""

from __future__ import annotations

from llmgateway.proxy.conversation.parts import (
    AnyPart,
    Audio,
    Citation,
    Image,
    Json,
    Reasoning,
    Refused,
    Signature,
    Special,
    Text,
    ToolCall,
)
from llmgateway.proxy.dialects.openai_responses.citations import annotation
from llmgateway.proxy.dialects.openai_responses.names import NAME
from llmgateway.proxy.dialects.openai_responses.namespaces import Spaced
from llmgateway.proxy.dialects.openai_responses.sealing import seal, seal_after

Told = list[dict[str, Json]]
PREFIXES = {"message": "msg", "function_call": "fc", "custom_tool_call": "ctc", "reasoning": "rs", "image_generation_call": "ig"}


class OutputWriter:
    """Parts come whole one after the other: `open`, what grows it, `close`. `told` are the events since it was last
    emptied; `items` are the items so far."""

    def __init__(self, token: str, spaces: dict[str, Spaced]) -> None:
        self.items: list[dict[str, Json]] = []
        self.told: Told = []
        self._token = token
        self._spaces = spaces
        self._ids: set[str] = set()
        self._open = False
        self._part: AnyPart | None = None
        self._signature: Signature | None = None
        self._pieces: list[str] = []
        self._summary: list[list[str]] = []
        self._citations: list[Citation] = []
        self._logprobs: list[Json] = []

    def open(self, part: AnyPart) -> None:
        self._part = part
        self._signature = part.signature
        self._pieces, self._summary, self._citations = [], [], []
        match part:
            case Text() | Audio():
                self._begin_content({"type": "output_text", "text": "", "annotations": [], "logprobs": []})
            case Refused():
                self._begin_content({"type": "refusal", "refusal": ""})
            case ToolCall():
                self._begin(_call(part, self._spaces), part.item_id)
            case Reasoning():
                self._begin({"type": "reasoning", "summary": []}, part.id)
            case Special() if part.vendor == NAME and isinstance(part.raw, dict):
                self._begin({"type": part.kind, **part.raw}, "")
            case Image() if part.data:
                form = part.media_type.removeprefix("image/") or "png"
                self._begin({"type": "image_generation_call", "result": part.data, "output_format": form}, "")
            case _:
                self._part = None

    def grow(self, text: str, summary: int | None) -> None:
        match self._part:
            case Text() | Audio():
                # Probabilities that came ahead of the text go with it.
                self._pieces.append(text)
                self._tell("response.output_text.delta", content_index=self._content, delta=text, logprobs=self._logprobs[:])
                self._item["content"][-1]["logprobs"] += self._logprobs
                self._logprobs = []
            case Refused():
                self._pieces.append(text)
                self._tell("response.refusal.delta", content_index=self._content, delta=text)
            case ToolCall() as part:
                self._pieces.append(text)
                self._tell(f"response.{_input_of(part)}.delta", delta=text)
            case Reasoning() if summary is not None:
                self._grow_summary(text, summary)
            case Reasoning():
                self._grow_reasoning(text)
            case _:
                pass

    def sign(self, signature: Signature) -> None:
        self._signature = signature

    def cite(self, citation: Citation) -> None:
        self._citations.append(citation)

    def log(self, entries: list[Json]) -> None:
        self._logprobs += entries

    def close(self) -> None:
        text = "".join(self._pieces)
        match self._part:
            case Text() | Audio():
                self._close_text(text)
            case Refused():
                self._item["content"][-1]["refusal"] = text
                self._tell("response.refusal.done", content_index=self._content, refusal=text)
                self._content_done()
            case ToolCall() as part:
                if not text and not part.custom:
                    # A function that takes nothing: its caller decodes the arguments.
                    self.grow("{}", None)
                    text = "{}"
                name = "input" if part.custom else "arguments"
                self._item[name] = text
                self._tell(f"response.{_input_of(part)}.done", **{name: text})
            case Reasoning() as part:
                self._close_reasoning(part, text)
            case None:
                return
            case _:
                pass
        if self._signature is not None and not isinstance(self._part, Reasoning):
            self._begin({"type": "reasoning", "summary": [], "encrypted_content": seal_after(self._signature)}, "")
        self._part = None

    def finish(self, status: str = "completed") -> None:
        """The last item is done."""
        if not self._open:
            return
        if self._item["type"] in ("message", "function_call", "image_generation_call"):
            self._item["status"] = status if self._item["type"] != "image_generation_call" else "completed"
        self._open = False
        self._tell("response.output_item.done", item=_copy(self._item), item_id=None)

    def end(self, status: str) -> None:
        """Also what came too late for its item is in its final form."""
        self.finish(status)
        texts = [content for item in self.items for content in item.get("content") or () if content.get("type") == "output_text"]
        if texts and self._logprobs:
            texts[-1]["logprobs"] += self._logprobs
            self._logprobs = []

    @property
    def _item(self) -> dict[str, Json]:
        return self.items[-1]

    @property
    def _content(self) -> int:
        return len(self._item["content"]) - 1

    def _tell(self, kind: str, **members: Json) -> None:
        event = {"type": kind, "item_id": self._item.get("id"), "output_index": len(self.items) - 1, **members}
        if event["item_id"] is None:
            del event["item_id"]
        self.told.append(event)

    def _begin(self, item: dict[str, Json], ident: str) -> None:
        """`ident` is the item's id where its vendor gave one; no two items may have the same."""
        self.finish()
        kind = item["type"]
        self.items.append(item)
        if "id" not in item:
            made = f"{PREFIXES.get(kind, 'item')}_{self._token}{len(self.items) - 1:04d}"
            item["id"] = ident if ident and ident not in self._ids else made
            self._ids.add(item["id"])
        self._open = True
        shown = _copy(item)
        if kind in ("message", "function_call", "image_generation_call"):
            shown["status"] = "in_progress"
        self._tell("response.output_item.added", item=shown, item_id=None)

    def _begin_content(self, content: dict[str, Json]) -> None:
        """Texts and refusals in a row are one message."""
        if not self._open or self._item["type"] != "message":
            self._begin({"type": "message", "role": "assistant", "content": []}, "")
        self._item["content"].append(content)
        self._tell("response.content_part.added", content_index=self._content, part=_copy(content))

    def _content_done(self) -> None:
        self._tell("response.content_part.done", content_index=self._content, part=_copy(self._item["content"][-1]))

    def _close_text(self, text: str) -> None:
        content = self._item["content"][-1]
        content["text"] = text
        content["logprobs"] += self._logprobs
        self._logprobs = []
        for place, cited in enumerate(self._citations):
            told = annotation(cited, len(text))
            content["annotations"].append(told)
            self._tell("response.output_text.annotation.added", content_index=self._content, annotation_index=place, annotation=told)
        self._tell("response.output_text.done", content_index=self._content, text=text, logprobs=content["logprobs"][:])
        self._content_done()

    def _grow_reasoning(self, text: str) -> None:
        if not self._pieces:
            self._item["content"] = [{"type": "reasoning_text", "text": ""}]
            self._tell("response.content_part.added", content_index=0, part={"type": "reasoning_text", "text": ""})
        self._pieces.append(text)
        self._tell("response.reasoning_text.delta", content_index=0, delta=text)

    def _grow_summary(self, text: str, place: int) -> None:
        """Pieces come in order; what comes late for an earlier one is in its final form."""
        while len(self._summary) <= place:
            self._close_summary()
            self._summary.append([])
            shown = {"type": "summary_text", "text": ""}
            self._tell("response.reasoning_summary_part.added", summary_index=len(self._summary) - 1, part=shown)
        self._summary[place].append(text)
        if place == len(self._summary) - 1 and text:
            self._tell("response.reasoning_summary_text.delta", summary_index=place, delta=text)

    def _close_summary(self) -> None:
        if not self._summary:
            return
        place, text = len(self._summary) - 1, "".join(self._summary[-1])
        self._tell("response.reasoning_summary_text.done", summary_index=place, text=text)
        self._tell("response.reasoning_summary_part.done", summary_index=place, part={"type": "summary_text", "text": text})

    def _close_reasoning(self, part: Reasoning, text: str) -> None:
        self._close_summary()
        summary = ["".join(pieces) for pieces in self._summary]
        self._item["summary"] = [{"type": "summary_text", "text": piece} for piece in summary]
        if self._pieces:
            self._item["content"] = [{"type": "reasoning_text", "text": text}]
            self._tell("response.reasoning_text.done", content_index=0, text=text)
            self._content_done()
        sealed = seal(Reasoning(text=text, redacted=part.redacted, signature=self._signature))
        if sealed is not None:
            self._item["encrypted_content"] = sealed


def _call(part: ToolCall, spaces: dict[str, Spaced]) -> dict[str, Json]:
    spaced = spaces.get(part.name)
    item: dict[str, Json] = {
        "type": "custom_tool_call" if part.custom else "function_call",
        "call_id": part.id,
        "name": spaced.name if spaced else part.name,
        "input" if part.custom else "arguments": "",
    }
    if spaced:
        item["namespace"] = spaced.namespace
    return item


def _input_of(part: ToolCall) -> str:
    return "custom_tool_call_input" if part.custom else "function_call_arguments"


def _copy(value: dict[str, Json]) -> dict[str, Json]:
    """As it is now: what is told must not change with what comes."""
    return {name: [_flat(one) for one in held] if isinstance(held, list) else held for name, held in value.items()}


def _flat(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    return {name: list(held) if isinstance(held, list) else held for name, held in value.items()}
