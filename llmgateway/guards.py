"""What people may do beyond what `adminkit.permissions` says: where providers reach, and what models are connected to.

Actions do not ask who is allowed; the admin and the REST API ask here before they call them. What a person can't see is
answered as what does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError

from adminkit.permissions import permitted, visible
from identity.models import Team
from llmgateway.models import Model, Provider


def acting(request: Any) -> Any:
    """Who acts through a request of the admin or the API, which both refuse anonymous people before anything else."""
    return request.user


def may_add_providers(user: Any) -> bool:
    """A provider belongs to no team: whoever adds one without ruling the house could not even see it afterwards."""
    return bool(user.is_active and user.is_superuser)


def check_reach(user: Any, provider: Provider, fields: Mapping[str, Any]) -> None:
    """Raises ValidationError when the change would let a provider reach into the house's own network, or elsewhere in it,
    and the user does not rule the house: this is how a request would be sent where its sender can't go."""
    if user.is_superuser:
        return
    allowed = fields.get("allow_private_network", provider.allow_private_network)
    if allowed and not provider.allow_private_network:
        raise ValidationError({"allow_private_network": "Only a platform admin opens the private network to a provider."})
    if allowed and fields.get("base_url", provider.base_url) != provider.base_url:
        raise ValidationError({"base_url": "Only a platform admin moves a provider within the private network."})


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


def import_terms(user: Any, names: Sequence[str], *, prefix: str, join: bool) -> dict[str, Any]:
    """How this user's picks are registered, as `actions.import_models` takes it: a platform admin's models belong to the
    platform, anybody else's to their team. Raises ValidationError for models to join that are not theirs to change."""
    if user.is_superuser:
        return {"prefix": prefix, "join": join, "owner_team": None}
    check_owner(user, user.team)
    if join:
        present = Model.objects.filter(name__in=[f"{prefix}{name}" for name in names])
        mine = permitted(present, user, "change").values("pk")
        if others := list(present.exclude(pk__in=mine).order_by("name").values_list("name", flat=True)):
            raise ValidationError({"join": [f"'{name}' is not yours to change." for name in others]})
    return {"prefix": prefix, "join": join, "owner_team": user.team}


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
