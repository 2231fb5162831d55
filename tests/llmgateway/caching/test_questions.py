"""Which questions are the same: what makes one another, and who shares its answer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dataplane.snapshot import PriceRecord
from tests.fakes.dialects import CHAT, RESPONSES
from tests.fakes.house import House
from tests.fakes.provider import Provider, said
from tests.llmgateway.caching.asking import CACHE, ask, numbered
from tests.llmgateway.caching.conftest import TTL, change_model, consent

OTHER_BODIES: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": "Say hello!"}]},
    {"messages": [{"content": "Say hello.", "role": "user"}]},
    {"temperature": 0},
    {"seed": 1},
    {"max_tokens": 5},
    {"n": 1},
    {"tools": []},
    {"response_format": {"type": "json_object"}},
    {"stop": ["x"]},
    {"service_tier": "flex"},
    {"stream": False},
    {"a_field_of_tomorrow": None},
    {"store": False, "top_p": 1},
]


@pytest.mark.parametrize("changes", OTHER_BODIES, ids=lambda changes: "-".join(changes))
def test_any_member_of_the_body_makes_another_question(house: House, provider: Provider, changes: dict[str, Any]) -> None:
    numbered(provider)
    first, other = ask(house), ask(house, **changes)
    assert other.headers[CACHE] == "miss"
    assert first.content != other.content
    assert ask(house, **changes).content == other.content


@pytest.mark.parametrize("name", ["anthropic-beta", "anthropic-version", "openai-beta", "x-customhouse-lossy"])
def test_headers_that_change_an_answer_make_another_question(house: House, provider: Provider, name: str) -> None:
    numbered(provider)
    ask(house)
    other = ask(house, headers={name: "allow"})
    assert other.headers[CACHE] == "miss"
    assert ask(house, headers={name: "allow"}).content == other.content


def test_the_query_makes_another_question_and_a_key_in_it_does_not(house: House, provider: Provider) -> None:
    numbered(provider)
    ask(house)

    def at(query: str) -> str:
        return str(house.http.post(f"{CHAT.path}?{query}", json=CHAT.body, headers=CHAT.headers(house.key)).headers[CACHE])

    assert [at("api-version=1"), at("api-version=1"), at("api-version=2")] == ["miss", "hit", "miss"]


@pytest.mark.parametrize(
    "changes",
    [{"user": "u-1"}, {"metadata": {"run": "7"}}, {"safety_identifier": "s"}, {"prompt_cache_key": "p"}, {"prompt_cache_retention": "24h"}],
    ids=lambda changes: next(iter(changes)),
)
def test_what_only_tells_for_whom_it_is_does_not(house: House, provider: Provider, changes: dict[str, Any]) -> None:
    numbered(provider)
    ask(house)
    assert ask(house, **changes).headers[CACHE] == "hit"


def test_in_a_response_it_does_since_it_is_told_back(house: House, provider: Provider) -> None:
    provider.fallback = said(RESPONSES.answer)
    ask(house, RESPONSES)
    assert ask(house, RESPONSES, metadata={"run": "7"}).headers[CACHE] == "miss"


def test_white_space_and_order_at_the_top_do_not(house: House, provider: Provider) -> None:
    numbered(provider)
    messages = msgspec.json.encode(CHAT.body["messages"])
    plain = b'{"model":"gpt","messages":' + messages + b"}"
    assert house.post(CHAT, plain).headers[CACHE] == "miss"
    assert house.post(CHAT, b'\n{ "messages" :' + messages + b' ,\t"model": "gpt"}\r\n ').headers[CACHE] == "hit"
    assert house.post(CHAT, plain.replace(b'"role":', b'"role": ')).headers[CACHE] == "miss"


def test_letters_that_are_escaped_are_nobodys_question(house: House, provider: Provider) -> None:
    """The name of something stored could hide behind them."""
    numbered(provider)
    body = b'{"model":"gpt","messages":[{"role":"user","cont\\u0065nt":"Say hello."}]}'
    assert CACHE not in house.post(CHAT, body).headers
    assert len(house.kit.answers) == 0


def test_members_that_are_named_twice_are_nobodys_question(house: House, provider: Provider) -> None:
    numbered(provider)
    body = b'{"model":"gpt","messages":[],"messages":[{"role":"user","content":"Say hello."}]}'
    assert CACHE not in house.post(CHAT, body).headers
    assert CACHE not in house.post(CHAT, body).headers


# -- who shares an answer


def test_the_keys_of_a_team_share_an_answer_and_two_teams_never_do(house: House, provider: Provider) -> None:
    numbered(provider)
    mate = consent(house, house.contents.key("mate", team=house.team))
    below = house.contents.team("below", parent=house.team)
    strangers = [consent(house, house.contents.key("below-key", team=below))]
    for _ in range(2):
        team = house.contents.team("others")
        house.contents.grant(f"team:{team}", "model:gpt")
        strangers.append(consent(house, house.contents.key("other", team=team)))
    for _ in range(2):
        alone = consent(house, house.contents.key("alone"))
        house.contents.grant(house.contents.keys[alone].principal.ref, "model:gpt")
        strangers.append(alone)
    house.publish()
    first = ask(house)
    assert ask(house, key=mate).content == first.content
    answers = [ask(house, key=stranger) for stranger in strangers]
    assert [answer.headers[CACHE] for answer in answers] == ["miss"] * 5
    assert len({first.content, *(answer.content for answer in answers)}) == 6


def test_a_key_that_does_not_agree_neither_gets_nor_leaves_an_answer(house: House, provider: Provider) -> None:
    numbered(provider)
    shy = house.contents.key("shy", team=house.team)
    house.publish()
    left = ask(house, key=shy)
    first = ask(house)
    assert first.content != left.content
    assert ask(house, key=shy).content not in (first.content, left.content)


CHEAPER = PriceRecord(ref="price:tests:2", input="1", output="1")


@pytest.mark.parametrize("what", ["price", "ttl", "strategy", "place", "fallback", "policy"])
def test_a_model_that_has_changed_is_asked_anew(house: House, provider: Provider, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    numbered(provider)
    ask(house)
    contents = house.contents
    deployment = contents.models["gpt"].deployments[0]
    if what == "price":
        change_model(house, "gpt", deployments=(msgspec.structs.replace(deployment, price=CHEAPER),))
    elif what == "ttl":
        change_model(house, "gpt", cache_ttl=TTL + 1)
    elif what == "strategy":
        change_model(house, "gpt", strategy="priority")
    elif what == "place":
        place = contents.providers["openai"]
        contents.providers["openai"] = msgspec.structs.replace(place, headers={"x-region": "eu"})
    elif what == "fallback":
        change_model(house, "gpt", fallbacks=("embed",))
    else:
        monkeypatch.setattr("llmgateway.proxy.cache.question.policy_version", lambda snapshot: "policies:2")
    house.publish()
    assert ask(house).headers[CACHE] == "miss"
    assert ask(house).headers[CACHE] == "hit"


def test_a_change_of_something_else_keeps_the_answers(house: House, provider: Provider) -> None:
    numbered(provider)
    ask(house)
    house.contents.model("another", house.contents.deployment("openai", "x"))
    sealed = house.contents.sealer.seal("sk-new", bound_to=f"llmgateway.provider:{house.contents.providers['openai'].id}:credential")
    house.contents.providers["openai"] = msgspec.structs.replace(house.contents.providers["openai"], credential=sealed)
    house.publish()
    assert ask(house).headers[CACHE] == "hit"


@pytest.mark.parametrize("how", ["grant", "key"])
def test_what_was_withdrawn_is_not_given_from_the_cache(house: House, provider: Provider, how: str) -> None:
    numbered(provider)
    ask(house)
    if how == "grant":
        house.contents.grants.clear()
    else:
        house.contents.revoke(house.key)
    house.publish()
    assert ask(house).status_code == (404 if how == "grant" else 401)
