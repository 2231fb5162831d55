"""How far an actor's power reaches. Asked inside actions, so that admin, REST, commands and bulk edits are held alike.

`actor` None is the system (migrations, `manage.py apply`), which like a superuser may do everything. Refusals are
PermissionDenied with a sentence fit for the person.
"""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.db.models import Model

from adminkit.permissions import may
from identity.models import Team, User


def rules_all(actor: User | None) -> bool:
    return actor is None or (actor.is_active and actor.is_superuser)


def reaches_team(actor: User | None, team: Team | None) -> bool:
    """Whether `team` is the actor's own or below it. What has no team is reached by those who rule all."""
    if rules_all(actor):
        return True
    if actor is None or not actor.is_active or team is None or actor.team_id is None:
        return False
    return team.pk in Team.subtree(actor.team_id)  # as stored now, not as the request began


def require_team(actor: User | None, team: Team | None) -> None:
    if not reaches_team(actor, team):
        raise PermissionDenied("That team is not yours to change.")


def require_user(actor: User | None, user: User) -> None:
    """Changing somebody: a person may not be changed by those with less power than they have."""
    if rules_all(actor):
        return
    if user.is_superuser or not reaches_team(actor, user.team):
        raise PermissionDenied("That account is not yours to change.")


def require_key_power(actor: User | None, owner: User) -> None:
    """Issuing or rotating a key: it carries all that its owner may do, so it takes the owner or somebody above.

    A member of staff does not make keys for another one: such a key would open the other's management API.
    """
    if rules_all(actor) or (actor == owner and owner.is_active):
        return
    if owner.is_superuser or owner.is_staff or not reaches_team(actor, owner.team):
        raise PermissionDenied("You can't make a key for this owner.")


def require_grantor(actor: User | None, obj: Model) -> None:
    """A grant never exceeds its grantor: whoever gives the use of something is entitled to change it."""
    if rules_all(actor):
        return
    if actor is None or not actor.is_staff or not may(actor, "change", obj):
        raise PermissionDenied("Only who may change it can grant its use.")
