"""The trail as its readers see it in the admin."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib import messages
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client

from audit.models import AuditEvent
from identity import actions
from identity.models import Team, User
from tests import factories

LIST = "/admin/audit/auditevent/"


@pytest.fixture
def browser(admin: User, client: Client) -> Client:
    client.force_login(admin)
    return client


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


def listed(browser: Client, query: str) -> set[str]:
    """The actions of the events in the list."""
    response = browser.get(f"{LIST}?{query}")
    assert response.status_code == 200, query
    return {event.action for event in response.context["cl"].result_list}


def test_an_event_is_shown_with_old_and_new_and_a_link_to_its_target(browser: Client, research: Team, admin: User) -> None:
    actions.update_team(actor=admin, team=research, rpm=600, cost_center="CC-1")
    event = AuditEvent.objects.first()
    assert event is not None
    page = text_of(browser.get(f"{LIST}{event.pk}/change/"))
    for piece in ("identity.team.update", "cost_center", "CC-1", "600", event.hash, f'href="/admin/identity/team/{research.pk}/change/"'):
        assert piece in page
    assert "rpm, cost_center" in text_of(browser.get(f"{LIST}?q=identity.team.update"))


def test_markup_in_a_recorded_value_stays_text(browser: Client, research: Team) -> None:
    actions.update_team(actor=None, team=research, cost_center="<b onclick=x>1</b>")
    event = AuditEvent.objects.first()
    assert event is not None
    assert b"<b onclick" not in browser.get(f"{LIST}{event.pk}/change/").content


def test_events_are_filtered_by_area_action_person_target_and_time(browser: Client, research: Team, owner: User, admin: User) -> None:
    actions.update_team(actor=admin, team=research, rpm=5)
    factories.make_key(owner)
    factories.make_model()
    update, issue = "identity.team.update", "identity.key.issue"
    assert listed(browser, "action__icontains=team.update") == {update}
    assert listed(browser, "actor_name__icontains=admin") == {update}
    assert listed(browser, "target_type__icontains=apikey") == {issue}
    assert listed(browser, "area=llmgateway") == {"llmgateway.model.create"}
    assert listed(browser, "q=identity.key") == {issue}
    assert listed(browser, "at_from_0=2000-01-01&at_from_1=00:00:00&at_to_0=2001-01-01&at_to_1=00:00:00") == set()
    assert listed(browser, "at_to_0=2001-01-01") == set()
    assert browser.get(f"{LIST}?at_from_0=yesterday").status_code == 302
    assert {update, issue} < listed(browser, f"at_from_0={datetime.now(UTC).date()}&at_to_0={datetime.now(UTC).date() + timedelta(days=1)}")
    assert {update, issue} < listed(browser, "at_from_0=2000-01-01&at_from_1=00:00:00&at_to_0=&at_to_1=")


def test_the_chain_is_verified_at_the_push_of_a_button(browser: Client, research: Team) -> None:
    def told() -> str:
        return str(list(messages.get_messages(browser.get(f"{LIST}verify_chain/").wsgi_request))[-1])

    assert "The trail is whole" in told()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE audit_auditevent SET actor_name = 'nobody' WHERE id = 2")
    assert "broken at event 2" in told()


def test_the_trail_is_exported_and_never_written(browser: Client, research: Team) -> None:
    event = AuditEvent.objects.first()
    assert event is not None
    chosen = {"action": "export_csv", "_selected_action": [event.pk], "index": "0", "select_across": "1"}
    content = browser.post(LIST, chosen).content.decode("utf-8-sig")
    assert len(content.splitlines()) == 1 + AuditEvent.objects.count()
    assert event.hash in content
    for method, path in (
        ("get", "add/"),
        ("post", "add/"),
        ("get", f"{event.pk}/delete/"),
        ("post", f"{event.pk}/delete/"),
        ("post", f"{event.pk}/change/"),
    ):
        assert getattr(browser, method)(f"{LIST}{path}").status_code == 403
    assert browser.post(LIST, {**chosen, "action": "delete_selected", "post": "yes"}).status_code == 302
    assert AuditEvent.objects.filter(pk=event.pk).exists()


def test_the_trail_is_for_superusers_and_those_who_were_given_the_permission(owner: User, stranger: User, client: Client) -> None:
    for user in (owner, stranger):
        client.force_login(user)
        assert client.get(LIST).status_code == 403
        assert client.get(f"{LIST}1/change/").status_code == 403
    stranger.user_permissions.add(Permission.objects.get(codename="view_auditevent"))
    client.force_login(User.objects.get(pk=stranger.pk))
    assert client.get(LIST).status_code == 200


def test_the_list_takes_a_bounded_number_of_queries(browser: Client, research: Team, django_assert_max_num_queries: Any) -> None:
    for n in range(60):
        actions.update_team(actor=None, team=research, rpm=n + 1)
    with django_assert_max_num_queries(8):
        assert browser.get(LIST).status_code == 200
