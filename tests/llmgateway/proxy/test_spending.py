"""Budgets, fairness limits and prices as a caller of the LLM gateway meets them, in each dialect."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from dataplane.pins import Pin
from dataplane.snapshot import LimitRecord, PriceRecord
from tests.fakes.dialects import CALLS, CHAT, RESPONSES, STREAMED, Call, refusal
from tests.fakes.house import House, standard
from tests.fakes.provider import Gate, Provider, Reply, said, streamed

COST = 139_200
"""1e-9 USD that an answer of the fakes costs: 16 tokens of input, 4 cached ones and 6 of output at the fakes' price."""

each_call = pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
each_stream = pytest.mark.parametrize("call", STREAMED, ids=lambda call: call.name)


@each_call
def test_a_used_up_budget_refuses_with_402_and_a_word_against_retrying(call: Call, house: House, provider: Provider) -> None:
    provider.fallback = said(call.answer)
    house.contents.budget(f"team:{house.team}", 1_000)
    house.publish()
    assert house.post(call).status_code == 200
    house.settled()

    answer = house.post(call)

    told = refusal(call, answer)
    assert told.status == 402
    assert answer.headers["x-should-retry"] == "false"
    assert "budget" in told.message
    assert len(provider.asked) == 1
    assert house.journaled() == []


@pytest.mark.parametrize("subject", ["team", "parent", "user", "key"])
def test_a_budget_holds_wherever_it_is_set(subject: str, house: House, provider: Provider) -> None:
    provider.fallback = said(CHAT.answer)
    contents = house.contents
    below = contents.team("below", parent=house.team)
    key = contents.key("spender", team=below)
    record = contents.keys[key]
    subjects = {"team": f"team:{below}", "parent": f"team:{house.team}", "user": record.principal.ref, "key": record.ref}
    contents.budget(subjects[subject], 1_000)
    house.publish()

    assert [house.post(CHAT, key=key).status_code for _ in range(3)] == [200, 402, 402]
    other = contents.key("other", team=contents.team("elsewhere"))
    contents.grant(contents.keys[other].principal.ref, "model:gpt")
    house.publish()
    assert house.post(CHAT, key=other).status_code == 200


def test_a_soft_budget_never_refuses(house: House, provider: Provider) -> None:
    provider.fallback = said(CHAT.answer)
    house.contents.budget(f"team:{house.team}", 1_000, mode="soft")
    house.publish()
    assert [house.post(CHAT).status_code for _ in range(3)] == [200, 200, 200]


def test_a_raised_budget_lets_calls_through_again(house: House, provider: Provider) -> None:
    provider.fallback = said(CHAT.answer)
    house.contents.budget(f"team:{house.team}", 1_000)
    house.publish()
    assert [house.post(CHAT).status_code for _ in range(2)] == [200, 402]

    raised = house.contents.budgets.pop()
    house.contents.budgets.append(type(raised)(id=raised.id, subject=raised.subject, limit=10**12, period=raised.period))
    house.publish()

    assert house.post(CHAT).status_code == 200


def test_200_concurrent_callers_on_a_budget_of_50_calls_get_exactly_50(house: House, provider: Provider) -> None:
    provider.fallback = said(CHAT.answer)
    house.contents.budget(f"team:{house.team}", 50 * COST)
    house.publish()

    with ThreadPoolExecutor(50) as callers, house.client(limits=httpx.Limits(max_connections=None)) as client:
        headers = CHAT.headers(house.key)
        pending = [callers.submit(client.post, CHAT.path, json={**CHAT.body, "max_tokens": 64}, headers=headers) for _ in range(200)]
        statuses = [answer.result().status_code for answer in pending]

    assert sorted(set(statuses)) == [200, 402]
    assert statuses.count(200) == 50
    events = house.all_settled(50)
    assert sum(Decimal(event.cost or "nan") for event in events) == Decimal(50 * COST) / 10**9


