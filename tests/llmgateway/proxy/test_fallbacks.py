"""Which deployment is tried when there are several, and when another one is tried in its place."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.fakes.dialects import CHAT, STREAMED, Call
from tests.fakes.house import House
from tests.fakes.provider import Provider, said, streamed
from tests.fakes.serving import refusing

each_stream = pytest.mark.parametrize("call", STREAMED, ids=lambda call: call.name)


def two_deployments(house: House, spare_url: str, *, weights: tuple[int, int] = (1, 1), priorities: tuple[int, int] = (0, 1)) -> None:
    contents = house.contents
    contents.provider("spare", f"{spare_url}/v1")
    first = contents.deployment("openai", "gpt-real", weight=weights[0], priority=priorities[0])
    second = contents.deployment("spare", "gpt-spare", weight=weights[1], priority=priorities[1])
    contents.model("gpt", first, second)
    house.publish()


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_another_deployment_answers_when_the_first_fails(
    status: int, house: House, provider: Provider, spare: tuple[Provider, str]
) -> None:
    other, spare_url = spare
    two_deployments(house, spare_url)
    provider.then(said({"error": {"message": "busy"}}, status=status))
    other.then(said(CHAT.answer))

    answer = house.post(CHAT)

    assert answer.status_code == 200
    assert answer.headers["x-customhouse-route"] == "spare/gpt-spare; tries=2"
    assert other.last.json["model"] == "gpt-spare"
    assert other.last.header("authorization") == "Bearer sk-spare"
    first, second = house.all_settled(2)
    assert (first.outcome, first.status, first.provider, first.cost) == ("error", status, "openai", "0")
    assert (second.outcome, second.provider) == ("ok", "spare")
    assert first.request_id == second.request_id == answer.headers["x-request-id"]
    assert first.id != second.id


@pytest.mark.parametrize("status", [400, 404, 422])
def test_no_other_deployment_is_asked_when_the_request_itself_is_at_fault(
    status: int, house: House, provider: Provider, spare: tuple[Provider, str]
) -> None:
    other, spare_url = spare
    two_deployments(house, spare_url)
    provider.then(said({"error": {"message": "bad"}}, status=status))
    assert house.post(CHAT).status_code == status
    assert other.asked == []


def test_another_deployment_answers_when_the_first_can_not_be_reached(house: House, provider: Provider) -> None:
    provider.then(said(CHAT.answer))
    with refusing() as nowhere:
        house.contents.provider("gone", f"{nowhere}/v1")
        away = house.contents.deployment("gone", "m", priority=0)
        house.contents.model("gpt", away, house.contents.deployment("openai", "gpt-real", priority=1))
        house.publish()
        answer = house.post(CHAT)
    assert answer.status_code == 200
    assert answer.headers["x-customhouse-route"] == "openai/gpt-real; tries=2"


def test_another_deployment_takes_a_stream_that_broke_before_its_first_byte(
    house: House, provider: Provider, spare: tuple[Provider, str]
) -> None:
    other, spare_url = spare
    two_deployments(house, spare_url)
    provider.then(streamed(b"data: {", end="cut"))
    other.then(streamed(*CHAT.pieces))

    answer = house.post(CHAT, stream=True, stream_options={"include_usage": True})

    assert answer.content == b"".join(CHAT.pieces)
    assert [event.outcome for event in house.all_settled(2)] == ["error", "ok"]


@each_stream
def test_no_other_deployment_is_asked_after_the_first_byte(
    call: Call, house: House, provider: Provider, spare: tuple[Provider, str]
) -> None:
    other, spare_url = spare
    dialect = "anthropic" if call.anthropic else "openai"
    contents = house.contents
    contents.provider("spare", spare_url + ("" if call.anthropic else "/v1"), dialect=dialect)
    contents.model(call.body["model"], contents.deployment(dialect, "first"), contents.deployment("spare", "second", priority=1))
    house.publish()
    provider.then(streamed(*call.pieces[:3], end="cut"))

    answer = house.post(call, stream=True)

    assert answer.status_code == 200
    assert other.asked == []
    assert house.settled().outcome == "error"


def test_the_last_error_is_told_when_every_deployment_fails(house: House, provider: Provider, spare: tuple[Provider, str]) -> None:
    other, spare_url = spare
    two_deployments(house, spare_url)
    provider.then(said({"error": {"message": "first"}}, status=500))
    other.then(said({"error": {"message": "second"}}, status=503, headers=[("retry-after", "9")]))

    answer = house.post(CHAT)

    assert (answer.status_code, answer.json()) == (503, {"error": {"message": "second"}})
    assert answer.headers["retry-after"] == "9"


def test_a_fallback_model_answers_when_the_asked_one_fails(house: House, provider: Provider, spare: tuple[Provider, str]) -> None:
    other, spare_url = spare
    contents = house.contents
    contents.provider("spare", f"{spare_url}/v1")
    resource = contents.model("plan-b", contents.deployment("spare", "gpt-b"))
    contents.model("gpt", contents.deployment("openai", "gpt-real"), fallbacks=("plan-b",))
    contents.grant(f"team:{house.team}", resource)
    house.publish()
    provider.then(said({"error": {"message": "busy"}}, status=503))
    other.then(said(CHAT.answer))

    assert house.post(CHAT).status_code == 200
    assert other.last.json["model"] == "gpt-b"


def test_calls_are_shared_by_weight_within_a_priority(house: House, provider: Provider, spare: tuple[Provider, str]) -> None:
    other, spare_url = spare
    two_deployments(house, spare_url, weights=(3, 1), priorities=(0, 0))
    provider.fallback = other.fallback = said(CHAT.answer)

    for _ in range(200):
        assert house.post(CHAT).status_code == 200

    shares = Counter(main=len(provider.asked), spare=len(other.asked))
    assert shares.total() == 200
    assert 110 <= shares["main"] <= 185, "three of four, give or take far more than chance does"


def test_a_deployment_of_weight_zero_gets_nothing_while_another_stands(
    house: House, provider: Provider, spare: tuple[Provider, str]
) -> None:
    other, spare_url = spare
    two_deployments(house, spare_url, weights=(0, 1), priorities=(0, 0))
    other.fallback = said(CHAT.answer)
    for _ in range(20):
        assert house.post(CHAT).status_code == 200
    assert provider.asked == []


def test_what_another_deployment_costs_is_counted_when_the_first_refuses_the_houses_account(
    house: House, provider: Provider, spare: tuple[Provider, str]
) -> None:
    other, spare_url = spare
    two_deployments(house, spare_url)
    house.contents.budget(f"team:{house.team}", 139_200)
    house.publish()
    provider.fallback = said({"error": {"message": "bad key sk-openai"}}, status=401)
    other.fallback = said(CHAT.answer)

    assert [house.post(CHAT).status_code for _ in range(3)] == [200, 402, 402]

    first, second = house.all_settled(2)
    assert (first.outcome, first.status, first.cost) == ("error", 401, "0")
    assert (second.provider, second.cost) == ("spare", "0.0001392")
