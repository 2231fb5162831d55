"""Errors of OpenAI's chat dialect: read from whatever vendors send, written as OpenAI's callers expect them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmgateway.proxy.conversation.answer import Failure
from llmgateway.proxy.dialects.openai_chat.codec import DIALECT
from tests.fakes.cassettes import Cassette, cases
from tests.llmgateway.dialects.chat_kit import cassettes

LONG = "This model's maximum context length is 8192 tokens."


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (400, {"error": {"message": LONG, "code": "context_length_exceeded"}}, "context_length", LONG),
        (400, {"error": {"message": LONG, "type": "invalid_request_error"}}, "context_length", LONG),
        (400, {"error": {"message": "No", "code": "content_filter"}}, "content_filter", "No"),
        (400, {"error": "No"}, "invalid", "No"),
        (400, [{"error": {"code": 400, "message": "No", "status": "INVALID_ARGUMENT"}}], "invalid", "No"),
        (401, {"detail": "Unauthorized"}, "authentication", "Unauthorized"),
        (402, {"error": {"message": "Pay", "code": 402}}, "quota", "Pay"),
        (403, {"message": "No"}, "permission", "No"),
        (404, {"error": {"message": "No model", "code": "model_not_found"}}, "not_found", "No model"),
        (422, {"object": "error", "message": {"detail": [{"msg": "bad"}]}}, "invalid", '{"detail":[{"msg":"bad"}]}'),
        (429, {"error": {"message": "Pay", "code": "insufficient_quota"}}, "quota", "Pay"),
        (429, {"error": {"message": "Slow", "code": "rate_limit_exceeded"}}, "rate_limit", "Slow"),
        (500, {}, "server", "The upstream answered 500."),
        (503, {"error": {"message": "Busy"}}, "overloaded", "Busy"),
        (504, {"error": {"message": None}}, "timeout", "The upstream answered 504."),
    ],
)
def test_every_shape_of_an_error_is_understood(status: int, body: Any, kind: str, message: str) -> None:
    failure = DIALECT.parse_error(status, json.dumps(body).encode())

    assert (failure.status, failure.kind, failure.message) == (status, kind, message)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The upstream answered 502."),
        (b"<html><head><style>p {}</style></head><body><h1>502</h1> Bad&nbsp;Gateway</body></html>", "502 Bad&nbsp;Gateway"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[" * 5000, "[" * 2000),
    ],
)
def test_what_is_no_json_is_told_as_text(body: bytes, message: str) -> None:
    assert DIALECT.parse_error(502, body) == Failure(status=502, kind="server", message=message)


@pytest.mark.parametrize("cassette", cases([cassette for cassette in cassettes() if cassette.status >= 400]))
def test_a_recorded_error_is_told_again_as_it_was(cassette: Cassette) -> None:
    record = json.loads(cassette.answer)["error"]

    failure = DIALECT.parse_error(cassette.status, cassette.answer)
    told = json.loads(DIALECT.render_error(failure, "r-1"))["error"]

    assert failure.status == cassette.status
    assert {name: told[name] for name in ("message", "type", "param", "code")} == {
        name: record.get(name) for name in ("message", "type", "param", "code")
    }


@pytest.mark.parametrize(
    ("failure", "kind", "code"),
    [
        (
            Failure(status=400, kind="context_length", message="m", code="invalid_request_error"),
            "invalid_request_error",
            "context_length_exceeded",
        ),
        (Failure(status=429, kind="rate_limit", message="m", code="RESOURCE_EXHAUSTED"), "rate_limit_error", "rate_limit_exceeded"),
        (Failure(status=529, kind="overloaded", message="m", code="overloaded_error"), "server_error", "overloaded_error"),
        (Failure(status=500, kind="server", message="m"), "server_error", "upstream_error"),
    ],
)
def test_another_dialects_error_has_the_code_that_callers_look_for(failure: Failure, kind: str, code: str) -> None:
    told = json.loads(DIALECT.render_error(failure, "r-1"))["error"]

    assert (told["type"], told["code"], told["request_id"]) == (kind, code, "r-1")
