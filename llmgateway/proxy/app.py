"""The LLM gateway's addresses, and how one of its calls is opened."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from dataplane.asgi import Headers, Request
from dataplane.call import Call, Gateway
from dataplane.errors import HouseError, MethodNotAllowed
from dataplane.kit import Handler, Routes
from dataplane.pipeline import serve
from dataplane.snapshot import KeyRecord
from dataplane.store import Snapshot
from llmgateway.proxy.catalog import PATH, Catalog
from llmgateway.proxy.dialects.anthropic_messages.meter import COUNT_TOKENS, MESSAGES
from llmgateway.proxy.dialects.endpoint import Endpoint
from llmgateway.proxy.dialects.openai_chat.meter import CHAT, EMBEDDINGS
from llmgateway.proxy.dialects.openai_responses.meter import RESPONSES
from llmgateway.proxy.gemini import GEMINI_PATH, GeminiGateway, is_google
from llmgateway.proxy.inbound import Inbound
from llmgateway.proxy.media.gateway import gateways as media
from llmgateway.proxy.opening import open_call

if TYPE_CHECKING:
    from dataplane.kit import Kit

ENDPOINTS = {
    "/v1/chat/completions": CHAT,
    "/v1/responses": RESPONSES,
    "/v1/embeddings": EMBEDDINGS,
    "/v1/messages": MESSAGES,
    "/v1/messages/count_tokens": COUNT_TOKENS,
}


class ModelGateway:
    """One endpoint of one dialect."""

    plane = "llm"

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    async def open(self, kit: Kit, request: Request, key: KeyRecord, snapshot: Snapshot) -> Call | None:
        if request.method != "POST":
            raise MethodNotAllowed("This address takes POST.", headers=(("allow", "POST"),))
        inbound = Inbound(self.endpoint, request, await request.body())
        return await open_call(kit, inbound, key, snapshot)

    def refuse(self, request: Request, error: HouseError) -> tuple[int, Headers, bytes]:
        return self.endpoint.refuse(request, error)


def _handler(gateway: Gateway) -> Handler:
    def handle(kit: Kit, request: Request) -> Awaitable[None]:
        return serve(kit, gateway, request)

    return handle


def _models(catalog: Handler, gemini: Handler) -> Handler:
    def handle(kit: Kit, request: Request) -> Awaitable[None]:
        return (gemini if is_google(request) else catalog)(kit, request)

    return handle


def routes() -> Routes:
    gemini = _handler(GeminiGateway())
    models = _models(_handler(Catalog()), gemini)
    exact = {path: _handler(ModelGateway(endpoint)) for path, endpoint in ENDPOINTS.items()}
    exact |= {path: _handler(gateway) for path, gateway in media().items()}
    exact |= {PATH: models, GEMINI_PATH: gemini}
    return Routes(exact=exact, prefixes=((PATH + "/", models), (GEMINI_PATH + "/", gemini)))
