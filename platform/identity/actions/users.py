from __future__ import annotations

from typing import Any, TypeVar

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from audit import trail
from identity import guards, membership
from identity.actions.changes import apply_values, created_changes
from identity.models import AgentIdentity, ServiceAccount, Team, User

U = TypeVar("U", bound=User)

PERSON_FIELDS = ("username", "email", "first_name", "last_name", "team", "is_staff", "is_superuser", "is_active")


@transaction.atomic
def create_user(*, actor: User | None, username: str, team: Team | None = None, password: str | None = None, **values: Any) -> User:
    """A person. Without a password (for single sign-on) nobody can log in with one. `values` are the other PERSON_FIELDS."""
    guards.require_team(actor, team)
    _require_flags(actor, values)
    user = User(username=username, team=team, kind=User.Kind.PERSON)
    for name, value in values.items():
        if name not in PERSON_FIELDS:
            raise ValidationError(f"A user has no field {name}.")
        setattr(user, name, value)
    if password is None:
        user.set_unusable_password()
    else:
        validate_password(password, user)
        user.set_password(password)
    return _add(actor, user, action="identity.user.create")


@transaction.atomic
def create_service_account(*, actor: User | None, name: str, team: Team | None) -> ServiceAccount:
    guards.require_team(actor, team)
    account = ServiceAccount(username=name, team=team, kind=User.Kind.SERVICE_ACCOUNT)
    account.set_unusable_password()
    return _add(actor, account, action="identity.service_account.create")


@transaction.atomic
def create_agent_identity(*, actor: User | None, name: str, team: Team | None) -> AgentIdentity:
    guards.require_team(actor, team)
    identity = AgentIdentity(username=name, team=team, kind=User.Kind.AGENT)
    identity.set_unusable_password()
    return _add(actor, identity, action="identity.agent_identity.create")


@transaction.atomic
def update_user(*, actor: User | None, user: User, **values: Any) -> User:
    """Set any of PERSON_FIELDS of a person; username, team and is_active of a service account or agent identity.

    Deactivating takes effect at once: sessions end and the owner's keys are no longer published.
    """
    stored = User.objects.get(pk=user.pk)
    guards.require_user(actor, stored)
    changed = {name: value for name, value in values.items() if getattr(stored, name, None) != value}
    _require_flags(actor, changed)
    if "team" in changed:
        guards.require_team(actor, changed["team"])
    allowed = PERSON_FIELDS if stored.kind == User.Kind.PERSON else ("username", "team", "is_active")
    changes = apply_values(user, values, allowed=allowed)
    if "team" in changes:
        membership.sync_user(user)
    if changes:
        trail.record(actor=actor, action=f"identity.{_word(user)}.update", target=user, changes=changes)
    return user


@transaction.atomic
def set_password(*, actor: User | None, user: User, password: str) -> None:
    """Raises ValidationError for a weak password. Ends the other sessions of this person."""
    if user.kind != User.Kind.PERSON:
        raise PermissionDenied("Only people have passwords.")
    if actor != user:
        guards.require_user(actor, user)
    validate_password(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    trail.record(actor=actor, action="identity.user.set_password", target=user, changes={"password": [True, True]})


def _add(actor: User | None, user: U, *, action: str) -> U:
    user.full_clean(exclude=["password"])
    user.save()
    membership.sync_user(user)
    trail.record(actor=actor, action=action, target=user, changes=created_changes(user, PERSON_FIELDS))
    return user


def _require_flags(actor: User | None, values: dict[str, Any]) -> None:
    """Power is given by those who have it: only a superuser makes superusers, only staff makes staff."""
    if guards.rules_all(actor):
        return
    if "is_superuser" in values:
        raise PermissionDenied("Only a superuser can make or unmake superusers.")
    if "is_staff" in values and not (actor and actor.is_staff):
        raise PermissionDenied("Only staff can make or unmake staff.")


def _word(user: User) -> str:
    return {User.Kind.PERSON: "user", User.Kind.SERVICE_ACCOUNT: "service_account", User.Kind.AGENT: "agent_identity"}[User.Kind(user.kind)]
