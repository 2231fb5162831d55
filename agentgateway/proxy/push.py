"""Where an agent may be asked to send push notifications: a caller names the address, so it is looked at first.

Only the spelling and literal addresses can be judged here; a name is resolved by the agent that calls it.
"""

from __future__ import annotations

import msgspec

from agentgateway.proxy.operations import SEND
from dataplane.addresses import AddressRefused, check_url, forbidden
from dataplane.jsonrpc import INVALID_PARAMS, Members, Message, RpcError, members_of, refuse_ambiguous, text_of

CREATE = "CreateTaskPushNotificationConfig"
_CONFIGURATION = frozenset({"configuration"})
_PUSH = frozenset({"taskPushNotificationConfig", "task_push_notification_config"})
_URL = frozenset({"url"})
_encode = msgspec.json.Encoder().encode


def screen(message: Message, *, allow_private: bool) -> None:
    """Raises RpcError -32602 for an address that the house would not call either."""
    params = message.params
    if params is None:
        return
    if message.method == CREATE:
        _check(params, message, allow_private=allow_private)
    elif message.method in SEND and "configuration" in params:
        configuration = _object(params, "configuration", _CONFIGURATION, message)
        for name in _PUSH & configuration.keys():
            config = _object(configuration, name, _PUSH, message)
            _check(config, message, allow_private=allow_private)
            configuration[name] = msgspec.Raw(_encode(config))
        refuse_ambiguous(configuration, _PUSH, rpc_id=message.id)
        params["configuration"] = msgspec.Raw(_encode(configuration))


def _object(members: Members, name: str, known: frozenset[str], message: Message) -> Members:
    refuse_ambiguous(members, known, rpc_id=message.id)
    found = members_of(members[name])
    if found is None:
        raise RpcError(INVALID_PARAMS, f"{name} must be an object", rpc_id=message.id)
    return found


def _check(config: Members, message: Message, *, allow_private: bool) -> None:
    refuse_ambiguous(config, _URL, rpc_id=message.id)
    url = text_of(config.get("url"))
    if not url:
        return
    try:
        _, host, _ = check_url(url)
    except AddressRefused as error:
        raise _refused(str(error), message) from None
    if (host[:1].isdigit() or ":" in host) and forbidden(host, allow_private=allow_private):
        raise _refused(f"{host} may not be called", message)


def _refused(why: str, message: Message) -> RpcError:
    return RpcError(INVALID_PARAMS, f"the address for push notifications is refused: {why}", rpc_id=message.id, code="address_refused")
