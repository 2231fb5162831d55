"""What people may connect a model to: providers and models that they can see, or that the model is connected to already.

Actions do not ask who is allowed; the admin and the REST API ask here before they call them. What a person can't see is
answered as what does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError

from adminkit.permissions import visible
from identity.models import Team
from llmgateway.models import Model, Provider


def check_deployments(user: Any, model: Model | None, deployments: Sequence[Mapping[str, Any]]) -> None:
    """Raises ValidationError naming providers that are not there for this user.

    A deployment at a provider that the user can't see may stay as it is, but another of that provider's models may not
    be put in its place: the credential behind it was lent for this one.
    """
    names = {name for entry in deployments if (name := _provider_name(entry))}
    seen = set(visible(Provider.objects.filter(name__in=names), user).values_list("name", flat=True))
    present = set() if model is None else set(model.deployments.values_list("provider__name", "upstream_model"))
    problems = [
        f"Deployment {number}: there is no provider '{name}'."
        for number, entry in enumerate(deployments, start=1)
        if (name := _provider_name(entry)) and name not in seen and (name, entry.get("model")) not in present
    ]
    if problems:
        raise ValidationError({"deployments": problems})


def check_fallbacks(user: Any, model: Model | None, fallbacks: Sequence[str]) -> None:
    """Raises ValidationError naming models that are not there for this user."""
    names = {name for name in fallbacks if isinstance(name, str)}
    seen = set(visible(Model.objects.filter(name__in=names), user).values_list("name", flat=True))
    if model is not None:
        seen |= set(model.fallback_steps.values_list("target__name", flat=True))
    if missing := sorted(names - seen):
        raise ValidationError({"fallbacks": [f"There is no model '{name}'." for name in missing]})


def check_owner(user: Any, team: Team | None) -> None:
    """Raises ValidationError when the model would belong to nobody, or to others, than this user answers for."""
    if user.is_superuser or (team is not None and team.pk in user.team_scope):
        return
    raise ValidationError({"owner_team": "Choose your own team or one below it: only a platform admin registers models for others."})


def _provider_name(entry: Any) -> str:
    """The name that an entry states, "" when it states none; what else is wrong with it is for the action to say."""
    named = entry.get("provider") if isinstance(entry, Mapping) else None
    if isinstance(named, Provider):
        return named.name
    return named if isinstance(named, str) else ""
