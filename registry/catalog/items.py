"""Finding one thing of the catalog for one person. What they may not see is not there."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from adminkit.permissions import visible
from registry.catalog.entry import Entry, sources
from registry.catalog.grants import Held
from registry.catalog.index import state_of
from registry.choices import SERVED, Kind, Status
from registry.models import Agent, Server, Skill, Tool, Toolset

_MODELS: dict[str, tuple[Any, str]] = {
    Kind.SERVER: (Server, "slug"),
    Kind.TOOLSET: (Toolset, "slug"),
    Kind.AGENT: (Agent, "slug"),
    Kind.SKILL: (Skill, "name"),
}


def find(user: Any, held: Held, kind: str, name: str) -> Entry | None:
    """The entry of this kind and name as this user may see it, None when there is none for them."""
    if kind not in _MODELS:
        return next((entry for source in sources() for entry in source(user) if (entry.kind, entry.name) == (kind, name)), None)
    model, field = _MODELS[kind]
    item = _seen(user, held, model).filter(**{field: name}).select_related("owner_team").first()
    return None if item is None else _entry(kind, item)


def find_tool(user: Any, held: Held, name: str) -> Tool | None:
    """A tool by `server/tool`, to ask for. None where its server is not for this user to see, or the tool not offered."""
    slug, _, tool_name = name.partition("/")
    server = _seen(user, held, Server).filter(slug=slug).first()
    if server is None:
        return None
    tool = Tool.objects.select_related("server").filter(server=server, name=tool_name, approved=True, withheld=False).first()
    return tool if tool is not None and tool_visible(user, held, tool) else None


def tool_visible(user: Any, held: Held, tool: Tool) -> bool:
    """A person who was given one tool of a server sees that one; who may see the server as such sees all."""
    server = tool.server
    whole = user.is_superuser or server.owner_team_id in user.team_scope or (server.discoverable and state_of(server) == "live")
    return whole or held.reaches(tool)


def _seen(user: Any, held: Held, model: Any) -> Any:
    """`visible`, and beside it what everybody may find, and servers of which a single tool was granted."""
    allowed = Q(pk__in=visible(model.objects.all(), user).order_by().values("pk"))
    offered = Q(discoverable=True, status=Status.ACTIVE)
    allowed |= offered if model is Toolset else offered & Q(live_version__state__in=SERVED)
    if model is Server and (tools := held.keys(Tool)):
        allowed |= Q(pk__in=Tool.objects.filter(pk__in=tools).values("server"))
    return model.objects.filter(allowed)


def _entry(kind: str, item: Any) -> Entry:
    return Entry(
        kind=kind,
        name=item.slug,
        title=item.label,
        ref=item.resource_ref,
        target=item,
        description=item.description,
        state=state_of(item),
        team=item.owner_team.name if item.owner_team else "",
        discoverable=item.discoverable,
        updated_at=item.updated_at,
    )
