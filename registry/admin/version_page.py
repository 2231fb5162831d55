"""The page of one version: what it is, what it changes, and what may be done with it next."""

from __future__ import annotations

from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse

from adminkit.markup import render
from adminkit.pages import page
from adminkit.permissions import may
from registry import hidden
from registry.admin.difference import shown_difference, shown_findings
from registry.choices import Decision, VersionState
from registry.models import AgentVersion, Review, ServerVersion, SkillVersion, Version
from registry.review import content

SHOWN = 200
"""Tools and files that are listed in full on the page."""


def view(admin: Any, request: HttpRequest, object_id: str, version_id: int) -> TemplateResponse:
    item = admin.get_object(request, object_id)
    version = item.versions.filter(pk=version_id).first()
    if version is None:
        raise Http404
    is_live = version.pk == item.live_version_id
    looked = Review()
    if not is_live:
        content.describe(looked, version)
    return page(
        admin,
        request,
        "registry/version.html",
        title=f"{item.label} {version.version}",
        media=admin.media,
        item=item,
        version=version,
        is_live=is_live,
        word=admin.word,
        facts=_facts(version),
        do_url=reverse(f"{admin.admin_site.name}:registry_{item._meta.model_name}_do", args=(item.pk,)),
        back=admin.url_of(item.pk),
        review=_pending(version),
        may_change=may(request.user, "change", item),
        may_publish=bool(getattr(request.user, "is_superuser", False)) and version.state in (VersionState.DRAFT, VersionState.PENDING),
        findings=shown_findings(looked),
        parts=shown_difference(looked) if item.live_version_id and not is_live else [],
        **_content(version),
    )


def _pending(version: Version) -> Review | None:
    kind = ContentType.objects.get_for_model(version)
    return Review.objects.filter(subject_type=kind, subject_id=version.pk, decision=Decision.PENDING).first()


def _facts(version: Any) -> list[tuple[str, str]]:
    facts: list[tuple[str, Any]] = [("Digest", version.digest)]
    if isinstance(version, ServerVersion):
        told = version.identity
        facts += [
            ("Address", version.url),
            ("Calls itself", f"{told.get('name', '—')} {told.get('version', '')}".strip()),
            ("Protocol", version.era),
        ]
        facts += [("Capabilities", ", ".join(sorted(version.capabilities)) or "none")]
    elif isinstance(version, AgentVersion):
        card = version.parsed
        facts += [("Calls go to", version.url), ("Card", version.card_url), ("Protocol", f"A2A {version.protocol_version}")]
        facts += [("Capabilities", ", ".join(sorted(name for name, value in card["capabilities"].items() if value is True)) or "none")]
        facts += [("Provider", card["provider"] or "—"), ("Asks for", ", ".join(card["security"]) or "no credential")]
    elif isinstance(version, SkillVersion):
        facts += [("Files", f"{version.file_count:,}"), ("Size", f"{version.size:,} bytes"), ("Imported from", version.source or "—")]
        facts += [("Allowed tools", str(version.frontmatter.get("allowed-tools") or "none named"))]
    return [(label, hidden.reveal(str(value))) for label, value in facts]


def _content(version: Any) -> dict[str, Any]:
    if isinstance(version, ServerVersion):
        tools = list(version.definitions.all()[: SHOWN + 1])
        return {
            "tools": [_tool_row(tool) for tool in tools[:SHOWN]],
            "more": max(0, version.definitions.count() - SHOWN),
            "instructions": render(version.instructions) if version.instructions else "",
            "problems": version.problems,
        }
    if isinstance(version, AgentVersion):
        return {"agent_skills": version.parsed["skills"], "instructions": render(version.parsed["description"])}
    files = list(version.files.all()[:SHOWN])
    return {"files": files, "more": version.file_count - len(files), "body": render(version.body), "problems": version.problems}


def _tool_row(tool: Any) -> dict[str, Any]:
    schema = tool.parsed.get("inputSchema")
    schema = schema if isinstance(schema, dict) else {}
    properties = schema.get("properties")
    required = schema.get("required")
    return {
        "name": hidden.reveal(tool.name),
        "title": hidden.reveal(tool.title),
        "description": render(tool.description),
        "hints": [name.removesuffix("Hint") for name, value in tool.hints.items() if value],
        "parameters": sorted(map(str, properties)) if isinstance(properties, dict) else [],
        "required": set(map(str, required)) if isinstance(required, list) else set(),
    }
