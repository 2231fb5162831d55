"""A house with one model for each wire dialect, `wire/<dialect>`, at one scripted provider that speaks nothing else;
`spare/<dialect>` has a second deployment to fall back to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from llmgateway.proxy import runtime
from llmgateway.proxy.providers import Facts, facts_of
from tests.fakes.house import House
from tests.fakes.provider import Provider
from tests.fakes.serving import serving
from tests.llmgateway.translation.across_kit import CHAT, COHERE, GEMINI, MESSAGES, RESPONSES, Clients

ACCOUNTS = {CHAT: "openai", RESPONSES: "openai", MESSAGES: "anthropic", GEMINI: "gemini", COHERE: "cohere", "bedrock": "bedrock"}


@pytest.fixture(scope="session")
def wired_provider() -> Iterator[tuple[Provider, str]]:
    provider = Provider()
    with serving(provider) as url:
        yield provider, url


@pytest.fixture
def provider(wired_provider: tuple[Provider, str]) -> Provider:
    wired_provider[0].reset()
    return wired_provider[0]


@pytest.fixture(scope="module")
def wired_house(tmp_path_factory: pytest.TempPathFactory, wired_provider: tuple[Provider, str]) -> Iterator[House]:
    """No vendor serves Responses alone: whoever is named after a wire dialect here is taken to speak only that one. Of a
    module, so that the patch is undone before other tests of the process come."""

    def one_wire(*, vendor: str = "", **place: Any) -> Facts:
        facts = facts_of(vendor="", **place)
        return facts._replace(wires=(vendor,)) if vendor in ACCOUNTS else facts

    with pytest.MonkeyPatch.context() as patched, House(tmp_path_factory.mktemp("wired")) as house:
        patched.setattr(runtime, "facts_of", one_wire)
        for wire, dialect in ACCOUNTS.items():
            house.contents.provider(wire, wired_provider[1], dialect=dialect, vendor=wire, secret="sk-plain")
            first, second = (house.contents.deployment(wire, "real", priority=priority) for priority in (0, 1))
            models = (house.contents.model(f"wire/{wire}", first), house.contents.model(f"spare/{wire}", first, second))
            house.contents.grant(f"team:{house.team}", *models)
        house.kit.debug.directory = tmp_path_factory.mktemp("debug")
        house.publish()
        yield house


@pytest.fixture(scope="module")
def clients(wired_house: House) -> Iterator[Clients]:
    opened = Clients(wired_house.url, wired_house.key)
    yield opened
    opened.close()
