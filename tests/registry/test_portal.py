"""The portal: what each of three people sees, asks for and uses."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from identity import actions as identity
from identity.models import APIKey, Team, User
from registry import actions, catalog
from registry.catalog import Entry
from registry.catalog import entry as entry_module
from registry.catalog.entry import Way
from registry.choices import Decision
from registry.models import AccessRequest, Review, Tool
from tests import factories
from tests.registry.pages import Page
from tests.registry.things import FORECAST, draft_server, live_agent, live_server, live_skill, skill_archive, toolset

pytestmark = pytest.mark.django_db

KINDS: dict[str, Callable[..., Any]] = {
    "server": live_server,
    "agent": live_agent,
    "skill": lambda **values: live_skill(**({"name": values.pop("slug")} | values)),
    "toolset": lambda **values: toolset(["base/*"], **values),
}


@pytest.fixture
def visit(client: Client) -> Callable[..., Any]:
    def go(user: User | None, url: str, data: dict[str, Any] | None = None, **headers: str) -> Any:
        client.logout()
        if user is not None:
            client.force_login(user)
        return client.get(url, headers=headers) if data is None else client.post(url, data, headers=headers)

    return go


@pytest.fixture(params=sorted(KINDS))
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    live_server(slug="base")
    return lambda **values: (request.param, KINDS[request.param](slug="thing", **values))


def sees(visit: Callable[..., Any], user: User, kind: str) -> tuple[int, bool]:
    """The status of the item's page, and whether the catalog lists it."""
    listed = f"/catalog/{kind}/thing/" in Page(visit(user, "/")).links("/catalog/")
    return visit(user, f"/catalog/{kind}/thing/").status_code, listed


def test_nobody_sees_anything_without_signing_in(visit: Any) -> None:
    live_server(slug="thing", discoverable=True)
    for url in ("/", "/keys/", "/usage/", "/requests/", "/catalog/server/thing/"):
        answer = visit(None, url)
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (302, "/login/")


def test_an_item_is_seen_by_its_team_and_is_not_there_for_a_stranger(
    visit: Any, make: Any, owner: User, team_mate: User, stranger: User, admin: User, research: Team
) -> None:
    kind, _ = make(team=research)
    assert [sees(visit, user, kind) for user in (owner, team_mate, admin)] == [(200, True)] * 3
    assert sees(visit, stranger, kind) == (404, False)


def test_a_discoverable_item_is_seen_by_everybody_and_used_by_nobody_yet(
    visit: Any, make: Any, stranger: User, team_mate: User, research: Team
) -> None:
    kind, _ = make(team=research, discoverable=True)
    for user in (stranger, team_mate):
        assert sees(visit, user, kind) == (200, True)
        assert "You may not use this yet" in Page(visit(user, f"/catalog/{kind}/thing/")).text


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("stranger", "It was granted to you."),
        ("sales", "It was granted to your team, sales."),
        ("acme", "It was granted to acme, which your team sales belongs to."),
    ],
)
def test_a_granted_item_says_why_it_may_be_used(
    visit: Any, make: Any, request: pytest.FixtureRequest, stranger: User, to: str, reason: str
) -> None:
    kind, item = make()
    identity.grant(actor=None, to=request.getfixturevalue(to), obj=item)
    assert sees(visit, stranger, kind) == (200, True)
    page = Page(visit(stranger, f"/catalog/{kind}/thing/"))
    assert "You may use this" in page.text
    assert reason in page.text


def test_another_teams_item_is_the_same_404_as_one_that_does_not_exist(visit: Any, make: Any, stranger: User, research: Team) -> None:
    kind, _ = make(team=research)
    there, nowhere = visit(stranger, f"/catalog/{kind}/thing/"), visit(stranger, f"/catalog/{kind}/nowhere/")
    assert (there.status_code, nowhere.status_code) == (404, 404)
    token = re.compile(rb'csrfmiddlewaretoken" value="[^"]+"')
    assert token.sub(b"", there.content) == token.sub(b"", nowhere.content)
    for url in (f"/access/{kind}/thing/", f"/access/{kind}/nowhere/"):
        assert visit(stranger, url, {"purpose": "x"}).status_code == 404
    assert not AccessRequest.objects.exists()


def test_what_was_never_live_is_not_found_by_others_though_it_is_discoverable(
    visit: Any, stranger: User, owner: User, research: Team
) -> None:
    draft_server(slug="thing", team=research, discoverable=True)
    assert sees(visit, stranger, "server") == (404, False)
    assert sees(visit, owner, "server") == (200, True)


