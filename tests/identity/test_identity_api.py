"""Teams, service accounts, keys and grants over /api/v1/, with keys and with a session."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from identity import actions, keytext
from identity.models import APIKey, ServiceAccount, Team, User
from tests import factories


class Api:
    """A caller of the management API with a key."""

    def __init__(self, text: str | None, header: str = "Authorization") -> None:
        value = f"Bearer {text}" if header == "Authorization" else text
        self.client = Client(headers={} if text is None else {header: value})

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        return self.client.generic(method, f"/api/v1/{path}", data=_json(body), content_type="application/json")


def _json(body: Any) -> bytes:
    import json

    return b"" if body is None else json.dumps(body).encode()


@pytest.fixture
def api(owner: User) -> Api:
    return Api(factories.make_key(owner, name="api")[1])


@pytest.fixture
def root(admin: User) -> Api:
    return Api(factories.make_key(admin, name="api")[1])


@pytest.mark.parametrize("header", ["Authorization", "x-api-key", "x-goog-api-key", "api-key"])
def test_a_key_of_staff_is_taken_in_any_of_the_headers(owner: User, header: str) -> None:
    key, text = factories.make_key(owner)
    assert Api(text, header)("GET", "teams/").status_code == 200
    key.refresh_from_db()
    assert key.last_used_at is not None


def test_a_session_of_staff_does_as_well(owner: User, client: Client) -> None:
    client.force_login(owner)
    assert client.get("/api/v1/teams/").status_code == 200


def test_wrong_revoked_expired_and_orphaned_keys_answer_401_alike(owner: User, admin: User) -> None:
    revoked, revoked_text = factories.make_key(owner)
    actions.revoke_key(actor=None, key=revoked)
    expired, expired_text = factories.make_key(owner)
    APIKey.objects.filter(pk=expired.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    left = factories.make_user(is_staff=True)
    _, left_text = factories.make_key(left)
    actions.update_user(actor=None, user=left, is_active=False)
    answers = [Api(text)("GET", "teams/") for text in ("ch_nothing0_" + "x" * 40, "x", "ümlaut", revoked_text, expired_text, left_text)]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert all(answer.headers["WWW-Authenticate"].startswith("Bearer") for answer in answers)


def test_no_key_is_401_and_a_key_that_is_not_staffs_is_403(db: None) -> None:
    assert Api(None)("GET", "teams/").status_code == 401
    _, text = factories.make_key()
    for method, path in (("GET", "teams/"), ("POST", "keys/"), ("GET", "grants/"), ("DELETE", "grants/team-1/")):
        assert Api(text)(method, path, {}).status_code == 403


def test_a_rotated_key_works_until_its_end(owner: User) -> None:
    key, text = factories.make_key(owner)
    actions.rotate_key(actor=None, key=key, overlap=timedelta(hours=1))
    assert Api(text)("GET", "teams/").status_code == 200
    APIKey.objects.filter(pk=key.pk).update(expires_at=timezone.now())
    assert Api(text)("GET", "teams/").status_code == 401


def test_a_team_is_made_read_changed_and_deleted(root: Api, acme: Team) -> None:
    made = root("POST", "teams/", {"name": "ops", "parent": "acme", "cost_center": "CC-1", "rpm": 600})
    assert made.status_code == 201
    team = made.json()
    expected = {"name": "ops", "parent": "acme", "path": ["acme", "ops"], "cost_center": "CC-1", "rpm": 600, "tpm": None}
    assert {name: team[name] for name in expected} == expected
    assert root("PATCH", f"teams/{team['id']}/", {"rpm": None, "tpm": 5}).json()["tpm"] == 5
    assert root("GET", "teams/?name=ops").json()["count"] == 1
    assert root("DELETE", f"teams/{team['id']}/").status_code == 204
    assert root("GET", f"teams/{team['id']}/").status_code == 404
    assert AuditEvent.objects.filter(action="identity.team.delete", actor_name="admin").exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "Bad Name", "parent": "acme"}, "name"),
        ({"name": "acme", "parent": "acme"}, "name"),
        ({"name": "x"}, "__all__"),
        ({"name": "x", "parent": "nothing"}, "parent"),
        ({"name": "x", "parent": "acme", "rpm": 0}, "rpm"),
        ({"name": "x", "parent": "acme", "rpm": "many"}, "rpm"),
        ({"name": "x", "parent": "acme", "rmp": 5}, "rmp"),
        ({"name": ["x"], "parent": "acme"}, "name"),
        ([], "non_field_errors"),
    ],
)
def test_bad_input_is_a_400_that_names_the_field_and_writes_nothing(root: Api, acme: Team, body: Any, field: str) -> None:
    before = (Team.objects.count(), AuditEvent.objects.count())
    answer = root("POST", "teams/", body)
    assert answer.status_code == 400
    assert field in answer.json()
    assert (Team.objects.count(), AuditEvent.objects.count()) == before


def test_a_refused_update_leaves_nothing_half_done(root: Api, research: Team, sales: Team) -> None:
    below = factories.make_team(parent=research)
    answer = root("PATCH", f"teams/{research.pk}/", {"parent": below.name, "rpm": 5})
    assert answer.status_code == 400
    assert "below itself" in answer.json()["parent"][0]
    moved_then_refused = root("PATCH", f"teams/{research.pk}/", {"parent": "sales", "name": "sales"})
    assert moved_then_refused.status_code == 400
    research.refresh_from_db()
    assert (research.parent.name if research.parent else None, research.rpm) == ("acme", None)


def test_malformed_json_and_wrong_media_are_refused(root: Api) -> None:
    assert root.client.post("/api/v1/teams/", b"{", content_type="application/json").status_code == 400
    assert root.client.post("/api/v1/teams/", b"<x/>", content_type="text/xml").status_code == 415


def test_a_member_sees_the_own_branch_and_what_is_not_theirs_is_a_404(api: Api, research: Team, sales: Team, acme: Team) -> None:
    assert [team["name"] for team in api("GET", "teams/").json()["results"]] == ["research"]
    for team in (sales, acme):
        for method in ("GET", "PATCH", "PUT", "DELETE"):
            assert api(method, f"teams/{team.pk}/", {"rpm": 1}).status_code == 404
    assert api("POST", "teams/", {"name": "x", "parent": "sales"}).status_code == 400
    assert api("POST", "teams/", {"name": "x", "parent": "research"}).status_code == 201


def test_staff_without_permissions_reads_and_does_not_write(team_mate: User, research: Team) -> None:
    mate = Api(factories.make_key(team_mate)[1])
    assert mate("GET", f"teams/{research.pk}/").status_code == 200
    assert mate("POST", "teams/", {"name": "x", "parent": "research"}).status_code == 403
    assert mate("PATCH", f"teams/{research.pk}/", {"rpm": 1}).status_code == 403
    assert mate("DELETE", f"teams/{research.pk}/").status_code == 403


def test_a_service_account_is_made_deactivated_and_moved(root: Api, research: Team, sales: Team) -> None:
    made = root("POST", "service-accounts/", {"name": "ci", "team": "research"})
    assert made.status_code == 201
    page = f"service-accounts/{made.json()['id']}/"
    changed = root("PATCH", page, {"team": "sales", "is_active": False}).json()
    assert (changed["team"], changed["is_active"]) == ("sales", False)
    account = ServiceAccount.objects.get(username="ci")
    assert set(account.groups.values_list("name", flat=True)) == {"team:sales", "team:acme"}
    assert root("DELETE", page).status_code == 405
    assert root("POST", "service-accounts/", {"name": "ci", "team": "research"}).status_code == 400
    off = root("POST", "service-accounts/", {"name": "off", "team": "research", "is_active": False})
    assert off.json()["is_active"] is False


def test_people_are_no_service_accounts(root: Api, owner: User) -> None:
    assert root("GET", f"service-accounts/{owner.pk}/").status_code == 404


def test_a_keys_text_is_in_the_answer_that_made_it_and_in_no_other(api: Api, research: Team) -> None:
    factories.make_service_account("ci", team=research)
    end = (timezone.now() + timedelta(days=30)).replace(microsecond=0)
    made = api("POST", "keys/", {"name": "build", "owner": "ci", "expires_at": end.isoformat(), "rpm": 5})
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    key = made.json()
    assert keytext.digest_of(key["key"]) == APIKey.objects.get(pk=key["id"]).digest
    assert (key["state"], key["owner"], key["rpm"], key["prefix"]) == ("active", "ci", 5, key["key"][3:11])
    for path in ("keys/", f"keys/{key['id']}/"):
        assert key["key"] not in api("GET", path).content.decode()
        assert "digest" not in api("GET", path).content.decode()


def test_a_key_is_changed_rotated_and_revoked(api: Api, research: Team) -> None:
    key, _ = factories.make_key(factories.make_service_account("ci", team=research), name="build")
    assert api("PATCH", f"keys/{key.pk}/", {"rpm": 9}).json()["rpm"] == 9
    assert api("PATCH", f"keys/{key.pk}/", {"owner": "owner"}).json()["owner"] == "ci"
    rotated = api("POST", f"keys/{key.pk}/rotate/", {"overlap_seconds": 60})
    assert rotated.status_code == 201
    successor = rotated.json()
    assert (successor["name"], successor["rpm"], len(successor["key"]) > 40) == ("build", 9, True)
    assert api("GET", f"keys/{key.pk}/").json()["replaced_by"] == successor["id"]
    assert api("POST", f"keys/{key.pk}/rotate/").status_code == 400
    revoked = api("POST", f"keys/{successor['id']}/revoke/", {"reason": "leaked"})
    assert (revoked.status_code, revoked.json()["state"]) == (200, "revoked")
    assert api("POST", f"keys/{successor['id']}/revoke/").status_code == 200
    assert api("DELETE", f"keys/{key.pk}/").status_code == 405


@pytest.mark.parametrize("body", [{"overlap_seconds": -1}, {"overlap_seconds": 10**9}, {"overlap": 5}, {"expires_at": "soon"}])
def test_a_rotation_with_bad_input_is_refused(api: Api, owner: User, body: dict[str, Any]) -> None:
    key, _ = factories.make_key(owner)
    assert api("POST", f"keys/{key.pk}/rotate/", body).status_code == 400
    assert APIKey.objects.get(pk=key.pk).state == "active"


def test_a_key_for_somebody_more_powerful_is_refused(api: Api, research: Team) -> None:
    factories.make_user("boss", team=research, is_superuser=True)
    answer = api("POST", "keys/", {"name": "x", "owner": "boss"})
    assert answer.status_code == 403
    assert api("POST", "keys/", {"name": "x", "owner": "admin"}).status_code == 400
    assert not APIKey.objects.filter(name="x").exists()


def test_a_grant_is_given_listed_and_withdrawn(api: Api, research: Team, owner: User) -> None:
    model = factories.make_model("gpt-4o-mini", owner_team=research)
    body = {"to": "team:research", "resource": "model:gpt-4o-mini"}
    made = api("POST", "grants/", body)
    assert made.status_code == 201
    grant = made.json()
    assert {name: grant[name] for name in body} == body
    assert owner.has_perm("llmgateway.use_model", model)
    again = api("POST", "grants/", body)
    assert (again.status_code, again.json()) == (200, grant)
    personal = api("POST", "grants/", {**body, "to": "user:owner"}).json()
    assert api("GET", "grants/").json() == [grant, personal]
    assert api("GET", "grants/?to=user:owner").json() == [personal]
    for given in (grant, personal):
        assert api("DELETE", f"grants/{given['id']}/").status_code == 204
        assert api("DELETE", f"grants/{given['id']}/").status_code == 404
    assert api("GET", "grants/").json() == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "to"),
        ({"to": "team:sales", "resource": "model:m"}, "to"),
        ({"to": "key:1", "resource": "model:m"}, "to"),
        ({"to": 5, "resource": "model:m"}, "to"),
        ({"to": "team:research", "resource": "model:nothing"}, "detail"),
        ({"to": "team:research", "resource": "model:m", "perm": "change_model"}, "perm"),
    ],
)
def test_a_grant_with_bad_input_is_refused(api: Api, research: Team, sales: Team, body: Any, field: str) -> None:
    factories.make_model("m", owner_team=research)
    answer = api("POST", "grants/", body)
    assert answer.status_code == 400
    assert field in answer.json()


def test_nobody_grants_or_withdraws_what_is_not_theirs(api: Api, research: Team, sales: Team, acme: Team) -> None:
    foreign = factories.make_model("foreign", owner_team=sales)
    for subject in (sales, research):
        actions.grant(actor=None, to=subject, obj=foreign)
    assert api("POST", "grants/", {"to": "user:owner", "resource": "model:foreign"}).status_code == 403
    [seen] = api("GET", "grants/").json()
    assert seen["to"] == "team:research"
    assert api("DELETE", f"grants/{seen['id']}/").status_code == 403
    hidden = f"team-{int(seen['id'].partition('-')[2]) - 1}"
    for pk in (hidden, "team-999999", "user-1", "x-1", "team-", "team-1e3"):
        assert api("DELETE", f"grants/{pk}/").status_code == 404


def test_a_session_needs_a_csrf_token_and_a_key_does_not(owner: User, research: Team) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(owner)
    body = {"name": "x", "parent": "research"}
    assert browser.post("/api/v1/teams/", body, content_type="application/json").status_code == 403
    _, text = factories.make_key(owner)
    program = Client(enforce_csrf_checks=True, headers={"x-api-key": text})
    assert program.post("/api/v1/teams/", body, content_type="application/json").status_code == 201


def test_a_person_is_made_changed_and_given_roles_and_a_password(root: Api, research: Team, sales: Team) -> None:
    actions.create_role(actor=None, name="keymaster")
    words = "four unlikely words here"
    made = root("POST", "users/", {"username": "ann", "team": "research", "is_staff": True, "roles": ["keymaster"], "password": words})
    assert made.status_code == 201
    person = made.json()
    assert (person["team"], person["is_staff"], person["roles"]) == ("research", True, ["keymaster"])
    assert "password" not in person
    assert Client().login(username="ann", password=words)
    page = f"users/{person['id']}/"
    changed = root("PATCH", page, {"team": "sales", "roles": [], "password": words + "!"}).json()
    assert (changed["team"], changed["roles"]) == ("sales", [])
    assert Client().login(username="ann", password=words + "!")
    assert root("PATCH", page, {"password": "short"}).status_code == 400
    assert root("PATCH", page, {"is_active": False, "groups": []}).status_code == 400
    assert root("GET", page).json()["is_active"] is True
    assert root("DELETE", page).status_code == 405
    assert words not in str(list(AuditEvent.objects.values()))


def test_a_member_of_staff_gives_nobody_more_over_the_api(api: Api, team_mate: User, admin: User, research: Team) -> None:
    actions.create_role(actor=None, name="keymaster")
    page = f"users/{team_mate.pk}/"
    for body in ({"is_superuser": True}, {"roles": ["keymaster"]}):
        assert api("PATCH", page, body).status_code == 403
    assert api("PATCH", page, {"team": "acme"}).status_code == 400  # not theirs to see
    assert api("PATCH", page, {"team": None}).status_code == 403
    assert api("POST", "users/", {"username": "x", "team": "research", "is_superuser": True}).status_code == 403
    assert api("PATCH", f"users/{admin.pk}/", {"password": "four unlikely words here"}).status_code == 404
    assert not User.objects.filter(username="x").exists()


def test_programs_are_not_listed_as_people(root: Api, research: Team) -> None:
    account = factories.make_service_account("ci", team=research)
    assert root("GET", f"users/{account.pk}/").status_code == 404
    assert root("GET", "users/?username=ci").json()["count"] == 0


def test_the_trail_is_read_in_pages_by_those_who_may_and_by_nobody_else(root: Api, api: Api, research: Team) -> None:
    for n in range(5):
        actions.update_team(actor=None, team=research, rpm=n + 1)
    first = root("GET", "audit-events/?action=identity.team.update&limit=3").json()
    assert [event["changes"]["rpm"][1] for event in first["results"]] == [5, 4, 3]
    rest = root.client.get(first["next"]).json()
    assert [event["changes"]["rpm"][1] for event in rest["results"]] == [2, 1]
    newest = first["results"][0]
    assert root("GET", f"audit-events/{newest['id']}/").json() == newest
    assert root("GET", f"audit-events/?after={newest['id'] - 1}&action=identity.team").json()["results"] == [newest]
    assert root("GET", "audit-events/?until=2020-01-01T00:00:00Z").json()["results"] == []
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert root(method, f"audit-events/{newest['id']}/", {}).status_code == 405
    assert api("GET", "audit-events/").status_code == 403
    assert Api(None)("GET", "audit-events/").status_code == 401
