"""What the LLM gateway refuses on its own, in each dialect, before any provider is called."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from tests.fakes.dialects import CALLS, CHAT, EMBEDDINGS, MESSAGES, RESPONSES, STREAMED, Call, refusal
from tests.fakes.house import House
from tests.fakes.provider import Provider, said
from tests.fakes.wire import exchange, head, posting

each_call = pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)


def assert_untouched(house: House, provider: Provider) -> None:
    """A refusal reaches no provider and costs nothing."""
    assert provider.asked == []
    assert house.journaled() == []


@each_call
@pytest.mark.parametrize("key", ["ch_00000000_wrong", "sk-somebody-elses", "ch_", "\u00fc" * 20, "x" * 5000])
def test_a_wrong_key_is_refused_before_the_upstream_is_called(call: Call, key: str, house: House, provider: Provider) -> None:
    headers = {name.encode(): value.encode() for name, value in call.headers(key).items()}
    answer = house.http.post(call.path, json=call.body, headers=headers)
    assert refusal(call, answer).status == 401
    assert_untouched(house, provider)


@each_call
def test_a_call_without_a_key_is_refused(call: Call, house: House, provider: Provider) -> None:
    answer = house.http.post(call.path, json=call.body, headers=call.headers(None))
    assert refusal(call, answer).status == 401
    assert_untouched(house, provider)


@each_call
def test_a_revoked_key_is_refused_as_if_it_had_never_been(call: Call, house: House, provider: Provider) -> None:
    provider.fallback = said(call.answer)
    key = house.contents.key("leaver", team=house.team)
    house.publish()
    assert house.post(call, key=key).status_code == 200
    asked = len(provider.asked)

    house.contents.revoke(key)
    house.publish()

    revoked, never = house.post(call, key=key), house.post(call, key="ch_00000000_wrong")
    assert refusal(call, revoked) == refusal(call, never)
    assert revoked.status_code == 401
    assert len(provider.asked) == asked


@each_call
def test_an_expired_key_is_refused_before_the_upstream_is_called(call: Call, house: House, provider: Provider) -> None:
    expired = house.contents.key("old", team=house.team, expires_at=time.time() - 1)
    house.publish()
    assert refusal(call, house.post(call, key=expired)).status == 401
    assert_untouched(house, provider)


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "x-goog-api-key"])
@each_call
def test_a_key_is_taken_from_whichever_header_an_sdk_sends_it_in(call: Call, header: str, house: House, provider: Provider) -> None:
    provider.then(said(call.answer))
    value = f"Bearer {house.key}" if header == "authorization" else house.key
    assert house.http.post(call.path, json=call.body, headers={**call.headers(None), header: value}).status_code == 200


@each_call
def test_a_model_that_is_not_granted_is_answered_exactly_as_one_that_does_not_exist(call: Call, house: House, provider: Provider) -> None:
    house.contents.model("hidden", house.contents.deployment("anthropic" if call.anthropic else "openai", "m"))
    house.publish()

    hidden, absent = house.post(call, model="hidden"), house.post(call, model="absent")

    assert refusal(call, hidden).status == 404
    assert anonymous(hidden, "hidden") == anonymous(absent, "absent")
    assert_untouched(house, provider)


def anonymous(answer: httpx.Response, name: str) -> tuple[int, list[tuple[str, str]], str]:
    """An answer without what must differ: the request's id, and the name that the caller itself sent."""
    request_id = answer.headers["x-request-id"]
    headers = [(key, value) for key, value in answer.headers.items() if key not in ("x-request-id", "request-id", "date")]
    return answer.status_code, headers, answer.text.replace(request_id, "ID").replace(name, "NAME")


@each_call
def test_a_stranger_finds_none_of_the_models_of_a_team(call: Call, house: House, provider: Provider) -> None:
    stranger = house.contents.key("stranger", team=house.contents.team("elsewhere"))
    house.publish()
    assert refusal(call, house.post(call, key=stranger)).status == 404
    assert house.http.get("/v1/models", headers=CHAT.headers(stranger)).json()["data"] == []
    assert_untouched(house, provider)


def test_a_grant_to_a_team_holds_for_the_teams_below_it(house: House, provider: Provider) -> None:
    provider.then(said(CHAT.answer))
    below = house.contents.key("below", team=house.contents.team("below", parent=house.team))
    house.publish()
    assert house.post(CHAT, key=below).status_code == 200


@each_call
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"[]",
        b'"text"',
        b"null",
        b"17",
        b'{"model": "gpt",}',
        b'{"model": "gpt"} {}',
        b"\xff\xfe{}",
        b'{"model": "\xff"}',
    ],
)
def test_a_body_that_is_no_json_object_is_refused(call: Call, body: bytes, house: House, provider: Provider) -> None:
    assert refusal(call, house.post(call, body)).status == 400
    assert_untouched(house, provider)


def test_nesting_without_end_is_refused_and_the_gateway_lives_on(house: House, provider: Provider) -> None:
    deep = b'{"model": "gpt", "messages": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    assert refusal(CHAT, house.post(CHAT, deep)).status == 400
    provider.then(said(CHAT.answer))
    assert house.post(CHAT).status_code == 200


