"""Whose a stored thing is. What another team has stored is answered exactly like what does not exist, before any provider
hears of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dataplane.errors import BadRequest, NotFound
from dataplane.pins import Pin

if TYPE_CHECKING:
    from dataplane.kit import Kit
    from dataplane.snapshot import KeyRecord


def owner_of(key: KeyRecord) -> str:
    """What a team's keys store is the team's; where there is no team it is the principal's own."""
    principal = key.principal
    return principal.ref if principal.team is None else f"team:{principal.team}"


def no_such(ident: str, param: str | None = None) -> NotFound:
    """The one answer for an id that nobody has and for one that somebody else has."""
    return NotFound(f"No such object: {ident[:200]!r}.", param=param, code="not_found")


async def own(kit: Kit, key: KeyRecord, ident: str, *, kind: str = "") -> Pin:
    """The pin of one of the caller's own things. Raises NotFound, and Unavailable when it can't be looked up."""
    pin = await kit.pins.find(ident)
    if pin is None or pin.owner != owner_of(key) or (kind and pin.kind != kind):
        raise no_such(ident)
    return pin


async def pinned(kit: Kit, key: KeyRecord, ids: Sequence[str]) -> int | None:
    """The id of the provider record at which all of these are stored; None without ids. Only deployments of that provider may
    take the call. Raises NotFound for an id that is unknown or another owner's, BadRequest when they are at different
    providers, and Unavailable when they can't be looked up."""
    if not ids:
        return None
    owner = owner_of(key)
    place: int | None = None
    for ident, pin in zip(ids, await kit.pins.find_all(ids), strict=True):
        if pin is None or pin.owner != owner:
            raise no_such(ident)
        if place is not None and pin.provider != place:
            text = f"The call refers to things that are stored at different providers: {ids[0][:200]!r} and {ident[:200]!r}."
            raise BadRequest(text, code="stored_elsewhere")
        place = pin.provider
    return place


async def preferred(kit: Kit, key: KeyRecord, ids: Sequence[str]) -> int | None:
    """The provider record that made the last of these that the house knows as the caller's; None when it knows none. For
    what is only readable where it was made but need not be known: other deployments may be tried after it."""
    owner = owner_of(key)
    found: int | None = None
    for pin in await kit.pins.find_all(ids) if ids else ():
        if pin is not None and pin.owner == owner:
            found = pin.provider
    return found


def remember(kit: Kit, key: KeyRecord, made: Iterable[tuple[str, str]], *, provider: int, provider_name: str) -> None:
    """From now on these ids, with their kinds, are the caller's. Never waits."""
    owner = owner_of(key)
    for ident, kind in made:
        kit.pins.remember(ident, Pin(provider=provider, provider_name=provider_name, owner=owner, kind=kind))
