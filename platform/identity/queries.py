"""Guarded and shared reads. Nothing here writes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from guardian.models import GroupObjectPermission, UserObjectPermission
from guardian.shortcuts import get_objects_for_user

from adminkit import permissions
from identity.models import Team, User

M = TypeVar("M", bound=Model)


def visible_to(queryset: QuerySet[M], user: Any) -> QuerySet[M]:
    """The objects that this user may see: granted to them or their teams, or owned by their team or one below it."""
    return permissions.visible(queryset, user)


def usable_by(queryset: QuerySet[M], user: Any) -> QuerySet[M]:
    """The objects that this user was granted the use of, directly or through a team. No exception for superusers: the
    data plane makes none either."""
    return get_objects_for_user(user, use_permission(queryset.model), klass=queryset, accept_global_perms=False, with_superuser=False)  # type: ignore[no-any-return]


def team_path(team: Team | None) -> list[Team]:
    """The team and its ancestors, up to the organization. Empty for somebody without a team."""
    path: list[Team] = []
    while team is not None:
        path.append(team)
        team = team.parent
    return path


def grantable_models() -> list[type[Model]]:
    """Models whose use can be granted: they declare a permission `use_<model>` and have a `resource_ref`."""
    return [model for model in apps.get_models() if is_grantable(model)]


def is_grantable(model: type[Model]) -> bool:
    wanted = f"use_{model._meta.model_name}"
    return hasattr(model, "resource_ref") and wanted in {codename for codename, _ in model._meta.permissions}


def use_permission(model: type[Model]) -> str:
    """`llmgateway.use_model` for llmgateway.Model. Raises ValidationError for a model whose use can't be granted."""
    if not is_grantable(model):
        raise ValidationError(f"The use of a {model._meta.verbose_name} can't be granted.")
    return permissions.codename(model, "use")


def grant_rows(subject: Team | User) -> QuerySet[Any]:
    """The stored grants of exactly this subject: guardian rows with `content_type_id` and `object_pk`."""
    if isinstance(subject, Team):
        rows: QuerySet[Any] = GroupObjectPermission.objects.filter(group_id=subject.group_id)
    else:
        rows = UserObjectPermission.objects.filter(user_id=subject.pk)
    return rows.filter(permission__codename__startswith="use_")


def grants_of(subject: Team | User) -> list[Any]:
    """The objects whose use was granted to exactly this subject, without inheritance."""
    return list(objects_behind(grant_rows(subject).values_list("content_type_id", "object_pk")).values())


def holds(subject: Team | User, obj: Model) -> bool:
    """Whether the use of `obj` was granted to exactly this subject."""
    return grant_rows(subject).filter(content_type=ContentType.objects.get_for_model(obj), object_pk=str(obj.pk)).exists()


def objects_behind(rows: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Any]:
    """Granted objects by (content type, primary key as text), one query per kind. What was deleted since is left out.

    A model whose `resource_ref` follows relations names them in `resource_relations`.
    """
    by_type: dict[int, set[str]] = {}
    for content_type, pk in rows:
        by_type.setdefault(content_type, set()).add(pk)
    found: dict[tuple[int, str], Any] = {}
    for content_type, pks in by_type.items():
        model = ContentType.objects.get_for_id(content_type).model_class()
        if model is None or not is_grantable(model):
            continue
        objects = model._base_manager.filter(pk__in=pks)
        relations: tuple[str, ...] = getattr(model, "resource_relations", ())
        for obj in objects.select_related(*relations) if relations else objects:
            found[content_type, str(obj.pk)] = obj
    return found


def grantees(obj: Model) -> list[Team | User]:
    """The subjects to which the use of `obj` was granted directly, teams first."""
    of_object = {"content_type": ContentType.objects.get_for_model(obj), "object_pk": str(obj.pk)}
    wanted = {**of_object, "permission__codename__startswith": "use_"}
    teams = Team.objects.filter(group__in=GroupObjectPermission.objects.filter(**wanted).values("group")).order_by("name")
    users = User.objects.filter(pk__in=UserObjectPermission.objects.filter(**wanted).values("user")).order_by("username")
    return [*teams, *users]
