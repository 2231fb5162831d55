"""A realtime provider in the test's event loop, a house in front of it, and OpenAI's own client as the caller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import openai
import pytest

from dataplane.snapshot import PriceRecord
from llmgateway.proxy.app import routes as llm_routes
from llmgateway.proxy.realtime.app import routes as realtime_routes
from tests.fakes.house import House
from tests.fakes.realtime import RealtimeProvider

VOICE = PriceRecord(ref="price:voice:1", input="4", output="16", cached_read="0.4", audio_input="32", audio_output="64")


@pytest.fixture
async def provider() -> AsyncIterator[RealtimeProvider]:
    async with RealtimeProvider().running() as running:
        yield running


@pytest.fixture
def house(tmp_path: Path, provider: RealtimeProvider) -> Iterator[House]:
    with House(tmp_path, routes=[llm_routes(), realtime_routes()]) as opened:
        contents = opened.contents
        contents.provider("openai", f"{provider.url}/v1", secret="sk-of-the-house")
        contents.model("voice", contents.deployment("openai", "voice-real", price=VOICE), max_output=1000)
        contents.model("hidden", contents.deployment("openai", "hidden-real", price=VOICE))
        contents.grant(f"team:{opened.team}", "model:voice")
        opened.publish()
        yield opened


@pytest.fixture
async def client(house: House) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key=house.key) as opened:
        yield opened
