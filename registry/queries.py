"""Reads that others build on: what is live, and what a toolset is made of. Nothing here writes."""

from __future__ import annotations

import hashlib

from django.db.models import QuerySet

from registry.choices import SERVED, Status
from registry.models import Agent, Server, Skill, SkillVersion, Tool, Toolset
from registry.names import TOOL_PATTERN

MAX_PUBLIC_NAME = 64
"""Longer names are refused by common clients (VS Code, Gemini CLI)."""


def live_servers() -> QuerySet[Server]:
    """Servers that callers are served: active, with a live version that was approved."""
    return Server.objects.filter(status=Status.ACTIVE, live_version__state__in=SERVED).select_related("live_version")


def live_server(slug: str) -> Server | None:
    return live_servers().filter(slug=slug).first()


def live_tools(server: Server) -> QuerySet[Tool]:
    """The tools of the live version that callers may be given, by name. None of a server that is not served."""
    if not live_servers().filter(pk=server.pk).exists():
        return Tool.objects.none()
    return Tool.objects.filter(server=server, approved=True, withheld=False).select_related("server").order_by("name")


def live_agents() -> QuerySet[Agent]:
    return Agent.objects.filter(status=Status.ACTIVE, live_version__state__in=SERVED).select_related("live_version", "identity")


def live_agent(slug: str) -> Agent | None:
    return live_agents().filter(slug=slug).first()


def live_toolset(slug: str) -> Toolset | None:
    return Toolset.objects.filter(status=Status.ACTIVE, slug=slug).first()


def installable_version(skill: Skill, version: str) -> SkillVersion | None:
    """A version that was approved, by number; `latest` is the live one. None of a skill that is not active."""
    if not skill.is_active:
        return None
    if version == "latest":
        live = skill.live_version
        return live if live is not None and live.is_served else None
    return skill.versions.filter(version=version, state__in=SERVED).first()


def toolset_members(toolset: Toolset) -> list[tuple[str, str, str]]:
    """(public name, server slug, tool name) of every tool that the toolset offers now, by public name."""
    patterns = [match for member in toolset.members if (match := TOOL_PATTERN.fullmatch(member))]
    whole = {match["server"] for match in patterns if match["tool"] == "*"}
    single = {(match["server"], match["tool"]) for match in patterns}
    tools = Tool.objects.filter(
        approved=True,
        withheld=False,
        server__slug__in={match["server"] for match in patterns},
        server__status=Status.ACTIVE,
        server__live_version__state__in=SERVED,
    ).values_list("server__slug", "name")
    return sorted((public_name(slug, name), slug, name) for slug, name in tools if slug in whole or (slug, name) in single)


def public_name(server_slug: str, tool_name: str) -> str:
    """`server_tool`, whatever else is in the toolset: a name never changes because another server joined.

    Slugs hold no underscore, so no two tools get one name. What is too long is cut and told apart by a digest.
    """
    name = f"{server_slug}_{tool_name}"
    if len(name) <= MAX_PUBLIC_NAME:
        return name
    return f"{name[: MAX_PUBLIC_NAME - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def toolsets_with(server_slug: str) -> list[Toolset]:
    """Active toolsets that hold a pattern for this server: what has to be compiled anew when the server changes."""
    return [
        toolset
        for toolset in Toolset.objects.filter(status=Status.ACTIVE)
        if any(member.partition("/")[0] == server_slug for member in toolset.members)
    ]
