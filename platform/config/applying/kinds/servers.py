"""MCP servers and toolsets. A server is asked about itself before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from config.applying import shape
from config.applying.kind import Kind, Reference, Run, named_team
from config.applying.kinds.called import credential_headers, credential_matches, newest
from registry import actions
from registry.addresses import clean_url
from registry.choices import SERVED
from registry.credentials import headers_for
from registry.discovery.servers import discover_server
from registry.models import Server, Toolset

FIELDS = ("title", "description", "era", "discoverable", "allow_private_network")
PROPOSED = frozenset({"url", "version"})
"""What is reviewed, and so changes by a new version."""


class Servers(Kind[shape.Server]):
    section, word = "servers", "server"
    secret_fields = ("credential",)

    def name_of(self, entry: shape.Server) -> str:
        return entry.slug

    def references(self, entry: shape.Server) -> Iterator[Reference]:
        if entry.team is not None:
            yield Reference(("team",), ("teams",), entry.team)

    def stored(self) -> dict[str, shape.Server]:
        rows = Server.objects.select_related("owner_team", "live_version").order_by("slug")
        return {row.slug: _server(row) for row in rows}

    def settled(self, entry: shape.Server, before: shape.Server | None, run: Run) -> shape.Server:
        fields: dict[str, Any] = {"url": clean_url(entry.url, allow_private=entry.allow_private_network)}
        if before is not None:
            fields["approve"] = entry.approve or before.approve
            versions = Server.objects.get(slug=entry.slug).versions
            if not entry.version or versions.filter(version=entry.version, state__in=SERVED).exists():
                # What was approved under this number is approved; that a later one is live is not for the file to undo.
                fields["version"] = before.version
        return msgspec.structs.replace(entry, **fields)

    def secret_matches(self, entry: shape.Server, field_name: str, secret: str) -> bool:
        return credential_matches(Server.objects.get(slug=entry.slug), secret)

    def prepare(self, entry: shape.Server, before: shape.Server | None, run: Run) -> None:
        if before is None or before.url != entry.url or before.version != entry.version:
            secret = run.secrets.get((self.section, entry.slug, "credential"))
            row = Server.objects.filter(slug=entry.slug).first()
            headers = credential_headers(entry.credential_header, secret) if secret or row is None else headers_for(row)
            run.found[self.section, entry.slug] = discover_server(
                entry.url, era=entry.era, allow_private=entry.allow_private_network, headers=headers
            )

    def create(self, entry: shape.Server, run: Run) -> None:
        version = actions.register_server(
            actor=run.actor,
            name=entry.name,
            slug=entry.slug,
            url=entry.url,
            version=entry.version,
            owner_team=named_team(entry.team),
            credential=run.secrets.get((self.section, entry.slug, "credential")),
            credential_header=entry.credential_header,
            found=run.found[self.section, entry.slug],
            **{name: getattr(entry, name) for name in FIELDS},
        )
        if entry.approve:
            actions.publish(actor=run.actor, version=version, reason="Approved by the applied file.")

    def update(self, entry: shape.Server, before: shape.Server, changed: frozenset[str], run: Run) -> None:
        server = Server.objects.get(slug=entry.slug)
        if changed & {"team", *FIELDS}:
            values = {name: getattr(entry, name) for name in FIELDS}
            actions.update_server(actor=run.actor, server=server, owner_team=named_team(entry.team), **values)
        if changed & {"credential", "credential_header"}:
            secret = run.secrets.get((self.section, entry.slug, "credential"))
            actions.set_credential(actor=run.actor, item=server, secret=secret, header=entry.credential_header)
        version = newest(server)
        if changed & PROPOSED:
            found = run.found[self.section, entry.slug]
            number = entry.version if "version" in changed else ""  # else it is a revision of what it was
            version = actions.new_server_version(actor=run.actor, server=server, url=entry.url, version=number, found=found)
        if entry.approve and changed & {"approve", *PROPOSED}:
            actions.publish(actor=run.actor, version=version, reason="Approved by the applied file.")

    def remove(self, name: str, before: shape.Server, run: Run) -> None:
        actions.delete_item(actor=run.actor, item=Server.objects.get(slug=name))


def _server(row: Server) -> shape.Server:
    shown = row.live_version or newest(row)
    return shape.Server(
        name=row.name,
        slug=row.slug,
        url=shown.url if shown else row.url,
        version=shown.version if shown else "",
        team=row.owner_team.name if row.owner_team else None,
        credential_header=row.credential_header,
        approve=row.live_version is not None,
        **{name: getattr(row, name) for name in FIELDS},
    )


class Toolsets(Kind[shape.Toolset]):
    section, word = "toolsets", "toolset"

    def name_of(self, entry: shape.Toolset) -> str:
        return entry.slug

    def references(self, entry: shape.Toolset) -> Iterator[Reference]:
        for number, member in enumerate(entry.tools):
            yield Reference(("tools", number), ("servers",), member.partition("/")[0])
        if entry.team is not None:
            yield Reference(("team",), ("teams",), entry.team)

    def stored(self) -> dict[str, shape.Toolset]:
        return {row.slug: _toolset(row) for row in Toolset.objects.select_related("owner_team").order_by("slug")}

    def settled(self, entry: shape.Toolset, before: shape.Toolset | None, run: Run) -> shape.Toolset:
        return msgspec.structs.replace(entry, name=entry.name or entry.slug, tools=list(dict.fromkeys(entry.tools)))

    def create(self, entry: shape.Toolset, run: Run) -> None:
        actions.create_toolset(actor=run.actor, slug=entry.slug, **_toolset_fields(entry))

    def update(self, entry: shape.Toolset, before: shape.Toolset, changed: frozenset[str], run: Run) -> None:
        actions.update_toolset(actor=run.actor, toolset=Toolset.objects.get(slug=entry.slug), **_toolset_fields(entry))

    def remove(self, name: str, before: shape.Toolset, run: Run) -> None:
        actions.delete_item(actor=run.actor, item=Toolset.objects.get(slug=name))


def _toolset(row: Toolset) -> shape.Toolset:
    return shape.Toolset(
        slug=row.slug,
        tools=list(row.members),
        name=row.name,
        description=row.description,
        team=row.owner_team.name if row.owner_team else None,
        discoverable=row.discoverable,
    )


def _toolset_fields(entry: shape.Toolset) -> dict[str, Any]:
    return {
        "name": entry.name,
        "members": entry.tools,
        "description": entry.description,
        "owner_team": named_team(entry.team),
        "discoverable": entry.discoverable,
    }
