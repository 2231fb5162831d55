"""How the house says no to a caller that speaks Gemini."""

from __future__ import annotations

import json
from typing import cast

import pytest
from google.genai import errors

from dataplane.asgi import Request
from dataplane.errors import BadRequest, BudgetExceeded, HouseError, NotFound, RateLimited, Unauthorized, Unavailable, UpstreamTimeout
from llmgateway.proxy.dialects.gemini.errors import gemini, gemini_object
from tests.llmgateway.dialects.gemini_kit import sdk


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (BadRequest("Wrong.", param="contents[0].role", code="invalid_value"), 400, "INVALID_ARGUMENT"),
        (Unauthorized("No key."), 401, "UNAUTHENTICATED"),
        (BudgetExceeded("Used up."), 402, "RESOURCE_EXHAUSTED"),
        (NotFound("No such model."), 404, "NOT_FOUND"),
        (RateLimited("Slow down.", retry_after=2), 429, "RESOURCE_EXHAUSTED"),
        (Unavailable("Later."), 503, "UNAVAILABLE"),
        (UpstreamTimeout("Too slow."), 504, "DEADLINE_EXCEEDED"),
        (HouseError("Odd.", status=599), 599, "INTERNAL"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, HouseError) else None,
)
def test_a_refusal_has_googles_shape_and_the_houses_code_and_the_official_sdk_raises_it(error: HouseError, status: int, word: str) -> None:
    body = json.loads(gemini_object(error, "req_1"))["error"]
    assert (body["code"], body["message"], body["status"]) == (status, error.message, word)
    info = body["details"][0]
    assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert (info["reason"], info["metadata"]) == (error.code, {"request_id": "req_1"})
    with pytest.raises(errors.APIError) as raised:
        sdk(gemini_object(error, "req_1"), "application/json", status).generate_content(model="m", contents="hi")
    assert (raised.value.code, raised.value.status, raised.value.message) == (status, word, error.message)


def test_the_field_that_is_to_blame_is_named() -> None:
    body = json.loads(gemini_object(BadRequest("Wrong.", param="contents[0].role"), "req_1"))["error"]
    assert body["details"][1]["fieldViolations"] == [{"field": "contents[0].role", "description": "Wrong."}]


def test_a_refusal_goes_out_under_its_own_status_with_the_requests_id() -> None:
    class Asked:
        id = "req_7"

    status, headers, body = gemini(cast(Request, Asked()), NotFound("No such model."))
    assert status == 404
    assert headers == [(b"content-type", b"application/json")]
    assert json.loads(body)["error"]["details"][0]["metadata"] == {"request_id": "req_7"}
