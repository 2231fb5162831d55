"""The official Anthropic SDK is a real client: it is driven through the gateway over a real socket."""

from __future__ import annotations

import anthropic
from anthropic.types import MessageParam

from tests.fakes import answers
from tests.fakes.house import House
from tests.fakes.journaled import counted
from tests.fakes.provider import Provider, said, streamed

HI: list[MessageParam] = [{"role": "user", "content": "Hi."}]


def test_a_message_arrives_and_is_metered(claude: anthropic.Anthropic, house: House, provider: Provider) -> None:
    provider.then(said(answers.message()))

    answer = claude.messages.create(model="claude", max_tokens=64, messages=HI)

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

    answer = await async_claude.messages.create(model="claude", max_tokens=64, messages=HI)

    assert answer.stop_reason == "end_turn"
    assert counted(house.settled()) == answers.USAGE


def test_a_streamed_message_arrives_piece_by_piece(claude: anthropic.Anthropic, house: House, provider: Provider) -> None:
    provider.then(streamed(*answers.message_pieces()))

    with claude.messages.stream(model="claude", max_tokens=64, messages=HI) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()

    assert text == answers.TEXT
    assert final.usage.output_tokens == 6
    assert counted(house.settled()) == answers.USAGE


async def test_a_streamed_message_arrives_at_the_async_client(
    async_claude: anthropic.AsyncAnthropic, house: House, provider: Provider
) -> None:
    provider.then(streamed(*answers.message_pieces()))

    async with async_claude.messages.stream(model="claude", max_tokens=64, messages=HI) as stream:
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
