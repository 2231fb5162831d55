"""Who may see and do what with which objects. The one rule that admin, REST and portal share.

* A superuser may do everything.
* Object permissions (django-guardian, given to a user or to a group of the user) reach the object they name. Any of
  view, change, delete or use makes it visible.
* Objects that belong to the user's team, or to a team below it, are visible; Django's model permissions say what else
  a user may do with *those*. A model permission alone never reaches an object of another team.

Models tell which team an object belongs to by `owner_team_field`, a lookup path that ends at the team's primary key.
The user model tells how far a user's team reaches by `team_scope`.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.db.models import Model, Q, QuerySet
from guardian.shortcuts import get_objects_for_user

READS = ("view", "change", "delete", "use")

M = TypeVar("M", bound=Model)


class Viewer(Protocol):
    """What these rules need to know of a user."""

    is_active: bool
    is_superuser: bool
    is_authenticated: bool
    team_scope: frozenset[int]

    def has_perm(self, perm: str, obj: Any = None) -> bool: ...


def codename(model: type[Model], verb: str) -> str:
    """`identity.change_team`: the permission's name with its app, by the concrete model."""
    options = model._meta.concrete_model._meta if model._meta.concrete_model else model._meta
    return f"{options.app_label}.{verb}_{options.model_name}"


def owner_team_field(model: type[Model]) -> str | None:
    """The lookup path from an object of this model to its team's primary key, None if objects belong to no team."""
    field: str | None = getattr(model, "owner_team_field", None)
    return field


def visible(queryset: QuerySet[M], user: Any, *, owner_field: str | None = None) -> QuerySet[M]:
    """The objects of `queryset` that this user may see."""
    if not _known(user):
        return queryset.none()
    if user.is_superuser:
        return queryset
    return queryset.filter(_granted(queryset.model, user, READS) | _own(queryset.model, user, owner_field))


def permitted(queryset: QuerySet[M], user: Any, verb: str, *, owner_field: str | None = None) -> QuerySet[M]:
    """The objects of `queryset` to which this user may do `verb` (view, change, delete, or use)."""
    if verb == "view":
        return visible(queryset, user, owner_field=owner_field)
    if not _known(user):
        return queryset.none()
    if user.is_superuser:
        return queryset
    condition = _granted(queryset.model, user, (verb,))
    if user.has_perm(codename(queryset.model, verb)):
        condition |= _own(queryset.model, user, owner_field)
    return queryset.filter(condition)


def may(user: Any, verb: str, obj: Model, *, owner_field: str | None = None) -> bool:
    """Whether this user may do `verb` to this object."""
    if _known(user) and user.is_superuser:
        return True
    stored = type(obj)._base_manager.filter(pk=obj.pk)
    return permitted(stored, user, verb, owner_field=owner_field).exists()


def _known(user: Any) -> bool:
    return user is not None and not isinstance(user, AnonymousUser) and bool(user.is_authenticated and user.is_active)


def _granted(model: type[Model], user: Any, verbs: tuple[str, ...]) -> Q:
    concrete = model._meta.concrete_model or model
    granted = get_objects_for_user(
        user,
        # Without the app's label: not every model declares every verb, and guardian insists on those it is told with one.
        [codename(model, verb).partition(".")[2] for verb in verbs],
        klass=concrete,
        any_perm=True,
        accept_global_perms=False,
        with_superuser=False,
    )
    return Q(pk__in=granted.order_by().values("pk"))


def _own(model: type[Model], user: Any, owner_field: str | None) -> Q:
    field = owner_field or owner_team_field(model)
    scope = user.team_scope
    return Q(**{f"{field}__in": scope}) if field and scope else Q(pk__in=())
