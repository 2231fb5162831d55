"""How each dialect says no. Every error has the house's stable code and the request id in it."""

from __future__ import annotations

import msgspec

from dataplane.asgi import JSON_TYPE, Headers, Request
from dataplane.errors import HouseError

OPENAI_TYPES = {
    401: "invalid_request_error",
    402: "insufficient_quota",
    404: "invalid_request_error",
    429: "rate_limit_error",
}
ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def openai_object(error: HouseError, request_id: str) -> bytes:
    kind = OPENAI_TYPES.get(error.status) or ("invalid_request_error" if error.status < 500 else "server_error")
    return msgspec.json.encode(
        {"error": {"message": error.message, "type": kind, "param": error.param, "code": error.code, "request_id": request_id}}
    )


def anthropic_object(error: HouseError, request_id: str) -> bytes:
    kind = ANTHROPIC_TYPES.get(error.status) or ("invalid_request_error" if error.status < 500 else "api_error")
    inner = {"type": kind, "message": error.message, "code": error.code}
    if error.param is not None:
        inner["param"] = error.param
    return msgspec.json.encode({"type": "error", "error": inner, "request_id": request_id})


def openai(request: Request, error: HouseError) -> tuple[int, Headers, bytes]:
    return error.status, [JSON_TYPE], openai_object(error, request.id)


def anthropic(request: Request, error: HouseError) -> tuple[int, Headers, bytes]:
    return error.status, [JSON_TYPE, (b"request-id", request.id.encode())], anthropic_object(error, request.id)
