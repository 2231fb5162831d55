"""Anthropic Messages: named events, input counts in message_start, cumulative counts in message_delta, no [DONE]."""

from __future__ import annotations

import msgspec

from dataplane.call import Meter, Usage
from dataplane.errors import HouseError
from dataplane.sse import Splitter, data_of, event, events
from llmgateway.proxy.dialects.endpoint import (
    ANSWERED_BYTES_PER_TOKEN,
    COUNT,
    FORWARDED,
    GENERATE,
    UNREADABLE,
    Endpoint,
    FreeMeter,
    flat_bounds,
    headers,
    refuse_garbled,
)
from llmgateway.proxy.dialects.errors import anthropic, anthropic_object
from llmgateway.proxy.usage import MessagesUsage, from_messages, merge_messages

VERSION = "2023-06-01"
"""Sent when the caller names none: Anthropic requires the header."""


class _Answer(msgspec.Struct):
    usage: MessagesUsage | None = None


class _Event(msgspec.Struct):
    type: str = ""
    message: _Answer | None = None
    usage: MessagesUsage | None = None


_answers = msgspec.json.Decoder(_Answer)
_events = msgspec.json.Decoder(_Event)


class MessagesMeter(Meter):
    beat = b'event: ping\ndata: {"type": "ping"}\n\n'

    __slots__ = ("_complete", "_deltas", "_known", "_splitter")

    def __init__(self, injected: bool) -> None:
        super().__init__()
        self._splitter = Splitter()
        self._known: MessagesUsage | None = None
        self._complete = False
        self._deltas = 0

    def whole(self, body: bytes) -> bytes:
        try:
            self._known = _answers.decode(body).usage
            self._complete = self._known is not None
        except UNREADABLE as error:
            refuse_garbled(body, error)
            self._complete = False
        if not self._complete:
            self._deltas = len(body) // ANSWERED_BYTES_PER_TOKEN
        return body

    def feed(self, data: bytes) -> bytes:
        block = self._splitter.feed(data)
        return self._scan(block) if block else block

    def _scan(self, block: bytes) -> bytes:
        self._deltas += block.count(b'"content_block_delta"')
        if b'"usage"' in block or b"error" in block:
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
        if told.type == "error":
            self.failed = True
        elif told.type == "message_start" and told.message is not None:
            self._known = told.message.usage
        elif told.type == "message_delta" and told.usage is not None:
            self._known = merge_messages(self._known or MessagesUsage(), told.usage)
            self._complete = True

    def finish(self) -> bytes:
        return self._scan(self._splitter.rest)

    def usage(self) -> Usage | None:
        """Only what was told to the end: the output count of message_start is a placeholder that must not be priced."""
        return from_messages(self._known) if self._complete and self._known is not None else None

    def partial(self) -> Usage:
        if self._known is None:
            return {"output": self._deltas} if self._deltas else {}
        return {**from_messages(self._known), "output": max(self._deltas, self._known.output_tokens or 0)}

    def broken(self, error: HouseError, request_id: str) -> bytes:
        return event(anthropic_object(error, request_id), name=b"error")


_FORWARDED = (*FORWARDED, *headers("anthropic-version", "anthropic-beta"))
_DEFAULTS = ((b"anthropic-version", "anthropic-version", VERSION),)

MESSAGES = Endpoint(
    wire="anthropic",
    operation=GENERATE,
    refers=True,
    path="/messages",
    content=("messages", ("array",)),
    bounds=flat_bounds("max_tokens"),
    meter=MessagesMeter,
    refuse=anthropic,
    forwarded=_FORWARDED,
    defaults=_DEFAULTS,
    own_request_id=True,
)

COUNT_TOKENS = Endpoint(
    wire="anthropic-count",
    operation=COUNT,
    path="/messages/count_tokens",
    content=("messages", ("array",)),
    meter=lambda injected: FreeMeter(),
    refuse=anthropic,
    streams=False,
    has_output=False,
    free=True,
    forwarded=_FORWARDED,
    defaults=_DEFAULTS,
    own_request_id=True,
)
