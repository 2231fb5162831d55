"""An agent's card as callers of the house get it: the house's address, the house's credentials, no stale signature.

Everything else of the card stays as it was approved, unknown members included. The card is version-pure: members of
0.3 that repeat what 1.0 says elsewhere are left out, since strict readers of 1.0 refuse a mixture.
"""

from __future__ import annotations

from typing import Any

import msgspec

from dataplane.jsonrpc import Members, members_of

JSONRPC = "JSONRPC"
PROTOCOL = "1.0"

_OWN_SCHEMES = {
    "customhouseBearer": {"httpAuthSecurityScheme": {"scheme": "Bearer", "description": "A key of the house."}},
    "customhouseKey": {"apiKeySecurityScheme": {"location": "header", "name": "x-api-key", "description": "A key of the house."}},
}
_OWN_REQUIREMENTS: list[dict[str, dict[str, dict[str, list[str]]]]] = [{"schemes": {name: {"list": []}}} for name in _OWN_SCHEMES]

_V03 = ("url", "preferredTransport", "additionalInterfaces", "protocolVersion", "security", "supportsAuthenticatedExtendedCard")
_V03_SCHEMES = {
    "customhouseBearer": {"type": "http", "scheme": "bearer", "description": "A key of the house."},
    "customhouseKey": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "A key of the house."},
}
_V03_REQUIREMENTS: list[dict[str, list[str]]] = [{name: []} for name in _V03_SCHEMES]

_encode = msgspec.json.Encoder().encode
_raws = msgspec.json.Decoder(list[msgspec.Raw])


class UnreadableCard(ValueError):
    """Not a card at all: not a JSON object."""


def rewritten(card: bytes | msgspec.Raw, *, upstream_url: str, public_url: str) -> bytes:
    """`upstream_url` is the JSON-RPC interface that the house calls. Raises UnreadableCard."""
    members = members_of(card)
    if members is None:
        raise UnreadableCard("the card is not a JSON object")
    members.pop("signatures", None)
    if "supportedInterfaces" in members or "url" not in members:
        _to_house(members, upstream_url=upstream_url, public_url=public_url)
    else:
        _to_house_v03(members, public_url)
    return _encode(members)


def _to_house(members: Members, *, upstream_url: str, public_url: str) -> None:
    for name in _V03:
        members.pop(name, None)
    interface = _interface(members.get("supportedInterfaces"), upstream_url)
    interface["url"] = _raw(public_url)
    members["supportedInterfaces"] = _raw([interface])
    members["securitySchemes"] = _raw(_OWN_SCHEMES)
    members["securityRequirements"] = _raw(_OWN_REQUIREMENTS)
    _free_skills(members, "securityRequirements")


def _to_house_v03(members: Members, public_url: str) -> None:
    members["url"] = _raw(public_url)
    members["preferredTransport"] = _raw(JSONRPC)
    members.pop("additionalInterfaces", None)
    members["securitySchemes"] = _raw(_V03_SCHEMES)
    members["security"] = _raw(_V03_REQUIREMENTS)
    _free_skills(members, "security")


def _interface(raw: msgspec.Raw | None, upstream_url: str) -> Members:
    """The JSON-RPC interface that the house calls, with its tenant and version; a plain one if the card names none."""
    named = [members for item in _list(raw) if (members := members_of(item)) is not None]
    spoken = [members for members in named if _text(members, "protocolBinding").upper() == JSONRPC]
    for members in spoken:
        if _text(members, "url") == upstream_url:
            return members
    return spoken[0] if spoken else {"protocolBinding": _raw(JSONRPC), "protocolVersion": _raw(PROTOCOL)}


def _free_skills(members: Members, requirement: str) -> None:
    """Skills that name the agent's own schemes would name what the card no longer has."""
    if "skills" not in members:
        return
    skills: list[Any] = []
    for item in _list(members["skills"]):
        skill = members_of(item)
        if skill is None or requirement not in skill:
            skills.append(item)
        else:
            del skill[requirement]
            skills.append(skill)
    members["skills"] = _raw(skills)


def _list(raw: msgspec.Raw | None) -> list[msgspec.Raw]:
    if raw is None:
        return []
    try:
        return _raws.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return []


def _text(members: Members, name: str) -> str:
    try:
        return msgspec.json.decode(members[name], type=str)
    except (KeyError, msgspec.DecodeError):
        return ""


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(_encode(value))
