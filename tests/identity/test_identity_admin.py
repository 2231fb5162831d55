"""Teams, accounts, keys and grants as a browser uses them."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.test import Client

from audit.models import AuditEvent
from identity import actions, keytext
from identity.models import APIKey, ServiceAccount, Team, User
from tests import factories

KEY = re.compile(r"ch_[a-z0-9]{8}_[A-Za-z0-9]{32,}")
DATE = {"expires_at_0": "", "expires_at_1": ""}


@pytest.fixture
def browser(owner: User, client: Client) -> Client:
    client.force_login(owner)
    return client


@pytest.fixture
def account(research: Team) -> ServiceAccount:
    return factories.make_service_account("ci", team=research)


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


def test_the_team_list_is_a_tree_in_the_order_of_names(admin: User, client: Client, research: Team, sales: Team) -> None:
    factories.make_team("vision", parent=research)
    factories.make_team("alpha", parent=sales)
    client.force_login(admin)
    page = text_of(client.get("/admin/identity/team/"))
    shown = re.findall(r'padding-left: ([\d.]+)rem">(?:└ )?([a-z]+)<', page)
    assert shown == [("0.0", "acme"), ("1.5", "research"), ("3.0", "vision"), ("1.5", "sales"), ("3.0", "alpha")]
    found = text_of(client.get("/admin/identity/team/?q=vision"))
    assert re.findall(r'padding-left: ([\d.]+)rem">(?:└ )?([a-z]+)<', found) == [("0.0", "vision")]


def test_a_team_lists_only_the_own_branch_to_a_member(browser: Client, research: Team, sales: Team) -> None:
    factories.make_team("vision", parent=research)
    page = text_of(browser.get("/admin/identity/team/"))
    assert re.findall(r'rem">(?:└ )?([a-z]+)<', page) == ["research", "vision"]
    assert "sales" not in page


def test_a_team_is_made_changed_moved_and_deleted_through_actions(admin: User, client: Client, acme: Team, research: Team) -> None:
    client.force_login(admin)
    given = {"name": "ops", "parent": acme.pk, "cost_center": "CC-1", "rpm": "600", "tpm": "", "concurrency": ""}
    assert client.post("/admin/identity/team/add/", given).status_code == 302
    team = Team.objects.get(name="ops")
    page = f"/admin/identity/team/{team.pk}"
    formset = {"members-TOTAL_FORMS": "0", "members-INITIAL_FORMS": "0"}
    changed = {**given, "parent": research.pk, "rpm": "", "tpm": "9", **formset}
    assert client.post(f"{page}/change/", changed).status_code == 302
    team.refresh_from_db()
    assert (team.parent, team.rpm, team.tpm) == (research, None, 9)
    assert client.post(f"{page}/delete/", {"post": "yes"}).status_code == 302
    assert [event.action for event in AuditEvent.objects.filter(actor_ref=admin.ref)] == [
        "identity.team.delete",
        "identity.team.update",
        "identity.team.move",
        "identity.team.create",
    ]


def test_what_an_action_refuses_is_told_in_the_form_with_what_was_typed(admin: User, client: Client, acme: Team, research: Team) -> None:
    below = factories.make_team("vision", parent=research)
    client.force_login(admin)
    given = {"name": "science", "parent": below.pk, "cost_center": "", "rpm": "7", "tpm": "", "concurrency": ""}
    formset = {"members-TOTAL_FORMS": "0", "members-INITIAL_FORMS": "0"}
    response = client.post(f"/admin/identity/team/{research.pk}/change/", {**given, **formset})
    assert response.status_code == 200
    assert "A team can't be moved below itself." in text_of(response)
    assert 'value="science"' in text_of(response)
    research.refresh_from_db()
    assert (research.name, research.rpm, research.parent) == ("research", None, acme)


def test_a_parent_out_of_sight_stays_as_it_is(browser: Client, research: Team, acme: Team) -> None:
    """The owner can't see the organization, and changing a limit must not hang the team elsewhere."""
    given = {"name": "research", "parent": "", "cost_center": "", "rpm": "7", "tpm": "", "concurrency": ""}
    formset = {"members-TOTAL_FORMS": "0", "members-INITIAL_FORMS": "0"}
    assert browser.post(f"/admin/identity/team/{research.pk}/change/", {**given, **formset}).status_code == 302
    research.refresh_from_db()
    assert (research.parent, research.rpm) == (acme, 7)


def test_a_refused_deletion_is_a_message_and_deletes_nothing(admin: User, client: Client, research: Team, owner: User) -> None:
    client.force_login(admin)
    page = f"/admin/identity/team/{factories.make_team('x', parent=research).pk}"
    factories.make_user(team=Team.objects.get(name="x"))
    response = client.post(f"{page}/delete/", {"post": "yes"}, follow=True)
    assert Team.objects.filter(name="x").exists()
    assert response.status_code == 200


