"""Puts the parts of an assistant's message back into the order in which they were said."""

from __future__ import annotations

import msgspec

from llmgateway.proxy.conversation.parts import AnyPart, Citation, Reasoning, Signature, Text, ToolCall
from llmgateway.proxy.dialects.openai_chat.details import CALL, EMPTY, Placed, readable


def unseen(plain: str, entries: list[Placed]) -> str:
    """What the readable text says before what the entries say again. The entries are believed where both differ."""
    again = "".join(readable(entry.part) for entry in entries if entry.part is not None)
    if not again:
        return plain
    return plain[: -len(again)] if plain.endswith(again) else ""


def arrange(said: list[AnyPart], calls: list[ToolCall], entries: list[Placed]) -> list[AnyPart]:
    """`said` is the content, `calls` the tool calls. Entries go behind as many characters and calls as they tell."""
    arranging = _Arranging(said, calls)
    for entry in entries:
        arranging.advance(entry.text, entry.calls)
        if entry.part is not None:
            arranging.parts.append(entry.part)
        elif entry.of == EMPTY:
            arranging.parts.append(Text(text="", signature=entry.signature))
        else:
            arranging.waiting[entry.of == CALL] = entry.signature
    return arranging.finish()


class _Arranging:
    __slots__ = ("_calls", "_said", "_spoken", "_told", "parts", "waiting")

    def __init__(self, said: list[AnyPart], calls: list[ToolCall]) -> None:
        self._said, self._calls = said[::-1], calls[::-1]
        self._spoken = self._told = 0
        self.parts: list[AnyPart] = []
        self.waiting: dict[bool, Signature | None] = {}

    def advance(self, text: int, calls: int) -> None:
        while self._said and self._spoken < text:
            part = self._said.pop()
            if isinstance(part, Text) and len(part.text) > text - self._spoken:
                part, rest = _cut(part, text - self._spoken)
                self._said.append(rest)
            self._spoken += len(part.text) if isinstance(part, Text) else 0
            self._add(part)
        while self._calls and self._told < calls:
            self._told += 1
            self._add(self._calls.pop())

    def finish(self) -> list[AnyPart]:
        while self._said:
            self._add(self._said.pop())
        while self._calls:
            self._add(self._calls.pop())
        return self.parts

    def _add(self, part: AnyPart) -> None:
        signature = self.waiting.pop(isinstance(part, ToolCall), None)
        if signature is not None and not isinstance(part, Reasoning):
            part.signature = signature
        self.parts.append(part)


def _cut(part: Text, at: int) -> tuple[Text, Text]:
    """A citation belongs to where it begins."""
    first = [citation for citation in part.citations if (citation.start or 0) < at]
    second = [_moved(citation, -at) for citation in part.citations if (citation.start or 0) >= at]
    before = msgspec.structs.replace(part, text=part.text[:at], citations=first, signature=None, cache=None)
    return before, msgspec.structs.replace(part, text=part.text[at:], citations=second)


def _moved(citation: Citation, by: int) -> Citation:
    start = citation.start + by if citation.start is not None else None
    return msgspec.structs.replace(citation, start=start, end=citation.end + by if citation.end is not None else None)
