"""JSON-RPC 2.0 messages, read for what a gateway decides on and passed on without losing a field.

Only two levels are taken apart, the message and its params; every value stays the bytes that came. `Message.encode`
puts them together again, so a message with repeated members goes out with the one that was decided on: a caller
can't show one tool name to the gateway and another to a server whose parser picks the first of two.
"""

from __future__ import annotations

from functools import cache

import msgspec

from dataplane.errors import BadRequest

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

Members = dict[str, msgspec.Raw]

MEMBERS = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
_VERSION = b'"2.0"'

_members = msgspec.json.Decoder(Members)
_text = msgspec.json.Decoder(str)
_encode = msgspec.json.Encoder().encode


class RpcError(BadRequest):
    """A refusal with a JSON-RPC code of its own. `rpc_id` is the caller's id as it came, None where it can't be told."""

    def __init__(
        self, rpc_code: int, message: str, *, rpc_id: bytes | None = None, data: object = None, status: int = 400, code: str | None = None
    ) -> None:
        super().__init__(message, status=status, code=code)
        self.rpc_code = rpc_code
        self.rpc_id = rpc_id
        self.data = data


class Message:
    """One request, notification or response. `id` is its raw JSON, None for a notification; `method` is "" for a response."""

    __slots__ = ("fields", "id", "method", "params")

    def __init__(self, fields: Members, *, rpc_id: bytes | None, method: str, params: Members | None) -> None:
        self.fields = fields
        self.id = rpc_id
        self.method = method
        self.params = params

    def encode(self) -> bytes:
        """The message as it goes on, params as they are now."""
        if self.params is not None:
            self.fields["params"] = msgspec.Raw(_encode(self.params))
        return _encode(self.fields)

    def text_param(self, name: str) -> str | None:
        """A param that must be text. None if it is not there; RpcError -32602 if it is something else."""
        raw = self.params.get(name) if self.params is not None else None
        if raw is None:
            return None
        try:
            return _text.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise RpcError(INVALID_PARAMS, f"params.{name} must be a string", rpc_id=self.id) from None


def parse(body: bytes) -> Message:
    """Raises RpcError: -32700 for what is not JSON, -32600 for what is not one JSON-RPC message."""
    if not body.isascii():
        _check_unicode(body)
    try:
        fields = _members.decode(body)
    except msgspec.ValidationError:
        if body.lstrip()[:1] == b"[":
            raise RpcError(INVALID_REQUEST, "batches are not supported: send one message per request") from None
        raise RpcError(INVALID_REQUEST, "the body must be one JSON-RPC message") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RpcError(PARSE_ERROR, "the body is not valid JSON") from None
    rpc_id = _id_of(fields)
    refuse_ambiguous(fields, MEMBERS, rpc_id=rpc_id)
    version = fields.get("jsonrpc")
    if version is None or bytes(version) != _VERSION:
        raise RpcError(INVALID_REQUEST, 'jsonrpc must be "2.0"', rpc_id=rpc_id)
    if "method" not in fields:
        if rpc_id is None or ("result" in fields) == ("error" in fields):
            raise RpcError(INVALID_REQUEST, "the message is neither a request nor a response", rpc_id=rpc_id)
        return Message(fields, rpc_id=rpc_id, method="", params=None)
    return Message(fields, rpc_id=rpc_id, method=_method_of(fields, rpc_id), params=_params_of(fields, rpc_id))


def refuse_ambiguous(fields: Members, known: frozenset[str], *, rpc_id: bytes | None) -> None:
    """Refuses a member that is a known one but for its case: parsers that ignore case would read it as the known one."""
    for name in fields:
        if name not in known and name.casefold() in _folded(known):
            text = f"the member {name[:64]!r} is ambiguous: it differs from a known one only in case"
            raise RpcError(INVALID_REQUEST, text, rpc_id=rpc_id)


@cache
def _folded(known: frozenset[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in known)


def members_of(raw: bytes | msgspec.Raw) -> Members | None:
    """The members of a JSON object as raw values, None if it is not one."""
    try:
        return _members.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def text_of(raw: bytes | msgspec.Raw | None) -> str | None:
    """A JSON string's text, None if there is none or it is something else."""
    if raw is None:
        return None
    try:
        return _text.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def error_body(code: int, message: str, *, rpc_id: bytes | None, data: object = None) -> bytes:
    """A JSON-RPC error answer."""
    error: dict[str, object] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return _encode({"jsonrpc": "2.0", "id": msgspec.Raw(rpc_id or b"null"), "error": error})


def result_body(result: object, *, rpc_id: bytes) -> bytes:
    """A JSON-RPC answer; `result` may hold raw JSON."""
    return _encode({"jsonrpc": "2.0", "id": msgspec.Raw(rpc_id), "result": result})


def _check_unicode(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError:
        raise RpcError(PARSE_ERROR, "the body is not valid UTF-8") from None


def _id_of(fields: Members) -> bytes | None:
    raw = fields.get("id")
    if raw is None:
        return None
    value = bytes(raw)
    if value[:1] == b'"' or (value[:1] in b"-0123456789" and value.lstrip(b"-").isdigit()):
        return value
    raise RpcError(INVALID_REQUEST, "id must be a string or a whole number")


def _method_of(fields: Members, rpc_id: bytes | None) -> str:
    method = text_of(fields["method"])
    if not method:
        raise RpcError(INVALID_REQUEST, "method must be a non-empty string", rpc_id=rpc_id)
    if "result" in fields or "error" in fields:
        raise RpcError(INVALID_REQUEST, "a request carries neither result nor error", rpc_id=rpc_id)
    return method


def _params_of(fields: Members, rpc_id: bytes | None) -> Members | None:
    raw = fields.get("params")
    if raw is None:
        return None
    params = members_of(raw)
    if params is None:
        raise RpcError(INVALID_PARAMS, "params must be an object", rpc_id=rpc_id)
    return params