def test_a_keys_text_is_shown_once_and_never_again(browser: Client, account: ServiceAccount) -> None:
    response = browser.post("/admin/identity/apikey/add/", {"name": "build", "owner": account.pk, "rpm": "5", **DATE})
    [text] = set(KEY.findall(text_of(response)))
    assert response.status_code == 200
    assert "no-store" in response.headers["Cache-Control"]
    key = APIKey.objects.get()
    assert (key.digest, key.rpm, key.owner.pk) == (keytext.digest_of(text), 5, account.pk)
    for page in (f"/admin/identity/apikey/{key.pk}/change/", f"/admin/identity/apikey/{key.pk}/history/", "/admin/identity/apikey/"):
        assert text not in text_of(browser.get(page))
        assert not KEY.search(text_of(browser.get(page)))
    assert text not in str(dict(browser.session))


def test_a_key_with_a_taken_name_is_refused_in_the_form(browser: Client, account: ServiceAccount) -> None:
    given = {"name": "build", "owner": account.pk, **DATE}
    browser.post("/admin/identity/apikey/add/", given)
    response = browser.post("/admin/identity/apikey/add/", given)
    assert "This owner has a key of that name already." in text_of(response)
    assert APIKey.objects.count() == 1


def test_the_owner_of_a_key_is_chosen_among_the_own_teams(browser: Client, account: ServiceAccount, stranger: User) -> None:
    found = browser.get("/admin/autocomplete/?app_label=identity&model_name=apikey&field_name=owner&term=")
    assert {item["text"] for item in found.json()["results"]} == {"owner", "ci"}
    response = browser.post("/admin/identity/apikey/add/", {"name": "build", "owner": stranger.pk, **DATE})
    assert "not one of the available choices" in text_of(response)
    assert not APIKey.objects.exists()


def test_a_key_for_a_more_powerful_owner_is_refused_with_the_reason(browser: Client, research: Team) -> None:
    boss = factories.make_user("boss", team=research, is_superuser=True)
    response = browser.post("/admin/identity/apikey/add/", {"name": "build", "owner": boss.pk, **DATE})
    assert "You can't make a key for this owner." in text_of(response)
    assert not APIKey.objects.exists()


def test_a_key_is_rotated_on_a_page_and_shown_once(browser: Client, account: ServiceAccount) -> None:
    old, old_text = factories.make_key(account)
    page = f"/admin/identity/apikey/{old.pk}/rotate/"
    assert "How long both keys work" in text_of(browser.get(page))
    assert APIKey.objects.count() == 1
    response = browser.post(page, {"overlap": "24"})
    [text] = set(KEY.findall(text_of(response)))
    assert text != old_text
    old.refresh_from_db()
    assert (old.state, old.replaced_by) == ("rotated", APIKey.objects.get(digest=keytext.digest_of(text)))
    refused = browser.post(page, {"overlap": "24"}, follow=True)
    assert "only an active key can be rotated" in text_of(refused)
    assert "overlap" in text_of(browser.post(page, {"overlap": "5"}))


def test_a_key_is_revoked_by_a_post_and_not_by_a_link(browser: Client, account: ServiceAccount) -> None:
    key, _ = factories.make_key(account)
    page = f"/admin/identity/apikey/{key.pk}/revoke/"
    assert browser.get(page).status_code == 200
    key.refresh_from_db()
    assert key.state == "active"
    assert browser.post(page, {"reason": "leaked"}).status_code == 302
    key.refresh_from_db()
    assert key.state == "revoked"
    assert AuditEvent.objects.filter(action="identity.key.revoke").get().extra["reason"] == "leaked"


def test_selected_keys_are_revoked_together_and_a_foreign_one_is_not_selectable(
    browser: Client, account: ServiceAccount, sales: Team
) -> None:
    keys = [factories.make_key(account)[0] for _ in range(3)]
    foreign, _ = factories.make_key(factories.make_service_account(team=sales))
    chosen = [str(key.pk) for key in (*keys[:2], foreign)]
    given = {"action": "revoke_selected", "_selected_action": chosen, "index": "0", "select_across": "0"}
    assert browser.post("/admin/identity/apikey/", given).status_code == 302
    states = [APIKey.objects.get(pk=key.pk).state for key in (*keys, foreign)]
    assert states == ["revoked", "revoked", "active", "active"]


def test_keys_are_filtered_by_state_and_found_by_their_public_characters(browser: Client, account: ServiceAccount) -> None:
    live, revoked = factories.make_key(account)[0], factories.make_key(account)[0]
    actions.revoke_key(actor=None, key=revoked)
    for query, shown, hidden in (
        ("state=active", live, revoked),
        ("state=revoked", revoked, live),
        (f"q={live.prefix}", live, revoked),
    ):
        page = text_of(browser.get(f"/admin/identity/apikey/?{query}"))
        assert live.prefix != revoked.prefix
        assert f"ch_{shown.prefix}_…" in page
        assert f"ch_{hidden.prefix}_…" not in page


