"""The LLM gateway's addresses, and how one of its calls is opened."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from dataplane.asgi import Headers, Request
from dataplane.call import Call
from dataplane.errors import HouseError, MethodNotAllowed
from dataplane.kit import Handler, Routes
from dataplane.pipeline import serve
from dataplane.snapshot import KeyRecord, LlmSection
from dataplane.store import Snapshot
from llmgateway.proxy.call import ModelCall
from llmgateway.proxy.catalog import PATH, Catalog
from llmgateway.proxy.dialects.anthropic_messages.meter import MESSAGES
from llmgateway.proxy.dialects.endpoint import Endpoint
from llmgateway.proxy.dialects.openai_chat.meter import CHAT, EMBEDDINGS
from llmgateway.proxy.dialects.openai_responses.meter import RESPONSES
from llmgateway.proxy.runtime import Runtime

if TYPE_CHECKING:
    from dataplane.kit import Kit

ENDPOINTS = {
    "/v1/chat/completions": CHAT,
    "/v1/responses": RESPONSES,
    "/v1/embeddings": EMBEDDINGS,
    "/v1/messages": MESSAGES,
}


class ModelGateway:
    """One endpoint of one dialect."""

    plane = "llm"

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    async def open(self, kit: Kit, request: Request, key: KeyRecord, snapshot: Snapshot) -> Call | None:
        if request.method != "POST":
            raise MethodNotAllowed("This address takes POST.", headers=(("allow", "POST"),))
        body = await request.body()
        runtime = snapshot.view(snapshot.llm, lambda section: _runtime(kit, section))
        return ModelCall(self.endpoint, request, key=key, snapshot=snapshot, runtime=runtime, body=body)

    def refuse(self, request: Request, error: HouseError) -> tuple[int, Headers, bytes]:
        return self.endpoint.refuse(request, error)


def _runtime(kit: Kit, section: object) -> Runtime:
    assert isinstance(section, LlmSection)
    return Runtime(kit, section)


def _handler(gateway: ModelGateway | Catalog) -> Handler:
    def handle(kit: Kit, request: Request) -> Awaitable[None]:
        return serve(kit, gateway, request)

    return handle


def routes() -> Routes:
    catalog = _handler(Catalog())
    exact = {path: _handler(ModelGateway(endpoint)) for path, endpoint in ENDPOINTS.items()}
    return Routes(exact={**exact, PATH: catalog}, prefixes=((PATH + "/", catalog),))
