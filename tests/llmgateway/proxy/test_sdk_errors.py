"""What the official SDKs make of refusals and failures: the right class, and no retry that can't help."""

from __future__ import annotations

import anthropic
import openai
import pytest
from anthropic.types import MessageParam
from openai.types.chat import ChatCompletionUserMessageParam

from tests.fakes import answers
from tests.fakes.house import House
from tests.fakes.provider import Provider, Reply, said, streamed

HELLO: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "Say hello."}]
HI: list[MessageParam] = [{"role": "user", "content": "Hi."}]


def bearer(house: House) -> dict[str, str]:
    return {"authorization": f"Bearer {house.key}"}


OPENAI_ERRORS = [(400, openai.BadRequestError), (404, openai.NotFoundError), (500, openai.InternalServerError)]
ANTHROPIC_ERRORS = [(400, anthropic.BadRequestError), (404, anthropic.NotFoundError), (529, anthropic.OverloadedError)]


@pytest.mark.parametrize(("status", "raised"), OPENAI_ERRORS)
def test_a_providers_error_raises_its_class_in_the_openai_client(
    client: openai.OpenAI, provider: Provider, status: int, raised: type[openai.APIStatusError]
) -> None:
    provider.fallback = said({"error": {"message": "no", "type": "t", "param": "p", "code": "told_you"}}, status=status)

    with pytest.raises(raised) as caught:
        client.with_options(max_retries=0).chat.completions.create(model="gpt", messages=HELLO)

    assert caught.value.status_code == status
    assert (caught.value.code, caught.value.param) == ("told_you", "p")
    assert caught.value.request_id


@pytest.mark.parametrize(("status", "raised"), ANTHROPIC_ERRORS)
def test_a_providers_error_raises_its_class_in_the_anthropic_client(
    claude: anthropic.Anthropic, provider: Provider, status: int, raised: type[anthropic.APIStatusError]
) -> None:
    provider.fallback = said({"type": "error", "error": {"type": "some_error", "message": "no"}}, status=status)

    with pytest.raises(raised) as caught:
        claude.with_options(max_retries=0).messages.create(model="claude", max_tokens=64, messages=HI)

    assert caught.value.status_code == status
    assert caught.value.body == {"type": "error", "error": {"type": "some_error", "message": "no"}}


def test_a_wrong_key_raises_the_authentication_error_in_both_clients(house: House, provider: Provider) -> None:
    with openai.OpenAI(base_url=f"{house.url}/v1", api_key="ch_00000000_wrong") as client, pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="gpt", messages=HELLO)
    with anthropic.Anthropic(base_url=house.url, api_key="ch_00000000_wrong") as claude, pytest.raises(anthropic.AuthenticationError):
        claude.messages.create(model="claude", max_tokens=64, messages=HI)
    assert provider.asked == []


def test_an_unknown_model_raises_the_not_found_error_in_both_clients(client: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="absent", messages=HELLO)
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.create(model="absent", max_tokens=64, messages=HI)


def test_a_wrong_type_raises_the_bad_request_error_that_names_the_field(client: openai.OpenAI, provider: Provider) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="gpt", messages=HELLO, extra_body={"stream": "yes"})
    assert caught.value.param == "stream"
    assert provider.asked == []


def test_a_refused_budget_is_asked_for_only_once_by_both_clients(house: House, provider: Provider) -> None:
    house.contents.budget(f"team:{house.team}", 100_000)
    house.publish()
    provider.then(said(answers.chat()))
    assert house.http.post("/v1/chat/completions", json={"model": "gpt", "messages": HELLO}, headers=bearer(house)).status_code == 200

    with openai.OpenAI(base_url=f"{house.url}/v1", api_key=house.key) as client, pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(model="gpt", messages=HELLO)
    with anthropic.Anthropic(base_url=house.url, api_key=house.key) as claude, pytest.raises(anthropic.APIStatusError) as denied:
        claude.messages.create(model="claude", max_tokens=64, messages=HI)

    assert refused.value.status_code == denied.value.status_code == 402
    assert refused.value.code == "budget_exceeded"
    assert house.requests == 3, "an SDK retried a refusal that no retry can mend"
    assert len(provider.asked) == 1


def test_a_rate_limit_raises_the_rate_limit_error(house: House, provider: Provider) -> None:
    provider.fallback = said(answers.chat())
    key = house.limited_key(rpm=1)

    with openai.OpenAI(base_url=f"{house.url}/v1", api_key=key, max_retries=0) as client:
        client.chat.completions.create(model="gpt", messages=HELLO)
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model="gpt", messages=HELLO)

    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 60
    assert len(provider.asked) == 1


def test_an_error_inside_a_stream_raises_in_both_clients(client: openai.OpenAI, claude: anthropic.Anthropic, provider: Provider) -> None:
    provider.then(streamed(*answers.chat_pieces()[:2], end="cut"), streamed(*answers.message_pieces()[:4], end="cut"))

    with client.chat.completions.create(model="gpt", messages=HELLO, stream=True) as stream, pytest.raises(openai.APIError):
        list(stream)
    with (
        claude.messages.create(model="claude", max_tokens=64, messages=HI, stream=True) as stream,
        pytest.raises(anthropic.APIStatusError),
    ):
        list(stream)


def test_a_provider_that_recovers_is_reached_again_by_the_clients_own_retry(client: openai.OpenAI, provider: Provider) -> None:
    busy = Reply(status=429, headers=(("content-type", "application/json"), ("retry-after-ms", "1")), pieces=(b"{}",), sized=True)
    provider.then(busy, said(answers.chat()))

    answer = client.chat.completions.create(model="gpt", messages=HELLO)

    assert answer.choices[0].message.content == answers.TEXT
    assert len(provider.asked) == 2
