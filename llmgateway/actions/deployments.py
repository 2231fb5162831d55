"""The deployments of a model, always stated as the whole list: what is not in it is taken away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from audit import trail
from identity.models import User
from llmgateway.models import Deployment, Model, Provider

KEYS = frozenset({"provider", "model", "weight", "priority", "enabled"})
MAX_DEPLOYMENTS = 100


@transaction.atomic
def set_deployments(*, actor: User | None, model: Model, deployments: Sequence[Mapping[str, Any]]) -> list[Deployment]:
    """Each entry: `provider` (its name, or the row), `model` (the provider's name for it), and optionally `weight` (1),
    `priority` (0), `enabled` (True). A deployment that stays keeps its row, so that what is counted by it goes on."""
    model = Model.objects.select_for_update().get(pk=model.pk)
    wanted = _wanted(model, deployments)
    present = {(row.provider_id, row.upstream_model): row for row in model.deployments.select_related("provider")}
    before = _told(present.values())
    gone = [row.pk for place, row in present.items() if place not in wanted]
    if gone:
        Deployment.objects.filter(pk__in=gone).delete()
    for place, row in wanted.items():
        if place in present:
            row.pk = present[place].pk
        row.save(force_insert=row.pk is None)
    changes = trail.diff(before, _told(wanted.values()))
    if changes:
        trail.record(actor=actor, action="llmgateway.model.deployments", target=model, changes=changes)
    return list(wanted.values())


def _wanted(model: Model, entries: Sequence[Mapping[str, Any]]) -> dict[tuple[int, str], Deployment]:
    if len(entries) > MAX_DEPLOYMENTS:
        raise ValidationError({"deployments": f"At most {MAX_DEPLOYMENTS} deployments."})
    providers = _providers(entries)
    wanted: dict[tuple[int, str], Deployment] = {}
    problems: list[str] = []
    for number, entry in enumerate(entries, start=1):
        try:
            row = _row(model, entry, providers)
        except ValidationError as error:
            problems += [f"Deployment {number}: {message}" for message in _messages(error)]
            continue
        place = (row.provider_id, row.upstream_model)
        if place in wanted:
            problems.append(f"Deployment {number}: {row} is listed twice; give it one line with the sum of the weights.")
        wanted[place] = row
    if problems:
        raise ValidationError({"deployments": problems})
    return wanted


def _providers(entries: Iterable[Mapping[str, Any]]) -> dict[str, Provider]:
    names = [name for entry in entries if isinstance(entry, Mapping) and isinstance(name := entry.get("provider"), str)]
    return {row.name: row for row in Provider.objects.filter(name__in=names)}


def _row(model: Model, entry: Mapping[str, Any], providers: Mapping[str, Provider]) -> Deployment:
    if not isinstance(entry, Mapping):
        raise ValidationError("expected an object with provider and model.")
    if unknown := sorted(map(str, set(entry) - KEYS)):
        raise ValidationError(f"unknown field {', '.join(unknown)}; expected {', '.join(sorted(KEYS))}.")
    named = entry.get("provider")
    provider = named if isinstance(named, Provider) else providers.get(str(named))
    if provider is None:
        raise ValidationError(f"there is no provider '{named}'." if named else "provider is missing.")
    row = Deployment(
        model=model,
        provider=provider,
        upstream_model=entry.get("model") or "",
        weight=entry.get("weight", 1),
        priority=entry.get("priority", 0),
        enabled=entry.get("enabled", True),
    )
    row.clean_fields(exclude=["id"])
    return row


def _messages(error: ValidationError) -> list[str]:
    if not hasattr(error, "error_dict"):
        return error.messages
    return [f"{'model' if field == 'upstream_model' else field}: {' '.join(found)}" for field, found in error.message_dict.items()]


def _told(rows: Iterable[Deployment]) -> dict[str, str]:
    """As the audit trail tells them: one entry for each, so that a change of one is not lost among the others."""
    return {f"deployment {row}": f"weight {row.weight}, priority {row.priority}{'' if row.enabled else ', disabled'}" for row in rows}
