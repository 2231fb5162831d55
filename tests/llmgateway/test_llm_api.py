"""Providers and models in the management API."""

from __future__ import annotations

from typing import Any

import pytest
from guardian.shortcuts import assign_perm
from rest_framework.test import APIClient

from adminkit.permissions import codename
from audit.models import AuditEvent
from identity.models import Team, User
from llmgateway import actions
from llmgateway.credentials import open_credential
from llmgateway.models import Model, Provider
from llmgateway.prices import override_of
from tests import factories
from tests.fakes.provider import Provider as Vendor
from tests.fakes.provider import said
from tests.llmgateway.conftest import CANARY, MakeModel, MakeProvider
from usage import prices

PROVIDERS = "/api/v1/providers/"
MODELS = "/api/v1/models/"
OPENAI = {"name": "openai", "dialect": "openai", "base_url": "https://api.openai.com/v1"}


def of(row: Any, *, under: str = "") -> str:
    base = PROVIDERS if isinstance(row, Provider) else MODELS
    return f"{base}{row.pk}/{under}"


def test_a_provider_is_created_read_changed_and_deleted(api: APIClient, admin: User) -> None:
    api.force_authenticate(admin)
    made = api.post(PROVIDERS, {**OPENAI, "api_key": CANARY, "headers": {"OpenAI-Project": "p"}}, format="json")
    assert made.status_code == 201, made.json()
    body = made.json()
    assert body["has_credential"] is True
    assert body["vendor"] == "openai"
    assert body["headers"] == {"openai-project": "p"}
    assert "api_key" not in body
    assert "credential" not in body
    provider = Provider.objects.get()
    assert open_credential(provider) == CANARY
    assert api.get(of(provider)).json() == body
    assert api.get(PROVIDERS).json()["results"] == [body]

    changed = api.patch(of(provider), {"read_timeout": "45", "api_key": None}, format="json").json()
    assert (changed["read_timeout"], changed["has_credential"]) == ("45.0", False)
    assert api.delete(of(provider)).status_code == 204
    assert [event.actor_name for event in AuditEvent.objects.filter(target_type="llmgateway.provider")] == ["admin"] * 4


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "Not Good"}, "name"),
        ({"dialect": "klingon"}, "dialect"),
        ({"base_url": "http://127.0.0.1/v1"}, "base_url"),
        ({"base_url": 5}, "base_url"),
        ({"headers": {"host": "x"}}, "headers"),
        ({"headers": ["x"]}, "headers"),
        ({"api_key": ""}, "api_key"),
        ({"api_key": "two words"}, "api_key"),
        ({"read_timeout": "long"}, "read_timeout"),
        ({"enabled": "perhaps"}, "enabled"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_provider_is_a_400_that_names_the_field(api: APIClient, admin: User, fields: dict[str, Any], field: str) -> None:
    api.force_authenticate(admin)
    answer = api.post(PROVIDERS, {**OPENAI, **fields}, format="json")
    assert answer.status_code == 400
    assert list(answer.json()) == [field]
    assert not Provider.objects.exists()


def test_what_is_missing_and_what_is_no_object_are_400(api: APIClient, admin: User) -> None:
    api.force_authenticate(admin)
    assert set(api.post(PROVIDERS, {}, format="json").json()) == {"name", "dialect", "base_url"}
    assert api.post(PROVIDERS, "[1", content_type="application/json").status_code == 400
    assert api.post(PROVIDERS, [1], format="json").status_code == 400


def test_a_provider_in_use_is_not_deleted(api: APIClient, admin: User, make_provider: MakeProvider, make_model: MakeModel) -> None:
    api.force_authenticate(admin)
    provider = make_provider("busy")
    make_model("m", deployments=[{"provider": "busy", "model": "x"}])
    answer = api.delete(of(provider))
    assert answer.status_code == 400
    assert "is used by m" in str(answer.json())


def test_a_provider_is_tested_and_its_offers_are_imported(api: APIClient, admin: User, local_provider: Provider, vendor: Vendor) -> None:
    api.force_authenticate(admin)
    vendor.then(said({"data": [{"id": "a"}, {"id": "b"}]}), said({"error": {"message": f"bad {CANARY}"}}, status=401))
    good = api.post(of(local_provider, under="test/")).json()
    assert (good["ok"], good["models"], good["problem"]) == (True, ["a", "b"], None)
    bad = api.post(of(local_provider, under="test/"))
    assert (bad.status_code, bad.json()["ok"], bad.json()["problem"]["error"]) == (200, False, "The provider answered 401: bad •••")
    assert Provider.objects.get().health == "degraded"

    done = api.post(of(local_provider, under="import/"), {"names": ["a", "b"], "prefix": "lab/"}, format="json").json()
    assert done == {"created": ["lab/a", "lab/b"], "joined": [], "present": [], "refused": {}}
    assert api.post(of(local_provider, under="import/"), {"names": []}, format="json").status_code == 400
    assert api.post(of(local_provider, under="import/"), {"names": ["a"], "force": True}, format="json").json() == {
        "force": ["Unknown field."]
    }


def test_a_model_is_created_read_changed_and_deleted(api: APIClient, admin: User, research: Team, make_provider: MakeProvider) -> None:
    prices.seed()
    make_provider("openai")
    api.force_authenticate(admin)
    api.post(MODELS, {"name": "spare"}, format="json")
    made = api.post(
        MODELS,
        {
            "name": "mini",
            "owner_team": "research",
            "max_output": 4096,
            "deployments": [{"provider": "openai", "model": "gpt-4o-mini", "weight": 2}],
            "fallbacks": ["spare"],
        },
        format="json",
    )
    assert made.status_code == 201, made.json()
    body = made.json()
    assert body["owner_team"] == "research"
    assert body["fallbacks"] == ["spare"]
    assert body["price"] is None
    assert body["resource_ref"] == "model:mini"
    (deployment,) = body["deployments"]
    assert (deployment["provider"], deployment["model"], deployment["weight"]) == ("openai", "gpt-4o-mini", 2)
    assert deployment["price_source"] == "catalogue"
    assert (deployment["price"]["input"], deployment["price"]["output"]) == ("0.15", "0.6")

    model = Model.objects.get(name="mini")
    changed = api.patch(of(model), {"price": {"input": "1.5", "output": "3"}, "fallbacks": []}, format="json").json()
    assert changed["price"] == {"input": "1.5", "output": "3"}
    assert changed["deployments"][0]["price_source"] == "override"
    assert changed["deployments"][0]["id"] == deployment["id"]
    assert changed["fallbacks"] == []
    assert api.get(of(model)).json() == changed

    rows = AuditEvent.objects.count()
    again = api.put(of(model), changed, format="json")
    assert (again.status_code, again.json(), AuditEvent.objects.count()) == (200, changed, rows)
    assert api.put(of(model), changed | {"price": None}, format="json").json()["price"] is None
    assert api.delete(of(model)).status_code == 204


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "a b"}, "name"),
        ({"strategy": "psychic"}, "strategy"),
        ({"max_output": 0}, "max_output"),
        ({"owner_team": "ghosts"}, "owner_team"),
        ({"deployments": [{"provider": "ghost", "model": "m"}]}, "deployments"),
        ({"deployments": [{"provider": "p"}]}, "deployments"),
        ({"deployments": [{"provider": "p", "model": "m", "wieght": 1}]}, "deployments"),
        ({"deployments": {"provider": "p"}}, "deployments"),
        ({"deployments": ["p/m"]}, "deployments"),
        ({"fallbacks": ["ghost"]}, "fallbacks"),
        ({"fallbacks": "ghost"}, "fallbacks"),
        ({"price": {"input": "1"}}, "price"),
        ({"price": {"input": "1", "output": "1", "smell": "1"}}, "price"),
        ({"price": {"input": "-1", "output": "1"}}, "price"),
        ({"price": {"input": "1e400", "output": "1"}}, "price"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_model_is_a_400_that_names_the_field_and_nothing_is_written(
    api: APIClient, admin: User, make_provider: MakeProvider, fields: dict[str, Any], field: str
) -> None:
    make_provider("p")
    api.force_authenticate(admin)
    answer = api.post(MODELS, {"name": "x", **fields}, format="json")
    assert answer.status_code == 400
    assert list(answer.json()) == [field]
    assert not Model.objects.exists()


def test_a_change_that_is_refused_in_part_is_refused_as_a_whole(api: APIClient, admin: User, make_model: MakeModel) -> None:
    api.force_authenticate(admin)
    model = make_model("m")
    answer = api.patch(of(model), {"description": "new", "price": {"input": "1", "output": "1"}, "fallbacks": ["m"]}, format="json")
    assert answer.status_code == 400
    model.refresh_from_db()
    assert (model.description, override_of("m")) == ("", None)


def test_a_model_is_not_renamed(api: APIClient, admin: User, make_model: MakeModel) -> None:
    api.force_authenticate(admin)
    assert "name" in api.patch(of(make_model("m")), {"name": "n"}, format="json").json()


def test_lists_are_filtered_and_cost_a_bounded_number_of_queries(
    api: APIClient, admin: User, make_provider: MakeProvider, make_model: MakeModel, django_assert_max_num_queries: Any
) -> None:
    api.force_authenticate(admin)
    make_provider("p", dialect="anthropic")
    make_provider("q")
    for number in range(30):
        make_model(f"m{number}", deployments=[{"provider": "q", "model": f"u{number}"}], enabled=number % 2 == 0)
    with django_assert_max_num_queries(12):
        assert api.get(MODELS).json()["count"] == 30
    assert api.get(MODELS, {"enabled": "false"}).json()["count"] == 15
    assert api.get(MODELS, {"name": "m7"}).json()["count"] == 1
    assert api.get(PROVIDERS, {"dialect": "anthropic"}).json()["count"] == 1


# Who may.


def test_without_a_key_it_is_a_401_and_with_a_key_of_no_staff_a_403(api: APIClient, make_provider: MakeProvider, research: Team) -> None:
    provider = make_provider()
    for url in (PROVIDERS, MODELS, of(provider)):
        assert api.get(url).status_code == 401
    _, text = factories.make_key(factories.make_service_account("program", team=research))
    for url in (PROVIDERS, MODELS):
        assert api.get(url, headers={"authorization": f"Bearer {text}"}).status_code == 403


def test_a_key_of_an_admin_works_like_the_admin(api: APIClient, admin: User) -> None:
    _, text = factories.make_key(admin)
    assert api.post(PROVIDERS, OPENAI, format="json", headers={"x-api-key": text}).status_code == 201


@pytest.mark.parametrize("person", ["owner", "team_mate", "stranger"])
def test_a_platforms_provider_is_a_404_for_the_people_of_teams(
    api: APIClient, request: pytest.FixtureRequest, person: str, local_provider: Provider, vendor: Vendor
) -> None:
    api.force_authenticate(request.getfixturevalue(person))
    assert api.get(PROVIDERS).json()["results"] == []
    for send, url in [
        (api.get, of(local_provider)),
        (api.put, of(local_provider)),
        (api.patch, of(local_provider)),
        (api.delete, of(local_provider)),
        (api.post, of(local_provider, under="test/")),
        (api.post, of(local_provider, under="import/")),
    ]:
        assert send(url, {"names": ["a"]}, format="json").status_code == 404, url
    assert not vendor.asked
    assert Provider.objects.count() == 1


def test_only_a_platform_admin_adds_providers_and_opens_the_private_network(
    api: APIClient, owner: User, make_provider: MakeProvider, make_model: MakeModel
) -> None:
    api.force_authenticate(owner)
    assert api.post(PROVIDERS, OPENAI, format="json").status_code == 403
    provider = make_provider("lent")
    for verb in ("view", "change"):
        assign_perm(codename(Provider, verb), owner, provider)
    assert api.patch(of(provider), {"read_timeout": 5}, format="json").status_code == 200
    assert list(api.patch(of(provider), {"allow_private_network": True}, format="json").json()) == ["allow_private_network"]

    make_model("theirs")
    assert api.post(of(provider, under="import/"), {"names": ["theirs"], "join": True}, format="json").status_code == 400
    assert api.post(of(provider, under="import/"), {"names": ["mine"]}, format="json").json()["created"] == ["mine"]
    assert str(Model.objects.get(name="mine").owner_team) == "research"


def test_a_strangers_model_is_a_404_and_a_team_mates_may_be_read_only(
    api: APIClient, owner: User, team_mate: User, stranger: User, research: Team, make_model: MakeModel
) -> None:
    model = make_model("theirs", owner_team=research)
    make_model("platforms")
    for person, seen, changed in ((owner, 200, 200), (team_mate, 200, 403), (stranger, 404, 404)):
        api.force_authenticate(person)
        assert api.get(of(model)).status_code == seen
        assert api.patch(of(model), {"description": person.username}, format="json").status_code == changed
        assert [one["name"] for one in api.get(MODELS).json()["results"]] == (["theirs"] if seen == 200 else [])
    model.refresh_from_db()
    assert model.description == "owner"
    api.force_authenticate(team_mate)
    assert api.post(MODELS, {"name": "mine", "owner_team": "research"}, format="json").status_code == 403


def test_a_team_connects_its_model_only_to_what_it_can_see(
    api: APIClient, owner: User, research: Team, make_provider: MakeProvider, make_model: MakeModel
) -> None:
    hidden, lent = make_provider("hidden"), make_provider("lent")
    assign_perm(codename(Provider, "view"), owner, lent)
    model = make_model("theirs", owner_team=research, deployments=[{"provider": "hidden", "model": "small"}])
    make_model("platforms")
    api.force_authenticate(owner)

    def put(**fields: Any) -> Any:
        return api.patch(of(model), fields, format="json")

    stays, dearer, added = ({"provider": one.name, "model": name} for one, name in ((hidden, "small"), (hidden, "huge"), (lent, "any")))
    assert put(deployments=[stays, added]).status_code == 200
    assert put(deployments=[dearer]).json() == {"deployments": ["Deployment 1: there is no provider 'hidden'."]}
    assert put(fallbacks=["platforms"]).json() == {"fallbacks": ["There is no model 'platforms'."]}
    assert put(owner_team=None).status_code == 400
    assert put(owner_team="sales").status_code == 400
    assert put(owner_team="acme").status_code == 400
    assert api.post(MODELS, {"name": "free"}, format="json").status_code == 400
    assert api.post(MODELS, {"name": "ours", "owner_team": "research"}, format="json").status_code == 201


def test_a_price_is_not_the_teams_to_set(api: APIClient, team_mate: User, research: Team, make_model: MakeModel) -> None:
    model = make_model("theirs", owner_team=research)
    assign_perm(codename(Model, "change"), team_mate, model)
    api.force_authenticate(team_mate)
    assert api.patch(of(model), {"price": {"input": "0", "output": "0"}}, format="json").status_code == 403
    assert override_of("theirs") is None


def test_a_provider_that_was_told_down_is_seen_as_such(api: APIClient, admin: User, make_provider: MakeProvider) -> None:
    provider = make_provider()
    for _ in range(3):
        actions.record_health(actor=None, provider=provider, error="Nothing accepts connections.")
    api.force_authenticate(admin)
    body = api.get(of(provider)).json()
    assert (body["health"], body["failed_checks"], body["last_error"]) == ("down", 3, "Nothing accepts connections.")
