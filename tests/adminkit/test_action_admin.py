"""What the base gives to every admin: refusals in the form, buttons that write by POST only, checks, choices, history, export."""

from __future__ import annotations

import csv
import html
import io
from typing import Any

import pytest
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import path
from guardian.shortcuts import assign_perm
from unfold.admin import TabularInline
from unfold.decorators import action
from unfold.sites import UnfoldAdminSite

from adminkit.admin import ActionAdmin, ReadOnlyInline
from audit import trail
from audit.models import AuditEvent
from identity import actions
from identity.models import APIKey, Team, User
from tests import factories

BOM = "\ufeff"


class ProbeAdmin(ActionAdmin):
    """Every kind of button and refusal that an app's admin may have."""

    list_editable = ("cost_center",)
    list_display = ("name", "cost_center")
    search_fields = ("name",)
    fields = ("name", "cost_center", "rpm")
    actions = ("touch_all",)
    actions_detail = ("touch", "look", "refuse", "deny", "change_only")
    actions_list = ("touch_one",)
    export_fields = ("name", "parent__name", "rpm", "shout", "cost_center")

    def shout(self, team: Team) -> str:
        return team.name.upper()

    def perform_create(self, request: Any, obj: Any, form: Any) -> Team:
        return actions.create_team(actor=request.user, parent=Team.objects.get(parent=None), **form.cleaned_data)

    def perform_update(self, request: Any, obj: Any, form: Any, before: dict[str, Any]) -> None:
        if obj.cost_center == "denied":
            raise PermissionDenied("Not this one.")
        if obj.cost_center == "elsewhere":
            raise ValidationError({"no_such_field": "Told at the top."})
        request.session["before"] = before
        actions.update_team(actor=request.user, team=obj, **{name: form.cleaned_data[name] for name in form.changed_data})

    def perform_delete(self, request: Any, obj: Any) -> None:
        actions.delete_team(actor=request.user, team=obj)

    @action(description="Touch")
    def touch(self, request: Any, object_id: str) -> None:
        team = self.get_object(request, object_id)
        actions.update_team(actor=request.user, team=team, cost_center="touched")
        messages.success(request, "It was touched.")

    @action(description="Touch one")
    def touch_one(self, request: Any) -> None:
        actions.update_team(actor=request.user, team=Team.objects.get(name="research"), cost_center="touched")

    @action(description="Look")
    def look(self, request: Any, object_id: str) -> None:
        messages.info(request, "It was looked at.")

    @action(description="Refuse")
    def refuse(self, request: Any, object_id: str) -> None:
        raise ValidationError(["First reason.", "Second reason."])

    @action(description="Deny")
    def deny(self, request: Any, object_id: str) -> None:
        raise PermissionDenied

    @action(description="Change only", permissions=["change"])
    def change_only(self, request: Any, object_id: str) -> None:
        messages.info(request, "It was allowed.")

    @admin.action(description="Touch all", permissions=["change"])
    def touch_all(self, request: Any, queryset: Any) -> None:
        for team in queryset:
            actions.update_team(actor=request.user, team=team, cost_center="touched")
        messages.success(request, "All were touched.")


site = UnfoldAdminSite()
site.register(Team, ProbeAdmin)
urlpatterns = [path("admin/", site.urls)]
pytestmark = pytest.mark.urls(__name__)

LIST = "/admin/identity/team/"


@pytest.fixture
def browser(admin: User, client: Client) -> Client:
    client.force_login(admin)
    return client


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


def told(response: Any) -> list[str]:
    return [str(message) for message in messages.get_messages(response.wsgi_request)]


def cost_center(team: Team) -> str:
    return Team.objects.get(pk=team.pk).cost_center


def test_a_link_that_would_write_asks_for_a_post_first(browser: Client, research: Team) -> None:
    page = f"{LIST}{research.pk}/touch/"
    written = AuditEvent.objects.count()
    asked = browser.get(page)
    assert asked.status_code == 200
    assert "Go on?" in text_of(asked)
    assert (cost_center(research), AuditEvent.objects.count()) == ("", written)
    done = browser.post(page)
    assert (done.status_code, done.headers["Location"]) == (302, f"{LIST}{research.pk}/change/")
    assert told(done) == ["It was touched."]
    assert cost_center(research) == "touched"


def test_a_button_of_the_list_is_held_to_the_same(browser: Client, research: Team) -> None:
    assert "Go on?" in text_of(browser.get(f"{LIST}touch_one/"))
    assert cost_center(research) == ""
    assert browser.post(f"{LIST}touch_one/").headers["Location"] == LIST
    assert cost_center(research) == "touched"