def test_filters_offer_only_teams_in_sight(browser: Client, sales: Team, research: Team) -> None:
    page = text_of(browser.get("/admin/identity/apikey/"))
    assert "research" in page
    assert "sales" not in page


def test_grants_are_shown_with_their_source_given_and_withdrawn(
    browser: Client, research: Team, acme: Team, account: ServiceAccount
) -> None:
    inherited, own = factories.make_model("inherited"), factories.make_model("own", owner_team=research)
    actions.grant(actor=None, to=acme, obj=inherited)
    page = f"/admin/identity/serviceaccount/{account.pk}/grants/"
    shown = text_of(browser.get(page))
    assert "model:inherited" in shown
    assert "(inherited)" in shown
    assert "Withdraw" not in shown
    choice = f"{ContentType.objects.get_for_model(own).pk}:{own.pk}"
    assert browser.post(page, {"give": "1", "resources": [choice]}).status_code == 302
    assert account.has_perm("llmgateway.use_model", own)
    assert "Withdraw" in text_of(browser.get(page))
    assert browser.post(page, {"withdraw": "model:own"}).status_code == 302
    assert not User.objects.get(pk=account.pk).has_perm("llmgateway.use_model", own)
    refused = browser.post(page, {"withdraw": "model:inherited"}, follow=True)
    assert "This was not granted here." in text_of(refused)


def test_a_grant_of_something_that_is_not_offered_is_refused(browser: Client, account: ServiceAccount, sales: Team) -> None:
    foreign = factories.make_model("foreign", owner_team=sales)
    factories.make_model("own", owner_team=account.team)
    page = f"/admin/identity/serviceaccount/{account.pk}/grants/"
    choice = f"{ContentType.objects.get_for_model(foreign).pk}:{foreign.pk}"
    response = browser.post(page, {"give": "1", "resources": [choice]})
    assert "not one of the available choices" in text_of(response)
    assert not account.has_perm("llmgateway.use_model", foreign)


def test_a_person_is_made_and_gets_a_password_that_works(browser: Client, research: Team, client: Client) -> None:
    given = {"username": "ann", "first_name": "", "last_name": "", "email": "", "team": research.pk, "is_active": "on", "is_staff": "on"}
    assert browser.post("/admin/identity/user/add/", given).status_code == 302
    ann = User.objects.get(username="ann")
    assert ann.groups.filter(name="team:research").exists()
    page = f"/admin/identity/user/{ann.pk}/set_password/"
    words = "four unlikely words here"
    assert "These are not the same." in text_of(browser.post(page, {"password": words, "again": "other"}))
    # Staff does not take over staff: ann could be promoted later than this.
    assert browser.post(page, {"password": words, "again": words}).status_code == 302
    assert Client().login(username="ann", password=words)


def test_a_weak_password_is_told_and_not_set(browser: Client, team_mate: User) -> None:
    page = f"/admin/identity/user/{team_mate.pk}/set_password/"
    response = browser.post(page, {"password": "short", "again": "short"}, follow=True)
    assert "too short" in text_of(response)
    team_mate.refresh_from_db()
    assert not team_mate.has_usable_password()


def test_programs_and_agents_have_lists_of_their_own(browser: Client, research: Team) -> None:
    for path, name in (("serviceaccount", "robot"), ("agentidentity", "planner")):
        assert browser.post(f"/admin/identity/{path}/add/", {"username": name, "team": research.pk}).status_code == 302
        assert name in text_of(browser.get(f"/admin/identity/{path}/"))
    assert "planner" not in text_of(browser.get("/admin/identity/serviceaccount/"))
    page = text_of(browser.get("/admin/identity/user/"))
    assert "planner" in page
    assert "robot" in page


def test_a_superuser_flag_is_not_the_owners_to_give(browser: Client, research: Team) -> None:
    given = {"username": "ann", "team": research.pk, "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    browser.post("/admin/identity/user/add/", given)
    assert not User.objects.filter(username="ann", is_superuser=True).exists()


def test_the_history_of_a_key_is_its_audit_trail(browser: Client, account: ServiceAccount, owner: User) -> None:
    key, _ = factories.make_key(account)
    actions.update_key(actor=owner, key=key, rpm=5)
    page = text_of(browser.get(f"/admin/identity/apikey/{key.pk}/history/"))
    assert "identity.key.issue" in page
    assert "rpm: - → 5" in page


def test_lists_take_a_bounded_number_of_queries(admin: User, client: Client, research: Team, django_assert_max_num_queries: Any) -> None:
    for _ in range(12):
        factories.make_key(factories.make_service_account(team=factories.make_team(parent=research)))
    client.force_login(admin)
    for path, most in (("team", 25), ("user", 25), ("serviceaccount", 25), ("apikey", 25)):
        client.get(f"/admin/identity/{path}/")
        with django_assert_max_num_queries(most):
            assert client.get(f"/admin/identity/{path}/").status_code == 200
