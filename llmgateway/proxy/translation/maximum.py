"""How much output a call may make where the gateway writes the maximum: Anthropic insists on one, and counts thinking in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.anthropic_messages.models import abilities
from llmgateway.proxy.dialects.anthropic_messages.thinking_out import ThinkingOut
from llmgateway.proxy.dialects.bedrock.thinking import is_claude, write_thinking
from llmgateway.proxy.dialects.endpoint import GENERATE
from llmgateway.proxy.providers import BEDROCK, MESSAGES
from llmgateway.proxy.translation.base import readable
from llmgateway.proxy.translation.generate import conversation_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmgateway.proxy.inbound import Inbound
    from llmgateway.proxy.runtime import Deployment


def most_written(inbound: Inbound, deployments: Iterable[Deployment]) -> int:
    """The largest maximum that any of these is sent, 0 where each is sent the caller's own or none. A body that can't be read
    is sent to none of them."""
    if inbound.endpoint.operation != GENERATE:
        return 0
    written = [place for place in deployments if place.dialect in _WRITERS and inbound.endpoint.wire not in place.wires]
    if not written:
        return 0
    try:
        with readable():
            request = conversation_of(inbound, msgspec.json.decode(inbound.body))
            return max(_WRITERS[place.dialect](request, place.model) for place in written)
    except BadRequest:
        return 0


def _anthropic(request: Request, model: str) -> int:
    body: dict[str, Json] = {}
    ThinkingOut(request, abilities(model), Losses("")).write(body)
    return int(body["max_tokens"])


def _bedrock(request: Request, model: str) -> int:
    return 0 if request.thinking is None or not is_claude(model) else write_thinking(request, model, Losses("")).most or 0


_WRITERS = {MESSAGES: _anthropic, BEDROCK: _bedrock}