def test_a_link_that_only_looks_is_followed(browser: Client, research: Team) -> None:
    assert told(browser.get(f"{LIST}{research.pk}/look/")) == ["It was looked at."]


def test_a_forged_post_without_a_token_is_refused(admin: User, research: Team) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(admin)
    assert browser.post(f"{LIST}{research.pk}/touch/").status_code == 403
    assert cost_center(research) == ""


@pytest.mark.parametrize(("name", "reasons"), [("refuse", ["First reason.", "Second reason."]), ("deny", ["You may not do this."])])
def test_what_an_action_refuses_is_a_message_and_not_an_error_page(browser: Client, research: Team, name: str, reasons: list[str]) -> None:
    for method in (browser.get, browser.post):
        response = method(f"{LIST}{research.pk}/{name}/")
        assert (response.status_code, told(response)[-len(reasons) :]) == (302, reasons)


def test_a_button_on_something_that_can_not_be_seen_is_a_404_and_without_permission_a_403(
    stranger: User, team_mate: User, research: Team, client: Client
) -> None:
    client.force_login(stranger)
    for name in ("touch", "look", "refuse", "change_only"):
        assert client.post(f"{LIST}{research.pk}/{name}/").status_code == 404
    client.force_login(team_mate)
    assert client.get(f"{LIST}{research.pk}/look/").status_code == 302
    for method in (client.get, client.post):
        assert method(f"{LIST}{research.pk}/change_only/").status_code == 403


def test_a_bulk_action_is_refused_as_a_whole_when_one_object_may_not_be_changed(owner: User, research: Team, client: Client) -> None:
    """The owner sees a team by an object permission to view it, which is not one to change it."""
    seen = factories.make_team("seen")
    assign_perm("identity.view_team", owner, seen)
    client.force_login(owner)
    chosen = {"action": "touch_all", "_selected_action": [research.pk, seen.pk], "index": "0", "select_across": "0"}
    response = client.post(LIST, chosen)
    assert (response.status_code, told(response)) == (302, ["You may not change all of these."])
    assert cost_center(research) == ""
    assert told(client.post(LIST, {**chosen, "_selected_action": [research.pk]}))[-1] == "All were touched."
    assert (cost_center(research), cost_center(seen)) == ("touched", "")


def test_selected_objects_are_deleted_together_or_not_at_all(browser: Client, acme: Team, research: Team) -> None:
    empty = factories.make_team("empty")
    factories.make_user(team=research)
    chosen = {"action": "delete_selected", "index": "0", "select_across": "0", "post": "yes"}
    refused = browser.post(LIST, {**chosen, "_selected_action": [empty.pk, acme.pk]})
    assert refused.status_code in (200, 302)
    assert Team.objects.filter(pk__in=[empty.pk, acme.pk]).count() == 2
    browser.post(LIST, {**chosen, "_selected_action": [empty.pk]})
    assert not Team.objects.filter(pk=empty.pk).exists()
    assert AuditEvent.objects.filter(action="identity.team.delete", target_id=str(empty.pk)).exists()


@pytest.mark.parametrize(("value", "reason"), [("denied", "Not this one."), ("elsewhere", "Told at the top.")])
def test_a_refused_save_comes_back_with_what_was_typed(browser: Client, research: Team, value: str, reason: str) -> None:
    response = browser.post(f"{LIST}{research.pk}/change/", {"name": "science", "cost_center": value, "rpm": ""})
    assert response.status_code == 200
    assert reason in text_of(response)
    assert 'value="science"' in text_of(response)
    assert Team.objects.get(pk=research.pk).name == "research"


def test_an_update_is_told_the_stored_values_of_what_changed(browser: Client, research: Team) -> None:
    browser.post(f"{LIST}{research.pk}/change/", {"name": "research", "cost_center": "CC-1", "rpm": "7"})
    assert browser.session["before"] == {"cost_center": "", "rpm": None}


def test_editing_in_the_list_goes_through_the_action_too(browser: Client, owner: User, research: Team) -> None:
    def edit(client: Client, team: Team, value: str) -> Any:
        rows = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": team.pk, "form-0-cost_center": value, "_save": "Save"}
        return client.post(f"{LIST}?q={team.name}", rows)

    assert edit(browser, research, "CC-7").status_code == 302
    assert cost_center(research) == "CC-7"
    assert told(edit(browser, research, "denied"))[-1] == "Not this one."
    client = Client()
    client.force_login(owner)
    seen = factories.make_team("seen")
    edit(client, seen, "stolen")
    assert cost_center(seen) == ""


