from __future__ import annotations

import html
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client

from audit.models import AuditEvent
from identity import actions
from identity.admin.roles import given_in_roles
from identity.models import Role, Team, User
from tests import factories


def permission(codename: str) -> Permission:
    return Permission.objects.get(codename=codename, content_type__app_label="identity")


@pytest.fixture
def keymaster(db: None) -> Role:
    return actions.create_role(actor=None, name="keymaster", permissions=[permission("change_apikey")])


def test_a_role_is_audited_with_its_permissions(admin: User) -> None:
    role = actions.create_role(actor=admin, name="keymaster", permissions=[permission("change_apikey")])
    actions.update_role(actor=admin, role=role, permissions=[permission("change_apikey"), permission("add_apikey")])
    actions.update_role(actor=admin, role=role, name="keymaster")
    told = [(event.action, event.changes) for event in AuditEvent.objects.filter(target_type="auth.group")]
    assert told == [
        ("identity.role.update", {"permissions": [["identity.change_apikey"], ["identity.add_apikey", "identity.change_apikey"]]}),
        ("identity.role.create", {"permissions": [[], ["identity.change_apikey"]]}),
    ]


def test_a_role_works_on_the_own_branch_and_nowhere_else(keymaster: Role, team_mate: User, sales: Team, client: Client) -> None:
    own, _ = factories.make_key(factories.make_service_account(team=team_mate.team))
    foreign, _ = factories.make_key(factories.make_service_account(team=sales))
    client.force_login(team_mate)
    page = f"/admin/identity/apikey/{own.pk}/revoke/"
    assert client.post(page, {"reason": ""}).status_code == 403
    actions.give_roles(actor=None, user=team_mate, roles=[keymaster])
    assert client.post(f"/admin/identity/apikey/{foreign.pk}/revoke/", {"reason": ""}).status_code == 404
    assert client.post(page, {"reason": ""}).status_code == 302
    own.refresh_from_db()
    foreign.refresh_from_db()
    assert (own.state, foreign.state) == ("revoked", "active")


def test_giving_roles_leaves_the_teams_groups_alone(keymaster: Role, team_mate: User) -> None:
    actions.give_roles(actor=None, user=team_mate, roles=[keymaster])
    assert set(team_mate.groups.values_list("name", flat=True)) == {"keymaster", "team:research", "team:acme"}
    count = AuditEvent.objects.count()
    actions.give_roles(actor=None, user=team_mate, roles=[keymaster])
    assert AuditEvent.objects.count() == count
    actions.give_roles(actor=None, user=team_mate, roles=[])
    assert set(team_mate.groups.values_list("name", flat=True)) == {"team:research", "team:acme"}


def test_nobody_below_a_superuser_touches_roles(keymaster: Role, owner: User) -> None:
    for refused in (
        lambda: actions.create_role(actor=owner, name="x"),
        lambda: actions.update_role(actor=owner, role=keymaster, name="x"),
        lambda: actions.delete_role(actor=owner, role=keymaster),
        lambda: actions.give_roles(actor=owner, user=owner, roles=[keymaster]),
    ):
        with pytest.raises(PermissionDenied):
            refused()


@pytest.mark.parametrize("name", ["", "team:research", "team:", "x" * 151, "keymaster"])
def test_a_role_does_not_take_the_name_of_a_teams_group_or_of_another_role(keymaster: Role, research: Team, name: str) -> None:
    with pytest.raises(ValidationError):
        actions.create_role(actor=None, name=name)


def test_the_group_of_a_team_is_no_role(research: Team) -> None:
    assert not Role.objects.exists()
    with pytest.raises(Role.DoesNotExist):
        actions.update_role(actor=None, role=Role(pk=research.group_id), name="x")


def test_programs_have_no_roles(keymaster: Role) -> None:
    with pytest.raises(ValidationError, match="people"):
        actions.give_roles(actor=None, user=factories.make_service_account(), roles=[keymaster])


def test_a_superuser_makes_and_gives_roles_in_the_admin(admin: User, team_mate: User, client: Client) -> None:
    client.force_login(admin)
    chosen = permission("change_apikey")
    assert client.post("/admin/identity/role/add/", {"name": "keymaster", "permissions": [chosen.pk]}).status_code == 302
    role = Role.objects.get()
    assert "keymaster" in client.get("/admin/identity/role/").content.decode()
    page = f"/admin/identity/user/{team_mate.pk}/change/"
    given: dict[str, Any] = {"username": "mate", "team": team_mate.team_id, "is_active": "on", "is_staff": "on", "roles": [role.pk]}
    formset = {"api_keys-TOTAL_FORMS": "0", "api_keys-INITIAL_FORMS": "0"}
    assert client.post(page, {**given, **formset}).status_code == 302
    assert team_mate.groups.filter(pk=role.pk).exists()
    assert client.post(f"/admin/identity/role/{role.pk}/delete/", {"post": "yes"}).status_code == 302
    assert AuditEvent.objects.filter(action="identity.role.delete").get().changes["holders"] == [["mate"], []]


def test_others_see_who_has_which_role_and_can_not_change_it(keymaster: Role, owner: User, team_mate: User, client: Client) -> None:
    actions.give_roles(actor=None, user=team_mate, roles=[keymaster])
    client.force_login(owner)
    page = f"/admin/identity/user/{team_mate.pk}/change/"
    assert "keymaster" in html.unescape(client.get(page).content.decode())
    given = {"username": "mate", "team": team_mate.team_id, "is_active": "on", "is_staff": "on", "roles": []}
    formset = {"api_keys-TOTAL_FORMS": "0", "api_keys-INITIAL_FORMS": "0"}
    assert client.post(page, {**given, **formset}).status_code == 302
    assert team_mate.groups.filter(pk=keymaster.pk).exists()
    assert client.get("/admin/identity/role/").status_code == 403


def test_a_role_is_offered_what_something_asks_for_and_nothing_else(db: None) -> None:
    offered = set(given_in_roles().values_list("content_type__app_label", "codename"))
    assert {("identity", "change_team"), ("identity", "add_apikey"), ("audit", "view_auditevent"), ("registry", "decide_review")} < offered
    for app, codename in (
        ("audit", "change_auditevent"),
        ("auth", "change_group"),
        ("llmgateway", "use_model"),
    ):
        assert (app, codename) not in offered
    assert not {app for app, _ in offered} & {"sessions", "guardian", "contenttypes", "admin", "django_celery_beat"}
