"""Agents. The card is fetched before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from config.applying import shape
from config.applying.kind import Kind, Reference, Run, named_team, plain
from config.applying.kinds.called import credential_headers, credential_matches, newest
from registry import actions
from registry.addresses import clean_url
from registry.credentials import headers_for
from registry.discovery.cards import discover_card
from registry.models import Agent

FIELDS = ("name", "description", "discoverable", "allow_private_network")


class Agents(Kind[shape.Agent]):
    section, word = "agents", "agent"
    secret_fields = ("credential",)

    def name_of(self, entry: shape.Agent) -> str:
        return entry.slug

    def references(self, entry: shape.Agent) -> Iterator[Reference]:
        if entry.team is not None:
            yield Reference(("team",), ("teams",), entry.team)

    def stored(self) -> dict[str, shape.Agent]:
        return {row.slug: _agent(row) for row in Agent.objects.select_related("owner_team", "live_version").order_by("slug")}

    def settled(self, entry: shape.Agent, before: shape.Agent | None, run: Run) -> shape.Agent:
        fields: dict[str, Any] = {
            "url": clean_url(entry.url, allow_private=entry.allow_private_network),
            "price": None if entry.price is None else plain(entry.price),
        }
        if before is not None:
            fields["approve"] = entry.approve or before.approve
            fields["name"] = entry.name or before.name
            if before.url.startswith(f"{fields['url'].rstrip('/')}/.well-known/"):
                fields["url"] = before.url  # where the card was found under the stated address
        return msgspec.structs.replace(entry, **fields)

    def secret_matches(self, entry: shape.Agent, field_name: str, secret: str) -> bool:
        return credential_matches(Agent.objects.get(slug=entry.slug), secret)

    def prepare(self, entry: shape.Agent, before: shape.Agent | None, run: Run) -> None:
        if before is None or before.url != entry.url:
            secret = run.secrets.get((self.section, entry.slug, "credential"))
            row = Agent.objects.filter(slug=entry.slug).first()
            headers = credential_headers(entry.credential_header, secret) if secret or row is None else headers_for(row)
            run.found[self.section, entry.slug] = discover_card(entry.url, allow_private=entry.allow_private_network, headers=headers)

    def create(self, entry: shape.Agent, run: Run) -> None:
        version = actions.register_agent(
            actor=run.actor,
            slug=entry.slug,
            url=entry.url,
            owner_team=named_team(entry.team),
            price=_price(entry),
            credential=run.secrets.get((self.section, entry.slug, "credential")),
            credential_header=entry.credential_header,
            found=run.found[self.section, entry.slug],
            **{name: getattr(entry, name) for name in FIELDS},
        )
        if entry.approve:
            actions.publish(actor=run.actor, version=version, reason="Approved by the applied file.")

    def update(self, entry: shape.Agent, before: shape.Agent, changed: frozenset[str], run: Run) -> None:
        agent = Agent.objects.get(slug=entry.slug)
        if changed & {"team", "price", *FIELDS}:
            values = {name: getattr(entry, name) for name in FIELDS}
            actions.update_agent(actor=run.actor, agent=agent, owner_team=named_team(entry.team), price=_price(entry), **values)
        if changed & {"credential", "credential_header"}:
            secret = run.secrets.get((self.section, entry.slug, "credential"))
            actions.set_credential(actor=run.actor, item=agent, secret=secret, header=entry.credential_header)
        version = newest(agent)
        if "url" in changed:
            found = run.found[self.section, entry.slug]
            version = actions.new_agent_version(actor=run.actor, agent=agent, url=entry.url, found=found)
        if entry.approve and changed & {"approve", "url"}:
            actions.publish(actor=run.actor, version=version, reason="Approved by the applied file.")

    def remove(self, name: str, before: shape.Agent, run: Run) -> None:
        actions.delete_item(actor=run.actor, item=Agent.objects.get(slug=name))


def _agent(row: Agent) -> shape.Agent:
    return shape.Agent(
        slug=row.slug,
        url=row.url,
        team=row.owner_team.name if row.owner_team else None,
        price=None if row.price is None else plain(row.price),
        credential_header=row.credential_header,
        approve=row.live_version is not None,
        **{name: getattr(row, name) for name in FIELDS},
    )


def _price(entry: shape.Agent) -> Decimal | None:
    return None if entry.price is None else Decimal(entry.price)
