"""Writes to models, their deployments, fallbacks and prices."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.models import AuditEvent
from identity import actions as identity_actions
from identity.models import Team, User
from llmgateway import actions
from llmgateway.models import Deployment, Fallback, Model
from llmgateway.prices import override_of
from tests.llmgateway.conftest import MakeModel, MakeProvider
from usage import prices


def told(model: Model) -> list[tuple[str, Any]]:
    events = AuditEvent.objects.filter(target_type="llmgateway.model", target_id=str(model.pk)).order_by("id")
    return [(event.action.removeprefix("llmgateway.model."), event.changes) for event in events]


def lines(model: Model) -> list[tuple[str, int, int, bool]]:
    return [(str(row), row.weight, row.priority, row.enabled) for row in model.deployments.all()]


def test_a_model_is_created_with_all_that_belongs_to_it(admin: User, make_provider: MakeProvider, make_model: MakeModel) -> None:
    make_provider("east")
    make_provider("west")
    make_model("spare")
    model = actions.create_model(
        actor=admin,
        name="gpt-4o-mini",
        strategy="cost",
        max_output=4096,
        deployments=[
            {"provider": "east", "model": "gpt-4o-mini", "weight": 3},
            {"provider": "west", "model": "m2", "priority": 1, "enabled": False},
        ],
        fallbacks=["spare"],
        price={"input": "0.15", "output": "0.60", "cached_input": "0.075"},
    )

    assert lines(model) == [("east/gpt-4o-mini", 3, 0, True), ("west/m2", 1, 1, False)]
    assert [step.target.name for step in model.fallback_steps.all()] == ["spare"]
    assert override_of("gpt-4o-mini") == {"input": "0.15", "output": "0.6", "cached_read": "0.075"}
    assert [action for action, _ in told(model)] == ["create", "deployments", "fallbacks"]
    assert model.resource_ref == "model:gpt-4o-mini"


def test_deployments_are_stated_as_a_whole_and_those_that_stay_keep_their_row(make_provider: MakeProvider, make_model: MakeModel) -> None:
    for name in ("a", "b", "c"):
        make_provider(name)
    model = make_model(deployments=[{"provider": "a", "model": "m"}, {"provider": "b", "model": "m"}])
    kept = model.deployments.get(provider__name="b").pk

    actions.set_deployments(
        actor=None, model=model, deployments=[{"provider": "b", "model": "m", "weight": 5}, {"provider": "c", "model": "m"}]
    )
    assert lines(model) == [("b/m", 5, 0, True), ("c/m", 1, 0, True)]
    assert model.deployments.get(provider__name="b").pk == kept
    assert told(model)[-1][1] == {
        "deployment a/m": ["weight 1, priority 0", None],
        "deployment b/m": ["weight 1, priority 0", "weight 5, priority 0"],
        "deployment c/m": [None, "weight 1, priority 0"],
    }


def test_stating_the_same_deployments_again_leaves_no_audit_row(make_provider: MakeProvider, make_model: MakeModel) -> None:
    make_provider("a")
    stated = [{"provider": "a", "model": "m", "weight": 2}]
    model = make_model(deployments=stated)
    before = len(told(model))
    actions.set_deployments(actor=None, model=model, deployments=stated)
    assert len(told(model)) == before


@pytest.mark.parametrize(
    ("deployments", "said"),
    [
        ([{"provider": "ghost", "model": "m"}], "Deployment 1: there is no provider 'ghost'."),
        ([{"model": "m"}], "Deployment 1: provider is missing."),
        ([{"provider": "a"}], "Deployment 1: model:"),
        ([{"provider": "a", "model": "two words"}], "Deployment 1: model:"),
        ([{"provider": "a", "model": "m", "weight": -1}], "Deployment 1: weight:"),
        ([{"provider": "a", "model": "m", "weight": "heavy"}], "Deployment 1: weight:"),
        ([{"provider": "a", "model": "m", "priority": 1001}], "Deployment 1: priority:"),
        ([{"provider": "a", "model": "m"}, {"provider": "a", "model": "m"}], "Deployment 2: a/m is listed twice"),
        ([{"provider": "a", "model": "m", "wieght": 1}], "Deployment 1: unknown field wieght"),
        (["a/m"], "Deployment 1: expected an object"),
        ([{"provider": "a", "model": f"m{n}"} for n in range(101)], "At most 100 deployments."),
    ],
)
def test_a_bad_deployment_is_refused_by_its_number_and_nothing_changes(
    make_provider: MakeProvider, make_model: MakeModel, deployments: list[Any], said: str
) -> None:
    make_provider("a")
    model = make_model(deployments=[{"provider": "a", "model": "before"}])
    with pytest.raises(ValidationError) as refused:
        actions.set_deployments(actor=None, model=model, deployments=deployments)
    assert said in " ".join(refused.value.message_dict["deployments"])
    assert lines(model) == [("a/before", 1, 0, True)]


def test_a_refused_part_undoes_the_whole_model(make_provider: MakeProvider) -> None:
    make_provider("a")
    with pytest.raises(ValidationError):
        actions.create_model(actor=None, name="half", deployments=[{"provider": "a", "model": "m"}], fallbacks=["ghost"])
    assert not Model.objects.exists()
    assert not Deployment.objects.exists()
    assert not AuditEvent.objects.filter(action__startswith="llmgateway.model").exists()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"strategy": "psychic"}, "strategy"),
        ({"max_output": 0}, "max_output"),
        ({"max_output": "many"}, "max_output"),
        ({"description": "x" * 2001}, "description"),
        ({"speed": 9}, "speed"),
        ({"price": {"input": "1"}}, "price"),
        ({"price": {"input": "-1", "output": "1"}}, "price"),
        ({"price": {"input": "1", "output": "1", "smell": "1"}}, "price"),
        ({"price": "cheap"}, "price"),
        ({"price": {}}, "price"),
        ({"fallbacks": "abc"}, "fallbacks"),
    ],
)
def test_a_bad_model_is_refused_by_field(make_model: MakeModel, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        make_model(**{"name": "x", **fields})
    assert list(refused.value.message_dict) == [field]
    assert not Model.objects.exists()


def test_a_model_keeps_its_name_and_tells_its_changes(make_model: MakeModel, research: Team) -> None:
    model = make_model("steady")
    with pytest.raises(ValidationError):
        actions.update_model(actor=None, model=model, name="other")
    actions.update_model(actor=None, model=model, name="steady", description="Now with words.", owner_team=research)
    actions.update_model(actor=None, model=model, description="Now with words.")
    assert told(model)[1:] == [("update", {"description": ["", "Now with words."], "owner_team": [None, "research"]})]


def test_fallbacks_keep_their_order_and_can_be_emptied(make_model: MakeModel) -> None:
    model = make_model("a")
    for name in ("b", "c", "d"):
        make_model(name)
    actions.set_fallbacks(actor=None, model=model, fallbacks=["d", "b"])
    actions.set_fallbacks(actor=None, model=model, fallbacks=["c", "d", "b"])
    assert list(model.fallback_steps.values_list("target__name", flat=True)) == ["c", "d", "b"]
    actions.set_fallbacks(actor=None, model=model, fallbacks=[])
    actions.set_fallbacks(actor=None, model=model, fallbacks=[])
    assert [changes["fallbacks"] for action, changes in told(model) if action == "fallbacks"] == [
        [[], ["d", "b"]],
        [["d", "b"], ["c", "d", "b"]],
        [["c", "d", "b"], []],
    ]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["ghost"], "There is no model 'ghost'."),
        (["b", "b"], "'b' is listed twice."),
        (["a"], "A model can't fall back to itself."),
        ([7], "Expected a list of model names."),
        ([f"m{n}" for n in range(11)], "At most 10 fallbacks."),
    ],
)
def test_a_fallback_that_makes_no_sense_is_refused(make_model: MakeModel, names: list[Any], said: str) -> None:
    model = make_model("a")
    make_model("b")
    with pytest.raises(ValidationError) as refused:
        actions.set_fallbacks(actor=None, model=model, fallbacks=names)
    assert said in refused.value.message_dict["fallbacks"]


def test_a_circle_of_fallbacks_is_refused_and_drawn(make_model: MakeModel) -> None:
    made = {name: make_model(name) for name in ("a", "b", "c")}
    actions.set_fallbacks(actor=None, model=made["a"], fallbacks=["b"])
    actions.set_fallbacks(actor=None, model=made["b"], fallbacks=["c"])
    with pytest.raises(ValidationError) as refused:
        actions.set_fallbacks(actor=None, model=made["c"], fallbacks=["a"])
    assert refused.value.message_dict["fallbacks"] == ["That is a circle: c → a → b → c."]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 4), st.lists(st.integers(0, 4), max_size=3)), max_size=12))
def test_no_sequence_of_settings_makes_a_circle(db: None, asked: list[tuple[int, list[int]]]) -> None:
    with transaction.atomic():
        models = [actions.create_model(actor=None, name=f"m{n}") for n in range(5)]
        for source, targets in asked:
            with contextlib.suppress(ValidationError):
                actions.set_fallbacks(actor=None, model=models[source], fallbacks=[f"m{n}" for n in targets])
        edges = set(Fallback.objects.values_list("model_id", "target_id"))
        transaction.set_rollback(True)
    while ends := {source for source, _ in edges} - {target for _, target in edges}:
        edges = {(source, target) for source, target in edges if source not in ends}
    assert not edges


def test_a_model_that_others_fall_back_to_is_not_deleted(make_model: MakeModel) -> None:
    model, target = make_model("a"), make_model("b")
    actions.set_fallbacks(actor=None, model=model, fallbacks=["b"])
    with pytest.raises(ValidationError, match="fallback of a"):
        actions.delete_model(actor=None, model=target)
    actions.delete_model(actor=None, model=model)
    actions.delete_model(actor=None, model=target)
    assert not Model.objects.exists()


def test_grants_and_the_price_of_a_deleted_model_do_not_pass_to_a_later_one_of_its_name(
    make_model: MakeModel, research: Team, owner: User
) -> None:
    model = make_model("phoenix", owner_team=research, price={"input": "1", "output": "2"})
    identity_actions.grant(actor=None, to=research, obj=model)
    actions.delete_model(actor=owner, model=model)

    again = make_model("phoenix")
    assert override_of("phoenix") is None
    assert not owner.has_perm("llmgateway.use_model", again)


def test_a_price_of_its_own_comes_before_the_catalogue_and_can_be_taken_back(make_provider: MakeProvider, make_model: MakeModel) -> None:
    prices.seed()
    make_provider("openai", vendor="openai")
    model = make_model("mini", deployments=[{"provider": "openai", "model": "gpt-4o-mini"}])

    def charged() -> Any:
        return prices.resolve("openai", "gpt-4o-mini", model_name="mini")

    catalogue = charged()
    assert catalogue.ref.startswith("catalogue:openai/gpt-4o-mini@")
    actions.set_model_price(actor=None, model=model, price={"input": "9", "output": "18"})
    assert (charged().ref.partition("@")[0], charged().input, charged().output) == ("override:mini", "9", "18")
    actions.set_model_price(actor=None, model=model, price=None)
    assert charged() == catalogue


def test_a_disabled_model_is_enabled_again_with_two_audit_rows(make_model: MakeModel) -> None:
    model = make_model()
    for act in (actions.disable_model, actions.disable_model, actions.enable_model, actions.enable_model):
        act(actor=None, model=model)
    assert [action for action, _ in told(model)] == ["create", "disable", "enable"]


def test_offers_are_registered_joined_or_left_alone(make_provider: MakeProvider, make_model: MakeModel) -> None:
    first, second = make_provider("first"), make_provider("second")
    make_model("taken", deployments=[{"provider": "first", "model": "other"}])
    done = actions.import_models(actor=None, provider=first, names=["new", "new", "taken", "bad name"])
    assert (done.created, done.joined, done.present) == (["new"], [], [])
    assert set(done.refused) == {"taken", "bad name"}

    done = actions.import_models(actor=None, provider=second, names=["new", "taken"], join=True)
    assert done.joined == ["new", "taken"]
    assert lines(Model.objects.get(name="new")) == [("first/new", 1, 0, True), ("second/new", 1, 0, True)]

    done = actions.import_models(actor=None, provider=second, names=["new"], join=True)
    assert (done.created, done.joined, done.present) == ([], [], ["new"])
    assert actions.import_models(actor=None, provider=second, names=["new"], prefix="west/").created == ["west/new"]
