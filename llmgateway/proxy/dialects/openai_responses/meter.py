"""OpenAI Responses: typed events, usage only in the one terminal event, no [DONE]."""

from __future__ import annotations

import msgspec

from dataplane.call import Meter, Usage
from dataplane.errors import HouseError
from dataplane.sse import Splitter, data_of, event, events
from llmgateway.proxy.dialects.endpoint import ANSWERED_BYTES_PER_TOKEN, GENERATE, UNREADABLE, Endpoint, flat_bounds, refuse_garbled
from llmgateway.proxy.dialects.errors import openai
from llmgateway.proxy.dialects.openai_chat.meter import OPENAI_FORWARDED
from llmgateway.proxy.usage import ResponsesUsage, from_responses

TERMINAL = (b"response.completed", b"response.incomplete", b"response.failed")


UNDER_WAY = ("queued", "in_progress")
"""Of a response that is made in the background: nothing of it is told yet."""


class _Answer(msgspec.Struct):
    usage: ResponsesUsage | None = None
    status: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    response: _Answer | None = None


_answers = msgspec.json.Decoder(_Answer)
_events = msgspec.json.Decoder(_Event)


class ResponsesMeter(Meter):
    beat = b": keep-alive\n\n"

    __slots__ = ("_deltas", "_last", "_sequence", "_splitter")

    def __init__(self, injected: bool) -> None:
        super().__init__()
        self._splitter = Splitter()
        self._last: ResponsesUsage | None = None
        self._deltas = 0

    def whole(self, body: bytes) -> bytes:
        status: str | None = None
        try:
            answer = _answers.decode(body)
            self._last, status = answer.usage, answer.status
        except UNREADABLE as error:
            refuse_garbled(body, error)
            self._last = None
        if self.usage() is None and status not in UNDER_WAY:
            self._deltas = 2 * len(body) // ANSWERED_BYTES_PER_TOKEN
        return body

    def feed(self, data: bytes) -> bytes:
        block = self._splitter.feed(data)
        return self._scan(block) if block else block

    def _scan(self, block: bytes) -> bytes:
        self._deltas += block.count(b".delta")
        if b"error" in block or any(mark in block for mark in TERMINAL):
            for part in events(block):
                self._read(part)
        return block

    def _read(self, part: bytes) -> None:
        data = data_of(part)
        if data is None:
            return
        try:
            told = _events.decode(data)
        except UNREADABLE:
            return
        if told.type in ("error", "response.failed"):
            self.failed = True
        if told.type.encode() in TERMINAL and told.response is not None and told.response.usage is not None:
            self._last = told.response.usage

    def finish(self) -> bytes:
        return self._scan(self._splitter.rest)

    def usage(self) -> Usage | None:
        return from_responses(self._last) if self._last is not None else None

    def partial(self) -> Usage:
        return {"output": self._deltas // 2} if self._deltas else {}

    def broken(self, error: HouseError, request_id: str) -> bytes:
        body = {"type": "error", "code": error.code, "message": error.message, "param": error.param, "request_id": request_id}
        return event(msgspec.json.encode(body), name=b"error")


RESPONSES = Endpoint(
    wire="openai-responses",
    operation=GENERATE,
    refers=True,
    path="/responses",
    content=("input", ("string", "array")),
    bounds=flat_bounds("max_output_tokens"),
    meter=ResponsesMeter,
    refuse=openai,
    forwarded=OPENAI_FORWARDED,
)
