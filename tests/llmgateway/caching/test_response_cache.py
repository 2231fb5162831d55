"""The response cache: what it gives again, to whom, for how long, and what that costs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from dataplane.pins import Pin
from dataplane.snapshot import PriceRecord
from tests.fakes.dialects import CALLS, CHAT, EMBEDDINGS, MESSAGES, RESPONSES, STREAMED, Call
from tests.fakes.house import House
from tests.fakes.provider import Gate, Provider, Reply, said, streamed
from tests.llmgateway.caching.asking import CACHE, ask, numbered
from tests.llmgateway.caching.conftest import TTL, Clock, change_model, consent


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_the_same_question_is_answered_by_the_provider_once(house: House, provider: Provider, call: Call) -> None:
    provider.then(said(call.answer))
    first, again = ask(house, call), ask(house, call)
    assert (first.status_code, first.headers[CACHE]) == (200, "miss")
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    told = {name: again.headers[name] for name in (CACHE, "age", "x-customhouse-cost", "x-customhouse-route")}
    assert told == {CACHE: "hit", "age": "0", "x-customhouse-cost": "0", "x-customhouse-route": "cache"}
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert len(provider.asked) == 1
    made, given = house.all_settled(2)
    assert float(made.cost or 0) > 0
    assert made.saved is None
    assert (given.outcome, given.status, given.usage, given.cost, given.saved) == ("ok", 200, {}, "0", made.cost)
    assert (given.model, given.provider, given.deployment, given.price) == (made.model, "", "cache", None)
    assert given.request_id == again.headers["x-request-id"]


@pytest.mark.parametrize("call", STREAMED, ids=lambda call: call.name)
def test_a_stream_is_given_again_as_the_stream_that_it_was(house: House, provider: Provider, call: Call) -> None:
    provider.then(streamed(*call.pieces))
    first, again = ask(house, call, stream=True), ask(house, call, stream=True)
    assert first.content == again.content
    assert again.headers["content-type"].startswith("text/event-stream")
    assert "content-length" not in again.headers
    assert again.headers[CACHE] == "hit"
    made, given = house.all_settled(2)
    assert (given.cost, given.saved) == ("0", made.cost)
    assert len(provider.asked) == 1


def test_an_answer_in_one_piece_is_no_answer_for_a_stream(house: House, provider: Provider) -> None:
    provider.then(said(CHAT.answer), streamed(*CHAT.pieces))
    assert ask(house).headers[CACHE] == "miss"
    assert ask(house, stream=True).headers[CACHE] == "miss"


@pytest.mark.parametrize(("model", "key"), [(True, False), (False, True), (False, False)])
def test_both_the_model_and_the_key_have_to_agree(house: House, provider: Provider, model: bool, key: bool) -> None:
    change_model(house, "gpt", cache_ttl=TTL if model else None)
    consent(house, house.key, cache=key)
    house.publish()
    numbered(provider)
    first, again = ask(house), ask(house)
    assert first.content != again.content
    assert CACHE not in first.headers
    assert CACHE not in again.headers
    assert len(house.kit.answers) == 0


# -- what is never kept

UNFIT: list[tuple[Call, dict[str, Any]]] = [
    (RESPONSES, {"store": True}),
    (RESPONSES, {"store": None}),
    (RESPONSES, {"background": True}),
    (RESPONSES, {"prompt": {"id": "pmpt_1"}}),
    (CHAT, {"store": True}),
    (MESSAGES, {"container": "container_1"}),
]


@pytest.mark.parametrize(("call", "changes"), UNFIT, ids=lambda value: value.name if isinstance(value, Call) else "-".join(value))
def test_what_leaves_or_names_something_at_the_provider_is_never_kept(
    house: House, provider: Provider, call: Call, changes: dict[str, Any]
) -> None:
    provider.fallback = said(call.answer)
    assert CACHE not in ask(house, call, **changes).headers
    assert CACHE not in ask(house, call, **changes).headers
    assert len(provider.asked) == 2
    assert len(house.kit.answers) == 0


def test_an_answer_about_a_stored_file_is_never_kept(house: House, provider: Provider, provider_url: str) -> None:
    """Its id stays while it may be deleted and made anew."""
    place = house.contents.providers["openai"]
    house.kit.pins.remember("file-1", Pin(provider=place.id, provider_name="openai", owner=f"team:{house.team}", kind="file"))
    house.contents.provider("google", f"{provider_url}/v1beta", dialect="gemini")
    gem = house.contents.model("gem", house.contents.deployment("google", "gem-real"), cache_ttl=TTL)
    house.contents.grant(f"team:{house.team}", gem)
    house.publish()
    provider.fallback = said(CHAT.answer)
    file = {"type": "file", "file": {"file_id": "file-1"}}
    assert CACHE not in ask(house, messages=[{"role": "user", "content": [file]}]).headers
    provider.fallback = said({"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]})
    gemini = {"x-goog-api-key": house.key}
    for part, kept in (({"text": "Hi"}, True), ({"fileData": {"fileUri": "https://files/1"}}, False)):
        answer = house.http.post("/v1beta/models/gem:generateContent", json={"contents": [{"parts": [part]}]}, headers=gemini)
        assert (answer.status_code, CACHE in answer.headers) == (200, kept)
    assert len(house.kit.answers) == 1


def test_a_free_count_is_made_each_time(house: House, provider: Provider) -> None:
    provider.fallback = said({"input_tokens": 9})
    for _ in range(2):
        answer = house.http.post("/v1/messages/count_tokens", json=MESSAGES.body, headers=MESSAGES.headers(house.key))
        assert (answer.status_code, CACHE in answer.headers) == (200, False)
    assert len(provider.asked) == 2


@pytest.mark.parametrize("status", [400, 404, 429, 500])
def test_an_error_is_never_kept(house: House, provider: Provider, status: int) -> None:
    provider.then(said({"error": {"message": "No."}}, status=status), said(CHAT.answer))
    assert ask(house).status_code == status
    assert ask(house).status_code == 200


@pytest.mark.parametrize("manner", ["cut", "in_band", "unended"])
def test_a_stream_that_failed_is_never_kept(house: House, provider: Provider, manner: str) -> None:
    if manner == "cut":
        provider.then(streamed(*CHAT.pieces[:3], end="cut"))
    elif manner == "in_band":
        provider.then(streamed(*CHAT.pieces[:3], b'data: {"error":{"message":"broken"}}\n\n'))
    else:
        provider.then(streamed(*CHAT.pieces[:3]))
    provider.then(streamed(*CHAT.pieces))
    ask(house, stream=True)
    assert ask(house, stream=True).headers[CACHE] == "miss"
    assert ask(house, stream=True).headers[CACHE] == "hit"


def test_more_than_a_mebibyte_is_not_kept(house: House, provider: Provider) -> None:
    provider.fallback = said({**CHAT.answer, "padding": "x" * (1 << 20)})
    assert ask(house).headers[CACHE] == "miss"
    assert ask(house).headers[CACHE] == "miss"
    assert house.kit.answers.bytes == 0


def test_a_caller_may_want_an_answer_of_its_own_and_leaves_it_for_others(house: House, provider: Provider) -> None:
    numbered(provider)
    first = ask(house)
    own = ask(house, headers={"cache-control": "no-cache"})
    assert (own.headers[CACHE], own.content == first.content) == ("bypass", False)
    assert ask(house).content == own.content


def test_a_caller_may_want_nothing_kept(house: House, provider: Provider) -> None:
    numbered(provider)
    assert CACHE not in ask(house, headers={"cache-control": "max-age=5, No-Store"}).headers
    assert ask(house).headers[CACHE] == "miss"


def test_two_who_ask_at_once_are_both_answered_by_the_provider(house: House, provider: Provider) -> None:
    """Nobody waits for another's answer."""
    gate = Gate()
    provider.then(Reply(pieces=(msgspec.json.encode(CHAT.answer),), gate_head=gate), said(CHAT.answer))
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, house)
        provider.wait_asked()
        assert ask(house).headers[CACHE] == "miss"
        gate.open()
        assert slow.result().headers[CACHE] == "miss"
    assert len(provider.asked) == 2


