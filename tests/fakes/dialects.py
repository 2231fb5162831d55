"""The four calls of the LLM gateway that a refusal can meet, each with a body that is right, and how to read a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from tests.fakes import answers

HELLO = [{"role": "user", "content": "Say hello."}]
ANTHROPIC = {"anthropic-version": "2023-06-01"}


@dataclass(frozen=True)
class Call:
    """One way to call. `pieces` and `answer` are what a provider of this dialect says to it."""

    name: str
    path: str
    body: dict[str, Any]
    answer: dict[str, Any]
    pieces: tuple[bytes, ...] = ()

    @property
    def anthropic(self) -> bool:
        return self.name == "messages"

    def headers(self, key: str | None) -> dict[str, str]:
        """As the dialect's own SDK sends the key."""
        if self.anthropic:
            return ANTHROPIC if key is None else {**ANTHROPIC, "x-api-key": key}
        return {} if key is None else {"authorization": f"Bearer {key}"}


CHAT = Call("chat", "/v1/chat/completions", {"model": "gpt", "messages": HELLO}, answers.chat(), tuple(answers.chat_pieces()))
RESPONSES = Call("responses", "/v1/responses", {"model": "gpt", "input": "Hello."}, answers.response(), tuple(answers.response_pieces()))
EMBEDDINGS = Call("embeddings", "/v1/embeddings", {"model": "embed", "input": "Hello."}, answers.embedding())
MESSAGES = Call(
    "messages",
    "/v1/messages",
    {"model": "claude", "max_tokens": 64, "messages": HELLO},
    answers.message(),
    tuple(answers.message_pieces()),
)
CALLS = (CHAT, RESPONSES, EMBEDDINGS, MESSAGES)
STREAMED = (CHAT, RESPONSES, MESSAGES)

ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


@dataclass(frozen=True)
class Refusal:
    """What a refusal says. `code` and `param` are OpenAI's only; `kind` is the `type` of either dialect."""

    status: int
    kind: str
    message: str
    code: str | None
    param: str | None


def refusal(call: Call, answer: httpx.Response) -> Refusal:
    """Reads a refusal and holds it to the shape of the call's dialect."""
    assert answer.headers["content-type"].startswith("application/json")
    request_id = answer.headers["x-request-id"]
    assert len(request_id) == 36
    body = answer.json()
    if call.anthropic:
        assert set(body) == {"type", "error", "request_id"}
        assert body["type"] == "error"
        assert body["request_id"] == request_id
        rest = "invalid_request_error" if answer.status_code < 500 else "api_error"
        assert body["error"]["type"] == ANTHROPIC_TYPES.get(answer.status_code, rest)
        return Refusal(answer.status_code, body["error"]["type"], body["error"]["message"], None, None)
    error = body["error"]
    assert {"message", "type", "param", "code"} <= set(error)
    assert error["message"]
    assert "Traceback" not in answer.text
    return Refusal(answer.status_code, error["type"], error["message"], error["code"], error["param"])