NO_COUNT: tuple[Any, ...] = ("64", [64], -1, 1.5, True, 10**30)
NO_ARRAY: tuple[Any, ...] = ("Hello.", {}, 17)
WRONG_TYPES: list[tuple[tuple[Call, ...], str, tuple[Any, ...]]] = [
    (CALLS, "model", (None, 17, "", ["gpt"], {"name": "gpt"})),
    (STREAMED, "stream", ("yes", 1, {})),
    ((CHAT, MESSAGES), "messages", NO_ARRAY),
    ((CHAT, MESSAGES), "max_tokens", NO_COUNT),
    ((CHAT,), "max_completion_tokens", NO_COUNT),
    ((RESPONSES,), "max_output_tokens", NO_COUNT),
    ((CHAT,), "n", NO_COUNT),
    ((CHAT,), "stream_options", ("usage", [], {"include_usage": "yes"})),
]
WRONG_FIELDS = [(call, field, value) for calls, field, values in WRONG_TYPES for call in calls for value in values]


@pytest.mark.parametrize(("call", "field", "value"), WRONG_FIELDS, ids=lambda part: getattr(part, "name", None) or json.dumps(part))
def test_a_field_of_the_wrong_type_is_refused_by_name(call: Call, field: str, value: Any, house: House, provider: Provider) -> None:
    changes: dict[str, Any] = {"stream": True, field: value} if field == "stream_options" else {field: value}
    said_no = refusal(call, house.post(call, **changes))
    assert said_no.status == 400
    assert field in said_no.message
    assert said_no.param == (None if call.anthropic else field)
    assert_untouched(house, provider)


@each_call
def test_a_missing_model_is_refused_by_name(call: Call, house: House, provider: Provider) -> None:
    body = {name: value for name, value in call.body.items() if name != "model"}
    said_no = refusal(call, house.post(call, json.dumps(body).encode()))
    assert (said_no.status, "model" in said_no.message) == (400, True)
    assert_untouched(house, provider)


@pytest.mark.parametrize("call", [CHAT, MESSAGES], ids=lambda call: call.name)
def test_missing_messages_are_refused_by_name(call: Call, house: House, provider: Provider) -> None:
    body = {name: value for name, value in call.body.items() if name != "messages"}
    said_no = refusal(call, house.post(call, json.dumps(body).encode()))
    assert (said_no.status, "messages" in said_no.message) == (400, True)
    assert_untouched(house, provider)


@each_call
def test_an_unknown_model_is_named_in_the_refusal(call: Call, house: House, provider: Provider) -> None:
    said_no = refusal(call, house.post(call, model="gpt-99"))
    assert (said_no.status, "gpt-99" in said_no.message) == (404, True)
    assert said_no.code == (None if call.anthropic else "model_not_found")
    assert_untouched(house, provider)


@pytest.mark.parametrize("sized", [True, False], ids=["declared", "chunked"])
@each_call
def test_a_body_past_the_limit_is_refused(call: Call, sized: bool, house: House, provider: Provider) -> None:
    oversized = b'{"model": "gpt", "pad": "' + b"x" * (20 * 1024 * 1024) + b'"}'
    pairs = list(call.headers(house.key).items())
    if sized:
        request = posting(house.url, call.path, oversized, pairs)
    else:
        pairs += [("host", "house"), ("transfer-encoding", "chunked")]
        request = head("POST", call.path, pairs) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(oversized), oversized)
    answer = exchange(house.url, request)
    assert answer.status == 413
    assert answer.json["error"]["message"]
    assert_untouched(house, provider)


@pytest.mark.parametrize("call", [EMBEDDINGS], ids=lambda call: call.name)
def test_a_model_of_another_dialect_is_refused_with_a_clear_word(call: Call, house: House, provider: Provider) -> None:
    said_no = refusal(call, house.post(call, model="claude"))
    assert said_no.status == 400
    assert "claude" in said_no.message
    assert_untouched(house, provider)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
@each_call
def test_another_method_is_refused(call: Call, method: str, house: House, provider: Provider) -> None:
    answer = house.http.request(method, call.path, headers=call.headers(house.key))
    assert refusal(call, answer).status == 405
    assert "POST" in answer.headers["allow"]
    assert_untouched(house, provider)


@pytest.mark.parametrize("path", ["/v1/absent", "/v1/chat", "/v1/chat/completions/more", "/v1", "/v1/../v1/models/../../x"])
def test_an_unknown_address_is_not_found(path: str, house: House, provider: Provider) -> None:
    answer = house.http.post(path, json=CHAT.body, headers=CHAT.headers(house.key))
    assert answer.status_code == 404
    assert answer.headers["x-request-id"]
    assert_untouched(house, provider)


def test_what_a_caller_sends_in_error_is_never_echoed_as_markup_or_header(house: House) -> None:
    hostile = "<script>\r\nset-cookie: a=b\r\n\x00"
    answer = house.post(CHAT, model=hostile)
    assert answer.status_code == 404
    assert "set-cookie" not in answer.headers
    assert answer.headers["content-type"].startswith("application/json")
