"""How Bedrock says no: exceptions by name, with a message, as a body or in a stream.

A body names its exception in `__type` or only in a header; then the status tells what it is (service model of
bedrock-runtime, "Troubleshooting Amazon Bedrock API error codes").
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from llmgateway.proxy.conversation.answer import Failure
from llmgateway.proxy.conversation.parts import Json

KINDS = {
    "AccessDeniedException": (403, "permission"),
    "ExpiredTokenException": (403, "authentication"),
    "IncompleteSignature": (403, "authentication"),
    "IncompleteSignatureException": (403, "authentication"),
    "InternalServerException": (500, "server"),
    "InvalidSignatureException": (403, "authentication"),
    "MissingAuthenticationTokenException": (403, "authentication"),
    "ModelErrorException": (424, "server"),
    "ModelNotReadyException": (429, "overloaded"),
    "ModelStreamErrorException": (424, "server"),
    "ModelTimeoutException": (408, "timeout"),
    "ResourceNotFoundException": (404, "not_found"),
    "ServiceQuotaExceededException": (400, "quota"),
    "ServiceUnavailableException": (503, "overloaded"),
    "ThrottlingException": (429, "rate_limit"),
    "UnrecognizedClientException": (403, "authentication"),
    "ValidationException": (400, "invalid"),
}
"""Status and kind of each exception."""

BY_STATUS = {
    400: "invalid",
    401: "authentication",
    403: "permission",
    404: "not_found",
    408: "timeout",
    413: "too_large",
    424: "server",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
}
SAID = {
    "invalid": "ValidationException",
    "authentication": "UnrecognizedClientException",
    "permission": "AccessDeniedException",
    "not_found": "ResourceNotFoundException",
    "too_large": "ValidationException",
    "rate_limit": "ThrottlingException",
    "quota": "ServiceQuotaExceededException",
    "context_length": "ValidationException",
    "content_filter": "ValidationException",
    "overloaded": "ServiceUnavailableException",
    "timeout": "ModelTimeoutException",
    "server": "InternalServerException",
}
TOO_LONG = ("too long", "context window", "context length", "maximum context", "too many tokens", "maximum number of tokens")
_UNSIGNED = ("security token", "signature", "api key", "bearer token", "credential")


def failure_of(name: str, message: str, status: int = 0) -> Failure:
    """Of an exception by its name; a status of 0 is that of the exception. `name` may begin in lower case (in streams it is
    the name of an event), or carry a namespace or an address."""
    short = name.rsplit("#", 1)[-1].split(":", 1)[0]
    short = short[:1].upper() + short[1:]
    own, kind = KINDS.get(short, (status or 500, ""))
    found = status or own
    kind = kind or BY_STATUS.get(found) or ("server" if found >= 500 else "invalid")
    lower = message.lower()
    if kind == "invalid" and found == 400 and any(words in lower for words in TOO_LONG):
        kind = "context_length"
    if kind == "permission" and any(words in lower for words in _UNSIGNED):
        kind = "authentication"
    return Failure(status=found, kind=kind, message=message or _phrase(found), code=short)


def _phrase(status: int) -> str:
    try:
        return f"The upstream answered {status} {HTTPStatus(status).phrase}."
    except ValueError:
        return f"The upstream answered {status}."


def message_of(body: bytes) -> tuple[str, str]:
    """Name and message of an error body, "" for what it does not tell."""
    try:
        told: Json = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "", ""
    if not isinstance(told, dict):
        return "", ""
    name, message = told.get("__type") or told.get("code"), told.get("message") or told.get("Message")
    return (name if isinstance(name, str) else ""), (message if isinstance(message, str) else "")


def parse_error(status: int, body: bytes) -> Failure:
    """Never raises: a body of no known shape (a proxy's page, nothing) is told by its status."""
    name, message = message_of(body)
    return failure_of(name, message, status)


def render_error(failure: Failure, request_id: str) -> bytes:
    name = failure.code if failure.code in KINDS else SAID.get(failure.kind, "InternalServerException")
    told = {"message": failure.message, "__type": name, "code": failure.code or failure.kind, "request_id": request_id}
    if failure.param is not None:
        told["param"] = failure.param
    return msgspec.json.encode(told)
