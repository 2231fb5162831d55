"""What can be granted, by its reference: `model:gpt-4o-mini`, `tool:weather/get_forecast`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ObjectDoesNotExist

from config.applying.kind import Reference
from llmgateway.models import Model
from registry.models import Agent, Server, Skill, Tool, Toolset

SECTIONS = {"model": "models", "server": "servers", "toolset": "toolsets", "agent": "agents"}


def references(ref: str) -> Iterator[Reference]:
    """What must exist for the grant to make sense. A tool is known only once its server was asked, a skill once it is read;
    both are looked up when the grant is given."""
    kind, _, name = ref.partition(":")
    if kind == "tool":
        yield Reference((), ("servers",), name.partition("/")[0])
    elif kind in SECTIONS:
        yield Reference((), (SECTIONS[kind],), name)


def find(ref: str) -> Any:
    """Raises ObjectDoesNotExist with a message for people."""
    kind, _, name = ref.partition(":")
    try:
        if kind == "tool":
            slug, _, tool = name.partition("/")
            return Tool.objects.select_related("server").get(server__slug=slug, name=tool)
        if kind in ("model", "skill"):
            return (Model if kind == "model" else Skill).objects.get(name=name)
        models: dict[str, Any] = {"server": Server, "toolset": Toolset, "agent": Agent}
        return models[kind].objects.get(slug=name)
    except ObjectDoesNotExist:
        raise ObjectDoesNotExist(f"there is no {ref}") from None
