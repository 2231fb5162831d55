"""How a connection is opened: who asks, for which model, and at which of its deployments it comes about."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, quote

import msgspec

from dataplane.call import Call
from dataplane.errors import BadRequest, HouseError, Unavailable, UpstreamFailed
from dataplane.handshake import Handshake
from dataplane.principal import identify, presented_key
from dataplane.resolving import TimedOut
from dataplane.snapshot import KeyRecord
from dataplane.socket_upstream import Declined, Socket, open_socket
from dataplane.store import Snapshot
from llmgateway.proxy.call import unknown_model
from llmgateway.proxy.opening import runtime_of
from llmgateway.proxy.realtime.secrets import PREFIX, opened, parent
from llmgateway.proxy.runtime import Deployment, Model, Runtime

if TYPE_CHECKING:
    from dataplane.kit import Kit

PROTOCOL = "realtime"
_KEY_PROTOCOL = "openai-insecure-api-key."
_BETA_PROTOCOL = "openai-beta.realtime-v1"
_BETA = ("openai-beta", "realtime=v1")

DIALECT = "openai"
HANDSHAKE_WITHIN, OPEN_WITHIN = 15.0, 20.0
"""Seconds that one provider has to answer the handshake, and all of them together: the client waits for its own."""

_FORWARDED = (b"openai-beta", b"user-agent")
_PLAIN = re.compile(rb"[\x20-\x7e]{1,512}")
_ACCOUNT_REFUSED = frozenset((401, 402, 403, 407))
_order = random.Random()  # noqa: S311 - load sharing, not a secret


class RealtimeCall(Call):
    """A connection that was let in. It makes no usage by itself, only its responses do."""

    plane = "llm"
    __slots__ = ("runtime", "session", "target")

    def __init__(
        self, key: KeyRecord, snapshot: Snapshot, *, target: Model, runtime: Runtime, session: dict[str, msgspec.Raw] | None
    ) -> None:
        super().__init__(key, snapshot)
        self.target = target
        self.runtime = runtime
        self.session = session
        self.model = self.expectation = target.record.name
        self.journaled = False

    def still_allowed(self, snapshot: Snapshot) -> bool:
        if snapshot.llm is not self.snapshot.llm and not any(record.name == self.model for record in snapshot.llm.models):
            return False
        return f"model:{self.model}" in self.allowed(snapshot)


class Place(NamedTuple):
    """A deployment, and the connection that came about there."""

    deployment: Deployment
    socket: Socket
    tries: int


def open_call(kit: Kit, handshake: Handshake) -> RealtimeCall:
    """Identifies, resolves and authorizes. Raises Unauthorized, BadRequest and NotFound."""
    snapshot = kit.store.current
    asked = _query(handshake)
    headers = handshake.headers
    presented = presented_key(headers) or _key_among(handshake.subprotocols)
    session = None
    if presented is not None and presented.startswith(PREFIX.encode()):
        secret = opened(kit.pepper, presented.decode("latin-1"))
        key, session = parent(snapshot, secret), secret.session
        name = secret.model
        if asked is not None and asked != name:
            raise unknown_model(asked)
    else:
        key = identify(snapshot, kit.pepper, {b"authorization": b"Bearer " + presented} if presented else headers)
        if asked is None:
            raise BadRequest("The address has to name a model: /v1/realtime?model=…", param="model", code="missing_field")
        name = asked
    target, runtime = granted(kit, snapshot, key, name)
    return RealtimeCall(key, snapshot, target=target, runtime=runtime, session=session)


def granted(kit: Kit, snapshot: Snapshot, key: KeyRecord, name: str) -> tuple[Model, Runtime]:
    """Raises NotFound for a model that does not exist or is not granted, BadRequest for one that is not served in this dialect."""
    runtime = runtime_of(kit, snapshot)
    target = runtime.models.get(name)
    if target is None or f"model:{name}" not in snapshot.allowed(key):
        raise unknown_model(name)
    if not any(deployment.dialect == DIALECT for deployment in target.deployments):
        text = f"The model {name!r} has no deployment that speaks the realtime dialect."
        raise BadRequest(text, param="model", code="dialect_not_served")
    return target, runtime


def subprotocol_of(handshake: Handshake) -> str | None:
    """The one that is agreed on. The one that carries a key is never said back."""
    return PROTOCOL if PROTOCOL in handshake.subprotocols else None


async def connect(call: RealtimeCall, handshake: Handshake) -> Place:
    """Tries the deployments in turn. Raises what the last of them failed with."""
    try:
        async with asyncio.timeout(OPEN_WITHIN):
            return await _connect(call, handshake)
    except TimeoutError:
        raise TimedOut("No provider opened a connection in time.") from None


async def _connect(call: RealtimeCall, handshake: Handshake) -> Place:
    failure: HouseError | None = None
    forwarded = _forwarded(handshake)
    providers = {record.id: record for record in call.snapshot.llm.providers}
    for tries, deployment in enumerate(_places(call), 1):
        record = providers[deployment.provider_id]
        try:
            socket = await open_socket(
                deployment.base,
                f"/realtime?model={quote(deployment.model, safe='')}",
                headers=[*await deployment.account_headers(), *forwarded, ("x-request-id", handshake.id)],
                allow_private=record.allow_private_network,
                timeouts=(record.connect_timeout, min(record.read_timeout, HANDSHAKE_WITHIN)),
            )
        except Declined as error:
            failure = _declined(error)
        except UpstreamFailed as error:
            failure = error
        else:
            return Place(deployment, socket, tries)
    raise failure or Unavailable(f"The model {call.model!r} has no deployment that can be called.", param="model", code="model_not_served")


def _places(call: RealtimeCall) -> Iterator[Deployment]:
    """By priority, and within one priority by weight; then those of its fallbacks. A weight of 0 is a spare."""
    names = dict.fromkeys((call.model, *call.target.record.fallbacks))
    for model in (call.runtime.models[name] for name in names if name in call.runtime.models):
        for tier in model.tiers:
            spoken = [deployment for deployment in tier if deployment.dialect == DIALECT]
            yield from sorted(spoken, key=lambda place: _order.random() ** (1 / place.weight) if place.weight else 0.0, reverse=True)


def _declined(error: Declined) -> HouseError:
    status = error.answered
    if status in _ACCOUNT_REFUSED:
        return UpstreamFailed("The provider does not accept the house's own account.", code="upstream_account_refused")
    if status == 429:
        return HouseError("The provider takes no further connection for now.", status=429, code="upstream_rate_limited")
    return UpstreamFailed(f"The provider declined the connection with status {status}.", code="upstream_declined")


def _query(handshake: Handshake) -> str | None:
    """The model that the address names. What else it may say is refused and not dropped: it would lead to other things at the
    provider (another's call), or hold a key."""
    pairs = parse_qsl(handshake.query.decode("latin-1"), keep_blank_values=True)
    if unknown := next((name for name, _ in pairs if name != "model"), None):
        raise BadRequest(f"The parameter {unknown[:64]!r} is not served here.", param=unknown[:64], code="unsupported_parameter")
    if len(pairs) > 1:
        raise BadRequest("The model is named twice.", param="model", code="invalid_value")
    return (pairs[0][1] or None) if pairs else None


def _key_among(subprotocols: list[str]) -> bytes | None:
    for offered in subprotocols:
        if offered.startswith(_KEY_PROTOCOL):
            return offered[len(_KEY_PROTOCOL) :].encode("latin-1", "replace")
    return None


def _forwarded(handshake: Handshake) -> list[tuple[str, str]]:
    found = [(name, handshake.headers.get(name)) for name in _FORWARDED]
    headers = [(name.decode(), value.decode("ascii")) for name, value in found if value is not None and _PLAIN.fullmatch(value)]
    if _BETA_PROTOCOL in handshake.subprotocols and b"openai-beta" not in handshake.headers:
        headers.append(_BETA)
    return headers
