"""One fake provider for all tests of the LLM gateway, emptied before each; a house of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.house import House, standard
from tests.fakes.provider import Provider
from tests.fakes.serving import serve, serving

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