# -- how long, and how much


def test_an_answer_ages_and_is_asked_for_anew_when_it_is_too_old(house: House, provider: Provider, clock: Clock) -> None:
    numbered(provider)
    first = ask(house)
    clock.now += TTL - 1
    again = ask(house)
    assert (again.content, again.headers["age"]) == (first.content, str(TTL - 1))
    clock.now += 1
    assert ask(house).headers[CACHE] == "miss"
    assert ask(house).headers["age"] == "0"


# -- money and limits


def test_a_hit_takes_nothing_of_a_budget_and_needs_none(house: House, provider: Provider) -> None:
    house.contents.budget(f"team:{house.team}", 10**9)
    house.publish()
    provider.fallback = said({**CHAT.answer, "usage": {"prompt_tokens": 0, "completion_tokens": 10**6, "total_tokens": 10**6}})
    assert ask(house, max_tokens=100).status_code == 200
    made = house.settled()
    held = house.kit.limits.held()
    for _ in range(5):
        assert ask(house, max_tokens=100).headers[CACHE] == "hit"
    assert house.kit.limits.held() == held
    assert {(event.cost, event.saved) for event in house.all_settled(5)} == {("0", made.cost)}
    assert made.cost == "15"
    assert ask(house, max_tokens=101).status_code == 402
    assert ask(house, max_tokens=100).headers[CACHE] == "hit"


