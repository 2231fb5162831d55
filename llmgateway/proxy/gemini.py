"""/v1beta/models: Google's addresses, which name the model and the method, and its list of models. Google's SDK asks for the
same below /v1 by now, where OpenAI's and Anthropic's list of models is: it is told by its headers and by the method."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec

from dataplane.asgi import JSON_TYPE, Headers, Request, respond
from dataplane.call import Call
from dataplane.errors import HouseError, MethodNotAllowed, NotFound
from dataplane.snapshot import KeyRecord, ModelRecord
from dataplane.store import Snapshot
from llmgateway.proxy.call import unknown_model
from llmgateway.proxy.dialects.endpoint import Endpoint
from llmgateway.proxy.dialects.gemini.endpoints import BATCH_EMBED, COUNT_TOKENS, EMBED_CONTENT, GENERATE_CONTENT
from llmgateway.proxy.dialects.gemini.errors import gemini
from llmgateway.proxy.inbound import Inbound
from llmgateway.proxy.opening import open_call

if TYPE_CHECKING:
    from dataplane.kit import Kit

GEMINI_PATH = "/v1beta/models"
V1_PATH = "/v1/models"
_HEADERS = (b"x-goog-api-key", b"x-goog-api-client")

METHODS: dict[str, tuple[Endpoint, bool]] = {
    "generateContent": (GENERATE_CONTENT, False),
    "streamGenerateContent": (GENERATE_CONTENT, True),
    "countTokens": (COUNT_TOKENS, False),
    "embedContent": (EMBED_CONTENT, False),
    "batchEmbedContents": (BATCH_EMBED, False),
}
_SERVED = ["generateContent", "countTokens", "embedContent"]


def is_google(request: Request) -> bool:
    """Whether what comes to /v1/models is meant for Google's API."""
    return request.path.rpartition(":")[2] in METHODS or any(name in _HEADERS for name, _ in request.raw_headers)


class GeminiGateway:
    plane = "llm"

    async def open(self, kit: Kit, request: Request, key: KeyRecord, snapshot: Snapshot) -> Call | None:
        base = GEMINI_PATH if request.path.startswith(GEMINI_PATH) else V1_PATH
        named = unquote(request.path[len(base) + 1 :])
        model, colon, method = named.rpartition(":")
        if not colon or method not in METHODS:
            await _listed(request, key, snapshot, named)
            return None
        if request.method != "POST":
            raise MethodNotAllowed("This address takes POST.", headers=(("allow", "POST"),))
        endpoint, stream = METHODS[method]
        inbound = Inbound(endpoint, request, await request.body(), address=(model, stream))
        return await open_call(kit, inbound, key, snapshot)

    def refuse(self, request: Request, error: HouseError) -> tuple[int, Headers, bytes]:
        return gemini(request, error)


async def _listed(request: Request, key: KeyRecord, snapshot: Snapshot, named: str) -> None:
    """The models that the caller may use, or one of them. A model's name may hold a colon of its own."""
    if request.method not in ("GET", "HEAD"):
        if request.method == "POST":
            raise NotFound("There is no such method of a model here.", code="method_not_found")
        raise MethodNotAllowed("This address takes GET.", headers=(("allow", "GET, HEAD"),))
    allowed = snapshot.allowed(key)
    models = [record for record in snapshot.llm.models if f"model:{record.name}" in allowed]
    body: object = {"models": [_told(record) for record in models]}
    if named:
        found = next((record for record in models if record.name == named), None)
        if found is None:
            raise unknown_model(named)
        body = _told(found)
    await respond(request.send, 200, [JSON_TYPE, (b"x-request-id", request.id.encode())], msgspec.json.encode(body))


def _told(record: ModelRecord) -> dict[str, object]:
    told: dict[str, object] = {
        "name": f"models/{record.name}",
        "displayName": record.name,
        "version": "1",
        "supportedGenerationMethods": _SERVED,
    }
    return told if record.max_output is None else {**told, "outputTokenLimit": record.max_output}
