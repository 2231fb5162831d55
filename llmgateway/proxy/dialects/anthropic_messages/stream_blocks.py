"""How each kind of part is told in a stream: as a block that starts, grows and stops, one at a time.

A block starts as late as it can without holding text back, because a signature that other vendors give for a text or a
call has to stand before it (`sealed`); one that comes when the block has started already is told behind it.
"""

from __future__ import annotations

import msgspec

from llmgateway.proxy.conversation.events import Cited, Delta, Event, Fold, Open, Signed
from llmgateway.proxy.conversation.parts import Json, Reasoning, Refused, Signature, Text, ToolCall
from llmgateway.proxy.dialects.anthropic_messages import citations, sealed
from llmgateway.proxy.dialects.anthropic_messages.answer_blocks import SUMMARY_GAP, told
from llmgateway.proxy.dialects.anthropic_messages.blocks_out import Block

Wire = dict[str, Json]
_WITH_INPUT = frozenset(("tool_use", "server_tool_use", "mcp_tool_use"))


class Blocks:
    """Numbers the blocks of a stream."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = 0

    def start(self, block: Block) -> Wire:
        self._next += 1
        return {"type": "content_block_start", "index": self._next - 1, "content_block": block}

    def delta(self, kind: str, member: str, value: Json) -> Wire:
        return {"type": "content_block_delta", "index": self._next - 1, "delta": {"type": kind, member: value}}

    def stop(self) -> Wire:
        return {"type": "content_block_stop", "index": self._next - 1}

    def whole(self, block: Block) -> list[Wire]:
        """A block that is known whole, told as clients expect it: what grows in others comes as a delta."""
        kind = block.get("type")
        if kind == "text":
            cited = [("citations_delta", "citation", citation) for citation in block.get("citations", [])]
            return self._grown({"type": "text", "text": ""}, [("text_delta", "text", block["text"]), *cited])
        if kind in _WITH_INPUT and isinstance(block.get("input"), dict):
            text = msgspec.json.encode(block["input"]).decode()
            return self._grown({**block, "input": {}}, [("input_json_delta", "partial_json", text)])
        return self._grown(block, [])

    def _grown(self, block: Block, deltas: list[tuple[str, str, Json]]) -> list[Wire]:
        return [self.start(block), *(self.delta(*delta) for delta in deltas), self.stop()]


class Telling:
    """One part on its way. `tell` takes its events but for Open and Close."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._started = False
        self._signature: Signature | None = None
        self._before: Signature | None = None

    def tell(self, event: Event) -> list[Wire]:
        raise NotImplementedError

    def close(self) -> list[Wire]:
        raise NotImplementedError

    def _start(self, block: Block) -> list[Wire]:
        """With the signature before it where that is known."""
        if self._started:
            return []
        self._started = True
        self._before = self._signature
        carrier = [] if self._signature is None else self._blocks.whole(sealed.carrier(self._signature, sealed.PART))
        return [*carrier, self._blocks.start(block)]

    def _stop(self) -> list[Wire]:
        """With the signature behind it where it came late."""
        late = self._signature if self._signature != self._before else None
        return [self._blocks.stop(), *([] if late is None else self._blocks.whole(sealed.carrier(late, sealed.PRIOR)))]


class TextTelling(Telling):
    """A text or a refusal."""

    def tell(self, event: Event) -> list[Wire]:
        if isinstance(event, Signed):
            self._signature = event.signature
        elif isinstance(event, Delta) and event.text:
            return [*self._start(_EMPTY_TEXT), self._blocks.delta("text_delta", "text", event.text)]
        elif isinstance(event, Cited):
            citation = citations.write(event.citation)
            return [*self._start(_EMPTY_TEXT), self._blocks.delta("citations_delta", "citation", citation)]
        return []

    def close(self) -> list[Wire]:
        if self._started:
            return self._stop()
        return [] if self._signature is None else self._blocks.whole(sealed.carrier(self._signature, sealed.TEXT))


_EMPTY_TEXT: Block = {"type": "text", "text": ""}


class CallTelling(Telling):
    """The first piece of the arguments waits for what follows it: a call that comes whole has its signature right behind."""

    def __init__(self, part: ToolCall, blocks: Blocks) -> None:
        super().__init__(blocks)
        self._block: Block = {"type": "tool_use", "id": part.id, "name": part.name, "input": {}}
        self._first = ""

    def tell(self, event: Event) -> list[Wire]:
        if isinstance(event, Signed):
            self._signature = event.signature
        elif isinstance(event, Delta) and event.text:
            if not self._started and not self._first:
                self._first = event.text
                return []
            return [*self._begin(), self._grow(event.text)]
        return []

    def close(self) -> list[Wire]:
        return [*self._begin(), *self._stop()]

    def _begin(self) -> list[Wire]:
        if self._started:
            return []
        return [*self._start(self._block), *([self._grow(self._first)] if self._first else [])]

    def _grow(self, text: str) -> Wire:
        return self._blocks.delta("input_json_delta", "partial_json", text)


class ReasoningTelling(Telling):
    """Readable reasoning. Its signature is part of the block, told before it stops."""

    def __init__(self, blocks: Blocks) -> None:
        super().__init__(blocks)
        self._summary: int | None = None

    def tell(self, event: Event) -> list[Wire]:
        if isinstance(event, Signed):
            self._signature = event.signature
        elif isinstance(event, Delta) and event.text:
            gap = SUMMARY_GAP if self._started and event.summary != self._summary else ""
            self._summary = event.summary
            return [*self._begin(), self._blocks.delta("thinking_delta", "thinking", gap + event.text)]
        return []

    def close(self) -> list[Wire]:
        if not self._started and self._signature is None:
            return []
        found = self._begin()
        if signature := sealed.told(self._signature, sealed.REASONING):
            found.append(self._blocks.delta("signature_delta", "signature", signature))
        return [*found, self._blocks.stop()]

    def _begin(self) -> list[Wire]:
        if self._started:
            return []
        self._started = True
        return [self._blocks.start({"type": "thinking", "thinking": "", "signature": ""})]


class WholeTelling(Telling):
    """A part that is told when it has ended."""

    def __init__(self, opened: Open, blocks: Blocks) -> None:
        super().__init__(blocks)
        self._fold = Fold()
        self._fold.add(opened)

    def tell(self, event: Event) -> list[Wire]:
        self._fold.add(event)
        return []

    def close(self) -> list[Wire]:
        part = self._fold.answer.candidates[0].parts[0]
        return [wire for block in told(part).blocks for wire in self._blocks.whole(block)]


def telling(opened: Open, blocks: Blocks) -> Telling:
    match opened.part:
        case Text() | Refused():
            return TextTelling(blocks)
        case ToolCall() as call:
            return CallTelling(call, blocks)
        case Reasoning(redacted=False):
            return ReasoningTelling(blocks)
        case _:
            return WholeTelling(opened, blocks)
