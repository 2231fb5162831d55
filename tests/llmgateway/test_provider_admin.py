"""Providers in the admin: what people of different power see, and what the pages do."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from guardian.shortcuts import assign_perm

from adminkit.permissions import codename
from audit.models import AuditEvent
from identity.models import User
from llmgateway import actions
from llmgateway.credentials import open_credential
from llmgateway.models import Model, Provider
from tests.fakes.provider import Provider as Vendor
from tests.fakes.provider import said
from tests.llmgateway.conftest import CANARY, MakeModel, MakeProvider, sign_in

LIST = reverse("admin:llmgateway_provider_changelist")
ADD = reverse("admin:llmgateway_provider_add")


def page(provider: Provider, name: str = "change") -> str:
    return reverse(f"admin:llmgateway_provider_{name}", args=(provider.pk,))


def typed(**fields: Any) -> dict[str, Any]:
    """What a browser sends for the form."""
    return {
        "name": "main",
        "dialect": "openai",
        "base_url": "https://api.openai.com/v1",
        "vendor": "",
        "enabled": "on",
        "connect_timeout": "5",
        "read_timeout": "300",
        "total_timeout": "900",
        "headers": "{}",
        "api_key": "",
        **fields,
    }


def test_an_admin_adds_a_provider_and_its_credential_is_sealed(client: Client, admin: User) -> None:
    sign_in(client, admin)
    response = client.post(ADD, typed(api_key=CANARY), follow=True)
    assert response.status_code == 200
    provider = Provider.objects.get()
    assert (provider.name, provider.vendor, open_credential(provider)) == ("main", "openai", CANARY)
    assert AuditEvent.objects.get(action="llmgateway.provider.create").actor_name == "admin"


def test_the_form_can_be_filled_from_a_vendor(client: Client, admin: User) -> None:
    sign_in(client, admin)
    html = client.get(ADD).content.decode()
    assert "Start from a vendor" in html
    assert "?name=ollama&amp;dialect=openai&amp;base_url=http%3A%2F%2F127.0.0.1%3A11434%2Fv1&amp;allow_private_network=True" in html
    html = client.get(f"{ADD}?name=ollama&dialect=openai&base_url=http://127.0.0.1:11434/v1&allow_private_network=True").content.decode()
    assert 'value="http://127.0.0.1:11434/v1"' in html
    assert "Start from a vendor" not in html


@pytest.mark.parametrize(
    ("fields", "said_so"),
    [
        ({"base_url": "http://127.0.0.1:1/v1"}, "allow private network"),
        ({"base_url": "http://169.254.169.254/v1", "allow_private_network": "on"}, "never called"),
        ({"headers": '{"authorization": "x"}'}, "carries a secret"),
        ({"headers": "["}, "valid JSON"),
        ({"api_key": "two words"}, "copy it again"),
        ({"name": "Not Good"}, "lower-case"),
        ({"total_timeout": "1"}, "at least as long"),
    ],
)
def test_a_refusal_is_shown_in_the_form_and_nothing_is_written(client: Client, admin: User, fields: dict[str, Any], said_so: str) -> None:
    sign_in(client, admin)
    response = client.post(ADD, typed(**fields))
    assert response.status_code == 200
    assert said_so in response.content.decode()
    assert not Provider.objects.exists()


def test_an_empty_credential_field_keeps_what_is_stored_and_a_filled_one_replaces_it(
    client: Client, admin: User, make_provider: MakeProvider
) -> None:
    sign_in(client, admin)
    provider = make_provider("main", api_key=CANARY)
    client.post(page(provider), typed(read_timeout="60"))
    provider.refresh_from_db()
    assert (provider.read_timeout, open_credential(provider)) == (60, CANARY)

    client.post(page(provider), typed(read_timeout="60", api_key="sk-newer"))
    provider.refresh_from_db()
    assert open_credential(provider) == "sk-newer"

    client.post(page(provider), typed(read_timeout="60", remove_credential="on"))
    provider.refresh_from_db()
    assert open_credential(provider) is None


def test_a_new_and_a_removed_credential_at_once_is_a_contradiction(client: Client, admin: User, make_provider: MakeProvider) -> None:
    sign_in(client, admin)
    provider = make_provider("main", api_key=CANARY)
    response = client.post(page(provider), typed(api_key="sk-newer", remove_credential="on"))
    assert "Either enter a new credential or remove" in response.content.decode()
    provider.refresh_from_db()
    assert open_credential(provider) == CANARY


def test_moving_a_provider_asks_for_its_credential_again(client: Client, admin: User, make_provider: MakeProvider) -> None:
    sign_in(client, admin)
    provider = make_provider("main", api_key=CANARY)
    response = client.post(page(provider), typed(base_url="https://evil.example/v1"))
    assert "belongs to the old host" in response.content.decode()
    provider.refresh_from_db()
    assert provider.base_url == "https://api.openai.com/v1"


def test_the_list_tells_health_address_and_models(client: Client, admin: User, make_provider: MakeProvider, make_model: MakeModel) -> None:
    sign_in(client, admin)
    provider = make_provider("main", api_key=CANARY)
    make_model(deployments=[{"provider": "main", "model": "a"}, {"provider": "main", "model": "b"}])
    actions.record_health(actor=None, provider=provider, error="The provider answered 500.")
    html = client.get(LIST).content.decode()
    for word in ("main", "api.openai.com/v1", "Degraded", "The provider answered 500.", "sealed"):
        assert word in html
    assert client.get(f"{LIST}?health__exact=healthy").content.decode().count("api.openai.com/v1") == 0


def test_the_list_costs_the_same_number_of_queries_for_two_and_for_fifty(
    client: Client, admin: User, make_provider: MakeProvider, django_assert_max_num_queries: Any
) -> None:
    sign_in(client, admin)
    for number in range(50):
        make_provider(f"p{number}", api_key=CANARY)
    client.get(LIST)
    with django_assert_max_num_queries(12):
        assert client.get(LIST).content.decode().count("ch-health ") >= 50


def test_the_test_button_shows_latency_and_models_and_notes_health(
    client: Client, admin: User, local_provider: Provider, vendor: Vendor
) -> None:
    sign_in(client, admin)
    vendor.then(said({"data": [{"id": f"model-{n}"} for n in range(20)]}))
    response = client.post(page(local_provider, "test"), headers={"HX-Request": "true"})
    html = response.content.decode()
    assert "offers 20 models" in html
    assert "model-11" in html
    assert "and 8 more" in html
    assert "<html" not in html
    assert vendor.last.header("authorization") == f"Bearer {CANARY}"
    assert Provider.objects.get().health == "healthy"


def test_the_test_button_works_without_scripts_and_says_what_to_do(
    client: Client, admin: User, local_provider: Provider, vendor: Vendor
) -> None:
    sign_in(client, admin)
    vendor.then(said({"error": {"message": f"bad key {CANARY}"}}, status=401))
    response = client.post(page(local_provider, "test"), follow=True)
    html = response.content.decode()
    assert "credential was refused" in html
    assert CANARY not in html
    assert Provider.objects.get().health == "degraded"


def test_a_get_tests_nothing(client: Client, admin: User, local_provider: Provider, vendor: Vendor) -> None:
    sign_in(client, admin)
    assert client.get(page(local_provider, "test")).status_code == 405
    assert not vendor.asked


def test_what_a_provider_sends_is_shown_as_text(client: Client, admin: User, local_provider: Provider, vendor: Vendor) -> None:
    sign_in(client, admin)
    vendor.then(
        said({"data": [{"id": "<script>alert(1)</script>"}]}), said({"error": {"message": "<img src=x onerror=alert(1)>"}}, status=400)
    )
    for _ in range(2):
        html = client.post(page(local_provider, "test"), headers={"HX-Request": "true"}).content.decode()
        assert "<script>alert" not in html
        assert "<img" not in html


def test_offers_are_listed_with_prices_and_picked_ones_are_registered(
    client: Client, admin: User, local_provider: Provider, vendor: Vendor, make_model: MakeModel
) -> None:
    sign_in(client, admin)
    make_model("here", deployments=[{"provider": "local", "model": "old"}])
    vendor.fallback = said({"data": [{"id": "new-1"}, {"id": "new-2"}, {"id": "old"}]})
    html = client.get(page(local_provider, "import")).content.decode()
    assert "3 models offered" in html
    assert 'value="new-1"' in html
    assert 'value="old"' not in html
    assert "unpriced" in html

    response = client.post(page(local_provider, "import"), {"pick": ["new-1", "new-2"], "name_prefix": "lab/"}, follow=True)
    assert "Registered 2 models" in response.content.decode()
    assert set(Model.objects.values_list("name", flat=True)) == {"here", "lab/new-1", "lab/new-2"}


def test_what_became_of_each_pick_is_told(
    client: Client, admin: User, local_provider: Provider, vendor: Vendor, make_model: MakeModel
) -> None:
    sign_in(client, admin)
    make_model("here", deployments=[{"provider": "local", "model": "here"}])
    make_model("other")
    bad = [f"bad name {number}" for number in range(6)]
    response = client.post(page(local_provider, "import"), {"pick": ["here", "other", *bad], "join": "on"}, follow=True)
    html = response.content.decode()
    for word in ("Added a deployment to other", "Registered before: here", "bad name 4:", "1 more could not be registered"):
        assert word in html, word
    assert "bad name 5" not in html


def test_the_import_button_leads_to_the_import_page(client: Client, admin: User, local_provider: Provider) -> None:
    sign_in(client, admin)
    button = reverse("admin:llmgateway_provider_import_models", args=(local_provider.pk,))
    assert client.get(button).headers["location"] == page(local_provider, "import")


def test_picking_nothing_registers_nothing(client: Client, admin: User, local_provider: Provider, vendor: Vendor) -> None:
    sign_in(client, admin)
    vendor.fallback = said({"data": [{"id": "new-1"}]})
    assert "Nothing was picked" in client.post(page(local_provider, "import"), {}).content.decode()
    assert not Model.objects.exists()


def test_an_import_page_without_an_answer_says_why(client: Client, admin: User, local_provider: Provider, vendor: Vendor) -> None:
    sign_in(client, admin)
    vendor.then(said({}, status=500), said({"data": []}))
    assert "status page" in client.get(page(local_provider, "import")).content.decode()
    assert "offers no model" in client.get(page(local_provider, "import")).content.decode()


def test_a_provider_in_use_is_not_deleted_from_the_admin(
    client: Client, admin: User, make_provider: MakeProvider, make_model: MakeModel
) -> None:
    sign_in(client, admin)
    provider = make_provider("busy")
    make_model("m1", deployments=[{"provider": "busy", "model": "m"}])
    response = client.post(page(provider, "delete"), {"post": "yes"}, follow=True)
    assert Provider.objects.filter(pk=provider.pk).exists()
    assert response.status_code == 200


def test_selected_providers_are_disabled_and_enabled(client: Client, admin: User, make_provider: MakeProvider) -> None:
    sign_in(client, admin)
    rows = [make_provider(), make_provider()]
    for verb, enabled in (("disable", 0), ("enable", 2)):
        client.post(LIST, {"action": verb, "_selected_action": [row.pk for row in rows]})
        assert Provider.objects.filter(enabled=True).count() == enabled


def test_only_a_platform_admin_adds_providers(client: Client, owner: User) -> None:
    sign_in(client, owner)
    assert client.get(ADD).status_code == 403
    assert client.post(ADD, typed()).status_code == 403
    assert not Provider.objects.exists()


@pytest.fixture
def lent(owner: User, local_provider: Provider) -> Provider:
    """A provider that the owner of a team may change."""
    for verb in ("view", "change"):
        assign_perm(codename(Provider, verb), owner, local_provider)
    return local_provider


def test_who_was_lent_a_provider_tests_it_but_does_not_turn_it_elsewhere_in_the_private_network(
    client: Client, owner: User, lent: Provider, vendor: Vendor
) -> None:
    sign_in(client, owner)
    vendor.then(said({"data": [{"id": "m"}]}))
    assert b"offers 1 model" in client.post(page(lent, "test"), headers={"HX-Request": "true"}).content
    same = {"name": "local", "base_url": lent.base_url, "allow_private_network": "on"}
    assert client.post(page(lent), typed(**same, read_timeout="77")).status_code == 302

    inside = client.post(page(lent), typed(**{**same, "base_url": "http://10.0.0.1/v1", "api_key": "sk-x"}))
    assert "Only a platform admin" in inside.content.decode()
    closed = client.post(page(lent), typed(name="local", base_url="https://api.openai.com/v1", api_key="sk-x"))
    assert closed.status_code == 302
    opened = client.post(page(lent), typed(**same, api_key="sk-x"))
    assert "Only a platform admin" in opened.content.decode()
    lent.refresh_from_db()
    assert (lent.base_url, lent.allow_private_network) == ("https://api.openai.com/v1", False)


def test_models_that_a_team_imports_are_its_own_and_others_are_not_joined(
    client: Client, owner: User, lent: Provider, vendor: Vendor, make_model: MakeModel
) -> None:
    sign_in(client, owner)
    vendor.fallback = said({"data": [{"id": "new"}, {"id": "theirs"}]})
    theirs = make_model("theirs")
    client.post(page(lent, "import"), {"pick": ["new"]})
    assert str(Model.objects.get(name="new").owner_team) == "research"
    response = client.post(page(lent, "import"), {"pick": ["theirs"], "join": "on"})
    assert "is not yours to change" in response.content.decode()
    assert not theirs.deployments.exists()


URLS = ("change", "test", "import", "delete", "history")


@pytest.mark.parametrize("person", ["owner", "team_mate", "stranger"])
def test_a_platforms_provider_does_not_exist_for_the_people_of_teams(
    client: Client, request: pytest.FixtureRequest, person: str, local_provider: Provider, vendor: Vendor
) -> None:
    sign_in(client, request.getfixturevalue(person))
    for name in URLS:
        for send in (client.get, client.post):
            assert send(page(local_provider, name)).status_code in (403, 404, 405), (name, send)
    assert local_provider.base_url.encode() not in client.get(LIST).content
    assert not vendor.asked
    assert Provider.objects.filter(pk=local_provider.pk).exists()


def test_who_may_only_see_a_provider_can_neither_test_nor_change_it(
    client: Client, team_mate: User, local_provider: Provider, vendor: Vendor
) -> None:
    assign_perm(codename(Provider, "view"), team_mate, local_provider)
    sign_in(client, team_mate)
    html = client.get(page(local_provider)).content.decode()
    assert "local" in html
    assert "Test connection" not in html
    assert client.post(page(local_provider, "test")).status_code == 403
    assert client.get(page(local_provider, "import")).status_code == 403
    assert client.post(page(local_provider), typed(name="mine")).status_code == 403
    assert not vendor.asked
    assert Provider.objects.get().name == "local"
