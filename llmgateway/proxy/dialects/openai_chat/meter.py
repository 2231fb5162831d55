"""OpenAI Chat Completions, as OpenAI and the vendors of its dialect speak it.

A stream tells its usage only when asked (`stream_options.include_usage`): the gateway asks upstream and hides the extra
chunk, and the `"usage":null` that the option adds to every other chunk, from a caller who did not.
"""

from __future__ import annotations

import msgspec

from dataplane.call import Meter, Usage
from dataplane.errors import BadRequest, HouseError
from dataplane.sse import Splitter, data_of, event, events
from llmgateway.proxy.body import Fields
from llmgateway.proxy.dialects.endpoint import (
    ANSWERED_BYTES_PER_TOKEN,
    EMBED,
    FORWARDED,
    GENERATE,
    UNREADABLE,
    Endpoint,
    flat_bounds,
    headers,
    refuse_garbled,
)
from llmgateway.proxy.dialects.errors import openai, openai_object
from llmgateway.proxy.usage import ChatUsage, from_chat

NULLS = (b',"usage":null', b', "usage": null')
OPENAI_FORWARDED = (*FORWARDED, *headers("openai-beta", "x-client-request-id"))


class _Answer(msgspec.Struct):
    usage: ChatUsage | None = None


class _Chunk(msgspec.Struct):
    choices: list[msgspec.Raw] | None = None
    usage: ChatUsage | None = None
    error: msgspec.Raw = msgspec.Raw()


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


_answers = msgspec.json.Decoder(_Answer)
_chunks = msgspec.json.Decoder(_Chunk)
_options = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)


def include_usage(fields: Fields) -> dict[str, object]:
    """The option to inject, {} when the caller asked by itself. Other stream options of the caller survive."""
    raw = fields.get("stream_options")
    if raw is None:
        return {"stream_options": {"include_usage": True}}
    try:
        options = _options.decode(raw) or {}
        if msgspec.json.decode(raw, type=_StreamOptions | None, strict=True) == _StreamOptions(include_usage=True):
            return {}
    except msgspec.MsgspecError:
        text = "The field stream_options must be an object whose include_usage is true or false."
        raise BadRequest(text, param="stream_options", code="invalid_type") from None
    return {"stream_options": {**options, "include_usage": True}}


class ChatMeter(Meter):
    """`hidden` is True when the gateway asked for the usage and the caller did not."""

    beat = b": keep-alive\n\n"

    __slots__ = ("_deltas", "_hidden", "_last", "_splitter")

    def __init__(self, hidden: bool) -> None:
        super().__init__()
        self._hidden = hidden
        self._splitter = Splitter()
        self._last: ChatUsage | None = None
        self._deltas = 0

    def whole(self, body: bytes) -> bytes:
        try:
            self._last = _answers.decode(body).usage
        except UNREADABLE as error:
            refuse_garbled(body, error)
            self._last = None
        if self.usage() is None:
            self._deltas = len(body) // ANSWERED_BYTES_PER_TOKEN
        return body

    def feed(self, data: bytes) -> bytes:
        block = self._splitter.feed(data)
        if not block:
            return block
        self._deltas += block.count(b"data:")
        return self._read(block)

    def _read(self, block: bytes) -> bytes:
        if self._hidden:
            for null in NULLS:
                block = block.replace(null, b"")
        if b'"usage"' in block or b'"error"' in block:
            return b"".join([part for part in events(block) if self._keeps(part)])
        return block

    def _keeps(self, part: bytes) -> bool:
        data = data_of(part)
        if data is None or not data.startswith(b"{"):
            return True
        try:
            chunk = _chunks.decode(data)
        except UNREADABLE:
            return True
        if bytes(chunk.error) not in (b"", b"null"):
            self.failed = True
        if chunk.usage is None:
            return True
        self._last = chunk.usage
        return not (self._hidden and not chunk.choices and not self.failed)

    def finish(self) -> bytes:
        """Some vendors leave out the blank line behind the last event."""
        return self._read(self._splitter.rest)

    def usage(self) -> Usage | None:
        return from_chat(self._last) if self._last is not None else None

    def partial(self) -> Usage:
        return {"output": self._deltas} if self._deltas else {}

    def broken(self, error: HouseError, request_id: str) -> bytes:
        return event(openai_object(error, request_id))


class VectorsMeter(ChatMeter):
    """Of an answer that is vectors, whose size says nothing about tokens."""

    __slots__ = ()

    def partial(self) -> Usage:
        return {}


CHAT = Endpoint(
    wire="openai-chat",
    operation=GENERATE,
    refers=True,
    path="/chat/completions",
    content=("messages", ("array",)),
    bounds=flat_bounds("max_completion_tokens", "max_tokens"),
    meter=ChatMeter,
    refuse=openai,
    inject=include_usage,
    forwarded=OPENAI_FORWARDED,
)

EMBEDDINGS = Endpoint(
    wire="openai-embeddings",
    operation=EMBED,
    path="/embeddings",
    content=("input", ("string", "array")),
    meter=VectorsMeter,
    refuse=openai,
    streams=False,
    has_output=False,
    forwarded=OPENAI_FORWARDED,
)
