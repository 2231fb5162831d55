"""The playground's pages and what its scripts ask for: only for people, only of what is theirs."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from adminkit.permissions import codename
from identity import actions as identity
from identity.models import APIKey, User
from llmgateway import actions
from llmgateway.models import Model
from llmgateway.playground import choices
from tests import factories
from tests.llmgateway.conftest import MakeModel, MakeProvider, sign_in
from tests.usage.calls import a_call
from usage import ledger

ADMIN_PAGE = reverse("admin:llmgateway_model_playground")
PAGE = reverse("playground:page")
NEW_KEY, END_KEY = reverse("playground:new-key"), reverse("playground:end-key")


@pytest.fixture
def granted(owner: User, make_model: MakeModel, make_provider: MakeProvider) -> Model:
    model = make_model("granted-one", deployments=[{"provider": make_provider().name, "model": "gpt-4o-mini"}])
    identity.grant(actor=None, to=owner, obj=model)
    return model


def named(user: User) -> list[tuple[str, str]]:
    return [(choice.name, choice.obstacle) for choice in choices(user)]


def test_only_what_the_person_was_granted_is_offered(
    client: Client, owner: User, stranger: User, admin: User, granted: Model, make_model: MakeModel, make_provider: MakeProvider
) -> None:
    team_wide = make_model("team-wide", deployments=[{"provider": make_provider().name, "model": "gpt-4o"}])
    identity.grant(actor=None, to=owner.team, obj=team_wide)
    make_model("nobodys", deployments=[{"provider": make_provider().name, "model": "gpt-4o"}])
    assert named(owner) == [("granted-one", ""), ("team-wide", "")]
    assert named(stranger) == named(admin) == []
    sign_in(client, owner)
    for address in (PAGE, ADMIN_PAGE):
        html = client.get(address).content.decode()
        assert 'value="granted-one"' in html
        assert "nobodys" not in html


def test_what_can_not_be_tried_says_why(owner: User, make_model: MakeModel, make_provider: MakeProvider) -> None:
    gpt, claude = make_provider(), make_provider(dialect="anthropic", base_url="https://api.anthropic.com")
    for name, deployments, more in (
        ("bare", [], {}),
        ("embeds", [{"provider": gpt.name, "model": "text-embedding-3-small"}], {}),
        ("native", [{"provider": claude.name, "model": "claude"}], {"native_only": True}),
        ("translated", [{"provider": claude.name, "model": "claude"}], {}),
        ("off", [{"provider": gpt.name, "model": "gpt-4o"}], {"enabled": False}),
    ):
        identity.grant(actor=None, to=owner, obj=make_model(name, deployments=deployments, **more))
    assert named(owner) == [
        ("bare", "has no deployment"),
        ("embeds", "makes embeddings"),
        ("native", "is never translated, and speaks another dialect"),
        ("translated", ""),
    ]


def test_the_vendors_facts_say_how_it_is_asked(owner: User, make_model: MakeModel, make_provider: MakeProvider) -> None:
    for name, url in (("openai", "https://api.openai.com/v1"), ("mistral", "https://api.mistral.ai/v1")):
        model = make_model(f"at-{name}", deployments=[{"provider": make_provider(base_url=url).name, "model": "m"}])
        identity.grant(actor=None, to=owner, obj=model)
    mistral, openai = choices(owner)
    assert (mistral.maximum, mistral.usage) == ("max_tokens", False)
    assert (openai.maximum, openai.usage) == ("max_completion_tokens", True)


def test_models_are_chosen_in_the_address(client: Client, owner: User, granted: Model) -> None:
    sign_in(client, owner)
    html = client.get(PAGE, {"model": "nobodys", "with": "granted-one"}).content.decode()
    assert html.count("selected") == 2
    assert "nobodys" not in html


def test_without_a_model_the_pages_say_what_to_do(client: Client, admin: User, team_mate: User) -> None:
    sign_in(client, admin)
    html = client.get(ADMIN_PAGE).content.decode()
    assert "You were granted no model" in html
    assert f"/admin/identity/user/{admin.pk}/change/" in html
    sign_in(client, team_mate)
    html = client.get(PAGE).content.decode()
    assert 'href="/?kind=model"' in html
    assert "data-playground" not in html


def test_who_may_not_see_models_in_the_admin_is_sent_away(client: Client, granted: Model) -> None:
    sign_in(client, factories.make_user("clerk", is_staff=True))
    assert client.get(ADMIN_PAGE).status_code == 403
    assert codename(Model, "view") == "llmgateway.view_model"


def test_pages_keep_the_policy_and_may_call_the_gateway_where_it_is(client: Client, owner: User, granted: Model, settings: Any) -> None:
    sign_in(client, owner)
    for address in (PAGE, ADMIN_PAGE):
        answer = client.get(address)
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy["connect-src"] == f"'self' {settings.CUSTOMHOUSE.public_url}"
        assert "'unsafe-inline'" not in policy["script-src"]
        assert "no-store" in answer.headers["cache-control"]
    assert client.get("/keys/").headers["content-security-policy"].count("'self'") >= 5
    assert settings.CUSTOMHOUSE.public_url not in client.get("/keys/").headers["content-security-policy"]


def test_a_key_is_made_shown_once_and_ended(client: Client, owner: User, granted: Model) -> None:
    sign_in(client, owner)
    answer = client.post(NEW_KEY)
    assert (answer.status_code, "no-store" in answer.headers["cache-control"]) == (201, True)
    given = answer.json()
    key = APIKey.objects.get(prefix=given["prefix"])
    assert (key.owner, key.purpose, given["seconds"]) == (owner, "playground", 900)
    assert given["key"].startswith(f"ch_{key.prefix}_")
    second = client.post(NEW_KEY).json()
    assert {row.prefix: row.state for row in APIKey.objects.all()} == {given["prefix"]: "revoked", second["prefix"]: "active"}
    assert client.post(END_KEY, {"prefix": second["prefix"]}).status_code == 204
    assert APIKey.objects.get(prefix=second["prefix"]).state == "revoked"
    assert client.post(END_KEY).status_code == 204


def test_nobody_ends_the_key_of_another(client: Client, owner: User, stranger: User, granted: Model) -> None:
    sign_in(client, owner)
    prefix = client.post(NEW_KEY).json()["prefix"]
    sign_in(client, stranger)
    assert client.post(END_KEY, {"prefix": prefix}).status_code == 204
    assert APIKey.objects.get(prefix=prefix).state == "active"


def test_no_key_without_a_session_and_without_the_forgery_token(owner: User, granted: Model) -> None:
    _, text = factories.make_key(owner)
    assert Client().post(NEW_KEY).status_code == 401
    assert Client(headers={"Authorization": f"Bearer {text}"}).post(NEW_KEY).status_code == 401
    careful = Client(enforce_csrf_checks=True)
    sign_in(careful, owner)
    assert careful.post(NEW_KEY).status_code == 403
    assert careful.get(NEW_KEY).status_code == 405
    assert not APIKey.objects.filter(purpose="playground").exists()


def test_a_call_is_told_to_whoever_made_it(client: Client, owner: User, team_mate: User, admin: User) -> None:
    mine = {"principal": owner.ref, "principal_name": "owner", "request_id": "req-mine"}
    ledger.record([a_call(**mine, cost="0.25", provider="first"), a_call(**mine, cost="0.50", provider="second", deployment="large")])
    address = reverse("playground:call", args=["req-mine"])
    sign_in(client, owner)
    told = client.get(address).json()
    assert (told["legs"], told["cost"], told["estimated"]) == (2, "0.75", False)
    assert told["usage"]["cached_read"] == 20
    assert client.get(reverse("playground:call", args=["req-none"])).status_code == 404
    assert client.post(address).status_code == 405
    for other in (team_mate, admin):
        sign_in(client, other)
        assert client.get(address).status_code == 404
    assert Client().get(address).status_code == 401


def test_a_call_without_a_known_price_is_not_told_as_free(client: Client, owner: User) -> None:
    ledger.record([a_call(principal=owner.ref, request_id="req-unpriced", cost=None, price=None)])
    sign_in(client, owner)
    assert client.get(reverse("playground:call", args=["req-unpriced"])).json()["cost"] is None


def test_the_models_page_leads_there(client: Client, admin: User, granted: Model) -> None:
    sign_in(client, admin)
    html = client.get(reverse("admin:llmgateway_model_change", args=(granted.pk,))).content.decode()
    assert f'href="{ADMIN_PAGE}?model=granted-one"' in html
    actions.disable_model(actor=None, model=granted)
    assert f"{ADMIN_PAGE}?" not in client.get(reverse("admin:llmgateway_model_change", args=(granted.pk,))).content.decode()
