"""The official SDKs are the real clients: both are driven through the gateway over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import anthropic
import openai
import pytest

from tests.fakes import answers
from tests.fakes.house import House
from tests.fakes.journaled import counted
from tests.fakes.provider import Provider, Reply, said, streamed

HELLO = [{"role": "user", "content": "Say hello."}]


def bearer(house: House) -> dict[str, str]:
    return {"authorization": f"Bearer {house.key}"}


@pytest.fixture
def client(house: House) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{house.url}/v1", api_key=house.key) as opened:
        yield opened


@pytest.fixture
async def async_client(house: House) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key=house.key) as opened:
        yield opened


@pytest.fixture
def claude(house: House) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=house.url, api_key=house.key) as opened:
        yield opened


@pytest.fixture
async def async_claude(house: House) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=house.url, api_key=house.key) as opened:
        yield opened


def test_a_chat_answer_arrives_and_is_metered(client: openai.OpenAI, house: House, provider: Provider) -> None:
    provider.then(said(answers.chat()))

    answer = client.chat.completions.create(model="gpt", messages=HELLO, temperature=0.5)

    assert answer.choices[0].message.content == answers.TEXT
    assert answer.usage is not None
    assert answer.usage.total_tokens == 26
    assert provider.last.json == {"model": "gpt-real", "messages": HELLO, "temperature": 0.5}
    assert provider.last.header("authorization") == "Bearer sk-openai"
    assert counted(house.settled()) == answers.USAGE


async def test_a_chat_answer_arrives_at_the_async_client(async_client: openai.AsyncOpenAI, house: House, provider: Provider) -> None:
    provider.then(said(answers.chat()))

    answer = await async_client.chat.completions.create(model="gpt", messages=HELLO)

    assert answer.choices[0].message.content == answers.TEXT
    assert counted(house.settled()) == answers.USAGE


def test_a_chat_stream_arrives_piece_by_piece(client: openai.OpenAI, house: House, provider: Provider) -> None:
    provider.then(streamed(*answers.chat_pieces()))

    with client.chat.completions.create(model="gpt", messages=HELLO, stream=True) as stream:
        chunks = list(stream)

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == answers.TEXT
    assert all(chunk.choices and chunk.usage is None for chunk in chunks), "usage was not asked for and must stay hidden"
    assert provider.last.json["stream_options"] == {"include_usage": True}
    assert counted(house.settled()) == answers.USAGE


def test_a_chat_stream_shows_its_usage_to_who_asked_for_it(client: openai.OpenAI, provider: Provider) -> None:
    provider.then(streamed(*answers.chat_pieces()))

    options: openai.types.chat.ChatCompletionStreamOptionsParam = {"include_usage": True}
    with client.chat.completions.create(model="gpt", messages=HELLO, stream=True, stream_options=options) as stream:
        usages = [chunk.usage for chunk in stream]

    assert usages[-1] is not None
    assert usages[-1].completion_tokens == 6
    assert usages[:-1] == [None] * (len(usages) - 1)


async def test_a_chat_stream_arrives_at_the_async_client(async_client: openai.AsyncOpenAI, house: House, provider: Provider) -> None:
    provider.then(streamed(*answers.chat_pieces()))

    async with await async_client.chat.completions.create(model="gpt", messages=HELLO, stream=True) as stream:
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert text == answers.TEXT
    assert counted(house.settled()) == answers.USAGE


def test_a_response_arrives_and_is_metered(client: openai.OpenAI, house: House, provider: Provider) -> None:
    provider.then(said(answers.response()))

    answer = client.responses.create(model="gpt", input="Say hello.")

    assert answer.output_text == answers.TEXT
    assert provider.last.path == "/v1/responses"
    assert counted(house.settled()) == answers.USAGE


def test_a_streamed_response_ends_with_its_completed_event(client: openai.OpenAI, house: House, provider: Provider) -> None:
    provider.then(streamed(*answers.response_pieces()))

    with client.responses.create(model="gpt", input="Say hello.", stream=True) as stream:
        received = list(stream)

    assert "".join(event.delta for event in received if event.type == "response.output_text.delta") == answers.TEXT
    assert received[-1].type == "response.completed"
    assert received[-1].response.output_text == answers.TEXT
    assert counted(house.settled()) == answers.USAGE


async def test_a_streamed_response_arrives_at_the_async_client(async_client: openai.AsyncOpenAI, house: House, provider: Provider) -> None:
    provider.then(streamed(*answers.response_pieces()))

    async with await async_client.responses.create(model="gpt", input="Say hello.", stream=True) as stream:
        kinds = [event.type async for event in stream]

    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert counted(house.settled()) == answers.USAGE


def test_embeddings_arrive_and_are_metered(client: openai.OpenAI, house: House, provider: Provider) -> None:
    provider.then(said(answers.embedding()))

    answer = client.embeddings.create(model="embed", input="hello", encoding_format="float")

    assert answer.data[0].embedding == [0.25, -0.5, 0.125]
    assert provider.last.json["model"] == "embed-real"
    assert counted(house.settled()) == {"input": 8}


async def test_embeddings_arrive_at_the_async_client(async_client: openai.AsyncOpenAI, provider: Provider) -> None:
    provider.then(said(answers.embedding()))

    answer = await async_client.embeddings.create(model="embed", input=["hello"], encoding_format="float")

    assert answer.data[0].embedding == [0.25, -0.5, 0.125]


def test_the_list_of_models_holds_what_is_granted_and_nothing_else(client: openai.OpenAI, house: House) -> None:
    house.contents.model("secret", house.contents.deployment("openai", "gpt-secret"))
    house.publish()

    listed = {model.id: model for model in client.models.list()}

    assert set(listed) == {"gpt", "embed", "claude"}
    assert listed["gpt"].object == "model"
    assert listed["gpt"].created == 1_750_000_000


async def test_the_list_of_models_arrives_at_the_async_client(async_client: openai.AsyncOpenAI) -> None:
    assert {model.id async for model in async_client.models.list()} == {"gpt", "embed", "claude"}


def test_one_model_can_be_asked_for(client: openai.OpenAI) -> None:
    assert client.models.retrieve("gpt").id == "gpt"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("absent")


def test_a_message_arrives_and_is_metered(claude: anthropic.Anthropic, house: House, provider: Provider) -> None:
    provider.then(said(answers.message()))

    answer = claude.messages.create(model="claude", max_tokens=64, messages=[{"role": "user", "content": "Say hello."}])

    assert answer.content[0].type == "text"
    assert answer.content[0].text == answers.TEXT
    assert provider.last.path == "/v1/messages"
    assert provider.last.json["model"] == "claude-real"
    assert provider.last.header("x-api-key") == "sk-anthropic"
    assert provider.last.header("anthropic-version") == claude.default_headers["anthropic-version"]
    assert provider.last.header("authorization") is None
    assert counted(house.settled()) == answers.USAGE


async def test_a_message_arrives_at_the_async_client(async_claude: anthropic.AsyncAnthropic, house: House, provider: Provider) -> None:
    provider.then(said(answers.message()))

    answer = await async_claude.messages.create(model="claude", max_tokens=64, messages=[{"role": "user", "content": "Hi."}])

    assert answer.stop_reason == "end_turn"
    assert counted(house.settled()) == answers.USAGE


def test_a_streamed_message_arrives_piece_by_piece(claude: anthropic.Anthropic, house: House, provider: Provider) -> None:
    provider.then(streamed(*answers.message_pieces()))

    with claude.messages.stream(model="claude", max_tokens=64, messages=[{"role": "user", "content": "Hi."}]) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()

    assert text == answers.TEXT
    assert final.usage.output_tokens == 6
    assert counted(house.settled()) == answers.USAGE


async def test_a_streamed_message_arrives_at_the_async_client(
    async_claude: anthropic.AsyncAnthropic, house: House, provider: Provider
) -> None:
    provider.then(streamed(*answers.message_pieces()))

    async with async_claude.messages.stream(model="claude", max_tokens=64, messages=[{"role": "user", "content": "Hi."}]) as stream:
        text = "".join([piece async for piece in stream.text_stream])

    assert text == answers.TEXT
    assert counted(house.settled()) == answers.USAGE


def test_the_anthropic_client_lists_the_models_in_its_own_shape(claude: anthropic.Anthropic) -> None:
    listed = {model.id: model for model in claude.models.list()}

    assert "claude" in listed
    assert listed["claude"].type == "model"
    assert listed["claude"].created_at.year == 2025


def test_a_beta_header_reaches_the_provider(claude: anthropic.Anthropic, provider: Provider) -> None:
    provider.then(said(answers.message()))

    claude.beta.messages.create(
        model="claude", max_tokens=64, messages=[{"role": "user", "content": "Hi."}], betas=["context-1m-2025-08-07"]
    )

    assert provider.last.header("anthropic-beta") == "context-1m-2025-08-07"


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
        claude.with_options(max_retries=0).messages.create(model="claude", max_tokens=64, messages=[{"role": "user", "content": "Hi."}])

    assert caught.value.status_code == status
    assert caught.value.body == {"type": "error", "error": {"type": "some_error", "message": "no"}}


def test_a_wrong_key_raises_the_authentication_error_in_both_clients(house: House, provider: Provider) -> None:
    with openai.OpenAI(base_url=f"{house.url}/v1", api_key="ch_00000000_wrong") as client, pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="gpt", messages=HELLO)
    with anthropic.Anthropic(base_url=house.url, api_key="ch_00000000_wrong") as claude, pytest.raises(anthropic.AuthenticationError):
        claude.messages.create(model="claude", max_tokens=64, messages=[{"role": "user", "content": "Hi."}])
    assert provider.asked == []


def test_an_unknown_model_raises_the_not_found_error_in_both_clients(client: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="absent", messages=HELLO)
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.create(model="absent", max_tokens=64, messages=[{"role": "user", "content": "Hi."}])


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
        claude.messages.create(model="claude", max_tokens=64, messages=[{"role": "user", "content": "Hi."}])

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
    messages = [{"role": "user", "content": "Hi."}]
    with (
        claude.messages.create(model="claude", max_tokens=64, messages=messages, stream=True) as stream,
        pytest.raises(anthropic.APIStatusError),
    ):
        list(stream)


def test_a_provider_that_recovers_is_reached_again_by_the_clients_own_retry(client: openai.OpenAI, provider: Provider) -> None:
    busy = Reply(status=429, headers=(("content-type", "application/json"), ("retry-after-ms", "1")), pieces=(b"{}",), sized=True)
    provider.then(busy, said(answers.chat()))

    answer = client.chat.completions.create(model="gpt", messages=HELLO)

    assert answer.choices[0].message.content == answers.TEXT
    assert len(provider.asked) == 2
