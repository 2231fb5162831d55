"""A vendor that stores things, a house before it, and three people: an owner, a team mate, a stranger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmgateway.proxy import stored
from tests.fakes.house import House
from tests.fakes.provider import Provider
from tests.fakes.serving import serve, serving
from tests.fakes.storing import Person, Vendor, lay_out

__all__ = ["serve"]


@pytest.fixture(scope="session")
def running_provider() -> Iterator[tuple[Provider, str]]:
    provider = Provider()
    with serving(provider) as url:
        yield provider, url


@pytest.fixture
def vendor(running_provider: tuple[Provider, str]) -> Vendor:
    provider, _ = running_provider
    provider.reset()
    vendor = Vendor(provider)
    provider.fallback = vendor
    return vendor


@pytest.fixture
def vendor_url(running_provider: tuple[Provider, str]) -> str:
    return running_provider[1]


@pytest.fixture
def house(tmp_path: Path, vendor: Vendor, vendor_url: str) -> Iterator[House]:
    with House(tmp_path, routes=[stored.routes()]) as opened:
        lay_out(opened, vendor_url)
        yield opened


@pytest.fixture
def owner(house: House) -> Person:
    return Person(house, house.key)


@pytest.fixture
def team_mate(house: House) -> Person:
    key = house.contents.key("mate", team=house.team)
    house.publish()
    return Person(house, key)


@pytest.fixture
def stranger(house: House) -> Person:
    """Of another team, with the same models."""
    team = house.contents.team("elsewhere")
    house.contents.grant(f"team:{team}", "model:gpt", "model:small")
    key = house.contents.key("stranger", team=team)
    house.publish()
    return Person(house, key)
