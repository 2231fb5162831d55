"""Errors: read from whatever a vendor of this dialect sends, written as OpenAI words them.

Shapes seen: {"error": {message, type, param, code}} (OpenAI; OpenRouter's code is a number, with `metadata`),
{"error": "text"}, [{"error": {…}}] (Google), {"object": "error", "message", "type"} (Mistral, vLLM), {"detail": …} (FastAPI),
a page of HTML, and nothing.
"""

from __future__ import annotations

import re

import msgspec

from llmgateway.proxy.conversation.answer import Failure
from llmgateway.proxy.conversation.parts import Json

MOST_TEXT = 2000
"""Characters of a message that are passed on."""

BY_CODE = {
    "context_length_exceeded": "context_length",
    "string_above_max_length": "context_length",
    "content_filter": "content_filter",
    "content_policy_violation": "content_filter",
    "responsible_ai_policy_violation": "content_filter",
    "insufficient_quota": "quota",
    "billing_hard_limit_reached": "quota",
    "rate_limit_exceeded": "rate_limit",
    "rate_limit_error": "rate_limit",
    "model_not_found": "not_found",
    "invalid_api_key": "authentication",
    "authentication_error": "authentication",
    "permission_denied": "permission",
    "engine_overloaded": "overloaded",
    "overloaded_error": "overloaded",
    "server_error": "server",
    "invalid_request_error": "invalid",
}
BY_STATUS = {
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
STATUSES = {
    "invalid": 400,
    "context_length": 400,
    "content_filter": 400,
    "authentication": 401,
    "quota": 429,
    "permission": 403,
    "not_found": 404,
    "rate_limit": 429,
    "overloaded": 503,
    "server": 500,
}
"""Of errors that come in-band, under a status that said success."""

WORDS = {
    "invalid": ("invalid_request_error", "invalid_request"),
    "authentication": ("invalid_request_error", "invalid_api_key"),
    "permission": ("invalid_request_error", "permission_denied"),
    "not_found": ("invalid_request_error", "not_found"),
    "too_large": ("invalid_request_error", "request_too_large"),
    "rate_limit": ("rate_limit_error", "rate_limit_exceeded"),
    "quota": ("insufficient_quota", "insufficient_quota"),
    "context_length": ("invalid_request_error", "context_length_exceeded"),
    "content_filter": ("invalid_request_error", "content_filter"),
    "overloaded": ("server_error", "overloaded"),
    "timeout": ("server_error", "upstream_timeout"),
    "server": ("server_error", "upstream_error"),
}
"""The type and the code that OpenAI's callers look for."""

TYPED = frozenset({"context_length", "content_filter", "quota", "rate_limit"})
"""Kinds whose code is always OpenAI's: callers decide by it what to do next."""

_TOO_LONG = re.compile(
    r"context.{0,3}(?:length|window)|maximum context|prompt is too long|reduce the length of the (?:messages|prompt)|too many tokens", re.I
)


def parse_error(status: int, body: bytes) -> Failure:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        value = None
    if value is None:
        text = _page(body)
        return Failure(status=status, kind=_kind(status, "", "", text), message=text or f"The upstream answered {status}.")
    return failure_of(value, status)


def failure_of(value: Json, status: int) -> Failure:
    """Of a decoded error of any shape. `status` 0: it came in-band, and its own code or type says what it is."""
    if isinstance(value, list) and value:
        value = value[0]
    outer = value if isinstance(value, dict) else {}
    inner = outer.get("error", value)
    held = inner if isinstance(inner, dict) else {} if "error" in outer else outer
    code, kind_word, number = _word(held.get("code")), _word(held.get("type")), _number(held.get("code"))
    message = _message(held) or (inner if isinstance(inner, str) else "") or _message(outer)
    status = status or number
    kind = _kind(status, code, kind_word, message)
    status = status or STATUSES.get(kind, 500)
    message = message[:MOST_TEXT] or f"The upstream answered {status}."
    return Failure(status=status, kind=kind, message=message, code=code or kind_word, param=_word(held.get("param")) or None)


def _message(held: dict[str, Json]) -> str:
    value = next((held[name] for name in ("message", "detail", "msg", "error_message") if held.get(name)), "")
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode() if value else ""


def _word(value: Json) -> str:
    return value if isinstance(value, str) and not value.isdigit() else ""


def _number(value: Json) -> int:
    """A status that vendors give as the code of an in-band error."""
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3 else value
    return number if type(number) is int and 400 <= number <= 599 else 0


def _kind(status: int, code: str, word: str, message: str) -> str:
    found = BY_CODE.get(code)
    if found is None and status in (0, 400, 413, 422) and _TOO_LONG.search(message):
        return "context_length"
    found = found or BY_STATUS.get(status) or BY_CODE.get(word)
    return found or ("invalid" if 400 <= status < 500 else "server")


def _page(body: bytes) -> str:
    """What a page says, without its tags."""
    text = re.sub(r"(?is)<(script|style)\b.*?</\1>|<[^>]*>", " ", body[: 4 * MOST_TEXT].decode("utf-8", "replace"))
    return " ".join(text.split())[:MOST_TEXT]


def error_object(failure: Failure, request_id: str) -> dict[str, Json]:
    kind, code = WORDS.get(failure.kind, WORDS["server"])
    told = code if failure.kind in TYPED else failure.code or code
    return {"error": {"message": failure.message, "type": kind, "param": failure.param, "code": told, "request_id": request_id}}


def render_error(failure: Failure, request_id: str) -> bytes:
    return msgspec.json.encode(error_object(failure, request_id))
