"""What the page of an item shows, by its kind."""

from __future__ import annotations

from typing import Any

from adminkit.markup import render
from registry import hidden, queries
from registry.catalog import Entry
from registry.catalog.grants import Held
from registry.catalog.index import state_of
from registry.choices import SERVED
from registry.models import Agent, Server, Skill, Tool, Toolset

TOOLS_SHOWN = 300
VERSIONS_SHOWN = 20


def content(user: Any, held: Held, entry: Entry) -> dict[str, Any]:
    """Context of templates/portal/item.html beside what all kinds have."""
    match entry.target:
        case Server():
            return _server(user, held, entry.target)
        case Toolset():
            return _toolset(held, entry.target)
        case Agent():
            return _agent(held, entry.target)
        case Skill():
            return _skill(held, entry.target)
    return {
        "description": render(entry.description),
        "facts": entry.facts,
        "usable": held.reaches(entry.target),
        "served": entry.state == "live",
    }


def _common(held: Held, item: Any) -> dict[str, Any]:
    live = getattr(item, "live_version", None)
    served = state_of(item) in {"live", "deprecated"}
    return {
        "item": item,
        "live": live,
        "served": served,
        "usable": held.reaches(item),
        "versions": item.versions.filter(state__in=SERVED).order_by("-id")[:VERSIONS_SHOWN] if live is not None else (),
        "warning": _warning(item, live),
    }


def _warning(item: Any, live: Any) -> str:
    """What everybody who looks at it should know first, "" for nothing."""
    if not item.is_active:
        return f"{item.get_status_display()}: {item.status_reason}"
    if live is not None and live.state == "deprecated":
        return f"Deprecated: {live.reason}"
    return ""


def _server(user: Any, held: Held, server: Server) -> dict[str, Any]:
    common = _common(held, server)
    tools = list(queries.live_tools(server)[:TOOLS_SHOWN]) if common["served"] else []
    own = held.tools_of(server)
    everything = user.is_superuser or server.owner_team_id in user.team_scope or server.discoverable or common["usable"]
    shown = [tool for tool in tools if everything or tool.pk in own]
    instructions = server.live_version.instructions if server.live_version else ""
    return {
        **common,
        "description": render(server.description),
        "facts": _facts(server),
        "instructions": render(instructions) if instructions and everything else "",
        "tools": [_tool(tool, usable=common["usable"] or tool.pk in own) for tool in shown],
        "usable": common["usable"] or bool(own),
        "partly": bool(own) and not common["usable"],
    }


def _facts(server: Server) -> tuple[tuple[str, str], ...]:
    facts = [("Registry name", server.name)]
    if server.live_version is not None:
        facts.append(("Version", server.live_version.version))
    return (*facts, ("Answers", server.get_health_display().lower()))


def _tool(tool: Tool, *, usable: bool, public: str = "") -> dict[str, Any]:
    schema = tool.parsed.get("inputSchema")
    schema = schema if isinstance(schema, dict) else {}
    properties = schema.get("properties")
    required = schema.get("required")
    return {
        "name": hidden.reveal(public or tool.name),
        "raw_name": tool.name,
        "title": hidden.reveal(tool.title),
        "description": render(tool.description),
        "hints": [name.removesuffix("Hint") for name, value in tool.hints.items() if value],
        "price": tool.price_text,
        "usable": usable,
        "parameters": _parameters(properties, required),
    }


def _parameters(properties: Any, required: Any) -> list[dict[str, Any]]:
    if not isinstance(properties, dict):
        return []
    needed = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
    rows = []
    for name, schema in properties.items():
        schema = schema if isinstance(schema, dict) else {}
        kind, description = schema.get("type"), schema.get("description")
        rows.append(
            {
                "name": hidden.reveal(name),
                "type": kind if isinstance(kind, str) else "any",
                "required": name in needed,
                "description": hidden.reveal(description)[:300] if isinstance(description, str) else "",
            }
        )
    return sorted(rows, key=lambda row: not row["required"])


def _toolset(held: Held, toolset: Toolset) -> dict[str, Any]:
    common = _common(held, toolset)
    members = queries.toolset_members(toolset) if common["served"] else []
    rows = {
        (tool.server.slug, tool.name): tool
        for tool in Tool.objects.filter(server__slug__in={slug for _, slug, _ in members}).select_related("server")
    }
    return {
        **common,
        "description": render(toolset.description),
        "facts": (("Tools", str(len(members))),),
        "tools": [_tool(rows[slug, name], usable=common["usable"], public=public) for public, slug, name in members[:TOOLS_SHOWN]],
    }


def _agent(held: Held, agent: Agent) -> dict[str, Any]:
    card = agent.live_version.parsed if agent.live_version else {}
    facts = []
    if card:
        facts = [("Version", agent.live_version.version if agent.live_version else ""), ("Provider", card["provider"] or "not named")]
        facts += [("Takes", ", ".join(card["input_modes"]) or "not told"), ("Gives", ", ".join(card["output_modes"]) or "not told")]
        facts += [("Streams", "yes" if card["capabilities"].get("streaming") is True else "no")]
    facts += [
        ("Price per call", agent.price_text or "none"),
        ("Answers", agent.get_health_display().lower()),
    ]
    if agent.sponsor is not None:
        facts.append(("Sponsor", str(agent.sponsor)))
    return {
        **_common(held, agent),
        "description": render(agent.description or str(card.get("description", ""))),
        "facts": tuple((label, hidden.reveal(value)) for label, value in facts),
        "agent_skills": [
            {**skill, "name": hidden.reveal(skill["name"]), "description": render(skill["description"])} for skill in card.get("skills", [])
        ],
    }


def _skill(held: Held, skill: Skill) -> dict[str, Any]:
    common = _common(held, skill)
    version = skill.live_version
    if version is None:
        return {**common, "description": render(skill.description), "facts": ()}
    front = version.frontmatter
    facts = [
        ("Version", version.version),
        ("License", str(front.get("license") or "not told")),
        ("Allowed tools", str(front.get("allowed-tools") or "none")),
    ]
    facts += [("Works with", str(front["compatibility"]))] if front.get("compatibility") else []
    collections = ", ".join(skill.collections.values_list("slug", flat=True))
    facts += [("Collections", collections)] if collections else []
    readable = common["usable"] or skill.discoverable or held.user.is_superuser or skill.owner_team_id in held.user.team_scope
    return {
        **common,
        "description": render(skill.description),
        "facts": tuple((label, hidden.reveal(value)[:300]) for label, value in facts),
        "files": list(version.files.all()[:200]) if readable else (),
        "body": render(version.body) if readable else "",
        "version": version.version,
    }
