"""Registering MCP servers and following what they become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from identity.models import User
from registry import permissions
from registry.actions import health
from registry.actions.credentials import store_credential
from registry.actions.drafts import existing, replace_unseen, submit_found
from registry.actions.writing import note, update_item
from registry.addresses import clean_url
from registry.catalog import index
from registry.credentials import clean_secret
from registry.discovery.asking import ask_server
from registry.discovery.servers import DiscoveredServer, discover_server
from registry.errors import DiscoveryError
from registry.models import Server, ServerVersion, Tool, ToolDefinition, Toolset
from registry.names import VERSION, VERSION_LENGTH, revision_of

FIELDS = ("title", "description", "owner_team", "discoverable", "era", "allow_private_network")
SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"


def register_server(
    *, actor: User | None, version: str = "", credential: str | None = None, found: DiscoveredServer | None = None, **values: Any
) -> ServerVersion:
    """A server with its first version, a draft. Asks the server about itself unless `found` is what it said.

    `values` are name, slug, url and any of owner_team, credential_header and FIELDS. Raises DiscoveryError too.
    """
    server = _planned(actor, values)
    secret = clean_secret(credential, header=server.credential_header) if credential else None
    if found is None:
        found = _asked(server, secret)
    with transaction.atomic():
        server.save()
        if secret:
            store_credential(server, secret)
        note(
            actor=actor,
            action="server.register",
            target=server,
            item=server,
            changes={"slug": [None, server.slug], "url": [None, server.url]},
        )
        health.store(server, ok=True, latency_ms=found.latency_ms, digest=found.digest)
        return _store(actor, server, found, version=version)


def look_at_server(*, actor: User | None, credential: str | None = None, **values: Any) -> DiscoveredServer:
    """What a server that is about to be registered says, under the same checks as `register_server`. Writes nothing."""
    server = _planned(actor, values)
    secret = clean_secret(credential, header=server.credential_header) if credential else None
    return _asked(server, secret)


def _asked(server: Server, secret: str | None) -> DiscoveredServer:
    headers = {server.credential_header: secret} if secret else {}
    return discover_server(server.url, era=server.era, allow_private=server.allow_private_network, headers=headers)


def _planned(actor: User | None, values: Mapping[str, Any]) -> Server:
    """The server as it would be saved. Everything is checked before anybody is called."""
    permissions.require_add(actor, Server, values.get("owner_team"))
    server = Server()
    for field, value in values.items():
        if field not in (*FIELDS, "name", "slug", "url", "credential_header"):
            raise ValidationError(f"A server has no field {field}.")
        setattr(server, field, value)
    server.credential_header = server.credential_header.lower()
    if server.allow_private_network:
        permissions.require_private_network(actor)
    server.url = clean_url(server.url, allow_private=server.allow_private_network)
    server.full_clean(exclude=["live_version"])
    if Toolset.objects.filter(slug=server.slug).exists():
        raise ValidationError({"slug": "A toolset has this address already."})
    return server


def update_server(*, actor: User | None, server: Server, **values: Any) -> Server:
    """Set any of FIELDS. The address is part of what is reviewed: propose it with `new_server_version`."""
    with transaction.atomic():
        if values.get("allow_private_network") and not server.__class__.objects.get(pk=server.pk).allow_private_network:
            permissions.require_private_network(actor)
        update_item(server, actor=actor, action="server.update", values=values, allowed=FIELDS)
    return server


def new_server_version(
    *, actor: User | None, server: Server, url: str | None = None, version: str = "", found: DiscoveredServer | None = None
) -> ServerVersion:
    """A draft of what the server is now, at its address or at another `url`. Nothing changes for callers.

    Returns the version that has this content already, if there is one. Raises DiscoveryError.
    """
    permissions.require_change(actor, server)
    target = clean_url(url, allow_private=server.allow_private_network) if url else None
    if found is None:
        found = ask_server(server, url=target)
    with transaction.atomic():
        return _store(actor, server, found, version=version)


def refresh_server(*, actor: User | None, server: Server, found: DiscoveredServer | None = None) -> ServerVersion | None:
    """Asks the server again. What changed becomes a version that waits for review and is live for nobody.

    Returns that version when it is new, None when nothing changed. Raises DiscoveryError after noting the miss.
    """
    if actor is not None:
        permissions.require_change(actor, server)
    if found is None:
        try:
            found = ask_server(server)
        except DiscoveryError as error:
            health.record_health(item=server, ok=False, error=str(error))
            raise
    with transaction.atomic():
        server = Server.objects.select_for_update(of=("self",)).get(pk=server.pk)
        health.store(server, ok=True, latency_ms=found.latency_ms, digest=found.digest)
        if existing(server, found.digest) is not None:
            return None
        replace_unseen(actor, server)
        version = _store(actor, server, found, by_refresh=True)
        submit_found(version)
        version.refresh_from_db()
        return version


def _store(actor: User | None, server: Server, found: DiscoveredServer, *, version: str = "", by_refresh: bool = False) -> ServerVersion:
    known = existing(server, found.digest)
    if known is not None:
        return known  # type: ignore[return-value]
    number = _number(server, found, version)
    stored = ServerVersion(
        server=server,
        version=number,
        digest=found.digest,
        url=found.url,
        document=_document(server, found, number),
        capabilities=found.capabilities,
        instructions=found.instructions,
        era=found.era,
        problems=list(found.problems),
        created_by=actor,
        found_by_refresh=by_refresh,
    )
    stored.save()
    ToolDefinition.objects.bulk_create(
        (
            ToolDefinition(version=stored, name=tool.name, definition=tool.raw, digest=tool.digest, position=position)
            for position, tool in enumerate(found.tools)
        ),
        batch_size=500,
    )
    # Rows by name exist from here on, so that tools can be priced and granted before their first approval.
    Tool.objects.bulk_create((Tool(server=server, name=tool.name) for tool in found.tools), batch_size=500, ignore_conflicts=True)
    changes: dict[str, list[Any]] = {"version": [None, number], "digest": [None, found.digest], "tools": [None, len(found.tools)]}
    note(actor=actor, action="server.version", target=stored, item=server, changes=changes, found_by_refresh=by_refresh)
    if server.live_version_id is None:
        index.refresh(server)
    return stored


def _number(server: Server, found: DiscoveredServer, wanted: str) -> str:
    taken = set(server.versions.values_list("version", flat=True))
    if wanted:
        VERSION(wanted)
        VERSION_LENGTH(wanted)
        if wanted in taken:
            raise ValidationError({"version": f"Version {wanted} exists already with other content."})
        return wanted
    return revision_of(found.version or "0.0.0", taken)


def _document(server: Server, found: DiscoveredServer, version: str) -> dict[str, Any]:
    """As the MCP registry's server.json; what the server calls itself goes under our own key."""
    said = found.info.get("description")
    title = found.info.get("title")
    description = server.description.strip().splitlines()[0] if server.description.strip() else said if isinstance(said, str) else ""
    return {
        "$schema": SCHEMA,
        "name": server.name,
        "title": (server.title or (title if isinstance(title, str) else ""))[:100],
        "description": description[:100],
        "version": version,
        "remotes": [{"type": "streamable-http", "url": found.url}],
        "_meta": {"customhouse/serverInfo": found.info},
    }
