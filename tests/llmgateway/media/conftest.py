"""One vendor under three dialects, the models that it has beside chat, and three people: an owner, a team mate, a stranger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from dataplane.snapshot import PriceRecord
from tests.fakes.house import House
from tests.fakes.provider import Provider
from tests.fakes.serving import serve, serving

__all__ = ["serve"]

BY_TOKEN = PriceRecord(ref="price:tokens:1", input="2", output="10", audio_input="6")
BY_IMAGE = PriceRecord(ref="price:images:1", input="0", output="0", image="0.04")
BY_SECOND = PriceRecord(ref="price:seconds:1", input="0", output="0", second="0.0001")
BY_SEARCH = PriceRecord(ref="price:searches:1", input="0", output="0", request="0.002")
FREE = PriceRecord(ref="price:free:1", input="0", output="0")

MODELS: dict[str, tuple[str, str, PriceRecord]] = {
    "vectors": ("openai", "text-embedding-3-small", BY_TOKEN),
    "vectors-google": ("google", "gemini-embedding-2", BY_TOKEN),
    "vectors-cohere": ("cohere", "embed-v4.0", BY_TOKEN),
    "ranks": ("openai", "jina-reranker-v3", BY_TOKEN),
    "ranks-cohere": ("cohere", "rerank-v3.5", BY_SEARCH),
    "painter": ("openai", "gpt-image-2", BY_TOKEN),
    "painter-each": ("openai", "flux-2", BY_IMAGE),
    "voice": ("openai", "gpt-4o-mini-tts", BY_TOKEN),
    "ear": ("openai", "gpt-4o-transcribe", BY_TOKEN),
    "ear-timed": ("openai", "whisper-1", BY_SECOND),
    "judge": ("openai", "omni-moderation-2024-09-26", FREE),
    "claude": ("anthropic", "claude-real", BY_TOKEN),
}


@pytest.fixture(scope="session")
def running_provider() -> Iterator[tuple[Provider, str]]:
    provider = Provider()
    with serving(provider) as url:
        yield provider, url


@pytest.fixture
def provider(running_provider: tuple[Provider, str]) -> Provider:
    running_provider[0].reset()
    return running_provider[0]


def lay_out(house: House, url: str) -> None:
    contents = house.contents
    contents.provider("openai", f"{url}/v1")
    contents.provider("google", url, dialect="gemini")
    contents.provider("cohere", url, dialect="cohere")
    contents.provider("anthropic", url, dialect="anthropic")
    for name, (account, model, price) in MODELS.items():
        contents.grant(f"team:{house.team}", contents.model(name, contents.deployment(account, model, price=price)))
    house.publish()


@pytest.fixture
def house(tmp_path: Path, running_provider: tuple[Provider, str], provider: Provider) -> Iterator[House]:
    with House(tmp_path) as opened:
        lay_out(opened, running_provider[1])
        yield opened


@pytest.fixture
def client(house: House) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{house.url}/v1", api_key=house.key, max_retries=0) as opened:
        yield opened


@pytest.fixture
def team_mate(house: House) -> str:
    """The key of another one of the team: the same grants, and the same budget."""
    key = house.contents.key("mate", team=house.team)
    house.publish()
    return key


@pytest.fixture
def stranger(house: House) -> str:
    """The key of somebody to whom nothing of it is granted."""
    key = house.contents.key("stranger", team=house.contents.team("elsewhere"))
    house.publish()
    return key
