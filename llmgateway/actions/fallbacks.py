"""Fallback chains: which models are tried, in order, when every deployment of a model failed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db import transaction

from audit import trail
from identity.models import User
from llmgateway.models import Fallback, Model

MAX_FALLBACKS = 10


@transaction.atomic
def set_fallbacks(*, actor: User | None, model: Model, fallbacks: Sequence[str]) -> list[Model]:
    """States the whole chain by model names, first tried first. Unknown names and cycles are refused."""
    # All chains are one graph: two writers who each close one half of a circle must not pass each other.
    list(Model.objects.select_for_update().order_by("pk").values_list("pk", flat=True))
    targets = _targets(model, fallbacks)
    _refuse_cycles(model, targets)
    before = list(model.fallback_steps.values_list("target__name", flat=True))
    changes = trail.diff({"fallbacks": before}, {"fallbacks": [target.name for target in targets]})
    if changes:
        model.fallback_steps.all().delete()
        Fallback.objects.bulk_create(Fallback(model=model, target=target, position=at) for at, target in enumerate(targets))
        trail.record(actor=actor, action="llmgateway.model.fallbacks", target=model, changes=changes)
    return targets


def _targets(model: Model, names: Sequence[str]) -> list[Model]:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise ValidationError({"fallbacks": "Expected a list of model names."})
    if len(names) > MAX_FALLBACKS:
        raise ValidationError({"fallbacks": f"At most {MAX_FALLBACKS} fallbacks."})
    found = {row.name: row for row in Model.objects.filter(name__in=names)}
    problems = [f"There is no model '{name}'." for name in names if name not in found]
    problems += [f"'{name}' is listed twice." for name in sorted(set(names)) if names.count(name) > 1]
    if model.name in names:
        problems.append("A model can't fall back to itself.")
    if problems:
        raise ValidationError({"fallbacks": problems})
    return [found[name] for name in names]


def _refuse_cycles(model: Model, targets: Sequence[Model]) -> None:
    steps: dict[int, list[int]] = defaultdict(list)
    for source, target in Fallback.objects.exclude(model=model).values_list("model_id", "target_id"):
        steps[source].append(target)
    for first in targets:
        path = _path(steps, first.pk, model.pk)
        if path:
            names = Model.objects.in_bulk(path)
            chain = " → ".join([model.name, *(names[pk].name for pk in path)])
            raise ValidationError({"fallbacks": f"That is a circle: {chain}."})


def _path(steps: dict[int, list[int]], start: int, goal: int) -> list[int]:
    """The models from `start` to `goal` along the chains, empty when there is no way."""
    came_from: dict[int, int | None] = {start: None}
    queue = [start]
    for at in queue:
        if at == goal:
            path: list[int] = []
            step: int | None = at
            while step is not None:
                path.append(step)
                step = came_from[step]
            return path[::-1]
        for following in steps.get(at, []):
            if following not in came_from:
                came_from[following] = at
                queue.append(following)
    return []
