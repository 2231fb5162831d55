"""`manage.py reseal`: everything that is sealed, with the key that is first now."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command

from audit.models import AuditEvent
from dataplane.sealing import Sealer, SealError
from llmgateway import actions
from llmgateway.compile import sections_for as of_models
from llmgateway.models import Provider
from mcpgateway.compile import sections_for as of_servers
from registry import actions as registry
from registry.models import Server
from tests import factories
from tests.registry import things

OLD, NEW = b"o" * 32, b"n" * 32


@pytest.fixture
def seal_with(settings: Any) -> Any:
    house = django_settings.CUSTOMHOUSE

    def use(*keys: bytes) -> None:
        settings.CUSTOMHOUSE = replace(house, seal_keys=keys)

    return use


@pytest.fixture
def sealed(db: None, seal_with: Any) -> Provider:
    """A provider with all three credentials and a server with one, sealed with the old key."""
    factories.organization()
    seal_with(OLD)
    provider = actions.create_provider(actor=None, name="main", dialect="openai", base_url="https://api.openai.com/v1", api_key="sk-one")
    provider = actions.set_next_credential(actor=None, provider=provider, api_key="sk-two")
    provider = actions.record_next_test(actor=None, provider=provider, ok=True)
    provider = actions.switch_credential(actor=None, provider=provider)
    provider = actions.set_next_credential(actor=None, provider=provider, api_key="sk-three")
    registry.set_credential(actor=None, item=things.live_server(), secret="token")
    actions.create_provider(actor=None, name="bare", dialect="openai", base_url="https://api.openai.com/v1")
    return provider


def run(*words: str) -> str:
    out = StringIO()
    call_command("reseal", *words, stdout=out)
    return out.getvalue()


def opened(provider: Provider, *keys: bytes) -> list[str]:
    provider.refresh_from_db()
    sealer = Sealer(*keys)
    places = {"credential": provider.credential_place, "next_credential": provider.next_place}
    places["previous_credential"] = provider.previous_place
    return [sealer.open(bytes(getattr(provider, name)), bound_to=place) for name, place in places.items()]


def test_afterwards_the_old_key_may_go(sealed: Provider, seal_with: Any) -> None:
    with pytest.raises(SealError):
        opened(sealed, NEW)
    seal_with(NEW, OLD)
    told = run()
    assert "provider main: sealed anew: credential, next_credential, previous_credential" in told
    assert told.endswith("2 of 2 sealed anew with the first key.\n")
    assert opened(sealed, NEW) == ["sk-two", "sk-three", "sk-one"]
    server = Server.objects.get()
    assert server.credential is not None
    assert Sealer(NEW).open(bytes(server.credential), bound_to=server.credential_place) == "Bearer token"


def test_each_row_is_in_the_trail_and_is_published_anew(sealed: Provider, seal_with: Any) -> None:
    seal_with(NEW, OLD)
    run()
    events = {event.action: event for event in AuditEvent.objects.filter(action__endswith=".reseal")}
    assert set(events) == {"llmgateway.provider.reseal", "registry.server.reseal"}
    assert of_models(events["llmgateway.provider.reseal"]) == {"llm"}
    assert of_servers(events["registry.server.reseal"]) == {f"mcp:{Server.objects.get().slug}"}


def test_run_again_it_changes_nothing(sealed: Provider, seal_with: Any) -> None:
    seal_with(NEW, OLD)
    run()
    written = AuditEvent.objects.count()
    assert run() == "0 of 2 sealed anew with the first key.\n"
    assert AuditEvent.objects.count() == written


def test_a_dry_run_says_it_and_changes_nothing(sealed: Provider, seal_with: Any) -> None:
    seal_with(NEW, OLD)
    assert "2 of 2 would be sealed anew" in run("--dry-run")
    assert opened(sealed, OLD) == ["sk-two", "sk-three", "sk-one"]
    assert not AuditEvent.objects.filter(action__endswith=".reseal").exists()


def test_what_no_key_opens_is_named_and_left_as_it_is(sealed: Provider, seal_with: Any) -> None:
    seal_with(NEW)
    with pytest.raises(CommandError, match=r"provider main \(credential\)") as refused:
        run()
    assert refused.value.returncode == 2
    assert opened(sealed, OLD) == ["sk-two", "sk-three", "sk-one"]