def test_a_frozen_server_leaves_the_catalog_of_those_who_could_only_find_it(visit: Any, stranger: User, sales: Team) -> None:
    server = live_server(slug="thing", discoverable=True)
    actions.freeze(actor=None, item=server, reason="It exfiltrates.")
    assert sees(visit, stranger, "server") == (404, False)
    identity.grant(actor=None, to=sales, obj=server)
    page = Page(visit(stranger, "/catalog/server/thing/"))
    assert "Frozen: It exfiltrates." in page.text
    assert "get_forecast" not in page.text


def test_a_person_with_one_tool_of_a_server_sees_that_one_only(visit: Any, stranger: User, research: Team) -> None:
    server = live_server(slug="thing", team=research)
    identity.grant(actor=None, to=stranger, obj=Tool.objects.get(server=server, name="get_forecast"))
    assert sees(visit, stranger, "server") == (200, True)
    page = Page(visit(stranger, "/catalog/server/thing/"))
    assert "get_forecast" in page.text
    assert "list_alerts" not in page.text
    assert "You may use some of its tools" in page.text
    assert visit(stranger, "/access/server/thing/", {"tool": "list_alerts", "purpose": "x"}).status_code == 404
    assert "list_alerts" not in Page(visit(stranger, "/?q=storm")).text


def test_a_request_of_access_is_decided_in_the_inbox_and_then_grants(visit: Any, stranger: User, owner: User, research: Team) -> None:
    server = live_server(slug="thing", team=research, discoverable=True)
    answer = visit(stranger, "/access/server/thing/", {"team": str(stranger.team_id), "purpose": "Deliveries."})
    assert answer.status_code == 302
    assert "Waiting for a decision" in Page(visit(stranger, "/catalog/server/thing/")).text
    review = Review.objects.get(decision=Decision.PENDING)
    assert (review.kind, review.requested_by, review.owner_team, review.note) == ("access", stranger, research, "Deliveries.")
    actions.approve(actor=owner, review=review)
    assert identity.grant(actor=None, to=stranger.team, obj=server) is False
    assert "You may use this" in Page(visit(stranger, "/catalog/server/thing/")).text
    assert "approved" in Page(visit(stranger, "/requests/")).text


def test_a_refused_request_shows_its_reason_and_grants_nothing(visit: Any, stranger: User, admin: User, research: Team) -> None:
    server = live_server(slug="thing", team=research, discoverable=True)
    visit(stranger, "/access/server/thing/", {"purpose": "Deliveries."})
    actions.reject(actor=admin, review=Review.objects.get(decision=Decision.PENDING), reason="Use the forecast page.")
    assert "Use the forecast page." in Page(visit(stranger, "/requests/")).text
    assert not stranger.has_perm("registry.use_server", server)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"purpose": ""}, "This field is required"),
        ({"purpose": "   "}, "This field is required"),
        ({"purpose": "x" * 2001}, "at most 2000 characters"),
        ({"purpose": "x", "team": "99999"}, "Select a valid choice"),
    ],
)
def test_a_request_that_does_not_hold_together_is_refused_by_field(visit: Any, stranger: User, data: dict[str, str], message: str) -> None:
    live_server(slug="thing", discoverable=True)
    answer = visit(stranger, "/access/server/thing/", data)
    assert answer.status_code == 400
    assert message in Page(answer).text
    assert not AccessRequest.objects.exists()


def test_nobody_asks_twice_or_for_what_they_have_or_for_a_team_that_is_not_theirs(
    visit: Any, stranger: User, research: Team, sales: Team
) -> None:
    server = live_server(slug="thing", discoverable=True)
    visit(stranger, "/access/server/thing/", {"purpose": "x"})
    assert "asked for this already" in Page(visit(stranger, "/access/server/thing/", {"purpose": "x"})).text
    assert visit(stranger, "/access/server/thing/", {"purpose": "x", "team": str(research.pk)}).status_code == 400
    identity.grant(actor=None, to=sales, obj=server)
    assert AccessRequest.objects.count() == 1


def test_a_request_is_taken_back_by_who_asked_and_by_nobody_else(visit: Any, stranger: User, team_mate: User) -> None:
    live_server(slug="thing", discoverable=True)
    visit(stranger, "/access/server/thing/", {"purpose": "x"})
    asked = AccessRequest.objects.get()
    assert visit(team_mate, f"/requests/{asked.pk}/take-back/", {}).status_code == 404
    assert visit(stranger, f"/requests/{asked.pk}/take-back/", {}).status_code == 302
    asked.refresh_from_db()
    assert asked.state == Decision.WITHDRAWN
    assert visit(stranger, f"/requests/{asked.pk}/take-back/", {}).status_code == 404


