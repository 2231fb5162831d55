"""A house whose models and first key agree to the response cache, and one fake provider behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.fakes.house import House, standard
from tests.fakes.provider import Provider
from tests.fakes.serving import serving

TTL = 300


@pytest.fixture(scope="session")
def running_provider() -> Iterator[tuple[Provider, str]]:
    provider = Provider()
    with serving(provider) as url:
        yield provider, url


@pytest.fixture
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
        for name in opened.contents.models:
            change_model(opened, name, cache_ttl=TTL)
        consent(opened, opened.key)
        opened.publish()
        yield opened


def change_model(house: House, name: str, **fields: object) -> None:
    house.contents.models[name] = msgspec.structs.replace(house.contents.models[name], **fields)


def consent(house: House, key: str, *, cache: bool = True) -> str:
    house.contents.keys[key] = msgspec.structs.replace(house.contents.keys[key], cache=cache)
    return key


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(house: House) -> Clock:
    """The time of all that the house keeps."""
    told = Clock()
    house.kit.answers.clock = house.kit.claims.clock = told
    return told
