"""Servers, agents, skills and toolsets for tests, made by the same actions as everywhere else, without calling out."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

from identity.models import Team, User
from registry import actions, canonical
from registry.discovery.cards import DiscoveredCard, read_card
from registry.discovery.servers import DiscoveredServer, DiscoveredTool
from registry.models import Agent, AgentVersion, Server, ServerVersion, Skill, SkillVersion, Toolset
from tests.factories import unique
from tests.registry.archives import make_zip

FORECAST: dict[str, Any] = {
    "name": "get_forecast",
    "title": "Forecast",
    "description": "The weather of a city.",
    "inputSchema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "annotations": {"readOnlyHint": True},
}
ALERTS: dict[str, Any] = {"name": "list_alerts", "description": "Storm warnings.", "inputSchema": {"type": "object"}}


def found_server(
    *tools: dict[str, Any], url: str = "https://weather.example/mcp", version: str = "1.0.0", instructions: str = "", **info: Any
) -> DiscoveredServer:
    """What a server with these tools would have told about itself."""
    raws = [json.dumps(tool).encode() for tool in tools or (FORECAST, ALERTS)]
    return DiscoveredServer(
        url=url,
        era="2026-07-28",
        protocol_version="2026-07-28",
        info={"name": "weather", "version": version, **info},
        capabilities={"tools": {}},
        instructions=instructions,
        tools=tuple(DiscoveredTool(json.loads(raw)["name"], raw, canonical.digest(json.loads(raw))) for raw in raws),
        problems=(),
        latency_ms=3,
    )


def draft_server(*, actor: User | None = None, team: Team | None = None, slug: str | None = None, **values: Any) -> ServerVersion:
    slug = slug or unique("weather")
    found = values.pop("found", None) or found_server()
    values.setdefault("url", found.url)
    return actions.register_server(actor=actor, name=f"io.github.acme/{slug}", slug=slug, owner_team=team, found=found, **values)


def live_server(**values: Any) -> Server:
    version = actions.publish(actor=None, version=draft_server(**values))
    return Server.objects.get(pk=version.server_id)


CARD: dict[str, Any] = {
    "name": "Planner",
    "description": "Plans things.",
    "version": "1.0.0",
    "supportedInterfaces": [{"url": "https://planner.example/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
    "capabilities": {"streaming": True},
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": ["text/plain"],
    "skills": [{"id": "plan", "name": "Plan", "description": "Makes a plan.", "tags": ["planning"], "examples": ["Plan my week"]}],
}


def found_card(**changes: Any) -> DiscoveredCard:
    raw = json.dumps({**CARD, **changes}).encode()
    return read_card(raw, card_url="https://planner.example/.well-known/agent-card.json", latency_ms=3)


def draft_agent(*, actor: User | None = None, team: Team | None = None, slug: str | None = None, **values: Any) -> AgentVersion:
    values.setdefault("found", found_card())
    return actions.register_agent(actor=actor, slug=slug or unique("planner"), url="https://planner.example", owner_team=team, **values)


def live_agent(**values: Any) -> Agent:
    version = actions.publish(actor=None, version=draft_agent(**values))
    return Agent.objects.get(pk=version.agent_id)


def skill_archive(
    name: str = "pdf", *, description: str = "Reads PDF files.", version: str = "", body: str = "# PDF", **files: str
) -> io.BytesIO:
    """`files` are further files, with `__` for a slash and `_dot_` for a dot in their names."""
    metadata = f"metadata:\n  version: {version}\n" if version else ""
    document = f"---\nname: {name}\ndescription: {json.dumps(description)}\n{metadata}---\n{body}\n"
    named = {path.replace("__", "/").replace("_dot_", "."): text.encode() for path, text in files.items()}
    return make_zip({"SKILL.md": document.encode(), **named})


def draft_skill(*, actor: User | None = None, team: Team | None = None, name: str | None = None, **values: Any) -> SkillVersion:
    discoverable = values.pop("discoverable", False)
    archive = skill_archive(name or unique("pdf"), **values)
    return actions.register_skill(actor=actor, source=archive, filename="upload.zip", owner_team=team, discoverable=discoverable)


def live_skill(**values: Any) -> Skill:
    version = actions.publish(actor=None, version=draft_skill(**values))
    return Skill.objects.get(pk=version.skill_id)


def toolset(
    members: Sequence[str], *, actor: User | None = None, team: Team | None = None, slug: str | None = None, **values: Any
) -> Toolset:
    return actions.create_toolset(actor=actor, slug=slug or unique("desk"), members=list(members), owner_team=team, **values)
