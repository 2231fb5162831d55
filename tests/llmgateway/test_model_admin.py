"""Models in the admin: lists, forms with deployments and fallbacks, prices, panels, and who may see and change them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from guardian.shortcuts import assign_perm

from adminkit.permissions import codename
from audit.models import AuditEvent
from identity import actions as identity_actions
from identity.models import Team, User
from llmgateway import actions
from llmgateway.models import Model
from llmgateway.prices import override_of
from tests.llmgateway.conftest import MakeModel, MakeProvider, sign_in
from usage import prices
from usage.models import Rollup

LIST = reverse("admin:llmgateway_model_changelist")
ADD = reverse("admin:llmgateway_model_add")


def page(model: Model, name: str = "change") -> str:
    return reverse(f"admin:llmgateway_model_{name}", args=(model.pk,))


Rows = Sequence[dict[str, Any]]


def typed(model: Model | None = None, *, deployments: Rows = (), fallbacks: Rows = (), **fields: Any) -> dict[str, Any]:
    """What a browser sends for the form: the model's fields, then the rows of both inlines with those that are stored."""
    sent: dict[str, Any] = {
        "name": "main",
        "description": "",
        "strategy": "weighted",
        "max_output": "",
        "owner_team": "",
        "enabled": "on",
        **fields,
    }
    for prefix, rows, key in (("deployments", deployments, "model"), ("fallback_steps", fallbacks, "model")):
        stored = sum("id" in row for row in rows)
        sent |= {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": stored}
        for number, row in enumerate(rows):
            sent |= {f"{prefix}-{number}-{name}": value for name, value in row.items()}
            sent[f"{prefix}-{number}-{key}"] = "" if model is None else model.pk
    return sent


def row(provider: Any, name: str, **more: Any) -> dict[str, Any]:
    return {"provider": provider.pk, "upstream_model": name, "weight": 1, "priority": 0, "enabled": "on", **more}


def test_an_admin_adds_a_model_with_deployments_fallbacks_and_a_price(
    client: Client, admin: User, make_provider: MakeProvider, make_model: MakeModel
) -> None:
    sign_in(client, admin)
    east, west = make_provider("east"), make_provider("west")
    spare = make_model("spare")
    sent = typed(
        deployments=[row(east, "gpt-x", weight=3), row(west, "gpt-y", priority=1)],
        fallbacks=[{"target": spare.pk, "position": 0}],
        price_input="0.15",
        price_output="0.60",
    )
    response = client.post(ADD, sent)
    assert response.status_code == 302, response.context["errors"]
    model = Model.objects.get(name="main")
    assert [(str(one), one.weight, one.priority) for one in model.deployments.all()] == [("east/gpt-x", 3, 0), ("west/gpt-y", 1, 1)]
    assert [step.target.name for step in model.fallback_steps.all()] == ["spare"]
    assert override_of("main") == {"input": "0.15", "output": "0.6"}
    told = AuditEvent.objects.filter(target_type="llmgateway.model", target_id=str(model.pk)).values_list("action", "actor_name")
    assert {action for action, _ in told} == {"llmgateway.model.create", "llmgateway.model.deployments", "llmgateway.model.fallbacks"}
    assert {name for _, name in told} == {"admin"}


def test_rows_are_changed_added_and_taken_away_in_the_form(
    client: Client, admin: User, make_provider: MakeProvider, make_model: MakeModel
) -> None:
    sign_in(client, admin)
    provider = make_provider("p")
    model = make_model("main", deployments=[{"provider": "p", "model": "a"}, {"provider": "p", "model": "b"}])
    first, second = model.deployments.all()
    sent = typed(
        model,
        deployments=[row(provider, "a", id=first.pk, weight=9), row(provider, "b", id=second.pk, DELETE="on"), row(provider, "c")],
    )
    assert client.post(page(model), sent).status_code == 302
    assert [(one.upstream_model, one.weight) for one in model.deployments.all()] == [("a", 9), ("c", 1)]
    assert model.deployments.get(upstream_model="a").pk == first.pk


def test_fallbacks_are_ordered_by_their_position_and_not_by_when_they_came(client: Client, admin: User, make_model: MakeModel) -> None:
    sign_in(client, admin)
    model, *others = [make_model(name) for name in ("main", "a", "b", "c")]
    actions.set_fallbacks(actor=None, model=model, fallbacks=["a", "b"])
    a, b = model.fallback_steps.all()
    rows = [
        {"id": a.pk, "target": others[0].pk, "position": 2},
        {"id": b.pk, "target": others[1].pk, "position": 1},
        {"target": others[2].pk, "position": 0},
    ]
    assert client.post(page(model), typed(model, fallbacks=rows)).status_code == 302
    assert [step.target.name for step in model.fallback_steps.all()] == ["c", "b", "a"]


def test_a_circle_is_shown_in_the_form_and_nothing_is_written(client: Client, admin: User, make_model: MakeModel) -> None:
    sign_in(client, admin)
    model, other = make_model("main"), make_model("other", fallbacks=["main"])
    response = client.post(page(model), typed(model, description="new", fallbacks=[{"target": other.pk, "position": 0}]))
    assert response.status_code == 200
    assert "That is a circle: main → other → main." in response.content.decode()
    model.refresh_from_db()
    assert (model.description, model.fallback_steps.count()) == ("", 0)


def test_a_price_needs_input_and_output_and_is_taken_back_by_emptying_it(client: Client, admin: User, make_model: MakeModel) -> None:
    sign_in(client, admin)
    model = make_model("main")
    response = client.post(page(model), typed(model, price_input="1"))
    assert "needs input and output" in response.content.decode()

    client.post(page(model), typed(model, price_input="1", price_output="0", price_cached_read="0.25"))
    assert override_of("main") == {"input": "1", "output": "0", "cached_read": "0.25"}
    html = client.get(page(model)).content.decode()
    assert 'name="price_cached_read" value="0.25"' in html
    client.post(page(model), typed(model))
    assert override_of("main") is None


def test_the_name_of_a_model_stays(client: Client, admin: User, make_model: MakeModel) -> None:
    sign_in(client, admin)
    model = make_model("main")
    assert client.post(page(model), typed(model, name="other", description="changed")).status_code == 302
    model.refresh_from_db()
    assert (model.name, model.description) == ("main", "changed")


def test_the_list_tells_routes_shares_and_where_the_price_comes_from(
    client: Client, admin: User, make_provider: MakeProvider, make_model: MakeModel
) -> None:
    prices.seed()
    sign_in(client, admin)
    make_provider("openai")
    make_provider("house", base_url="http://127.0.0.1:1", allow_private_network=True)
    make_model("listed", deployments=[{"provider": "openai", "model": "gpt-4o-mini", "weight": 3}, {"provider": "house", "model": "x"}])
    make_model("own", deployments=[{"provider": "house", "model": "x"}], price={"input": "7.5", "output": "9"})
    make_model("empty")
    html = client.get(LIST).content.decode()
    for word in ("openai/gpt-4o-mini", "75 %", "25 %", "$0.15 in", "$0.60 out", "$7.50 in", "unpriced", "no deployment"):
        assert word in html, word

    def found(query: str) -> set[str]:
        listed = client.get(f"{LIST}?{query}").context["cl"].result_list
        return {model.name for model in listed}

    assert found("priced=unpriced") == {"listed"}
    assert found("priced=catalogue") == {"listed"}
    assert found("priced=override") == {"own"}
    assert found("q=gpt-4o") == {"listed"}


def test_the_list_costs_a_bounded_number_of_queries(
    client: Client, admin: User, make_provider: MakeProvider, make_model: MakeModel, django_assert_max_num_queries: Any
) -> None:
    sign_in(client, admin)
    for name in ("p", "q"):
        make_provider(name)
    for number in range(40):
        make_model(f"m{number}", deployments=[{"provider": "p", "model": f"u{number}"}, {"provider": "q", "model": f"u{number}"}])
    client.get(LIST)
    with django_assert_max_num_queries(20):
        assert client.get(LIST).status_code == 200


def test_a_model_with_many_deployments_costs_a_bounded_number_of_queries(
    client: Client, admin: User, make_provider: MakeProvider, make_model: MakeModel, django_assert_max_num_queries: Any
) -> None:
    sign_in(client, admin)
    for number in range(20):
        make_provider(f"p{number}")
    few = make_model("few", deployments=[{"provider": "p0", "model": "u"}])
    many = make_model("many", deployments=[{"provider": f"p{number}", "model": "u"} for number in range(20)])
    client.get(page(few))
    with django_assert_max_num_queries(60):
        assert client.get(page(many)).status_code == 200


def test_the_page_of_a_model_tells_how_to_call_it_and_who_may(
    client: Client, admin: User, research: Team, owner: User, make_provider: MakeProvider, make_model: MakeModel
) -> None:
    sign_in(client, admin)
    make_provider("a", dialect="anthropic", base_url="https://api.anthropic.com")
    model = make_model("main", deployments=[{"provider": "a", "model": "claude"}])
    make_model("front", fallbacks=["main"])
    identity_actions.grant(actor=None, to=research, obj=model)
    identity_actions.grant(actor=None, to=owner, obj=model)
    html = client.get(page(model)).content.decode()
    for word in (
        "ANTHROPIC_BASE_URL",
        "from anthropic import Anthropic",
        "/v1/messages",
        "research",
        "owner",
        "front",
        "No price is known",
    ):
        assert word in html, word
    assert "from openai import OpenAI" in html  # the house translates
    assert f"/admin/llmgateway/model/playground/?model={model.name}" in html
    html = client.get(page(actions.update_model(actor=None, model=model, native_only=True))).content.decode()
    assert "from anthropic import Anthropic" in html
    assert "from openai import OpenAI" not in html


def test_a_model_that_can_not_be_called_says_so(client: Client, admin: User, make_provider: MakeProvider, make_model: MakeModel) -> None:
    sign_in(client, admin)
    assert "has no deployment yet" in client.get(page(make_model("empty"))).content.decode()
    make_provider("off", enabled=False)
    assert (
        "enabled at an enabled provider"
        in client.get(page(make_model("dark", deployments=[{"provider": "off", "model": "m"}]))).content.decode()
    )


def rolled(model: str, team: Team, *, calls: int, cost: str, days_ago: int = 0) -> None:
    day = timezone.now().date() - timedelta(days=days_ago)
    figures = {"calls": calls, "errors": 1, "unpriced": 0, "estimated": 0, "input": 0, "cached_read": 0, "cache_write": 0, "output": 0}
    who = {
        "plane": "llm",
        "principal": "user:1",
        "principal_name": "x",
        "team_id": team.pk,
        "team_name": team.name,
        "key_id": 1,
        "key_name": "k",
    }
    Rollup.objects.create(**who, model=model, day=day, digest=f"{team.name}{model}{day}", cost=cost, **figures)


def test_calls_and_cost_of_thirty_days_are_those_of_the_viewers_own_teams(
    client: Client, admin: User, owner: User, research: Team, sales: Team, make_model: MakeModel
) -> None:
    model = make_model("shared", owner_team=research)
    rolled("shared", research, calls=1200, cost="3.25")
    rolled("shared", research, calls=100, cost="0.75", days_ago=29)
    rolled("shared", research, calls=5000, cost="99", days_ago=30)
    rolled("shared", sales, calls=40_000, cost="500")
    sign_in(client, owner)
    html = client.get(page(model)).content.decode()
    assert "1,300" in html
    assert "$4.00" in html
    assert "41,300" not in html
    sign_in(client, admin)
    html = client.get(LIST).content.decode()
    assert "41,300" in html
    assert "$504.00" in html


# What belongs to whom.


@pytest.fixture
def theirs(make_provider: MakeProvider, make_model: MakeModel, research: Team) -> Model:
    """A model of the owner's team, at a provider of the platform."""
    make_provider("platform")
    return make_model("theirs", owner_team=research, deployments=[{"provider": "platform", "model": "small"}])


def test_the_owner_changes_what_is_the_teams_but_not_which_other_models_the_lent_provider_serves(
    client: Client, owner: User, research: Team, theirs: Model
) -> None:
    sign_in(client, owner)
    one = theirs.deployments.get()
    same = typed(theirs, owner_team=research.pk, description="ours", deployments=[row(one.provider, "small", id=one.pk)])
    assert client.post(page(theirs), same).status_code == 302
    theirs.refresh_from_db()
    assert theirs.description == "ours"

    dearer = typed(theirs, owner_team=research.pk, deployments=[row(one.provider, "enormous", id=one.pk)])
    response = client.post(page(theirs), dearer)
    assert "there is no provider" in response.content.decode()
    assert theirs.deployments.get().upstream_model == "small"


def test_the_owner_sees_no_providers_but_those_the_model_has(
    client: Client, owner: User, theirs: Model, make_provider: MakeProvider
) -> None:
    make_provider("secret-provider")
    make_provider("lent")
    assign_perm(
        codename(Model, "view").replace("model", "provider"), owner, type(theirs.deployments.get().provider).objects.get(name="lent")
    )
    sign_in(client, owner)
    html = client.get(page(theirs)).content.decode()
    assert "secret-provider" not in html
    assert "lent" in html
    assert "secret-provider" not in client.get(LIST).content.decode()


def test_a_team_can_not_give_its_model_to_others_or_register_one_for_nobody(
    client: Client, owner: User, sales: Team, research: Team, theirs: Model
) -> None:
    sign_in(client, owner)
    for team in ("", sales.pk):
        sent = typed(theirs, owner_team=team, deployments=[row(theirs.deployments.get().provider, "small", id=theirs.deployments.get().pk)])
        assert client.post(page(theirs), sent).status_code == 200
    assert client.post(ADD, typed(name="free")).status_code == 200
    assert client.post(ADD, typed(name="ours", owner_team=research.pk)).status_code == 302
    theirs.refresh_from_db()
    assert theirs.owner_team == research
    assert set(Model.objects.values_list("name", flat=True)) == {"theirs", "ours"}


def test_prices_are_not_the_teams_to_set(client: Client, team_mate: User, research: Team, make_model: MakeModel) -> None:
    model = make_model("main", owner_team=research)
    assign_perm(codename(Model, "change"), team_mate, model)
    sign_in(client, team_mate)
    assert "price_input" not in client.get(page(model)).content.decode()
    client.post(page(model), typed(model, owner_team=research.pk, price_input="0", price_output="0"))
    assert override_of("main") is None


@pytest.mark.parametrize("name", ["change", "delete", "history"])
def test_a_strangers_view_of_a_model_is_that_of_one_that_does_not_exist(client: Client, stranger: User, theirs: Model, name: str) -> None:
    sign_in(client, stranger)
    for send in (client.get, client.post):
        assert send(page(theirs, name)).status_code == 404
    html = client.get(LIST).content.decode()
    assert "theirs" not in html
    autocomplete = reverse("admin:autocomplete")
    query = {"app_label": "llmgateway", "model_name": "fallback", "field_name": "target", "term": "theirs"}
    assert client.get(autocomplete, query).json()["results"] == []


def test_a_team_mate_without_permissions_sees_and_changes_nothing_of_it(client: Client, team_mate: User, theirs: Model) -> None:
    sign_in(client, team_mate)
    assert client.get(page(theirs)).status_code == 200
    assert client.post(page(theirs), typed(theirs, description="mine")).status_code == 403
    assert client.post(page(theirs, "delete"), {"post": "yes"}).status_code == 403
    theirs.refresh_from_db()
    assert theirs.description == ""


def test_selected_models_are_switched_and_one_is_deleted(client: Client, admin: User, make_model: MakeModel) -> None:
    sign_in(client, admin)
    rows = [make_model(), make_model()]
    for verb, enabled in (("disable", 0), ("enable", 2)):
        client.post(LIST, {"action": verb, "_selected_action": [one.pk for one in rows]})
        assert Model.objects.filter(enabled=True).count() == enabled
    client.post(page(rows[0], "delete"), {"post": "yes"})
    assert list(Model.objects.all()) == [rows[1]]


def test_a_model_does_not_fall_back_to_itself_from_the_form(client: Client, admin: User, make_model: MakeModel) -> None:
    sign_in(client, admin)
    model = make_model("main")
    response = client.post(page(model), typed(model, fallbacks=[{"target": model.pk, "position": 0}]))
    assert "fall back to itself" in response.content.decode()
    assert not model.fallback_steps.exists()
