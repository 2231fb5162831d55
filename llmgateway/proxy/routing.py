"""In which order deployments are tried: by priority, and within one priority by weight, without replacement."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from llmgateway.proxy.runtime import Deployment, Model

_random = random.Random()  # noqa: S311 - load sharing, not a secret


def order(model: Model, wire: str, operation: str) -> Iterator[Deployment]:
    """The model's deployments that can take a call of this wire dialect. A weight of 0 is a spare: tried only when its tier
    has nothing else left."""
    for tier in model.tiers_for(wire, operation):
        if len(tier) == 1:
            yield tier[0]
            continue
        left = list(tier)
        while len(left) > 1:
            chosen = _weighted(left)
            left.remove(chosen)
            yield chosen
        yield from left


def with_fallbacks(models: Mapping[str, Model], name: str, wire: str, operation: str) -> Iterator[Deployment]:
    """The model's own deployments, then those of its fallbacks, each model once."""
    own = models[name]
    yield from order(own, wire, operation)
    seen = {name}
    for fallback in own.record.fallbacks:
        model = models.get(fallback)
        if model is not None and fallback not in seen:
            seen.add(fallback)
            yield from order(model, wire, operation)


def _weighted(deployments: list[Deployment]) -> Deployment:
    total = sum(deployment.weight for deployment in deployments)
    if total <= 0:
        return deployments[0]
    point = _random.random() * total
    for deployment in deployments:
        point -= deployment.weight
        if point < 0:
            return deployment
    return next(deployment for deployment in reversed(deployments) if deployment.weight)