def test_a_key_is_shown_once_and_never_again(visit: Any, team_mate: User) -> None:
    answer = visit(team_mate, "/keys/", {"name": "laptop", "lifetime": "30"})
    text = re.search(r"ch_[a-z0-9]{8}_[\w-]+", answer.content.decode())
    assert text is not None
    assert "no-store" in answer.headers["cache-control"]
    key = APIKey.objects.get(owner=team_mate)
    assert (key.name, key.prefix, key.expires_at is not None) == ("laptop", text[0][3:11], True)
    assert text[0] not in visit(team_mate, "/keys/").content.decode()


def test_a_key_without_a_name_or_of_a_name_in_use_is_refused(visit: Any, team_mate: User) -> None:
    assert visit(team_mate, "/keys/", {"name": "", "lifetime": "30"}).status_code == 400
    visit(team_mate, "/keys/", {"name": "laptop", "lifetime": "30"})
    again = visit(team_mate, "/keys/", {"name": "laptop", "lifetime": "30"})
    assert again.status_code == 400
    assert "already" in Page(again).text


def test_keys_are_rotated_and_revoked_by_their_owner_only(visit: Any, team_mate: User, owner: User, stranger: User) -> None:
    key, _ = factories.make_key(team_mate, name="laptop")
    for other in (owner, stranger):
        assert visit(other, f"/keys/{key.pk}/revoke/", {}).status_code == 404
        assert visit(other, f"/keys/{key.pk}/rotate/", {"overlap": "1"}).status_code == 404
    assert key.name not in Page(visit(owner, "/keys/")).text
    answer = visit(team_mate, f"/keys/{key.pk}/rotate/", {"overlap": "1"})
    new = APIKey.objects.get(owner=team_mate, rotated_at=None)
    assert f"ch_{new.prefix}_" in answer.content.decode()
    visit(team_mate, f"/keys/{new.pk}/revoke/", {})
    new.refresh_from_db()
    assert new.state == "revoked"
    assert visit(team_mate, f"/keys/{new.pk}/rotate/", {"overlap": "1"}).status_code == 302
    assert visit(team_mate, f"/keys/{new.pk}/rotate/", {"overlap": "x"}).status_code == 302
    assert APIKey.objects.filter(owner=team_mate).count() == 2


@pytest.mark.parametrize("url", ["/keys/1/revoke/", "/keys/1/rotate/", "/requests/1/take-back/", "/access/server/thing/"])
def test_a_page_that_changes_something_is_not_changed_by_a_get(visit: Any, team_mate: User, url: str) -> None:
    assert visit(team_mate, url).status_code == 405


def test_the_usage_of_a_person_who_has_not_called_says_what_to_do_next(visit: Any, team_mate: User) -> None:
    page = Page(visit(team_mate, "/usage/"))
    assert "No calls this month" in page.text
    assert "/keys/" in page.links()


def test_a_skill_is_downloaded_by_a_key_of_those_it_was_granted_to_and_by_nobody_else(
    client: Client, team_mate: User, stranger: User, sales: Team, research: Team
) -> None:
    skill = live_skill(name="pdf", version="1.2.0", scripts__run_dot_sh="echo\n")
    _, key = factories.make_key(team_mate)
    _, other = factories.make_key(stranger)
    identity.grant(actor=None, to=research, obj=skill)
    answer = client.get("/skills/pdf/1.2.0.tar.gz", headers={"authorization": f"Bearer {key}"})
    packed = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        assert [(member.name, member.mode, member.mtime, member.uid) for member in archive] == [
            ("SKILL.md", 0o644, 0, 0),
            ("scripts/run.sh", 0o644, 0, 0),
        ]
    again = client.get("/skills/pdf/latest.tar.gz", headers={"x-api-key": key})
    assert b"".join(again.streaming_content) == packed  # type: ignore[attr-defined]
    assert again.headers["x-skill-version"] == "1.2.0"
    assert answer.headers["x-skill-digest"] == f"sha256:{skill.live_version.digest}"
    assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == skill.live_version.digest
    assert client.get("/skills/pdf/1.2.0.tar.gz", headers={"authorization": f"Bearer {other}"}).status_code == 404
    assert client.get("/skills/pdf/1.2.0.tar.gz", headers={"authorization": "Bearer ch_00000000_wrong"}).status_code == 401
    assert client.get("/skills/pdf/1.2.0.tar.gz").status_code == 401
    assert client.get("/skills/pdf/9.9.9.tar.gz", headers={"x-api-key": key}).status_code == 404
    cached = client.get("/skills/pdf/1.2.0.tar.gz", headers={"x-api-key": key, "if-none-match": answer.headers["etag"]})
    assert (cached.status_code, cached.content) == (304, b"")


