"""Registering models out of what a provider offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.db import transaction

from identity.models import Team, User
from llmgateway.actions.deployments import set_deployments
from llmgateway.actions.models import create_model
from llmgateway.models import Deployment, Model, Provider

MAX_AT_ONCE = 500


@dataclass(slots=True)
class Imported:
    """Names of models by what became of them; `refused` maps an offered name to the reason."""

    created: list[str] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


@transaction.atomic
def import_models(
    *, actor: User | None, provider: Provider, names: Sequence[str], prefix: str = "", join: bool = False, owner_team: Team | None = None
) -> Imported:
    """Registers each offered name as a model of that name, with `prefix` before it, and one deployment at `provider`.

    A model that exists already gets the deployment added when `join` is true, else it is left as it is and refused.
    """
    if len(names) > MAX_AT_ONCE:
        raise ValidationError({"names": f"At most {MAX_AT_ONCE} models at once."})
    done = Imported()
    for offered in dict.fromkeys(names):
        name = f"{prefix}{offered}"
        deployment = {"provider": provider, "model": offered}
        try:
            with transaction.atomic():
                model = Model.objects.filter(name=name).first()
                if model is None:
                    create_model(actor=actor, name=name, deployments=[deployment], owner_team=owner_team)
                    done.created.append(name)
                elif model.deployments.filter(provider=provider, upstream_model=offered).exists():
                    done.present.append(name)
                elif join:
                    set_deployments(actor=actor, model=model, deployments=[*map(_stated, model.deployments.all()), deployment])
                    done.joined.append(name)
                else:
                    done.refused[offered] = f"A model named {name} exists already."
        except ValidationError as error:
            done.refused[offered] = " ".join(error.messages)
    return done


def _stated(row: Deployment) -> dict[str, object]:
    provider = row.provider
    return {"provider": provider, "model": row.upstream_model, "weight": row.weight, "priority": row.priority, "enabled": row.enabled}
