"""The two eras of MCP over Streamable HTTP: which one a request belongs to, and the rules of the stateless one.

Legacy (up to 2025-11-25): `initialize`, sessions, a GET stream. Modern (2026-07-28): each POST stands for itself, says
its version in `params._meta` and repeats version, method and name in headers, so that intermediaries can route; the
body decides and headers that disagree with it are refused (spec 2026-07-28, basic and transports; SEP-2243).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence

import msgspec

from dataplane.jsonrpc import INVALID_PARAMS, Members, Message, RpcError, members_of, text_of

MODERN = "2026-07-28"
MODERN_VERSIONS = (MODERN,)
LEGACY_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
ASSUMED_VERSION = "2025-03-26"
"""The version of a legacy request without a version header (spec 2025-06-18, transports)."""

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"

HEADER_MISMATCH = -32020
UNSUPPORTED_VERSION = -32022

NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""The param of each method that `Mcp-Name` repeats."""

_MARK = "=?base64?"
_SENTINEL = re.compile(r"=\?base64\?(.*)\?=")

_ROUTING = (b"mcp-protocol-version", b"mcp-method", b"mcp-name")
_PARAM = b"mcp-param-"


class Headers(msgspec.Struct, gc=False):
    """What a request's headers say, blanks around values dropped; `param` are the `Mcp-Param-*` ones as they came.

    `repeated` names a header that may stand only once and came twice: readers of the first and of the last would
    disagree, so nothing is decided on it."""

    version: str | None = None
    method: str | None = None
    name: str | None = None
    session: str | None = None
    last_event: str | None = None
    origin: str | None = None
    host: str | None = None
    accept: str | None = None
    content_type: str | None = None
    param: tuple[tuple[str, str], ...] = ()
    repeated: str | None = None


def read_headers(first: Mapping[bytes, bytes], raw: Sequence[tuple[bytes, bytes]]) -> Headers:
    """`raw` is an ASGI scope's headers, `first` the first value of each without blanks around it."""
    get = first.get
    return Headers(
        version=_text(get(b"mcp-protocol-version")),
        method=_text(get(b"mcp-method")),
        name=_text(get(b"mcp-name")),
        session=_text(get(b"mcp-session-id")),
        last_event=_text(get(b"last-event-id")),
        origin=_text(get(b"origin")),
        host=_text(get(b"host")),
        accept=_text(get(b"accept")),
        content_type=_text(get(b"content-type")),
        param=tuple((name.decode("latin-1"), value.decode("latin-1").strip(" \t")) for name, value in raw if name.startswith(_PARAM)),
        repeated=None if len(first) == len(raw) else _repeated(raw),
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def _repeated(raw: Sequence[tuple[bytes, bytes]]) -> str | None:
    names = [name for name, _ in raw]
    return next((name.decode() for name in _ROUTING if names.count(name) > 1), None)


def is_modern(headers: Headers, message: Message | None) -> bool:
    """Whether a request is to be read by the rules of the stateless era. The body decides where there is one."""
    if headers.version is not None and headers.version not in LEGACY_VERSIONS:
        return True
    meta = message.params.get("_meta") if message is not None and message.params is not None else None
    return meta is not None and VERSION_KEY in (members_of(meta) or ())


def named(message: Message) -> str | None:
    """The tool, prompt or resource that a message is about; None where it names none. Raises RpcError -32602."""
    key = NAMED.get(message.method)
    return message.text_param(key) if key is not None else None


def check_modern(message: Message, headers: Headers) -> str | None:
    """The validation ladder of a modern message; the first rung that fails is raised as RpcError, HTTP 400. Returns what
    `named` says.

    A notification has no envelope and its headers are not defined, so only its version is looked at."""
    if headers.repeated is not None:
        raise RpcError(HEADER_MISMATCH, f"the header {headers.repeated} appears more than once", rpc_id=message.id)
    if message.id is None:
        _check_supported(headers.version or "", rpc_id=None)
        return None
    meta = _envelope(message)
    version = text_of(meta[VERSION_KEY])
    if version is None:
        raise RpcError(INVALID_PARAMS, f"{VERSION_KEY} must be a string", rpc_id=message.id)
    if headers.version != version:
        raise _mismatch("MCP-Protocol-Version", "the protocol version in params._meta", message)
    if headers.method != message.method:
        raise _mismatch("Mcp-Method", "the method in the body", message)
    name = named(message)
    if name is not None and (headers.name is None or decode_header(headers.name) != name):
        raise _mismatch("Mcp-Name", f"params.{NAMED[message.method]}", message)
    _check_supported(version, rpc_id=message.id)
    return name


def modern_headers(message: Message, name: str | None) -> list[tuple[str, str]]:
    """The routing headers of a request as it goes to the upstream, computed from the body that goes with them."""
    fields = [("mcp-protocol-version", MODERN), ("mcp-method", encode_header(message.method))]
    if name is not None:
        fields.append(("mcp-name", encode_header(name)))
    return fields


def encode_header(value: str) -> str:
    """Text as a header value: as it is, or in the base64 form where a header would change it (SEP-2243)."""
    plain = value.isascii() and value.isprintable() and value[:1] != " " and value[-1:] != " "
    if plain and not (value.startswith(_MARK) and _SENTINEL.fullmatch(value)):
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def decode_header(value: str) -> str | None:
    """The text of a header value; None if it has the base64 form but is not canonical base64 of UTF-8."""
    form = _SENTINEL.fullmatch(value) if value.startswith(_MARK) else None
    if form is None:
        return value
    try:
        decoded = base64.b64decode(form[1], validate=True)
        return decoded.decode() if base64.b64encode(decoded).decode() == form[1] else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def unsupported_version(requested: str, supported: tuple[str, ...], message: str, *, rpc_id: bytes | None) -> RpcError:
    data = {"supported": supported, "requested": requested}
    return RpcError(UNSUPPORTED_VERSION, message, rpc_id=rpc_id, code="unsupported_protocol_version", data=data)


def _envelope(message: Message) -> Members:
    meta = members_of(raw) if message.params is not None and (raw := message.params.get("_meta")) is not None else None
    if meta is None:
        raise RpcError(INVALID_PARAMS, f"params._meta must be an object with {VERSION_KEY} and {CAPABILITIES_KEY}", rpc_id=message.id)
    missing = [key for key in (VERSION_KEY, CAPABILITIES_KEY) if key not in meta]
    if missing:
        raise RpcError(INVALID_PARAMS, f"params._meta lacks {' and '.join(missing)}", rpc_id=message.id)
    return meta


def _check_supported(version: str, *, rpc_id: bytes | None) -> None:
    if version not in MODERN_VERSIONS:
        raise unsupported_version(version, MODERN_VERSIONS, "Unsupported protocol version", rpc_id=rpc_id)


def _mismatch(header: str, body: str, message: Message) -> RpcError:
    return RpcError(HEADER_MISMATCH, f"the header {header} does not match {body}", rpc_id=message.id, code="header_mismatch")
