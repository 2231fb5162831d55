"""One fake provider for all tests of the LLM gateway, emptied before each; a house of its own for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anthropic
import openai
import pytest

from tests.fakes.house import House, standard
from tests.fakes.provider import Provider
from tests.fakes.serving import Serve, serve, serving

__all__ = ["serve"]


@pytest.fixture(scope="session")
def running_provider() -> Iterator[tuple[Provider, str]]:
    provider = Provider()
    with serving(provider) as url:
        yield provider, url


@pytest.fixture(scope="session")
def provider_url(running_provider: tuple[Provider, str]) -> str:
    return running_provider[1]


@pytest.fixture
def provider(running_provider: tuple[Provider, str]) -> Provider:
    running_provider[0].reset()
    return running_provider[0]


@pytest.fixture
def house(tmp_path: Path, provider: Provider, provider_url: str) -> Iterator[House]:
    with House(tmp_path) as opened:
        standard(opened.contents, opened.team, provider_url)
        opened.publish()
        yield opened


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


@pytest.fixture
def spare(serve: Serve) -> tuple[Provider, str]:
    """A second provider, to fall back to, and its address."""
    other = Provider()
    return other, serve(other)
