"""Asking what is registered already, with its own credential and in the era that it spoke when it was approved."""

from __future__ import annotations

from registry.choices import Era
from registry.credentials import headers_for
from registry.discovery.cards import DiscoveredCard, discover_card
from registry.discovery.rpc import RpcRefused
from registry.discovery.servers import DiscoveredServer, discover_server
from registry.models import Agent, Server


def ask_server(server: Server, *, url: str | None = None) -> DiscoveredServer:
    """Raises DiscoveryError.

    A server that speaks both eras may describe itself differently in each, and one slow answer must not look like a
    change of it. So the era of the live version is asked first, and another one only where that is refused as such.
    """
    address, headers, private = url or server.url, headers_for(server), server.allow_private_network
    known = server.live_version.era if server.live_version is not None else ""
    if server.era != Era.AUTO or not known:
        return discover_server(address, era=server.era, allow_private=private, headers=headers)
    try:
        return discover_server(address, era=known, allow_private=private, headers=headers)
    except RpcRefused as refused:
        if refused.status >= 500 or refused.status in {401, 403, 429}:
            raise
        return discover_server(address, era=Era.AUTO, allow_private=private, headers=headers)


def ask_agent(agent: Agent, *, url: str | None = None) -> DiscoveredCard:
    """Raises DiscoveryError."""
    return discover_card(url or agent.url, allow_private=agent.allow_private_network, headers=headers_for(agent))
