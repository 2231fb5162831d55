"""The official OpenAI SDK is a real client: it is driven through the gateway over a real socket."""

from __future__ import annotations

import openai
import pytest
from openai.types.chat import ChatCompletionStreamOptionsParam, ChatCompletionUserMessageParam

from tests.fakes import answers
from tests.fakes.house import House
from tests.fakes.journaled import counted
from tests.fakes.provider import Provider, said, streamed

HELLO: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "Say hello."}]


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

    options: ChatCompletionStreamOptionsParam = {"include_usage": True}
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
