"""Generation across dialects: chat, Responses, Messages, generateContent, Converse and Cohere's chat."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.anthropic_messages.meter import VERSION
from llmgateway.proxy.dialects.dialect import Asked
from llmgateway.proxy.dialects.gemini.stream_out import writer_array
from llmgateway.proxy.dialects.table import DIALECTS
from llmgateway.proxy.providers import GEMINI, MESSAGES
from llmgateway.proxy.translation.base import Translation, of_call
from llmgateway.proxy.translation.meter import TranslatingMeter
from llmgateway.proxy.translation.routes import route_to
from llmgateway.proxy.translation.written import Written, written_best

if TYPE_CHECKING:
    from llmgateway.proxy.inbound import Inbound
    from llmgateway.proxy.runtime import Deployment

STREAMS = ("text/event-stream", "application/vnd.amazon.eventstream")


class Generation(Translation):
    """One request written for one deployment, and all that its answer is read and written with."""

    __slots__ = ("asked", "beat", "caller", "customs", "stream", "target", "writer")

    def __init__(self, inbound: Inbound, deployment: Deployment, written: Written, asked: Asked) -> None:
        self.stream = inbound.stream
        self.caller = DIALECTS[inbound.endpoint.wire]
        self.target = DIALECTS[written.wire]
        self.asked = asked
        self.customs = written.customs
        array = self.stream and self.caller.name == GEMINI and not inbound.as_events
        self.writer = writer_array if array else self.caller.writer
        self.beat = inbound.endpoint.meter(False).beat
        path, query = route_to(written.wire, deployment, stream=self.stream)
        forwarded = inbound.forwarded()
        own = written.wire == inbound.endpoint.wire
        headers = forwarded if own else [(name, value) for name, value in forwarded if name == "user-agent"]
        if written.wire == MESSAGES and not own:
            headers.append(("anthropic-version", VERSION))
        super().__init__(path=path, query=query, body=msgspec.json.encode(written.body), dropped=written.losses.header(), headers=headers)

    def meter(self) -> TranslatingMeter:
        return TranslatingMeter(self)

    def is_stream(self, content_type: str) -> bool:
        return self.stream and content_type.startswith(STREAMS)

    def content_type(self, status: int) -> bytes:
        if self.stream and status < 400:
            return self.writer(self.asked).content_type.encode()
        return super().content_type(status)

    def error(self, status: int, body: bytes) -> bytes:
        return self.caller.render_error(of_call(self.target.parse_error(status, body)), self.asked.id)


def conversation_of(inbound: Inbound, body: Json) -> Request:
    """What is asked for, read once. Raises BadRequest."""
    if inbound.parsed is None:
        inbound.parsed = DIALECTS[inbound.endpoint.wire].parse_request(body, inbound.model, inbound.stream)
    return inbound.parsed


def generate(inbound: Inbound, deployment: Deployment) -> Generation:
    """Raises BadRequest."""
    body = msgspec.json.decode(inbound.body)
    request = conversation_of(inbound, body)
    own = inbound.endpoint.wire
    wires = (own,) if own in deployment.wires else deployment.facts.wires
    written = written_best(request, wires, model=deployment.model, facts=deployment.facts)
    written.losses.check(allowed=inbound.lossy)
    asked = Asked(request=request, body=body, model=inbound.model, id=inbound.request.id, created=int(time.time()))
    return Generation(inbound, deployment, written, asked)


__all__ = ["Generation", "conversation_of", "generate"]
