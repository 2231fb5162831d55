"""Counting a prompt's tokens across dialects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dataplane.call import Meter, Usage
from llmgateway.proxy.conversation.demotion import demoted, instructions_inside
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.anthropic_messages.count import count_answer as anthropic_answer
from llmgateway.proxy.dialects.anthropic_messages.count import parse_count as parse_anthropic
from llmgateway.proxy.dialects.anthropic_messages.count import render_count as render_anthropic
from llmgateway.proxy.dialects.anthropic_messages.meter import VERSION
from llmgateway.proxy.dialects.dialect import Target, Unreadable
from llmgateway.proxy.dialects.gemini.count import count_answer as gemini_answer
from llmgateway.proxy.dialects.gemini.count import parse_count as parse_gemini
from llmgateway.proxy.dialects.gemini.count import parse_count_request
from llmgateway.proxy.dialects.gemini.count import render_count as render_gemini
from llmgateway.proxy.dialects.table import DIALECTS
from llmgateway.proxy.paths import filled
from llmgateway.proxy.providers import GEMINI, MESSAGES, OPERATIONS, RESPONSES
from llmgateway.proxy.translation.base import Translation, of_call
from llmgateway.proxy.translation.whole import WholeMeter

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgateway.proxy.inbound import Inbound
    from llmgateway.proxy.runtime import Deployment

DIALECT_OF = {"anthropic-count": MESSAGES, "gemini-count": GEMINI, "openai-input-tokens": RESPONSES}
_GENERATED = ("stream", "stream_options", "max_output_tokens", "store", "include", "temperature", "top_p", "metadata", "service_tier")
"""Fields of a Responses call that its count does not take."""


class Count(Translation):
    __slots__ = ("_caller", "_request_id", "_target")

    def __init__(self, inbound: Inbound, target: str, *, path: str, body: Json, losses: Losses) -> None:
        headers = [("anthropic-version", VERSION)] if target == MESSAGES else []
        super().__init__(path=path, body=msgspec.json.encode(body), dropped=losses.header(), headers=headers)
        self._caller = DIALECT_OF[inbound.endpoint.wire]
        self._target = target
        self._request_id = inbound.request.id

    def meter(self) -> Meter:
        return WholeMeter(self._rewritten, what="count", free=True)

    def _rewritten(self, body: bytes) -> tuple[Json, Usage]:
        return WRITERS[self._caller](READERS[self._target](msgspec.json.decode(body))), {}

    def error(self, status: int, body: bytes) -> bytes:
        return DIALECTS[self._caller].render_error(of_call(DIALECTS[self._target].parse_error(status, body)), self._request_id)


def _input_tokens(body: Json) -> int:
    found = body.get("input_tokens") if isinstance(body, dict) else None
    if not isinstance(found, int):
        raise Unreadable("no input_tokens")
    return found


READERS: dict[str, Callable[[Json], int]] = {MESSAGES: parse_anthropic, GEMINI: parse_gemini, RESPONSES: _input_tokens}
WRITERS: dict[str, Callable[[int], Json]] = {MESSAGES: anthropic_answer, GEMINI: gemini_answer}


def asked(inbound: Inbound) -> Request:
    """What is to be counted. Raises BadRequest."""
    body = msgspec.json.decode(inbound.body)
    if DIALECT_OF[inbound.endpoint.wire] == GEMINI:
        return parse_count_request(body, inbound.model)
    return DIALECTS[MESSAGES].parse_request(body, inbound.model, False)


def count(inbound: Inbound, deployment: Deployment) -> Count:
    """Raises BadRequest."""
    wire = OPERATIONS[deployment.dialect]["count"]
    target = Target(dialect=DIALECT_OF[wire], model=deployment.model, facts=deployment.facts)
    request = asked(inbound)
    body, losses = _written(request, target)
    lost = frozenset(losses.fields)
    if inside := [place for place in instructions_inside(request) if place in lost]:
        body, losses = _written(demoted(request, frozenset(inside)), target)
        for place in inside:
            losses.hint(f"{place}.role")
    losses.check(allowed=inbound.lossy)
    return Count(inbound, target.dialect, path=_path(target.dialect, deployment), body=body, losses=losses)


def _written(request: Request, target: Target) -> tuple[Json, Losses]:
    losses = Losses(target.label)
    match target.dialect:
        case "anthropic":
            return render_anthropic(request, target, losses), losses
        case "gemini":
            return render_gemini(request, target, losses), losses
        case _:
            whole = DIALECTS[RESPONSES].render_request(request, target, losses)
            return {name: value for name, value in whole.items() if name not in _GENERATED}, losses


def _path(dialect: str, deployment: Deployment) -> str:
    if dialect == GEMINI:
        return deployment.prefix + filled("/models/{model}:countTokens", deployment.model)
    return "/messages/count_tokens" if dialect == MESSAGES else "/responses/input_tokens"