@each_call
def test_a_rate_limit_refuses_with_429_and_says_when_to_come_again(call: Call, house: House, provider: Provider) -> None:
    provider.fallback = said(call.answer)
    key = house.limited_key(rpm=2)

    remaining = [house.post(call, key=key).headers["x-ratelimit-remaining-requests"] for _ in range(2)]
    answer = house.post(call, key=key)

    assert remaining == ["1", "0"]
    assert refusal(call, answer).status == 429
    assert answer.headers["retry-after"] == "50"
    assert answer.headers["x-ratelimit-limit-requests"] == "2"
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    assert answer.headers["x-ratelimit-reset-requests"] == "50s"
    assert answer.headers.get("x-should-retry") != "false"
    assert len(provider.asked) == 2
    assert house.post(call).status_code == 200, "another key of the team is not limited"
    house.now += 50
    assert house.post(call, key=key).status_code == 200, "the next minute is a new one"


def test_a_token_limit_counts_what_was_really_used(house: House, provider: Provider) -> None:
    provider.fallback = said(CHAT.answer)
    key = house.limited_key(tpm=100)
    first = house.post(CHAT, key=key, max_tokens=10)
    assert first.status_code == 200
    assert int(house.post(CHAT, key=key, max_tokens=10).headers["x-ratelimit-remaining-tokens"]) <= 100 - 26
    refused = [house.post(CHAT, key=key, max_tokens=10) for _ in range(4)][-1]
    assert refusal(CHAT, refused).status == 429
    assert refused.headers["x-ratelimit-limit-tokens"] == "100"


def test_a_concurrency_limit_holds_while_a_call_runs_and_no_longer(house: House, provider: Provider) -> None:
    key, gate = house.limited_key(concurrency=1), Gate()
    provider.then(Reply(gate_head=gate, pieces=said(CHAT.answer).pieces))
    with ThreadPoolExecutor(1) as elsewhere:
        running = elsewhere.submit(house.post, CHAT, key=key)
        gate.wait_reached()
        assert refusal(CHAT, house.post(CHAT, key=key)).status == 429
        gate.open()
        assert running.result().status_code == 200
    provider.then(said(CHAT.answer))
    assert house.post(CHAT, key=key).status_code == 200


@each_stream
def test_a_streams_concurrency_is_given_back_when_its_caller_leaves(call: Call, house: House, provider: Provider) -> None:
    key = house.limited_key(concurrency=1)
    provider.then(streamed(call.pieces[0], Gate()), streamed(*call.pieces))
    with house.client() as client:
        with client.stream("POST", call.path, json={**call.body, "stream": True}, headers=call.headers(key)) as answer:
            next(answer.iter_raw())
        house.settled()
        house.wait_until(lambda: not house.kit.active)
        assert client.post(call.path, json={**call.body, "stream": True}, headers=call.headers(key)).status_code == 200


def test_a_teams_limit_holds_for_all_of_its_keys_together(house: House, provider: Provider) -> None:
    provider.fallback = said(CHAT.answer)
    contents = house.contents
    crowd = contents.team("crowd", parent=house.team, limits=LimitRecord(rpm=3))
    keys = [contents.key(f"member-{number}", team=crowd) for number in range(4)]
    house.publish()
    assert sorted(house.post(CHAT, key=key).status_code for key in keys) == [200, 200, 200, 429]


def test_a_refused_call_takes_nothing_of_the_other_limits(house: House, provider: Provider) -> None:
    provider.fallback = said(CHAT.answer)
    contents = house.contents
    crowd = contents.team("crowd", parent=house.team, limits=LimitRecord(rpm=3))
    greedy = contents.key("greedy", team=crowd, limits=LimitRecord(rpm=1))
    modest = contents.key("modest", team=crowd)
    house.publish()
    assert [house.post(CHAT, key=greedy).status_code for _ in range(5)] == [200, 429, 429, 429, 429]
    assert [house.post(CHAT, key=modest).status_code for _ in range(3)] == [200, 200, 429]


@each_call
def test_a_deployment_without_a_price_is_unpriced_and_never_free(call: Call, house: House, provider: Provider) -> None:
    account = "anthropic" if call.anthropic else "openai"
    house.contents.model(call.body["model"], house.contents.deployment(account, "m", price=None))
    house.publish()
    provider.then(said(call.answer))

    answer = house.post(call)

    assert answer.status_code == 200
    assert "x-customhouse-cost" not in answer.headers
    event = house.settled()
    assert (event.cost, event.price) == (None, None)
    assert event.usage["input"] > 0


