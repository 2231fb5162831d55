"""What a server says of itself and announces, as a caller may be told it.

Nobody is told of what the house does not let through (tasks, see methods), and a caller that may use some tools of a
server is told of nothing else.
"""

from __future__ import annotations

import msgspec

from dataplane.jsonrpc import INVALID_PARAMS, Message, RpcError, members_of, refuse_ambiguous

OPEN = frozenset({"tools", "logging"})
_TASKS = "tasks"
_TASKS_EXTENSION = "io.modelcontextprotocol/tasks"
_LISTENED = frozenset({"notifications"})
_TOOLS_CHANGED = "toolsListChanged"

_encode = msgspec.json.Encoder().encode


def without_tasks(result: bytes) -> bytes:
    """An `initialize` or `server/discover` result that does not offer tasks; the same object where it did not."""
    members = members_of(result) if b"tasks" in result else None
    capabilities = members_of(members["capabilities"]) if members is not None and "capabilities" in members else None
    if members is None or capabilities is None:
        return result
    extensions = members_of(capabilities["extensions"]) if "extensions" in capabilities else None
    if _TASKS not in capabilities and _TASKS_EXTENSION not in (extensions or ()):
        return result
    capabilities.pop(_TASKS, None)
    if extensions is not None:
        extensions.pop(_TASKS_EXTENSION, None)
        capabilities["extensions"] = msgspec.Raw(_encode(extensions))
    members["capabilities"] = msgspec.Raw(_encode(capabilities))
    return _encode(members)


def narrowed(result: bytes) -> bytes:
    """An `initialize` or `server/discover` result without the capabilities that a caller of some tools has no grant for."""
    members = members_of(result)
    if members is None:
        return result
    if (raw := members.get("capabilities")) is not None:
        capabilities = {name: value for name, value in (members_of(raw) or {}).items() if name in OPEN}
        members["capabilities"] = msgspec.Raw(_encode(capabilities))
    if "cacheScope" in members:
        members["cacheScope"] = msgspec.Raw(b'"private"')
    return _encode(members)


def check_listening(message: Message) -> None:
    """Raises RpcError -32602 where a caller of some tools asks to hear of anything but changes of the list of tools."""
    params = message.params or {}
    refuse_ambiguous(params, _LISTENED, rpc_id=message.id)
    wanted = members_of(params["notifications"]) if "notifications" in params else {}
    if wanted is None or any(name != _TOOLS_CHANGED for name in wanted):
        raise RpcError(INVALID_PARAMS, f"only {_TOOLS_CHANGED} can be listened to here", rpc_id=message.id)
