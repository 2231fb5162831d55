from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import call_command
from django.test import Client

from audit.models import AuditEvent
from identity import actions
from identity.models import AgentIdentity, ServiceAccount, Team, User
from tests import factories

PASSWORD = "four unlikely words here"


def test_people_service_accounts_and_agents_are_users_of_three_kinds(research: Team) -> None:
    person = actions.create_user(actor=None, username="ann", team=research, email="ann@example.com")
    account = actions.create_service_account(actor=None, name="ci", team=research)
    agent = actions.create_agent_identity(actor=None, name="planner", team=research)
    assert [user.kind for user in User.objects.filter(team=research)] == ["person", "service_account", "agent"]
    assert list(ServiceAccount.objects.all()) == [account]
    assert list(AgentIdentity.objects.all()) == [agent]
    assert not any(user.has_usable_password() for user in (person, account, agent))
    assert all(set(user.groups.values_list("name", flat=True)) == {"team:research", "team:acme"} for user in (person, account, agent))


def test_a_name_is_taken_by_one_account_of_any_kind(research: Team) -> None:
    actions.create_service_account(actor=None, name="ci", team=research)
    for create in (
        lambda: actions.create_user(actor=None, username="ci", team=research),
        lambda: actions.create_agent_identity(actor=None, name="ci", team=research),
    ):
        with pytest.raises(ValidationError, match="already exists"):
            create()


def test_a_person_with_a_password_can_log_in_and_a_deactivated_one_is_out_at_once(research: Team, client: Client) -> None:
    user = actions.create_user(actor=None, username="ann", team=research, password=PASSWORD, is_staff=True)
    assert client.login(username="ann", password=PASSWORD)
    assert client.get("/admin/").status_code == 200
    actions.update_user(actor=None, user=user, is_active=False)
    assert client.get("/admin/").status_code == 302
    assert not client.login(username="ann", password=PASSWORD)


def test_a_weak_password_is_refused_and_none_is_ever_audited(research: Team) -> None:
    with pytest.raises(ValidationError):
        actions.create_user(actor=None, username="ann", team=research, password="short")
    user = actions.create_user(actor=None, username="ann", team=research, password=PASSWORD)
    actions.set_password(actor=user, user=user, password=PASSWORD + "!")
    with pytest.raises(ValidationError):
        actions.set_password(actor=user, user=user, password="12345678901234")
    written = str(list(AuditEvent.objects.values()))
    assert PASSWORD not in written
    assert user.password not in written
    assert AuditEvent.objects.filter(action="identity.user.set_password").count() == 1


def test_programs_have_no_passwords_and_no_staff_flag(db: None) -> None:
    account = factories.make_service_account()
    with pytest.raises(PermissionDenied):
        actions.set_password(actor=None, user=account, password=PASSWORD)
    with pytest.raises(ValidationError, match="is_staff"):
        actions.update_user(actor=None, user=account, is_staff=True)


def test_an_update_is_audited_with_old_and_new(owner: User, sales: Team) -> None:
    actions.update_user(actor=None, user=owner, team=sales, email="o@example.com")
    event = AuditEvent.objects.first()
    assert event is not None
    assert event.action == "identity.user.update"
    assert event.changes == {"team": ["research", "sales"], "email": ["", "o@example.com"]}


@pytest.mark.parametrize(
    "values",
    [{"is_superuser": True}, {"team": "sales"}, {"team": None}],
    ids=["superuser", "another team", "no team"],
)
def test_a_member_of_staff_gives_nobody_more_than_they_have(owner: User, team_mate: User, sales: Team, values: dict[str, Any]) -> None:
    given = {name: sales if value == "sales" else value for name, value in values.items()}
    for user in (team_mate, owner):
        with pytest.raises(PermissionDenied):
            actions.update_user(actor=owner, user=User.objects.get(pk=user.pk), **given)
    with pytest.raises(PermissionDenied):
        actions.create_user(actor=owner, username="new", **{"team": owner.team, **given})
    assert not User.objects.filter(username="new").exists()


def test_a_plain_member_makes_no_staff(research: Team, team_mate: User) -> None:
    member = factories.make_user(team=research)
    with pytest.raises(PermissionDenied):
        actions.update_user(actor=member, user=member, is_staff=True)


def test_accounts_of_other_teams_and_superusers_are_out_of_reach(owner: User, stranger: User, admin: User, research: Team) -> None:
    local_root = factories.make_user(team=research, is_superuser=True)
    for user in (stranger, admin, local_root):
        with pytest.raises(PermissionDenied):
            actions.update_user(actor=owner, user=user, is_active=False)
        with pytest.raises(PermissionDenied):
            actions.set_password(actor=owner, user=user, password=PASSWORD)
        user.refresh_from_db()
        assert user.is_active


def test_a_field_that_is_not_a_users_is_refused(owner: User) -> None:
    with pytest.raises(ValidationError, match="password"):
        actions.update_user(actor=None, user=owner, password="x")
    with pytest.raises(ValidationError):
        actions.create_user(actor=None, username="x", groups=[])


def test_a_change_of_the_own_password_in_the_admin_is_audited_and_ends_other_sessions(research: Team) -> None:
    user = actions.create_user(actor=None, username="ann", team=research, password=PASSWORD, is_staff=True)
    here, elsewhere = Client(), Client()
    for browser in (here, elsewhere):
        assert browser.login(username="ann", password=PASSWORD)
    page = "/admin/password_change/"
    assert here.get(page).status_code == 200
    wrong = {"old_password": "wrong", "new_password1": PASSWORD + "!", "new_password2": PASSWORD + "!"}
    assert here.post(page, wrong).status_code == 200
    assert here.post(page, {**wrong, "old_password": PASSWORD}).status_code == 302
    event = AuditEvent.objects.first()
    assert event is not None
    assert (event.action, event.actor_ref, event.target_id) == ("identity.user.set_password", user.ref, str(user.pk))
    assert here.get("/admin/").status_code == 200
    assert elsewhere.get("/admin/").status_code == 302


def test_createsuperuser_leaves_an_audit_row(db: None) -> None:
    call_command("createsuperuser", interactive=False, username="root", email="root@example.com")
    root = User.objects.get(username="root")
    assert root.is_superuser
    assert root.is_staff
    event = AuditEvent.objects.get(action="identity.user.create")
    assert (event.actor_ref, event.target_id, event.changes["is_superuser"]) == ("system", str(root.pk), [None, True])
