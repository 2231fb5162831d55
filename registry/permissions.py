"""Who may do what in the registry. Asked inside actions, so that admin, REST, portal and commands are held alike.

`actor` None is the system. Refusals are PermissionDenied with a sentence fit for the person.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Model

from adminkit.permissions import codename, may
from identity.guards import reaches_team, rules_all
from identity.models import Team, User
from registry.models import AccessRequest, Review

DECIDE = "registry.decide_review"
ALLOW_PRIVATE = "registry.allow_private_network"


def require_add(actor: User | None, model: type[Model], team: Team | None) -> None:
    """Registering takes Django's permission to add, and reaches the actor's own team and those below it."""
    if rules_all(actor):
        return
    if actor is None or not actor.has_perm(codename(model, "add")) or not reaches_team(actor, team):
        raise PermissionDenied("You may register things for your own team, or for one below it, if you were given that right.")


def require_change(actor: User | None, item: Model) -> None:
    if not may_change(actor, item):
        raise PermissionDenied("This is not yours to change.")


def may_change(actor: User | None, item: Model) -> bool:
    return rules_all(actor) or may(actor, "change", item)


def require_team_move(actor: User | None, team: Team | None) -> None:
    """Handing something to a team takes reaching that team: nothing is pushed onto strangers."""
    if not reaches_team(actor, team):
        raise PermissionDenied("That team is not yours to choose.")


def require_private_network(actor: User | None) -> None:
    if not rules_all(actor) and not (actor is not None and actor.has_perm(ALLOW_PRIVATE)):
        raise PermissionDenied("Only platform admins can let the house call private addresses.")


def require_decision(actor: User | None, review: Review) -> None:
    if not may_decide(actor, review):
        raise PermissionDenied("You can't decide this: it takes the right to review, for this team, and somebody else's request.")


def may_decide(actor: User | None, review: Review) -> bool:
    """Superusers decide everything. Others need the right to, for their own part of the tree, and never decide what they
    asked for themselves. A request of access is also decided by whoever may change what it is about."""
    if rules_all(actor):
        return True
    if actor is None or not actor.is_active or review.requested_by_id == actor.pk:
        return False
    if actor.has_perm(DECIDE) and reaches_team(actor, review.owner_team):
        return True
    subject: Any = review.subject
    return isinstance(subject, AccessRequest) and actor.is_staff and subject.target is not None and may(actor, "change", subject.target)


def require_unfreeze(actor: User | None, team: Team | None) -> None:
    """Freezing is anybody's who may change the item; undoing it takes a reviewer, so that owners can't undo a quarantine."""
    if not rules_all(actor) and not (actor is not None and actor.has_perm(DECIDE) and reaches_team(actor, team)):
        raise PermissionDenied("Only a reviewer can undo this.")
