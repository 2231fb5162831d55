"""Registering agents and following what their cards become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from identity import actions as identity
from identity.models import User
from registry import permissions
from registry.actions import health
from registry.actions.credentials import store_credential
from registry.actions.drafts import existing, replace_unseen, submit_found
from registry.actions.writing import note, update_item
from registry.addresses import clean_url
from registry.catalog import index
from registry.credentials import clean_secret
from registry.discovery.asking import ask_agent
from registry.discovery.cards import DiscoveredCard, discover_card
from registry.errors import DiscoveryError
from registry.models import Agent, AgentVersion
from registry.names import VERSION, VERSION_LENGTH, revision_of

FIELDS = ("name", "description", "owner_team", "sponsor", "discoverable", "price", "allow_private_network")


def register_agent(
    *, actor: User | None, version: str = "", credential: str | None = None, found: DiscoveredCard | None = None, **values: Any
) -> AgentVersion:
    """An agent with its first version, a draft, and a principal under which it calls. Fetches its card unless `found` is it.

    `values` are slug, url and any of credential_header and FIELDS. Raises DiscoveryError too.
    """
    agent = _planned(actor, values)
    secret = clean_secret(credential, header=agent.credential_header) if credential else None
    if found is None:
        found = _asked(agent, secret)
    with transaction.atomic():
        agent.name = agent.name or found.parsed["name"]
        agent.identity = identity.create_agent_identity(actor=actor, name=_principal_name(agent.slug), team=agent.owner_team)
        agent.save()
        if secret:
            store_credential(agent, secret)
        note(actor=actor, action="agent.register", target=agent, item=agent, changes={"slug": [None, agent.slug], "url": [None, agent.url]})
        health.store(agent, ok=True, latency_ms=found.latency_ms, digest=found.digest)
        return _store(actor, agent, found, version=version)


def look_at_agent(*, actor: User | None, credential: str | None = None, **values: Any) -> DiscoveredCard:
    """The card of an agent that is about to be registered, under the same checks as `register_agent`. Writes nothing."""
    agent = _planned(actor, values)
    secret = clean_secret(credential, header=agent.credential_header) if credential else None
    return _asked(agent, secret)


def _asked(agent: Agent, secret: str | None) -> DiscoveredCard:
    headers = {agent.credential_header: secret} if secret else {}
    return discover_card(agent.url, allow_private=agent.allow_private_network, headers=headers)


def _planned(actor: User | None, values: Mapping[str, Any]) -> Agent:
    """The agent as it would be saved. Everything is checked before anybody is called."""
    permissions.require_add(actor, Agent, values.get("owner_team"))
    agent = Agent()
    for field, value in values.items():
        if field not in (*FIELDS, "slug", "url", "credential_header"):
            raise ValidationError(f"An agent has no field {field}.")
        setattr(agent, field, value)
    agent.credential_header = agent.credential_header.lower()
    if agent.allow_private_network:
        permissions.require_private_network(actor)
    agent.url = clean_url(agent.url, allow_private=agent.allow_private_network)
    agent.full_clean(exclude=["live_version", "identity"])
    return agent


def _principal_name(slug: str) -> str:
    """The slug, or a name beside it when a person or a service account is called so already."""
    return f"{slug}-agent" if User.objects.filter(username=slug).exists() else slug


@transaction.atomic
def update_agent(*, actor: User | None, agent: Agent, **values: Any) -> Agent:
    """Set any of FIELDS. The address is part of what is reviewed: propose it with `new_agent_version`."""
    if values.get("allow_private_network") and not Agent.objects.get(pk=agent.pk).allow_private_network:
        permissions.require_private_network(actor)
    changes = update_item(agent, actor=actor, action="agent.update", values=values, allowed=FIELDS)
    if "owner_team" in changes and agent.identity is not None:
        identity.update_user(actor=None, user=agent.identity, team=agent.owner_team)
    return agent


def new_agent_version(
    *, actor: User | None, agent: Agent, url: str | None = None, version: str = "", found: DiscoveredCard | None = None
) -> AgentVersion:
    """A draft of the card as it is now, at its address or at another `url`. Nothing changes for callers.

    Returns the version that has this content already, if there is one. Raises DiscoveryError.
    """
    permissions.require_change(actor, agent)
    target = clean_url(url, allow_private=agent.allow_private_network) if url else None
    if found is None:
        found = ask_agent(agent, url=target)
    with transaction.atomic():
        return _store(actor, agent, found, version=version)


def refresh_agent(*, actor: User | None, agent: Agent, found: DiscoveredCard | None = None) -> AgentVersion | None:
    """Fetches the card again. What changed becomes a version that waits for review and is live for nobody.

    Returns that version when it is new, None when nothing changed. Raises DiscoveryError after noting the miss.
    """
    if actor is not None:
        permissions.require_change(actor, agent)
    if found is None:
        try:
            found = ask_agent(agent)
        except DiscoveryError as error:
            health.record_health(item=agent, ok=False, error=str(error))
            raise
    with transaction.atomic():
        agent = Agent.objects.select_for_update(of=("self",)).get(pk=agent.pk)
        health.store(agent, ok=True, latency_ms=found.latency_ms, digest=found.digest)
        if existing(agent, found.digest) is not None:
            return None
        replace_unseen(actor, agent)
        version = _store(actor, agent, found, by_refresh=True)
        submit_found(version)
        version.refresh_from_db()
        return version


def _store(actor: User | None, agent: Agent, found: DiscoveredCard, *, version: str = "", by_refresh: bool = False) -> AgentVersion:
    known = existing(agent, found.digest)
    if known is not None:
        return known  # type: ignore[return-value]
    number = _number(agent, found, version)
    stored = AgentVersion(
        agent=agent,
        version=number,
        digest=found.digest,
        card=found.raw,
        card_url=found.card_url,
        parsed=found.parsed,
        url=found.url,
        protocol_version=found.protocol_version,
        created_by=actor,
        found_by_refresh=by_refresh,
    )
    stored.save()
    changes: dict[str, list[Any]] = {"version": [None, number], "digest": [None, found.digest], "url": [None, found.url]}
    note(actor=actor, action="agent.version", target=stored, item=agent, changes=changes, found_by_refresh=by_refresh)
    if agent.live_version_id is None:
        index.refresh(agent)
    return stored


def _number(agent: Agent, found: DiscoveredCard, wanted: str) -> str:
    taken = set(agent.versions.values_list("version", flat=True))
    if wanted:
        VERSION(wanted)
        VERSION_LENGTH(wanted)
        if wanted in taken:
            raise ValidationError({"version": f"Version {wanted} exists already with other content."})
        return wanted
    return revision_of(found.version or "0.0.0", taken)
