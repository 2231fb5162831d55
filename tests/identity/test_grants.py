from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from guardian.models import GroupObjectPermission, UserObjectPermission

from audit.models import AuditEvent
from identity import actions
from identity.grantable import choices_for, effective_grants, object_for, object_named
from identity.models import Team, User
from identity.queries import grantees, grants_of, usable_by, visible_to
from llmgateway.models import Model
from tests import factories


@pytest.fixture
def model(research: Team) -> Any:
    return factories.make_model("gpt-4o-mini", owner_team=research)


def test_a_grant_to_a_team_reaches_everybody_in_and_below_it(model: Any, acme: Team, research: Team, owner: User, stranger: User) -> None:
    below = factories.make_user(team=factories.make_team(parent=research))
    actions.grant(actor=None, to=research, obj=model)
    for user, may_use in ((owner, True), (below, True), (stranger, False)):
        assert user.has_perm("llmgateway.use_model", model) is may_use
        assert usable_by(Model.objects.all(), user).exists() is may_use
    actions.grant(actor=None, to=acme, obj=model)
    assert usable_by(Model.objects.all(), stranger).get() == model


def test_a_grant_to_one_account_is_for_that_account_alone(model: Any, owner: User, stranger: User) -> None:
    account = factories.make_service_account(team=stranger.team)
    actions.grant(actor=None, to=account, obj=model)
    assert usable_by(Model.objects.all(), account).exists()
    assert not usable_by(Model.objects.all(), stranger).exists()
    assert grantees(model) == [User.objects.get(pk=account.pk)]


def test_a_superuser_uses_only_what_was_granted_and_sees_everything(model: Any, admin: User) -> None:
    assert not usable_by(Model.objects.all(), admin).exists()
    assert visible_to(Model.objects.all(), admin).get() == model


def test_granting_is_audited_on_the_subject_and_idempotent(model: Any, sales: Team) -> None:
    assert actions.grant(actor=None, to=sales, obj=model)
    event = AuditEvent.objects.first()
    assert event is not None
    assert (event.action, event.target_type, event.target_id) == ("identity.grant.give", "identity.team", str(sales.pk))
    assert event.changes == {"grant": [None, "model:gpt-4o-mini"]}
    assert event.extra == {"subject": f"team:{sales.pk}", "resource": "model:gpt-4o-mini"}
    count = AuditEvent.objects.count()
    assert not actions.grant(actor=None, to=sales, obj=model)
    assert AuditEvent.objects.count() == count


def test_withdrawing_takes_back_what_was_given_to_exactly_this_subject(model: Any, acme: Team, sales: Team, stranger: User) -> None:
    actions.grant(actor=None, to=acme, obj=model)
    assert not actions.withdraw(actor=None, to=sales, obj=model)
    actions.grant(actor=None, to=sales, obj=model)
    assert actions.withdraw(actor=None, to=sales, obj=model)
    assert usable_by(Model.objects.all(), stranger).exists()  # inherited
    assert actions.withdraw(actor=None, to=acme, obj=model)
    assert not usable_by(Model.objects.all(), stranger).exists()
    assert not GroupObjectPermission.objects.exists()


def test_all_grants_on_a_thing_and_all_of_a_deleted_team_can_be_taken_back(model: Any, owner: User) -> None:
    team = factories.make_team("short-lived")
    for subject in (team, owner):
        actions.grant(actor=None, to=subject, obj=model)
    assert actions.withdraw_all(actor=None, obj=model) == 2
    assert not GroupObjectPermission.objects.exists()
    assert not UserObjectPermission.objects.exists()
    actions.grant(actor=None, to=team, obj=model)
    actions.delete_team(actor=None, team=team)
    assert not GroupObjectPermission.objects.exists()


def test_only_what_declares_a_use_can_be_granted(research: Team, sales: Team, model: Any) -> None:
    with pytest.raises(ValidationError, match="can't be granted"):
        actions.grant(actor=None, to=research, obj=sales)
    for perm in ("change_model", "use_server", "llmgateway.delete_model"):
        with pytest.raises(ValidationError, match="use_model"):
            actions.grant(actor=None, to=research, obj=model, perm=perm)
    assert actions.grant(actor=None, to=research, obj=model, perm="use_model")


def test_a_grant_never_exceeds_its_grantor(model: Any, owner: User, team_mate: User, stranger: User, sales: Team, admin: User) -> None:
    member = factories.make_user(team=owner.team)
    actions.grant(actor=None, to=owner.team, obj=model)  # all three may use it now
    for actor in (team_mate, stranger, member):
        for change in (actions.grant, actions.withdraw):
            with pytest.raises(PermissionDenied, match="change it"):
                change(actor=actor, to=sales, obj=model)
    assert not usable_by(Model.objects.all(), stranger).exists()
    assert actions.grant(actor=owner, to=sales, obj=model)
    assert actions.withdraw(actor=admin, to=sales, obj=model)


def test_a_model_permission_does_not_reach_another_teams_model(stranger: User, sales: Team, model: Any) -> None:
    assert stranger.has_perm("llmgateway.change_model")
    with pytest.raises(PermissionDenied):
        actions.grant(actor=stranger, to=sales, obj=model)


def test_the_page_offers_what_its_user_may_change_and_takes_nothing_else(model: Any, owner: User, stranger: User, team_mate: User) -> None:
    [(heading, choices)] = choices_for(owner)
    assert (heading, [label for _, label in choices]) == ("Models", ["model:gpt-4o-mini"])
    value = choices[0][0]
    assert object_for(value, owner) == model
    assert choices_for(stranger) == choices_for(team_mate) == []
    for actor, choice in ((stranger, value), (team_mate, value), (owner, "1:1"), (owner, "x:y"), (owner, ""), (owner, value + "0")):
        with pytest.raises(ValidationError, match="no such thing"):
            object_for(choice, actor)


@pytest.mark.parametrize("ref", ["model:nothing", "model:", "gpt-4o-mini", "", "team:research", "server:gpt-4o-mini", "model:GPT-4O-MINI"])
def test_a_resource_is_found_by_its_exact_name(model: Any, ref: str) -> None:
    assert object_named("model:gpt-4o-mini") == model
    with pytest.raises(ValidationError, match="nothing named"):
        object_named(ref)


def test_effective_grants_tell_where_each_comes_from(model: Any, acme: Team, research: Team, owner: User) -> None:
    other = factories.make_model("claude")
    actions.grant(actor=None, to=acme, obj=model)
    actions.grant(actor=None, to=research, obj=other)
    actions.grant(actor=None, to=owner, obj=model)
    assert [(obj.name, holder) for obj, holder in effective_grants(owner)] == [
        ("gpt-4o-mini", owner),
        ("claude", research),
        ("gpt-4o-mini", acme),
    ]
    assert [(obj.name, holder) for obj, holder in effective_grants(research)] == [("claude", research), ("gpt-4o-mini", acme)]
    assert grants_of(acme) == [model]
