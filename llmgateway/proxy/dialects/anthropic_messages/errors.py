"""Errors of Anthropic, whole and in a stream, to failures and back."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from llmgateway.proxy.conversation.answer import Failure
from llmgateway.proxy.conversation.parts import Json


class _Meaning(NamedTuple):
    kind: str
    status: int


_BY_TYPE = {
    "invalid_request_error": _Meaning("invalid", 400),
    "authentication_error": _Meaning("authentication", 401),
    "billing_error": _Meaning("quota", 402),
    "permission_error": _Meaning("permission", 403),
    "not_found_error": _Meaning("not_found", 404),
    "conflict_error": _Meaning("invalid", 409),
    "request_too_large": _Meaning("too_large", 413),
    "rate_limit_error": _Meaning("rate_limit", 429),
    "api_error": _Meaning("server", 500),
    "timeout_error": _Meaning("timeout", 504),
    "overloaded_error": _Meaning("overloaded", 529),
}
_BY_STATUS = {
    401: "authentication",
    402: "quota",
    403: "permission",
    404: "not_found",
    408: "timeout",
    413: "too_large",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}
_TYPES = {
    "invalid": "invalid_request_error",
    "context_length": "invalid_request_error",
    "content_filter": "invalid_request_error",
    "authentication": "authentication_error",
    "quota": "billing_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "too_large": "request_too_large",
    "rate_limit": "rate_limit_error",
    "overloaded": "overloaded_error",
    "timeout": "timeout_error",
}
TOO_LONG = "prompt is too long"
"""How Anthropic words it. Claude Code shortens its conversation when it reads that, and only then."""

_LONG = (TOO_LONG, "exceed context limit", "exceeds the context window", "context window exceeded")
MOST_TEXT = 500
"""Characters of an error body that is no JSON."""


def parse_error(status: int, body: bytes) -> Failure:
    """Reads Anthropic's shape, the shapes that compatible vendors and proxies use instead, and plain text."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Failure(status=status, kind=_by_status(status), message=_plain(status, body))
    error = told.get("error", told) if isinstance(told, dict) else told
    return read(error, status)


def read(error: Json, status: int = 0) -> Failure:
    """The error's object, of a body with that status or, with 0, of an event in a stream."""
    if isinstance(error, str):
        error = {"message": error}
    if not isinstance(error, dict):
        error = {}
    meaning = _BY_TYPE.get(_text(error, "type"))
    status = status or (meaning.status if meaning is not None else 500)
    kind = meaning.kind if meaning is not None else _by_status(status)
    message = _text(error, "message") or _text(error, "detail") or f"The provider answered with status {status}."
    if kind == "invalid" and any(mark in message.lower() for mark in _LONG):
        kind = "context_length"
    return Failure(status=status, kind=kind, message=message, code=_text(error, "code"), param=_text(error, "param") or None)


def told(failure: Failure) -> dict[str, Json]:
    """The error's object, in a body as in a stream."""
    message = failure.message
    if failure.kind == "context_length" and TOO_LONG not in message.lower():
        message = f"{TOO_LONG}: {message}"
    inner: dict[str, Json] = {"type": _TYPES.get(failure.kind, "api_error"), "message": message, "code": failure.code or failure.kind}
    if failure.param is not None:
        inner["param"] = failure.param
    return inner


def render_error(failure: Failure, request_id: str) -> bytes:
    return msgspec.json.encode({"type": "error", "error": told(failure), "request_id": request_id})


def _by_status(status: int) -> str:
    return _BY_STATUS.get(status) or ("invalid" if 400 <= status < 500 else "server")


def _text(error: dict[str, Json], name: str) -> str:
    value = error.get(name)
    return value if isinstance(value, str) else ""


def _plain(status: int, body: bytes) -> str:
    """A page of a proxy on the way says nothing that a caller could use."""
    text = body[: 4 * MOST_TEXT].decode("utf-8", "replace").strip()
    return f"The provider answered with status {status}." if not text or text.startswith("<") else text[:MOST_TEXT]
