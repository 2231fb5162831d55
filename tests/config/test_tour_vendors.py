"""Real providers that the tour finds: keys in the environment, and an Ollama on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from config.tour import vendors
from config.tour.contents import TEAM
from identity.models import Team
from identity.queries import grants_of
from llmgateway.credentials import open_credential
from llmgateway.diagnosis import Diagnosis
from llmgateway.models import Model, Provider
from llmgateway.probe import Finding
from tests.factories import make_team
from tests.fakes.provider import Provider as FakeProvider
from tests.fakes.provider import said
from tests.fakes.serving import refusing, serving

pytestmark = pytest.mark.django_db


@pytest.fixture
def team(acme: Team) -> Team:
    return make_team(TEAM, parent=acme)


@pytest.fixture(autouse=True)
def _no_ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whether this machine has one is not what most of these tests are about."""
    with refusing() as url:
        point_ollama_at(monkeypatch, url)
        yield


def point_ollama_at(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    moved = tuple(vendor._replace(base_url=f"{url}/v1") for vendor in vendors.LOCAL_VENDORS)
    monkeypatch.setattr(vendors, "LOCAL_VENDORS", moved)


def offer(monkeypatch: pytest.MonkeyPatch, *models: str, problem: Diagnosis | None = None) -> None:
    """What every vendor answers when it is asked for its models."""
    monkeypatch.setattr(vendors, "probe", lambda provider: Finding(latency_ms=5.0, models=models, problem=problem))


def test_a_key_in_the_environment_registers_its_vendor_and_some_models(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, *(f"other-{number}" for number in range(40)), "gpt-4o-mini")
    to_try = vendors.register_found({"OPENAI_API_KEY": "sk-from-the-environment", "PATH": "/bin"})
    provider = Provider.objects.get()
    assert (provider.name, provider.dialect, provider.base_url) == ("openai", "openai", "https://api.openai.com/v1")
    assert open_credential(provider) == "sk-from-the-environment"
    assert to_try == ["gpt-4o-mini"]
    assert Model.objects.count() == vendors.MODELS_AT_MOST
    assert {obj.resource_ref for obj in grants_of(team)} == {f"model:{model.name}" for model in Model.objects.all()}


def test_a_second_start_registers_nothing_twice_and_changes_nothing(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "gpt-4o-mini")
    vendors.register_found({"OPENAI_API_KEY": "sk-one"})
    assert vendors.register_found({"OPENAI_API_KEY": "sk-another"}) == []
    assert open_credential(Provider.objects.get()) == "sk-one"


def test_a_vendor_that_does_not_answer_is_registered_with_its_problem(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, problem=Diagnosis("Nothing answers.", "Check the network."))
    assert vendors.register_found({"MISTRAL_API_KEY": "key"}) == []
    assert Provider.objects.get().last_error == "Nothing answers. Check the network."
    assert not Model.objects.exists()


@pytest.mark.parametrize(
    ("variable", "model", "dialect"),
    [("ANTHROPIC_API_KEY", "claude-haiku-4-5", "anthropic"), ("GEMINI_API_KEY", "gemini-2.5-flash", "gemini")],
)
def test_models_of_another_dialect_are_tried_by_the_tour_as_well(
    variable: str, model: str, dialect: str, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tour's call is OpenAI's; the house translates it."""
    offer(monkeypatch, model)
    assert vendors.register_found({variable: "key"}) == [model]
    assert Provider.objects.get().dialect == dialect


def test_every_source_names_a_vendor_that_is_known() -> None:
    assert set(vendors.SOURCES) <= {vendor.slug for vendor in vendors.VENDORS}


def test_an_ollama_on_this_machine_is_found(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    ollama = FakeProvider()
    ollama.fallback = said({"object": "list", "data": [{"id": "llama3.2", "object": "model"}]})
    with serving(ollama) as url:
        point_ollama_at(monkeypatch, url)
        assert vendors.register_found({}) == ["llama3.2"]
    provider = Provider.objects.get()
    assert (provider.name, provider.allow_private_network, provider.has_credential) == ("ollama", True, False)


def test_without_keys_and_without_ollama_nothing_is_registered(team: Team) -> None:
    assert vendors.register_found({"OPENAI_API_KEY": "  "}) == []
    assert not Provider.objects.exists()
