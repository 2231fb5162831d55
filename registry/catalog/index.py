"""Keeps the search in step with the tables. Called by the actions, inside their transactions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from django.utils import timezone

from registry.catalog import fulltext
from registry.choices import Kind, Status, VersionState
from registry.models import Agent, SearchDocument, Server, Skill, Tool, Toolset

_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKS = re.compile(r"(?m)^\s*(?:#{1,6}|[-*>]|\d+\.)\s+|\*\*|__|`")

MAX_WORDS = 100_000
"""Characters of one document's body: a long SKILL.md has thirty thousand."""


def refresh(item: Any) -> None:
    """Writes the documents of a server (and its tools), agent, skill or toolset anew."""
    row, body = _ITEMS[type(item)](item)
    document, _ = SearchDocument.objects.update_or_create(kind=item._meta.model_name, object_id=item.pk, defaults=row)
    fulltext.store({document.pk: (document.title, document.summary, body)}, names={document.pk: document.name})
    if isinstance(item, Server):
        _refresh_tools(item)


def forget(item: Any) -> None:
    """Drops the documents of an item that is about to be deleted."""
    gone = SearchDocument.objects.filter(kind=item._meta.model_name, object_id=item.pk)
    if isinstance(item, Server):
        gone = gone | SearchDocument.objects.filter(kind=Kind.TOOL, parent_id=item.pk)
    keys = list(gone.values_list("pk", flat=True))
    fulltext.drop(keys)
    SearchDocument.objects.filter(pk__in=keys).delete()


def state_of(item: Any) -> str:
    """One word for where an item stands: frozen, retired, live, deprecated, or the state of its newest version."""
    if item.status != Status.ACTIVE:
        return str(item.status)
    if isinstance(item, Toolset):
        return "live"
    live = item.live_version
    if live is not None:
        return "deprecated" if live.state == VersionState.DEPRECATED else "live"
    newest = item.versions.order_by("-id").first()
    return str(newest.state) if newest else VersionState.DRAFT.value


def _base(item: Any, summary: str) -> dict[str, Any]:
    state = state_of(item)
    return {
        "name": item.slug,
        "title": item.label[:300],
        "summary": _line(summary),
        "state": state,
        "visible": item.discoverable and state == "live",
        "team": item.owner_team,
        "updated_at": timezone.now(),
    }


def _line(text: str) -> str:
    """The first paragraph of a Markdown text, in one plain line."""
    first = next((part for part in text.split("\n\n") if part.strip(" \n#*_-=`>")), "")
    return " ".join(_MARKS.sub("", _LINK.sub(r"\1", first)).split())[:300]


def _server(server: Server) -> tuple[dict[str, Any], str]:
    version = server.live_version
    said = str(version.document.get("description", "")) if version else ""
    words = [server.name, server.description, version.instructions if version else ""]
    return _base(server, server.description or said), _joined(words)


def _agent(agent: Agent) -> tuple[dict[str, Any], str]:
    card = agent.live_version.parsed if agent.live_version else {}
    words = [agent.description, str(card.get("description", "")), str(card.get("provider", ""))]
    for skill in card.get("skills", []):
        words += [skill["name"], skill["description"], *skill["tags"], *skill["examples"]]
    return _base(agent, agent.description or str(card.get("description", ""))), _joined(words)


def _skill(skill: Skill) -> tuple[dict[str, Any], str]:
    version = skill.live_version
    words = [skill.description, str(version.frontmatter) if version else "", version.body if version else ""]
    return _base(skill, skill.description), _joined(words)


def _toolset(toolset: Toolset) -> tuple[dict[str, Any], str]:
    return _base(toolset, toolset.description), _joined([toolset.description, *toolset.members])


_ITEMS: dict[type, Callable[[Any], tuple[dict[str, Any], str]]] = {Server: _server, Agent: _agent, Skill: _skill, Toolset: _toolset}


def _joined(words: Iterable[str]) -> str:
    return "\n".join(word for word in words if word)[:MAX_WORDS]


def _refresh_tools(server: Server) -> None:
    """Only what callers can get is found: tools that are approved, offered and on a server that is served."""
    state = state_of(server)
    served = state in {"live", "deprecated"}
    offered = {tool.pk: tool for tool in Tool.objects.filter(server=server, approved=True, withheld=False)} if served else {}
    known = SearchDocument.objects.filter(kind=Kind.TOOL, parent_id=server.pk)
    stale = list(known.exclude(object_id__in=offered).values_list("pk", flat=True))
    fulltext.drop(stale)
    SearchDocument.objects.filter(pk__in=stale).delete()
    SearchDocument.objects.bulk_create(
        (_tool_document(tool, server, state) for tool in offered.values()),
        batch_size=500,
        update_conflicts=True,
        unique_fields=["kind", "object_id"],
        update_fields=["parent_id", "name", "title", "summary", "state", "visible", "team", "updated_at"],
    )
    documents = list(known.only("pk", "object_id", "name", "title", "summary"))
    texts = {one.pk: (one.title, one.summary, _tool_words(offered[one.object_id])) for one in documents}
    fulltext.store(texts, names={one.pk: one.name for one in documents})


def _tool_document(tool: Tool, server: Server, state: str) -> SearchDocument:
    return SearchDocument(
        kind=Kind.TOOL,
        object_id=tool.pk,
        parent_id=server.pk,
        name=f"{server.slug}/{tool.name}",
        title=tool.label[:300],
        summary=_line(tool.description),
        state=state,
        visible=server.discoverable and state == "live",
        team=server.owner_team,
        updated_at=timezone.now(),
    )


def _tool_words(tool: Tool) -> str:
    schema = tool.parsed.get("inputSchema")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    parameters = properties.items() if isinstance(properties, dict) else ()
    described = [f"{name} {value.get('description', '') if isinstance(value, dict) else ''}" for name, value in parameters]
    return _joined([tool.description, *described])
