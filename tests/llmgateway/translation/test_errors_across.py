"""Errors of one dialect are errors of every other: whole, in-band before anything was said, and in-band in the middle."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest
from google.genai import errors

from llmgateway.proxy.conversation.answer import Answer, Candidate
from llmgateway.proxy.conversation.events import Done, Event, Stop, Used, unfold
from llmgateway.proxy.conversation.parts import Text
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.bedrock import eventstream
from llmgateway.proxy.dialects.dialect import Asked
from llmgateway.proxy.dialects.table import DIALECTS
from tests.fakes.cassettes import Cassette, corpus
from tests.fakes.house import House
from tests.fakes.provider import Provider, Reply, recorded, said
from tests.fakes.recorded_said import dialect_of
from tests.llmgateway.translation.across_kit import CALLERS, CHAT, COHERE, ERRORS, GEMINI, MESSAGES, RESPONSES, Clients, across

REFUSED = [cassette for cassette in corpus() if cassette.status >= 400 and dialect_of(cassette) is not None]
WIRES = (*CALLERS, COHERE, "bedrock")
PAIRS = [(caller, wire) for wire in WIRES for caller in CALLERS if caller != wire]

OF_OPENAI: dict[int, type[Exception]] = {
    400: openai.BadRequestError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    429: openai.RateLimitError,
    502: openai.InternalServerError,
    503: openai.InternalServerError,
    529: openai.InternalServerError,
}
OF_ANTHROPIC: dict[int, type[Exception]] = {
    400: anthropic.BadRequestError,
    403: anthropic.PermissionDeniedError,
    404: anthropic.NotFoundError,
    429: anthropic.RateLimitError,
    502: anthropic.InternalServerError,
    503: anthropic.InternalServerError,
    529: anthropic.InternalServerError,
}


def assert_raised(caller: str, error: BaseException, status: int) -> None:
    """The exception that an application written for this SDK catches, with its status."""
    if caller == GEMINI:
        assert isinstance(error, errors.ServerError if status >= 500 else errors.ClientError)
        assert error.code == status
    else:
        known = OF_ANTHROPIC if caller == MESSAGES else OF_OPENAI
        assert isinstance(error, known[status])
        assert getattr(error, "status_code", None) == status


def asked(house: House, clients: Clients, caller: str, model: str, *, stream: bool) -> tuple[BaseException, str]:
    """The SDK's exception, and how the leg was settled."""
    try:
        with pytest.raises(ERRORS) as raised:
            clients.ask(caller, model, stream=stream)
    finally:
        event = house.settled()
    return raised.value, event.outcome


@pytest.mark.parametrize(("caller", "cassette"), across(REFUSED))
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_recorded_refusal_is_the_exception_of_every_other_dialect_s_sdk(
    cassette: Cassette, caller: str, stream: bool, wired_house: House, provider: Provider, clients: Clients
) -> None:
    provider.fallback = recorded(cassette)
    error, outcome = asked(wired_house, clients, caller, f"wire/{dialect_of(cassette)}", stream=stream)
    assert_raised(caller, error, cassette.status)
    assert json.loads(cassette.answer)["error"]["message"][:60] in str(error)
    assert outcome == "error"


BODIES: dict[str, dict[int, Any]] = {
    CHAT: {
        429: {"error": {"message": "Too fast.", "type": "requests", "param": None, "code": "rate_limit_exceeded"}},
        503: {"error": {"message": "Too fast.", "type": "server_error", "param": None, "code": None}},
    },
    MESSAGES: {
        429: {"type": "error", "error": {"type": "rate_limit_error", "message": "Too fast."}},
        529: {"type": "error", "error": {"type": "overloaded_error", "message": "Too fast."}},
    },
    GEMINI: {
        429: {"error": {"code": 429, "message": "Too fast.", "status": "RESOURCE_EXHAUSTED"}},
        503: {"error": {"code": 503, "message": "Too fast.", "status": "UNAVAILABLE"}},
    },
    COHERE: {429: {"message": "Too fast."}, 503: {"message": "Too fast."}},
    "bedrock": {
        429: {"__type": "ThrottlingException", "message": "Too fast."},
        503: {"__type": "ServiceUnavailableException", "message": "Too fast."},
    },
}
BODIES[RESPONSES] = BODIES[CHAT]


@pytest.mark.parametrize(("caller", "wire"), PAIRS)
def test_a_vendor_s_refusal_keeps_its_status_and_its_words(
    caller: str, wire: str, wired_house: House, provider: Provider, clients: Clients
) -> None:
    for status, body in BODIES[wire].items():
        provider.fallback = said(body, status=status)
        error, _ = asked(wired_house, clients, caller, f"wire/{wire}", stream=False)
        assert_raised(caller, error, status)
        assert "Too fast." in str(error)


