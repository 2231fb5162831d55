"""How Cohere says no: a message and the id of the request, whatever the status."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from llmgateway.proxy.conversation.answer import Failure

KINDS = {
    400: "invalid",
    401: "authentication",
    402: "quota",
    403: "permission",
    404: "not_found",
    408: "timeout",
    413: "too_large",
    422: "invalid",
    429: "rate_limit",
    498: "content_filter",
    499: "server",
    503: "overloaded",
    504: "timeout",
}
"""By status (Cohere's API reference, "Errors"); 498 answers a prompt or an answer that holds a denied token."""

TOO_LONG = ("too many tokens", "too long", "context length", "maximum context", "exceeds the limit of tokens")
USED_UP = ("trial key", "monthly", "quota", "billing")


def failure_of(status: int, message: str) -> Failure:
    kind = KINDS.get(status) or ("server" if status >= 500 else "invalid")
    lower = message.lower()
    if status in (400, 422) and any(words in lower for words in TOO_LONG):
        kind = "context_length"
    elif kind == "rate_limit" and any(words in lower for words in USED_UP):
        kind = "quota"
    return Failure(status=status, kind=kind, message=message or _phrase(status))


def _phrase(status: int) -> str:
    try:
        return f"The upstream answered {status} {HTTPStatus(status).phrase}."
    except ValueError:
        return f"The upstream answered {status}."


def parse_error(status: int, body: bytes) -> Failure:
    """Never raises: a body of no known shape (a proxy's page, nothing) is told by its status."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = None
    message = told.get("message") if isinstance(told, dict) else None
    return failure_of(status, message if isinstance(message, str) else "")


def render_error(failure: Failure, request_id: str) -> bytes:
    told = {"id": request_id, "message": failure.message, "code": failure.code or failure.kind}
    if failure.param is not None:
        told["param"] = failure.param
    return msgspec.json.encode(told)
