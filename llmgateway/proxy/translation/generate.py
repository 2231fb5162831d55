"""Generation across dialects: chat, Responses, Messages, generateContent, Converse and Cohere's chat."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import msgspec

from llmgateway.proxy.conversation.customs import as_functions, custom_names
from llmgateway.proxy.conversation.demotion import demoted, instructions_inside
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.anthropic_messages.meter import VERSION
from llmgateway.proxy.dialects.dialect import Asked, Target
from llmgateway.proxy.dialects.gemini.stream_out import writer_array
from llmgateway.proxy.dialects.table import DIALECTS
from llmgateway.proxy.providers import CHAT, GEMINI, MESSAGES, RESPONSES
from llmgateway.proxy.translation.base import Translation
from llmgateway.proxy.translation.meter import TranslatingMeter
from llmgateway.proxy.translation.routes import route_to

if TYPE_CHECKING:
    from llmgateway.proxy.inbound import Inbound
    from llmgateway.proxy.runtime import Deployment

STREAMS = ("text/event-stream", "application/vnd.amazon.eventstream")
ENCRYPTED = "reasoning.encrypted_content"


class Generation(Translation):
    """One request written for one deployment, and all that its answer is read and written with."""

    __slots__ = ("asked", "beat", "caller", "customs", "stream", "target", "writer")

    def __init__(self, inbound: Inbound, deployment: Deployment, written: Written, asked: Asked) -> None:
        self.stream = inbound.stream
        self.caller = DIALECTS[inbound.endpoint.wire]
        self.target = DIALECTS[written.wire]
        self.asked = asked
        self.customs = written.customs
        array = self.stream and self.caller.name == GEMINI and "alt=sse" not in inbound.query()
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
        return self.caller.render_error(self.target.parse_error(status, body), self.asked.id)


class Written:
    """A request as one wire dialect says it, with what it could not say. `customs` are the tools of free text that it had
    to write as functions."""

    __slots__ = ("body", "customs", "losses", "wire")

    def __init__(self, wire: str, body: Json, losses: Losses, customs: frozenset[str]) -> None:
        self.wire = wire
        self.body = body
        self.losses = losses
        self.customs = customs


def generate(inbound: Inbound, deployment: Deployment) -> Generation:
    """Raises BadRequest."""
    caller = DIALECTS[inbound.endpoint.wire]
    body = msgspec.json.decode(inbound.body)
    if inbound.parsed is None:
        inbound.parsed = caller.parse_request(body, inbound.model, inbound.stream)
    request = inbound.parsed
    own = inbound.endpoint.wire
    written = _best(request, deployment, (own,) if own in deployment.wires else deployment.facts.wires)
    written.losses.check(allowed=inbound.lossy)
    asked = Asked(request=request, body=body, model=inbound.model, id=inbound.request.id, created=int(time.time()))
    return Generation(inbound, deployment, written, asked)


def _best(request: Request, deployment: Deployment, wires: tuple[str, ...]) -> Written:
    """In the first of these wire dialects that says all of it, else in the one that loses the least."""
    tried: list[Written] = []
    for wire in wires:
        written = _written(request, wire, deployment)
        if not written.losses.fields:
            return written
        tried.append(written)
    return min(tried, key=lambda one: len(one.losses.fields))


def _written(request: Request, wire: str, deployment: Deployment) -> Written:
    target = Target(dialect=wire, model=deployment.model, facts=deployment.facts)
    losses = Losses(target.label)
    customs: frozenset[str] = frozenset()
    if not deployment.facts.customs:
        customs, request = custom_names(request), as_functions(request)
    if wire == CHAT:
        request = msgspec.structs.replace(request, stream_usage=request.stream and deployment.facts.usage_option)
    body = DIALECTS[wire].render_request(request, target, losses)
    if inside := [place for place in instructions_inside(request) if place in losses.fields]:
        losses = Losses(target.label)
        body = DIALECTS[wire].render_request(demoted(request, inside), target, losses)
        for place in inside:
            losses.hint(f"{place}.role")
    if wire == RESPONSES:
        _keep_nothing(body, deployment)
    return Written(wire, body, losses, customs)


def _keep_nothing(body: Json, deployment: Deployment) -> None:
    """The caller keeps the conversation, the provider must not: and what it thought then has to come back with it."""
    body["store"] = False
    pattern = deployment.facts.encrypts
    if pattern and re.fullmatch(pattern, deployment.model.lower()):
        body["include"] = list(dict.fromkeys((*body.get("include", ()), ENCRYPTED)))


__all__ = ["Generation", "generate"]