@pytest.mark.parametrize(
    ("caller", "wire", "status"),
    [(caller, wire, status) for caller, wire in PAIRS for status in (401, 403) if status == 401 or wire in (MESSAGES, "bedrock")],
)
def test_a_provider_that_does_not_accept_the_house_is_not_told_as_the_caller_s_own_key(
    caller: str, wire: str, status: int, wired_house: House, provider: Provider, clients: Clients
) -> None:
    bodies: dict[str, Any] = {
        MESSAGES: {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key sk-plain"}},
        "bedrock": {"__type": "UnrecognizedClientException", "message": "The security token sk-plain is invalid."},
    }
    refused = {"error": {"message": "Incorrect API key provided: sk-plain", "type": "authentication_error", "code": "invalid_api_key"}}
    provider.fallback = said(bodies.get(wire, refused), status=status)
    error, _ = asked(wired_house, clients, caller, f"wire/{wire}", stream=False)
    assert_raised(caller, error, 502)
    assert "sk-plain" not in str(error)


# -- in-band

CONTENT_TYPES = {"bedrock": "application/vnd.amazon.eventstream"}


def begun(wire: str) -> bytes:
    """A stream of this dialect, up to the middle of its text."""
    answer = Answer(id="1", model="m", candidates=[Candidate(parts=[Text(text="Half of")], stop="end")], usage={"input": 9, "output": 3})
    writer = DIALECTS[wire].writer(Asked(request=Request(stream=True), body={}, model="m", id="0192", created=1))
    return b"".join(writer.write(event) for event in unfold(answer) if not _is_end(event))


def _is_end(event: Event) -> bool:
    return isinstance(event, Stop | Used | Done) or type(event).__name__ == "Close"


def event(name: str, payload: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps(payload)}\n\n".encode()


def failing(wire: str) -> bytes:
    """How this dialect says in the middle of a stream that it is overloaded."""
    match wire:
        case "openai-chat":
            return b'data: {"error": {"message": "Overloaded.", "type": "server_error", "code": 503}}\n\n'
        case "openai-responses":
            return event("error", {"type": "error", "code": "server_is_overloaded", "message": "Overloaded.", "sequence_number": 9})
        case "anthropic":
            return event("error", {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded."}})
        case "gemini":
            return b'data: {"error": {"code": 503, "message": "Overloaded.", "status": "UNAVAILABLE"}}\n\n'
        case "cohere":
            delta = {"finish_reason": "ERROR", "error": "Overloaded."}
            return event("message-end", {"type": "message-end", "delta": delta})
        case _:
            headers = {":message-type": "exception", ":exception-type": "serviceUnavailableException", ":content-type": "application/json"}
            return eventstream.encode(headers, b'{"message": "Overloaded."}')


IN_BAND = {CHAT: 503, RESPONSES: 503, MESSAGES: 529, GEMINI: 503, COHERE: 502, "bedrock": 503}
"""The status that such an error is worth. Cohere's tells only that the generation broke."""


def streaming(wire: str, *pieces: bytes) -> Reply:
    kind = CONTENT_TYPES.get(wire, "text/event-stream")
    return Reply(headers=(("content-type", kind),), pieces=pieces)


@pytest.mark.parametrize(("caller", "wire"), PAIRS)
def test_an_error_before_anything_was_said_has_a_true_status(
    caller: str, wire: str, wired_house: House, provider: Provider, clients: Clients
) -> None:
    provider.fallback = streaming(wire, failing(wire))
    error, outcome = asked(wired_house, clients, caller, f"wire/{wire}", stream=True)
    assert getattr(error, "status_code", getattr(error, "code", None)) == IN_BAND[wire]
    assert "Overloaded." in str(error)
    assert outcome == "error"


@pytest.mark.parametrize(("caller", "wire"), PAIRS)
def test_an_error_in_the_middle_is_an_error_of_the_caller_s_dialect(
    caller: str, wire: str, wired_house: House, provider: Provider, clients: Clients
) -> None:
    provider.fallback = streaming(wire, begun(wire), failing(wire))
    error, outcome = asked(wired_house, clients, caller, f"wire/{wire}", stream=True)
    assert "Overloaded." in str(error) or isinstance(error, RuntimeError)
    assert outcome == "error"


@pytest.mark.parametrize(("caller", "wire"), PAIRS)
def test_a_stream_that_breaks_off_is_an_error_of_the_caller_s_dialect(
    caller: str, wire: str, wired_house: House, provider: Provider, clients: Clients
) -> None:
    for reply in (streaming(wire, begun(wire)), streaming(wire, begun(wire), b"\x00<html>never an event\n\n" * 9)):
        provider.fallback = reply
        _, outcome = asked(wired_house, clients, caller, f"wire/{wire}", stream=True)
        assert outcome == "error"


FAILED_UNDER_200: dict[str, Any] = {
    CHAT: {"error": {"message": "Overloaded.", "code": 503}},
    RESPONSES: {
        "id": "resp_1",
        "object": "response",
        "status": "failed",
        "error": {"code": "server_is_overloaded", "message": "Overloaded."},
        "output": [],
    },
    MESSAGES: {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded."}},
    GEMINI: {"error": {"code": 503, "message": "Overloaded.", "status": "UNAVAILABLE"}},
}


@pytest.mark.parametrize(("caller", "wire"), [(caller, wire) for caller, wire in PAIRS if wire in FAILED_UNDER_200])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_error_under_a_success_status_is_no_empty_answer(
    caller: str, wire: str, stream: bool, wired_house: House, provider: Provider, clients: Clients
) -> None:
    provider.fallback = said(FAILED_UNDER_200[wire])
    error, outcome = asked(wired_house, clients, caller, f"wire/{wire}", stream=stream)
    assert_raised(caller, error, IN_BAND[wire])
    assert "Overloaded." in str(error)
    assert outcome == "error"
