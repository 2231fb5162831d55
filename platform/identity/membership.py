"""Keeps members in the groups of their team and of every ancestor, so that guardian's group permissions inherit."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import Group

from identity.models import Team, User
from identity.queries import team_path


def sync_user(user: User) -> None:
    """After a user came to another team. Groups that belong to no team (roles) are left alone."""
    wanted = {team.group_id for team in team_path(user.team)}
    held = set(user.groups.filter(team__isnull=False).values_list("pk", flat=True))
    user.groups.remove(*(held - wanted))
    user.groups.add(*(wanted - held))


def sync_teams(team_ids: Iterable[int]) -> None:
    """After teams came to other places in the tree: three queries for each."""
    membership = User.groups.through
    team_groups = Group.objects.filter(team__isnull=False)
    for team in Team.objects.filter(pk__in=team_ids):
        wanted = [ancestor.group_id for ancestor in team_path(team)]
        members = list(team.members.values_list("pk", flat=True))
        membership.objects.filter(user__team=team, group__in=team_groups).exclude(group_id__in=wanted).delete()
        rows = [membership(user_id=user, group_id=group) for user in members for group in wanted]
        membership.objects.bulk_create(rows, ignore_conflicts=True)
