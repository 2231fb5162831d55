"""A house with one model for each vendor and tool, at vendors that are played on their own wires."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.agents.targets import TARGETS
from tests.fakes.house import House
from tests.fakes.provider import Provider
from tests.fakes.serving import serving
from tests.llmgateway.agents.acting import VENDORS, Vendors
from tests.llmgateway.agents.claude_code import ClaudeCode
from tests.llmgateway.agents.codex import Codex

OWN = {"anthropic": "claude-opus-4-8", "openai": "gpt-5.5"}
"""On their own vendor the tools' models are called here as there."""


def model_of(vendor: str) -> str:
    return OWN.get(vendor, f"agent-{vendor}")


@pytest.fixture(scope="session")
def agents_provider() -> Iterator[tuple[Provider, str]]:
    provider = Provider()
    with serving(provider) as url:
        yield provider, url


@pytest.fixture
def provider(agents_provider: tuple[Provider, str]) -> Provider:
    agents_provider[0].reset()
    return agents_provider[0]


@pytest.fixture
def vendors(provider: Provider) -> Vendors:
    return Vendors(provider)


@pytest.fixture
def claude(house: House) -> Iterator[ClaudeCode]:
    """As it is on its own vendor's model."""
    tool = ClaudeCode(house.url, house.key, betas=True)
    yield tool
    tool.close()


@pytest.fixture
def plain_claude(house: House) -> Iterator[ClaudeCode]:
    """As it is set up for other vendors' models, without what is in beta at Anthropic."""
    tool = ClaudeCode(house.url, house.key, betas=False)
    yield tool
    tool.close()


@pytest.fixture
def codex(house: House) -> Iterator[Codex]:
    tool = Codex(house.url, house.key)
    yield tool
    tool.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, agents_provider: tuple[Provider, str]) -> Iterator[House]:
    """Of each module its own: not all of them look at what is settled."""
    with House(tmp_path_factory.mktemp("agents")) as house:
        for vendor in VENDORS:
            target = TARGETS.get(vendor) or TARGETS["together"]._replace(vendor=vendor)
            base = f"{agents_provider[1]}/{vendor}{target.base}"
            house.contents.provider(vendor, base, dialect=target.dialect, vendor=target.vendor, secret="sk-plain")
            deployed = house.contents.deployment(vendor, target.model)
            house.contents.grant(f"team:{house.team}", house.contents.model(model_of(vendor), deployed))
        house.publish()
        yield house