def test_a_history_of_many_changes_is_paged(browser: Client, research: Team) -> None:
    for n in range(55):
        actions.update_team(actor=None, team=research, rpm=n + 1)
    page = f"{LIST}{research.pk}/history/"
    assert "Older" in text_of(browser.get(page))
    older = text_of(browser.get(f"{page}?p=2"))
    assert "Newer" in older
    assert "identity.team.create" in older
    assert browser.get(f"{page}?p=nonsense").status_code == 200


def rows_of(response: Any) -> list[list[str]]:
    text = response.content.decode()
    assert text.startswith(BOM)
    return list(csv.reader(io.StringIO(text.removeprefix(BOM))))


def test_an_export_holds_what_the_filters_let_through(browser: Client, research: Team, sales: Team) -> None:
    actions.update_team(actor=None, team=research, cost_center="=1+1")
    chosen = {"action": "export_csv", "_selected_action": [research.pk], "index": "0", "select_across": "1"}
    response = browser.post(f"{LIST}?q=research", chosen)
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="team.csv"' in response.headers["Content-Disposition"]
    head, *rows = rows_of(response)
    assert head == ["name", "parent.name", "rpm", "shout", "cost_center"]
    assert rows == [["research", "acme", "", "RESEARCH", "'=1+1"]]
    everything = rows_of(browser.post(LIST, chosen))
    assert {row[0] for row in everything[1:]} == {"acme", "research", "sales"}


def test_an_export_holds_only_what_its_user_may_see(owner: User, sales: Team, research: Team, client: Client) -> None:
    client.force_login(owner)
    chosen = {"action": "export_csv", "_selected_action": [sales.pk, research.pk], "index": "0", "select_across": "0"}
    assert [row[0] for row in rows_of(client.post(LIST, chosen))[1:]] == ["research"]


def test_a_too_large_export_is_refused_and_not_cut(browser: Client, research: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProbeAdmin, "export_limit", 1)
    chosen = {"action": "export_csv", "_selected_action": [research.pk], "index": "0", "select_across": "1"}
    assert told(browser.post(LIST, chosen)) == ["These are more than 1 rows: narrow them down by a filter first."]


class WithoutExport(ActionAdmin):
    """Nothing is exported that was not named."""


class AllowsWithoutAction(ActionAdmin):
    def has_add_permission(self, request: Any) -> bool:
        return True

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)


class WritingInline(TabularInline):
    model = APIKey
    fk_name = "owner"


class ReadingInline(ReadOnlyInline):
    model = APIKey
    fk_name = "owner"


class WithWritingInline(ActionAdmin):
    inlines = (ReadingInline, WritingInline)


class ExportsSecrets(ActionAdmin):
    export_fields = ("username", "password", "api_keys__secret")


def found_by_check(kind: type[Any], model: type[Any]) -> list[str]:
    return [error.id for error in kind(model, site).check() if error.id.startswith("adminkit.")]


def test_writes_without_an_action_inlines_that_save_and_exported_secrets_fail_the_check(db: None) -> None:
    assert found_by_check(ProbeAdmin, Team) == []
    assert found_by_check(WithoutExport, Team) == []
    assert found_by_check(AllowsWithoutAction, Team) == ["adminkit.E001", "adminkit.E001"]
    assert found_by_check(WithWritingInline, User) == ["adminkit.E002"]
    assert found_by_check(ExportsSecrets, User) == ["adminkit.E003", "adminkit.E003"]


def test_what_has_no_action_is_not_offered_even_to_a_superuser(admin: User, rf: Any) -> None:
    request = rf.get("/")
    request.user = admin
    reading = WithoutExport(Team, site)
    assert reading.has_view_permission(request)
    for verb in ("add", "change", "delete"):
        assert not getattr(reading, f"has_{verb}_permission")(request)
    assert "export_csv" not in reading.get_actions(request)
    assert "export_csv" in ProbeAdmin(Team, site).get_actions(request)


def test_nothing_is_recorded_while_reading(research: Team) -> None:
    with trail.reading(), pytest.raises(trail.WriteWhileReading):
        actions.update_team(actor=None, team=research, rpm=5)
    assert Team.objects.get(pk=research.pk).rpm is None
    actions.update_team(actor=None, team=research, rpm=5)
