"""Errors of this dialect, whole and in-band, read and written. OpenAI words them alike in all of its dialects."""

from __future__ import annotations

import msgspec

from llmgateway.proxy.conversation.answer import Failure
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.dialects.endpoint import UNREADABLE

MOST_TOLD = 2000
"""Characters of a body that is no JSON, in the message."""

BY_CODE = {
    "context_length_exceeded": ("context_length", 400),
    "string_above_max_length": ("context_length", 400),
    "insufficient_quota": ("quota", 429),
    "usage_not_included": ("quota", 429),
    "billing_hard_limit_reached": ("quota", 429),
    "rate_limit_exceeded": ("rate_limit", 429),
    "invalid_api_key": ("authentication", 401),
    "model_not_found": ("not_found", 404),
    "content_filter": ("content_filter", 400),
    "content_policy_violation": ("content_filter", 400),
    "image_content_policy_violation": ("content_filter", 400),
    "bio_policy": ("content_filter", 400),
    "misalignment_policy_violation": ("content_filter", 400),
    "cyber_policy": ("content_filter", 400),
    "server_is_overloaded": ("overloaded", 503),
    "slow_down": ("overloaded", 503),
    "server_error": ("server", 500),
    "vector_store_timeout": ("timeout", 504),
    "invalid_prompt": ("invalid", 400),
}
BY_TYPE = {
    "authentication_error": ("authentication", 401),
    "permission_error": ("permission", 403),
    "not_found_error": ("not_found", 404),
    "insufficient_quota": ("quota", 429),
    "rate_limit_error": ("rate_limit", 429),
    "tokens": ("rate_limit", 429),
    "requests": ("rate_limit", 429),
    "overloaded_error": ("overloaded", 503),
    "invalid_request_error": ("invalid", 400),
    "server_error": ("server", 500),
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
CODES = {
    "authentication": "invalid_api_key",
    "not_found": "model_not_found",
    "too_large": "request_too_large",
    "rate_limit": "rate_limit_exceeded",
    "quota": "insufficient_quota",
    "context_length": "context_length_exceeded",
    "content_filter": "content_filter",
    "overloaded": "server_is_overloaded",
    "invalid": "invalid_prompt",
    "permission": "permission_denied",
}
DECIDING = frozenset({"context_length", "rate_limit", "quota", "overloaded"})
"""Kinds by whose code callers decide what to do next (Codex: to shorten, to wait, to give up): it is always one of OpenAI's."""

TYPES = {
    "rate_limit": "rate_limit_error",
    "quota": "insufficient_quota",
    "permission": "permission_error",
    "overloaded": "server_error",
    "timeout": "server_error",
    "server": "server_error",
}


def parse_error(status: int, body: bytes) -> Failure:
    """Never raises."""
    try:
        value = msgspec.json.decode(body)
    except UNREADABLE:
        value = body.decode("utf-8", "replace").strip()[:MOST_TOLD]
    return failure_of(value, status)


def failure_of(value: Json, status: int = 0) -> Failure:
    """Of a body, of an `error` event, or of a response's error object. `status` is 0 where it came in-band."""
    inner = _inner(value)
    if isinstance(inner, str):
        return Failure(status=status or 500, kind=_kind_of_status(status or 500), message=inner or _nothing_told(status))
    code, kind = _word(inner, "code"), _word(inner, "type")
    found = BY_CODE.get(code) or BY_CODE.get(kind) or (BY_TYPE.get(kind) if not status else None)
    known, usual = found or (_kind_of_status(status or 500), 500)
    param = inner.get("param")
    return Failure(
        status=status or usual,
        kind=known,
        message=_word(inner, "message") or _word(inner, "detail") or _nothing_told(status),
        code=code,
        param=param if isinstance(param, str) else None,
    )


def _inner(value: Json) -> dict[str, Json] | str:
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict) and isinstance(value.get("error"), dict | str):
        value = value["error"]
    if isinstance(value, dict | str):
        return value
    return ""


def _word(value: dict[str, Json], name: str) -> str:
    held = value.get(name)
    if isinstance(held, int) and not isinstance(held, bool):
        return str(held)
    return held if isinstance(held, str) else ""


def _nothing_told(status: int) -> str:
    return f"The upstream refused the call with status {status}." if status else "The upstream has failed and told no reason."


def _kind_of_status(status: int) -> str:
    return BY_STATUS.get(status) or ("invalid" if status < 500 else "server")


def code_of(failure: Failure) -> str:
    """In a response's error, where clients look at nothing else."""
    return _told_code(failure) or "server_error"


def _told_code(failure: Failure) -> str | None:
    if failure.kind in DECIDING and failure.code not in BY_CODE:
        return CODES[failure.kind]
    return failure.code or CODES.get(failure.kind)


def render_error(failure: Failure, request_id: str) -> bytes:
    kind = TYPES.get(failure.kind, "invalid_request_error")
    inner = {
        "message": failure.message,
        "type": kind,
        "param": failure.param,
        "code": _told_code(failure),
        "request_id": request_id,
    }
    return msgspec.json.encode({"error": inner})
