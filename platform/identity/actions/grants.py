from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model
from guardian.shortcuts import assign_perm, remove_perm

from audit import trail
from identity import guards
from identity.models import Team, User
from identity.queries import grantees, grants_of, holds, use_permission

Subject = Team | User


@transaction.atomic
def grant(*, actor: User | None, to: Subject, obj: Any, perm: str | None = None) -> bool:
    """Let a team (with all below it) or one account use `obj`. Returns False if it was granted already.

    `perm` is `use_<kind>` and may be left out. `obj` has a `resource_ref`.
    """
    guards.require_grantor(actor, obj)
    codename = _codename(obj, perm)
    if holds(to, obj):
        return False
    assign_perm(codename, _holder(to), obj)
    _record(actor, to, obj, action="identity.grant.give", changes={"grant": [None, obj.resource_ref]})
    return True


@transaction.atomic
def withdraw(*, actor: User | None, to: Subject, obj: Any, perm: str | None = None) -> bool:
    """Take back what was granted to exactly this subject. Returns False if it was not. What is inherited stays."""
    guards.require_grantor(actor, obj)
    codename = _codename(obj, perm)
    if not holds(to, obj):
        return False
    remove_perm(codename, _holder(to), obj)
    _record(actor, to, obj, action="identity.grant.withdraw", changes={"grant": [obj.resource_ref, None]})
    return True


@transaction.atomic
def withdraw_all(*, actor: User | None, obj: Any) -> int:
    """Take back every grant on `obj`; called before it is deleted. Returns how many there were."""
    subjects = grantees(obj)
    for subject in subjects:
        withdraw(actor=actor, to=subject, obj=obj)
    return len(subjects)


@transaction.atomic
def withdraw_from(*, actor: User | None, to: Subject) -> int:
    """Take back everything that was granted to exactly this subject; called before it is deleted."""
    held = grants_of(to)
    for obj in held:
        remove_perm(use_permission(type(obj)), _holder(to), obj)
        _record(actor, to, obj, action="identity.grant.withdraw", changes={"grant": [obj.resource_ref, None]})
    return len(held)


def _codename(obj: Model, perm: str | None) -> str:
    expected = use_permission(type(obj))
    if perm is not None and perm.rpartition(".")[2] != expected.rpartition(".")[2]:
        raise ValidationError(f"A grant on this is {expected}, not {perm}.")
    return expected


def _holder(to: Subject) -> Any:
    return to.group if isinstance(to, Team) else to


def _record(actor: User | None, to: Subject, obj: Any, *, action: str, changes: dict[str, list[Any]]) -> None:
    trail.record(actor=actor, action=action, target=to, changes=changes, extra={"subject": to.ref, "resource": obj.resource_ref})
