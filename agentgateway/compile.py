"""The sections `a2a:<slug>`: an agent as callers are served it, with the card that was approved.

An agent that is not active or has no approved version has no section, and so does not exist to callers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dataplane.money import to_text
from dataplane.snapshot import AgentRecord, encode
from registry import queries
from registry.models import Agent, AgentVersion

if TYPE_CHECKING:
    from audit.models import AuditEvent

PREFIX = "a2a:"
PREFIXES = (PREFIX,)

_NOT_PUBLISHED = frozenset(
    {"register", "version", "version_dropped", "health", "submit", "withdraw", "reopen", "approve", "reject", "deprecate"}
)
"""What happens to an agent's versions before one goes live, and to its health: callers are served the same."""


def sections_for(event: AuditEvent) -> set[str]:
    app, _, rest = event.action.partition(".")
    kind, _, slug = str(event.extra.get("resource", "")).partition(":")
    if app != "registry" or kind != "agent" or rest.partition(".")[2] in _NOT_PUBLISHED:
        return set()
    return {PREFIX + slug}


def all_sections() -> Iterable[str]:
    return [PREFIX + slug for slug in queries.live_agents().values_list("slug", flat=True)]


def compile_section(name: str) -> bytes | None:
    """None where no agent is served at the slug."""
    agent = queries.live_agent(name.removeprefix(PREFIX))
    if agent is None or agent.live_version is None:
        return None
    return encode(_agent(agent, agent.live_version))


def _agent(agent: Agent, live: AgentVersion) -> AgentRecord:
    return AgentRecord(
        id=agent.pk,
        slug=agent.slug,
        name=agent.label,
        url=live.url,
        card=bytes(live.card),
        credential=bytes(agent.credential) if agent.credential is not None else None,
        credential_header=agent.credential_header,
        allow_private_network=agent.allow_private_network,
        price=None if agent.price is None else to_text(agent.price),
        approved_at=live.reviewed_at.timestamp() if live.reviewed_at is not None else 0.0,
    )
