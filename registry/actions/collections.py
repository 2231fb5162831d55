"""Collections: skills that are published together."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from identity.actions.changes import apply_values
from identity.models import Team, User
from registry import permissions
from registry.actions.writing import note
from registry.models import Collection, Skill

FIELDS = ("title", "description", "owner_team")


@transaction.atomic
def create_collection(*, actor: User | None, slug: str, owner_team: Team | None = None, **values: Any) -> Collection:
    permissions.require_add(actor, Collection, owner_team)
    collection = Collection(slug=slug, owner_team=owner_team)
    for field, value in values.items():
        if field not in FIELDS:
            raise ValidationError(f"A collection has no field {field}.")
        setattr(collection, field, value)
    collection.full_clean()
    collection.save()
    note(actor=actor, action="collection.create", target=collection, item=collection, changes={"slug": [None, slug]})
    return collection


@transaction.atomic
def update_collection(*, actor: User | None, collection: Collection, **values: Any) -> Collection:
    permissions.require_change(actor, collection)
    if "owner_team" in values and values["owner_team"] != Collection.objects.get(pk=collection.pk).owner_team:
        permissions.require_team_move(actor, values["owner_team"])
    changes = apply_values(collection, values, allowed=FIELDS)
    if changes:
        note(actor=actor, action="collection.update", target=collection, item=collection, changes=changes)
    return collection


@transaction.atomic
def add_to_collection(*, actor: User | None, collection: Collection, skill: Skill) -> bool:
    """Whoever may change both. Returns False if it was in it already."""
    permissions.require_change(actor, collection)
    permissions.require_change(actor, skill)
    if collection.skills.filter(pk=skill.pk).exists():
        return False
    collection.skills.add(skill)
    note(actor=actor, action="collection.add", target=collection, item=collection, changes={"skills": [None, skill.name]})
    return True


@transaction.atomic
def remove_from_collection(*, actor: User | None, collection: Collection, skill: Skill) -> bool:
    permissions.require_change(actor, collection)
    if not collection.skills.filter(pk=skill.pk).exists():
        return False
    collection.skills.remove(skill)
    note(actor=actor, action="collection.remove", target=collection, item=collection, changes={"skills": [skill.name, None]})
    return True


@transaction.atomic
def delete_collection(*, actor: User | None, collection: Collection) -> None:
    """The skills in it stay."""
    permissions.require_change(actor, collection)
    note(actor=actor, action="collection.delete", target=collection, item=collection, changes={"slug": [collection.slug, None]})
    collection.delete()
