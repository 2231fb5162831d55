"""The operations of A2A 1.0 over JSON-RPC, and where each names the tasks and contexts that it is about."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from dataplane.jsonrpc import INVALID_PARAMS, Members, Message, RpcError, members_of, refuse_ambiguous

SEND = frozenset({"SendMessage", "SendStreamingMessage"})
STREAMS = frozenset({"SendStreamingMessage", "SubscribeToTask"})
LIST = "ListTasks"
CARD = "GetExtendedAgentCard"

_BY_ID = frozenset({"GetTask", "CancelTask", "SubscribeToTask"})
_PUSH = frozenset(
    {
        "CreateTaskPushNotificationConfig",
        "GetTaskPushNotificationConfig",
        "ListTaskPushNotificationConfigs",
        "DeleteTaskPushNotificationConfig",
    }
)
OPERATIONS = SEND | _BY_ID | _PUSH | {LIST, CARD}

_texts = msgspec.json.Decoder(list[str])
_text = msgspec.json.Decoder(str)
_encode = msgspec.json.Encoder().encode

_SPELLINGS = {
    "id": ("id",),
    "taskId": ("taskId", "task_id"),
    "contextId": ("contextId", "context_id"),
    "referenceTaskIds": ("referenceTaskIds", "reference_task_ids"),
    "message": ("message",),
}
"""ProtoJSON parsers take a field under its JSON name and under its name in the proto file."""

_KNOWN = frozenset(name for names in _SPELLINGS.values() for name in names)


class Subject(msgspec.Struct, frozen=True):
    """What an operation is about: tasks that must be the caller's, and the context it continues."""

    tasks: tuple[str, ...] = ()
    context: str | None = None


def subject_of(message: Message) -> Subject:
    """Raises RpcError -32602 where the params are not what the operation takes, or may be read in two ways.

    The message's params are put together again from what was read, so that the agent can't read others."""
    params = message.params or {}
    refuse_ambiguous(params, _KNOWN, rpc_id=message.id)
    if message.method in _BY_ID:
        return Subject(tasks=tuple(_named(params, "id", message)))
    if message.method in _PUSH:
        return Subject(tasks=tuple(_named(params, "taskId", message)))
    if message.method in SEND:
        return _of_message(params, message)
    if message.method == LIST:
        return Subject(context=next(_named(params, "contextId", message), None))
    return Subject()


def _of_message(params: Members, message: Message) -> Subject:
    raw = params.get("message")
    inner = members_of(raw) if raw is not None else None
    if inner is None:
        raise RpcError(INVALID_PARAMS, "params.message must be an object", rpc_id=message.id)
    refuse_ambiguous(inner, _KNOWN, rpc_id=message.id)
    tasks = [*_named(inner, "taskId", message), *_references(inner, message)]
    context = next(_named(inner, "contextId", message), None)
    params["message"] = msgspec.Raw(_encode(inner))
    return Subject(tasks=tuple(tasks), context=context)


def _named(members: Members, name: str, message: Message) -> Iterator[str]:
    """The one value under either spelling; nothing when it is absent, empty or null (ProtoJSON: all the same)."""
    raw = _one(members, name, message)
    if raw is None or bytes(raw) == b"null":
        return
    try:
        value = _text.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RpcError(INVALID_PARAMS, f"{name} must be a string", rpc_id=message.id) from None
    if value:
        yield value


def _references(members: Members, message: Message) -> list[str]:
    raw = _one(members, "referenceTaskIds", message)
    if raw is None or bytes(raw) == b"null":
        return []
    try:
        return _texts.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RpcError(INVALID_PARAMS, "referenceTaskIds must be a list of strings", rpc_id=message.id) from None


def _one(members: Members, name: str, message: Message) -> msgspec.Raw | None:
    found = [members[spelling] for spelling in _SPELLINGS[name] if spelling in members]
    if len(found) > 1:
        raise RpcError(INVALID_PARAMS, f"{name} is given twice", rpc_id=message.id)
    return found[0] if found else None
