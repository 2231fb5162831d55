"""Where a translated call goes at its provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgateway.proxy.dialects.bedrock.paths import converse_path
from llmgateway.proxy.paths import filled
from llmgateway.proxy.providers import BEDROCK, CHAT, COHERE, GEMINI, MESSAGES, RESPONSES

if TYPE_CHECKING:
    from llmgateway.proxy.runtime import Deployment

_PATHS = {CHAT: "/chat/completions", RESPONSES: "/responses", MESSAGES: "/messages", COHERE: "/v2/chat"}


def route_to(wire: str, deployment: Deployment, *, stream: bool) -> tuple[str, str]:
    """Path and query of a generation in this wire dialect."""
    if wire == GEMINI:
        method = "streamGenerateContent" if stream else "generateContent"
        return deployment.prefix + filled(f"/models/{{model}}:{method}", deployment.model), "alt=sse" if stream else ""
    if wire == BEDROCK:
        return converse_path(deployment.model, stream), ""
    return _PATHS[wire], ""
