"""Which things somebody may hand out, and finding a thing by its name in the data plane (`model:gpt-4o-mini`)."""

from __future__ import annotations

from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Model, Q, QuerySet

from adminkit import permissions
from identity.models import Team, User
from identity.queries import grantable_models, grants_of, is_grantable, team_path

OFFERED_AT_MOST = 1000


def grantable_by(model: type[Model], actor: User) -> QuerySet[Any]:
    """The objects of `model` whose use this actor may grant: those they may change."""
    if not actor.is_staff and not actor.is_superuser:
        return model._default_manager.none()
    objects = permissions.permitted(model._default_manager.all(), actor, "change")
    relations: tuple[str, ...] = getattr(model, "resource_relations", ())
    return objects.select_related(*relations) if relations else objects


def choices_for(actor: User) -> list[tuple[str, list[tuple[str, str]]]]:
    """What to offer in a form, by kind: (`<content type>:<pk>`, resource). At most OFFERED_AT_MOST of a kind."""
    offered = []
    for model in grantable_models():
        kind = ContentType.objects.get_for_model(model).pk
        found = [(f"{kind}:{obj.pk}", obj.resource_ref) for obj in grantable_by(model, actor)[:OFFERED_AT_MOST]]
        if found:
            offered.append((str(model._meta.verbose_name_plural).capitalize(), sorted(found, key=lambda item: item[1])))
    return offered


def object_for(choice: str, actor: User) -> Any:
    """The object behind a choice. Raises ValidationError when it is not the actor's to grant, or is nothing at all."""
    kind, _, pk = choice.partition(":")
    content_type = ContentType.objects.filter(pk=kind).first() if kind.isdecimal() else None
    model = content_type.model_class() if content_type else None
    if model is None or not is_grantable(model) or not pk.isdecimal():
        raise ValidationError("There is no such thing to grant.")
    obj = grantable_by(model, actor).filter(pk=pk).first()
    if obj is None:
        raise ValidationError("There is no such thing to grant.")
    return obj


def object_named(ref: str) -> Any:
    """The object with this `resource_ref`, whoever asks; the action decides. Raises ValidationError if there is none."""
    kind, _, name = ref.partition(":")
    for model in grantable_models():
        if model._meta.model_name == kind:
            for obj in model._default_manager.filter(_may_be_named(model, name)):
                if obj.resource_ref == ref:  # type: ignore[attr-defined]
                    return obj
    raise ValidationError(f"There is nothing named {ref}.")


def _may_be_named(model: type[Model], name: str) -> Q:
    """Narrows down by the columns that names are made of; the property itself has the last word."""
    candidates = Q(pk__in=())
    for field in ("name", "slug"):
        try:
            model._meta.get_field(field)
        except FieldDoesNotExist:
            continue
        candidates |= Q(**{f"{field}__in": {name, name.rpartition("/")[2]}})
    return candidates


def effective_grants(subject: Team | User) -> list[tuple[Any, Team | User]]:
    """Every resource that this subject may use, with the subject it was granted to: itself first, then up the tree."""
    path: list[Team | User] = [subject, *team_path(subject.parent if isinstance(subject, Team) else subject.team)]
    return [(obj, holder) for holder in path for obj in sorted(grants_of(holder), key=lambda obj: str(obj.resource_ref))]
