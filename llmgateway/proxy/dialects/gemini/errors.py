"""How Google words errors (google.rpc.Status): a number, a word for it, and details by type.

The house's stable code is the `reason` of an ErrorInfo, the request's id stands in its metadata; a field that is to blame is
told as BadRequest.
"""

from __future__ import annotations

import re

import msgspec

from dataplane.asgi import JSON_TYPE, Headers, Request
from dataplane.errors import HouseError
from llmgateway.proxy.conversation.answer import Failure
from llmgateway.proxy.conversation.parts import Json

_TYPE = "type.googleapis.com/google.rpc."
DOMAIN = "customhouse"

STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    431: "INVALID_ARGUMENT",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}

_HTTP = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}

_KINDS = {
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

_CONTEXT = re.compile(r"token count.*exceeds|exceeds the maximum number of tokens|input is too long", re.I | re.S)
_DAILY = re.compile(r"PerDay", re.I)
_KEYS = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED"})
LONGEST = 1000
"""Characters of a body that is no error of Google's, a page of a proxy perhaps, that are told on."""


def error_body(status: int, message: str, *, code: str, param: str | None, request_id: str) -> dict[str, Json]:
    word = STATUSES.get(status) or ("INVALID_ARGUMENT" if status < 500 else "INTERNAL")
    info = {"@type": f"{_TYPE}ErrorInfo", "reason": code, "domain": DOMAIN, "metadata": {"request_id": request_id}}
    details: list[dict[str, Json]] = [info]
    if param is not None:
        details.append({"@type": f"{_TYPE}BadRequest", "fieldViolations": [{"field": param, "description": message}]})
    return {"error": {"code": status, "message": message, "status": word, "details": details}}


def gemini_object(error: HouseError, request_id: str) -> bytes:
    return msgspec.json.encode(
        error_body(error.status, error.message, code=error.code, param=error.param, request_id=request_id),
    )


def gemini(request: Request, error: HouseError) -> tuple[int, Headers, bytes]:
    return error.status, [JSON_TYPE], gemini_object(error, request.id)


def failure_body(failure: Failure, request_id: str) -> dict[str, Json]:
    code = failure.code or failure.kind
    return error_body(failure.status, failure.message, code=code, param=failure.param, request_id=request_id)


def render_error(failure: Failure, request_id: str) -> bytes:
    return msgspec.json.encode(failure_body(failure, request_id))


def parse_error(status: int, body: bytes) -> Failure:
    """Whatever the body is."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        told = None
    if isinstance(told, list) and told:
        told = told[0]
    error = told.get("error") if isinstance(told, dict) else None
    if isinstance(error, dict | str):
        return failure_of(error, status)
    text = body[: 4 * LONGEST].decode("utf-8", "replace").strip()[:LONGEST]
    return _failure(status, text or f"The upstream answered {status} and no more.", word="", code="", param=None)


def failure_of(error: Json, status: int = 0) -> Failure:
    """Of an `error` member, in a body or in the middle of a stream; there its own number is all there is."""
    told: dict[str, Json] = error if isinstance(error, dict) else {"message": error}
    word, message, number = told.get("status"), told.get("message"), told.get("code")
    word = word if isinstance(word, str) else ""
    if status < 400:
        status = number if isinstance(number, int) and 400 <= number <= 599 else _HTTP.get(word, 500)
    details = told.get("details")
    kinds = [item for item in details if isinstance(item, dict)] if isinstance(details, list) else []
    code = next((item["reason"] for item in kinds if isinstance(item.get("reason"), str)), "") or word
    text = message if isinstance(message, str) and message else f"The upstream answered {word or status} and no more."
    failure = _failure(status, text, word=word, code=code, param=_field(kinds))
    if failure.kind == "rate_limit" and _DAILY.search(str(kinds)):
        failure.kind = "quota"
    return failure


def _field(details: list[dict[str, Json]]) -> str | None:
    for item in details:
        violations = item.get("fieldViolations")
        for violation in violations if isinstance(violations, list) else []:
            field = violation.get("field") if isinstance(violation, dict) else None
            if isinstance(field, str) and field:
                return field
    return None


def _failure(status: int, message: str, *, word: str, code: str, param: str | None) -> Failure:
    kind = _KINDS.get(status) or ("invalid" if status < 500 else "server")
    if code in _KEYS:
        kind = "authentication"
    elif status == 400 and _CONTEXT.search(message):
        kind = "context_length"
    elif word == "RESOURCE_EXHAUSTED" and status == 402:
        kind = "quota"
    return Failure(status=status, kind=kind, message=message, code=code, param=param)