def test_a_cost_is_exact_to_the_last_decimal(house: House, provider: Provider) -> None:
    odd = PriceRecord(ref="price:odd:1", input="0.123457", output="9.999999", cached_read="0.000001", request="0.0000005")
    house.contents.model("gpt", house.contents.deployment("openai", "m", price=odd))
    house.publish()
    provider.then(said(CHAT.answer))

    answer = house.post(CHAT)

    expected = (16 * Decimal("0.123457") + 4 * Decimal("0.000001") + 6 * Decimal("9.999999")) / 10**6 + Decimal("0.0000005")
    assert Decimal(answer.headers["x-customhouse-cost"]) == expected
    event = house.settled()
    assert (event.cost, event.price) == (answer.headers["x-customhouse-cost"], "price:odd:1")


@pytest.mark.parametrize(
    "more",
    [
        {"previous_response_id": "resp_1"},
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://example.com/a.png"}]}]},
    ],
    ids=["response", "image"],
)
def test_five_calls_that_name_content_elsewhere_never_spend_more_than_the_budget(
    more: dict[str, object], house: House, provider: Provider
) -> None:
    """Their bodies say nothing of how much the provider reads: here each costs a hundred times what its size tells."""
    usage = {**RESPONSES.answer["usage"], "input_tokens": 100_000, "input_tokens_details": {"cached_tokens": 0}}
    provider.fallback = said({**RESPONSES.answer, "usage": usage})
    place = house.contents.providers["openai"]
    house.kit.pins.remember("resp_1", Pin(provider=place.id, provider_name=place.name, owner=f"team:{house.team}", kind="response"))
    first = house.post(RESPONSES, max_output_tokens=16, **more)
    cost = Decimal(first.headers["x-customhouse-cost"])
    house.contents.budget(f"team:{house.team}", int(cost * 10**9 * 2) + 1)
    house.publish()
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: house.post(RESPONSES, max_output_tokens=16, **more), range(5)))
    assert [answer.status_code for answer in answers].count(200) == 2


def test_what_is_ordered_in_the_background_is_settled_with_the_most_it_can_be(house: House, provider: Provider) -> None:
    """Its usage is told to whoever fetches it later: the order itself would be as good as free."""
    provider.then(said({**RESPONSES.answer, "status": "queued", "output": [], "usage": None}))
    assert house.post(RESPONSES, background=True, max_output_tokens=5_000).status_code == 200
    event = house.settled()
    assert event.estimated
    assert event.usage["output"] == 5_000


def test_a_full_journal_refuses_with_503_and_no_call_leaves(tmp_path: Path, provider: Provider, provider_url: str) -> None:
    provider.fallback = said(CHAT.answer)
    with House(tmp_path, max_journal=16_384) as house:
        standard(house.contents, house.team, provider_url)
        house.publish()
        answers = [house.post(CHAT) for _ in range(60)]
        passed = [answer.status_code for answer in answers].count(200)
        assert refusal(CHAT, answers[-1]).status == 503
        assert {answer.status_code for answer in answers} == {200, 503}
        assert len(provider.asked) == passed > 0
        assert len(house.all_settled(passed)) == passed, "every call that left is written down, to its end"


def test_every_field_of_an_intent_and_of_its_settlement_stands_in_its_place(house: House, provider: Provider) -> None:
    """They are given by place on the hot path; here each is looked at by its name."""
    provider.then(said(CHAT.answer))
    answer = house.post(CHAT, max_tokens=7)
    event, key = house.settled(), house.contents.keys[house.key]
    assert (event.request_id, event.plane, event.outcome, event.status) == (answer.headers["x-request-id"], "llm", "ok", 200)
    assert (event.principal, event.principal_name, event.key, event.key_name) == (key.principal.ref, key.principal.name, key.id, key.name)
    assert (event.team, event.team_name) == (key.principal.team, house.contents.teams[key.principal.team].name)
    assert (event.model, event.provider, event.server, event.tool, event.agent) == ("gpt", "openai", "", "", "")
    assert f"{event.provider}/{event.deployment};" in answer.headers["x-customhouse-route"]
    assert (event.usage["input"], event.usage["output"], event.currency, event.estimated) == (16, 6, "USD", False)
    assert event.cost == answer.headers["x-customhouse-cost"]
    assert event.price
    assert event.price != event.cost
    assert event.latency_ms > 0
    assert event.ttft_ms is None
    assert abs(event.at - time.time()) < 120