def test_a_hit_is_a_request_of_a_limit_of_requests(house: House, provider: Provider) -> None:
    provider.fallback = said(EMBEDDINGS.answer)
    key = consent(house, house.limited_key(rpm=2))
    house.publish()
    first, again, third = (ask(house, EMBEDDINGS, key=key) for _ in range(3))
    assert (first.headers["x-ratelimit-remaining-requests"], again.headers["x-ratelimit-remaining-requests"]) == ("1", "0")
    assert (again.headers[CACHE], third.status_code) == ("hit", 429)


def test_without_a_price_nobody_knows_what_was_saved(house: House, provider: Provider) -> None:
    deployment = house.contents.models["gpt"].deployments[0]
    change_model(house, "gpt", deployments=(msgspec.structs.replace(deployment, price=None),))
    house.publish()
    provider.fallback = said(CHAT.answer)
    ask(house)
    assert ask(house).headers[CACHE] == "hit"
    made, given = house.all_settled(2)
    assert (made.cost, given.cost, given.saved) == (None, "0", None)


CHEAPER = PriceRecord(ref="price:tests:2", input="1", output="1")


def test_an_answer_of_a_fallback_saves_what_it_cost_there(house: House, provider: Provider) -> None:
    spare = house.contents.model("spare", house.contents.deployment("openai", "spare-real", price=CHEAPER))
    assert spare == "model:spare"
    change_model(house, "gpt", fallbacks=("spare",))
    house.publish()
    provider.then(said({"error": {"message": "Busy."}}, status=503), said(CHAT.answer))
    ask(house)
    assert ask(house).headers[CACHE] == "hit"
    *_, made, given = house.all_settled(3)
    assert (made.deployment, made.price) == ("spare-real", CHEAPER.ref)
    assert given.saved == made.cost


def test_a_full_journal_refuses_a_hit_as_any_call(house: House, provider: Provider) -> None:
    provider.fallback = said(CHAT.answer)
    ask(house)
    house.kit.journal._max = 1
    assert ask(house).status_code == 503
