"""A list of tasks as one caller may see it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from dataplane.errors import UpstreamFailed
from dataplane.jsonrpc import members_of

IsOwn = Callable[[str, str], bool]
"""Takes a task's id and its context's id."""


class _Task(msgspec.Struct):
    id: str
    contextId: str = ""  # noqa: N815 - the wire's name


_raws = msgspec.json.Decoder(list[msgspec.Raw])
_task = msgspec.json.Decoder(_Task)
_encode = msgspec.json.Encoder().encode


def own_tasks(result: msgspec.Raw, is_own: IsOwn) -> bytes:
    """The result with the caller's own tasks. Where others were left out, the total is that of what is shown: the true
    one would tell how busy others are. Raises UpstreamFailed for what is no list of tasks."""
    members = members_of(result)
    if members is None:
        raise _nonsense()
    try:
        tasks = _raws.decode(members["tasks"]) if "tasks" in members else []
        shown = [raw for raw in tasks if _is_own(raw, is_own)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _nonsense() from None
    if len(shown) == len(tasks):
        return bytes(result)
    members["tasks"] = msgspec.Raw(_encode(shown))
    if "totalSize" in members:
        members["totalSize"] = msgspec.Raw(_encode(len(shown)))
    return _encode(members)


def _is_own(raw: msgspec.Raw, is_own: IsOwn) -> bool:
    task = _task.decode(raw)
    return is_own(task.id, task.contextId)


def _nonsense() -> UpstreamFailed:
    return UpstreamFailed("The agent's list of tasks can't be read.", code="upstream_protocol_error")
