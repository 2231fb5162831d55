"""Writes to providers: what is stored, what is told to the audit trail, and what is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError

from audit.models import AuditEvent
from dataplane.sealing import Sealer, SealError
from identity.models import User
from llmgateway import actions
from llmgateway.credentials import credential_matches, open_credential
from llmgateway.models import Provider
from tests.llmgateway.conftest import CANARY, MakeModel, MakeProvider


def told() -> list[tuple[str, dict[str, list[object]]]]:
    return [(event.action, event.changes) for event in AuditEvent.objects.filter(target_type="llmgateway.provider").order_by("id")]


def test_a_provider_is_created_with_its_vendor_guessed_and_one_audit_row(admin: User) -> None:
    provider = actions.create_provider(actor=admin, name="main", dialect="anthropic", base_url="https://api.anthropic.com/", api_key=CANARY)

    stored = Provider.objects.get(pk=provider.pk)
    assert (stored.base_url, stored.vendor, stored.enabled, stored.health) == ("https://api.anthropic.com", "anthropic", True, "unknown")
    assert open_credential(stored) == CANARY
    ((action, changes),) = told()
    assert action == "llmgateway.provider.create"
    assert changes["base_url"] == [None, "https://api.anthropic.com"]
    assert changes["credential"][0] is None
    assert changes["credential"][1]
    assert AuditEvent.objects.get(action=action).actor_name == "admin"


def test_a_sealed_credential_opens_for_its_own_row_only(make_provider: MakeProvider) -> None:
    first, second = make_provider(api_key=CANARY), make_provider()
    sealer = Sealer(*settings.CUSTOMHOUSE.seal_keys)
    sealed = bytes(Provider.objects.get(pk=first.pk).credential or b"")

    assert CANARY.encode() not in sealed
    assert sealer.open(sealed, bound_to=f"llmgateway.provider:{first.pk}:credential") == CANARY
    with pytest.raises(SealError):
        sealer.open(sealed, bound_to=f"llmgateway.provider:{second.pk}:credential")


def test_a_credential_is_replaced_recognised_and_removed(make_provider: MakeProvider) -> None:
    provider = make_provider(api_key="sk-first")
    assert credential_matches(provider, "sk-first")
    assert not credential_matches(provider, None)

    actions.set_credential(actor=None, provider=provider, api_key="sk-second\n")
    provider.refresh_from_db()
    assert open_credential(provider) == "sk-second"
    assert not credential_matches(provider, "sk-first")

    actions.set_credential(actor=None, provider=provider, api_key=None)
    provider.refresh_from_db()
    assert (open_credential(provider), provider.has_credential) == (None, False)
    assert credential_matches(provider, None)
    assert [action for action, _ in told()] == [
        "llmgateway.provider.create",
        "llmgateway.provider.credential",
        "llmgateway.provider.credential",
    ]


def test_taking_away_a_credential_that_is_not_there_changes_nothing(make_provider: MakeProvider) -> None:
    actions.set_credential(actor=None, provider=make_provider(), api_key=None)
    assert len(told()) == 1


def test_a_credential_that_does_not_open_is_nobodys(make_provider: MakeProvider) -> None:
    provider = make_provider(api_key=CANARY)
    Provider.objects.update(credential=b"\x01" + b"x" * 120)
    assert not credential_matches(Provider.objects.get(pk=provider.pk), CANARY)


def test_only_what_changes_is_told_and_no_change_is_no_row(make_provider: MakeProvider) -> None:
    provider = make_provider("steady")
    actions.update_provider(actor=None, provider=provider, name="steady", read_timeout=Decimal(300))
    assert len(told()) == 1

    actions.update_provider(actor=None, provider=provider, read_timeout="12.5", headers={"OpenAI-Project": "p"})
    assert told()[1] == ("llmgateway.provider.update", {"read_timeout": ["300", "12.5"], "headers": [{}, {"openai-project": "p"}]})


def test_the_guessed_vendor_follows_the_address_but_a_chosen_one_stays(make_provider: MakeProvider) -> None:
    guessed, chosen = make_provider(), make_provider(vendor="azure")
    for provider in (guessed, chosen):
        actions.update_provider(actor=None, provider=provider, base_url="https://api.groq.com/openai/v1")
    assert [Provider.objects.get(pk=row.pk).vendor for row in (guessed, chosen)] == ["groq", "azure"]


def test_a_stored_credential_is_never_sent_to_another_host_than_it_was_entered_for(make_provider: MakeProvider) -> None:
    provider = make_provider(api_key=CANARY)
    for address in ("https://evil.example/v1", "https://api.openai.com:8443/v1"):
        with pytest.raises(ValidationError) as refused:
            actions.update_provider(actor=None, provider=provider, base_url=address)
        assert "base_url" in refused.value.message_dict

    actions.update_provider(actor=None, provider=provider, base_url="https://api.openai.com/v2")
    actions.update_provider(actor=None, provider=provider, base_url="https://api.mistral.ai/v1", api_key="sk-new")
    provider.refresh_from_db()
    assert (provider.base_url, open_credential(provider)) == ("https://api.mistral.ai/v1", "sk-new")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "Not Good"}, "name"),
        ({"dialect": "klingon"}, "dialect"),
        ({"base_url": "ftp://x"}, "base_url"),
        ({"base_url": None}, "base_url"),
        ({"base_url": "http://127.0.0.1:1"}, "base_url"),
        ({"headers": {"authorization": "x"}}, "headers"),
        ({"headers": "x"}, "headers"),
        ({"connect_timeout": "soon"}, "connect_timeout"),
        ({"connect_timeout": 0}, "connect_timeout"),
        ({"total_timeout": 1}, "total_timeout"),
        ({"vendor": "No Slug"}, "vendor"),
        ({"enabled": "maybe"}, "enabled"),
        ({"api_key": "two words"}, "api_key"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_provider_is_refused_by_field_and_nothing_is_written(db: None, fields: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        actions.create_provider(**{"actor": None, "name": "x", "dialect": "openai", "base_url": "https://api.openai.com/v1", **fields})
    assert list(refused.value.message_dict) == [field]
    assert not Provider.objects.exists()
    assert not told()


def test_every_mistake_is_named_at_once(db: None) -> None:
    with pytest.raises(ValidationError) as refused:
        actions.create_provider(actor=None, name="", dialect="x", base_url="http://example.com", headers={"host": "h"})
    assert set(refused.value.message_dict) == {"name", "dialect", "base_url", "headers"}


def test_a_name_is_used_once(make_provider: MakeProvider) -> None:
    make_provider("twin")
    with pytest.raises(ValidationError) as refused:
        make_provider("twin")
    assert "name" in refused.value.message_dict


def test_a_provider_that_models_use_is_not_deleted_but_may_be_disabled(make_provider: MakeProvider, make_model: MakeModel) -> None:
    provider = make_provider("busy")
    model = make_model("m1", deployments=[{"provider": "busy", "model": "m"}])
    with pytest.raises(ValidationError, match="m1"):
        actions.delete_provider(actor=None, provider=provider)

    actions.disable_provider(actor=None, provider=provider)
    actions.disable_provider(actor=None, provider=provider)
    actions.enable_provider(actor=None, provider=provider)
    actions.set_deployments(actor=None, model=model, deployments=[])
    actions.delete_provider(actor=None, provider=provider)
    assert not Provider.objects.exists()
    assert [action for action, _ in told()][1:] == [
        "llmgateway.provider.disable",
        "llmgateway.provider.enable",
        "llmgateway.provider.delete",
    ]


def test_changing_where_a_provider_is_forgets_what_was_known_of_its_health(make_provider: MakeProvider) -> None:
    provider = actions.record_health(actor=None, provider=make_provider(), latency_ms=12.4)
    assert (provider.health, provider.latency_ms) == ("healthy", 12)
    actions.update_provider(actor=None, provider=provider, read_timeout=20)
    assert Provider.objects.get().health == "healthy"
    actions.update_provider(actor=None, provider=provider, base_url="https://api.openai.com/v2")
    stored = Provider.objects.get()
    assert (stored.health, stored.checked_at, stored.latency_ms) == ("unknown", None, None)


def test_one_failure_degrades_three_in_a_row_are_down_and_one_success_heals(make_provider: MakeProvider) -> None:
    provider = make_provider()
    states = [actions.record_health(actor=None, provider=provider, error=error).health for error in ("no", "no", "no", "no", "")]
    assert states == ["degraded", "degraded", "down", "down", "healthy"]
    assert [changes["health"] for action, changes in told() if action.endswith(".health")] == [
        ["unknown", "degraded"],
        ["degraded", "down"],
        ["down", "healthy"],
    ]


def test_an_outcome_for_settings_that_were_changed_meanwhile_is_not_kept(make_provider: MakeProvider) -> None:
    asked = make_provider()
    actions.update_provider(actor=None, provider=asked, base_url="https://api.openai.com/v2")
    actions.record_health(actor=None, provider=asked, error="The credential was refused.")
    assert Provider.objects.get().health == "unknown"
