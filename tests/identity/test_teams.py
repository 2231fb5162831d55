from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisCase

from audit.models import AuditEvent
from identity import actions
from identity.actions.teams import MAX_DEPTH
from identity.models import Team, User
from identity.queries import team_path
from tests import factories


def group_names(user: User) -> set[str]:
    return set(user.groups.values_list("name", flat=True))


def last_event() -> AuditEvent:
    event = AuditEvent.objects.first()
    assert event is not None
    return event


def test_a_member_is_in_the_groups_of_its_team_and_of_every_ancestor(research: Team) -> None:
    deep = factories.make_team("vision", parent=research)
    member = factories.make_user(team=deep)
    assert group_names(member) == {"team:vision", "team:research", "team:acme"}


def test_creating_a_team_is_audited_with_what_was_given(admin: User, acme: Team) -> None:
    team = actions.create_team(actor=admin, name="ops", parent=acme, cost_center="CC-1", rpm=600)
    event = last_event()
    assert (event.action, event.actor_ref, event.target_id) == ("identity.team.create", admin.ref, str(team.pk))
    assert event.changes == {"name": [None, "ops"], "parent": [None, "acme"], "cost_center": [None, "CC-1"], "rpm": [None, 600]}


def test_there_is_one_organization(acme: Team) -> None:
    with pytest.raises(ValidationError, match="one organization"):
        actions.create_team(actor=None, name="other")
    with pytest.raises(IntegrityError), transaction.atomic():
        Team.objects.create(name="other", group=factories.make_team().group)


@pytest.mark.parametrize("name", ["", "Upper", "with space", "-dash", "slash/ed", "x" * 65, "ümlaut", "new\nline"])
def test_a_name_that_does_not_fit_is_refused(acme: Team, name: str) -> None:
    before = Team.objects.count()
    with pytest.raises(ValidationError) as refusal:
        actions.create_team(actor=None, name=name, parent=acme)
    assert "name" in refusal.value.message_dict
    assert Team.objects.count() == before


@pytest.mark.parametrize("values", [{"rpm": 0}, {"tpm": -1}, {"concurrency": 0}, {"members": 5}])
def test_a_limit_is_at_least_one_and_unknown_fields_are_refused(research: Team, values: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        actions.update_team(actor=None, team=research, **values)
    with pytest.raises(ValidationError):
        actions.create_team(actor=None, name="new", parent=research, **values)


def test_an_update_writes_only_what_differs(research: Team) -> None:
    before = AuditEvent.objects.count()
    actions.update_team(actor=None, team=research, name="research", cost_center="", rpm=None)
    assert AuditEvent.objects.count() == before
    actions.update_team(actor=None, team=research, rpm=10, tpm=None)
    assert last_event().changes == {"rpm": [None, 10]}


def test_renaming_a_team_renames_its_group(research: Team, team_mate: User) -> None:
    actions.update_team(actor=None, team=research, name="science")
    assert group_names(team_mate) == {"team:science", "team:acme"}


def test_moving_a_team_gives_all_below_it_the_new_ancestors(acme: Team, research: Team, sales: Team) -> None:
    vision = factories.make_team("vision", parent=research)
    lab = factories.make_team("lab", parent=vision)
    member, lab_member, bystander = (factories.make_user(team=team) for team in (vision, lab, research))
    actions.update_team(actor=None, team=vision, parent=sales, cost_center="CC-9")
    assert group_names(member) == {"team:vision", "team:sales", "team:acme"}
    assert group_names(lab_member) == {"team:lab", "team:vision", "team:sales", "team:acme"}
    assert group_names(bystander) == {"team:research", "team:acme"}
    assert AuditEvent.objects.filter(action="identity.team.move").get().changes == {"parent": ["research", "sales"]}


def test_a_role_survives_a_move(research: Team, sales: Team, owner: User) -> None:
    role = owner.groups.create(name="reviewers")
    actions.update_user(actor=None, user=owner, team=sales)
    assert group_names(owner) == {"reviewers", "team:sales", "team:acme"}
    assert role in owner.groups.all()


def test_a_team_is_not_moved_below_itself(acme: Team, research: Team) -> None:
    below = factories.make_team(parent=research)
    for parent in (research, below):
        with pytest.raises(ValidationError, match="below itself"):
            actions.move_team(actor=None, team=research, parent=parent)


def test_the_organization_stays_the_root(acme: Team, research: Team) -> None:
    for team, parent in ((acme, research), (research, None)):
        with pytest.raises(ValidationError, match="root"):
            actions.move_team(actor=None, team=team, parent=parent)


def test_the_tree_has_a_bounded_depth(acme: Team) -> None:
    team = acme
    for _ in range(MAX_DEPTH - 1):
        team = factories.make_team(parent=team)
    with pytest.raises(ValidationError, match="deep"):
        factories.make_team(parent=team)
    branch = factories.make_team()
    factories.make_team(parent=branch)
    assert team.parent is not None
    with pytest.raises(ValidationError, match="deep"):
        actions.move_team(actor=None, team=branch, parent=team.parent)


def test_a_member_of_staff_changes_only_the_own_team_and_what_is_below(owner: User, research: Team, sales: Team, acme: Team) -> None:
    below = actions.create_team(actor=owner, name="vision", parent=research)
    assert actions.update_team(actor=owner, team=below, rpm=5).rpm == 5
    actions.create_team(actor=owner, name="lab", parent=below)
    for refused in (
        lambda: actions.create_team(actor=owner, name="x", parent=acme),
        lambda: actions.create_team(actor=owner, name="x", parent=sales),
        lambda: actions.update_team(actor=owner, team=sales, rpm=5),
        lambda: actions.update_team(actor=owner, team=acme, rpm=5),
        lambda: actions.delete_team(actor=owner, team=sales),
        # To where other grants are, and from there to oneself.
        lambda: actions.move_team(actor=owner, team=below, parent=sales),
        lambda: actions.move_team(actor=owner, team=sales, parent=research),
    ):
        with pytest.raises(PermissionDenied):
            refused()


def test_a_team_is_deleted_when_nothing_refers_to_it(acme: Team, research: Team) -> None:
    empty = factories.make_team("empty", parent=research)
    member = factories.make_user(team=research)
    for team in (acme, research):
        with pytest.raises(ValidationError):
            actions.delete_team(actor=None, team=team)
    owning = factories.make_team("owning")
    factories.make_model(owner_team=owning)
    with pytest.raises(ValidationError, match="owns things"):
        actions.delete_team(actor=None, team=owning)
    group = empty.group
    actions.delete_team(actor=None, team=empty)
    assert not Team.objects.filter(name="empty").exists()
    assert not type(group).objects.filter(pk=group.pk).exists()
    assert member.team == research
    assert last_event().action == "identity.team.delete"


class Moves(HypothesisCase):
    """Whatever moves are tried, the tree stays a tree and every member is in exactly the groups of its path."""

    @settings(max_examples=10, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
    def test_any_sequence_of_moves_leaves_a_tree_with_the_right_members(self, moves: list[tuple[int, int]]) -> None:
        root = factories.organization()
        teams = [root, *(factories.make_team(parent=root) for _ in range(5))]
        members = [factories.make_user(team=team) for team in teams]
        for source, target in moves:
            try:
                actions.move_team(actor=None, team=Team.objects.get(pk=teams[source].pk), parent=Team.objects.get(pk=teams[target].pk))
            except ValidationError:
                continue
        for member in members:
            path = team_path(Team.objects.get(pk=member.team_id))
            assert path[-1] == root
            assert group_names(member) == {f"team:{team.name}" for team in path}