def test_a_version_that_was_not_approved_is_never_downloaded(client: Client, admin: User) -> None:
    skill = live_skill(name="pdf", version="1.0.0")
    identity.grant(actor=None, to=admin, obj=skill)
    actions.register_skill(actor=None, source=skill_archive("pdf", version="2.0.0", body="# Other"))
    client.force_login(admin)
    assert client.get("/skills/pdf/2.0.0.tar.gz").status_code == 404
    assert client.get("/skills/pdf/1.0.0.tar.gz").status_code == 200
    actions.freeze(actor=None, item=skill, reason="x")
    assert client.get("/skills/pdf/1.0.0.tar.gz").status_code == 404


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            "server",
            ["claude mcp add --transport http", "mcpServers", "promptString", "[mcp_servers.thing]", "/mcp/thing", "$CUSTOMHOUSE_KEY"],
        ),
        ("agent", ["SendMessage", "/a2a/thing", "create_client"]),
        ("skill", ["~/.claude/skills/thing", "/skills/thing/1.0.0.tar.gz"]),
        ("toolset", ["claude mcp add --transport http", "/mcp/thing"]),
    ],
)
def test_each_kind_tells_how_to_use_it_and_never_a_key(visit: Any, admin: User, kind: str, expected: list[str]) -> None:
    live_server(slug="base")
    KINDS[kind](slug="thing")
    text = Page(visit(admin, f"/catalog/{kind}/thing/")).text
    assert [part for part in expected if part not in text] == []
    assert "ch_" not in text


def test_entries_of_other_apps_are_listed_searched_and_explained(
    visit: Any, stranger: User, sales: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry_module, "_sources", {})
    target = live_server(slug="stands-in")
    identity.grant(actor=None, to=sales, obj=target)

    def models(user: Any) -> list[Entry]:
        return [
            Entry(
                kind="model",
                name="acme/gpt:4",
                title="GPT four",
                ref="model:acme/gpt:4",
                target=target,
                summary="Thinks.",
                words="azure",
                ways=lambda base_url: [Way("curl", f"curl {base_url}/v1/chat/completions", note="Streams.")],
                try_at="/try/",
            )
        ]

    catalog.register_source(models)
    catalog.register_source(models)
    assert Page(visit(stranger, "/?q=azure")).links("/catalog/model/") == ["/catalog/model/acme/gpt:4/"]
    assert Page(visit(stranger, "/?q=banana")).links("/catalog/model/") == []
    page = Page(visit(stranger, "/catalog/model/acme/gpt:4/"))
    assert "You may use this" in page.text
    assert "/v1/chat/completions" in page.text
    assert page.links("/try/") == ["/try/"]
    assert visit(stranger, "/catalog/model/other/").status_code == 404


def test_a_partial_answer_holds_the_results_and_not_the_page(visit: Any, admin: User) -> None:
    live_server(slug="thing")
    answer = visit(admin, "/?q=thing", **{"x-portal-partial": "1"})
    assert b"<html" not in answer.content
    assert Page(answer).links("/catalog/") == ["/catalog/server/thing/"]


@pytest.mark.parametrize(
    "query",
    [
        "q=%00",
        "q=%22%28%29%2A%27",
        "q=" + "a" * 5000,
        "page=0",
        "page=99999999999",
        "page=x",
        "kind=nothing&team=%F0%9F%92%A3",
        "q=NOT%20AND%20%2A",
    ],
)
def test_an_odd_search_is_answered(visit: Any, admin: User, query: str) -> None:
    live_server(slug="thing")
    assert visit(admin, f"/?{query}").status_code == 200


def test_a_wrong_password_is_told_and_a_right_one_leads_to_the_catalog(client: Client, team_mate: User) -> None:
    identity.set_password(actor=None, user=team_mate, password="Correct-horse-9")
    wrong = client.post("/login/", {"username": "mate", "password": "wrong"})
    assert wrong.status_code == 200
    assert "Please enter a correct" in Page(wrong).text
    right = client.post("/login/?next=/keys/", {"username": "mate", "password": "Correct-horse-9", "next": "/keys/"})
    assert (right.status_code, right.headers["location"]) == (302, "/keys/")
    away = client.post("/logout/")
    assert away.headers["location"] == "/login/"


def test_a_sign_in_never_leads_off_the_house(client: Client, team_mate: User) -> None:
    identity.set_password(actor=None, user=team_mate, password="Correct-horse-9")
    answer = client.post("/login/", {"username": "mate", "password": "Correct-horse-9", "next": "https://evil.example/"})
    assert answer.headers["location"] == "/"


def test_the_definition_of_a_tool_is_shown_with_its_parameters(visit: Any, admin: User) -> None:
    live_server(slug="thing")
    text = Page(visit(admin, "/catalog/server/thing/")).text
    assert FORECAST["description"] in text
    assert "city" in text
    assert "readOnly" in text
