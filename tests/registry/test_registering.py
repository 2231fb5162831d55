"""Registering servers, agents, skills and toolsets: what is taken, what is refused and by which field."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from audit.models import AuditEvent
from identity.models import Team, User
from registry import actions, queries
from registry.choices import Decision
from registry.credentials import headers_for
from registry.errors import StateError
from registry.models import Agent, AgentVersion, Review, Server, Skill
from tests.registry.things import (
    FORECAST,
    draft_agent,
    draft_server,
    draft_skill,
    found_card,
    found_server,
    live_agent,
    live_server,
    live_skill,
    skill_archive,
    toolset,
)

pytestmark = pytest.mark.django_db

DRAFTS = {"server": draft_server, "agent": draft_agent, "skill": draft_skill}


def test_the_same_skill_imported_again_is_the_same_version_and_other_content_needs_another_number() -> None:
    skill = live_skill(name="pdf", version="1.2.0")
    assert actions.register_skill(actor=None, source=skill_archive("pdf", version="1.2.0")) == skill.live_version
    with pytest.raises(ValidationError, match=r"raise metadata\.version"):
        actions.register_skill(actor=None, source=skill_archive("pdf", version="1.2.0", body="# Other"))
    assert actions.register_skill(actor=None, source=skill_archive("pdf", version="1.3.0", body="# Other")).version == "1.3.0"


def test_a_version_that_was_only_tried_gives_its_number_back(admin: User) -> None:
    first = actions.register_skill(actor=None, source=skill_archive("pdf", version="1.0.0"))
    actions.submit(actor=None, version=first)
    second = actions.register_skill(actor=None, source=skill_archive("pdf", version="1.0.0", body="# Better"))
    assert [version.version for version in Skill.objects.get().versions.all()] == ["1.0.0"]
    assert second.body == "# Better"
    assert Review.objects.get().decision == Decision.WITHDRAWN


def test_a_skill_without_a_version_counts_up() -> None:
    numbers = [actions.register_skill(actor=None, source=skill_archive("pdf", body=f"# {number}")).version for number in range(3)]
    assert numbers == ["1.0.0", "1.0.1", "1.0.2"]


def test_deleting_an_item_takes_its_grants_and_its_agents_principal_out_of_service(owner: User, research: Team, admin: User) -> None:
    agent = live_agent(team=research)
    principal = agent.identity
    review = actions.submit(actor=owner, version=actions.new_agent_version(actor=owner, agent=agent, found=found_card(description="x")))
    actions.delete_item(actor=admin, item=agent)
    assert not Agent.objects.exists()
    assert not AgentVersion.objects.exists()
    principal.refresh_from_db()
    assert not principal.is_active
    review.refresh_from_db()
    assert review.decision == Decision.WITHDRAWN
    with pytest.raises(StateError):
        actions.approve(actor=admin, review=review)


def test_an_agent_is_a_principal_of_its_own_kind_and_its_name_gives_way_to_who_has_it_already(owner: User, research: Team) -> None:
    first = live_agent(slug="planner", team=research)
    assert (first.identity.username, first.identity.kind, first.identity.team) == ("planner", "agent", research)
    assert live_agent(slug="owner").identity.username == "owner-agent"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"slug": "Weather"}, "slug"),
        ({"slug": "-a"}, "slug"),
        ({"url": "http://10.0.0.1/mcp"}, "url"),
        ({"url": "http://weather.example/mcp"}, "url"),
        ({"url": "https://169.254.169.254/", "allow_private_network": True}, "url"),
        ({"url": "ftp://weather.example"}, "url"),
        ({"url": "https://user:pw@weather.example"}, "url"),
        ({"credential_header": "bad header"}, "credential_header"),
        ({"credential": "two\nlines"}, "credential"),
        ({"era": "2024"}, "era"),
    ],
)
def test_a_server_that_can_not_be_registered_is_refused_by_field_and_nobody_is_called(values: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        draft_server(**values)
    assert field in caught.value.message_dict
    assert not Server.objects.exists()


def test_a_credential_is_stored_sealed_and_bound_to_its_row(admin: User) -> None:
    server = live_server(credential="s3cret-token")
    assert b"s3cret" not in bytes(server.credential)
    events = AuditEvent.objects.filter(action__startswith="registry.server")
    assert "s3cret" not in repr([(event.changes, event.extra) for event in events])
    assert headers_for(server) == {"authorization": "Bearer s3cret-token"}
    other = live_server()
    Server.objects.filter(pk=other.pk).update(credential=bytes(server.credential))
    other.refresh_from_db()
    with pytest.raises(ValidationError, match="set it again"):
        headers_for(other)
    actions.set_credential(actor=admin, item=server, secret=None)
    assert headers_for(server) == {}


def test_registering_reaches_the_own_team_and_takes_the_right_to(
    owner: User, team_mate: User, stranger: User, research: Team, sales: Team
) -> None:
    for actor, team in ((team_mate, research), (owner, sales), (stranger, research), (owner, None)):
        for draft in DRAFTS.values():
            with pytest.raises(PermissionDenied):
                draft(actor=actor, team=team)
    assert draft_server(actor=owner, team=research).server.owner_team == research


def test_a_toolset_hands_on_only_what_its_maker_may_change(owner: User, research: Team, sales: Team) -> None:
    live_server(slug="mine", team=research)
    live_server(slug="theirs", team=sales)
    assert toolset(["mine/*"], actor=owner, team=research).members == ["mine/*"]
    for members in (["theirs/*"], ["nowhere/*"]):
        with pytest.raises(ValidationError, match="whose tools you may hand on"):
            toolset(members, actor=owner, team=research)
    for members in ([], ["mine"], ["mine/"], ["*/x"], ["mine/a b"], [1]):
        with pytest.raises(ValidationError):
            toolset(members, actor=owner, team=research)  # type: ignore[arg-type]


def test_a_toolset_names_its_tools_by_their_servers_whatever_else_is_in_it() -> None:
    live_server(slug="one")
    two = live_server(slug="two", found=found_server(FORECAST, {"name": "other"}))
    desk = toolset(["one/*", "two/get_forecast", "two/gone"])
    alone = [("one_get_forecast", "one", "get_forecast"), ("one_list_alerts", "one", "list_alerts")]
    assert queries.toolset_members(desk) == [*alone, ("two_get_forecast", "two", "get_forecast")]
    actions.freeze(actor=None, item=two, reason="x")
    assert queries.toolset_members(desk) == alone


def test_a_public_name_has_at_most_sixty_four_characters_and_stays_apart() -> None:
    long = [queries.public_name("s" * 40, "t" * 100 + end) for end in "ab"]
    assert [len(name) for name in long] == [64, 64]
    assert long[0] != long[1]


def test_a_slug_is_given_once_among_servers_and_toolsets() -> None:
    live_server(slug="desk")
    with pytest.raises(ValidationError, match="A server has this address already"):
        toolset(["desk/*"], slug="desk")
    toolset(["desk/*"], slug="hall")
    with pytest.raises(ValidationError, match="A toolset has this address already"):
        draft_server(slug="hall")
