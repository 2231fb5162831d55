from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from audit import trail
from identity import guards
from identity.models import Role, User

TEAM_PREFIX = "team:"


@transaction.atomic
def create_role(*, actor: User | None, name: str, permissions: Iterable[Permission] = ()) -> Role:
    _require(actor)
    role = Role(name=name)
    _check_name(role)
    role.save()
    role.permissions.set(permissions)
    trail.record(actor=actor, action="identity.role.create", target=role, changes={"permissions": [[], _told(role)]})
    return role


@transaction.atomic
def update_role(*, actor: User | None, role: Role, name: str | None = None, permissions: Iterable[Permission] | None = None) -> Role:
    """What is None stays as it is. Whoever holds the role has the new permissions at once."""
    _require(actor)
    stored = Role.objects.get(pk=role.pk)
    before = {"name": stored.name, "permissions": _told(stored)}
    if name is not None:
        role.name = name
        _check_name(role)
        role.save(update_fields=["name"])
    if permissions is not None:
        role.permissions.set(permissions)
    changes = trail.diff(before, {"name": role.name, "permissions": _told(role)})
    if changes:
        trail.record(actor=actor, action="identity.role.update", target=role, changes=changes)
    return role


@transaction.atomic
def delete_role(*, actor: User | None, role: Role) -> None:
    _require(actor)
    holders = sorted(role.user_set.values_list("username", flat=True))
    changes = {"permissions": [_told(role), []], "holders": [holders, []]}
    trail.record(actor=actor, action="identity.role.delete", target=role, changes=changes)
    role.delete()


@transaction.atomic
def give_roles(*, actor: User | None, user: User, roles: Iterable[Role]) -> None:
    """These roles and no others."""
    _require(actor)
    if user.kind != User.Kind.PERSON:
        raise ValidationError("Roles are for people: programs call the gateways by their grants.")
    held = {role.pk: role for role in Role.objects.filter(user=user)}
    wanted = {role.pk: role for role in roles}
    if set(held) == set(wanted):
        return
    user.groups.remove(*(set(held) - set(wanted)))
    user.groups.add(*(set(wanted) - set(held)))
    changes = {"roles": [sorted(str(role) for role in held.values()), sorted(str(role) for role in wanted.values())]}
    trail.record(actor=actor, action="identity.user.give_roles", target=user, changes=changes)


def _require(actor: User | None) -> None:
    if not guards.rules_all(actor):
        raise PermissionDenied("Only a superuser decides what roles may do and who has them.")


def _check_name(role: Role) -> None:
    if role.name.startswith(TEAM_PREFIX):
        raise ValidationError({"name": f"Names that start with {TEAM_PREFIX} are those of teams."})
    role.full_clean()


def _told(role: Group) -> list[str]:
    names = role.permissions.values_list("content_type__app_label", "codename")
    return sorted(f"{app}.{codename}" for app, codename in names)
