"""A credential is followed by the next one without a moment in which calls fail, and by the way back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from audit.models import AuditEvent
from dataplane.sealing import SealError
from identity.models import User
from llmgateway import actions
from llmgateway.compile import section
from llmgateway.credentials import open_credential, open_next, sealer
from llmgateway.models import Provider
from tests.factories import make_key
from tests.fakes.provider import Provider as Vendor
from tests.fakes.provider import said
from tests.llmgateway.conftest import CANARY, MakeProvider, sign_in

NEXT = "sk-next-3f9a"
ACCEPTED = {"data": [{"id": "small"}]}


@pytest.fixture
def rotating(local_provider: Provider) -> Provider:
    """With a next credential that the vendor accepted."""
    provider = actions.set_next_credential(actor=None, provider=local_provider, api_key=NEXT)
    return actions.record_next_test(actor=None, provider=provider, ok=True)


def step(provider: Provider, name: str) -> str:
    return reverse(f"admin:llmgateway_provider_credential_{name}", args=(provider.pk,))


def previous(provider: Provider) -> str | None:
    sealed = provider.previous_credential
    return None if sealed is None else sealer().open(bytes(sealed), bound_to=provider.previous_place)


def stored(provider: Provider) -> tuple[str | None, str | None, str | None]:
    provider.refresh_from_db()
    return open_credential(provider), open_next(provider), previous(provider)


def published(provider: Provider) -> str:
    (record,) = (record for record in section().providers if record.id == provider.pk)
    assert record.credential is not None
    return sealer().open(record.credential, bound_to=provider.credential_place)


def test_the_next_one_is_used_by_nothing_before_it_is_switched_to(local_provider: Provider) -> None:
    actions.set_next_credential(actor=None, provider=local_provider, api_key=NEXT)
    assert stored(local_provider) == (CANARY, NEXT, None)
    assert published(local_provider) == CANARY


def test_one_that_was_not_accepted_is_not_switched_to(local_provider: Provider) -> None:
    provider = actions.set_next_credential(actor=None, provider=local_provider, api_key=NEXT)
    with pytest.raises(ValidationError, match="test it first"):
        actions.switch_credential(actor=None, provider=provider)
    actions.record_next_test(actor=None, provider=provider, ok=True)
    actions.record_next_test(actor=None, provider=provider, ok=False)
    with pytest.raises(ValidationError, match="test it first"):
        actions.switch_credential(actor=None, provider=provider)
    assert stored(local_provider) == (CANARY, NEXT, None)


def test_a_test_of_one_that_was_replaced_meanwhile_says_nothing(local_provider: Provider) -> None:
    asked = actions.set_next_credential(actor=None, provider=local_provider, api_key=NEXT)
    actions.set_next_credential(actor=None, provider=local_provider, api_key="sk-another")
    assert actions.record_next_test(actor=None, provider=asked, ok=True).next_tested_at is None


def test_switched_rolled_back_and_switched_again(rotating: Provider) -> None:
    set_at = rotating.next_set_at
    switched = actions.switch_credential(actor=None, provider=rotating)
    assert stored(rotating) == (NEXT, None, CANARY)
    assert published(rotating) == NEXT
    assert (switched.credential_set_at, switched.next_tested_at) == (set_at, None)
    actions.roll_back_credential(actor=None, provider=rotating)
    assert stored(rotating) == (CANARY, None, NEXT)
    assert published(rotating) == CANARY
    actions.roll_back_credential(actor=None, provider=rotating)
    assert stored(rotating) == (NEXT, None, CANARY)
    actions.drop_previous_credential(actor=None, provider=rotating)
    assert stored(rotating) == (NEXT, None, None)
    with pytest.raises(ValidationError, match="no previous"):
        actions.roll_back_credential(actor=None, provider=rotating)


def test_what_is_not_there_is_neither_followed_nor_switched_to(make_provider: MakeProvider, local_provider: Provider) -> None:
    bare = make_provider("bare")
    with pytest.raises(ValidationError, match="enter it as the credential"):
        actions.set_next_credential(actor=None, provider=bare, api_key=NEXT)
    with pytest.raises(ValidationError, match="no next credential"):
        actions.switch_credential(actor=None, provider=local_provider)
    with pytest.raises(ValidationError, match="copy it again"):
        actions.set_next_credential(actor=None, provider=local_provider, api_key="two words")
    assert actions.drop_next_credential(actor=None, provider=local_provider).next_set_at is None
    assert actions.drop_previous_credential(actor=None, provider=local_provider).previous_set_at is None


def test_no_credential_stands_in_for_another(rotating: Provider) -> None:
    assert rotating.next_credential is not None
    with pytest.raises(SealError):
        sealer().open(bytes(rotating.next_credential), bound_to=rotating.credential_place)


def test_what_waits_belongs_to_its_host_and_goes_with_it(rotating: Provider) -> None:
    actions.switch_credential(actor=None, provider=rotating)
    actions.set_next_credential(actor=None, provider=rotating, api_key="sk-third")
    actions.update_provider(actor=None, provider=rotating, base_url="https://api.mistral.ai/v1", api_key="sk-mistral")
    assert stored(rotating) == ("sk-mistral", None, None)


def test_without_a_credential_in_use_nothing_waits_beside_it(rotating: Provider) -> None:
    actions.set_credential(actor=None, provider=rotating, api_key=None)
    assert stored(rotating) == (None, None, None)


def test_the_trail_tells_each_step_and_no_secret(rotating: Provider, admin: User) -> None:
    actions.switch_credential(actor=admin, provider=rotating)
    actions.roll_back_credential(actor=admin, provider=rotating)
    actions.drop_previous_credential(actor=admin, provider=rotating)
    told = list(AuditEvent.objects.filter(target_type="llmgateway.provider").order_by("id"))
    assert [event.action.removeprefix("llmgateway.provider.") for event in told] == [
        "create",
        "next_credential",
        "test_next",
        "switch_credential",
        "roll_back_credential",
        "drop_previous_credential",
    ]
    assert not any(secret in str((event.changes, event.extra)) for event in told for secret in (CANARY, NEXT))


def test_in_the_admin_it_is_set_tested_and_switched_to(client: Client, admin: User, local_provider: Provider, vendor: Vendor) -> None:
    sign_in(client, admin)
    vendor.then(said(ACCEPTED))
    html = client.post(step(local_provider, "next"), {"next_key": NEXT}, follow=True).content.decode()
    assert vendor.last.header("authorization") == f"Bearer {NEXT}"
    assert "Switch to it" in html
    assert NEXT not in html
    html = client.post(step(local_provider, "switch"), follow=True).content.decode()
    assert "Roll back" in html
    assert stored(local_provider) == (NEXT, None, CANARY)
    client.post(step(local_provider, "roll_back"))
    assert stored(local_provider) == (CANARY, None, NEXT)
    client.post(step(local_provider, "drop_previous"))
    assert stored(local_provider) == (CANARY, None, None)


def test_one_that_the_vendor_refuses_stays_stored_and_is_tested_again(
    client: Client, admin: User, local_provider: Provider, vendor: Vendor
) -> None:
    sign_in(client, admin)
    vendor.then(said({"error": {"message": f"no such key {NEXT}"}}, status=401), said(ACCEPTED))
    html = client.post(step(local_provider, "next"), {"next_key": NEXT}, follow=True).content.decode()
    assert "was not accepted" in html
    assert "Switch to it" not in html
    assert NEXT not in html
    assert stored(local_provider) == (CANARY, NEXT, None)
    assert local_provider.health == "unknown"  # what the vendor says of the next one is not about the one in use
    assert "Switch to it" in client.post(step(local_provider, "test"), follow=True).content.decode()
    client.post(step(local_provider, "drop_next"))
    assert stored(local_provider) == (CANARY, None, None)


@pytest.mark.parametrize("name", ["next", "test", "switch", "roll_back", "drop_next", "drop_previous"])
def test_strangers_and_mates_take_no_step(client: Client, stranger: User, team_mate: User, rotating: Provider, name: str) -> None:
    for user in (stranger, team_mate):
        sign_in(client, user)
        assert client.post(step(rotating, name), {"next_key": "sk-mine"}).status_code in (403, 404)
        assert client.get(step(rotating, name)).status_code == 405
    assert stored(rotating) == (CANARY, NEXT, None)


def test_an_old_credential_is_told(client: Client, admin: User, local_provider: Provider) -> None:
    sign_in(client, admin)
    page = reverse("admin:llmgateway_provider_change", args=(local_provider.pk,))
    assert "time for the next one" not in client.get(page).content.decode()
    Provider.objects.update(credential_set_at=timezone.now() - timedelta(days=94))
    html = client.get(page).content.decode()
    assert "set 94 days ago" in html
    assert "time for the next one" in html
    assert "94 days old" in client.get(reverse("admin:llmgateway_provider_changelist")).content.decode()


def test_the_same_over_rest(api: APIClient, admin: User, local_provider: Provider, vendor: Vendor) -> None:
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {make_key(admin)[1]}")
    address = f"/api/v1/providers/{local_provider.pk}/credential/"
    vendor.then(said(ACCEPTED))

    def took(status: int, **body: Any) -> Any:
        answer = api.post(address, body, format="json")
        assert answer.status_code == status, answer.content
        assert NEXT not in answer.content.decode()
        return answer.json()

    took(400, step="switch")
    took(400, step="next")
    took(400, step="switch", api_key=NEXT)
    took(400, step="leap")
    assert took(200, step="next", api_key=NEXT)["next_tested_at"] is not None
    assert took(200, step="switch")["previous_set_at"] is not None
    assert stored(local_provider) == (NEXT, None, CANARY)
    took(200, step="roll_back")
    took(200, step="drop_previous")
    assert stored(local_provider) == (CANARY, None, None)
