"""Writes Cohere's chat stream (v2), one part at a time.

Reasoning is held until it is complete: which of its two places it belongs to is told by its signature, which comes last.
"""

from __future__ import annotations

import msgspec

from dataplane import sse
from dataplane.call import Usage
from llmgateway.proxy.conversation.answer import Failure
from llmgateway.proxy.conversation.events import Begin, Cited, Close, Delta, Done, Event, Failed, Fold, Logprobs, Open, Stop, Used
from llmgateway.proxy.conversation.parts import AnyPart, Citation, Json, Reasoning, Refused, Text, ToolCall
from llmgateway.proxy.dialects.cohere.answer import is_plan, tool_call, write_logprob, write_stop
from llmgateway.proxy.dialects.cohere.citations import write_citations
from llmgateway.proxy.dialects.cohere.usage import to_cohere
from llmgateway.proxy.dialects.dialect import Asked
from llmgateway.proxy.dialects.oneatatime import OneAtATime


def _event(kind: str, **told: Json) -> bytes:
    return sse.event(msgspec.json.encode({"type": kind, **told}), name=kind.encode())


def _delta(**message: Json) -> Json:
    return {"message": message}


class CohereWriter:
    content_type = "text/event-stream"

    __slots__ = (
        "_asked",
        "_begun",
        "_blocks",
        "_calls",
        "_cited",
        "_held",
        "_order",
        "_over",
        "_part",
        "_stop",
        "_text",
        "_usage",
    )

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._order = OneAtATime()
        self._begun = self._over = False
        self._part: AnyPart | None = None
        self._held: Fold | None = None
        self._blocks = self._calls = self._cited = 0
        self._text = ""
        self._stop = Stop(0, "")
        self._usage: Usage = {}

    def write(self, event: Event) -> bytes:
        if self._over:
            return b""
        if isinstance(event, Stop):
            if event.candidate:
                return b""
            self._stop = event
            return b"".join(map(self._write, self._order.flush()))
        return b"".join(map(self._write, self._order.feed(event)))

    def _write(self, event: Event) -> bytes:
        match event:
            case Begin():
                return self._begin(event.id)
            case Open():
                return self._begin("") + self._open(event)
            case Logprobs():
                return self._log((event.value or {}).get("content") or [])
            case Used():
                self._usage = event.usage
            case Close():
                return self._close()
            case Done():
                self._over = True
                told: dict[str, Json] = {"finish_reason": write_stop(self._stop.stop, self._stop.native_stop)}
                told |= {"usage": usage} if (usage := to_cohere(self._usage)) else {}
                return self._begin("") + _event("message-end", delta=told)
            case Failed():
                return self._fail(event.failure)
            case _:
                return self._grow(event)
        return b""

    def _begin(self, given: str) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        message = _delta(role="assistant", content=[], tool_plan="", tool_calls=[], citations=[])
        return _event("message-start", id=given or self._asked.id, delta=message)

    def _fail(self, failure: Failure) -> bytes:
        self._over = True
        reason = "TIMEOUT" if failure.kind == "timeout" else "ERROR"
        return self._begin("") + _event("message-end", delta={"error": failure.message, "finish_reason": reason})

    def _open(self, event: Open) -> bytes:
        self._part, self._text = event.part, ""
        match event.part:
            case Text(citations=known):
                started = _event("content-start", index=self._blocks, delta=_delta(content={"type": "text", "text": ""}))
                return started + b"".join(map(self._cite, known))
            case Refused():
                return _event("content-start", index=self._blocks, delta=_delta(content={"type": "text", "text": ""}))
            case ToolCall():
                return _event("tool-call-start", index=self._calls, delta=_delta(tool_calls=tool_call(event.part)))
            case Reasoning():
                self._held = Fold()
                self._held.add(event)
        return b""

    def _grow(self, event: Event) -> bytes:
        if self._held is not None:
            self._held.add(event)
            return b""
        if isinstance(event, Cited):
            return self._cite(event.citation)
        if not isinstance(event, Delta):
            return b""
        if isinstance(self._part, ToolCall):
            return _event("tool-call-delta", index=self._calls, delta=_delta(tool_calls={"function": {"arguments": event.text}}))
        if isinstance(self._part, Text | Refused):
            self._text += event.text
            return _event("content-delta", index=self._blocks, delta=_delta(content={"text": event.text}))
        return b""

    def _log(self, entries: list[Json]) -> bytes:
        """In deltas of the text that is open: those that come when it has ended have no place."""
        if self._held is not None or not isinstance(self._part, Text):
            return b""
        empty = {"index": self._blocks, "delta": _delta(content={"text": ""})}
        return b"".join(_event("content-delta", **empty, logprobs=write_logprob(entry)) for entry in entries)

    def _cite(self, citation: Citation) -> bytes:
        told = b""
        for written in write_citations([citation], self._text, self._blocks):
            told += _event("citation-start", index=self._cited, delta=_delta(citations=written)) + _event("citation-end", index=self._cited)
            self._cited += 1
        return told

    def _close(self) -> bytes:
        ended, self._part = self._part, None
        if self._held is not None:
            (part,) = self._held.answer.candidates[0].parts
            self._held = None
            return self._thought(part) if isinstance(part, Reasoning) else b""
        if isinstance(ended, ToolCall):
            self._calls += 1
            return _event("tool-call-end", index=self._calls - 1)
        if isinstance(ended, Text | Refused):
            return self._end_content()
        return b""

    def _end_content(self) -> bytes:
        self._blocks += 1
        return _event("content-end", index=self._blocks - 1)

    def _thought(self, part: Reasoning) -> bytes:
        text = part.text or "\n\n".join(part.summary)
        if part.redacted:
            return b""
        if is_plan(part):
            return _event("tool-plan-delta", delta=_delta(tool_plan=text))
        started = _event("content-start", index=self._blocks, delta=_delta(content={"type": "thinking", "thinking": ""}))
        grown = _event("content-delta", index=self._blocks, delta=_delta(content={"thinking": text}))
        return started + grown + self._end_content()
