"""A call of one dialect, made at a deployment of another: written there, and its answer written back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from llmgateway.proxy.dialects.endpoint import COUNT, EMBED, GENERATE, RERANK
from llmgateway.proxy.translation.base import Translation, readable
from llmgateway.proxy.translation.count import count
from llmgateway.proxy.translation.embed import embed
from llmgateway.proxy.translation.generate import generate
from llmgateway.proxy.translation.rerank import rerank

if TYPE_CHECKING:
    from llmgateway.proxy.inbound import Inbound
    from llmgateway.proxy.runtime import Deployment

__all__ = ["Translation", "translate"]

_BY_OPERATION: dict[str, Callable[[Inbound, Deployment], Translation]] = {
    GENERATE: generate,
    COUNT: count,
    EMBED: embed,
    RERANK: rerank,
}


def translate(inbound: Inbound, deployment: Deployment) -> Translation:
    """Raises BadRequest for what the deployment's dialect can't express (unless its caller allows the loss), and for a body
    that is not of the caller's dialect, or that is no JSON further down than the gateway looks by itself."""
    with readable():
        return _BY_OPERATION[inbound.endpoint.operation](inbound, deployment)
