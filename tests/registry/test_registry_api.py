"""The registry in the management API: the same rules and the same actions as in the admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from identity.models import Team, User
from registry import actions
from registry.choices import Decision
from registry.models import Collection, Review, Server, Skill, Tool, Toolset
from tests import factories
from tests.fakes.agents import agent
from tests.fakes.mcp_servers import Tools, dual_era, house_of_tools
from tests.fakes.serving import serving
from tests.registry.things import draft_server, live_agent, live_server, live_skill, skill_archive, toolset

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> Callable[[User | None], APIClient]:
    def as_(user: User | None) -> APIClient:
        client = APIClient()
        if user is not None:
            client.force_login(user)
        return client

    return as_


def body(url: str, **changes: Any) -> dict[str, Any]:
    return {"name": "io.github.acme/weather", "slug": "weather", "url": url, "allow_private_network": True, **changes}


def test_a_server_goes_from_registration_to_live_over_the_api(api: Any, owner: User, admin: User, research: Team) -> None:
    with serving(dual_era(house_of_tools()), lifespan=True) as url:
        made = api(owner).post("/api/v1/servers/", body(f"{url}/mcp", team="research", credential="s3cret"))
    assert made.status_code == 201
    assert (made.json()["state"], made.json()["team"], made.json()["live_version"]) == ("draft", "research", None)
    assert made.json()["has_credential"] is True
    assert "s3cret" not in made.content.decode()
    version = api(owner).get("/api/v1/server-versions/?server__slug=weather").json()["results"][0]
    assert version["tools"] == ["get_forecast", "echo", "fail", "count", "hold", "ask"]
    review = api(owner).post(f"/api/v1/server-versions/{version['id']}/submit/", {"note": "please"})
    assert (review.status_code, review.json()["decision"]) == (201, "pending")
    decided = api(admin).post(f"/api/v1/reviews/{review.json()['id']}/approve/", {"digest": review.json()["digest"]})
    assert (decided.status_code, decided.json()["decided_by"]) == (200, "admin")
    assert api(owner).get(f"/api/v1/servers/{made.json()['id']}/").json()["live_version"] == "1.0.0"


def test_an_agent_is_registered_over_the_api(api: Any, admin: User) -> None:
    with serving(agent(url="http://127.0.0.1:9/")) as url:
        made = api(admin).post("/api/v1/agents/", {"slug": "planner", "url": url, "allow_private_network": True, "price": "0.01"})
    assert (made.status_code, made.json()["name"], made.json()["identity"], made.json()["price"]) == (
        201,
        "Planner",
        "planner",
        "0.010000000000",
    )
    version = api(admin).get("/api/v1/agent-versions/").json()["results"][0]
    assert (version["url"], version["protocol_version"]) == ("http://127.0.0.1:9/", "1.0")


def test_a_change_upstream_is_a_version_that_waits_and_no_change_is_no_content(api: Any, admin: User) -> None:
    tools = Tools()
    with serving(dual_era(house_of_tools(tools)), lifespan=True) as url:
        pk = api(admin).post("/api/v1/servers/", body(f"{url}/mcp")).json()["id"]
        assert api(admin).post(f"/api/v1/servers/{pk}/refresh/").status_code == 204
        tools.named("echo").description = "Other."
        changed = api(admin).post(f"/api/v1/servers/{pk}/refresh/")
        assert (changed.status_code, changed.json()["state"], changed.json()["found_by_refresh"]) == (201, "pending", True)
        proposed = api(admin).post(f"/api/v1/servers/{pk}/propose/", {"url": f"{url}/mcp?other=1", "version": "2.0.0"})
    assert (proposed.status_code, proposed.json()["version"], proposed.json()["state"]) == (201, "2.0.0", "draft")


def test_a_rejection_without_a_reason_is_a_bad_request_that_names_the_field(api: Any, owner: User, admin: User, research: Team) -> None:
    review = actions.submit(actor=owner, version=draft_server(actor=owner, team=research))
    for data in ({}, {"reason": ""}, {"reason": "  "}):
        refused = api(admin).post(f"/api/v1/reviews/{review.pk}/reject/", data)
        assert (refused.status_code, list(refused.json())) == (400, ["reason"])
    assert api(admin).post(f"/api/v1/reviews/{review.pk}/reject/", {"reason": "It logs."}).json()["decision"] == "rejected"
    again = api(admin).post(f"/api/v1/reviews/{review.pk}/approve/", {})
    assert (again.status_code, again.json()) == (400, {"detail": ["This was decided already: rejected."]})


def test_who_asked_does_not_decide(api: Any, owner: User, research: Team) -> None:
    review = actions.submit(actor=owner, version=draft_server(actor=owner, team=research))
    assert api(owner).post(f"/api/v1/reviews/{review.pk}/approve/", {}).status_code == 403
    assert api(owner).post(f"/api/v1/reviews/{review.pk}/withdraw/").json()["decision"] == "withdrawn"


@pytest.fixture
def things(research: Team) -> dict[str, int]:
    server = live_server(slug="weather", team=research)
    agent_row, skill = live_agent(slug="planner", team=research), live_skill(name="pdf", team=research)
    tool = Tool.objects.filter(server=server).first()
    assert server.live_version is not None
    assert agent_row.live_version is not None
    assert skill.live_version is not None
    assert tool is not None
    return {
        "servers": server.pk,
        "agents": agent_row.pk,
        "skills": skill.pk,
        "toolsets": toolset(["weather/*"], slug="desk", team=research).pk,
        "tools": tool.pk,
        "collections": actions.create_collection(actor=None, slug="office", owner_team=research).pk,
        "server-versions": server.live_version.pk,
        "agent-versions": agent_row.live_version.pk,
        "skill-versions": skill.live_version.pk,
        "reviews": actions.submit(actor=None, version=draft_server(team=research)).pk,
    }


BODIES = {verb: {"reason": "x"} for verb in ("freeze", "retire", "deprecate", "reject")} | {"credential": {"credential": "x"}}
WRITES = {
    "servers": ["refresh", "propose", "credential", "freeze", "retire", "reinstate"],
    "agents": ["refresh", "propose", "credential", "freeze", "retire", "reinstate"],
    "skills": ["freeze", "retire", "reinstate"],
    "toolsets": ["freeze", "retire", "reinstate"],
    "tools": ["withhold", "offer"],
    "collections": [],
    "server-versions": ["submit", "withdraw", "reopen", "deprecate", "make-live"],
    "agent-versions": ["submit", "withdraw", "reopen", "deprecate", "make-live"],
    "skill-versions": ["submit", "withdraw", "reopen", "deprecate", "make-live"],
    "reviews": ["approve", "reject", "withdraw"],
}


@pytest.mark.parametrize("kind", sorted(WRITES))
def test_another_teams_things_are_404_on_every_address_and_method(api: Any, stranger: User, things: dict[str, int], kind: str) -> None:
    client = api(stranger)
    base = f"/api/v1/{kind}/{things[kind]}/"
    assert [row["id"] for row in client.get(f"/api/v1/{kind}/").json()["results"]] == []
    assert client.get(base).status_code == 404
    for verb in WRITES[kind]:
        assert client.post(f"{base}{verb}/", BODIES.get(verb, {})).status_code == 404
    for method in ("patch", "delete"):
        assert getattr(client, method)(base, {}).status_code in {404, 405}


@pytest.mark.parametrize("kind", sorted(WRITES))
def test_a_team_mate_without_the_right_reads_and_changes_nothing(api: Any, team_mate: User, things: dict[str, int], kind: str) -> None:
    client = api(team_mate)
    base = f"/api/v1/{kind}/{things[kind]}/"
    assert client.get(base).status_code == 200
    for verb in WRITES[kind]:
        refused = client.post(f"{base}{verb}/", BODIES.get(verb, {}))
        # A published version has nothing to withdraw, whoever asks.
        assert refused.status_code == (404 if verb == "withdraw" and kind != "reviews" else 403)
    assert client.patch(base, {}).status_code in {403, 405}
    assert client.delete(base).status_code in {403, 405}


@pytest.mark.parametrize("kind", ["servers", "agents", "skills", "toolsets", "collections"])
def test_registering_takes_the_right_to(api: Any, team_mate: User, kind: str) -> None:
    assert api(team_mate).post(f"/api/v1/{kind}/", {}).status_code == 403


@pytest.mark.parametrize("kind", sorted(WRITES))
def test_nobody_gets_in_without_a_session_or_a_key_of_staff(api: Any, things: dict[str, int], kind: str) -> None:
    assert api(None).get(f"/api/v1/{kind}/").status_code == 401
    client = api(None)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {factories.make_key()[1]}")
    assert client.get(f"/api/v1/{kind}/").status_code == 403


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"slug": "Bad Slug"}, "slug"),
        ({"name": "weather"}, "name"),
        ({"url": "ftp://x"}, "url"),
        ({"url": "http://169.254.169.254/"}, "url"),
        ({"era": "2020"}, "era"),
        ({"team": "nowhere"}, "team"),
        ({"colour": "red"}, "colour"),
        ({"slug": None}, "slug"),
        ({"discoverable": "maybe"}, "discoverable"),
    ],
)
def test_a_bad_registration_names_the_field(api: Any, admin: User, changes: dict[str, Any], field: str) -> None:
    refused = api(admin).post("/api/v1/servers/", body("https://weather.example/mcp") | changes)
    assert (refused.status_code, list(refused.json())) == (400, [field])
    assert not Server.objects.exists()


def test_what_is_reviewed_is_not_changed_past_the_review(api: Any, admin: User) -> None:
    server = live_server(slug="weather")
    for data in ({"url": "https://evil.example/mcp"}, {"slug": "other"}, {"credential": "x"}):
        refused = api(admin).patch(f"/api/v1/servers/{server.pk}/", data)
        assert (refused.status_code, list(refused.json())) == (400, list(data))
    changed = api(admin).patch(f"/api/v1/servers/{server.pk}/", {"title": "Weather", "discoverable": True})
    assert (changed.json()["title"], changed.json()["discoverable"]) == ("Weather", True)
    assert api(admin).put(f"/api/v1/servers/{server.pk}/", {}).status_code == 405


def test_freezing_takes_a_reason_and_is_undone(api: Any, admin: User) -> None:
    pk = live_server().pk
    assert api(admin).post(f"/api/v1/servers/{pk}/freeze/", {}).status_code == 400
    assert api(admin).post(f"/api/v1/servers/{pk}/freeze/", {"reason": "x"}).json()["state"] == "frozen"
    assert api(admin).post(f"/api/v1/servers/{pk}/freeze/", {"reason": "x"}).status_code == 400
    assert api(admin).post(f"/api/v1/servers/{pk}/reinstate/").json()["state"] == "live"
    assert api(admin).post(f"/api/v1/servers/{pk}/credential/", {"credential": "x"}).json()["has_credential"] is True
    assert api(admin).post(f"/api/v1/servers/{pk}/credential/", {"credential": None}).json()["has_credential"] is False
    assert api(admin).delete(f"/api/v1/servers/{pk}/").status_code == 204
    assert not Server.objects.exists()


def test_a_skill_is_uploaded_versioned_and_refused_by_entry(api: Any, admin: User) -> None:
    def upload(method: str, url: str, content: bytes) -> Any:
        return getattr(api(admin), method)(url, {"archive": SimpleUploadedFile("x.zip", content)}, format="multipart")

    made = upload("post", "/api/v1/skills/", skill_archive("pdf", version="1.0.0").getvalue())
    assert (made.status_code, made.json()["name"], made.json()["state"]) == (201, "pdf", "draft")
    upload("patch", f"/api/v1/skills/{made.json()['id']}/", skill_archive("pdf", version="2.0.0", body="# x").getvalue())
    versions = api(admin).get("/api/v1/skill-versions/?skill__name=pdf").json()["results"]
    assert [version["version"] for version in versions] == ["2.0.0", "1.0.0"]
    refused = upload("post", "/api/v1/skills/", b"PK\x03\x04 not really")
    assert (refused.status_code, list(refused.json())) == (400, ["detail"])
    assert api(admin).post("/api/v1/skills/", {}, format="json").json() == {"archive": ["Send the skill as a zip or tar.gz."]}
    assert Skill.objects.count() == 1


def test_toolsets_and_collections_are_kept_over_the_api(api: Any, admin: User) -> None:
    live_server(slug="weather")
    live_skill(name="pdf")
    desk = api(admin).post("/api/v1/toolsets/", {"slug": "desk", "members": ["weather/*"]})
    assert (desk.status_code, desk.json()["name"]) == (201, "desk")
    refused = api(admin).patch(f"/api/v1/toolsets/{desk.json()['id']}/", {"members": ["nowhere/*"]})
    assert (refused.status_code, list(refused.json())) == (400, ["members"])
    office = api(admin).post("/api/v1/collections/", {"slug": "office", "skills": ["pdf"]})
    assert office.json()["skills"] == ["pdf"]
    assert api(admin).patch(f"/api/v1/collections/{office.json()['id']}/", {"skills": [], "title": "Office"}).json()["skills"] == []
    for url in (f"/api/v1/toolsets/{desk.json()['id']}/", f"/api/v1/collections/{office.json()['id']}/"):
        assert api(admin).delete(url).status_code == 204
    assert not Toolset.objects.exists() | Collection.objects.exists()


def test_a_tool_is_priced_exactly_withheld_and_offered(api: Any, admin: User) -> None:
    server = live_server(slug="weather")
    tool = Tool.objects.get(server=server, name="get_forecast")
    url = f"/api/v1/tools/{tool.pk}/"
    assert api(admin).patch(url, {"price": "0.000000000001"}).json()["price"] == "0.000000000001"
    assert api(admin).patch(url, {"price": "-1"}).status_code == 400
    assert api(admin).post(f"{url}withhold/").json()["withheld"] is True
    assert api(admin).post(f"{url}offer/").json()["withheld"] is False
    assert api(admin).get(url).json()["definition"]["annotations"] == {"readOnlyHint": True}


def test_a_version_is_deprecated_and_another_made_live(api: Any, admin: User) -> None:
    skill = live_skill(name="pdf", version="1.0.0")
    first = skill.live_version
    actions.publish(actor=None, version=actions.register_skill(actor=None, source=skill_archive("pdf", version="2.0.0", body="# x")))
    assert first is not None
    assert api(admin).post(f"/api/v1/skill-versions/{first.pk}/make-live/").json()["state"] == "approved"
    assert Skill.objects.get().live_version == first
    assert api(admin).post(f"/api/v1/skill-versions/{first.pk}/deprecate/", {}).status_code == 400
    assert api(admin).post(f"/api/v1/skill-versions/{first.pk}/deprecate/", {"reason": "old"}).json()["state"] == "deprecated"


def test_reviews_are_filtered_by_decision(api: Any, admin: User) -> None:
    live_server()
    actions.submit(actor=None, version=draft_server(slug="waits"))
    found = api(admin).get(f"/api/v1/reviews/?decision={Decision.PENDING}").json()["results"]
    assert [row["title"] for row in found] == ["waits 1.0.0"]
    assert Review.objects.count() == 2
